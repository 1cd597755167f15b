/*
 * Connections wait in the list of their listener, oldest first, and all listeners of a session in
 * the session's list, where an `accept` request looks for its id: there are few listeners, and at
 * most `max_waiting` connections each. The ids are random, so that a peer cannot guess what waits
 * for another listener's owner.
 *
 * Lines that the peer is too slow to read are bounded by what may wait: a connection is announced
 * once and withdrawn at most once.
 */
#include "tunnel/listen_server.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/span.h"
#include "io/loop.h"
#include "io/stream.h"
#include "io/timer.h"
#include "proto/connect_listen.h"
#include "tunnel/channel_request.h"

enum { MAX_WAITING = 128, LINES_MAX = 64 * 1024 };

static const usec_t default_take_timeout = 15 * USEC_PER_SEC;

struct listen_server {
    struct list link; /* in the session's `listeners` */
    struct loop *loop;
    struct listen_server_options options;
    struct stream *channel;
    struct buf lines; /* not yet taken by the channel */
    struct list waiting;
    size_t n_waiting;
    struct timer timeout;
};

struct waiting {
    struct list link;
    struct id id;
    struct stream *connection;
    usec_t until;
    char originator[HOSTPORT_SIZE];
};

static void waiting_free(struct listen_server *l, struct waiting *w)
{
    list_remove(&w->link);
    l->n_waiting--;
    stream_free(w->connection);
    free(w);
}

/* ---- the listen channel ---- */

static void send_lines(struct listen_server *l)
{
    ssize_t n = 0;
    while (l->lines.len > 0) {
        n = stream_send_bytes(l->channel, buf_data(&l->lines), l->lines.len);
        if (n < 0)
            break;
        buf_consume(&l->lines, (size_t)n);
    }
    /* A failure is told to those who read. */
    stream_want(l->channel, STREAM_READ | (n == -EAGAIN ? STREAM_WRITE : 0));
}

static int say(struct listen_server *l, const struct listen_event *event)
{
    int result = listen_event_format(event, &l->lines);
    if (result == 0)
        send_lines(l);
    return result;
}

static void channel_ready(struct stream *channel, unsigned events, void *ud)
{
    struct listen_server *l = ud;
    char piece[256];
    if (events & STREAM_WRITE)
        send_lines(l);
    if (!(events & STREAM_READ))
        return;
    ssize_t n = stream_recv(channel, piece, sizeof(piece));
    if (n > 0 || n == -EAGAIN)
        return; /* the peer has nothing to say here: what it says is skipped */
    stream_want(channel, 0);
    l->options.closed(l, l->options.ud);
}

/* ---- connections that wait ---- */

/* The timer runs for the oldest, or for one that was taken meanwhile. */
static void waited_too_long(struct timer *t, void *ud)
{
    struct listen_server *l = ud;
    struct waiting *w, *next;
    usec_t now = loop_now(l->loop);
    list_for_each_safe (w, next, &l->waiting, link) {
        const struct listen_event event = {.kind = LISTEN_WITHDRAWN, .id = w->id};
        if (w->until > now) {
            timer_start(&l->timeout, w->until - now);
            return;
        }
        waiting_free(l, w);
        say(l, &event);
    }
}

int listen_server_offer(struct listen_server *l, struct stream *connection, const char *originator)
{
    struct listen_event event = {.kind = LISTEN_ACCEPTED, .id = id_new()};
    if (originator)
        str_copy(event.originator, sizeof(event.originator), originator);
    if (l->n_waiting >= l->options.max_waiting || say(l, &event) < 0) {
        stream_free(connection);
        return -EBUSY;
    }
    struct waiting *w = new0(struct waiting);
    w->id = event.id;
    w->connection = connection;
    w->until = loop_now(l->loop) + l->options.take_timeout;
    str_copy(w->originator, sizeof(w->originator), event.originator);
    list_append(&l->waiting, &w->link);
    l->n_waiting++;
    if (!timer_pending(&l->timeout))
        timer_start(&l->timeout, l->options.take_timeout);
    return 0;
}

static struct waiting *find(struct tunnel_session *s, const struct id *id,
                            struct listen_server **ret_owner)
{
    struct listen_server *l;
    struct waiting *w;
    list_for_each (l, &s->listeners, link)
        list_for_each (w, &l->waiting, link)
            if (id_equal(&w->id, id)) {
                *ret_owner = l;
                return w;
            }
    return NULL;
}

bool listen_server_offers(struct tunnel_session *s, const struct id *connection)
{
    struct listen_server *l;
    return find(s, connection, &l) != NULL;
}

void listen_server_take(struct channel_request *rq, struct tunnel_session *of)
{
    struct listen_server *l;
    struct tunnel_session *taker = channel_request_session(rq);
    struct waiting *w = taker ? find(of, &channel_request_info(rq)->id, &l) : NULL;
    if (!w) {
        channel_refuse(rq, DIAL_CLOSED, "the connection does not wait any longer");
        return;
    }
    struct stream *connection = steal(&w->connection);
    waiting_free(l, w);
    l->options.taken(l, connection, channel_accept(rq), taker, l->options.ud);
}

/* ---- life ---- */

struct listen_server *listen_server_new(struct channel_request *rq, uint16_t bound_port,
                                        const struct listen_server_options *options)
{
    struct tunnel_session *session = channel_request_session(rq);
    const struct listen_event bound = {.kind = LISTEN_BOUND, .port = bound_port};
    struct listen_server *l = new0(struct listen_server);
    l->options = *options;
    if (!l->options.max_waiting)
        l->options.max_waiting = MAX_WAITING;
    if (!l->options.take_timeout)
        l->options.take_timeout = default_take_timeout;
    list_init(&l->link);
    list_init(&l->waiting);
    buf_init(&l->lines, LINES_MAX);
    l->channel = channel_accept(rq);
    l->loop = l->channel->loop;
    timer_init(&l->timeout, l->loop, waited_too_long, l);
    if (session)
        list_append(&session->listeners, &l->link);
    stream_set_ready(l->channel, channel_ready, l);
    say(l, &bound);
    return l;
}

struct listen_server *listen_server_free(struct listen_server *l)
{
    if (!l)
        return NULL;
    list_remove(&l->link);
    timer_cancel(&l->timeout);
    struct waiting *w, *next;
    list_for_each_safe (w, next, &l->waiting, link)
        waiting_free(l, w);
    stream_free(l->channel);
    buf_deinit(&l->lines);
    free(l);
    return NULL;
}
