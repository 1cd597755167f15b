/*
 *     UPGRADE -> INFO -> READY -> (freed)
 *
 * A connection is in the worker's table from its first moment, so that a withdrawal finds it in
 * every state. It is freed at once in INFO and READY; in UPGRADE the HTTP layer still has our
 * callback, which frees it.
 */
#include "server/agent_conn.h"

#include <stdlib.h>
#include <string.h>

#include "api/peer.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "http/exchange.h"
#include "http/ws_handshake.h"
#include "http/ws_stream.h"
#include "io/loop.h"
#include "io/stream.h"
#include "server/agent_feed.h"
#include "server/agent_records.h"
#include "server/agent_request.h"
#include "server/client_ip.h"
#include "server/hub.h"
#include "server/instance.h"
#include "store/workspace.h"
#include "tunnel/server_link.h"
#include "web/answer.h"

/* Between two times that an agent's presence is stored while it stays. */
static const usec_t stored_interval = 5 * USEC_PER_MIN;

enum agent_state { AGENT_UPGRADE, AGENT_INFO, AGENT_READY, AGENT_ENDED };

static const char *const state_names[] = {
    [AGENT_UPGRADE] = "upgrade",
    [AGENT_INFO] = "info",
    [AGENT_READY] = "ready",
    [AGENT_ENDED] = "ended",
};

struct agent_conn {
    struct list pending; /* in the worker's, until READY */
    struct server_worker *w;
    enum agent_state state;
    uint64_t link_id;
    struct id agent_id;
    struct id workspace_id;
    char name[NAME_SIZE];
    char workspace[2 * NAME_SIZE]; /* owner/name */
    char ip[AUDIT_IP_SIZE];
    usec_t connected_at; /* since 1970 UTC */
    usec_t stored_at;    /* as the store has it: it was here then */
    struct server_link *link;
    struct tunnel_call *info;
    struct agent_records *records;
    struct agent_feed *feed;
    struct id template_id;
    struct id owner_id;
    char owner[NAME_SIZE];
    struct tls_pin pin;
    struct list requests;
};

static void set_state(struct agent_conn *a, enum agent_state state)
{
    log_debug("agent connection", LOG_INT("link", a->link_id),
              LOG_STR("from", state_names[a->state]), LOG_STR("to", state_names[state]));
    a->state = state;
}

static void record(struct agent_conn *a, enum audit_action action, const char *result)
{
    struct audit_event e = {.action = action};

    str_copy(e.workspace, sizeof(e.workspace), a->workspace);
    str_copy(e.agent, sizeof(e.agent), a->name);
    str_copy(e.target, sizeof(e.target), a->name);
    str_copy(e.result, sizeof(e.result), result);
    str_copy(e.ip, sizeof(e.ip), a->ip);
    if (action == AUDIT_AGENT_DISCONNECT)
        e.duration = clock_realtime() - a->connected_at;
    web_record(a->w->web, &e);
}

/* ---- the end ---- */

static void release(struct agent_conn *a)
{
    list_remove(&a->pending);
    map_take_id(a->w->agents, a->link_id);
    free(a);
}

/* It came or went: so is what its workspace shows. */
static struct web_change presence_change(const struct agent_conn *a)
{
    return (struct web_change){.topics = WEB_TOPIC_WORKSPACES | WEB_TOPIC_WORKSPACE |
                                         WEB_TOPIC_PORTS | WEB_TOPIC_APPS | WEB_TOPIC_FORWARDS,
                               .owner_id = a->owner_id,
                               .workspace_id = a->workspace_id,
                               .agent_id = a->agent_id};
}

/* That it came or went is on its way to the store; the connection may be gone before it is there.
 */
struct presence_storing {
    struct server_worker *w;
    struct web_change change;
};

static struct presence_storing *storing_new(struct agent_conn *a)
{
    struct presence_storing *storing = new0(struct presence_storing);

    storing->w = a->w;
    storing->change = presence_change(a);
    a->w->requests++;
    return storing;
}

/* Told only now, so that who is told and asks gets what is new. */
static void on_stored(void *ud, int r)
{
    struct presence_storing *storing = ud;

    storing->w->requests--;
    if (r != STORE_OK)
        log_error("an agent's connection was not stored", LOG_STR("reason", store_result_text(r)));
    hub_changed(storing->w->server->hub, &storing->change);
    free(storing);
}

static void leave(struct agent_conn *a, const char *reason)
{
    struct server *s = a->w->server;

    if (registry_leave(s->registry, &a->agent_id, a->link_id)) {
        hub_agent_forget(s->hub, &a->agent_id);
        store_agent_seen(s->store, a->w->loop, a->agent_id, clock_realtime(), on_stored,
                         storing_new(a));
    }
    record(a, AUDIT_AGENT_DISCONNECT, reason);
}

