/*
 * A connection asks for its channel `early`: the first bytes go out behind the request without
 * waiting for the answer. A refusal therefore comes while the relay runs already, and ends it; the
 * accepted socket is set to end with a reset, which is what a refusal would have looked like.
 */
#include "forward/connection.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/span.h"
#include "forward/internal.h"
#include "forward/proxy_front.h"
#include "io/fd_stream.h"
#include "io/relay.h"
#include "io/stream.h"

enum { CONNECTIONS_MAX = 8192 };

static void on_lane(void *ud);

/* The channel, or what moves it when it carries much. */
static struct stream *watched(struct connection *c, struct stream *channel)
{
    const struct forward_channels *channels = &c->item->forwarder->options.channels;
    return channels->lane ? channels->lane(channel, on_lane, c, channels->ud) : channel;
}

struct connection *connection_new(struct forward_item *item, struct stream *client,
                                  const char *peer, bool client_is_far)
{
    struct forwarder *f = item->forwarder;
    size_t max = f->options.max_connections ? f->options.max_connections : CONNECTIONS_MAX;
    if (f->n_connections >= max) {
        item->refused++;
        forward_item_event(item, (struct forward_event){.kind = FORWARD_REFUSED,
                                                        .peer = peer,
                                                        .result = DIAL_LIMIT,
                                                        .text = "too many connections"});
        stream_free(client);
        return NULL;
    }
    struct connection *c = new0(struct connection);
    c->item = item;
    c->number = ++f->last_connection;
    c->since = loop_now(f->loop);
    str_copy(c->peer, sizeof(c->peer), peer);
    c->client = client_is_far ? watched(c, client) : client;
    c->client_is_far = client_is_far;
    c->client_fd = client_is_far ? -1 : stream_fd(client);
    list_append(&item->connections, &c->link);
    item->n_open++;
    item->total++;
    f->n_connections++;
    return c;
}

struct connection *connection_free(struct connection *c)
{
    if (!c)
        return NULL;
    c->item->n_open--;
    c->item->forwarder->n_connections--;
    list_remove(&c->link);
    reach_cancel(&c->reach);
    proxy_front_free(c->front);
    relay_free(c->relay);
    stream_free(c->client);
    free(c);
    return NULL;
}

static struct forward_event event_of(const struct connection *c, enum forward_event_kind kind)
{
    return (struct forward_event){
        .kind = kind, .connection = c->number, .peer = c->peer, .target = c->target};
}

static void on_lane(void *ud)
{
    struct connection *c = ud;
    c->in_lane = true;
    forward_item_event(c->item, event_of(c, FORWARD_LANE));
}

void connection_announce(struct connection *c, const char *target)
{
    str_copy(c->target, sizeof(c->target), target);
    forward_item_event(c->item, event_of(c, FORWARD_ACCEPTED));
}

void connection_unreached(struct connection *c, enum dial_result result, const char *reason)
{
    struct forward_event event = event_of(c, FORWARD_UNREACHED);
    event.result = result;
    event.text = reason && *reason ? reason : dial_result_text(result);
    c->item->refused++;
    forward_item_event(c->item, event);
}

/* How a connection that had been made broke. */
static const char *broken_text(int result)
{
    switch (result) {
    case -ECONNRESET:
    case -EPIPE:
        return "reset by one end";
    case -ETIMEDOUT:
        return "timed out";
    case -ENETDOWN:
    case -ENETUNREACH:
    case -EHOSTUNREACH:
        return "the session was lost";
    default:
        return "broken off";
    }
}

void connection_finish(struct connection *c, int result, uint64_t received, uint64_t sent)
{
    struct forward_event event = event_of(c, FORWARD_CLOSED);
    event.received = received;
    event.sent = sent;
    event.duration = loop_now(c->item->forwarder->loop) - c->since;
    if (result < 0) {
        event.result = DIAL_CLOSED;
        event.text = broken_text(result);
    }
    forward_item_event(c->item, event);
    connection_free(c);
}

void connection_bytes(const struct connection *c, uint64_t *ret_received, uint64_t *ret_sent)
{
    *ret_received = c->relay ? relay_bytes_b_to_a(c->relay) : 0;
    *ret_sent = c->relay ? relay_bytes_a_to_b(c->relay) : 0;
}

static void on_relay_done(struct relay *r, int result, void *ud)
{
    struct connection *c = ud;
    uint64_t received = relay_bytes_b_to_a(r), sent = relay_bytes_a_to_b(r);
    c->relay = NULL;
    c->item->received += received;
    c->item->sent += sent;
    connection_finish(c, result, received, sent);
}

void connection_relay(struct connection *c, struct stream *client, struct stream *reached)
{
    struct relay_options options = {
        .failure_resets = true, .eager = true, .done = on_relay_done, .ud = c};
    /* `a` is always the end on this machine, so that the counts mean the same for -L and -R. */
    c->relay = c->client_is_far ? relay_new(reached, client, &options)
                                : relay_new(client, watched(c, reached), &options);
}

/* A refusal should look like one: "connection reset", not an empty answer. */
static void end_with_reset(const struct connection *c)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    if (c->client_fd >= 0)
        setsockopt(c->client_fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

static void end_unreached(struct connection *c, enum dial_result result, const char *reason)
{
    end_with_reset(c);
    connection_unreached(c, result, reason);
    connection_free(c);
}

static void on_reached(struct stream *s, enum dial_result result, const char *reason, void *ud)
{
    struct connection *c = ud;
    if (result == DIAL_OK)
        connection_relay(c, steal(&c->client), s);
    else
        end_unreached(c, result, reason);
}

static void on_refused(struct stream *s, enum dial_result result, const char *reason, void *ud)
{
    end_unreached(ud, result, reason);
}

void connection_to_target(struct connection *c)
{
    const struct forward *fw = c->item->forward;
    char text[TARGET_TEXT_SIZE];
    connection_announce(c, bind_target_text(fw, text));
    struct channel_target target = {
        .kind = fw->remote_path ? CHANNEL_UNIX : CHANNEL_TCP,
        .host = fw->host,
        .port = fw->remote_port,
        .path = fw->remote_path,
    };
    struct reach_options options = {
        .here = c->client_is_far,
        .early = true,
        .done = on_reached,
        .refused = on_refused,
        .ud = c,
    };
    reach_start(&c->reach, c->item->forwarder, &target, &options);
}

void connection_to_named_target(struct connection *c)
{
    c->front = proxy_front_new(c, steal(&c->client));
}
