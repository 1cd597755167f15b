/*
 * Four ways through the same stations, each of which either goes on to the next or answers:
 *
 *   log-in    limits → user with hash → verify → new session
 *   set-up    limits → is there no user yet? → hash → first user → new session
 *   create    hash → user
 *   change    limits → user with hash → verify the old one → hash the new one → set
 *
 * A name that does not exist takes the same way as one that does, with the same work.
 */
#include "auth/login.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "auth/auth_internal.h"
#include "auth/password.h"
#include "auth/token.h"
#include "base/mem.h"
#include "base/secret.h"
#include "io/loop.h"
#include "store/token.h"
#include "store/user.h"

enum way { WAY_LOGIN, WAY_SETUP, WAY_CREATE, WAY_CHANGE };

static const usec_t busy_retry = USEC_PER_SEC;

struct login {
    struct auth *auth;
    struct loop *loop;
    enum way way;
    login_done_fn *done;
    void *ud;
    struct store_op *op;
    struct password_job *job;
    struct defer at_once; /* an answer that was known from the start */
    struct login_answer early;
    char ip[INET6_ADDRSTRLEN]; /* as its attempts are counted */
    char name[NAME_SIZE];      /* empty: what was given is no name */
    char display_name[DISPLAY_NAME_SIZE];
    char email[EMAIL_SIZE];
    char label[TOKEN_NAME_SIZE];
    enum role role;
    struct id keep_session;
    struct secret *password;     /* to verify */
    struct secret *new_password; /* to hash */
    bool found;                  /* there is such a user, and they may log in */
    struct user user;
    char token[TOKEN_TEXT_SIZE];
};

static struct login *login_free(struct login *l)
{
    secret_free(l->password);
    secret_free(l->new_password);
    explicit_bzero(l, sizeof(*l));
    free(l);
    return NULL;
}

static void answer(struct login *l, const struct login_answer *a)
{
    l->done(l->ud, a);
    login_free(l);
}

static void answer_result(struct login *l, int result)
{
    answer(l, &(struct login_answer){.result = result});
}

static void answer_early(void *ud)
{
    struct login *l = ud;
    struct login_answer early = l->early;
    answer(l, &early);
}

/* Never inside the caller's call. */
static void answer_later(struct login *l, int result, usec_t retry_after)
{
    l->early = (struct login_answer){.result = result, .retry_after = retry_after};
    defer_schedule(l->loop, &l->at_once);
}

static void answer_busy(struct login *l)
{
    answer(l, &(struct login_answer){.result = LOGIN_BUSY, .retry_after = busy_retry});
}

void login_cancel(struct login *l)
{
    if (!l)
        return;
    store_cancel(l->op);
    password_cancel(l->job);
    defer_cancel(&l->at_once);
    login_free(l);
}

static struct login *login_new(struct auth *auth, struct loop *loop, enum way way,
                               login_done_fn *done, void *ud)
{
    struct login *l = new0(struct login);
    l->auth = auth;
    l->loop = loop;
    l->way = way;
    l->done = done;
    l->ud = ud;
    defer_init(&l->at_once, answer_early, l);
    return l;
}

/* The key of an address: a person has a whole /64 of IPv6, so that is what is counted. */
static void ip_key(const char *ip, char dst[static INET6_ADDRSTRLEN])
{
    struct in6_addr six;
    if (inet_pton(AF_INET6, ip ? ip : "", &six) == 1 && !IN6_IS_ADDR_V4MAPPED(&six)) {
        for (int i = 8; i < 16; i++)
            six.s6_addr[i] = 0;
        inet_ntop(AF_INET6, &six, dst, INET6_ADDRSTRLEN);
    } else {
        str_copy(dst, INET6_ADDRSTRLEN, ip ? ip : "");
    }
}

/* 0, or how long to wait. */
static usec_t take_attempt(struct login *l, const char *ip)
{
    usec_t now = clock_monotonic();
    ip_key(ip, l->ip);
    usec_t wait = limit_take(l->auth->ips, l->ip, now);
    if (wait == 0 && l->name[0])
        wait = limit_take(l->auth->users, l->name, now);
    return wait;
}

/*
 * Many people come from one address (an office, a class behind one router): who is right takes
 * nothing from it. It is not filled up either, or one good account would allow any number of
 * guesses at others.
 */
static void attempt_succeeded(struct login *l)
{
    limit_reset(l->auth->users, l->name);
    limit_give_back(l->auth->ips, l->ip);
}

static void session_made(void *ud, int r, const struct token *token)
{
    struct login *l = ud;
    l->op = NULL;
    if (r != 0) {
        answer_result(l, r > 0 ? LOGIN_GONE : r);
        return;
    }
    answer(l, &(struct login_answer){
                  .result = LOGIN_OK,
                  .user = &l->user,
                  .token = l->token,
                  .token_id = token->id,
                  .expires_at = token->expires_at,
              });
}

static void make_session(struct login *l)
{
    usec_t now = clock_realtime();
    struct store_token_new new = {
        .user_id = l->user.id,
        .kind = TOKEN_SESSION,
        .name = l->label,
        .now = now,
        .expires_at = now + l->auth->session_life,
    };
    token_make(TOKEN_LETTER_SESSION, l->token, new.hash);
    store_user_touch(l->auth->store, l->user.id, now);
    l->op = store_token_create(l->auth->store, l->loop, &new, session_made, l);
}

static void user_made(void *ud, int r, const struct user *user)
{
    struct login *l = ud;
    l->op = NULL;
    if (r != 0) {
        answer_result(l, r == STORE_SETUP_DONE ? LOGIN_SETUP_DONE
                         : r == STORE_EXISTS   ? LOGIN_EXISTS
                                               : r);
        return;
    }
    l->user = *user;
    if (l->way == WAY_SETUP)
        make_session(l);
    else
        answer(l, &(struct login_answer){.result = LOGIN_OK, .user = &l->user});
}

