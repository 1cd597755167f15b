/*
 * Sending: a datagram goes out at once when nothing waits. What the channel does not take waits
 * whole in a queue that drops its oldest; only the rest of a capsule that is half sent must go out
 * whatever comes (`unsent`). Receiving: capsules are read straight from the bytes that came; only
 * the beginning of one that is cut is kept (`partial`).
 *
 * Callbacks may free the channel: after each, `dead` is looked at; memory goes at the end of the
 * turn.
 */
#include "tunnel/datagram.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/mem.h"
#include "io/loop.h"
#include "io/stream.h"
#include "proto/capsule.h"

enum {
    QUEUE_MAX_LEN = 256 * 1024,
    RECV_LEN = 64 * 1024,
    RECV_ROUNDS = 16, /* a turn: then others have theirs */
};

struct queued {
    struct list link;
    size_t len;
    unsigned char data[];
};

struct datagram_channel {
    struct stream *channel;
    struct datagram_options options;
    struct capsule_reader reader;
    struct buf partial;
    struct buf unsent;
    struct list queue;
    size_t queue_len; /* bytes */
    struct datagram_stats stats;
    bool ended; /* reported, or nothing is to be reported */
    bool dead;
    struct defer reap;
};

static void want(struct datagram_channel *d)
{
    unsigned events = d->ended ? 0 : STREAM_READ;
    if (d->unsent.len > 0 || !list_empty(&d->queue))
        events |= STREAM_WRITE;
    stream_want(d->channel, events);
}

static void report_end(struct datagram_channel *d, int reason)
{
    if (d->ended || d->dead)
        return;
    d->ended = true;
    stream_want(d->channel, 0);
    if (d->options.ended)
        d->options.ended(d, reason, d->options.ud);
}

/* ---- sending ---- */

/* 0: all of it is taken, its rest may be in `unsent`. Negative: nothing of it is taken. */
static int send_capsule(struct datagram_channel *d, const void *data, size_t len)
{
    unsigned char header[CAPSULE_HEADER_MAX];
    size_t header_len = capsule_udp_header(len, header);
    struct iovec iov[2] = {{header, header_len}, {(void *)data, len}};
    ssize_t n = stream_send(d->channel, iov, len ? 2 : 1);
    if (n < 0)
        return (int)n;
    size_t taken = (size_t)n;
    if (taken < header_len) {
        buf_append(&d->unsent, header + taken, header_len - taken);
        taken = header_len;
    }
    buf_append(&d->unsent, (const char *)data + (taken - header_len), len - (taken - header_len));
    d->stats.sent++;
    d->stats.sent_bytes += len;
    return 0;
}

static void dequeue(struct datagram_channel *d, struct queued *q)
{
    list_remove(&q->link);
    d->queue_len -= q->len;
    free(q);
}

static void enqueue(struct datagram_channel *d, const void *data, size_t len)
{
    struct queued *oldest;
    while (d->queue_len + len > d->options.queue_max_len &&
           (oldest = list_first(&d->queue, struct queued, link))) {
        dequeue(d, oldest);
        d->stats.dropped++;
    }
    struct queued *q = xmalloc(sizeof(*q) + len);
    q->len = len;
    if (len)
        memcpy(q->data, data, len);
    list_append(&d->queue, &q->link);
    d->queue_len += len;
}

/* 0 when all has gone out, -EAGAIN, or the failure. */
static int flush(struct datagram_channel *d)
{
    for (;;) {
        while (d->unsent.len > 0) {
            ssize_t n = stream_send_bytes(d->channel, buf_data(&d->unsent), d->unsent.len);
            if (n < 0)
                return (int)n;
            buf_consume(&d->unsent, (size_t)n);
        }
        struct queued *q = list_first(&d->queue, struct queued, link);
        if (!q)
            return 0;
        int r = send_capsule(d, q->data, q->len);
        if (r < 0)
            return r;
        dequeue(d, q);
    }
}

