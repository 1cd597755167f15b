/*
 * One `candidate` per channel, for as long as that lives. While a lane is made for it:
 *
 *     POST /lanes to the agent, and at the same time
 *     dial (the server with a ticket, or the agent) -> TLS -> token -> attached -> moved
 *
 * whichever of these fails, or 10 s, ends the attempt and leaves the channel where it is.
 */
#include "tunnel/lane_client.h"

#include <errno.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/h2.h"
#include "io/loop.h"
#include "io/stream.h"
#include "io/timer.h"
#include "tunnel/direct_connect.h"
#include "tunnel/lane_dial.h"
#include "tunnel/lane_stream.h"
#include "tunnel/session.h"

enum { LANES_MAX = 32, RETRY_GROWTH_MOST = 10, REQUEST_SIZE = 256 };

static const usec_t default_retry = USEC_PER_MIN;
static const char lane_protocol[] = "adit-lane/1";

struct lane_client {
    struct loop *loop;
    struct lane_client_options options;
    struct list candidates;
    size_t n_lanes;       /* made or being made */
    uint64_t last_number; /* of tickets made with `key` */
    struct lane_key key;
    usec_t retry_at;
    unsigned failures; /* in a row */
};

struct candidate {
    struct list link;
    struct lane_client *client; /* NULL once that is gone */
    struct stream *s;
    lane_client_moved_fn *moved;
    void *ud;
    lane_client_asked_fn *asked; /* NULL: nobody waits for the outcome */
    void *asked_ud;
    bool has_lane; /* counted in n_lanes */
    /* an attempt */
    struct id token;
    struct tls_pin pin;
    struct tunnel_call *call;
    struct lane_dial *dial;
    struct direct_connect *direct;
    struct stream *tls; /* until it is attached */
    bool tls_ready;
    bool agreed; /* the agent knows the token: only then it is said */
    struct timer timeout;
};

/* ---- attempts ---- */

static void stop_attempt(struct candidate *k)
{
    timer_cancel(&k->timeout);
    k->call = tunnel_call_cancel(k->call);
    k->dial = lane_dial_cancel(k->dial);
    k->direct = direct_connect_cancel(k->direct);
    k->tls = stream_free(k->tls);
}

static void give_up_lane(struct candidate *k)
{
    stop_attempt(k);
    if (k->has_lane && k->client)
        k->client->n_lanes--;
    k->has_lane = false;
}

static void tell_outcome(struct candidate *k, bool moved)
{
    lane_client_asked_fn *asked = steal(&k->asked);
    if (asked)
        asked(moved, k->asked_ud);
}

static void attempt_failed(struct candidate *k, const char *why)
{
    struct lane_client *c = k->client;
    usec_t first = c->options.retry_after ? c->options.retry_after : default_retry;
    give_up_lane(k);
    c->failures++;
    c->retry_at = loop_now(c->loop) +
                  first * (c->failures < RETRY_GROWTH_MOST ? c->failures : RETRY_GROWTH_MOST);
    log_debug("no lane", LOG_STR("reason", why));
    tell_outcome(k, false);
}

static void timed_out(struct timer *t, void *ud)
{
    struct candidate *k = ud;
    if (lane_stream_has_lane(k->s))
        lane_stream_drop(k->s); /* on_lost() follows, unless it has moved in part and fails */
    else
        attempt_failed(k, "it took too long");
}

/* Says for which channel it is, and waits for the agent to move. */
static void attach_when_ready(struct candidate *k)
{
    if (!k->tls_ready || !k->agreed)
        return;
    struct stream *tls = steal(&k->tls);
    if (stream_send_bytes(tls, k->token.bytes, ID_LEN) != ID_LEN) {
        stream_free(tls);
        attempt_failed(k, "the lane takes nothing");
        return;
    }
    lane_stream_attach(k->s, tls, false);
}

static void tls_done(struct stream *tls, int result, const struct err *err, void *ud)
{
    struct candidate *k = ud;
    if (result < 0) {
        attempt_failed(k, err ? err->text : "no TLS");
        return;
    }
    k->tls_ready = true;
    attach_when_ready(k);
}

static void connected(struct stream *tls, const struct err *err, void *ud)
{
    struct candidate *k = ud;
    k->direct = NULL;
    if (!tls) {
        attempt_failed(k, err->text);
        return;
    }
    lane_tune(tls);
    k->tls = tls;
    k->tls_ready = true;
    attach_when_ready(k);
}

static void start_tls(struct candidate *k, struct stream *connection)
{
    const struct tls_start_options tls = {
        .pin = &k->pin, .peer_alpn = lane_protocol, .done = tls_done, .ud = k};
    k->tls = tls_start(k->client->options.tls, connection, &tls);
}

static void dialled(struct stream *s, const struct err *err, void *ud)
{
    struct candidate *k = ud;
    k->dial = NULL;
    if (s)
        start_tls(k, s);
    else
        attempt_failed(k, err->text);
}

static void agent_answered(int status, const char *body, size_t len, void *ud)
{
    struct candidate *k = ud;
    k->call = NULL;
    if (status / 100 != 2) {
        attempt_failed(k, "the agent gives none");
        return;
    }
    k->agreed = true;
    attach_when_ready(k);
}

/* ---- asking ---- */

