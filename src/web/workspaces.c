#include "web/workspaces.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "auth/token.h"
#include "base/mem.h"
#include "http/exchange.h"
#include "proto/url.h"
#include "store/user.h"
#include "web/handlers.h"
#include "web/instance.h"

struct right_object workspaces_object(const struct workspace *ws)
{
    return (struct right_object){
        .owner_id = ws->owner_id, .owner = ws->owner_name, .workspace = ws->name};
}

/* ---- showing ---- */

void workspaces_show_agent(struct call *c, const struct agent *agent, struct api_agent *ret)
{
    struct web_presence here;

    ret->agent = *agent;
    if (c->web->o.live->presence(c->web->o.live_ud, &agent->id, &here)) {
        ret->status = API_AGENT_CONNECTED;
        ret->direct = here.direct;
        ret->has_direct_counts = here.has_direct_counts;
        ret->direct_counts = (struct api_direct_counts){.accepted = here.direct_accepted,
                                                        .refused = here.direct_refused};
        ret->last_seen_at = here.last_seen_at;
        ret->agent.connected_at = here.connected_at;
        str_copy(ret->agent.version, sizeof(ret->agent.version), here.version);
    } else {
        ret->status = agent->connected_at ? API_AGENT_AWAY : API_AGENT_NEVER;
        ret->last_seen_at = agent->disconnected_at > agent->connected_at ? agent->disconnected_at
                                                                         : agent->connected_at;
    }
}

/* Its message, with the agents' presence; free `ret->agents`. */
static void show_workspace(struct call *c, const struct store_workspace *ws,
                           struct api_workspace *ret)
{
    ret->ws = ws->ws;
    ret->agents = xcalloc(ws->n_agents ? ws->n_agents : 1, sizeof(*ret->agents));
    ret->n_agents = ws->n_agents;
    for (size_t i = 0; i < ws->n_agents; i++)
        workspaces_show_agent(c, &ws->agents[i], &ret->agents[i]);
}

/* ---- finding ---- */

struct search {
    enum right_action action;
    workspace_found_fn *then;
};

static void on_found(void *ud, int r, const struct store_workspace *ws)
{
    struct call *c = ud;
    const struct search *search = c->state;
    struct right_object what = {.owner = call_param(c, "owner"),
                                .workspace = call_param(c, "workspace")};

    if (r != STORE_OK && r != STORE_NOT_FOUND) {
        call_store_failed(c, r);
        return;
    }
    if (r == STORE_OK)
        what = workspaces_object(&ws->ws);
    else if (str_eq(what.owner, c->who.user))
        what.owner_id = c->who.user_id;
    if (!call_may(c, search->action, &what))
        return;
    if (r == STORE_NOT_FOUND)
        call_not_found(c);
    else
        search->then(c, ws);
}

void workspaces_find(struct call *c, enum right_action action, workspace_found_fn *then)
{
    struct search *search = call_state(c, sizeof(*search));
    char owner[NAME_SIZE], name[NAME_SIZE];

    search->action = action;
    search->then = then;
    if (name_parse(NAME_USER, span_of(call_param(c, "owner")), owner, NULL) < 0 ||
        name_parse(NAME_WORKSPACE, span_of(call_param(c, "workspace")), name, NULL) < 0)
        on_found(c, STORE_NOT_FOUND, NULL);
    else
        store_workspace_get(call_store(c), call_loop(c), owner, name, on_found, c);
}

const struct agent *workspaces_agent(struct call *c, const struct store_workspace *ws)
{
    char name[NAME_SIZE];

    if (name_parse(NAME_AGENT, span_of(call_param(c, "agent")), name, NULL) >= 0)
        for (size_t i = 0; i < ws->n_agents; i++)
            if (str_eq(ws->agents[i].name, name))
                return &ws->agents[i];
    call_not_found(c);
    return NULL;
}

/* ---- one ---- */

static void get(struct call *c, const struct store_workspace *ws)
{
    struct api_workspace msg = {0};

    show_workspace(c, ws, &msg);
    call_answer(c, 200, &api_workspace_type, &msg);
    free(msg.agents);
}

void workspaces_get(struct call *c)
{
    workspaces_find(c, RIGHT_WORKSPACE_READ, get);
}

