#include "server/worker.h"

#include <errno.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "http/exchange.h"
#include "io/listener.h"
#include "io/loop.h"
#include "io/worker.h"
#include "server/agent_conn.h"
#include "server/agent_records.h"
#include "server/agent_request.h"
#include "server/audit_file.h"
#include "server/client_ip.h"
#include "server/conn.h"
#include "server/hub.h"
#include "server/instance.h"
#include "server/record_budget.h"
#include "server/relay_session.h"
#include "tunnel/server_link.h"

static const usec_t seen_interval = 15 * USEC_PER_SEC;

/* ---- what web/ asks ---- */

static void live_client_ip(void *ud, const struct exchange *x, char ret_ip[static AUDIT_IP_SIZE])
{
    struct server_worker *w = ud;

    _Static_assert((int)CLIENT_IP_SIZE <= (int)AUDIT_IP_SIZE, "an address fits");
    client_ip_of(exchange_peer(x), &x->headers, &w->server->config->trusted_proxies, ret_ip);
}

static bool live_presence(void *ud, const struct id *agent_id, struct web_presence *ret)
{
    struct server_worker *w = ud;
    struct presence p;

    if (!registry_get(w->server->registry, agent_id, &p))
        return false;
    ret->connected_at = p.connected_at;
    ret->last_seen_at = p.last_seen_at;
    str_copy(ret->version, sizeof(ret->version), p.version);
    ret->direct = p.direct;
    ret->has_direct_counts = p.direct && p.has_direct_counts;
    ret->direct_accepted = p.direct_accepted;
    ret->direct_refused = p.direct_refused;
    return true;
}

static void live_agent_get(void *ud, const struct id *agent_id, const char *path,
                           web_agent_answered_fn *answered, void *answered_ud)
{
    agent_request_get(ud, agent_id, path, answered, answered_ud);
}

static void live_audited(void *ud, const struct audit_event *event)
{
    struct server_worker *w = ud;

    audit_file_add(w->server->audit_file, event, 1);
}

static bool live_agent_state(void *ud, const struct id *agent_id, enum web_agent_part part,
                             struct buf *out)
{
    struct server_worker *w = ud;

    return hub_agent_get(w->server->hub, agent_id, part, out);
}

static void live_agent_watch(void *ud, const struct id *agent_id, bool on)
{
    struct server_worker *w = ud;

    hub_agent_watch(w->server->hub, agent_id, on);
}

static uint64_t live_withdrawals(void *ud)
{
    struct server_worker *w = ud;

    return atomic_load(&w->server->withdrawals);
}

struct withdrawal_errand {
    struct server_worker *w;
    struct web_withdrawal what;
};

/* The same in the words of auth/withdrawal.h. */
static struct withdrawal of_apps_only(const struct web_withdrawal *what)
{
    struct withdrawal w = {.user_id = what->user_id,
                           .token_id = what->token_id,
                           .workspace_id = what->workspace_id,
                           .agent_id = what->agent_id,
                           .template_id = what->template_id};

    str_copy(w.target, sizeof(w.target), what->target);
    return w;
}

static void withdraw_here(void *ud)
{
    struct withdrawal_errand *wd = ud;

    struct withdrawal of_apps = of_apps_only(&wd->what);

    proxy_withdraw(wd->w->proxy, &of_apps);
    web_withdrawn(wd->w->web, &wd->what);
    if (!id_is_zero(&wd->what.template_id)) {
        relay_sessions_regrant(wd->w, &wd->what.template_id);
        agent_conns_reconfigure(wd->w, &wd->what.template_id);
    } else if (!wd->what.target[0]) {
        relay_sessions_withdraw(wd->w, &wd->what);
        agent_conns_withdraw(wd->w, &wd->what);
    }
    free(wd);
}

/* Counted first: a session that is not in a worker's list yet sees the count when it gets there. */
static void live_withdraw(void *ud, const struct web_withdrawal *what)
{
    struct server_worker *w = ud;
    struct server *s = w->server;
    struct withdrawal of_apps = of_apps_only(what);

    withdrawal_log_add(s->withdrawn, &of_apps);
    atomic_fetch_add(&s->withdrawals, 1);
    for (unsigned i = 0; i < s->n_workers; i++) {
        struct withdrawal_errand *wd = new0(struct withdrawal_errand);
        wd->w = &s->workers[i];
        wd->what = *what;
        loop_post(wd->w->loop, withdraw_here, wd);
    }
}

