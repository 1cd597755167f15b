/*
 * The steps of a call, each of which either goes on to the next or ends it:
 * start -> origin -> credential -> body -> message -> handler.
 */
#include "web/call.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/error.h"
#include "api/routes.h"
#include "auth/auth.h"
#include "auth/session.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "http/exchange.h"
#include "io/loop.h"
#include "proto/url.h"
#include "web/answer.h"
#include "web/counters.h"
#include "web/handlers.h"
#include "web/instance.h"
#include "web/origin.h"
#include "web/session_cookie.h"

enum { PAGE_MAX = 1000, INNER_ANSWER_MAX_LEN = 4 << 20, INNER_ARENA_MAX_LEN = 256 << 10 };

/* ---- the end ---- */

/* What an inner call has instead of an exchange. */
struct call_inner {
    struct arena arena;
    unsigned status; /* 0: not ended yet */
    struct buf json;
    struct defer deliver;
    call_ended_fn *ended; /* NULL: abandoned */
    void *ud;
};

static struct exchange *finish(struct call *c)
{
    struct exchange *x = c->x;

    if (c->msg) {
        api_release(c->handler->body, c->msg);
        free(c->msg);
    }
    c->web->in_flight--;
    free(c);
    return x;
}

/* True: this is an inner call, and it has ended. */
static bool inner_ends(struct call *c, unsigned status)
{
    if (!c->inner)
        return false;
    c->inner->status = status;
    defer_schedule(call_loop(c), &c->inner->deliver);
    return true;
}

static void count(struct call *c, unsigned status)
{
    web_counters_add(c->web->o.counters, c->route, status);
    finish(c);
}

void call_answer(struct call *c, unsigned status, const struct api_type *type, const void *msg)
{
    if (c->inner && api_write(type, msg, &c->inner->json) < 0)
        status = 500;
    /* Answered before the call is freed: the answer may point into the request's message. */
    if (!inner_ends(c, status))
        count(c, answer_message(c->x, status, type, msg));
}

void call_done(struct call *c)
{
    if (!inner_ends(c, 204))
        count(c, answer_empty(c->x));
}

void call_fail(struct call *c, unsigned status, const char *message, const char *detail)
{
    if (!inner_ends(c, status))
        count(c, answer_error(c->x, status, message, detail));
}

void call_problem(struct call *c, const struct api_problem *problem)
{
    if (!inner_ends(c, 400))
        count(c, answer_problem(c->x, problem));
}

void call_fail_field(struct call *c, unsigned status, const char *field, const char *message)
{
    if (!inner_ends(c, status))
        count(c, answer_field(c->x, status, field, message));
}

void call_not_found(struct call *c)
{
    if (!inner_ends(c, 404))
        count(c, answer_not_found(c->x));
}

void call_retry(struct call *c, const char *reason, unsigned after_sec, const char *message)
{
    if (!inner_ends(c, 503))
        count(c, answer_retry(c->x, reason, after_sec, message));
}

void call_store_failed(struct call *c, int r)
{
    struct log_limit *limit = &c->web->store_log;
    char text[256];
    unsigned held_back;

    if (r == STORE_NOT_FOUND) {
        call_not_found(c);
    } else if (r > 0) {
        call_fail(c, 409, "This is not possible now.", store_result_text(r));
    } else {
        if (r != -ECANCELED && log_limit_pass(limit, loop_now(call_loop(c)), &held_back)) {
            store_last_error(call_store(c), text, sizeof(text));
            log_error("the store failed", LOG_STR("result", err_name(r)), LOG_STR("text", text),
                      LOG_INT("held_back", held_back));
        }
        call_retry(c, "busy", 5, "The server cannot reach its store at the moment; try again.");
    }
}

struct exchange *call_release(struct call *c)
{
    return finish(c);
}

/* ---- what handlers ask ---- */

struct store *call_store(const struct call *c)
{
    return auth_store(c->web->o.auth);
}

struct loop *call_loop(const struct call *c)
{
    return c->web->o.loop;
}

const char *call_param(const struct call *c, const char *name)
{
    const char *value = route_param(&c->params, name);

    return value ? value : "";
}

bool call_param_id(const struct call *c, const char *name, struct id *ret)
{
    return id_parse(span_of(call_param(c, name)), ret) >= 0;
}

