#include <string.h>

#include "api/user.h"
#include "store/user.h"
#include "web/handlers.h"
#include "web/instance.h"
#include "web/logins.h"

static void answer_user(struct call *c, unsigned status, const struct user *user)
{
    struct api_user msg = {.user = *user};

    call_answer(c, status, &api_user_type, &msg);
}

/* ---- list ---- */

static void on_list(void *ud, int r, const struct user *users, size_t n)
{
    struct call *c = ud;
    const struct store_page *page = c->state;
    struct api_users msg = {.users = (struct user *)(uintptr_t)users, .n_users = n};

    if (r != STORE_OK) {
        call_store_failed(c, r);
        return;
    }
    if (n == page->limit)
        msg.next = users[n - 1].id;
    call_answer(c, 200, &api_users_type, &msg);
}

void users_list(struct call *c)
{
    struct store_page page;

    if (!call_may(c, RIGHT_USER_LIST, NULL) || !call_page(c, &page))
        return;
    *(struct store_page *)call_state(c, sizeof(page)) = page;
    store_user_list(call_store(c), call_loop(c), page, on_list, c);
}

/* ---- one ---- */

/* The user that the path names, as found; c->state. */
struct target {
    struct user user;
    enum right_action action;
    handler_fn *then;
    bool password_set; /* of an update */
};

static void on_found(void *ud, int r, const struct user *user)
{
    struct call *c = ud;
    struct target *t = c->state;
    struct right_object what = {.owner = call_param(c, "user")};

    if (r == STORE_OK)
        what = (struct right_object){.owner_id = user->id, .owner = user->name};
    if (r != STORE_OK && r != STORE_NOT_FOUND) {
        call_store_failed(c, r);
        return;
    }
    /* An unknown name is treated as somebody else, so that answers do not tell the two apart. */
    if (!call_may(c, t->action, &what))
        return;
    if (r == STORE_NOT_FOUND) {
        call_not_found(c);
        return;
    }
    t->user = *user;
    t->then(c);
}

/* Goes on with `then` once the path's user is found and the caller may do `action` to them. */
static void with_user(struct call *c, enum right_action action, handler_fn *then)
{
    struct target *t = call_state(c, sizeof(*t));
    char name[NAME_SIZE];

    t->action = action;
    t->then = then;
    if (name_parse(NAME_USER, span_of(call_param(c, "user")), name, NULL) < 0)
        on_found(c, STORE_NOT_FOUND, NULL);
    else
        store_user_get(call_store(c), call_loop(c), name, on_found, c);
}

static void get(struct call *c)
{
    const struct target *t = c->state;

    answer_user(c, 200, &t->user);
}

void users_get(struct call *c)
{
    with_user(c, RIGHT_USER_READ, get);
}

/* ---- create ---- */

static void on_created(void *ud, const struct login_answer *a)
{
    struct call *c = ud;

    if (logins_failed(c, a, ""))
        return;
    call_record(c, AUDIT_USER_CREATE, a->user->name);
    answer_user(c, 201, a->user);
}

void users_create(struct call *c)
{
    const struct api_user_create *msg = c->msg;
    struct login_user user = {.name = msg->name,
                              .display_name = msg->display_name,
                              .email = msg->email,
                              .role = msg->role,
                              .password = span_of(msg->password),
                              .ip = c->ip};

    if (call_may(c, RIGHT_USER_CREATE, NULL) && logins_check_password(c, "password", msg->password))
        login_user_create(c->web->o.auth, call_loop(c), &user, on_created, c);
}

/* ---- update ---- */

static void fail_last_owner(struct call *c)
{
    call_fail(c, 409, "This is the last active administrator.",
              "Make another user an owner first.");
}

static void on_updated(void *ud, int r, const struct user *user)
{
    struct call *c = ud;
    const struct target *t = c->state;
    struct web_withdrawal what = {.user_id = t->user.id};
    bool done = r == STORE_OK;

    /* A new password is there already, whatever becomes of the rest. */
    if (t->password_set ||
        (done && (user->role != t->user.role || user->suspended != t->user.suspended)))
        c->web->o.live->withdraw(c->web->o.live_ud, &what);
    if (t->password_set || done)
        call_record(c, AUDIT_USER_UPDATE, t->user.name);
    if (r == STORE_LAST_OWNER)
        fail_last_owner(c);
    else if (!done)
        call_store_failed(c, r);
    else
        answer_user(c, 200, user);
}

static void update_fields(struct call *c)
{
    const struct api_user_update *msg = c->msg;
    const struct target *t = c->state;
    struct store_user_update change = {.change =
                                           (msg->has_role ? STORE_USER_ROLE : 0u) |
                                           (msg->has_suspended ? STORE_USER_SUSPENDED : 0u) |
                                           (msg->has_display_name ? STORE_USER_DISPLAY_NAME : 0u) |
                                           (msg->has_email ? STORE_USER_EMAIL : 0u),
                                       .role = msg->role,
                                       .suspended = msg->suspended,
                                       .display_name = msg->display_name,
                                       .email = msg->email};

    store_user_update(call_store(c), call_loop(c), t->user.id, &change, on_updated, c);
}

static void on_password_set(void *ud, const struct login_answer *a)
{
    struct call *c = ud;
    struct target *t = c->state;

    if (logins_failed(c, a, ""))
        return;
    t->password_set = true;
    update_fields(c);
}

static void update(struct call *c)
{
    const struct api_user_update *msg = c->msg;
    const struct target *t = c->state;
    struct login_change change = {.user = t->user.name,
                                  .new_password = span_of(msg->password),
                                  .keep_session = c->who.token_id,
                                  .ip = c->ip};

    if (!msg->has_password)
        update_fields(c);
    else if (logins_check_password(c, "password", msg->password))
        login_change(c->web->o.auth, call_loop(c), &change, on_password_set, c);
}

void users_update(struct call *c)
{
    const struct api_user_update *msg = c->msg;
    bool manages = msg->has_role || msg->has_suspended || msg->has_password;

    with_user(c, manages ? RIGHT_USER_MANAGE : RIGHT_USER_PROFILE, update);
}

/* ---- delete ---- */

static void on_deleted(void *ud, int r)
{
    struct call *c = ud;
    const struct target *t = c->state;
    struct web_withdrawal what = {.user_id = t->user.id};

    if (r == STORE_IN_USE) {
        call_fail(c, 409, "This user still has workspaces.", "Delete those first.");
        return;
    }
    if (r == STORE_LAST_OWNER) {
        fail_last_owner(c);
        return;
    }
    if (r != STORE_OK) {
        call_store_failed(c, r);
        return;
    }
    c->web->o.live->withdraw(c->web->o.live_ud, &what);
    call_record(c, AUDIT_USER_DELETE, t->user.name);
    call_done(c);
}

static void delete (struct call *c)
{
    const struct target *t = c->state;

    store_user_delete(call_store(c), call_loop(c), t->user.id, on_deleted, c);
}

void users_delete(struct call *c)
{
    with_user(c, RIGHT_USER_MANAGE, delete);
}
