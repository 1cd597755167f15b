#include "server/worker.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "http/exchange.h"
#include "io/listener.h"
#include "io/loop.h"
#include "io/worker.h"
#include "server/agent_conn.h"
#include "server/agent_request.h"
#include "server/client_ip.h"
#include "server/conn.h"
#include "server/instance.h"
#include "server/relay_session.h"

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
    return true;
}

static void live_agent_get(void *ud, const struct id *agent_id, const char *path,
                           web_agent_answered_fn *answered, void *answered_ud)
{
    agent_request_get(ud, agent_id, path, answered, answered_ud);
}

static uint64_t live_withdrawals(void *ud)
{
    struct server_worker *w = ud;

    return atomic_load(&w->server->withdrawals);
}

struct withdrawal {
    struct server_worker *w;
    struct web_withdrawal what;
};

static void withdraw_here(void *ud)
{
    struct withdrawal *wd = ud;

    relay_sessions_withdraw(wd->w, &wd->what);
    agent_conns_withdraw(wd->w, &wd->what);
    free(wd);
}

/* Counted first: a session that is not in a worker's list yet sees the count when it gets there. */
static void live_withdraw(void *ud, const struct web_withdrawal *what)
{
    struct server_worker *w = ud;
    struct server *s = w->server;

    atomic_fetch_add(&s->withdrawals, 1);
    for (unsigned i = 0; i < s->n_workers; i++) {
        struct withdrawal *wd = new0(struct withdrawal);
        wd->w = &s->workers[i];
        wd->what = *what;
        loop_post(wd->w->loop, withdraw_here, wd);
    }
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
                                     .withdrawals = live_withdrawals,
                                     .withdraw = live_withdraw,
                                     .agent_connect = live_agent_connect,
                                     .relay = live_relay};

/* ---- life ---- */

static void on_tick(struct timer *t, void *ud)
{
    struct server_worker *w = ud;

    relay_sessions_tick(w);
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
    list_init(&w->conns);
    list_init(&w->relays);
    w->agents = map_new();
    w->web = web_new(&(struct web_options){.loop = loop,
                                           .auth = s->auth,
                                           .access_url = s->access_url,
                                           .wildcard_url = s->wildcard_url,
                                           .version = ADIT_VERSION,
                                           .body_max = s->config->body_max,
                                           .counters = &s->web_counters,
                                           .live = &live,
                                           .live_ud = w});
    timer_init(&w->tick, loop, on_tick, w);
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
    conns_drain(w);
    agent_conns_drain(w);
}

bool server_worker_busy(const struct server_worker *w)
{
    return !list_empty(&w->relays) || web_in_flight(w->web) > 0 || w->requests > 0;
}

void server_worker_close(struct server_worker *w)
{
    w->draining = w->closed = true;
    stop_listening(w);
    timer_cancel(&w->tick);
    relay_sessions_close(w);
    agent_conns_close(w);
    conns_close(w);
}

bool server_worker_waits(const struct server_worker *w)
{
    return web_in_flight(w->web) > 0 || w->requests > 0 || !list_empty(&w->relays) ||
           map_len(w->agents) > 0;
}

static void on_stopping(struct loop *loop, void *ud)
{
    struct server_worker *w = ud;

    (void)loop;
    w->web = web_free(w->web);
}

void server_worker_stop(struct server_worker *w)
{
    w->thread = worker_stop(w->thread, on_stopping, w);
    w->agents = map_free(w->agents);
    free(w->listeners);
    w->listeners = NULL;
}