static void end(struct agent_conn *a, const char *reason)
{
    enum agent_state was = a->state;

    set_state(a, AGENT_ENDED);
    list_remove(&a->pending);
    agent_requests_fail(&a->requests);
    a->records = agent_records_free(a->records);
    a->feed = agent_feed_free(a->feed);
    if (was == AGENT_READY)
        leave(a, reason);
    if (a->info)
        a->info = tunnel_call_cancel(a->info);
    a->link = server_link_free(a->link);
    if (was != AGENT_UPGRADE)
        release(a);
}

static void on_link_ended(struct server_link *l, int reason, const struct err *err, void *ud)
{
    struct agent_conn *a = ud;

    (void)l;
    if (a->state == AGENT_INFO)
        METRIC_ADD(&a->w->metrics, agents_refused, 1);
    log_debug("agent's link ended", LOG_INT("link", a->link_id),
              LOG_STR("reason", err ? err->text : NULL));
    end(a, reason == 0 ? "ok" : err_name(reason));
}

/* ---- ready ---- */

struct replacement {
    struct server_worker *w;
    uint64_t link_id;
};

static void end_replaced(void *ud)
{
    struct replacement *old = ud;
    struct agent_conn *a = map_get_id(old->w->agents, old->link_id);

    if (a && a->state != AGENT_ENDED) {
        METRIC_ADD(&old->w->metrics, agents_replaced, 1);
        end(a, "replaced");
    }
    free(old);
}

static void enter(struct agent_conn *a, const struct api_agent_info *info)
{
    struct server *s = a->w->server;
    struct presence p = {.agent_id = a->agent_id,
                         .workspace_id = a->workspace_id,
                         .worker = a->w->index,
                         .link_id = a->link_id,
                         .connected_at = a->connected_at,
                         .last_seen_at = a->connected_at,
                         .pin = a->pin};
    struct presence replaced;
    struct replacement *old;

    str_copy(p.version, sizeof(p.version), info->version);
    p.direct = info->direct && !s->config->no_direct;
    if (!registry_enter(s->registry, &p, &replaced))
        return;
    old = new0(struct replacement);
    old->w = &s->workers[replaced.worker];
    old->link_id = replaced.link_id;
    loop_post(old->w->loop, end_replaced, old);
}

static void fetch_records(struct agent_conn *a)
{
    struct agent_records_of of = {
        .link_id = a->link_id, .agent_id = a->agent_id, .owner_id = a->owner_id};

    str_copy(of.owner, sizeof(of.owner), a->owner);
    str_copy(of.workspace, sizeof(of.workspace), a->workspace);
    str_copy(of.agent, sizeof(of.agent), a->name);
    a->records = agent_records_new(a->w, server_link_session(a->link), &of);
}

static void follow(struct agent_conn *a)
{
    struct agent_feed_of of = {.link_id = a->link_id,
                               .agent_id = a->agent_id,
                               .workspace_id = a->workspace_id,
                               .template_id = a->template_id};

    a->feed = agent_feed_new(a->w, server_link_session(a->link), &of);
}

static void on_info(int status, const char *body, size_t len, void *ud)
{
    struct agent_conn *a = ud;
    struct api_agent_info info;
    struct store_agent_connected stored;
    struct server_worker *w = a->w;

    a->info = NULL;
    if (status != 200 || api_agent_info_read(span_from(body, len), API_LENIENT, &info, NULL) < 0) {
        METRIC_ADD(&w->metrics, agents_refused, 1);
        log_warn("an agent did not say who it is", LOG_STR("workspace", a->workspace),
                 LOG_STR("agent", a->name), LOG_INT("status", status));
        end(a, "no answer");
        return;
    }
    _Static_assert(sizeof(info.pin) == sizeof(a->pin.sha256), "one form of pins");
    memcpy(a->pin.sha256, info.pin, sizeof(info.pin));
    a->connected_at = clock_realtime();
    set_state(a, AGENT_READY);
    list_remove(&a->pending);
    enter(a, &info);
    stored = (struct store_agent_connected){.os = info.os,
                                            .arch = info.arch,
                                            .version = info.version,
                                            .hostname = info.hostname,
                                            .now = a->connected_at};
    memcpy(stored.pin, info.pin, sizeof(stored.pin));
    store_agent_connected(w->server->store, w->loop, a->agent_id, &stored, on_stored,
                          storing_new(a));
    a->stored_at = a->connected_at;
    record(a, AUDIT_AGENT_CONNECT, "ok");
    fetch_records(a);
    follow(a);
}

/* ---- start ---- */

static void on_upgraded(struct stream *s, int result, void *ud)
{
    struct agent_conn *a = ud;
    struct server_link_options options = {.ended = on_link_ended, .ud = a};

    if (result < 0 || a->state == AGENT_ENDED) {
        stream_free(s);
        release(a);
        return;
    }
    set_state(a, AGENT_INFO);
    a->link = server_link_new(a->w->loop, ws_stream_new(s, WS_SERVER), &options);
    a->info = tunnel_session_call(server_link_session(a->link), "GET", "/info", NULL, on_info, a);
}

