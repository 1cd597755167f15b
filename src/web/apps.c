/* The apps of a workspace, which its template brings, and where a browser opens them. */
#include <stdlib.h>

#include "api/share.h"
#include "api/workspace.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/template.h"
#include "web/handlers.h"
#include "web/instance.h"
#include "web/links.h"
#include "web/workspaces.h"

struct app_query {
    struct workspace ws;
    struct agent agent; /* whose apps are meant when a URL names no agent */
};

/* By `order`, then as the template has them. */
static void sort(struct app *apps, size_t n)
{
    for (size_t i = 1; i < n; i++)
        for (size_t k = i; k > 0 && apps[k].order < apps[k - 1].order; k--) {
            struct app swap = apps[k];
            apps[k] = apps[k - 1];
            apps[k - 1] = swap;
        }
}

static void answer(struct call *c, const struct template *policy)
{
    const struct app_query *q = c->state;
    struct link_place place = {.ws = &q->ws, .agent = &q->agent, .without_agent = true};
    struct api_app apps[TEMPLATE_APPS_MAX];
    struct api_apps msg = {.apps = apps, .n_apps = policy->n_apps};

    for (size_t i = 0; i < policy->n_apps; i++) {
        const struct app *app = &policy->apps[i];
        apps[i] = (struct api_app){.display_name = app->display_name,
                                   .icon = app->icon,
                                   .url = link_app(c->web, &place, app),
                                   .subdomain = app->subdomain,
                                   .share = app->share,
                                   .order = app->order};
        str_copy(apps[i].slug, sizeof(apps[i].slug), app->slug);
        str_copy(apps[i].agent, sizeof(apps[i].agent), q->agent.name);
    }
    call_answer(c, 200, &api_apps_type, &msg);
    for (size_t i = 0; i < msg.n_apps; i++)
        free(apps[i].url);
}

static void on_template(void *ud, int r, const struct store_template *t)
{
    struct call *c = ud;
    struct template policy;
    struct err err = ERR_INIT;

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
    sort(policy.apps, policy.n_apps);
    answer(c, &policy);
    template_deinit(&policy);
}

static void apps(struct call *c, const struct store_workspace *ws)
{
    struct app_query *q = call_state(c, sizeof(*q));

    q->ws = ws->ws;
    if (ws->n_agents > 0)
        q->agent = ws->agents[0];
    for (size_t i = 0; i < ws->n_agents; i++)
        if (str_eq(ws->agents[i].name, agent_default_name))
            q->agent = ws->agents[i];
    store_template_get_id(call_store(c), call_loop(c), q->ws.template_id, on_template, c);
}

void apps_list(struct call *c)
{
    workspaces_find(c, RIGHT_WORKSPACE_READ, apps);
}