static void live_changed(void *ud, const struct web_change *what)
{
    struct server_worker *w = ud;

    hub_changed(w->server->hub, what);
}

static bool live_stream_take(void *ud, const struct id *user_id)
{
    struct server_worker *w = ud;

    return hub_stream_take(w->server->hub, user_id);
}

static void live_stream_give(void *ud, const struct id *user_id)
{
    struct server_worker *w = ud;

    hub_stream_give(w->server->hub, user_id);
}

static void live_agent_connect(void *ud, struct exchange *x, const struct workspace *ws,
                               const struct agent *agent, uint64_t withdrawals)
{
    agent_conn_start(ud, x, ws, agent, withdrawals);
}

static void live_relay(void *ud, struct exchange *x, struct web_relay *relay)
{
    relay_session_open(ud, x, relay);
}

static const struct web_live live = {.client_ip = live_client_ip,
                                     .presence = live_presence,
                                     .agent_get = live_agent_get,
                                     .audited = live_audited,
                                     .agent_state = live_agent_state,
                                     .agent_watch = live_agent_watch,
                                     .withdrawals = live_withdrawals,
                                     .withdraw = live_withdraw,
                                     .changed = live_changed,
                                     .stream_take = live_stream_take,
                                     .stream_give = live_stream_give,
                                     .agent_connect = live_agent_connect,
                                     .relay = live_relay};

/* ---- what proxy/ asks ---- */

static void proxy_live_client(void *ud, const struct exchange *x, struct proxy_client *ret)
{
    struct server_worker *w = ud;
    const struct addr *peer = exchange_peer(x);
    char text[ADDR_TEXT_LEN];

    live_client_ip(ud, x, ret->ip);
    str_copy(ret->peer, sizeof(ret->peer), addr_format_ip(peer, text));
    ret->trusted = cidr_list_contains(&w->server->config->trusted_proxies, peer);
}

static bool proxy_live_presence(void *ud, const struct id *agent_id)
{
    struct server_worker *w = ud;
    struct presence p;

    return registry_get(w->server->registry, agent_id, &p);
}

struct proxy_move {
    proxy_moved_fn *moved;
    void *ud;
    uint64_t link_id;
};

static void on_proxy_moved(struct server_worker *w, struct exchange *x, void *ud)
{
    struct proxy_move move = *(struct proxy_move *)ud;

    free(ud);
    move.moved(w->proxy, x, agent_conn_find(w, move.link_id) ? move.link_id : 0, move.ud);
}

static int proxy_live_move(void *ud, struct exchange *x, const struct id *agent_id,
                           proxy_moved_fn *moved, void *moved_ud)
{
    struct server_worker *w = ud;
    struct proxy_move *move;
    struct presence p;
    int r;

    if (!registry_get(w->server->registry, agent_id, &p))
        return -ENOTCONN;
    move = new0(struct proxy_move);
    *move = (struct proxy_move){.moved = moved, .ud = moved_ud, .link_id = p.link_id};
    r = conn_move(w, x, &w->server->workers[p.worker], on_proxy_moved, move);
    if (r < 0)
        free(move);
    return r;
}

static struct channel_open *proxy_live_open(void *ud, uint64_t link,
                                            const struct channel_target *target,
                                            const struct channel_open_options *options)
{
    struct agent_conn *a = agent_conn_find(ud, link);

    return a ? tunnel_session_open(server_link_session(agent_conn_link(a)), target, options) : NULL;
}

static const struct proxy_live proxy_live = {.client = proxy_live_client,
                                             .presence = proxy_live_presence,
                                             .move = proxy_live_move,
                                             .open = proxy_live_open};

static struct proxy *make_proxy(struct server_worker *w)
{
    struct server *s = w->server;
    struct proxy_options options = {.loop = w->loop,
                                    .auth = s->auth,
                                    .access_url = s->access_url,
                                    .site = s->wildcard_url ? &s->apps : NULL,
                                    .tickets = s->tickets,
                                    .hand_overs = s->hand_overs,
                                    .withdrawals = s->withdrawn,
                                    .path_apps = !s->config->disable_path_apps,
                                    .path_app_sharing = s->config->path_app_sharing,
                                    .path_app_site_owner_access =
                                        s->config->path_app_site_owner_access,
                                    .counters = &s->proxy_counters,
                                    .live = &proxy_live,
                                    .live_ud = w};

