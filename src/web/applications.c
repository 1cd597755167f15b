/*
 * The hand-over of a log-in to an app's host: a sealed value that this host trades for a session
 * of its own (auth/hand_over.h). It leads to hosts under the wildcard and nowhere else.
 */
#include <errno.h>
#include <string.h>

#include "auth/hand_over.h"
#include "auth/key_ring.h"
#include "auth/session.h"
#include "base/cleanup.h"
#include "http/exchange.h"
#include "proto/app_url.h"
#include "web/answer.h"
#include "web/counters.h"
#include "web/handlers.h"
#include "web/instance.h"
#include "web/session_cookie.h"

enum { LOCATION_MAX = 4 * URL_MAX_LEN };

static void go(struct call *c, const char *location)
{
    struct web *web = c->web;
    unsigned route = c->route;
    struct exchange *x = call_release(c);

    answer_set_fields(x);
    headers_set(&x->response, "Location", location);
    exchange_respond(x, 303, NULL, 0);
    web_counters_add(web->o.counters, route, 303);
}

/* To the log-in page, and back to here from there. */
static void go_to_login(struct call *c)
{
    _cleanup_(buf_deinit) struct buf here = BUF_INIT(LOCATION_MAX);
    _cleanup_(buf_deinit) struct buf location = BUF_INIT(LOCATION_MAX);
    _cleanup_(buf_deinit) struct buf query = BUF_INIT(LOCATION_MAX);

    if (same_origin_location(c->x->path, c->x->query, &here) < 0 ||
        form_append(&query, "next", span_from(buf_data(&here), here.len)) < 0 ||
        buf_appendf(&location, "/login?%s", buf_cstr(&query)) < 0)
        call_fail(c, 400, "The address is too long.", NULL);
    else
        go(c, buf_cstr(&location));
}

static int seal(struct call *c, const char *host, struct buf *dst)
{
    usec_t now = clock_realtime();
    bool of_app = c->who.kind == TOKEN_APP;
    struct hand_over h = {.user_id = c->who.user_id,
                          .session_id = of_app ? c->who.parent_id : c->who.token_id,
                          .session_expires_at = c->who.expires_at,
                          .expires_at = now + HAND_OVER_LIFE};
    unsigned char hash[TOKEN_HASH_LEN];
    int r;

    str_copy(h.site, sizeof(h.site), host);
    token_make(TOKEN_LETTER_APP, h.token, hash);
    r = hand_over_seal(c->web->o.hand_overs, &h, dst);
    explicit_bzero(&h, sizeof(h));
    return r;
}

static void hand_over(struct call *c, const struct url *url)
{
    struct buf location = BUF_INIT(LOCATION_MAX), value = BUF_INIT(HAND_OVER_MAX_LEN);
    int r = seal(c, url->host, &value);

    if (r == 0)
        r = url_format(url, &location);
    if (r == 0)
        r = buf_appendf(&location, "%c%s=%s", url->query ? '&' : '?', HAND_OVER_QUERY,
                        buf_cstr(&value));
    if (r == -ENOKEY)
        call_retry(c, "busy", 5, "The server is not ready to hand a log-in over; try again.");
    else if (r < 0)
        call_fail(c, 400, "The address is too long.", NULL);
    else
        go(c, buf_cstr(&location));
    buf_wipe(&value);
    buf_wipe(&location);
}

static void on_session(void *ud, int r, const struct identity *who)
{
    struct call *c = ud;
    char text[URL_MAX_LEN + 1];
    struct app_host app;
    struct url url;
    ssize_t len;

    if (r == -EACCES) {
        go_to_login(c);
        return;
    }
    if (r < 0) {
        call_store_failed(c, r);
        return;
    }
    c->who = *who;
    if (who->scope.kind == SCOPE_WORKSPACE) {
        call_fail(c, 403, "You may not do this.", "The token that was used is limited.");
        return;
    }
    len = query_get(c->x->query, "redirect_uri", text, sizeof(text));
    if (len < 0 || app_url_parse(c->web->o.apps, span_from(text, (size_t)len), &url, &app) < 0) {
        call_fail(c, 400, "This is not the address of an app.", NULL);
        return;
    }
    hand_over(c, &url);
    url_deinit(&url);
}

static bool find_token(const struct call *c, struct span *ret)
{
    struct span field = headers_get(&c->x->headers, "Authorization");

    if (!field.p)
        return session_cookie_find(c->x, c->web->secure, ret);
    *ret = span_trim(span_sub(field, 7, field.len));
    return span_iis(span_sub(field, 0, 7), "Bearer ") && ret->len > 0;
}

void applications_redirect(struct call *c)
{
    char text[URL_MAX_LEN + 1];
    ssize_t len = query_get(c->x->query, "redirect_uri", text, sizeof(text));
    struct app_host app;
    struct span token;
    struct url url;

    if (len < 0 || !c->web->o.apps ||
        app_url_parse(c->web->o.apps, span_from(text, (size_t)len), &url, &app) < 0) {
        call_fail(c, 400, "The query's \"redirect_uri\" is not the address of an app.",
                  "Only hosts under the wildcard access URL are.");
        return;
    }
    url_deinit(&url);
    if (find_token(c, &token))
        session_check(c->web->o.auth, call_loop(c), token, on_session, c);
    else
        go_to_login(c);
}
