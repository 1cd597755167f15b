/*
 * The ports of an agent: those that it says are open, and those that are shared; and what is
 * forwarded through it.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "store/share.h"
#include "web/handlers.h"
#include "web/instance.h"
#include "web/shares.h"
#include "web/workspaces.h"

struct port_query {
    struct workspace ws;
    struct agent agent;
    bool only_agent;
    enum api_agent_status status;
    usec_t last_seen_at;
    struct api_ports open; /* as the agent said; owned until the answer */
};

/* The share of a port, if it has one that counts. */
static const struct share *find_share(const struct port_query *q, uint16_t port,
                                      const struct share *shares, size_t n, usec_t now)
{
    for (size_t i = 0; i < n; i++)
        if (shares[i].port == port && id_equal(&shares[i].agent_id, &q->agent.id) &&
            share_counts(&shares[i], now))
            return &shares[i];
    return NULL;
}

static void show(struct call *c, const struct api_port *port, bool listening,
                 const struct share *share, struct api_shared_port *ret)
{
    const struct port_query *q = c->state;
    struct link_place place = {.ws = &q->ws, .agent = &q->agent, .without_agent = q->only_agent};
    bool tls = port->speaks == API_PORT_TLS;

    ret->port = *port;
    ret->listening = listening;
    if (share)
        share_show_port(c->web, &place, share, tls, &ret->share);
    ret->url = share ? ret->share.url : link_port(c->web, &place, port->port, tls);
}

static void answer(struct call *c, const struct share *shares, size_t n)
{
    const struct port_query *q = c->state;
    struct api_shared_ports msg = {.status = q->status, .last_seen_at = q->last_seen_at};
    usec_t now = clock_realtime();

    msg.ports = xcalloc(q->open.n_ports + n + 1, sizeof(*msg.ports));
    for (size_t i = 0; i < q->open.n_ports; i++) {
        const struct api_port *port = &q->open.ports[i];
        show(c, port, true, find_share(q, port->port, shares, n, now), &msg.ports[msg.n_ports++]);
    }
    for (size_t i = 0; i < n; i++) {
        const struct api_port none = {.port = shares[i].port}, *served;
        const struct share *share = find_share(q, none.port, shares, n, now);
        if (!none.port || share != &shares[i] ||
            api_port_find(q->open.ports, q->open.n_ports, none.port))
            continue;
        /* An app or a forward may be behind it. */
        served = api_port_find(q->open.unlisted, q->open.n_unlisted, none.port);
        show(c, served ? served : &none, served, share, &msg.ports[msg.n_ports++]);
    }
    call_answer(c, 200, &api_shared_ports_type, &msg);
    for (size_t i = 0; i < msg.n_ports; i++)
        free(msg.ports[i].url); /* also that of its share */
    free(msg.ports);
}

static void on_shares(void *ud, int r, const struct share *shares, size_t n)
{
    struct call *c = ud;
    struct port_query *q = c->state;
    struct api_ports open = q->open;

    if (r == STORE_OK)
        answer(c, shares, n);
    else
        call_store_failed(c, r);
    api_ports_release(&open);
}

static void list_shares(struct call *c)
{
    const struct port_query *q = c->state;

    store_share_list(call_store(c), call_loop(c), q->ws.id, on_shares, c);
}

/* The agent went while it was asked: only what is shared is listed. */
static void gone(struct call *c)
{
    struct port_query *q = c->state;

    q->status = API_AGENT_AWAY;
    q->last_seen_at = clock_realtime();
    list_shares(c);
}

static void on_ports(int status, const char *body, size_t len, void *ud)
{
    struct call *c = ud;
    struct port_query *q = c->state;

    if (status == -ENOTCONN)
        gone(c);
    else if (status != 200 || api_ports_read(span_from(body, len), API_LENIENT, &q->open, NULL) < 0)
        call_fail(c, 502, "The agent did not tell its ports.", NULL);
    else
        list_shares(c);
}

/* What the agent told last, which for live updates is what they are about. */
static bool take_told(struct call *c, struct port_query *q)
{
    struct buf json = BUF_INIT(API_JSON_MAX_LEN);
    const struct web_live *live = c->web->o.live;
    bool told =
        c->inner && live->agent_state(c->web->o.live_ud, &q->agent.id, WEB_AGENT_PORTS, &json) &&
        api_ports_read(span_from(buf_data(&json), json.len), API_LENIENT, &q->open, NULL) == 0;

    buf_deinit(&json);
    return told;
}

static void ports(struct call *c, const struct store_workspace *ws)
{
    const struct agent *agent = workspaces_agent(c, ws);
    struct port_query *q;
    struct api_agent shown;

    if (!agent)
        return;
    q = call_state(c, sizeof(*q));
    q->ws = ws->ws;
    q->agent = *agent;
    q->only_agent = ws->n_agents == 1;
    workspaces_show_agent(c, agent, &shown);
    q->status = shown.status;
    q->last_seen_at = shown.last_seen_at;
    if (q->status != API_AGENT_CONNECTED || take_told(c, q))
        list_shares(c);
    else
        c->web->o.live->agent_get(c->web->o.live_ud, &q->agent.id, "/ports", on_ports, c);
}

void agent_ports_list(struct call *c)
{
    workspaces_find(c, RIGHT_WORKSPACE_READ, ports);
}

/* ---- forwards ---- */

static void answer_forwards(struct call *c, struct api_forwards *msg)
{
    call_answer(c, 200, &api_forwards_type, msg);
    api_forwards_release(msg);
}

static void on_forwards(int status, const char *body, size_t len, void *ud)
{
    struct call *c = ud;
    struct api_forwards msg = {.n_forwards = 0};
    bool away = status == -ENOTCONN; /* then there are none */

    if (!away &&
        (status != 200 || api_forwards_read(span_from(body, len), API_LENIENT, &msg, NULL) < 0))
        call_fail(c, 502, "The agent did not tell its forwards.", NULL);
    else
        answer_forwards(c, &msg);
}

static void forwards(struct call *c, const struct store_workspace *ws)
{
    const struct agent *agent = workspaces_agent(c, ws);

    if (agent)
        c->web->o.live->agent_get(c->web->o.live_ud, &agent->id, "/forwards", on_forwards, c);
}

void agent_forwards_list(struct call *c)
{
    workspaces_find(c, RIGHT_WORKSPACE_READ, forwards);
}