    return proxy_new(&options);
}

/* ---- life ---- */

static void on_tick(struct timer *t, void *ud)
{
    struct server_worker *w = ud;

    relay_sessions_tick(w);
    proxy_tick(w->proxy);
    if (loop_now(w->loop) - w->seen_at >= seen_interval) {
        w->seen_at = loop_now(w->loop);
        agent_conns_seen(w);
    }
    timer_start(t, USEC_PER_SEC);
}

static void on_started(struct loop *loop, void *ud)
{
    struct server_worker *w = ud;
    struct server *s = w->server;

    w->loop = loop;
    conns_init(w);
    list_init(&w->relays);
    w->agents = map_new();
    list_init(&w->agents_pending);
    w->lane_sets = map_new();
    w->people = peer_people_new();
    w->records = record_budget_new();
    w->web = web_new(&(struct web_options){.loop = loop,
                                           .auth = s->auth,
                                           .access_url = s->access_url,
                                           .wildcard_url = s->wildcard_url,
                                           .apps = s->wildcard_url ? &s->apps : NULL,
                                           .path_app_sharing = !s->config->disable_path_apps &&
                                                               s->config->path_app_sharing,
                                           .hand_overs = s->hand_overs,
                                           .version = ADIT_VERSION,
                                           .body_max = s->config->body_max,
                                           .counters = &s->web_counters,
                                           .live = &live,
                                           .live_ud = w});
    w->proxy = make_proxy(w);
    timer_init(&w->tick, loop, on_tick, w);
    accept_gate_init(&w->gate, w);
    timer_start(&w->tick, USEC_PER_SEC);
}

void server_worker_start(struct server *server, unsigned index)
{
    struct server_worker *w = &server->workers[index];
    char name[32];

    w->server = server;
    w->index = index;
    snprintf(name, sizeof(name), "worker-%u", index);
    w->thread = worker_start(name, on_started, w);
}

int server_worker_listen(struct server_worker *w, struct err *err)
{
    struct server *s = w->server;
    struct listener_options options = {.reuse_port = true, .accepted = conn_accepted, .ud = w};

    w->listeners = xcalloc(s->listen.len, sizeof(struct listener *));
    for (size_t i = 0; i < s->listen.len; i++) {
        int r = listener_open(w->loop, &s->listen.items[i], &options, &w->listeners[i], err);
        if (r < 0)
            return r;
    }
    return 0;
}

static void stop_listening(struct server_worker *w)
{
    for (size_t i = 0; w->listeners && i < w->server->listen.len; i++)
        w->listeners[i] = listener_close(w->listeners[i]);
}

void server_worker_drain(struct server_worker *w)
{
    w->draining = true;
    stop_listening(w);
    web_end_streams(w->web);
    conns_drain(w);
    agent_conns_drain(w);
}

bool server_worker_busy(const struct server_worker *w)
{
    return !list_empty(&w->relays) || web_in_flight(w->web) > 0 || w->requests > 0 ||
           proxy_in_flight(w->proxy) > 0;
}

void server_worker_close(struct server_worker *w)
{
    w->draining = w->closed = true;
    stop_listening(w);
    accept_gate_deinit(&w->gate);
    timer_cancel(&w->tick);
    relay_sessions_close(w);
    web_end_streams(w->web);
    proxy_close(w->proxy);
    agent_conns_close(w);
    conns_close(w);
}

bool server_worker_waits(const struct server_worker *w)
{
    return web_in_flight(w->web) > 0 || w->requests > 0 || !list_empty(&w->relays) ||
           map_len(w->agents) > 0 || proxy_in_flight(w->proxy) > 0;
}

static void on_stopping(struct loop *loop, void *ud)
{
    struct server_worker *w = ud;

    (void)loop;
    w->web = web_free(w->web);
    w->proxy = proxy_free(w->proxy);
}

void server_worker_stop(struct server_worker *w)
{
    w->thread = worker_stop(w->thread, on_stopping, w);
    w->agents = map_free(w->agents);
    w->lane_sets = map_free(w->lane_sets);
    w->people = peer_people_free(w->people);
    w->records = record_budget_free(w->records);
    free(w->listeners);
    w->listeners = NULL;
}
