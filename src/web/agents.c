/* Agents of a workspace: their tokens, their ports, and their connecting. */
#include <errno.h>
#include <string.h>

#include "api/peer.h"
#include "auth/token.h"
#include "http/exchange.h"
#include "http/ws_handshake.h"
#include "web/handlers.h"
#include "web/instance.h"
#include "web/workspaces.h"

/* The path's {agent} among those of the workspace; NULL: the call has ended with 404. */
static const struct agent *find_agent(struct call *c, const struct store_workspace *ws)
{
    char name[NAME_SIZE];

    if (name_parse(NAME_AGENT, span_of(call_param(c, "agent")), name, NULL) >= 0)
        for (size_t i = 0; i < ws->n_agents; i++)
            if (str_eq(ws->agents[i].name, name))
                return &ws->agents[i];
    call_not_found(c);
    return NULL;
}

/* ---- token ---- */

struct rotation {
    struct id agent_id;
    char target[3 * NAME_SIZE];
    struct api_agent_token msg;
};

static void on_rotated(void *ud, int r)
{
    struct call *c = ud;
    struct rotation *made = c->state;
    struct web_withdrawal what = {.agent_id = made->agent_id, .agents = true};
    struct api_agent_token msg = made->msg;

    explicit_bzero(&made->msg, sizeof(made->msg));
    if (r != STORE_OK) {
        call_store_failed(c, r);
    } else {
        c->web->o.live->withdraw(c->web->o.live_ud, &what);
        call_record(c, AUDIT_AGENT_UPDATE, made->target);
        call_answer(c, 200, &api_agent_token_type, &msg);
    }
    explicit_bzero(&msg, sizeof(msg));
}

static void rotate(struct call *c, const struct store_workspace *ws)
{
    const struct agent *agent = find_agent(c, ws);
    unsigned char hash[TOKEN_HASH_LEN];
    struct rotation *made;

    if (!agent)
        return;
    made = call_state(c, sizeof(*made));
    made->agent_id = agent->id;
    snprintf(made->target, sizeof(made->target), "%s/%s.%s", ws->ws.owner_name, ws->ws.name,
             agent->name);
    str_copy(made->msg.agent, sizeof(made->msg.agent), agent->name);
    token_make(TOKEN_LETTER_AGENT, made->msg.token, hash);
    store_agent_set_token(call_store(c), call_loop(c), agent->id, hash, on_rotated, c);
}

void agents_token(struct call *c)
{
    workspaces_find(c, RIGHT_AGENT_TOKEN, rotate);
}

/* ---- ports ---- */

static void on_ports(int status, const char *body, size_t len, void *ud)
{
    struct call *c = ud;
    struct api_ports msg = {0};

    if (status == -ENOTCONN) {
        call_retry(c, "agent-away", 5, "The agent is not connected at the moment.");
    } else if (status != 200 || api_ports_read(span_from(body, len), API_LENIENT, &msg, NULL) < 0) {
        call_fail(c, 502, "The agent did not tell its ports.", NULL);
    } else {
        call_answer(c, 200, &api_ports_type, &msg);
        api_ports_release(&msg);
    }
}

static void ports(struct call *c, const struct store_workspace *ws)
{
    const struct agent *agent = find_agent(c, ws);

    if (agent)
        c->web->o.live->agent_get(c->web->o.live_ud, &agent->id, "/ports", on_ports, c);
}

void agents_ports(struct call *c)
{
    workspaces_find(c, RIGHT_WORKSPACE_READ, ports);
}

/* ---- connect ---- */

void agents_connect(struct call *c, const struct workspace *ws, const struct agent *agent)
{
    struct web *web = c->web;
    uint64_t withdrawals = c->withdrawals;
    unsigned status = ws_handshake_check(c->x, NULL);

    if (status != 0) {
        call_fail(c, status, "This path takes a WebSocket handshake only.", NULL);
        return;
    }
    web->o.live->agent_connect(web->o.live_ud, call_release(c), ws, agent, withdrawals);
}
