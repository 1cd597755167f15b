/*
 * Two ends in memory. Each end holds what it has received and not given out yet. Since nothing
 * outside wakes it, an end that is wanted and can go on reports by deferring, turn after turn.
 */
#include <errno.h>

#include "base/buf.h"
#include "base/mem.h"
#include "io/stream.h"

struct pair_end {
    struct stream s;
    struct pair_end *peer; /* NULL once the other end is freed */
    struct buf received;
    bool ended; /* the peer sends no more */
    bool shut;  /* this end sends no more */
    struct defer report;
};

static unsigned possible(const struct pair_end *e)
{
    bool readable = e->received.len > 0 || e->ended;
    bool writable = e->shut || !e->peer || buf_room(&e->peer->received) > 0;
    return (readable ? STREAM_READ : 0) | (writable ? STREAM_WRITE : 0);
}

static void kick(struct pair_end *e)
{
    if (e && (e->s.wanted & possible(e)))
        defer_schedule(e->s.loop, &e->report);
}

static void report(void *ud)
{
    struct pair_end *e = ud;
    if (stream_report(&e->s, possible(e)))
        kick(e);
}

static ssize_t pair_peek(struct stream *s, const void **ret_data)
{
    struct pair_end *e = (struct pair_end *)s;
    if (e->received.len == 0)
        return e->ended ? 0 : -EAGAIN;
    *ret_data = buf_data(&e->received);
    return (ssize_t)e->received.len;
}

static void pair_consume(struct stream *s, size_t len)
{
    struct pair_end *e = (struct pair_end *)s;
    buf_consume(&e->received, len);
    kick(e->peer);
}

static ssize_t pair_recv(struct stream *s, void *data, size_t len)
{
    const void *lent;
    ssize_t n = pair_peek(s, &lent);
    if (n <= 0)
        return n;
    if ((size_t)n > len)
        n = (ssize_t)len;
    memcpy(data, lent, (size_t)n);
    pair_consume(s, (size_t)n);
    return n;
}

static ssize_t pair_send(struct stream *s, const struct iovec *iov, int n_iov)
{
    struct pair_end *e = (struct pair_end *)s;
    size_t taken = 0;
    if (e->shut || !e->peer)
        return -EPIPE;
    for (int i = 0; i < n_iov; i++) {
        size_t room = buf_room(&e->peer->received);
        size_t n = iov[i].iov_len < room ? iov[i].iov_len : room;
        if (n > 0 && buf_append(&e->peer->received, iov[i].iov_base, n) == 0)
            taken += n;
        if (n < iov[i].iov_len)
            break;
    }
    kick(e->peer);
    return taken ? (ssize_t)taken : -EAGAIN;
}

static int pair_shutdown(struct stream *s)
{
    struct pair_end *e = (struct pair_end *)s;
    e->shut = true;
    if (e->peer) {
        e->peer->ended = true;
        kick(e->peer);
    }
    return 0;
}

static void pair_want(struct stream *s, unsigned events)
{
    kick((struct pair_end *)s);
}

static void release(void *ud)
{
    struct pair_end *e = ud;
    buf_deinit(&e->received);
    free(e);
}

static void pair_free(struct stream *s)
{
    struct pair_end *e = (struct pair_end *)s;
    defer_cancel(&e->report);
    if (e->peer) {
        e->peer->ended = true;
        e->peer->peer = NULL;
        kick(e->peer);
    }
    stream_reap(s, release);
}

static const struct stream_ops pair_ops = {
    .name = "pair",
    .recv = pair_recv,
    .send = pair_send,
    .shutdown = pair_shutdown,
    .want = pair_want,
    .free = pair_free,
    .peek = pair_peek,
    .consume = pair_consume,
};

static struct pair_end *end_new(struct loop *loop, size_t capacity)
{
    struct pair_end *e = new0(struct pair_end);
    stream_init(&e->s, &pair_ops, loop);
    buf_init(&e->received, capacity);
    defer_init(&e->report, report, e);
    return e;
}

void stream_pair(struct loop *loop, size_t capacity, struct stream *ret_ends[2])
{
    struct pair_end *a = end_new(loop, capacity), *b = end_new(loop, capacity);
    a->peer = b;
    b->peer = a;
    ret_ends[0] = &a->s;
    ret_ends[1] = &b->s;
}
