/*
 * What other people share with the caller: shares from the store, then the templates of their
 * workspaces, one after the other, because a template limits how far a share goes and says what
 * apps there are. What the caller cannot open now is left out, so that a piece of the list may be
 * shorter than was asked for, or empty, with more behind it.
 *
 * What everybody on the network may open is not listed: nobody meant the caller by it. So are apps
 * that the template opens by itself.
 */
#include <stdlib.h>
#include <string.h>

#include "api/share.h"
#include "api/workspace.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/share.h"
#include "store/template.h"
#include "web/handlers.h"
#include "web/instance.h"
#include "web/links.h"
#include "web/workspaces.h"

struct known_template {
    struct id id;
    bool usable;
    struct template policy;
};

struct shared_query {
    struct store_page page;
    struct store_shared *rows;
    size_t n;
    struct known_template *templates;
    size_t n_templates;
};

/* What an agent has told of itself last. */
struct told {
    struct id agent_id;
    struct api_ports ports;
    struct api_news health;
};

static void release(struct shared_query *q)
{
    for (size_t i = 0; i < q->n_templates; i++)
        template_deinit(&q->templates[i].policy);
    free(q->templates);
    free(q->rows);
}

/* Its place among those there are; n_templates: it is not there. */
static size_t find_template(const struct shared_query *q, const struct id *id)
{
    size_t i = 0;
    while (i < q->n_templates && !id_equal(&q->templates[i].id, id))
        i++;
    return i;
}

/* ---- what is there now ---- */

static void told_release(struct told *t)
{
    api_ports_release(&t->ports);
    api_news_release(&t->health);
}

/* Rows come by agent. */
static void told_read(struct call *c, const struct id *agent_id, struct told *t)
{
    const struct web_live *live = c->web->o.live;
    struct buf json = BUF_INIT(API_JSON_MAX_LEN);

    if (id_equal(&t->agent_id, agent_id))
        return;
    told_release(t);
    t->agent_id = *agent_id;
    if (live->agent_state(c->web->o.live_ud, agent_id, WEB_AGENT_PORTS, &json))
        api_ports_read(span_from(buf_data(&json), json.len), API_LENIENT, &t->ports, NULL);
    buf_clear(&json);
    if (live->agent_state(c->web->o.live_ud, agent_id, WEB_AGENT_HEALTH, &json))
        api_news_read(span_from(buf_data(&json), json.len), API_LENIENT, &t->health, NULL);
    buf_deinit(&json);
}

static const struct api_port *find_port(const struct told *t, uint16_t port)
{
    const struct api_port *open = api_port_find(t->ports.ports, t->ports.n_ports, port);
    return open ? open : api_port_find(t->ports.unlisted, t->ports.n_unlisted, port);
}

static enum api_health find_health(const struct told *t, const struct app *app)
{
    if (!app->healthcheck.url)
        return API_HEALTH_DISABLED;
    for (size_t i = 0; i < t->health.n_health; i++)
        if (str_eq(t->health.health[i].slug, app->slug))
            return t->health.health[i].health;
    return API_HEALTH_UNKNOWN;
}

/* ---- showing ---- */

/* The level that counts. */
static enum share_level level_of(const struct call *c, const struct share *share,
                                 const struct template *policy, const struct app *app)
{
    enum share_level max =
        share->port ? policy->max_port_share_level : template_max_app_share(policy, app);

    if (app && !app->subdomain && !c->web->o.path_app_sharing)
        return SHARE_OWNER;
    return share->level < max ? share->level : max;
}

static bool may_open(const struct call *c, const struct store_shared *row, enum share_level level)
{
    struct right_object what = workspaces_object(&row->ws);

    what.level = level;
    what.named = row->share.level == SHARE_USERS;
    return level > SHARE_OWNER && right_check(&c->who, RIGHT_APP, &what) == RIGHT_YES;
}

static void show_port(struct call *c, const struct store_shared *row, const struct told *told,
                      struct api_shared_target *ret)
{
    struct link_place place = {
        .ws = &row->ws, .agent = &row->agent, .without_agent = row->only_agent};
    const struct api_port *port = find_port(told, row->share.port);
    bool tls = row->share.protocol == SHARE_HTTPS || (port && port->speaks == API_PORT_TLS);

    ret->port = row->share.port;
    ret->listening = port != NULL;
    ret->url = link_port(c->web, &place, row->share.port, tls);
}