/* ---- list ---- */

static void on_list(void *ud, int r, const struct store_workspace *list, size_t n)
{
    struct call *c = ud;
    const struct store_page *page = c->state;
    struct api_workspaces msg = {0};

    if (r != STORE_OK) {
        call_store_failed(c, r);
        return;
    }
    msg.workspaces = xcalloc(n ? n : 1, sizeof(*msg.workspaces));
    msg.n_workspaces = n;
    for (size_t i = 0; i < n; i++)
        show_workspace(c, &list[i], &msg.workspaces[i]);
    if (n == page->limit)
        msg.next = list[n - 1].ws.id;
    call_answer(c, 200, &api_workspaces_type, &msg);
    for (size_t i = 0; i < n; i++)
        free(msg.workspaces[i].agents);
    free(msg.workspaces);
}

/* Zero `owner_id`: everybody's. */
static void list(struct call *c, struct id owner_id)
{
    struct store_page page;

    if (!call_page(c, &page))
        return;
    *(struct store_page *)call_state(c, sizeof(page)) = page;
    store_workspace_list(call_store(c), call_loop(c), owner_id, page, on_list, c);
}

static void on_list_owner(void *ud, int r, const struct user *user)
{
    struct call *c = ud;
    struct right_object what = {0}; /* nobody's, which a stranger's name looks like */

    if (r != STORE_OK && r != STORE_NOT_FOUND) {
        call_store_failed(c, r);
        return;
    }
    if (r == STORE_OK)
        what = (struct right_object){.owner_id = user->id, .owner = user->name};
    if (!call_may(c, RIGHT_WORKSPACE_LIST, &what))
        return;
    if (r == STORE_NOT_FOUND)
        call_not_found(c);
    else
        list(c, user->id);
}

void workspaces_list(struct call *c)
{
    struct right_object own = {.owner_id = c->who.user_id, .owner = c->who.user};
    char all[8] = "", text[NAME_SIZE], name[NAME_SIZE];
    ssize_t owner = query_get(c->query, "owner", text, sizeof(text));

    if (query_get(c->query, "all", all, sizeof(all)) >= 0 && str_eq(all, "true")) {
        if (call_may(c, RIGHT_WORKSPACE_LIST_ALL, NULL))
            list(c, (struct id){0});
    } else if (owner == -ENOENT) {
        if (call_may(c, RIGHT_WORKSPACE_LIST, &own))
            list(c, c->who.user_id);
    } else if (owner < 0 || name_parse(NAME_USER, span_of(text), name, NULL) < 0) {
        on_list_owner(c, STORE_NOT_FOUND, NULL);
    } else {
        store_user_get(call_store(c), call_loop(c), name, on_list_owner, c);
    }
}

/* ---- create ---- */

struct creation {
    size_t n;
    struct store_agent_new agents[WORKSPACE_AGENTS_MAX];
    struct api_agent_token tokens[WORKSPACE_AGENTS_MAX];
};

static void tell_change(struct call *c, const struct workspace *ws)
{
    struct web_change change = {.topics = WEB_TOPIC_WORKSPACES | WEB_TOPIC_WORKSPACE,
                                .owner_id = ws->owner_id,
                                .workspace_id = ws->id};

    c->web->o.live->changed(c->web->o.live_ud, &change);
}

static void answer_created(struct call *c, const struct store_workspace *ws)
{
    struct creation *made = c->state;
    struct api_workspace_created msg = {.tokens = made->tokens, .n_tokens = made->n};
    char target[2 * NAME_SIZE];

    snprintf(target, sizeof(target), "%s/%s", ws->ws.owner_name, ws->ws.name);
    show_workspace(c, ws, &msg.workspace);
    tell_change(c, &ws->ws);
    call_record_workspace(c, AUDIT_WORKSPACE_CREATE, target);
    call_answer(c, 201, &api_workspace_created_type, &msg);
    free(msg.workspace.agents);
}

