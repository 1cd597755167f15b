/*
 * `out` is what must go before anything else. A body's bytes are offered to the stream together
 * with it, in one call. A chunk whose size has left must follow whole, so its rest is copied into
 * `out`; that is the only copy of a body's bytes, and at most H1_CHUNK_MAX of them.
 */
#include "http/h1_writer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/num.h"
#include "http/headers.h"
#include "http/status.h"
#include "io/stream.h"

/* Most heads fit into HEAD_ROOM, with which the queue begins: it need not grow while one is made.
 */
enum { MAX_VECTORS = 16, HEAD_ROOM = 1000 };

void h1_writer_init(struct h1_writer *w, struct stream *s)
{
    *w = (struct h1_writer){.s = s};
    buf_init(&w->out, H1_QUEUE_MAX);
}

void h1_writer_deinit(struct h1_writer *w)
{
    buf_deinit(&w->out);
}

static ssize_t latch(struct h1_writer *w, ssize_t n)
{
    if (n == -EAGAIN)
        w->blocked = true;
    else if (n < 0)
        w->error = (int)n;
    return n;
}

size_t h1_writer_queued(const struct h1_writer *w)
{
    return w->out.len + w->fixed_len;
}

static void count_sent(struct h1_writer *w, size_t n)
{
    size_t of_out = n < w->out.len ? n : w->out.len;
    buf_consume(&w->out, of_out);
    if (n > of_out) {
        w->fixed += n - of_out;
        w->fixed_len -= n - of_out;
    }
}

int h1_writer_flush(struct h1_writer *w)
{
    while (h1_writer_queued(w) > 0 && !w->error) {
        const struct iovec iov[2] = {
            {(void *)buf_data(&w->out), w->out.len},
            {(void *)w->fixed, w->fixed_len},
        };
        int skip = w->out.len == 0;
        ssize_t n = stream_send(w->s, iov + skip, w->fixed_len > 0 ? 2 - skip : 1);
        if (n < 0)
            return (int)latch(w, n);
        count_sent(w, (size_t)n);
    }
    w->blocked = false;
    return w->error;
}

int h1_writer_text(struct h1_writer *w, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int r = buf_vappendf(&w->out, fmt, ap);
    va_end(ap);
    return r;
}

int h1_writer_span(struct h1_writer *w, struct span text)
{
    return buf_append(&w->out, text.p, text.len);
}

int h1_writer_request(struct h1_writer *w, struct span method, struct span target)
{
    buf_reserve(&w->out, HEAD_ROOM); /* or less, where that is too much */
    int r = h1_writer_span(w, method);
    if (r == 0)
        r = h1_writer_span(w, SPAN(" "));
    if (r == 0)
        r = h1_writer_span(w, target);
    return r == 0 ? h1_writer_span(w, SPAN(" HTTP/1.1\r\n")) : r;
}

int h1_writer_status(struct h1_writer *w, unsigned status)
{
    char room[NUM_TEXT_SIZE];
    buf_reserve(&w->out, HEAD_ROOM); /* or less, where that is too much */
    int r = h1_writer_span(w, SPAN("HTTP/1.1 "));
    if (r == 0)
        r = h1_writer_span(w, num_format(status, room));
    if (r == 0)
        r = h1_writer_span(w, SPAN(" "));
    if (r == 0)
        r = h1_writer_span(w, span_of(http_status_text(status)));
    return r == 0 ? h1_writer_span(w, SPAN("\r\n")) : r;
}

int h1_writer_length(struct h1_writer *w, uint64_t length)
{
    char room[NUM_TEXT_SIZE];
    return h1_writer_field(w, SPAN("Content-Length"), num_format(length, room));
}

int h1_writer_field(struct h1_writer *w, struct span name, struct span value)
{
    char *room = buf_reserve(&w->out, name.len + value.len + 4);
    if (!room)
        return -ENOBUFS;
    memcpy(room, name.p, name.len);
    memcpy(room + name.len, ": ", 2);
    if (value.len)
        memcpy(room + name.len + 2, value.p, value.len);
    memcpy(room + name.len + 2 + value.len, "\r\n", 2);
    buf_commit(&w->out, name.len + value.len + 4);
    return 0;
}

static bool is_framing(struct span name, bool keep_connection)
{
    if (span_iis(name, "Content-Length") || span_iis(name, "Transfer-Encoding"))
        return true;
    return !keep_connection && (span_iis(name, "Connection") || span_iis(name, "Keep-Alive"));
}

int h1_writer_fields(struct h1_writer *w, const struct headers *fields, bool keep_connection)
{
    for (size_t i = 0; fields && i < fields->len; i++) {
        const struct header *f = &fields->list[i];
        if (is_framing(f->name, keep_connection))
            continue;
        int r = h1_writer_field(w, f->name, f->value);
        if (r < 0)
            return r;
    }
    return 0;
}

int h1_writer_begin(struct h1_writer *w, enum h1_body body, uint64_t length)
{
    w->body = body;
    w->left = length;
    return buf_append_str(&w->out, "\r\n");
}

/* The first `most` bytes of `iov`; returns how many vectors were filled, their sum in *ret_len. */
static int clip(struct iovec *dst, int n_dst, const struct iovec *iov, int n_iov, uint64_t most,
                size_t *ret_len)
{
    int n = 0;
    *ret_len = 0;
    for (int i = 0; i < n_iov && n < n_dst && *ret_len < most; i++) {
        if (iov[i].iov_len == 0)
            continue;
        dst[n] = iov[i];
        if (dst[n].iov_len > most - *ret_len)
            dst[n].iov_len = (size_t)(most - *ret_len);
        *ret_len += dst[n++].iov_len;
    }
    return n;
}

