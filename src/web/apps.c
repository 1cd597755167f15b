/*
 * The apps of an agent: those that the template brings, each with the workspace's own share of it,
 * and where a browser opens them. A share of what the template no longer has comes behind them.
 */
#include <stdlib.h>

#include "api/share.h"
#include "api/workspace.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/share.h"
#include "store/template.h"
#include "web/handlers.h"
#include "web/instance.h"
#include "web/shares.h"
#include "web/workspaces.h"

struct app_query {
    struct workspace ws;
    struct agent agent;
    bool without_agent;     /* it is the one that is meant when a URL names none */
    struct template policy; /* until the answer */
    struct api_news told;   /* the health of apps, the same */
};

/* What the agent's checks have shown; it may be away, or have an older template. */
static enum api_health health_of(const struct app_query *q, const struct app *app)
{
    if (!app->healthcheck.url)
        return API_HEALTH_DISABLED;
    for (size_t i = 0; i < q->told.n_health; i++)
        if (str_eq(q->told.health[i].slug, app->slug))
            return q->told.health[i].health;
    return API_HEALTH_UNKNOWN;
}

static void read_health(struct call *c, struct app_query *q)
{
    struct buf json = BUF_INIT(API_JSON_MAX_LEN);
    const struct web_live *live = c->web->o.live;

    if (live->agent_state(c->web->o.live_ud, &q->agent.id, WEB_AGENT_HEALTH, &json))
        api_news_read(span_from(buf_data(&json), json.len), API_LENIENT, &q->told, NULL);
    buf_deinit(&json);
}

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

/* The agent's share of an app, if it has one that counts. */
static const struct share *find_share(const struct app_query *q, const char *slug,
                                      const struct share *shares, size_t n, usec_t now)
{
    for (size_t i = 0; i < n; i++)
        if (!shares[i].port && str_eq(shares[i].slug, slug) &&
            id_equal(&shares[i].agent_id, &q->agent.id) && share_counts(&shares[i], now))
            return &shares[i];
    return NULL;
}

static void show(struct call *c, const struct app *app, const struct share *share,
                 struct api_app *ret)
{
    const struct app_query *q = c->state;
    struct link_place place = {.ws = &q->ws, .agent = &q->agent, .without_agent = q->without_agent};

    *ret = (struct api_app){.display_name = app->display_name,
                            .icon = app->icon,
                            .subdomain = app->subdomain,
                            .share = app->share,
                            .order = app->order,
                            .health = health_of(q, app)};
    str_copy(ret->slug, sizeof(ret->slug), app->slug);
    str_copy(ret->agent, sizeof(ret->agent), q->agent.name);
    if (share) {
        enum share_level max = template_max_app_share(&q->policy, app);
        share_show_app(c->web, &place, share, app, &ret->own);
        ret->share = share->level < max ? share->level : max;
        ret->url = ret->own.url;
    } else {
        ret->url = link_app(c->web, &place, app);
    }
}

static void show_missing(struct call *c, const struct share *share, struct api_app *ret)
{
    const struct app_query *q = c->state;

    *ret = (struct api_app){.share = SHARE_OWNER};
    str_copy(ret->slug, sizeof(ret->slug), share->slug);
    str_copy(ret->agent, sizeof(ret->agent), q->agent.name);
    share_show_app(c->web, NULL, share, NULL, &ret->own);
}

static void answer(struct call *c, const struct share *shares, size_t n)
{
    const struct app_query *q = c->state;
    const struct template *policy = &q->policy;
    struct api_apps msg = {.n_apps = 0};
    usec_t now = clock_realtime();

    msg.apps = xcalloc(policy->n_apps + n + 1, sizeof(*msg.apps));
    for (size_t i = 0; i < policy->n_apps; i++) {
        const struct app *app = &policy->apps[i];
        show(c, app, find_share(q, app->slug, shares, n, now), &msg.apps[msg.n_apps++]);
    }
    for (size_t i = 0; i < n; i++)
        if (!template_find_app(policy, shares[i].slug) &&
            find_share(q, shares[i].slug, shares, n, now) == &shares[i])
            show_missing(c, &shares[i], &msg.apps[msg.n_apps++]);
    call_answer(c, 200, &api_apps_type, &msg);
    for (size_t i = 0; i < msg.n_apps; i++)
        free(msg.apps[i].url); /* also that of its own share */
    free(msg.apps);
}

static void on_shares(void *ud, int r, const struct share *shares, size_t n)
{
    struct call *c = ud;
    struct app_query *q = c->state;
    struct template policy = q->policy;
    struct api_news told;

    read_health(c, q);
    told = q->told;
    if (r == STORE_OK)
        answer(c, shares, n);
    else
        call_store_failed(c, r);
    template_deinit(&policy);
    api_news_release(&told);
}

static void on_template(void *ud, int r, const struct store_template *t)
{
    struct call *c = ud;
    struct app_query *q = c->state;
    struct err err = ERR_INIT;

    if (r != STORE_OK) {
        call_store_failed(c, r);
        return;
    }
    if (api_policy_read(span_of(t->policy), &q->policy, &err) < 0) {
        log_error("a stored template cannot be read", LOG_STR("template", t->name),
                  LOG_STR("text", err.text));
        call_fail(c, 500, "The workspace's template cannot be read.", NULL);
        return;
    }
    sort(q->policy.apps, q->policy.n_apps);
    store_share_list(call_store(c), call_loop(c), q->ws.id, on_shares, c);
}

/* Whose apps are meant when a URL names no agent; NULL: there is none. */
static const struct agent *default_agent(const struct store_workspace *ws)
{
    for (size_t i = 0; i < ws->n_agents; i++)
        if (str_eq(ws->agents[i].name, agent_default_name))
            return &ws->agents[i];
    return ws->n_agents > 0 ? &ws->agents[0] : NULL;
}

static void start(struct call *c, const struct store_workspace *ws, const struct agent *agent)
{
    struct app_query *q = call_state(c, sizeof(*q));

    q->ws = ws->ws;
    q->without_agent = agent == default_agent(ws);
    if (agent)
        q->agent = *agent;
    store_template_get_id(call_store(c), call_loop(c), q->ws.template_id, on_template, c);
}

static void of_workspace(struct call *c, const struct store_workspace *ws)
{
    start(c, ws, default_agent(ws));
}

static void of_agent(struct call *c, const struct store_workspace *ws)
{
    const struct agent *agent = workspaces_agent(c, ws);

    if (agent)
        start(c, ws, agent);
}

void apps_list(struct call *c)
{
    workspaces_find(c, RIGHT_WORKSPACE_READ, of_workspace);
}

void apps_list_agent(struct call *c)
{
    workspaces_find(c, RIGHT_WORKSPACE_READ, of_agent);
}
