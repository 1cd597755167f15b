/*
 * One `listen` request, whose answer's lines tell what happens (proto/connect_listen.h). Every
 * connection announced is taken at once by an `accept` request, and handed over early: what is
 * said on it goes out behind that request, without a further round trip.
 */
#include "tunnel/listen_client.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/span.h"
#include "io/loop.h"
#include "io/stream.h"
#include "proto/connect_listen.h"
#include "tunnel/channel.h"
#include "tunnel/session.h"

enum { LINES_MAX = 16 * 1024 };

struct listen_client {
    struct loop *loop;
    struct tunnel_session *session;
    struct listen_client_options options;
    struct channel_open *open; /* until the answer */
    struct stream *channel;
    struct buf lines;
    struct list takes; /* accepts that are under way */
    bool bound;
    bool dead; /* freed, perhaps inside one of its callbacks: memory goes later */
    struct defer reap;
};

/* An `accept` request, until its channel is handed over. */
struct take {
    struct list link;
    struct listen_client *client;
    struct channel_open *open;
    char originator[HOSTPORT_SIZE];
};

static void take_free(struct take *t)
{
    list_remove(&t->link);
    channel_open_cancel(t->open);
    free(t);
}

static void taken(struct stream *connection, enum dial_result result, const char *reason, void *ud)
{
    struct take *t = ud;
    struct listen_client *l = t->client;
    char originator[HOSTPORT_SIZE];
    str_copy(originator, sizeof(originator), t->originator);
    t->open = NULL;
    take_free(t);
    if (result == DIAL_OK) /* otherwise the other end has withdrawn it */
        l->options.accepted(l, connection, originator, l->options.ud);
}

static void take_connection(struct listen_client *l, const struct listen_event *event)
{
    const struct channel_target target = {.kind = CHANNEL_ACCEPT, .id = event->id};
    struct take *t = new0(struct take);
    t->client = l;
    str_copy(t->originator, sizeof(t->originator), event->originator);
    list_append(&l->takes, &t->link);
    const struct channel_open_options options = {.early = true, .opened = taken, .ud = t};
    t->open = l->options.open ? l->options.open(&target, &options, l->options.open_ud)
                              : tunnel_session_open(l->session, &target, &options);
}

static void fail(struct listen_client *l, int reason)
{
    stream_want(l->channel, 0);
    if (l->bound)
        l->options.ended(l, reason, l->options.ud);
    else
        l->options.bound(l, DIAL_CLOSED, 0, "the other side ended the listener", l->options.ud);
}

static void handle(struct listen_client *l, const struct listen_event *event)
{
    if (event->kind == LISTEN_ACCEPTED && l->bound) {
        take_connection(l, event);
    } else if (event->kind == LISTEN_BOUND && !l->bound) {
        l->bound = true;
        l->options.bound(l, DIAL_OK, event->port, "", l->options.ud);
    }
    /* A connection that was withdrawn makes its `accept` fail, which is how it is noticed. */
}

/* 0, or -EPROTO. The client may be dead afterwards. */
static int handle_lines(struct listen_client *l)
{
    while (!l->dead) {
        struct listen_event event;
        size_t used = 0;
        int result = listen_event_next(buf_data(&l->lines), l->lines.len, &used, &event);
        buf_consume(&l->lines, used);
        if (result != 1)
            return result;
        handle(l, &event);
    }
    return 0;
}

static void lines_came(struct stream *channel, unsigned events, void *ud)
{
    struct listen_client *l = ud;
    char piece[4096];
    ssize_t n = stream_recv(channel, piece, sizeof(piece));
    if (n == -EAGAIN)
        return;
    if (n <= 0) {
        fail(l, n < 0 ? (int)n : -EPIPE);
        return;
    }
    if (buf_append(&l->lines, piece, (size_t)n) < 0 || handle_lines(l) < 0)
        fail(l, -EPROTO);
}

static void opened(struct stream *channel, enum dial_result result, const char *reason, void *ud)
{
    struct listen_client *l = ud;
    l->open = NULL;
    if (result != DIAL_OK) {
        l->options.bound(l, result, 0, reason, l->options.ud);
        return;
    }
    l->channel = channel;
    stream_set_ready(channel, lines_came, l);
    stream_want(channel, STREAM_READ);
}

struct listen_client *listen_client_new(struct tunnel_session *session,
                                        const struct listen_client_options *options)
{
    const struct channel_target target = {.kind = CHANNEL_LISTEN,
                                          .host = options->bind,
                                          .port = options->port,
                                          .path = options->path};
    struct listen_client *l = new0(struct listen_client);
    l->loop = tunnel_session_loop(session);
    l->session = session;
    l->options = *options;
    l->options.bind = l->options.path = NULL; /* written already, and not ours */
    list_init(&l->takes);
    buf_init(&l->lines, LINES_MAX);
    const struct channel_open_options open = {.opened = opened, .ud = l};
    l->open = tunnel_session_open(session, &target, &open);
    return l;
}

struct listen_client *listen_client_free(struct listen_client *l)
{
    if (!l)
        return NULL;
    l->dead = true;
    struct take *t, *next;
    list_for_each_safe (t, next, &l->takes, link)
        take_free(t);
    channel_open_cancel(l->open);
    stream_free(l->channel);
    buf_deinit(&l->lines);
    defer_init(&l->reap, free, l);
    defer_schedule(l->loop, &l->reap);
    return NULL;
}
