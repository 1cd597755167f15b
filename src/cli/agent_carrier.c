#include "cli/agent_carrier.h"

#include <errno.h>
#include <stdlib.h>

#include "api/routes.h"
#include "api/user.h"
#include "api/workspace.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "cli/workspace_missing.h"
#include "io/tls.h"
#include "tunnel/peer_link.h"
#include "tunnel/ws_carrier.h"

struct agent_carrier {
    struct api_client *api;
    const struct workspace_ref *ref;
    struct tls_identity *identity; /* of this command alone */
    struct tls_context *tls;
    struct ws_carrier *carrier; /* once the agent is known */
    int exit_code;              /* of the denial */
    char *hint;

    /* The attempt under way. */
    carrier_opened_fn *opened;
    void *opened_ud;
    struct loop *loop;
    struct api_call *call;
    void *inner; /* of the ws_carrier */
};

static void end_attempt(struct agent_carrier *a, enum carrier_outcome outcome,
                        const struct err *err)
{
    carrier_opened_fn *opened = a->opened;
    a->opened = NULL;
    opened(outcome, NULL, NULL, err, a->opened_ud);
}

static void on_carrier(enum carrier_outcome outcome, struct stream *carrier,
                       const struct tls_pin *pin, const struct err *err, void *ud)
{
    struct agent_carrier *a = ud;
    carrier_opened_fn *opened = a->opened;
    a->inner = NULL;
    a->opened = NULL;
    if (outcome == CARRIER_DENIED)
        a->exit_code = EXIT_CODE_NOT_ALLOWED;
    opened(outcome, carrier, pin, err, a->opened_ud);
}

static void open_carrier(struct agent_carrier *a)
{
    struct carrier_opener inner = ws_carrier_opener(a->carrier);
    a->inner = inner.start(a->loop, on_carrier, a, inner.ud);
}

/* An answer that is no success: passing, or final. */
static void not_answered(struct agent_carrier *a, enum api_outcome outcome, const struct err *err)
{
    struct err reason = *err;
    if (outcome == API_AWAY) {
        end_attempt(a, CARRIER_FAILED, &reason);
        return;
    }
    a->exit_code = outcome == API_DENIED ? EXIT_CODE_NOT_ALLOWED : EXIT_CODE_FAILURE;
    if (reason.code == -ENOKEY) {
        free(a->hint);
        api_client_invalid(a->api, &reason, &a->hint);
    } else {
        err_wrap(&reason, "%s", a->ref->workspace);
    }
    end_attempt(a, CARRIER_DENIED, &reason);
}

static void fail(struct agent_carrier *a, struct err *err)
{
    a->exit_code = EXIT_CODE_FAILURE;
    end_attempt(a, CARRIER_DENIED, err);
}

/*
 * The agent's id in a workspace's JSON: of the one named, else the only one. -ENOENT with a text
 * that names those there are; -EPROTO: not such JSON.
 */
static int pick_agent(struct span json, const struct workspace_ref *ref, struct id *ret,
                      struct err *err)
{
    struct api_workspace ws;
    struct api_problem problem;
    if (api_workspace_read(json, API_LENIENT, &ws, &problem) < 0)
        return err_set(err, -EPROTO, "the server's answer is not understood: %s", problem.message);

    _cleanup_(buf_deinit) struct buf names = BUF_INIT(400);
    const struct api_agent *found = NULL;
    for (size_t i = 0; i < ws.n_agents; i++) {
        const char *name = ws.agents[i].agent.name;
        buf_appendf(&names, "%s%s", i ? ", " : "", name);
        if (ref->agent[0] ? str_eq(ref->agent, name) : ws.n_agents == 1)
            found = &ws.agents[i];
    }
    int r = 0;
    if (found)
        *ret = found->agent.id;
    else if (ws.n_agents == 0)
        r = err_set(err, -ENOENT, "workspace %s has no agent", ref->workspace);
    else if (ref->agent[0])
        r = err_set(err, -ENOENT, "workspace %s has no agent '%s', but: %s", ref->workspace,
                    ref->agent, buf_cstr(&names));
    else
        r = err_set(err, -ENOENT, "workspace %s has several agents: name one of %s as %s.AGENT",
                    ref->workspace, buf_cstr(&names), ref->workspace);
    api_workspace_release(&ws);
    return r;
}

/* What else there is, in place of a workspace that is not: it may have been meant. */
static void on_workspaces(enum api_outcome outcome, struct span body, const struct err *err,
                          void *ud)
{
    struct agent_carrier *a = ud;
    const char *me = a->api->username ? a->api->username : "";
    struct err missing = ERR_INIT;
    a->call = NULL;
    workspace_missing_error(a->ref, &missing);
    free(a->hint);
    a->hint = workspace_missing_hint(a->ref, me, outcome == API_DONE ? body : SPAN_NULL);
    fail(a, &missing);
}

