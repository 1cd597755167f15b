/*
 * Session -> workspace and agent -> template -> app or share -> right. Each step asks the store
 * and goes on in its callback; the count of withdrawals is read before the first.
 */
#include <errno.h>

#include "api/workspace.h"
#include "auth/auth.h"
#include "auth/session.h"
#include "http/exchange.h"
#include "proto/cookie.h"
#include "proxy/request.h"
#include "store/share.h"
#include "store/template.h"
#include "store/workspace.h"

static struct store *store_of(const struct app_request *q)
{
    return auth_store(q->proxy->o.auth);
}

/* ---- the right ---- */

static usec_t earlier(usec_t a, usec_t b)
{
    return a == 0 ? b : b == 0 ? a : a < b ? a : b;
}

/* What the ticket says of the person and the thing; where it leads to is there already. */
static void fill_ticket(struct app_request *q)
{
    struct ticket *t = &q->ticket;
    t->by_path = q->addr.by_path;
    str_copy(t->site, sizeof(t->site), q->addr.site);
    str_copy(t->base, sizeof(t->base), q->addr.base);
    t->epoch = withdrawal_log_epoch(q->proxy->o.withdrawals);
    t->owner_id = q->ws.owner_id;
    t->subject.user_id = q->who.user_id;
    t->subject.token_id = q->who.token_id;
    t->subject.parent_id = q->who.parent_id;
    t->subject.workspace_id = q->ws.id;
    t->subject.agent_id = q->agent.id;
    t->subject.template_id = q->ws.template_id;
    t->right_ends_at = earlier(t->right_ends_at, q->who.expires_at);
    t->expires_at = earlier(q->now + TICKET_LIFE, t->right_ends_at);
}

static void decide(struct app_request *q, bool found, enum share_level level, bool named)
{
    const struct proxy_options *o = &q->proxy->o;
    bool somebody = identity_is_somebody(&q->who);
    struct right_object what = {.owner_id = q->ws.owner_id,
                                .owner = q->ws.owner_name,
                                .workspace = q->ws.name,
                                .level = level,
                                .named = named};
    if (q->addr.by_path) {
        what.no_administrators = !o->path_app_site_owner_access;
        if (!o->path_app_sharing)
            what.level = SHARE_OWNER;
    }
    enum right right = found ? right_check(&q->who, RIGHT_APP, &what) : RIGHT_HIDDEN;
    bool here = found && right == RIGHT_YES && o->live->presence(o->live_ud, &q->agent.id);
    q->ticket.everyone = what.level == SHARE_PUBLIC;
    fill_ticket(q);
    switch (situation_of(found, right, somebody, here, &q->asker)) {
    case SITUATION_PROXY:
        access_granted(q);
        break;
    case SITUATION_LOG_IN:
    case SITUATION_REFUSE:
        request_log_in(q);
        break;
    case SITUATION_NOT_FOUND:
        request_page(q, &page_not_found);
        break;
    case SITUATION_OFFLINE:
        request_page(q, &page_offline);
        break;
    }
}

static void missing(struct app_request *q)
{
    decide(q, false, SHARE_OWNER, false);
}

/* ---- app or share ---- */

static bool is_named(const struct share *share, const char *user)
{
    for (size_t i = 0; *user && i < share->users.len; i++)
        if (str_eq(share->users.items[i], user))
            return true;
    return false;
}

static void on_share(void *ud, int r, const struct share *share)
{
    struct app_request *q = ud;
    bool counts = r == STORE_OK && share_counts(share, q->now);
    if (r < 0) {
        request_store_failed(q, r);
        return;
    }
    if (!counts) {
        decide(q, true, q->default_level, false);
        return;
    }
    if (share->port && share->protocol == SHARE_HTTPS)
        q->ticket.tls = true;
    q->ticket.right_ends_at = share->expires_at;
    decide(q, true, share->level < q->max_level ? share->level : q->max_level,
           is_named(share, q->who.user));
}

/* The port or app by the template is there; it counts unless the owner has said something else. */
static void step_share(struct app_request *q, enum share_level default_level,
                       enum share_level max_level)
{
    q->default_level = default_level;
    q->max_level = max_level;
    store_share_get(store_of(q), q->proxy->o.loop, q->agent.id, q->ticket.subject.target, on_share,
                    q);
}

static void step_port(struct app_request *q, const struct template *policy)
{
    struct ticket *t = &q->ticket;
    t->port = q->addr.app.port;
    t->tls = q->addr.app.https;
    str_copy(t->host, sizeof(t->host), "localhost");
    snprintf(t->subject.target, sizeof(t->subject.target), "%u", t->port);
    step_share(q, SHARE_OWNER, policy->max_port_share_level);
}

/* Where the app is, as the template says. False: its URL cannot be used. */
static bool read_url(const char *text, struct ticket *t)
{
    struct url url;
    if (!text || url_parse(span_of(text), &url, NULL) < 0)
        return false;
    bool http = url.scheme == URL_HTTP || url.scheme == URL_HTTPS;
    t->tls = url.scheme == URL_HTTPS;
    t->port = url.port;
    str_copy(t->host, sizeof(t->host), url.host);
    if (url.query || !str_eq(url.path, "/")) {
        int n = snprintf(t->home, sizeof(t->home), "%s%s%s", url.path, url.query ? "?" : "",
                         url.query ? url.query : "");
        if (n < 0 || (size_t)n >= sizeof(t->home))
            t->home[0] = '\0';
    }
    url_deinit(&url);
    return http;
}