/* One that does not say who it is, and comes again and again, has one place here. */
static void end_pending(struct server_worker *w, const struct id *agent_id)
{
    struct agent_conn *a, *next;

    list_for_each_safe (a, next, &w->agents_pending, pending)
        if (id_equal(&a->agent_id, agent_id)) {
            METRIC_ADD(&w->metrics, agents_replaced, 1);
            end(a, "replaced");
        }
}

void agent_conn_start(struct server_worker *w, struct exchange *x, const struct workspace *ws,
                      const struct agent *agent, uint64_t withdrawals)
{
    struct agent_conn *a;

    if (w->draining) {
        answer_retry(x, "draining", 2, "The server is stopping.");
        return;
    }
    end_pending(w, &agent->id);
    a = new0(struct agent_conn);
    a->w = w;
    list_append(&w->agents_pending, &a->pending);
    a->link_id = registry_next_link_id(w->server->registry);
    a->agent_id = agent->id;
    a->workspace_id = ws->id;
    a->owner_id = ws->owner_id;
    a->template_id = ws->template_id;
    str_copy(a->owner, sizeof(a->owner), ws->owner_name);
    str_copy(a->name, sizeof(a->name), agent->name);
    snprintf(a->workspace, sizeof(a->workspace), "%s/%s", ws->owner_name, ws->name);
    client_ip_of(exchange_peer(x), &x->headers, &w->server->config->trusted_proxies, a->ip);
    list_init(&a->requests);
    map_put_id(w->agents, a->link_id, a);
    /* What was withdrawn before we were in the table has not seen us. */
    if (atomic_load(&w->server->withdrawals) != withdrawals) {
        answer_retry(x, "rights-changed", 1, "Rights have just changed; try again.");
        release(a);
    } else if (ws_handshake_accept(x, NULL, on_upgraded, a) < 0) {
        answer_error(x, 400, "This request cannot become a WebSocket.", NULL);
        release(a);
    }
}

/* ---- for others ---- */

struct agent_conn *agent_conn_find(struct server_worker *w, uint64_t link_id)
{
    struct agent_conn *a = map_get_id(w->agents, link_id);

    return a && a->state == AGENT_READY ? a : NULL;
}

struct server_link *agent_conn_link(struct agent_conn *a)
{
    return a->link;
}

const struct tls_pin *agent_conn_pin(const struct agent_conn *a)
{
    return &a->pin;
}

struct agent_records *agent_conn_records(struct agent_conn *a)
{
    return a->records;
}

struct list *agent_conn_requests(struct agent_conn *a)
{
    return &a->requests;
}

static bool matches(const struct agent_conn *a, const struct web_withdrawal *what)
{
    return what->agents &&
           (id_is_zero(&what->workspace_id) || id_equal(&what->workspace_id, &a->workspace_id)) &&
           (id_is_zero(&what->agent_id) || id_equal(&what->agent_id, &a->agent_id)) &&
           !(id_is_zero(&what->workspace_id) && id_is_zero(&what->agent_id));
}

/* end() takes the current entry out, which map_next() allows. */
void agent_conns_withdraw(struct server_worker *w, const struct web_withdrawal *what)
{
    struct map_iter it = {0};
    struct agent_conn *a;

    while ((a = map_next(w->agents, &it)))
        if (a->state != AGENT_ENDED && matches(a, what))
            end(a, "withdrawn");
}

void agent_conns_watch(struct server_worker *w, const struct id *agent_id)
{
    struct map_iter it = {0};
    struct agent_conn *a;

    while ((a = map_next(w->agents, &it)))
        if (a->feed && id_equal(&a->agent_id, agent_id))
            agent_feed_watch(a->feed);
}

void agent_conns_reconfigure(struct server_worker *w, const struct id *template_id)
{
    struct map_iter it = {0};
    struct agent_conn *a;

    while ((a = map_next(w->agents, &it)))
        if (a->feed && id_equal(&a->template_id, template_id))
            agent_feed_configure(a->feed);
}

/* Often in memory; now and then in the store, for the time after a crash of this server. */
static void see(struct agent_conn *a, usec_t now)
{
    struct server *s = a->w->server;

    registry_seen(s->registry, &a->agent_id, a->link_id, now);
    if (now - a->stored_at < stored_interval)
        return;
    a->stored_at = now;
    store_agent_seen(s->store, NULL, a->agent_id, now, NULL, NULL);
}

void agent_conns_seen(struct server_worker *w)
{
    struct map_iter it = {0};
    usec_t now = clock_realtime();
    struct agent_conn *a;

    while ((a = map_next(w->agents, &it)))
        if (a->state == AGENT_READY)
            see(a, now);
}

void agent_conns_drain(struct server_worker *w)
{
    struct map_iter it = {0};
    struct agent_conn *a;

    while ((a = map_next(w->agents, &it)))
        if (a->link) {
            a->records = agent_records_free(a->records);
            a->feed = agent_feed_free(a->feed);
            tunnel_session_drain(server_link_session(a->link));
        }
}

void agent_conns_close(struct server_worker *w)
{
    struct map_iter it = {0};
    struct agent_conn *a;

    while ((a = map_next(w->agents, &it)))
        if (a->state != AGENT_ENDED)
            end(a, "server stopped");
}
