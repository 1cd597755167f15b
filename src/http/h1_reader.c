/*
 * `in` holds raw bytes. Of a body with a length it is emptied first, then the caller's memory is
 * filled by the stream itself. A chunked body is decoded where it lies: the framing between the
 * data is consumed, so that what stands at the head of `in` is always data when `left` > 0.
 *
 * llhttp does not take part here: it pushes, has no pause inside a span, and its leniency about
 * chunk framing differs from version to version.
 */
#include "http/h1_reader.h"

#include <errno.h>
#include <string.h>

#include "base/num.h"
#include "io/stream.h"

enum {
    HEAD_READ_LEN = 4095,       /* with its NUL, storage that an empty buffer keeps (base/buf.c) */
    MAX_CHUNK_LINE = 1024,      /* chunk size with its extensions */
    MAX_EXTENSIONS = 16 * 1024, /* of a whole body */
    /* From this many bytes on, reading into the caller's memory beats reading ahead. */
    DIRECT_LEN = 8192,
};

void h1_reader_init(struct h1_reader *r, struct stream *s, const struct h1_limits *limits)
{
    *r = (struct h1_reader){.s = s, .limits = *limits, .body_done = true};
    buf_init(&r->in, limits->first_line + limits->header_bytes + H1_READ_LEN);
}

void h1_reader_deinit(struct h1_reader *r)
{
    buf_deinit(&r->in);
}

static struct span content(const struct h1_reader *r)
{
    return span_from(buf_data(&r->in), r->in.len);
}

/* Reads up to `most` bytes into `in`. 1: some; 0: the end; -EAGAIN; or the failure. */
static int fill(struct h1_reader *r, size_t most)
{
    if (r->eof)
        return 0;
    if (most > buf_room(&r->in))
        most = buf_room(&r->in);
    void *room = most > 0 ? buf_reserve(&r->in, most) : NULL;
    if (!room)
        return -ENOBUFS;
    ssize_t n = stream_recv(r->s, room, most);
    if (n > 0) {
        buf_commit(&r->in, (size_t)n);
        return 1;
    }
    if (n == 0)
        r->eof = true;
    if (n == -EAGAIN)
        r->starved = true;
    return (int)n;
}

/* One empty line before a request line is forgiven (RFC 9112 section 2.2). */
static void skip_empty_line(struct h1_reader *r)
{
    if (!r->line_skipped && r->in.len >= 2 && memcmp(buf_data(&r->in), "\r\n", 2) == 0) {
        buf_consume(&r->in, 2);
        r->line_skipped = true;
        r->scan = (struct h1_scan){0};
    }
}

static int scan_result(enum h1_scan_result result)
{
    static const int statuses[] = {
        [H1_SCAN_BAD] = 400, [H1_SCAN_LONG_LINE] = 414, [H1_SCAN_TOO_LARGE] = 431};
    return statuses[result];
}

int h1_reader_head(struct h1_reader *r, struct span *ret_head)
{
    for (;;) {
        size_t len;
        skip_empty_line(r);
        bool half_line_end = !r->line_skipped && r->in.len == 1 && *buf_data(&r->in) == '\r';
        enum h1_scan_result result = H1_SCAN_MORE;
        if (!half_line_end)
            result = h1_scan(&r->scan, content(r), &r->limits, &len);
        if (result == H1_SCAN_DONE) {
            *ret_head = span_sub(content(r), 0, len);
            return 1;
        }
        if (result != H1_SCAN_MORE)
            return scan_result(result);
        int n = fill(r, HEAD_READ_LEN);
        if (n == -EAGAIN)
            return 0;
        if (n == 0)
            return r->in.len ? -EPROTO : -ENODATA;
        if (n < 0)
            return n;
    }
}

bool h1_reader_in_head(const struct h1_reader *r)
{
    return r->in.len > 0;
}

static int advance(struct h1_reader *r, bool may_fill);

