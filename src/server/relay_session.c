/*
 *     (moved to the agent's worker) -> OPEN -> UPGRADE -> RELAY -> (freed)
 *
 * OPEN: the agent was told of the peer and asked for a channel; the person's request waits.
 * UPGRADE: the agent agreed, 101 is on its way to the person. RELAY: bytes flow.
 *
 * The session is in the worker's list from its arrival on, before it looks whether anything was
 * withdrawn meanwhile, so that no withdrawal is missed. In UPGRADE the HTTP layer still has our
 * callback, so a session that ends there stays as ENDED until that has come.
 */
#include "server/relay_session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/peer.h"
#include "api/workspace.h"
#include "auth/grant.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/exchange.h"
#include "http/ws_handshake.h"
#include "http/ws_stream.h"
#include "io/fd_stream.h"
#include "io/loop.h"
#include "io/relay.h"
#include "io/stream.h"
#include "server/agent_conn.h"
#include "server/agent_records.h"
#include "server/conn.h"
#include "server/instance.h"
#include "server/lane_set.h"
#include "store/template.h"
#include "tunnel/server_link.h"
#include "tunnel/session.h"
#include "tunnel/ws_carrier.h"
#include "web/answer.h"

enum { GRANT_MAX_LEN = 256 << 10 };

/* For the agent to agree. */
static const usec_t open_timeout = 15 * USEC_PER_SEC;
/* For the other direction once one has ended: nothing has a use for it then. */
static const usec_t half_closed_limit = 30 * USEC_PER_SEC;

enum session_state { SESSION_OPEN, SESSION_UPGRADE, SESSION_RELAY, SESSION_ENDED };

static const char *const state_names[] = {
    [SESSION_OPEN] = "open",
    [SESSION_UPGRADE] = "upgrade",
    [SESSION_RELAY] = "relay",
    [SESSION_ENDED] = "ended",
};

struct relay_session {
    struct list link;
    struct server_worker *w;
    enum session_state state;
    struct id peer_id;
    uint64_t link_id;
    struct identity who;
    struct workspace ws;
    struct id agent_id;
    char agent[NAME_SIZE];
    char ip[AUDIT_IP_SIZE];
    struct tls_pin pin; /* the person's */
    char *grant;        /* JSON */
    usec_t expires_at;  /* of the grant, since 1970 UTC; 0: never */
    uint64_t withdrawals;
    usec_t opened_at; /* since 1970 UTC; 0: not opened */
    struct exchange *x;
    struct timer timeout;
    struct channel_open *open;
    struct stream *channel; /* in UPGRADE */
    struct relay *relay;
    struct lane_set *lanes;      /* from UPGRADE on */
    struct tunnel_call *regrant; /* under way */
};

static void set_state(struct relay_session *s, enum session_state state)
{
    log_debug("peer session", LOG_STR("user", s->who.user), LOG_STR("from", state_names[s->state]),
              LOG_STR("to", state_names[state]));
    s->state = state;
}

/* ---- the end ---- */

static void record(struct relay_session *s, enum audit_action action, const char *result)
{
    struct audit_event e = {.action = action, .actor_id = s->who.user_id, .carrier = AUDIT_RELAY};

    str_copy(e.actor, sizeof(e.actor), s->who.user);
    snprintf(e.workspace, sizeof(e.workspace), "%s/%s", s->ws.owner_name, s->ws.name);
    str_copy(e.agent, sizeof(e.agent), s->agent);
    str_copy(e.target, sizeof(e.target), s->agent);
    str_copy(e.result, sizeof(e.result), result);
    str_copy(e.ip, sizeof(e.ip), s->ip);
    if (s->relay) {
        lane_set_bytes(s->lanes, &e.bytes_in, &e.bytes_out);
        e.bytes_in += relay_bytes_b_to_a(s->relay);
        e.bytes_out += relay_bytes_a_to_b(s->relay);
    }
    if (action == AUDIT_PEER_CLOSE)
        e.duration = clock_realtime() - s->opened_at;
    web_record(s->w->web, &e);
}

static void release(struct relay_session *s)
{
    timer_cancel(&s->timeout);
    list_remove(&s->link);
    quota_give_person(s->w->server->quota, &s->who.user_id);
    free(s->grant);
    free(s);
}

