/*
 * Reverse listeners: bind what was asked for, announce each connection, and join it with the
 * channel by which the peer takes it. Joined connections do not belong to the listener: they go on
 * when it is closed, and end with the session, whose list they are in.
 *
 * Without a bind address, and for "localhost" and "*", both families are bound: IPv4 must succeed,
 * IPv6 is best effort, with the port that IPv4 got.
 */
#include <errno.h>
#include <stdlib.h>

#include "agent/served.h"
#include "base/mem.h"
#include "io/addr.h"
#include "io/listener.h"
#include "io/relay.h"
#include "tunnel/lane_stream.h"
#include "tunnel/listen_server.h"

enum { FAMILIES = 2, ANY_PORT_TRIES = 16 };

struct listen_channel {
    struct served served;
    struct loop *loop;
    struct list *list;
    struct listener *listeners[FAMILIES]; /* the second may be NULL */
    struct listen_server *server;
    struct tunnel_session *session;
};

/* A connection that was taken, until both directions have ended. */
struct joined {
    struct served served;
    struct served_reporter reporter; /* as of the session that it was taken on */
    struct relay *relay;
    uint64_t bytes_in, bytes_out; /* of a relay that has ended */
};

static void joined_free(struct served *s)
{
    struct joined *j = container_of(s, struct joined, served);
    relay_free(j->relay);
    free(j);
}

static void joined_count(const struct served *s, uint64_t *ret_in, uint64_t *ret_out)
{
    const struct joined *j = container_of(s, struct joined, served);
    *ret_in = j->relay ? relay_bytes_a_to_b(j->relay) : j->bytes_in;
    *ret_out = j->relay ? relay_bytes_b_to_a(j->relay) : j->bytes_out;
}

static void joined_done(struct relay *r, int result, void *ud)
{
    struct joined *j = ud;
    if (result < 0 && result != -ECONNRESET && result != -EPIPE)
        j->served.result = err_name(result);
    j->bytes_in = relay_bytes_a_to_b(r);
    j->bytes_out = relay_bytes_b_to_a(r);
    j->relay = NULL;
    served_end(&j->served);
}

static void connection_taken(struct listen_server *l, struct stream *connection,
                             struct stream *channel, struct tunnel_session *taker, void *ud)
{
    struct listen_channel *c = ud;
    const struct served_reporter *reporter = tunnel_session_context(taker);
    struct joined *j = new0(struct joined);
    j->served.goal = c->served.goal;
    j->served.goal.kind = CHANNEL_ACCEPT;
    j->served.free = joined_free;
    j->served.count = joined_count;
    j->served.bound_port = c->served.bound_port;
    served_begin(&j->served, c->session);
    if (j->served.reporter && reporter) {
        j->reporter = *reporter;
        j->served.reporter = &j->reporter;
    }
    served_opened(&j->served);
    list_append(c->list, &j->served.link);
    const struct relay_options options = {.done = joined_done, .ud = j};
    j->relay = relay_new(lane_stream_wrap(channel), connection, &options);
}

static void listen_channel_free(struct served *s)
{
    struct listen_channel *c = container_of(s, struct listen_channel, served);
    for (int i = 0; i < FAMILIES; i++)
        listener_close(c->listeners[i]);
    listen_server_free(c->server);
    free(c);
}

static void listen_closed(struct listen_server *l, void *ud)
{
    struct listen_channel *c = ud;
    served_end(&c->served);
}

static void connection_accepted(struct listener *l, struct stream *s, const struct addr *peer,
                                void *ud)
{
    struct listen_channel *c = ud;
    char originator[ADDR_TEXT_LEN];
    bool named = peer->sa.sa_family == AF_INET || peer->sa.sa_family == AF_INET6;
    /* -EBUSY closes this one: the peer does not keep up, as with a full backlog. */
    listen_server_offer(c->server, s, named ? addr_format(peer, originator) : NULL);
}

static int open_one(struct listen_channel *c, const struct addr *addr, int slot, struct err *err)
{
    const struct listener_options options = {
        .unlink_stale = true, .accepted = connection_accepted, .ud = c};
    return listener_open(c->loop, addr, &options, &c->listeners[slot], err);
}

static int open_both(struct listen_channel *c, const char *v4, const char *v6, struct err *err)
{
    uint16_t port = c->served.goal.port;
    struct addr addr;
    for (int tries = 0; tries < ANY_PORT_TRIES; tries++) {
        addr_from_ip(v4, port, &addr);
        int r = open_one(c, &addr, 0, err);
        if (r < 0)
            return r;
        uint16_t bound = addr_port(listener_addr(c->listeners[0]));
        addr_from_ip(v6, bound, &addr);
        struct err ignored = ERR_INIT;
        r = open_one(c, &addr, 1, &ignored);
        if (r != -EADDRINUSE)
            return 0;
        if (port != 0)
            break;
        /* Somebody has this port on IPv6 only: take another for both. */
        c->listeners[0] = listener_close(c->listeners[0]);
    }
    if (c->listeners[0])
        return 0;
    return err_set(err, -EADDRINUSE, "no port is free on both IPv4 and IPv6");
}

static int open_listeners(struct listen_channel *c, struct err *err)
{
    const struct channel_goal *goal = &c->served.goal;
    struct addr addr;
    if (goal->unix_path[0]) {
        int r = addr_from_path(goal->unix_path, &addr);
        return r < 0 ? err_set(err, r, "the path is too long") : open_one(c, &addr, 0, err);
    }
    if (!goal->host[0] || span_iis(span_of(goal->host), "localhost"))
        return open_both(c, "127.0.0.1", "::1", err);
    if (str_eq(goal->host, "*"))
        return open_both(c, "0.0.0.0", "::", err);
    if (addr_from_ip(goal->host, goal->port, &addr) < 0)
        return err_set(err, -EADDRNOTAVAIL,
                       "%s is not an address: listen on an IP address, localhost or *", goal->host);
    return open_one(c, &addr, 0, err);
}

void serve_listen(struct loop *loop, struct channel_request *rq, struct list *list)
{
    struct listen_channel *c = new0(struct listen_channel);
    c->loop = loop;
    c->list = list;
    c->served.free = listen_channel_free;
    c->session = channel_request_session(rq);
    channel_goal_of(channel_request_info(rq), &c->served.goal);
    served_begin(&c->served, c->session);
    list_append(list, &c->served.link);

    struct err err = ERR_INIT;
    int r = open_listeners(c, &err);
    if (r < 0) {
        c->served.result = dial_result_name(dial_result_from_errno(r));
        channel_refuse(rq, dial_result_from_errno(r), err.text);
        served_end(&c->served);
        return;
    }
    const struct listen_server_options options = {
        .taken = connection_taken, .closed = listen_closed, .ud = c};
    uint16_t bound = addr_port(listener_addr(c->listeners[0]));
    c->server = listen_server_new(rq, bound, &options);
    c->served.bound_port = bound;
    served_opened(&c->served);
}