static void ask_agent(struct candidate *k, struct tunnel_session *session, const char *ticket)
{
    char token[ID_TEXT_SIZE], json[REQUEST_SIZE];
    snprintf(json, sizeof(json), "{\"channel\":%u,\"token\":\"%s\"%s%s%s}",
             h2_channel_id(lane_stream_channel(k->s)), id_format(&k->token, token),
             ticket ? ",\"ticket\":\"" : "", ticket ? ticket : "", ticket ? "\"" : "");
    k->call = tunnel_session_call(session, "POST", "/lanes", json, agent_answered, k);
}

static bool same_key(const struct lane_key *a, const struct lane_key *b)
{
    return a->worker == b->worker && id_equal(&a->session, &b->session);
}

/* Another session of the server: what failed on the one before says nothing of it. */
static void use_key(struct lane_client *c, const struct lane_key *key)
{
    if (same_key(&c->key, key))
        return;
    c->key = *key;
    c->last_number = 0;
    c->failures = 0;
    c->retry_at = 0;
}

static void start_relayed(struct candidate *k, struct tunnel_session *session,
                          const struct lane_way *way)
{
    struct lane_client *c = k->client;
    char mine[LANE_TICKET_TEXT_SIZE], agents[LANE_TICKET_TEXT_SIZE];
    struct err err = ERR_INIT;
    uint64_t number = ++c->last_number;
    lane_ticket_make(&way->key, number, LANE_CLIENT, mine);
    lane_ticket_make(&way->key, number, LANE_AGENT, agents);
    ask_agent(k, session, agents);
    if (lane_dial_start(c->loop, way->server_url, mine, dialled, k, &k->dial, &err) < 0)
        attempt_failed(k, err.text);
}

static void start_direct(struct candidate *k, struct tunnel_session *session,
                         const struct lane_way *way)
{
    const struct direct_connect_options options = {.addr = way->addr,
                                                   .tls = k->client->options.tls,
                                                   .pin = way->pin,
                                                   .alpn = lane_protocol,
                                                   .done = connected,
                                                   .ud = k};
    ask_agent(k, session, NULL);
    k->direct = direct_connect_start(k->client->loop, &options);
}

static void on_busy(struct stream *s, void *ud)
{
    struct candidate *k = ud;
    struct lane_client *c = k->client;
    struct tunnel_session *session = tunnel_session_of(lane_stream_channel(s));
    size_t max = c && c->options.max_lanes ? c->options.max_lanes : LANES_MAX;
    struct lane_way way = {0};
    if (!c || k->has_lane || !session || c->n_lanes >= max ||
        !c->options.way(session, &way, c->options.ud))
        return;
    if (!way.direct)
        use_key(c, &way.key);
    if (loop_now(c->loop) < c->retry_at)
        return;
    k->has_lane = true;
    c->n_lanes++;
    k->tls_ready = k->agreed = false;
    k->token = id_new();
    k->pin = way.pin;
    timer_start(&k->timeout, LANE_SET_UP_SEC * USEC_PER_SEC);
    if (way.direct)
        start_direct(k, session, &way);
    else
        start_relayed(k, session, &way);
}

static void on_moved(struct stream *s, void *ud)
{
    struct candidate *k = ud;
    stop_attempt(k);
    if (k->client)
        k->client->failures = 0;
    if (k->moved)
        k->moved(k->ud);
    tell_outcome(k, true);
}

static void on_lost(struct stream *s, void *ud)
{
    struct candidate *k = ud;
    if (k->client)
        attempt_failed(k, "it was lost before it was of use");
}

static void on_freed(struct stream *s, void *ud)
{
    struct candidate *k = ud;
    give_up_lane(k);
    list_remove(&k->link);
    free(k);
}

bool lane_client_ask(struct lane_client *c, struct stream *s, lane_client_asked_fn *asked, void *ud)
{
    struct candidate *k;
    list_for_each (k, &c->candidates, link)
        if (k->s == s) {
            on_busy(s, k);
            k->asked = k->has_lane ? asked : NULL;
            k->asked_ud = ud;
            return k->has_lane;
        }
    return false;
}

/* ---- life ---- */

struct stream *lane_client_wrap(struct lane_client *c, struct stream *channel,
                                lane_client_moved_fn *moved, void *ud)
{
    struct candidate *k = new0(struct candidate);
    k->client = c;
    k->moved = moved;
    k->ud = ud;
    k->s = lane_stream_new(channel);
    timer_init(&k->timeout, c->loop, timed_out, k);
    list_append(&c->candidates, &k->link);
    const struct lane_stream_watch watch = {
        .busy = on_busy, .moved = on_moved, .lost = on_lost, .freed = on_freed, .ud = k};
    lane_stream_watch(k->s, &watch);
    return k->s;
}

struct lane_client *lane_client_new(struct loop *loop, const struct lane_client_options *options)
{
    struct lane_client *c = new0(struct lane_client);
    c->loop = loop;
    c->options = *options;
    tls_context_ref(c->options.tls);
    list_init(&c->candidates);
    return c;
}

struct lane_client *lane_client_free(struct lane_client *c)
{
    struct candidate *k;
    if (!c)
        return NULL;
    while ((k = list_first(&c->candidates, struct candidate, link))) {
        stop_attempt(k);
        k->client = NULL;
        list_remove(&k->link);
    }
    tls_context_unref(c->options.tls);
    explicit_bzero(&c->key, sizeof(c->key));
    free(c);
    return NULL;
}