bool call_page(struct call *c, struct store_page *ret)
{
    char text[64];
    uint64_t limit;
    ssize_t len = query_get(c->query, "after", text, sizeof(text));

    *ret = (struct store_page){.limit = PAGE_MAX};
    if (len != -ENOENT && (len < 0 || id_parse(span_of(text), &ret->after) < 0)) {
        call_fail(c, 400, "The query's \"after\" is not the id that an answer gave as \"next\".",
                  NULL);
        return false;
    }
    len = query_get(c->query, "limit", text, sizeof(text));
    if (len == -ENOENT)
        return true;
    if (len < 0 || num_parse(span_of(text), 1, PAGE_MAX, &limit) < 0) {
        call_fail(c, 400, "The query's \"limit\" is not a number from 1 to 1000.", NULL);
        return false;
    }
    ret->limit = (unsigned)limit;
    return true;
}

void *call_state(struct call *c, size_t size)
{
    c->state = arena_alloc(c->arena, size);
    if (!c->state)
        abort(); /* a request's head leaves most of the arena free */
    return c->state;
}

void call_wipe_state(struct call *c, size_t size)
{
    explicit_bzero(c->state, size);
}

bool call_may(struct call *c, enum right_action action, const struct right_object *what)
{
    switch (right_check(&c->who, action, what)) {
    case RIGHT_YES:
        return true;
    case RIGHT_LOG_IN:
        call_fail(c, 401, "Log in first.", NULL);
        return false;
    case RIGHT_NO:
        call_fail(c, 403, "You may not do this.",
                  c->who.scope.kind == SCOPE_ALL
                      ? NULL
                      : "The token that was used is limited to its scope.");
        return false;
    case RIGHT_HIDDEN:
        break;
    }
    call_not_found(c);
    return false;
}

struct audit_event call_event(const struct call *c, enum audit_action action, const char *target)
{
    struct audit_event e = {.action = action, .actor_id = c->who.user_id};

    str_copy(e.actor, sizeof(e.actor), c->who.user);
    str_copy(e.target, sizeof(e.target), target ? target : "");
    str_copy(e.ip, sizeof(e.ip), c->ip);
    str_copy(e.result, sizeof(e.result), "ok");
    return e;
}

void call_record(struct call *c, enum audit_action action, const char *target)
{
    struct audit_event e = call_event(c, action, target);

    web_record(c->web, &e);
}

void call_record_workspace(struct call *c, enum audit_action action, const char *workspace)
{
    struct audit_event e = call_event(c, action, workspace);

    str_copy(e.workspace, sizeof(e.workspace), workspace);
    web_record(c->web, &e);
}

/* ---- the steps, last one first ---- */

static void on_body(struct exchange *x, int result, struct span body, void *ud)
{
    struct call *c = ud;
    struct api_problem problem = {0};

    if (result == -EMSGSIZE) {
        call_fail(c, 413, "The request's body is too large.", NULL);
        return;
    }
    if (result == -ETIMEDOUT || result == -EPROTO) {
        call_fail(c, exchange_status_of(result), "The request's body did not arrive in whole.",
                  NULL);
        return;
    }
    if (result < 0) {
        exchange_abort(call_release(c));
        return;
    }
    c->msg = xcalloc(1, c->handler->body->size);
    if (api_read(c->handler->body, body, API_STRICT, c->msg, &problem) < 0) {
        call_problem(c, &problem);
        return;
    }
    c->handler->run(c);
}

/* "application/json", parameters allowed (RFC 8259 section 11 defines none that matter). */
static bool is_json(const struct exchange *x)
{
    struct span type = headers_get(&x->headers, "Content-Type");
    ptrdiff_t semicolon = span_find(type, ';');

    if (semicolon >= 0)
        type = span_sub(type, 0, (size_t)semicolon);
    return headers_count(&x->headers, "Content-Type") == 1 &&
           span_iis(span_trim(type), "application/json");
}

static void step_body(struct call *c)
{
    if (!c->handler->body) {
        if (exchange_body_length(c->x) != 0)
            call_fail(c, 400, "This request takes no body.", NULL);
        else
            c->handler->run(c);
        return;
    }
    if (!is_json(c->x)) {
        call_fail(c, 415, "The request's body must be JSON.",
                  "Send it with Content-Type: application/json.");
        return;
    }
    if (headers_has(&c->x->headers, "Content-Encoding")) {
        call_fail(c, 415, "The request's body must not be compressed.", NULL);
        return;
    }
    exchange_read_all(c->x, c->web->o.body_max, on_body, c);
}

static void on_user(void *ud, int r, const struct identity *who)
{
    struct call *c = ud;

    if (r == -EACCES) {
        call_fail(c, 401, "The token or session is not valid, or has expired.",
                  "Log in again: adit login.");
        return;
    }
    if (r < 0) {
        call_store_failed(c, r);
        return;
    }
    c->who = *who;
    step_body(c);
}