static void password_set(void *ud, int r)
{
    struct login *l = ud;
    l->op = NULL;
    if (r != 0)
        answer_result(l, r == STORE_NOT_FOUND ? LOGIN_GONE : r);
    else
        answer(l, &(struct login_answer){.result = LOGIN_OK, .user = &l->user});
}

static void hashed(void *ud, int r, const char *hash)
{
    struct login *l = ud;
    struct store *s = l->auth->store;
    l->job = NULL;
    if (r < 0) {
        answer_result(l, r);
        return;
    }
    if (l->way == WAY_CHANGE) {
        l->op =
            store_user_set_password(s, l->loop, l->user.id, hash, l->keep_session, password_set, l);
        return;
    }
    struct store_user_new new = {
        .name = l->name,
        .display_name = l->display_name,
        .email = l->email,
        .password_hash = hash,
        .role = l->role,
        .now = clock_realtime(),
    };
    l->op = l->way == WAY_SETUP ? store_setup(s, l->loop, &new, user_made, l)
                                : store_user_create(s, l->loop, &new, user_made, l);
}

static void start_hash(struct login *l)
{
    l->job =
        password_hash(l->loop, span_from(l->new_password->text, l->new_password->len), hashed, l);
    if (!l->job)
        answer_busy(l);
}

static void verified(void *ud, bool right)
{
    struct login *l = ud;
    l->job = NULL;
    if (!right || !l->found) {
        answer_result(l, LOGIN_WRONG);
        return;
    }
    attempt_succeeded(l);
    if (l->way == WAY_LOGIN)
        make_session(l);
    else
        start_hash(l);
}

static void got_user(void *ud, int r, const struct user *user, const char *hash)
{
    struct login *l = ud;
    l->op = NULL;
    if (r < 0) {
        answer_result(l, r);
        return;
    }
    if (r == 0) {
        l->user = *user;
        l->found = !user->suspended;
    }
    if (!l->password && r == STORE_NOT_FOUND) {
        answer_result(l, LOGIN_GONE);
    } else if (!l->password) {
        start_hash(l); /* a reset by an administrator */
    } else {
        l->job = password_verify(l->loop, span_from(l->password->text, l->password->len),
                                 r == 0 ? hash : NULL, verified, l);
        if (!l->job)
            answer_busy(l);
    }
}

static void got_setup_needed(void *ud, int r, bool needed)
{
    struct login *l = ud;
    l->op = NULL;
    if (r != 0)
        answer_result(l, r);
    else if (!needed)
        answer_result(l, LOGIN_SETUP_DONE);
    else
        start_hash(l);
}

static void set_name(struct login *l, struct span name)
{
    if (name_parse(NAME_USER, name, l->name, NULL) < 0)
        l->name[0] = '\0';
}

struct login *login_start(struct auth *auth, struct loop *loop, const struct login_request *request,
                          login_done_fn *fn, void *ud)
{
    struct login *l = login_new(auth, loop, WAY_LOGIN, fn, ud);
    set_name(l, request->user);
    str_copy(l->label, sizeof(l->label), request->label ? request->label : "");
    l->password = secret_new(request->password.p, request->password.len);
    usec_t wait = take_attempt(l, request->ip);
    if (wait)
        answer_later(l, LOGIN_TOO_MANY, wait);
    else
        l->op = store_user_login(auth->store, loop, l->name, got_user, l);
    return l;
}

static void copy_user(struct login *l, const struct login_user *user)
{
    set_name(l, span_of(user->name));
    str_copy(l->display_name, sizeof(l->display_name),
             user->display_name ? user->display_name : "");
    str_copy(l->email, sizeof(l->email), user->email ? user->email : "");
    str_copy(l->label, sizeof(l->label), user->label ? user->label : "");
    l->role = user->role;
    l->new_password = secret_new(user->password.p, user->password.len);
}

struct login *login_setup(struct auth *auth, struct loop *loop, const struct login_user *user,
                          login_done_fn *fn, void *ud)
{
    struct login *l = login_new(auth, loop, WAY_SETUP, fn, ud);
    usec_t wait = take_attempt(l, user->ip);
    copy_user(l, user);
    if (wait)
        answer_later(l, LOGIN_TOO_MANY, wait);
    else
        l->op = store_setup_needed(auth->store, loop, got_setup_needed, l);
    return l;
}

struct login *login_user_create(struct auth *auth, struct loop *loop, const struct login_user *user,
                                login_done_fn *fn, void *ud)
{
    struct login *l = login_new(auth, loop, WAY_CREATE, fn, ud);
    copy_user(l, user);
    l->job = password_hash(loop, user->password, hashed, l);
    if (!l->job)
        answer_later(l, LOGIN_BUSY, busy_retry);
    return l;
}

struct login *login_change(struct auth *auth, struct loop *loop, const struct login_change *change,
                           login_done_fn *fn, void *ud)
{
    struct login *l = login_new(auth, loop, WAY_CHANGE, fn, ud);
    usec_t wait = 0;
    set_name(l, span_of(change->user));
    l->keep_session = change->keep_session;
    l->new_password = secret_new(change->new_password.p, change->new_password.len);
    if (change->old_password.p) {
        l->password = secret_new(change->old_password.p, change->old_password.len);
        wait = take_attempt(l, change->ip);
    }
    if (wait)
        answer_later(l, LOGIN_TOO_MANY, wait);
    else
        l->op = store_user_login(auth->store, loop, l->name, got_user, l);
    return l;
}