/* Tells the agent, as far as it is there, and lets go of all but the person's request. */
static void let_go(struct relay_session *s)
{
    struct agent_conn *a = agent_conn_find(s->w, s->link_id);

    timer_cancel(&s->timeout);
    if (s->open)
        s->open = channel_open_cancel(s->open);
    s->channel = stream_free(s->channel);
    s->regrant = tunnel_call_cancel(s->regrant);
    s->lanes = lane_set_free(s->lanes);
    /* A server that stops takes nobody's right away: a direct session may wait for its return. */
    if (a && !s->w->closed)
        server_link_withdraw_peer(agent_conn_link(a), &s->peer_id);
}

/* In RELAY: what there is to record is recorded, and the session is gone. */
static void close_relay(struct relay_session *s, const char *result)
{
    uint64_t to_agent, to_client;

    lane_set_bytes(s->lanes, &to_agent, &to_client);
    s->w->lane_bytes_done += to_agent + to_client;
    s->w->bytes_done += relay_bytes_a_to_b(s->relay) + relay_bytes_b_to_a(s->relay);
    atomic_fetch_sub_explicit(&s->w->metrics.relays, 1, memory_order_relaxed);
    record(s, AUDIT_PEER_CLOSE, result);
    let_go(s);
    s->relay = relay_free(s->relay);
    release(s);
}

/* In OPEN: the person is told why. `reason` NULL: an answer that is final. */
static void refuse(struct relay_session *s, const char *reason, const char *message,
                   const char *detail)
{
    METRIC_ADD(&s->w->metrics, relays_failed, 1);
    let_go(s);
    if (reason)
        answer_retry(s->x, reason, 2, message);
    else
        answer_error(s->x, 502, message, detail);
    release(s);
}

/* In any state. */
static void end(struct relay_session *s, const char *reason, const char *message)
{
    switch (s->state) {
    case SESSION_OPEN:
        exchange_set_callbacks(s->x, NULL, NULL, NULL);
        refuse(s, reason, message, NULL);
        break;
    case SESSION_UPGRADE:
        let_go(s);
        set_state(s, SESSION_ENDED);
        break;
    case SESSION_RELAY:
        close_relay(s, reason);
        break;
    case SESSION_ENDED:
        break;
    }
}

/* ---- relay ---- */

static void on_relay_done(struct relay *r, int result, void *ud)
{
    /* Either side leaves by closing its connection: that is the usual end. */
    bool left = result == 0 || result == -ECONNRESET || result == -EPIPE;

    (void)r;
    close_relay(ud, left ? "ok" : err_name(result));
}

static void on_upgraded(struct stream *person, int result, void *ud)
{
    struct relay_session *s = ud;
    struct relay_options options = {
        .half_closed_limit = half_closed_limit, .done = on_relay_done, .ud = s};

    if (result < 0 || s->state == SESSION_ENDED) {
        stream_free(person);
        if (s->state != SESSION_ENDED)
            let_go(s);
        release(s);
        return;
    }
    set_state(s, SESSION_RELAY);
    s->opened_at = clock_realtime();
    stream_limit_unsent(person, CARRIER_UNSENT_MOST);
    s->relay = relay_new(steal(&s->channel), ws_stream_new(person, WS_SERVER), &options);
    METRIC_ADD(&s->w->metrics, relays_opened, 1);
    METRIC_ADD(&s->w->metrics, relays, 1);
    record(s, AUDIT_PEER_OPEN, "ok");
    peer_people_add(s->w->people, &s->peer_id, &s->who, s->ip);
}

/* ---- open ---- */

static void on_opened(struct stream *channel, enum dial_result result, const char *reason, void *ud)
{
    struct relay_session *s = ud;
    struct agent_conn *a = agent_conn_find(s->w, s->link_id);
    char pin[PIN_TEXT_SIZE], lane_key[LANE_KEY_TEXT_SIZE];

    s->open = NULL;
    s->channel = channel;
    timer_cancel(&s->timeout);
    exchange_set_callbacks(s->x, NULL, NULL, NULL);
    if (result == DIAL_UNAVAILABLE || result == DIAL_CLOSED || !a) {
        refuse(s, "agent-lost", "The agent's connection was lost; it usually comes back at once.",
               NULL);
        return;
    }
    if (result != DIAL_OK) {
        refuse(s, NULL, "The agent did not accept the session.",
               reason && *reason ? reason : dial_result_text(result));
        return;
    }
    headers_set(&s->x->response, "Adit-Agent-Pin", pin_format(agent_conn_pin(a), pin));
    s->lanes = lane_set_new(s->w, &s->who.user_id, &s->agent_id);
    headers_set(&s->x->response, "Adit-Lane-Key",
                lane_key_format(lane_set_key(s->lanes), lane_key));
    set_state(s, SESSION_UPGRADE);
    if (ws_handshake_accept(s->x, NULL, on_upgraded, s) < 0) {
        set_state(s, SESSION_OPEN);
        refuse(s, NULL, "This request cannot become a WebSocket.", NULL);
    }
}