static void show_app(struct call *c, const struct store_shared *row, const struct told *told,
                     const struct app *app, struct api_shared_target *ret)
{
    struct link_place place = {
        .ws = &row->ws, .agent = &row->agent, .without_agent = row->default_agent};

    str_copy(ret->slug, sizeof(ret->slug), app->slug);
    ret->display_name = app->display_name;
    ret->health = find_health(told, app);
    ret->url = link_app(c->web, &place, app);
}

/* False: it cannot be opened. */
static bool show(struct call *c, const struct store_shared *row, struct told *told,
                 struct api_shared_target *ret)
{
    const struct shared_query *q = c->state;
    size_t place = find_template(q, &row->ws.template_id);
    const struct known_template *t = &q->templates[place];
    const struct app *app = NULL;
    struct api_agent agent;

    if (place == q->n_templates || !t->usable)
        return false;
    if (!row->share.port && !(app = template_find_app(&t->policy, row->share.slug)))
        return false;
    *ret = (struct api_shared_target){.workspace_id = row->ws.id,
                                      .level = level_of(c, &row->share, &t->policy, app),
                                      .expires_at = row->share.expires_at};
    if (!may_open(c, row, ret->level))
        return false;
    str_copy(ret->owner, sizeof(ret->owner), row->ws.owner_name);
    str_copy(ret->workspace, sizeof(ret->workspace), row->ws.name);
    str_copy(ret->agent, sizeof(ret->agent), row->agent.name);
    workspaces_show_agent(c, &row->agent, &agent);
    ret->status = agent.status;
    told_read(c, &row->agent.id, told);
    if (app)
        show_app(c, row, told, app, ret);
    else
        show_port(c, row, told, ret);
    return ret->url != NULL;
}

static void answer(struct call *c)
{
    struct shared_query q = *(struct shared_query *)c->state;
    struct told told = {.agent_id = {{0}}};
    struct api_shared msg = {.n_shared = 0};

    msg.shared = xcalloc(q.n ? q.n : 1, sizeof(*msg.shared));
    for (size_t i = 0; i < q.n; i++)
        if (show(c, &q.rows[i], &told, &msg.shared[msg.n_shared]))
            msg.n_shared++;
    if (q.n > 0 && q.n == q.page.limit)
        msg.next = q.rows[q.n - 1].id;
    call_answer(c, 200, &api_shared_type, &msg);
    for (size_t i = 0; i < msg.n_shared; i++)
        free(msg.shared[i].url);
    free(msg.shared);
    told_release(&told);
    release(&q);
}

/* ---- asking ---- */

static void ask_next(struct call *c);

static void on_template(void *ud, int r, const struct store_template *stored)
{
    struct call *c = ud;
    struct shared_query *q = c->state;
    struct known_template *t = &q->templates[q->n_templates - 1];
    struct err err = ERR_INIT;

    if (r < 0) {
        release(q);
        call_store_failed(c, r);
        return;
    }
    t->usable = r == STORE_OK && api_policy_read(span_of(stored->policy), &t->policy, &err) == 0;
    if (r == STORE_OK && !t->usable)
        log_error("a stored template cannot be read", LOG_STR("template", stored->name),
                  LOG_STR("text", err.text));
    ask_next(c);
}

/* Until all templates are there. */
static void ask_next(struct call *c)
{
    struct shared_query *q = c->state;

    for (size_t i = 0; i < q->n; i++) {
        const struct id *wanted = &q->rows[i].ws.template_id;
        if (find_template(q, wanted) < q->n_templates)
            continue;
        q->templates[q->n_templates++] = (struct known_template){.id = *wanted};
        store_template_get_id(call_store(c), call_loop(c), *wanted, on_template, c);
        return;
    }
    answer(c);
}

static void on_shared(void *ud, int r, const struct store_shared *rows, size_t n)
{
    struct call *c = ud;
    struct shared_query *q = c->state;

    if (r != STORE_OK) {
        call_store_failed(c, r);
        return;
    }
    q->n = n;
    q->rows = xcalloc(n ? n : 1, sizeof(*q->rows));
    if (n > 0)
        memcpy(q->rows, rows, n * sizeof(*rows));
    q->templates = xcalloc(n ? n : 1, sizeof(*q->templates));
    ask_next(c);
}

void shared_list(struct call *c)
{
    struct right_object own = {.owner_id = c->who.user_id, .owner = c->who.user};
    struct shared_query *q;
    struct store_page page;

    if (!call_may(c, RIGHT_SHARED_LIST, &own) || !call_page(c, &page))
        return;
    q = call_state(c, sizeof(*q));
    q->page = page;
    store_shared_list(call_store(c), call_loop(c), c->who.user_id, clock_realtime(), page,
                      on_shared, c);
}
