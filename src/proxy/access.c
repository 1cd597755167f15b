/*
 * What is decided before the store is asked (a log-in that comes back, a preflight, a ticket), and
 * what follows once the person may: the question whether the page that asks may, and the way to the
 * agent. Everything that was let through looks at the log of withdrawals once more when it has
 * entered the list that proxy_withdraw() goes through, so that no withdrawal falls in between.
 */
#include <errno.h>

#include "api/workspace.h"
#include "auth/auth.h"
#include "auth/hand_over.h"
#include "base/cleanup.h"
#include "http/exchange.h"
#include "proto/cookie.h"
#include "proxy/owners.h"
#include "proxy/request.h"
#include "store/template.h"

enum { TICKETS_MAX = 8, LOCATION_MAX = 2 * URL_MAX_LEN };

/* ---- the agent ---- */

static void on_moved(struct proxy *there, struct exchange *x, uint64_t link, void *ud)
{
    struct app_request *q = ud;
    q->proxy = there;
    there->in_flight++;
    if (there->closed) {
        exchange_abort(x);
        request_free(q);
        return;
    }
    if (link == 0) {
        request_page(q, &page_offline);
        return;
    }
    q->agent_link = link;
    list_append(&there->requests, &q->link);
    if (!withdrawal_log_hit(there->o.withdrawals, q->ticket.generation, &q->ticket.subject)) {
        transfer_start(q);
        return;
    }
    list_remove(&q->link);
    if (++q->tries >= RESOLVE_TRIES_MAX)
        request_page(q, &page_busy);
    else
        resolve_start(q);
}

static void move(struct app_request *q)
{
    struct proxy *p = q->proxy;
    request_has_asked(q);
    request_set_state(q, REQUEST_MOVE);
    p->in_flight--;
    int r = p->o.live->move(p->o.live_ud, q->x, &q->ticket.subject.agent_id, on_moved, q);
    if (r == 0)
        return;
    p->in_flight++;
    request_page(q, r == -ENOTCONN ? &page_offline : &page_busy);
}

/* "/" of an app whose URL has more than that. */
static bool goes_home(struct app_request *q)
{
    struct buf location = BUF_INIT(LOCATION_MAX);
    struct exchange *x = q->x;
    bool goes = q->ticket.home[0] && span_is(q->addr.path, "/") && x->query.len == 0 &&
                !q->upgrade && (span_is(x->method, "GET") || span_is(x->method, "HEAD"));
    if (goes) {
        struct span base = span_of(q->ticket.base);
        goes = buf_append(&location, base.p, base.len - 1) == 0 &&
               buf_append_str(&location, q->ticket.home) == 0;
    }
    if (goes) {
        request_add_fields(q);
        page_redirect(x, 307, buf_cstr(&location));
        request_free(q);
    }
    buf_deinit(&location);
    return goes;
}

static void go_on(struct app_request *q)
{
    if (!goes_home(q))
        move(q);
}

/* ---- the origin ---- */

/* Whose page asks. */
enum asker {
    ASKER_SAME,     /* the app itself */
    ASKER_OWN_APP,  /* another app of the same owner */
    ASKER_APP,      /* an app of somebody else */
    ASKER_SITE,     /* none of ours */
    ASKER_HIDDEN,   /* the browser does not say: "null" */
    ASKER_NO_PAGE,  /* a browser's extension, a program */
    ASKER_PATH_APP, /* the app itself, or another one, or the dashboard: one origin for all */
};

static bool only_reads(const struct app_request *q)
{
    return !q->upgrade && (span_is(q->x->method, "GET") || span_is(q->x->method, "HEAD") ||
                           span_is(q->x->method, "OPTIONS"));
}

/* Browsers do not send it for a page; another site's script would have to ask for that first. */
static bool shows_token(const struct app_request *q)
{
    return headers_has(&q->x->headers, "Adit-Session-Token");
}

/*
 * Apps are neighbours on one site, so that SameSite keeps nobody's cookies from requests that a
 * page of another owner's app makes. CORS hides the answers from it, which is too late for what
 * changes something, and says nothing of WebSockets. Those are refused to pages of other sites
 * too; forms of these are let through, because log-ins (SAML, OpenID Connect) come back by them.
 */
static bool may_ask(const struct app_request *q, enum asker asker)
{
    struct span site = headers_get(&q->x->headers, "Sec-Fetch-Site");
    switch (asker) {
    case ASKER_APP:
        return only_reads(q);
    case ASKER_SITE:
        return !q->upgrade || shows_token(q);
    case ASKER_HIDDEN:
        return only_reads(q) || shows_token(q) || !site.p || span_is(site, "same-origin") ||
               span_is(site, "none");
    default:
        return true;
    }
}

static void origin_known(struct app_request *q, enum asker asker)
{
    q->origin_allowed = asker == ASKER_SAME || asker == ASKER_OWN_APP;
    if (q->preflight) {
        cors_answer_preflight(&q->cors, q->origin_allowed, &q->x->response);
        exchange_respond(q->x, 204, NULL, 0);
        request_free(q);
    } else if (!q->ticket.everyone && !may_ask(q, asker)) {
        request_page(q, &page_foreign_origin);
    } else {
        go_on(q);
    }
}

static void on_origin_owner(void *ud, int r, const struct owner *owner)
{
    struct app_request *q = ud;
    if (r < 0)
        request_store_failed(q, r);
    else
        origin_known(q, r == STORE_OK && id_equal(&owner->user_id, &q->ticket.owner_id)
                            ? ASKER_OWN_APP
                            : ASKER_APP);
}

