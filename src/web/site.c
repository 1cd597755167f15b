#include "web/site.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/routes.h"
#include "auth/auth.h"
#include "auth/login.h"
#include "auth/session.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "http/exchange.h"
#include "proto/app_url.h"
#include "store/token.h"
#include "store/user.h"
#include "web/answer.h"
#include "web/counters.h"
#include "web/dashboard.h"
#include "web/dashboard_files.h"
#include "web/instance.h"
#include "web/origin.h"
#include "web/session_cookie.h"
#include "web/site_page.h"

enum {
    PAGE_MAX_LEN = 64 << 10,
    FORM_MAX_LEN = 24 << 10,
    NEXT_SIZE = 8192,
    LOCATION_MAX = 4 * NEXT_SIZE,
    USER_SIZE = 256,
    PASSWORD_SIZE = 1024,
};

/* Somebody who is looking at a page. */
struct visit {
    struct web *web;
    struct exchange *x;
    struct identity who; /* zeros: nobody */
    void (*then)(struct visit *v);
    char user[USER_SIZE]; /* as typed */
    char next[NEXT_SIZE]; /* a path here */
    char ip[AUDIT_IP_SIZE];
};

static struct visit *visit_new(struct web *web, struct exchange *x)
{
    struct visit *v = new0(struct visit);

    v->web = web;
    v->x = x;
    web->o.live->client_ip(web->o.live_ud, x, v->ip);
    web->in_flight++;
    return v;
}

static void visit_free(struct visit *v)
{
    v->web->in_flight--;
    free(v);
}

static void fail(struct visit *v, unsigned status, const char *message)
{
    web_counters_add(v->web->o.counters, WEB_ROUTE_PAGES,
                     answer_error(v->x, status, message, NULL));
    visit_free(v);
}

static void go(struct visit *v, const char *location)
{
    answer_set_fields(v->x);
    headers_set(&v->x->response, "Location", location);
    exchange_respond(v->x, 303, NULL, 0);
    web_counters_add(v->web->o.counters, WEB_ROUTE_PAGES, 303);
    visit_free(v);
}

static void record(struct visit *v, enum audit_action action, const char *target,
                   const char *result)
{
    struct audit_event e = {.action = action, .actor_id = v->who.user_id};

    str_copy(e.actor, sizeof(e.actor), v->who.user);
    str_copy(e.target, sizeof(e.target), target);
    str_copy(e.ip, sizeof(e.ip), v->ip);
    str_copy(e.result, sizeof(e.result), result);
    web_record(v->web, &e);
}

/* ---- who it is ---- */

static void on_session(void *ud, int r, const struct identity *who)
{
    struct visit *v = ud;

    if (r < 0 && r != -EACCES) {
        fail(v, 503, "The server cannot reach its store at the moment; try again.");
        return;
    }
    if (r == 0)
        v->who = *who;
    v->then(v);
}

static void find_out(struct visit *v, void (*then)(struct visit *v))
{
    struct span token;

    v->then = then;
    if (session_cookie_find(v->x, v->web->secure, &token))
        session_check(v->web->o.auth, v->web->o.loop, token, on_session, v);
    else
        then(v);
}

/* Nobody is logged in: `then` when there is somebody who could, else the first set-up. */
static void on_setup_needed(void *ud, int r, bool needed)
{
    struct visit *v = ud;

    if (r != STORE_OK)
        fail(v, 503, "The server cannot reach its store at the moment; try again.");
    else if (needed && dashboard_is_there())
        go(v, "/setup");
    else
        v->then(v);
}

static void check_setup(struct visit *v, void (*then)(struct visit *v))
{
    v->then = then;
    store_setup_needed(auth_store(v->web->o.auth), v->web->o.loop, on_setup_needed, v);
}

/* ---- the dashboard ---- */

static void send_dashboard(struct visit *v)
{
    web_counters_add(v->web->o.counters, WEB_ROUTE_PAGES,
                     dashboard_answer(v->x, 200, &dashboard_page));
    visit_free(v);
}

/* To the log-in, and back to here from there. */
static void lead_to_login(struct visit *v)
{
    _cleanup_(buf_deinit) struct buf here = BUF_INIT(NEXT_SIZE - 1);
    _cleanup_(buf_deinit) struct buf query = BUF_INIT(LOCATION_MAX);
    _cleanup_(buf_deinit) struct buf location = BUF_INIT(LOCATION_MAX);

    bool back = same_origin_location(v->x->path, v->x->query, &here) >= 0 &&
                !str_eq(buf_cstr(&here), "/") &&
                form_append(&query, "next", span_of(buf_cstr(&here))) >= 0 &&
                buf_appendf(&location, "/login?%s", buf_cstr(&query)) >= 0;
    go(v, back ? buf_cstr(&location) : "/login");
}