int datagram_send(struct datagram_channel *d, const void *data, size_t len)
{
    if (len > UDP_PAYLOAD_MAX)
        return -EMSGSIZE;
    int r = flush(d);
    if (r == 0)
        r = send_capsule(d, data, len);
    if (r == -EAGAIN) {
        enqueue(d, data, len);
        r = 0;
    }
    want(d);
    return r;
}

/* ---- receiving ---- */

/*
 * Hands out all whole datagrams in data[0, len); *ret_used bytes are done with. 0, -EPROTO, or
 * -ECANCELED when a callback freed the channel.
 */
static int take_capsules(struct datagram_channel *d, const unsigned char *data, size_t len,
                         size_t *ret_used)
{
    size_t at = 0;
    int r = 0;
    for (;;) {
        size_t used = 0;
        struct span payload;
        r = capsule_read(&d->reader, data + at, len - at, &used, &payload);
        if (r < 0)
            return r;
        at += used;
        *ret_used = at;
        if (r == 0)
            return 0;
        d->stats.received++;
        d->stats.received_bytes += payload.len;
        d->options.received(d, payload.p, payload.len, d->options.ud);
        if (d->dead)
            return -ECANCELED;
    }
}

/* Reads capsules from what was kept and what came. */
static int take(struct datagram_channel *d, const unsigned char *data, size_t len)
{
    size_t used = 0;
    int r;
    if (d->partial.len == 0) {
        r = take_capsules(d, data, len, &used);
        if (d->dead || r == -EPROTO)
            return r;
        return buf_append(&d->partial, data + used, len - used) < 0 ? -EPROTO : r;
    }
    if (len && buf_append(&d->partial, data, len) < 0)
        return -EPROTO;
    r = take_capsules(d, buf_data(&d->partial), d->partial.len, &used);
    if (!d->dead)
        buf_consume(&d->partial, used);
    return r;
}

static void receive(struct datagram_channel *d)
{
    unsigned char data[RECV_LEN];
    for (int i = 0; i < RECV_ROUNDS; i++) {
        ssize_t n = stream_recv(d->channel, data, sizeof(data));
        if (n == -EAGAIN)
            return;
        if (n <= 0) {
            report_end(d, (int)n);
            return;
        }
        int r = take(d, data, (size_t)n);
        if (r == -EPROTO)
            report_end(d, r);
        if (r < 0)
            return;
    }
}

static void channel_ready(struct stream *s, unsigned events, void *ud)
{
    struct datagram_channel *d = ud;
    if (events & STREAM_WRITE) {
        int r = flush(d);
        if (r < 0 && r != -EAGAIN)
            report_end(d, r);
    }
    if (!d->dead && (events & STREAM_READ) && !d->ended)
        receive(d);
    if (!d->dead)
        want(d);
}

/* ---- life ---- */

static void reap(void *ud)
{
    struct datagram_channel *d = ud;
    struct queued *q, *next;
    list_for_each_safe (q, next, &d->queue, link)
        dequeue(d, q);
    buf_deinit(&d->partial);
    buf_deinit(&d->unsent);
    free(d);
}

struct datagram_channel *datagram_new(struct stream *channel,
                                      const struct datagram_options *options)
{
    struct datagram_channel *d = new0(struct datagram_channel);
    d->channel = channel;
    d->options = *options;
    if (!d->options.queue_max_len)
        d->options.queue_max_len = QUEUE_MAX_LEN;
    buf_init(&d->partial, CAPSULE_MAX_LEN + RECV_LEN);
    buf_init(&d->unsent, CAPSULE_MAX_LEN);
    list_init(&d->queue);
    defer_init(&d->reap, reap, d);
    stream_set_ready(channel, channel_ready, d);
    want(d);
    return d;
}

const struct datagram_stats *datagram_get_stats(const struct datagram_channel *d)
{
    return &d->stats;
}

struct datagram_channel *datagram_free(struct datagram_channel *d)
{
    if (!d || d->dead)
        return NULL;
    d->dead = true;
    struct loop *loop = d->channel->loop;
    d->channel = stream_free(d->channel);
    defer_schedule(loop, &d->reap);
    return NULL;
}