static void on_created(void *ud, int r, const struct store_workspace *ws)
{
    struct call *c = ud;

    switch (r) {
    case STORE_OK:
        answer_created(c, ws);
        break;
    case STORE_EXISTS:
        call_fail_field(c, 409, "name", "There is a workspace of this name already.");
        break;
    case STORE_NO_TEMPLATE:
        call_fail_field(c, 400, "template", "There is no template of this name.");
        break;
    case STORE_NO_OWNER:
        call_not_found(c);
        break;
    default:
        call_store_failed(c, r);
    }
}

/* False: two have one name, and the call has ended. */
static bool make_agents(struct call *c, struct creation *made)
{
    const struct api_workspace_create *msg = c->msg;

    made->n = msg->n_agents ? msg->n_agents : 1;
    for (size_t i = 0; i < made->n; i++) {
        struct api_agent_token *t = &made->tokens[i];

        str_copy(t->agent, sizeof(t->agent),
                 msg->n_agents ? msg->agents[i].name : agent_default_name);
        for (size_t j = 0; j < i; j++)
            if (str_eq(made->tokens[j].agent, t->agent)) {
                call_fail_field(c, 400, "agents", "Two agents have the same name.");
                return false;
            }
        token_make(TOKEN_LETTER_AGENT, t->token, made->agents[i].token_hash);
        made->agents[i].name = t->agent;
    }
    return true;
}

static void create(struct call *c, struct id owner_id)
{
    const struct api_workspace_create *msg = c->msg;
    struct creation *made;
    struct store_workspace_new ws;

    if (msg->n_agents > WORKSPACE_AGENTS_MAX) {
        call_fail_field(c, 400, "agents", "These are too many agents.");
        return;
    }
    made = call_state(c, sizeof(*made));
    if (!make_agents(c, made))
        return;
    ws = (struct store_workspace_new){.owner_id = owner_id,
                                      .name = msg->name,
                                      .template_name =
                                          msg->template_name[0] ? msg->template_name : "default",
                                      .agents = made->agents,
                                      .n_agents = made->n,
                                      .now = clock_realtime()};
    store_workspace_create(call_store(c), call_loop(c), &ws, on_created, c);
}

static void on_owner(void *ud, int r, const struct user *user)
{
    struct call *c = ud;
    const struct api_workspace_create *msg = c->msg;
    struct right_object what = {.owner = msg->owner, .workspace = msg->name};

    if (r != STORE_OK && r != STORE_NOT_FOUND) {
        call_store_failed(c, r);
        return;
    }
    if (r == STORE_OK)
        what.owner_id = user->id;
    if (!call_may(c, RIGHT_WORKSPACE_CREATE, &what))
        return;
    if (r == STORE_NOT_FOUND)
        call_fail_field(c, 400, "owner", "There is no user of this name.");
    else
        create(c, user->id);
}

void workspaces_create(struct call *c)
{
    const struct api_workspace_create *msg = c->msg;
    struct right_object own = {
        .owner_id = c->who.user_id, .owner = c->who.user, .workspace = msg->name};

    if (msg->owner[0] && !str_eq(msg->owner, c->who.user))
        store_user_get(call_store(c), call_loop(c), msg->owner, on_owner, c);
    else if (call_may(c, RIGHT_WORKSPACE_CREATE, &own))
        create(c, c->who.user_id);
}

/* ---- delete ---- */

static void on_deleted(void *ud, int r)
{
    struct call *c = ud;
    const struct workspace *ws = c->state;
    struct web_withdrawal what = {.workspace_id = ws->id, .agents = true};
    char target[2 * NAME_SIZE];

    if (r != STORE_OK) {
        call_store_failed(c, r);
        return;
    }
    snprintf(target, sizeof(target), "%s/%s", ws->owner_name, ws->name);
    c->web->o.live->withdraw(c->web->o.live_ud, &what);
    tell_change(c, ws);
    call_record_workspace(c, AUDIT_WORKSPACE_DELETE, target);
    call_done(c);
}

static void delete (struct call *c, const struct store_workspace *ws)
{
    *(struct workspace *)call_state(c, sizeof(ws->ws)) = ws->ws;
    store_workspace_delete(call_store(c), call_loop(c), ws->ws.id, on_deleted, c);
}

void workspaces_delete(struct call *c)
{
    workspaces_find(c, RIGHT_WORKSPACE_DELETE, delete);
}
