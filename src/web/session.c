/* Logging in and out, and what a person may ask about themselves. */
#include <string.h>

#include "api/user.h"
#include "auth/auth.h"
#include "store/token.h"
#include "store/user.h"
#include "web/handlers.h"
#include "web/instance.h"
#include "web/logins.h"
#include "web/session_cookie.h"

/* ---- log-in ---- */

/* Attempts that the limits refused are counted there; those that were tried are recorded. */
static void record_failure(struct call *c)
{
    const struct api_login_request *msg = c->msg;
    struct audit_event e = call_event(c, AUDIT_LOGIN, msg->user);

    str_copy(e.result, sizeof(e.result), "wrong name or password");
    web_record(c->web, &e);
}

static void on_login(void *ud, const struct login_answer *a)
{
    struct call *c = ud;

    if (a->result == LOGIN_WRONG)
        record_failure(c);
    if (logins_failed(c, a, "The name or the password is wrong."))
        return;
    c->who.user_id = a->user->id;
    str_copy(c->who.user, sizeof(c->who.user), a->user->name);
    call_record(c, AUDIT_LOGIN, a->user->name);
    logins_answer(c, 200, a);
}

void session_login(struct call *c)
{
    const struct api_login_request *msg = c->msg;
    struct login_request request = {.user = span_of(msg->user),
                                    .password = span_of(msg->password),
                                    .ip = c->ip,
                                    .label = msg->label};

    login_start(c->web->o.auth, call_loop(c), &request, on_login, c);
}

/* ---- log-out ---- */

static void on_logout(void *ud, int r)
{
    struct call *c = ud;
    struct web_withdrawal what = {.token_id = c->who.token_id};

    if (r != STORE_OK && r != STORE_NOT_FOUND) {
        call_store_failed(c, r);
        return;
    }
    c->web->o.live->withdraw(c->web->o.live_ud, &what);
    call_record(c, AUDIT_LOGOUT, c->who.user);
    session_cookie_clear(c->x, c->web->secure);
    call_done(c);
}

void session_logout(struct call *c)
{
    store_token_revoke(call_store(c), call_loop(c), c->who.token_id, on_logout, c);
}

/* ---- me ---- */

struct me {
    struct token token;
};

static void on_me_user(void *ud, int r, const struct user *user)
{
    struct call *c = ud;
    const struct me *me = c->state;
    struct api_me msg;

    if (r != STORE_OK) {
        call_store_failed(c, r);
        return;
    }
    msg = (struct api_me){.user = *user, .token = me->token};
    call_answer(c, 200, &api_me_type, &msg);
}

static void on_me_token(void *ud, int r, const struct token *token)
{
    struct call *c = ud;
    struct me *me;

    if (r != STORE_OK) {
        call_store_failed(c, r);
        return;
    }
    me = call_state(c, sizeof(*me));
    me->token = *token;
    store_user_get_id(call_store(c), call_loop(c), c->who.user_id, on_me_user, c);
}

void session_me(struct call *c)
{
    store_token_get(call_store(c), call_loop(c), c->who.token_id, on_me_token, c);
}

/* ---- password ---- */

static void on_password(void *ud, const struct login_answer *a)
{
    struct call *c = ud;
    struct audit_event e = call_event(c, AUDIT_USER_UPDATE, c->who.user);
    struct web_withdrawal what = {.user_id = c->who.user_id};

    if (a->result == LOGIN_WRONG) {
        str_copy(e.result, sizeof(e.result), "wrong old password");
        web_record(c->web, &e);
        call_fail_field(c, 403, "old_password", "This is not the password.");
        return;
    }
    if (logins_failed(c, a, ""))
        return;
    /* The user's other sessions are gone; what they had open comes back only with a right. */
    c->web->o.live->withdraw(c->web->o.live_ud, &what);
    str_copy(e.result, sizeof(e.result), "password changed");
    web_record(c->web, &e);
    call_done(c);
}

void session_password(struct call *c)
{
    const struct api_password_request *msg = c->msg;
    struct right_object me = {.owner_id = c->who.user_id, .owner = c->who.user};
    struct login_change change = {.user = c->who.user,
                                  .old_password = span_of(msg->old_password),
                                  .new_password = span_of(msg->new_password),
                                  .keep_session = c->who.token_id,
                                  .ip = c->ip};

    if (call_may(c, RIGHT_USER_PASSWORD, &me) &&
        logins_check_password(c, "new_password", msg->new_password))
        login_change(c->web->o.auth, call_loop(c), &change, on_password, c);
}