static void step_app(struct app_request *q, const struct template *policy)
{
    const struct app *app = template_find_app(policy, q->addr.app.slug);
    if (!app || !read_url(app->url, &q->ticket)) {
        missing(q);
        return;
    }
    str_copy(q->ticket.subject.target, sizeof(q->ticket.subject.target), app->slug);
    step_share(q, app->share, template_max_app_share(policy, app));
}

/* Whether the store has found it; if not, the request has been answered. */
static bool was_found(struct app_request *q, int r)
{
    if (r < 0)
        request_store_failed(q, r);
    else if (r != STORE_OK)
        missing(q);
    return r == STORE_OK;
}

static void on_template(void *ud, int r, const struct store_template *stored)
{
    struct app_request *q = ud;
    struct template policy;
    struct err err = ERR_INIT;
    if (!was_found(q, r))
        return;
    if (api_policy_read(span_of(stored->policy), &policy, &err) < 0) {
        log_error("a stored template cannot be read", LOG_STR("template", stored->name),
                  LOG_STR("text", err.text));
        request_page(q, &page_internal);
        return;
    }
    q->ticket.cors = policy.cors;
    if (policy.identity_headers) {
        str_copy(q->ticket.user, sizeof(q->ticket.user), q->who.user);
        str_copy(q->ticket.email, sizeof(q->ticket.email), q->who.email);
    }
    if (q->addr.app.port)
        step_port(q, &policy);
    else
        step_app(q, &policy);
    template_deinit(&policy);
}

/* ---- workspace and agent ---- */

static void step_template(struct app_request *q)
{
    store_template_get_id(store_of(q), q->proxy->o.loop, q->ws.template_id, on_template, q);
}

/*
 * Named, or the only one. An app of the template is on every agent: without a name the one that is
 * called `main`, or the oldest. For a port there is no telling which one is meant.
 */
static const struct agent *choose_agent(const struct store_workspace *ws, const char *name,
                                        bool is_port)
{
    const char *wanted = *name ? name : agent_default_name;
    if (!*name && ws->n_agents == 1)
        return &ws->agents[0];
    for (size_t i = 0; i < ws->n_agents; i++)
        if (str_eq(ws->agents[i].name, wanted) && (*name || !is_port))
            return &ws->agents[i];
    return *name || is_port || ws->n_agents == 0 ? NULL : &ws->agents[0];
}

static void on_workspace(void *ud, int r, const struct store_workspace *ws)
{
    struct app_request *q = ud;
    if (!was_found(q, r))
        return;
    const struct agent *agent = choose_agent(ws, q->addr.app.agent, q->addr.app.port > 0);
    if (!agent) {
        missing(q);
        return;
    }
    q->ws = ws->ws;
    q->agent = *agent;
    step_template(q);
}

static void on_agent(void *ud, int r, const struct workspace *ws, const struct agent *agent)
{
    struct app_request *q = ud;
    if (!was_found(q, r))
        return;
    q->ws = *ws;
    q->agent = *agent;
    step_template(q);
}

static void step_workspace(struct app_request *q)
{
    const struct app_host *app = &q->addr.app;
    if (app->alias[0])
        store_agent_get_alias(store_of(q), q->proxy->o.loop, app->alias, on_agent, q);
    else
        store_workspace_get(store_of(q), q->proxy->o.loop, app->user, app->workspace, on_workspace,
                            q);
}

/* ---- session ---- */

static void step_session(struct app_request *q);

static void on_identity(void *ud, int r, const struct identity *who)
{
    struct app_request *q = ud;
    if (r == -EACCES) {
        step_session(q); /* one that is not valid counts as none */
    } else if (r < 0) {
        request_store_failed(q, r);
    } else {
        q->who = *who;
        step_workspace(q);
    }
}

static void step_session(struct app_request *q)
{
    if (q->next_credential < q->n_credentials)
        session_check(q->proxy->o.auth, q->proxy->o.loop, q->credentials[q->next_credential++],
                      on_identity, q);
    else
        step_workspace(q);
}

static void add_credential(struct app_request *q, struct span text)
{
    if (text.len > 0 && q->n_credentials < CREDENTIALS_MAX)
        q->credentials[q->n_credentials++] = text;
}

static void add_cookies(struct app_request *q, const char *wanted)
{
    struct span field, name, value;
    size_t at = 0;
    while (headers_next(&q->x->headers, "Cookie", &at, &field))
        while (cookie_next(&field, &name, &value))
            if (span_is(name, wanted))
                add_credential(q, value);
}

/* The field by itself, or else cookies; an app's own Authorization is the app's. */
static void find_credentials(struct app_request *q)
{
    struct span field = headers_get(&q->x->headers, "Adit-Session-Token");
    q->n_credentials = q->next_credential = 0;
    if (field.p) {
        add_credential(q, field);
        return;
    }
    add_cookies(q, q->proxy->secure ? COOKIE_SESSION_SECURE : COOKIE_SESSION);
    add_cookies(q, q->proxy->cookies.app_session);
}

void resolve_start(struct app_request *q)
{
    if (!request_may_ask(q))
        return;
    request_set_state(q, REQUEST_RESOLVE);
    q->ticketed = false;
    q->who = (struct identity){.token_id = {{0}}};
    q->ticket = (struct ticket){.generation = withdrawal_log_count(q->proxy->o.withdrawals)};
    find_credentials(q);
    step_session(q);
}