/* Of an origin that is no app's host. */
static enum asker asker_elsewhere(const struct app_request *q)
{
    struct url url;
    if (span_is(q->cors.origin, "null"))
        return ASKER_HIDDEN;
    if (url_parse(q->cors.origin, &url, NULL) < 0)
        return ASKER_NO_PAGE;
    bool web = url.scheme == URL_HTTP || url.scheme == URL_HTTPS;
    bool same = q->addr.by_path && str_eq(url.host, q->addr.site);
    url_deinit(&url);
    return same ? ASKER_PATH_APP : web ? ASKER_SITE : ASKER_NO_PAGE;
}

/*
 * Where both hosts say whose they are, their names decide, whether there is such a workspace or
 * not: a preflight carries no log-in, and its answer would tell strangers what there is.
 */
static bool names_tell(const struct app_request *q, const struct app_host *from)
{
    return !from->alias[0] && !q->addr.app.alias[0];
}

static void ask_origin(struct app_request *q)
{
    struct proxy *p = q->proxy;
    struct app_host app;
    struct url url;
    if (!p->o.site || app_origin_parse(p->o.site, q->cors.origin, &url, &app) < 0) {
        origin_known(q, asker_elsewhere(q));
        return;
    }
    bool same = str_eq(url.host, q->addr.site);
    url_deinit(&url);
    if (same)
        origin_known(q, ASKER_SAME);
    else if (names_tell(q, &app))
        origin_known(q, str_eq(app.user, q->addr.app.user) ? ASKER_OWN_APP : ASKER_APP);
    else if (request_may_ask(q))
        owners_find(p->owners, &app, on_origin_owner, q);
}

void access_granted(struct app_request *q)
{
    if (q->ticket.cors == CORS_SIMPLE && q->cors.present)
        ask_origin(q);
    else
        go_on(q);
}

/* ---- a ticket ---- */

static bool names_target(const struct address *addr, const struct ticket *t)
{
    char port[8];
    if (!addr->app.port)
        return str_eq(addr->app.slug, t->subject.target);
    snprintf(port, sizeof(port), "%u", addr->app.port);
    return str_eq(port, t->subject.target) && addr->app.port == t->port;
}

static bool is_for(const struct app_request *q, const struct ticket *t)
{
    return t->by_path == q->addr.by_path && str_eq(t->site, q->addr.site) &&
           str_eq(t->base, q->addr.base) && names_target(&q->addr, t);
}

static bool is_good(struct app_request *q, struct span text, struct ticket *ret)
{
    struct withdrawal_log *log = q->proxy->o.withdrawals;
    return ticket_memo_read(q->proxy->memo, text, q->now, ret) == 0 && is_for(q, ret) &&
           ret->epoch == withdrawal_log_epoch(log) &&
           !withdrawal_log_hit(log, ret->generation, &ret->subject);
}

/* Somebody who has logged in since is not nobody any more. */
static bool has_session(const struct app_request *q)
{
    const struct headers *h = &q->x->headers;
    struct span field, value;
    size_t at = 0;
    if (headers_has(h, "Adit-Session-Token"))
        return true;
    while (headers_next(h, "Cookie", &at, &field))
        if (cookie_get(field, q->proxy->cookies.app_session, &value))
            return true;
    return false;
}

/* A sibling app can set cookies of any name for all apps: ours is perhaps not the first. */
static bool find_ticket(struct app_request *q)
{
    struct span field, name, value;
    size_t at = 0;
    unsigned tried = 0;
    while (headers_next(&q->x->headers, "Cookie", &at, &field))
        while (tried < TICKETS_MAX && cookie_next(&field, &name, &value))
            if (span_is(name, COOKIE_TICKET) && ++tried && is_good(q, value, &q->ticket))
                return !id_is_zero(&q->ticket.subject.user_id) || !has_session(q);
    return false;
}

static void decide(struct app_request *q)
{
    if (find_ticket(q)) {
        q->ticketed = true;
        PROXY_COUNT(q, tickets_used, 1);
        access_granted(q);
    } else {
        resolve_start(q);
    }
}

/* ---- a preflight: before the log-in, which it never carries ---- */

static void on_template(void *ud, int r, const struct store_template *t)
{
    struct app_request *q = ud;
    struct template policy;
    struct err err = ERR_INIT;
    if (r < 0) {
        request_store_failed(q, r);
        return;
    }
    if (r != STORE_OK || api_policy_read(span_of(t->policy), &policy, &err) < 0) {
        origin_known(q, ASKER_SITE);
        return;
    }
    enum cors_behavior cors = policy.cors;
    template_deinit(&policy);
    if (cors == CORS_SIMPLE) {
        ask_origin(q);
        return;
    }
    q->preflight = false;
    q->preflight_done = true;
    decide(q);
}

static void on_target_owner(void *ud, int r, const struct owner *owner)
{
    struct app_request *q = ud;
    if (r < 0) {
        request_store_failed(q, r);
    } else if (r != STORE_OK) {
        ask_origin(q); /* as if it were there */
    } else {
        q->ticket.owner_id = owner->user_id;
        store_template_get_id(auth_store(q->proxy->o.auth), q->proxy->o.loop, owner->template_id,
                              on_template, q);
    }
}

/* ---- start ---- */

void access_start(struct app_request *q)
{
    char value[HAND_OVER_MAX_LEN + 1];
    if (!q->addr.by_path && q->x->query.len > 0) {
        ssize_t len = query_get(q->x->query, HAND_OVER_QUERY, value, sizeof(value));
        if (len != -ENOENT) {
            trade_start(q, len > 0 ? span_from(value, (size_t)len) : SPAN_NULL);
            return;
        }
    }
    q->preflight = q->cors.preflight;
    if (!q->preflight)
        decide(q);
    else if (request_may_ask(q))
        owners_find(q->proxy->owners, &q->addr.app, on_target_owner, q);
}
