#include "proto/sse.h"

#include <errno.h>

enum { NAME_MAX_LEN = 256 };

void sse_reader_init(struct sse_reader *r, size_t max_len)
{
    *r = (struct sse_reader){.has_data = false};
    buf_init(&r->line, max_len);
    buf_init(&r->name, NAME_MAX_LEN);
    buf_init(&r->data, max_len);
}

void sse_reader_deinit(struct sse_reader *r)
{
    buf_deinit(&r->line);
    buf_deinit(&r->name);
    buf_deinit(&r->data);
}

static int end_event(struct sse_reader *r, sse_event_fn *event, void *ud)
{
    bool goes_on = true;
    if (r->has_data) {
        struct span name = span_from(buf_data(&r->name), r->name.len);
        goes_on = event(name.len ? name : SPAN("message"),
                        span_from(buf_data(&r->data), r->data.len), ud);
    }
    r->has_data = false;
    buf_clear(&r->name);
    buf_clear(&r->data);
    return goes_on ? 0 : -ECANCELED;
}

static int add_data(struct sse_reader *r, struct span value)
{
    if (r->has_data && buf_append_byte(&r->data, '\n') < 0)
        return -EMSGSIZE;
    r->has_data = true;
    return buf_append(&r->data, value.p, value.len) < 0 ? -EMSGSIZE : 0;
}

static int take_line(struct sse_reader *r, sse_event_fn *event, void *ud)
{
    struct span line = span_from(buf_data(&r->line), r->line.len);
    ptrdiff_t colon = span_find(line, ':');
    struct span field = colon < 0 ? line : span_sub(line, 0, (size_t)colon);
    struct span value = colon < 0 ? SPAN_NULL : span_sub(line, (size_t)colon + 1, line.len);
    int code = 0;
    if (span_starts(value, " "))
        value = span_sub(value, 1, value.len);
    if (line.len == 0) {
        code = end_event(r, event, ud);
    } else if (span_is(field, "data")) {
        code = add_data(r, value);
    } else if (span_is(field, "event")) {
        buf_clear(&r->name);
        code = buf_append(&r->name, value.p, value.len) < 0 ? -EMSGSIZE : 0;
    }
    buf_clear(&r->line);
    return code;
}

/* Bytes up to the end of the line, all if there is none. */
static size_t line_length(struct span bytes)
{
    size_t n = 0;
    while (n < bytes.len && bytes.p[n] != '\n' && bytes.p[n] != '\r')
        n++;
    return n;
}

static int feed(struct sse_reader *r, struct span bytes, sse_event_fn *event, void *ud)
{
    while (bytes.len > 0) {
        bool rest_of_crlf = r->after_cr && bytes.p[0] == '\n';
        r->after_cr = false;
        if (rest_of_crlf) {
            bytes = span_sub(bytes, 1, bytes.len);
            continue;
        }
        size_t n = line_length(bytes);
        if (buf_append(&r->line, bytes.p, n) < 0)
            return -EMSGSIZE;
        if (n == bytes.len)
            return 0;
        r->after_cr = bytes.p[n] == '\r';
        bytes = span_sub(bytes, n + 1, bytes.len);
        int code = take_line(r, event, ud);
        if (code < 0)
            return code;
    }
    return 0;
}

int sse_reader_feed(struct sse_reader *r, struct span bytes, sse_event_fn *event, void *ud)
{
    if (r->stopped)
        return -ECANCELED;
    int code = feed(r, bytes, event, ud);
    r->stopped = code < 0;
    return code;
}
