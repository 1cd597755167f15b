#include "io/null_stream.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"

struct null_stream {
    struct stream s;
    bool source;
    bool shut;
    struct defer report;
};

static const unsigned char zeros[65536];

static unsigned possible(const struct null_stream *n)
{
    return STREAM_WRITE | (n->source || n->shut ? STREAM_READ : 0);
}

static void kick(struct null_stream *n)
{
    if (n->s.wanted & possible(n))
        defer_schedule(n->s.loop, &n->report);
}

static void report(void *ud)
{
    struct null_stream *n = ud;
    if (stream_report(&n->s, possible(n)))
        kick(n);
}

static ssize_t null_peek(struct stream *s, const void **ret_data)
{
    const struct null_stream *n = (const struct null_stream *)s;
    if (!n->source)
        return n->shut ? 0 : -EAGAIN;
    *ret_data = zeros;
    return sizeof(zeros);
}

static void null_consume(struct stream *s, size_t len)
{
}

static ssize_t null_recv(struct stream *s, void *data, size_t len)
{
    const void *lent;
    ssize_t n = null_peek(s, &lent);
    if (n <= 0)
        return n;
    memset(data, 0, len);
    return (ssize_t)len;
}

static ssize_t null_send(struct stream *s, const struct iovec *iov, int n_iov)
{
    const struct null_stream *n = (const struct null_stream *)s;
    size_t len = 0;
    if (n->shut)
        return -EPIPE;
    for (int i = 0; i < n_iov; i++)
        len += iov[i].iov_len;
    return (ssize_t)len;
}

static int null_shutdown(struct stream *s)
{
    struct null_stream *n = (struct null_stream *)s;
    n->shut = true;
    kick(n);
    return 0;
}

static void null_want(struct stream *s, unsigned events)
{
    kick((struct null_stream *)s);
}

static void null_free(struct stream *s)
{
    struct null_stream *n = (struct null_stream *)s;
    defer_cancel(&n->report);
    stream_reap(s, NULL);
}

static const struct stream_ops null_ops = {
    .name = "null",
    .recv = null_recv,
    .send = null_send,
    .shutdown = null_shutdown,
    .want = null_want,
    .free = null_free,
    .peek = null_peek,
    .consume = null_consume,
};

struct stream *null_stream_new(struct loop *loop, bool source)
{
    struct null_stream *n = new0(struct null_stream);
    stream_init(&n->s, &null_ops, loop);
    n->source = source;
    defer_init(&n->report, report, n);
    return &n->s;
}