void h1_reader_take_head(struct h1_reader *r, size_t len, enum h1_framing framing, uint64_t length,
                         struct headers *trailers)
{
    buf_consume(&r->in, len);
    r->scan = (struct h1_scan){0};
    r->line_skipped = false;
    r->framing = framing;
    r->trailers = trailers;
    r->chunk = CHUNK_SIZE;
    r->left = framing == H1_LENGTH ? length : framing == H1_UNTIL_EOF ? UINT64_MAX : 0;
    r->extension_left = MAX_EXTENSIONS;
    r->body_done = framing == H1_NO_BODY || (framing == H1_LENGTH && length == 0);
    r->error = 0;
    r->starved = false;
    if (framing == H1_CHUNKED)
        advance(r, false);
}

/* The line at the front of `in`, with its CRLF in *ret_used. 0: it is not complete. */
static int chunk_line(struct h1_reader *r, struct span *ret_line)
{
    struct span data = content(r);
    size_t most = data.len < MAX_CHUNK_LINE ? data.len : MAX_CHUNK_LINE;
    const char *lf = memchr(data.p, '\n', most);
    if (!lf)
        return data.len >= MAX_CHUNK_LINE ? -EPROTO : 0;
    size_t len = (size_t)(lf - data.p);
    if (len == 0 || data.p[len - 1] != '\r')
        return -EPROTO;
    *ret_line = span_sub(data, 0, len - 1);
    return 1;
}

/* Visible characters, space and tab: an extension is never read, but could end a line for others.
 */
static bool extension_valid(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((text.p[i] < ' ' && text.p[i] != '\t') || text.p[i] == 0x7f)
            return false;
    return true;
}

/* `1*HEXDIG [ ";" extension ]` (RFC 9112 section 7.1). */
static int read_size(struct h1_reader *r)
{
    struct span line;
    int n = chunk_line(r, &line);
    if (n <= 0)
        return n;
    ptrdiff_t semicolon = span_find(line, ';');
    struct span digits = semicolon < 0 ? line : span_sub(line, 0, (size_t)semicolon);
    size_t extension = line.len - digits.len;
    if (digits.len > 15 || num_parse_hex(digits, INT64_MAX, &r->left) < 0 ||
        extension > r->extension_left || !extension_valid(span_sub(line, digits.len, line.len)))
        return -EPROTO;
    r->extension_left -= extension;
    buf_consume(&r->in, line.len + 2);
    r->chunk = r->left > 0 ? CHUNK_DATA : CHUNK_TRAILERS;
    return 1;
}

static int read_data_end(struct h1_reader *r)
{
    const unsigned char *p = buf_data(&r->in);
    if (r->in.len >= 1 && p[0] != '\r')
        return -EPROTO;
    if (r->in.len < 2)
        return 0;
    if (p[1] != '\n')
        return -EPROTO;
    buf_consume(&r->in, 2);
    r->chunk = CHUNK_SIZE;
    return 1;
}

/* Nobody wants the trailers any more: they are only held against the rules. */
static int check_trailers(struct h1_reader *r, struct span section)
{
    struct arena arena;
    struct headers trailers;
    arena_init(&arena, 4 * (r->limits.header_bytes + H1_READ_LEN));
    headers_init(&trailers, &arena, r->limits.header_bytes, r->limits.header_count);
    int n = h1_parse_trailers(section, &trailers);
    arena_deinit(&arena);
    return n;
}

static int read_trailers(struct h1_reader *r)
{
    size_t len;
    switch (h1_scan_trailers(&r->scan, content(r), &r->limits, &len)) {
    case H1_SCAN_MORE:
        return 0;
    case H1_SCAN_DONE:
        break;
    default:
        return -EPROTO;
    }
    struct span section = span_sub(content(r), 0, len);
    int n = r->trailers ? h1_parse_trailers(section, r->trailers) : check_trailers(r, section);
    if (n < 0)
        return n;
    buf_consume(&r->in, len);
    r->scan = (struct h1_scan){0};
    r->body_done = true;
    return 1;
}

