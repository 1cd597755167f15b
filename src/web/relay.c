/*
 * The start of a peer session: who may come to which agent with which grant. What follows, from
 * the agent's consent to the copying of bytes, is the server's.
 */
#include <errno.h>

#include "api/workspace.h"
#include "auth/grant.h"
#include "base/log.h"
#include "http/exchange.h"
#include "http/ws_handshake.h"
#include "store/template.h"
#include "store/workspace.h"
#include "tunnel/ws_carrier.h"
#include "web/handlers.h"
#include "web/instance.h"
#include "web/workspaces.h"

/* A session that lasts longer asks again: the link reconnects by itself. */
static const usec_t grant_life = 7 * USEC_PER_DAY;

static void on_template(void *ud, int r, const struct store_template *t)
{
    struct call *c = ud;
    struct web_relay *relay = c->state;
    struct template policy = {0};
    struct err err = ERR_INIT;
    struct web *web = c->web;

    if (r != STORE_OK) {
        call_store_failed(c, r);
        return;
    }
    if (api_policy_read(span_of(t->policy), &policy, &err) < 0) {
        log_error("a stored template cannot be read", LOG_STR("template", t->name),
                  LOG_STR("text", err.text));
        call_fail(c, 500, "The workspace's template cannot be read.", NULL);
        return;
    }
    relay->grant = grant_make(&c->who, &relay->ws, &relay->agent, &policy.forwarding,
                              clock_realtime(), grant_life);
    template_deinit(&policy);
    web->o.live->relay(web->o.live_ud, call_release(c), relay);
}

static void on_agent(void *ud, int r, const struct workspace *ws, const struct agent *agent)
{
    struct call *c = ud;
    struct web_relay *relay = c->state;
    struct right_object what = {0};
    struct web_presence here;

    if (r != STORE_OK) {
        call_store_failed(c, r);
        return;
    }
    what = workspaces_object(ws);
    if (!call_may(c, RIGHT_FORWARD, &what))
        return;
    if (!c->web->o.live->presence(c->web->o.live_ud, &agent->id, &here)) {
        call_retry(c, "agent-away", 2, "The agent is not connected at the moment.");
        return;
    }
    relay->who = c->who;
    relay->ws = *ws;
    relay->agent = *agent;
    relay->withdrawals = c->withdrawals;
    str_copy(relay->ip, sizeof(relay->ip), c->ip);
    store_template_get_id(call_store(c), call_loop(c), ws->template_id, on_template, c);
}

void relay_open(struct call *c)
{
    struct web_relay *relay;
    struct span pin = headers_get(&c->x->headers, "Adit-Peer-Pin");
    char text[PIN_TEXT_SIZE];
    unsigned status = ws_handshake_check(c->x, NULL);
    struct id id;

    if (status != 0) {
        call_fail(c, status, "This path takes a WebSocket handshake only.", NULL);
        return;
    }
    relay = call_state(c, sizeof(*relay));
    if (!str_copy_span(text, sizeof(text), pin) || pin_parse(text, &relay->pin) < 0) {
        call_fail(c, 400, "The field Adit-Peer-Pin is missing or not the hash of a key.", NULL);
        return;
    }
    if (call_param_id(c, "id", &id))
        store_agent_get(call_store(c), call_loop(c), id, on_agent, c);
    else
        call_not_found(c);
}
