/* Agents of a workspace: their tokens, and their connecting. */
#include <string.h>

#include "api/workspace.h"
#include "auth/token.h"
#include "http/exchange.h"
#include "http/ws_handshake.h"
#include "web/handlers.h"
#include "web/instance.h"
#include "web/workspaces.h"

/* ---- token ---- */

struct rotation {
    struct id agent_id;
    char workspace[2 * NAME_SIZE];
    struct api_agent_token msg;
};

static void record_token(struct call *c, const struct rotation *made)
{
    struct audit_event e = call_event(c, AUDIT_AGENT_UPDATE, "token");

    str_copy(e.workspace, sizeof(e.workspace), made->workspace);
    str_copy(e.agent, sizeof(e.agent), made->msg.agent);
    web_record(c->web, &e);
}

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
        record_token(c, made);
        call_answer(c, 200, &api_agent_token_type, &msg);
    }
    explicit_bzero(&msg, sizeof(msg));
}

static void rotate(struct call *c, const struct store_workspace *ws)
{
    const struct agent *agent = workspaces_agent(c, ws);
    unsigned char hash[TOKEN_HASH_LEN];
    struct rotation *made;

    if (!agent)
        return;
    made = call_state(c, sizeof(*made));
    made->agent_id = agent->id;
    snprintf(made->workspace, sizeof(made->workspace), "%s/%s", ws->ws.owner_name, ws->ws.name);
    str_copy(made->msg.agent, sizeof(made->msg.agent), agent->name);
    token_make(TOKEN_LETTER_AGENT, made->msg.token, hash);
    store_agent_set_token(call_store(c), call_loop(c), agent->id, hash, on_rotated, c);
}

void agents_token(struct call *c)
{
    workspaces_find(c, RIGHT_AGENT_TOKEN, rotate);
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