/* What follows the first `sent` bytes of `vec` is kept in `out`. */
static int keep_rest(struct h1_writer *w, const struct iovec *vec, int n_vec, size_t sent)
{
    for (int i = 0; i < n_vec; i++) {
        size_t skip = sent < vec[i].iov_len ? sent : vec[i].iov_len;
        sent -= skip;
        if (buf_append(&w->out, (char *)vec[i].iov_base + skip, vec[i].iov_len - skip) < 0)
            return (int)latch(w, -ENOBUFS);
    }
    return 0;
}

/* Offers `out` and then `vec`. Returns how much of `vec` went (0: nothing), or a failure. */
static ssize_t send_behind_out(struct h1_writer *w, const struct iovec *vec, int n_vec)
{
    struct iovec all[MAX_VECTORS + 1];
    size_t queued = w->out.len;
    int n_all = 0;
    if (queued > 0)
        all[n_all++] = (struct iovec){(void *)buf_data(&w->out), queued};
    memcpy(all + n_all, vec, (size_t)n_vec * sizeof(*vec));
    ssize_t n = stream_send(w->s, all, n_all + n_vec);
    if (n < 0)
        return latch(w, n) == -EAGAIN ? 0 : n;
    size_t of_queue = (size_t)n < queued ? (size_t)n : queued;
    buf_consume(&w->out, of_queue);
    if (w->out.len > 0)
        w->blocked = true;
    return n - (ssize_t)of_queue;
}

static ssize_t send_chunk(struct h1_writer *w, const struct iovec *iov, int n_iov)
{
    struct iovec vec[MAX_VECTORS];
    char size[20];
    size_t len;
    int n = clip(vec + 1, MAX_VECTORS - 2, iov, n_iov, H1_CHUNK_MAX, &len);
    if (len == 0)
        return 0;
    int size_len = snprintf(size, sizeof(size), "%zx\r\n", len);
    vec[0] = (struct iovec){size, (size_t)size_len};
    vec[n + 1] = (struct iovec){(void *)"\r\n", 2};

    ssize_t sent = send_behind_out(w, vec, n + 2);
    if (sent <= 0)
        return sent == 0 ? -EAGAIN : sent;
    if ((size_t)sent < (size_t)size_len + len + 2)
        w->blocked = true;
    int r = keep_rest(w, vec, n + 2, (size_t)sent);
    return r < 0 ? r : (ssize_t)len;
}

ssize_t h1_writer_send(struct h1_writer *w, const struct iovec *iov, int n_iov)
{
    struct iovec vec[MAX_VECTORS];
    size_t len;

    if (w->error)
        return w->error;
    /* After a stop, first what is left over: then it is known whether more will go. */
    if (w->blocked) {
        int r = h1_writer_flush(w);
        if (r < 0)
            return r;
    }
    if (w->body == H1_BODY_CHUNKED)
        return send_chunk(w, iov, n_iov);
    uint64_t most = w->body == H1_BODY_LENGTH ? w->left : SIZE_MAX / 2;
    int n = clip(vec, MAX_VECTORS, iov, n_iov, most, &len);
    if (w->body == H1_BODY_NONE)
        return (ssize_t)len;
    if (len == 0)
        return n_iov > 0 && w->body == H1_BODY_LENGTH && w->left == 0 ? -EMSGSIZE : 0;
    ssize_t sent = send_behind_out(w, vec, n);
    if (sent <= 0)
        return sent == 0 ? -EAGAIN : sent;
    if (w->body == H1_BODY_LENGTH)
        w->left -= (uint64_t)sent;
    return sent;
}

int h1_writer_send_all(struct h1_writer *w, const void *data, size_t len)
{
    const char *p = data;
    while (len > 0) {
        struct iovec iov = {(void *)p, len};
        ssize_t n = h1_writer_send(w, &iov, 1);
        if (n == -EAGAIN)
            break;
        if (n < 0)
            return (int)n;
        p += n;
        len -= (size_t)n;
    }
    if (len == 0)
        return 0;
    if (w->body == H1_BODY_LENGTH)
        w->left -= len;
    return buf_append(&w->out, p, len) < 0 ? (int)latch(w, -ENOBUFS) : 0;
}

int h1_writer_send_fixed(struct h1_writer *w, const void *data, size_t len)
{
    if (w->body == H1_BODY_NONE)
        return 0;
    if (w->body != H1_BODY_LENGTH || len != w->left)
        return -EINVAL;
    w->fixed = data;
    w->fixed_len = len;
    w->left = 0;
    int r = h1_writer_flush(w);
    return r == -EAGAIN ? 0 : r;
}

int h1_writer_end(struct h1_writer *w, const struct headers *trailers)
{
    if (w->error)
        return w->error;
    if (w->body == H1_BODY_LENGTH && w->left > 0)
        return -EINVAL;
    if (w->body == H1_BODY_CHUNKED) {
        int r = buf_append_str(&w->out, "0\r\n");
        if (r == 0)
            r = h1_writer_fields(w, trailers, false);
        if (r == 0)
            r = buf_append_str(&w->out, "\r\n");
        if (r < 0)
            return (int)latch(w, r);
    }
    w->body = H1_BODY_NONE;
    return 0;
}