static void on_agent(void *ud, int r, const struct workspace *ws, const struct agent *agent)
{
    struct call *c = ud;

    if (r == -EACCES)
        call_fail(c, 401, "The agent's token is not valid.",
                  "It may have been replaced, or its workspace deleted.");
    else if (r < 0)
        call_store_failed(c, r);
    else
        c->handler->run_agent(c, ws, agent);
}

/* The credential's text: of the Authorization field (RFC 6750 section 2.1), else of the cookie. */
static bool find_credential(struct call *c, bool cookie_allowed, struct span *ret)
{
    const struct headers *h = &c->x->headers;
    struct span field = headers_get(h, "Authorization");

    if (field.p) {
        if (headers_count(h, "Authorization") != 1 || field.len < 7 ||
            !span_iis(span_sub(field, 0, 7), "Bearer "))
            return false;
        *ret = span_trim(span_sub(field, 7, field.len));
        return ret->len > 0;
    }
    c->by_cookie = cookie_allowed && session_cookie_find(c->x, c->web->secure, ret);
    return c->by_cookie;
}

static void step_credential(struct call *c)
{
    enum api_auth needed = api_routes[c->route].auth;
    struct span token;

    if (needed == API_AUTH_NONE) {
        step_body(c);
        return;
    }
    if (!find_credential(c, needed == API_AUTH_USER, &token)) {
        call_fail(c, 401, needed == API_AUTH_USER ? "Log in first." : "An agent's token is needed.",
                  headers_has(&c->x->headers, "Authorization")
                      ? "The Authorization field must be \"Bearer\" and a token."
                      : NULL);
        return;
    }
    if (c->by_cookie && !origin_allows_cookie(c->x, c->web->o.access_url)) {
        call_fail(c, 403, "This request comes from another site.",
                  "With the session cookie, requests that change something need the field "
                  "Adit-Csrf: 1 and come from a page of this server.");
        return;
    }
    c->withdrawals = c->web->o.live->withdrawals(c->web->o.live_ud);
    if (needed == API_AUTH_USER)
        session_check(c->web->o.auth, call_loop(c), token, on_user, c);
    else
        session_check_agent(c->web->o.auth, call_loop(c), token, on_agent, c);
}

void call_start(struct web *web, struct exchange *x, unsigned route, const struct handler *handler,
                const struct route_params *params)
{
    struct call *c = new0(struct call);

    c->web = web;
    c->x = x;
    c->arena = &x->arena;
    c->query = x->query;
    c->route = route;
    c->handler = handler;
    c->params = *params;
    web->in_flight++;
    web->o.live->client_ip(web->o.live_ud, x, c->ip);
    if (!origin_allows(x, web->o.access_url)) {
        call_fail(c, 403, "This request comes from another site.", NULL);
        return;
    }
    step_credential(c);
}

/* ---- inner calls ---- */

static void deliver(void *ud)
{
    struct call *c = ud;
    struct call_inner *inner = c->inner;

    finish(c);
    if (inner->ended)
        inner->ended(inner->status,
                     inner->status / 100 == 2 ? span_from(buf_data(&inner->json), inner->json.len)
                                              : SPAN_NULL,
                     inner->ud);
    arena_deinit(&inner->arena);
    buf_deinit(&inner->json);
    free(inner);
}

struct call *call_inner_start(struct web *web, unsigned route, const struct identity *who,
                              const struct route_params *params, struct span query,
                              call_ended_fn *ended, void *ud)
{
    struct call *c = new0(struct call);
    struct call_inner *inner = new0(struct call_inner);

    arena_init(&inner->arena, INNER_ARENA_MAX_LEN);
    buf_init(&inner->json, INNER_ANSWER_MAX_LEN);
    defer_init(&inner->deliver, deliver, c);
    inner->ended = ended;
    inner->ud = ud;
    *c = (struct call){.web = web,
                       .inner = inner,
                       .arena = &inner->arena,
                       .handler = &web_handlers[route],
                       .route = route,
                       .who = *who};
    for (size_t i = 0; i < params->len; i++)
        c->params.list[c->params.len++] =
            (struct route_param){.name = params->list[i].name,
                                 .value = arena_strdup(&inner->arena, params->list[i].value)};
    c->query = span_of(arena_span_dup(&inner->arena, query));
    web->in_flight++;
    c->handler->run(c);
    return c;
}

struct call *call_abandon(struct call *c)
{
    if (c)
        c->inner->ended = NULL;
    return NULL;
}