static void on_gone(struct exchange *x, int reason, void *ud)
{
    struct relay_session *s = ud;

    (void)reason;
    METRIC_ADD(&s->w->metrics, relays_failed, 1);
    let_go(s);
    release(s);
    exchange_abort(x);
}

static void on_timeout(struct timer *t, void *ud)
{
    (void)t;
    end(ud, "agent-lost", "The agent did not answer in time.");
}

/* On the agent's worker. */
static void on_moved(struct server_worker *w, struct exchange *x, void *ud)
{
    struct relay_session *s = ud;
    struct agent_conn *a = agent_conn_find(w, s->link_id);
    struct channel_open_options options = {.opened = on_opened, .ud = s};

    s->w = w;
    s->x = x;
    list_append(&w->relays, &s->link);
    timer_init(&s->timeout, w->loop, on_timeout, s);
    if (w->draining || w->closed) {
        refuse(s, "draining", "The server is stopping.", NULL);
    } else if (!a) {
        refuse(s, "agent-lost", "The agent's connection was lost; it usually comes back at once.",
               NULL);
    } else if (atomic_load(&w->server->withdrawals) != s->withdrawals) {
        refuse(s, "rights-changed", "Rights have just changed; try again.", NULL);
    } else {
        exchange_set_callbacks(x, NULL, on_gone, s);
        timer_start(&s->timeout, open_timeout);
        s->open =
            server_link_open_peer(agent_conn_link(a), &s->peer_id, &s->pin, s->grant, &options);
    }
}

static char *grant_text(const struct grant *grant)
{
    struct api_grant msg = {.grant = *grant};
    struct buf json = BUF_INIT(GRANT_MAX_LEN);
    char *text = NULL;

    if (api_grant_write(&msg, &json) >= 0)
        text = xstrdup(buf_cstr(&json));
    buf_deinit(&json);
    return text;
}

static struct relay_session *session_new(const struct server_worker *w, struct web_relay *relay)
{
    struct relay_session *s = new0(struct relay_session);

    list_init(&s->link);
    s->peer_id = id_new();
    relay->grant.direct = !w->server->config->no_direct;
    s->who = relay->who;
    s->ws = relay->ws;
    s->agent_id = relay->agent.id;
    str_copy(s->agent, sizeof(s->agent), relay->agent.name);
    str_copy(s->ip, sizeof(s->ip), relay->ip);
    s->pin = relay->pin;
    s->grant = grant_text(&relay->grant);
    s->expires_at = relay->grant.expires_at;
    s->withdrawals = relay->withdrawals;
    grant_deinit(&relay->grant);
    return s;
}

void relay_session_open(struct server_worker *w, struct exchange *x, struct web_relay *relay)
{
    struct relay_session *s = session_new(w, relay);
    struct quota *quota = w->server->quota;
    struct presence p;

    if (!quota_take_person(quota, &s->who.user_id)) {
        answer_retry(x, "too-many-sessions", 5,
                     "You hold as many sessions as this server allows; end one of them.");
        free(s->grant);
        free(s);
        return;
    }
    if (!s->grant) {
        answer_error(x, 500, "The template's rules are too long.", NULL);
    } else if (!registry_get(w->server->registry, &s->agent_id, &p)) {
        answer_retry(x, "agent-away", 2, "The agent is not connected at the moment.");
    } else {
        s->link_id = p.link_id;
        if (conn_move(w, x, &w->server->workers[p.worker], on_moved, s) >= 0)
            return;
        answer_retry(x, "busy", 1, "The connection could not be handed over; try again.");
    }
    quota_give_person(quota, &s->who.user_id);
    free(s->grant);
    free(s);
}

/* ---- all of a worker ---- */