static void dashboard_known(struct visit *v)
{
    if (identity_is_somebody(&v->who))
        send_dashboard(v);
    else
        check_setup(v, lead_to_login);
}

static void run_dashboard(struct web *web, struct exchange *x)
{
    find_out(visit_new(web, x), dashboard_known);
}

/* What a program without a dashboard shows. */
static void send_home(struct visit *v)
{
    _cleanup_(buf_deinit) struct buf page = BUF_INIT(PAGE_MAX_LEN);

    if (site_page_home(v->web, v->who.user, &page) < 0) {
        fail(v, 500, "The page is too large.");
        return;
    }
    site_page_send(v->web, v->x, 200, &page);
    visit_free(v);
}

static void run_home(struct web *web, struct exchange *x)
{
    find_out(visit_new(web, x), dashboard_is_there() ? dashboard_known : send_home);
}

static void on_setup_page(void *ud, int r, bool needed)
{
    struct visit *v = ud;

    if (r != STORE_OK)
        fail(v, 503, "The server cannot reach its store at the moment; try again.");
    else if (needed)
        send_dashboard(v);
    else
        go(v, "/");
}

static void run_setup(struct web *web, struct exchange *x)
{
    struct visit *v = visit_new(web, x);

    store_setup_needed(auth_store(web->o.auth), web->o.loop, on_setup_page, v);
}

/* ---- log-in ---- */

/* Where to go afterwards: a path of this origin, whatever was asked for. */
static void read_next(struct visit *v, struct span form)
{
    _cleanup_(buf_deinit) struct buf location = BUF_INIT(NEXT_SIZE - 1);
    char text[NEXT_SIZE];
    ssize_t len = query_get(form, "next", text, sizeof(text));
    struct span next = span_from(text, len > 0 ? (size_t)len : 0);
    ptrdiff_t at = span_find(next, '?');
    struct span path = span_sub(next, 0, at < 0 ? next.len : (size_t)at);
    struct span query = at < 0 ? SPAN("") : span_sub(next, (size_t)at + 1, next.len);

    if (span_starts(next, "/") && span_find(next, '\\') < 0 &&
        same_origin_location(path, query, &location) == 0)
        str_copy(v->next, sizeof(v->next), buf_cstr(&location));
}

/* The app that is opened by this log-in, so that people see for what they type a password. */
static void name_app(const struct visit *v, char dst[static HOST_SIZE])
{
    static const char hand_over[] = API_PREFIX "/applications/auth-redirect?";
    struct span next = span_of(v->next);
    char text[URL_MAX_LEN + 1];
    struct app_host app;
    struct url url;
    ssize_t len = span_starts(next, hand_over)
                      ? query_get(span_sub(next, sizeof(hand_over) - 1, next.len), "redirect_uri",
                                  text, sizeof(text))
                      : -ENOENT;

    dst[0] = '\0';
    if (len < 0 || !v->web->o.apps ||
        app_url_parse(v->web->o.apps, span_from(text, (size_t)len), &url, &app) < 0)
        return;
    str_copy(dst, HOST_SIZE, url.host);
    url_deinit(&url);
}

static void send_form(struct visit *v, unsigned status, const char *error)
{
    _cleanup_(buf_deinit) struct buf page = BUF_INIT(PAGE_MAX_LEN);
    char app[HOST_SIZE];
    struct login_form form = {.user = v->user, .next = v->next, .app = app, .error = error};

    name_app(v, app);
    if (site_page_login(v->web, &form, &page) < 0) {
        fail(v, 500, "The page is too large.");
        return;
    }
    site_page_send(v->web, v->x, status, &page);
    visit_free(v);
}

static void send_empty_form(struct visit *v)
{
    send_form(v, 200, NULL);
}

static void login_known(struct visit *v)
{
    if (identity_is_somebody(&v->who))
        go(v, v->next[0] ? v->next : "/");
    else
        check_setup(v, send_empty_form);
}

static void run_login_page(struct web *web, struct exchange *x)
{
    struct visit *v = visit_new(web, x);

    if (x->query.p)
        read_next(v, x->query);
    find_out(v, login_known);
}

