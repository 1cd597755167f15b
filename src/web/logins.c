#include "web/logins.h"

#include <string.h>

#include "api/user.h"
#include "http/exchange.h"
#include "model/password.h"
#include "web/instance.h"
#include "web/session_cookie.h"

/* Whole seconds, rounded up, for Retry-After. */
static unsigned seconds(usec_t wait)
{
    return (unsigned)((wait + USEC_PER_SEC - 1) / USEC_PER_SEC);
}

bool logins_failed(struct call *c, const struct login_answer *a, const char *wrong)
{
    switch (a->result) {
    case LOGIN_OK:
        return false;
    case LOGIN_WRONG:
        call_fail(c, 401, wrong, NULL);
        break;
    case LOGIN_TOO_MANY:
        headers_addf(&c->x->response, "Retry-After", "%u", seconds(a->retry_after));
        call_fail(c, 429, "Too many attempts; wait a little.",
                  "Retry-After says how many seconds.");
        break;
    case LOGIN_BUSY:
        call_retry(c, "busy", seconds(a->retry_after), "The server is busy; try again.");
        break;
    case LOGIN_SETUP_DONE:
        call_fail(c, 409, "This server has its first user already.", "Log in: adit login.");
        break;
    case LOGIN_GONE:
        call_not_found(c);
        break;
    case LOGIN_EXISTS:
        call_fail_field(c, 409, "name", "This name is taken.");
        break;
    default:
        call_store_failed(c, a->result);
    }
    return true;
}

void logins_answer(struct call *c, unsigned status, const struct login_answer *a)
{
    struct api_login_response msg = {.expires_at = a->expires_at, .user = *a->user};

    str_copy(msg.token, sizeof(msg.token), a->token);
    session_cookie_set(c->x, c->web->secure, a->token, clock_realtime(), a->expires_at);
    call_answer(c, status, &api_login_response_type, &msg);
    explicit_bzero(&msg, sizeof(msg));
}

bool logins_check_password(struct call *c, const char *field, const char *password)
{
    struct err err = ERR_INIT;

    if (password_check(span_of(password), &err) >= 0)
        return true;
    call_fail_field(c, 400, field, err.text);
    return false;
}