static bool matches(const struct relay_session *s, const struct web_withdrawal *what)
{
    return (id_is_zero(&what->user_id) || id_equal(&what->user_id, &s->who.user_id)) &&
           (id_is_zero(&what->token_id) || id_equal(&what->token_id, &s->who.token_id) ||
            id_equal(&what->token_id, &s->who.parent_id)) &&
           (id_is_zero(&what->workspace_id) || id_equal(&what->workspace_id, &s->ws.id)) &&
           (id_is_zero(&what->agent_id) || id_equal(&what->agent_id, &s->agent_id));
}

void relay_sessions_withdraw(struct server_worker *w, const struct web_withdrawal *what)
{
    struct relay_session *s, *next;

    list_for_each_safe (s, next, &w->relays, link)
        if (matches(s, what))
            end(s, "rights-changed", "Rights have just changed; try again.");
}

/* ---- a new version of a template ---- */

struct regrant {
    struct server_worker *w;
    struct id template_id;
};

static void end_changed(struct relay_session *s)
{
    end(s, "rights-changed", "Rights have just changed; try again.");
}

static void on_regranted(int status, const char *body, size_t len, void *ud)
{
    struct relay_session *s = ud;

    (void)body;
    (void)len;
    s->regrant = NULL;
    if (status / 100 != 2)
        end_changed(s);
}

/* `policy` NULL: it is not known. */
static void regrant(struct relay_session *s, const struct forward_policy *policy)
{
    struct agent_conn *a = agent_conn_find(s->w, s->link_id);
    struct agent agent = {.id = s->agent_id};
    struct grant grant;

    s->regrant = tunnel_call_cancel(s->regrant);
    if (policy && a) {
        grant = grant_make(&s->who, &s->ws, &agent, policy, clock_realtime(), 0);
        grant.expires_at = s->expires_at;
        grant.direct = !s->w->server->config->no_direct;
        free(s->grant);
        s->grant = grant_text(&grant);
        grant_deinit(&grant);
        if (s->grant) {
            s->regrant =
                server_link_grant_peer(agent_conn_link(a), &s->peer_id, s->grant, on_regranted, s);
            return;
        }
    }
    end_changed(s);
}

static void on_new_policy(void *ud, int r, const struct store_template *t)
{
    struct regrant *rg = ud;
    struct server_worker *w = rg->w;
    struct template policy = {0};
    struct relay_session *s, *next;
    bool known = r == STORE_OK && api_policy_read(span_of(t->policy), &policy, NULL) >= 0;

    w->requests--;
    list_for_each_safe (s, next, &w->relays, link)
        if (s->state == SESSION_RELAY && id_equal(&s->ws.template_id, &rg->template_id))
            regrant(s, known ? &policy.forwarding : NULL);
    template_deinit(&policy);
    free(rg);
}

/* Those that are on their way have the old grant: their people ask again. */
void relay_sessions_regrant(struct server_worker *w, const struct id *template_id)
{
    struct relay_session *s, *next;
    struct regrant *rg;
    bool any = false;

    list_for_each_safe (s, next, &w->relays, link)
        if (id_equal(&s->ws.template_id, template_id)) {
            any |= s->state == SESSION_RELAY;
            if (s->state != SESSION_RELAY)
                end_changed(s);
        }
    if (!any)
        return;
    rg = new0(struct regrant);
    rg->w = w;
    rg->template_id = *template_id;
    w->requests++;
    store_template_get_id(w->server->store, w->loop, *template_id, on_new_policy, rg);
}

void relay_sessions_tick(struct server_worker *w)
{
    struct relay_session *s, *next;
    usec_t now = clock_realtime();
    uint64_t bytes = 0, lane_bytes = 0;

    list_for_each_safe (s, next, &w->relays, link) {
        if (s->relay) {
            uint64_t to_agent, to_client;
            lane_set_bytes(s->lanes, &to_agent, &to_client);
            bytes += relay_bytes_a_to_b(s->relay) + relay_bytes_b_to_a(s->relay);
            lane_bytes += to_agent + to_client;
        }
        if (s->expires_at > 0 && now >= s->expires_at)
            end(s, "expired", "The right to this session has run out.");
    }
    atomic_store_explicit(&w->metrics.relayed_bytes, w->bytes_done + bytes, memory_order_relaxed);
    atomic_store_explicit(&w->metrics.lane_bytes, w->lane_bytes_done + lane_bytes,
                          memory_order_relaxed);
}

void relay_sessions_close(struct server_worker *w)
{
    struct relay_session *s, *next;

    list_for_each_safe (s, next, &w->relays, link)
        end(s, "draining", "The server is stopping.");
}