static void on_workspace(enum api_outcome outcome, struct span body, const struct err *err,
                         void *ud)
{
    struct agent_carrier *a = ud;
    struct err problem = ERR_INIT;
    struct id agent;
    a->call = NULL;
    if (outcome == API_FAILED && err->code == -ENOENT) {
        a->call =
            api_call_start(a->api, "GET", API_PREFIX "/workspaces", NULL, 0, on_workspaces, a);
        return;
    }
    if (outcome != API_DONE) {
        not_answered(a, outcome, err);
        return;
    }
    struct ws_carrier_options options = {.server_url = a->api->url,
                                         .token = a->api->token,
                                         .tls = a->api->tls,
                                         .user_agent = "adit/" ADIT_VERSION};
    if (pick_agent(body, a->ref, &agent, &problem) < 0 ||
        ws_carrier_for_peer(&options, &agent, tls_context_pin(a->tls), &a->carrier, &problem) < 0) {
        fail(a, &problem);
        return;
    }
    open_carrier(a);
}

static void ask_workspace(struct agent_carrier *a, const char *owner)
{
    _cleanup_free_ char *path =
        xasprintf("%s/workspaces/%s/%s", API_PREFIX, owner, a->ref->workspace);
    a->call = api_call_start(a->api, "GET", path, NULL, 0, on_workspace, a);
}

static void on_me(enum api_outcome outcome, struct span body, const struct err *err, void *ud)
{
    struct agent_carrier *a = ud;
    struct api_me me;
    a->call = NULL;
    if (outcome != API_DONE) {
        not_answered(a, outcome, err);
        return;
    }
    if (api_me_read(body, API_LENIENT, &me, NULL) < 0) {
        struct err problem = ERR_INIT;
        err_set(&problem, -EPROTO, "the server's answer is not understood");
        fail(a, &problem);
        return;
    }
    a->api->username = xstrdup(me.user.name);
    api_me_release(&me);
    ask_workspace(a, a->api->username);
}

static void *start(struct loop *loop, carrier_opened_fn *opened, void *opened_ud, void *ud)
{
    struct agent_carrier *a = ud;
    a->loop = loop;
    a->opened = opened;
    a->opened_ud = opened_ud;
    if (a->carrier)
        open_carrier(a);
    else if (a->ref->owner[0])
        ask_workspace(a, a->ref->owner);
    else if (a->api->username)
        ask_workspace(a, a->api->username);
    else
        a->call = api_call_start(a->api, "GET", API_PREFIX "/me", NULL, 0, on_me, a);
    return a;
}

static void cancel(void *attempt, void *ud)
{
    struct agent_carrier *a = ud;
    a->call = api_call_cancel(a->call);
    if (a->inner) {
        struct carrier_opener inner = ws_carrier_opener(a->carrier);
        inner.cancel(a->inner, inner.ud);
    }
    a->inner = NULL;
    a->opened = NULL;
}

int agent_carrier_new(struct api_client *api, const struct workspace_ref *ref,
                      struct agent_carrier **ret, struct err *err)
{
    struct agent_carrier *a = new0(struct agent_carrier);
    a->api = api;
    a->ref = ref;
    a->exit_code = EXIT_CODE_NOT_ALLOWED;
    a->identity = tls_identity_new();
    int r = tls_context_peer(a->identity, &a->tls, err);
    if (r < 0) {
        agent_carrier_free(a);
        return r;
    }
    *ret = a;
    return 0;
}

struct tls_context *agent_carrier_tls(const struct agent_carrier *a)
{
    return a->tls;
}

struct carrier_opener agent_carrier_opener(struct agent_carrier *a)
{
    return (struct carrier_opener){.start = start, .cancel = cancel, .ud = a};
}

bool agent_carrier_lane_key(const struct agent_carrier *a, struct lane_key *ret)
{
    return a->carrier && ws_carrier_lane_key(a->carrier, ret);
}

bool agent_carrier_lane_way(const struct agent_carrier *a, struct peer_link *link,
                            const struct tunnel_session *session, enum lane_choice choice,
                            struct lane_way *ret)
{
    struct peer_path path;
    bool relayed = session == peer_link_session(link);
    peer_link_path(link, &path);
    ret->pin = *peer_link_agent_pin(link);
    ret->direct = path.kind == PEER_PATH_DIRECT && (!relayed || choice == LANE_DIRECT_IF_POSSIBLE);
    ret->addr = path.addr;
    ret->server_url = a->api->url;
    return ret->direct || (relayed && agent_carrier_lane_key(a, &ret->key));
}

int agent_carrier_exit_code(const struct agent_carrier *a, const char **ret_hint)
{
    *ret_hint = a->hint;
    return a->exit_code;
}

struct agent_carrier *agent_carrier_free(struct agent_carrier *a)
{
    if (!a)
        return NULL;
    ws_carrier_free(a->carrier);
    tls_context_unref(a->tls);
    tls_identity_free(a->identity);
    free(a->hint);
    free(a);
    return NULL;
}