static void on_login(void *ud, const struct login_answer *a)
{
    struct visit *v = ud;
    struct exchange *x = v->x;

    switch (a->result) {
    case LOGIN_OK:
        v->who.user_id = a->user->id;
        str_copy(v->who.user, sizeof(v->who.user), a->user->name);
        record(v, AUDIT_LOGIN, a->user->name, "ok");
        session_cookie_set(x, v->web->secure, a->token, clock_realtime(), a->expires_at);
        go(v, v->next[0] ? v->next : "/");
        break;
    case LOGIN_WRONG:
        record(v, AUDIT_LOGIN, v->user, "wrong name or password");
        send_form(v, 401, "The name or the password is wrong.");
        break;
    case LOGIN_TOO_MANY:
        headers_addf(&x->response, "Retry-After", "%lld",
                     (long long)((a->retry_after + USEC_PER_SEC - 1) / USEC_PER_SEC));
        send_form(v, 429, "Too many attempts; wait a little.");
        break;
    default:
        send_form(v, 503, "The server is busy; try again.");
    }
}

static void on_form(struct exchange *x, int result, struct span body, void *ud)
{
    struct visit *v = ud;
    char password[PASSWORD_SIZE];
    ssize_t len;

    if (result < 0 && result != -EMSGSIZE && result != -ETIMEDOUT && result != -EPROTO) {
        visit_free(v);
        exchange_abort(x);
        return;
    }
    if (result < 0) {
        fail(v, exchange_status_of(result), "The form did not arrive in whole.");
        return;
    }
    read_next(v, body);
    len = query_get(body, "password", password, sizeof(password));
    if (query_get(body, "user", v->user, sizeof(v->user)) <= 0 || len <= 0) {
        v->user[0] = '\0';
        send_form(v, 400, "A name and a password are needed.");
    } else {
        struct login_request request = {.user = span_of(v->user),
                                        .password = span_from(password, (size_t)len),
                                        .ip = v->ip,
                                        .label = "browser"};
        login_start(v->web->o.auth, v->web->o.loop, &request, on_login, v);
    }
    explicit_bzero(password, sizeof(password));
}

static bool is_form(const struct exchange *x)
{
    struct span type = headers_get(&x->headers, "Content-Type");
    ptrdiff_t end = span_find(type, ';');

    return span_iis(span_trim(span_sub(type, 0, end < 0 ? type.len : (size_t)end)),
                    "application/x-www-form-urlencoded");
}

static void run_login(struct web *web, struct exchange *x)
{
    struct visit *v = visit_new(web, x);

    if (!origin_allows(x, web->o.access_url))
        fail(v, 403, "This request comes from another site.");
    else if (!is_form(x))
        fail(v, 415, "The log-in takes a form; programs use /api/v1/login.");
    else
        exchange_read_all(x, FORM_MAX_LEN, on_form, v);
}

/* ---- log-out ---- */

static void on_revoked(void *ud, int r)
{
    struct visit *v = ud;
    struct web_withdrawal what = {.token_id = v->who.token_id};

    if (r != STORE_OK && r != STORE_NOT_FOUND) {
        fail(v, 503, "The server cannot reach its store at the moment; try again.");
        return;
    }
    v->web->o.live->withdraw(v->web->o.live_ud, &what);
    record(v, AUDIT_LOGOUT, v->who.user, "ok");
    session_cookie_clear(v->x, v->web->secure);
    go(v, "/login");
}

static void logout_known(struct visit *v)
{
    if (identity_is_somebody(&v->who)) {
        store_token_revoke(auth_store(v->web->o.auth), v->web->o.loop, v->who.token_id, on_revoked,
                           v);
        return;
    }
    session_cookie_clear(v->x, v->web->secure);
    go(v, "/login");
}

static void run_logout(struct web *web, struct exchange *x)
{
    struct visit *v = visit_new(web, x);

    if (origin_is_here(x, web->o.access_url))
        find_out(v, logout_known);
    else
        fail(v, 403, "This request comes from another site.");
}

const struct site_route *site_routes(size_t *ret_n)
{
    static const struct site_route routes[] = {
        {"GET", "/", run_home},
        {"GET", "/login", run_login_page},
        {"POST", "/login", run_login},
        {"POST", "/logout", run_logout},
        /* The paths of dashboard/src/routes.tsx; without a dashboard they are not there. */
        {"GET", "/setup", run_setup},
        {"GET", "/workspaces/{owner}/{workspace}", run_dashboard},
        {"GET", "/templates", run_dashboard},
        {"GET", "/templates/{template}", run_dashboard},
        {"GET", "/people", run_dashboard},
        {"GET", "/tokens", run_dashboard},
        {"GET", "/account", run_dashboard},
        {"GET", "/audit", run_dashboard},
        {"GET", "/help", run_dashboard},
    };

    *ret_n = dashboard_is_there() ? ARRAY_LEN(routes) : 4;
    return routes;
}
