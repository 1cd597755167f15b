/*
 * A log-in arrives from the access host: what it carries becomes an app session (a token of scope
 * application-connect that ends with the session behind it), and the browser goes on to the URL
 * that it asked for.
 */
#include <errno.h>
#include <string.h>

#include "auth/auth.h"
#include "auth/hand_over.h"
#include "http/exchange.h"
#include "proto/cookie.h"
#include "proxy/request.h"
#include "store/token.h"

enum { LOCATION_MAX = 2 * URL_MAX_LEN, COOKIE_FIELD_MAX = 1024 };

/* The same URL without the hand-over. */
static int location_of(struct app_request *q, struct buf *dst)
{
    struct buf query = BUF_INIT(URL_MAX_LEN * 2);
    int r = query_remove(q->x->query, HAND_OVER_QUERY, &query);
    if (r == 0)
        r = same_origin_location(q->x->path, span_from(buf_data(&query), query.len), dst);
    buf_wipe(&query);
    return r;
}

static void refuse(struct app_request *q)
{
    struct buf location = BUF_INIT(LOCATION_MAX);
    struct page page = page_bad_hand_over;
    if (location_of(q, &location) == 0) {
        page.link = buf_cstr(&location);
        page.link_text = "Open the app again";
    }
    request_page(q, &page);
    buf_deinit(&location);
}

/* For all apps, so that the next one opens by itself; a domain of one label is for no browser. */
static int set_session(struct app_request *q, const char *token)
{
    const struct app_pattern *pattern = &q->proxy->o.site->pattern;
    struct set_cookie cookie = {
        .name = q->proxy->cookies.app_session,
        .value = token,
        .domain = span_find(span_of(pattern->domain), '.') >= 0 ? pattern->domain : NULL,
        .max_age_sec = -1,
        .secure = q->proxy->secure};
    struct buf field = BUF_INIT(COOKIE_FIELD_MAX);
    int r = set_cookie_format(&cookie, &field);
    if (r == 0)
        r = headers_add_span(&q->x->response, SPAN("Set-Cookie"),
                             span_from(buf_data(&field), field.len));
    buf_wipe(&field);
    return r;
}

static bool open_value(struct app_request *q, struct hand_over *ret)
{
    char value[HAND_OVER_MAX_LEN + 1];
    ssize_t len = query_get(q->x->query, HAND_OVER_QUERY, value, sizeof(value));
    return len > 0 &&
           hand_over_open(q->proxy->o.hand_overs, span_from(value, (size_t)len), q->now, ret) ==
               0 &&
           str_eq(ret->site, q->addr.site);
}

static void on_token(void *ud, int r, const struct token *token)
{
    struct app_request *q = ud;
    struct buf location = BUF_INIT(LOCATION_MAX);
    struct hand_over h;
    if (r < 0) {
        request_store_failed(q, r);
        return;
    }
    /* STORE_EXISTS: it was used before; STORE_NOT_FOUND: logged out meanwhile. */
    if (r != STORE_OK || !open_value(q, &h) || location_of(q, &location) < 0 ||
        set_session(q, h.token) < 0) {
        refuse(q);
    } else {
        page_redirect(q->x, 303, buf_cstr(&location));
        request_free(q);
    }
    explicit_bzero(&h, sizeof(h));
    buf_deinit(&location);
}

void trade_start(struct app_request *q, struct span value)
{
    struct store_token_new token = {
        .kind = TOKEN_APP, .name = "", .scope = {.kind = SCOPE_APPLICATION_CONNECT}, .now = q->now};
    struct hand_over h;
    enum token_letter letter;
    if (value.len == 0 || !open_value(q, &h) ||
        token_read(span_of(h.token), &letter, token.hash) < 0 || letter != TOKEN_LETTER_APP) {
        refuse(q);
        return;
    }
    if (!request_may_ask(q)) {
        explicit_bzero(&h, sizeof(h));
        return;
    }
    token.user_id = h.user_id;
    token.parent_id = h.session_id;
    token.expires_at = h.session_expires_at;
    explicit_bzero(&h, sizeof(h));
    store_token_create(auth_store(q->proxy->o.auth), q->proxy->o.loop, &token, on_token, q);
}
