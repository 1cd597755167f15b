#include "web/session_cookie.h"

#include "base/buf.h"
#include "http/exchange.h"
#include "proto/cookie.h"

enum { SET_COOKIE_MAX_LEN = 1024 };

static const char *cookie_name(bool secure)
{
    return secure ? "__Host-adit_session" : "adit_session";
}

bool session_cookie_find(const struct exchange *x, bool secure, struct span *ret_token)
{
    size_t at = 0;
    struct span field;

    while (headers_next(&x->headers, "Cookie", &at, &field))
        if (cookie_get(field, cookie_name(secure), ret_token) && ret_token->len > 0)
            return true;
    return false;
}

static void set(struct exchange *x, bool secure, const char *value, int64_t max_age_sec)
{
    struct set_cookie cookie = {
        .name = cookie_name(secure), .value = value, .max_age_sec = max_age_sec, .secure = secure};
    struct buf field = BUF_INIT(SET_COOKIE_MAX_LEN);

    if (set_cookie_format(&cookie, &field) >= 0)
        headers_add_span(&x->response, SPAN("Set-Cookie"), span_from(buf_data(&field), field.len));
    buf_wipe(&field);
}

void session_cookie_set(struct exchange *x, bool secure, const char *token, usec_t now,
                        usec_t expires_at)
{
    int64_t left = (expires_at - now) / USEC_PER_SEC;

    set(x, secure, token, expires_at == 0 ? -1 : left > 0 ? left : 0);
}

void session_cookie_clear(struct exchange *x, bool secure)
{
    set(x, secure, "", 0);
}
