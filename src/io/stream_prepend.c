/*
 * Bytes in front of another stream. While some are left, reading is always possible and is
 * reported by deferring; afterwards everything passes through.
 */
#include <errno.h>

#include "base/mem.h"
#include "io/stream.h"

struct prepend {
    struct stream s;
    unsigned char *data; /* NULL once all was given out */
    size_t off;
    size_t len;
    struct defer report;
};

static void next_ready(struct stream *next, unsigned events, void *ud)
{
    struct prepend *p = ud;
    stream_report(&p->s, events);
}

static void apply_wants(struct prepend *p)
{
    if (p->data && (p->s.wanted & STREAM_READ)) {
        defer_schedule(p->s.loop, &p->report);
        stream_want(p->s.next, p->s.wanted & ~(unsigned)STREAM_READ);
    } else {
        stream_want(p->s.next, p->s.wanted);
    }
}

static void report(void *ud)
{
    struct prepend *p = ud;
    if (!p->data || stream_report(&p->s, STREAM_READ))
        apply_wants(p);
}

static ssize_t prepend_peek(struct stream *s, const void **ret_data)
{
    struct prepend *p = (struct prepend *)s;
    if (!p->data)
        return stream_peek(s->next, ret_data);
    *ret_data = p->data + p->off;
    return (ssize_t)(p->len - p->off);
}

static void prepend_consume(struct stream *s, size_t len)
{
    struct prepend *p = (struct prepend *)s;
    if (!p->data) {
        stream_consume(s->next, len);
        return;
    }
    p->off += len;
    if (p->off == p->len) {
        free(p->data);
        p->data = NULL;
        apply_wants(p);
    }
}

static ssize_t prepend_recv(struct stream *s, void *data, size_t len)
{
    struct prepend *p = (struct prepend *)s;
    if (!p->data)
        return stream_recv(s->next, data, len);
    size_t n = p->len - p->off < len ? p->len - p->off : len;
    memcpy(data, p->data + p->off, n);
    prepend_consume(s, n);
    return (ssize_t)n;
}

static ssize_t prepend_send(struct stream *s, const struct iovec *iov, int n_iov)
{
    return stream_send(s->next, iov, n_iov);
}

static int prepend_shutdown(struct stream *s)
{
    return stream_shutdown(s->next);
}

static bool prepend_unsent(const struct stream *s)
{
    return stream_unsent(s->next);
}

static void prepend_want(struct stream *s, unsigned events)
{
    apply_wants((struct prepend *)s);
}

static int prepend_bare_fd(const struct stream *s, unsigned direction)
{
    const struct prepend *p = (const struct prepend *)s;
    return direction == STREAM_READ && p->data ? -1 : stream_bare_fd(s->next, direction);
}

static void prepend_detach(struct stream *s)
{
    struct prepend *p = (struct prepend *)s;
    defer_cancel(&p->report);
    stream_detach(s->next);
    s->loop = NULL;
}

static void prepend_attach(struct stream *s, struct loop *loop)
{
    s->loop = loop;
    stream_attach(s->next, loop);
}

static void release(void *ud)
{
    struct prepend *p = ud;
    free(p->data);
    free(p);
}

static void prepend_free(struct stream *s)
{
    struct prepend *p = (struct prepend *)s;
    defer_cancel(&p->report);
    s->next = stream_free(s->next);
    stream_reap(s, release);
}

static const struct stream_ops prepend_ops = {
    .name = "prepend",
    .recv = prepend_recv,
    .send = prepend_send,
    .shutdown = prepend_shutdown,
    .want = prepend_want,
    .free = prepend_free,
    .peek = prepend_peek,
    .consume = prepend_consume,
    .detach = prepend_detach,
    .attach = prepend_attach,
    .unsent = prepend_unsent,
    .bare_fd = prepend_bare_fd,
};

struct stream *stream_prepend(struct stream *next, const void *data, size_t len)
{
    if (len == 0)
        return next;
    struct prepend *p = new0(struct prepend);
    stream_init(&p->s, &prepend_ops, next->loop);
    p->s.next = next;
    p->data = xmemdup(data, len);
    p->len = len;
    defer_init(&p->report, report, p);
    stream_want(next, 0);
    stream_set_ready(next, next_ready, p);
    return &p->s;
}
