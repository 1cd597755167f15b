/*
 * What a hostile server answers. The first byte chooses the request and the size of the pieces in
 * which the answer comes; sent at once it must read the same.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "http/client_conn.h"
#include "io/loop.h"
#include "io/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    struct buf text;
    struct client_call *call;
    struct stream *upgraded;
    bool ended;
};

static void interim(struct client_call *call, unsigned status, const struct headers *fields,
                    void *ud)
{
    buf_appendf(&((struct seen *)ud)->text, "[%u %zu]", status, fields->len);
}

static void head(struct client_call *call, int result, void *ud)
{
    struct seen *seen = ud;
    const struct client_response *r = client_call_response(call);
    buf_appendf(&seen->text, "%d ", result);
    if (result < 0)
        return;
    buf_appendf(&seen->text, "%u %zu %lld|", r->status, r->headers.len, (long long)r->length);
    seen->upgraded = client_call_upgrade(call);
    if (!seen->upgraded)
        client_call_want(call, STREAM_READ);
}

static void ready(struct client_call *call, unsigned events, void *ud)
{
    struct seen *seen = ud;
    char data[100];
    ssize_t n;
    while ((n = client_call_recv(call, data, sizeof(data))) > 0)
        buf_append(&seen->text, data, (size_t)n);
    if (n == -EAGAIN)
        return;
    client_call_want(call, 0);
    buf_appendf(&seen->text, "|%zd %zu", n, client_call_trailers(call)->len);
}

static void feed(struct loop *loop, const uint8_t *data, size_t size, size_t piece, unsigned kind,
                 struct seen *seen)
{
    static const struct span methods[] = {SPAN("GET"), SPAN("HEAD"), SPAN("CONNECT"), SPAN("POST")};
    const struct client_conn_options options = {0};
    struct stream *ends[2];
    struct arena arena;
    struct headers fields;

    arena_init(&arena, 4096);
    headers_init(&fields, &arena, 0, 0);
    if (kind & 4)
        headers_add(&fields, "Upgrade", "x");
    stream_pair(loop, 1 << 20, ends);
    struct client_conn *c = client_conn_new(loop, ends[0], &options);
    const struct client_call_options call = {.method = methods[kind & 3],
                                             .target = SPAN("/"),
                                             .headers = &fields,
                                             .head = head,
                                             .interim = interim,
                                             .ready = ready,
                                             .ud = seen};
    if (client_conn_call(c, &call, &seen->call) < 0)
        abort();
    for (size_t at = 0; at < size; at += piece) {
        stream_send_bytes(ends[1], data + at, piece < size - at ? piece : size - at);
        for (int i = 0; i < 4; i++)
            loop_turn(loop, false);
    }
    stream_shutdown(ends[1]);
    for (int i = 0; i < 10; i++)
        loop_turn(loop, false);
    client_call_free(seen->call);
    client_conn_free(c);
    stream_free(seen->upgraded);
    stream_free(ends[1]);
    arena_deinit(&arena);
    loop_turn(loop, false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct loop *loop;
    struct seen whole = {.text = BUF_INIT(1 << 20)}, pieces = {.text = BUF_INIT(1 << 20)};
    if (size < 2 || size > 4096)
        return 0;
    if (!loop)
        loop = loop_new();
    feed(loop, data + 1, size - 1, size, data[0] & 7, &whole);
    feed(loop, data + 1, size - 1, (size_t)(data[0] >> 3) + 1, data[0] & 7, &pieces);
    if (whole.text.len != pieces.text.len ||
        memcmp(buf_data(&whole.text), buf_data(&pieces.text), whole.text.len) != 0) {
        fprintf(stderr, "at once:   %s\nin pieces: %s\n", buf_cstr(&whole.text),
                buf_cstr(&pieces.text));
        abort();
    }
    buf_deinit(&whole.text);
    buf_deinit(&pieces.text);
    return 0;
}