static int read_framing(struct h1_reader *r)
{
    if (r->chunk == CHUNK_SIZE)
        return read_size(r);
    return r->chunk == CHUNK_END ? read_data_end(r) : read_trailers(r);
}

static int latch(struct h1_reader *r, int error)
{
    if (error != -EAGAIN)
        r->error = error;
    return error;
}

/* Goes on to the next data. 1: there is some to read; 0: the body is complete; or an error. */
static int advance(struct h1_reader *r, bool may_fill)
{
    while (!r->error && !r->body_done) {
        if (r->framing != H1_CHUNKED || r->chunk == CHUNK_DATA)
            return 1;
        int n = read_framing(r);
        if (n < 0)
            return latch(r, n);
        if (n > 0)
            continue;
        if (!may_fill)
            return -EAGAIN;
        n = fill(r, H1_READ_LEN);
        if (n <= 0)
            return latch(r, n == 0 || n == -ENOBUFS ? -EPROTO : n);
    }
    return r->error;
}

static void count_given(struct h1_reader *r, size_t len)
{
    if (r->framing == H1_UNTIL_EOF)
        return;
    r->left -= len;
    if (r->left > 0)
        return;
    if (r->framing == H1_LENGTH) {
        r->body_done = true;
        return;
    }
    r->chunk = CHUNK_END;
    advance(r, false);
}

/* The stream gave `n` instead of data. */
static ssize_t no_data(struct h1_reader *r, ssize_t n)
{
    if (n == -EAGAIN) {
        r->starved = true;
        return n;
    }
    if (n < 0)
        return latch(r, (int)n);
    r->eof = true;
    if (r->framing != H1_UNTIL_EOF)
        return latch(r, -EPROTO);
    r->body_done = true;
    return 0;
}

ssize_t h1_reader_recv(struct h1_reader *r, void *data, size_t len)
{
    int more = advance(r, true);
    if (more <= 0)
        return more;
    if (len > r->left)
        len = (size_t)r->left;
    if (r->in.len == 0 && (r->framing != H1_CHUNKED || len >= DIRECT_LEN)) {
        ssize_t n = r->eof ? 0 : stream_recv(r->s, data, len);
        if (n <= 0)
            return no_data(r, n);
        count_given(r, (size_t)n);
        return n;
    }
    if (r->in.len == 0) {
        int n = fill(r, H1_READ_LEN);
        if (n <= 0)
            return no_data(r, n);
    }
    if (len > r->in.len)
        len = r->in.len;
    memcpy(data, buf_data(&r->in), len);
    buf_consume(&r->in, len);
    count_given(r, len);
    return (ssize_t)len;
}

ssize_t h1_reader_peek(struct h1_reader *r, const void **ret_data)
{
    int more = advance(r, true);
    if (more <= 0)
        return more;
    r->lent_by_stream = false;
    size_t len = r->in.len;
    if (len == 0) {
        ssize_t n = r->eof ? 0 : stream_peek(r->s, ret_data);
        if (n == -ENOTSUP)
            n = fill(r, H1_READ_LEN);
        else
            r->lent_by_stream = n > 0;
        if (n <= 0)
            return no_data(r, n);
        len = r->lent_by_stream ? (size_t)n : r->in.len;
    }
    if (!r->lent_by_stream)
        *ret_data = buf_data(&r->in);
    return (ssize_t)(len < r->left ? len : r->left);
}

void h1_reader_consume(struct h1_reader *r, size_t len)
{
    if (len == 0)
        return;
    if (r->lent_by_stream)
        stream_consume(r->s, len);
    else
        buf_consume(&r->in, len);
    count_given(r, len);
}

int h1_reader_watch(struct h1_reader *r)
{
    if (r->in.len >= H1_READ_LEN)
        return -ENOBUFS;
    int n = fill(r, HEAD_READ_LEN);
    if (n == 0)
        return -ENODATA;
    return n == 1 || n == -EAGAIN ? 0 : n;
}
