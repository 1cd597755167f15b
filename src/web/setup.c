/* The first user of a new deployment. */
#include "api/user.h"
#include "store/user.h"
#include "web/handlers.h"
#include "web/instance.h"
#include "web/logins.h"

static void on_needed(void *ud, int r, bool yes)
{
    struct call *c = ud;
    struct api_setup_status msg = {.needed = yes};

    if (r != STORE_OK)
        call_store_failed(c, r);
    else
        call_answer(c, 200, &api_setup_status_type, &msg);
}

void setup_get(struct call *c)
{
    store_setup_needed(call_store(c), call_loop(c), on_needed, c);
}

static void on_setup(void *ud, const struct login_answer *a)
{
    struct call *c = ud;

    if (logins_failed(c, a, "The name or the password is wrong."))
        return;
    c->who.user_id = a->user->id;
    str_copy(c->who.user, sizeof(c->who.user), a->user->name);
    call_record(c, AUDIT_SETUP, a->user->name);
    logins_answer(c, 201, a);
}

void setup_post(struct call *c)
{
    const struct api_setup_request *msg = c->msg;
    struct login_user user = {.name = msg->name,
                              .display_name = msg->display_name,
                              .email = msg->email,
                              .role = ROLE_OWNER,
                              .password = span_of(msg->password),
                              .ip = c->ip,
                              .label = msg->label};

    if (logins_check_password(c, "password", msg->password))
        login_setup(c->web->o.auth, call_loop(c), &user, on_setup, c);
}
