#pragma once
/* Log-in with a password, the first user, and changes of passwords. */
#include "auth/identity.h"
#include "base/span.h"

struct auth;
struct loop;
struct login;

enum login_result {
    LOGIN_OK,
    LOGIN_WRONG,      /* name or password, or the user is suspended: not told apart */
    LOGIN_TOO_MANY,   /* attempts; retry_after says when */
    LOGIN_BUSY,       /* too many passwords are being hashed; retry_after says when */
    LOGIN_SETUP_DONE, /* login_setup: there is a user already */
    LOGIN_GONE,       /* login_change: no such user any more */
    LOGIN_EXISTS,     /* login_user_create: the name is taken */
};

struct login_answer {
    int result;              /* enum login_result, or negative: the store failed */
    usec_t retry_after;      /* LOGIN_TOO_MANY, LOGIN_BUSY: from now */
    const struct user *user; /* LOGIN_OK */
    const char *token;       /* LOGIN_OK of a log-in or set-up: text of the new session's token */
    struct id token_id;      /* of that session */
    usec_t expires_at;       /* of that session */
};
/* What the answer points to lives until it returns; the token's text is wiped then. */
typedef void login_done_fn(void *ud, const struct login_answer *answer);

struct login_request {
    struct span user; /* in any case; what is no name is simply wrong */
    struct span password;
    const char *ip;    /* the caller's address as text: the key of its limit */
    const char *label; /* name of the session in lists, such as "Firefox" or "adit on host" */
};
/*
 * All copy their arguments and wipe the passwords, never call back inside the call; the handle is
 * valid until the callback starts or login_cancel() was called.
 */
struct login *login_start(struct auth *auth, struct loop *loop, const struct login_request *request,
                          login_done_fn *fn, void *ud);

struct login_user {
    const char *name; /* in its stored form, as the next two */
    const char *display_name;
    const char *email;
    enum role role;       /* login_setup: always an administrator */
    struct span password; /* checked by the caller (model/password.h) */
    const char *ip;
    const char *label;
};
/* Makes the first user and logs them in. Counts against the limit of the address. */
struct login *login_setup(struct auth *auth, struct loop *loop, const struct login_user *user,
                          login_done_fn *fn, void *ud);
/* Makes a user (the caller has the right); no session. */
struct login *login_user_create(struct auth *auth, struct loop *loop, const struct login_user *user,
                                login_done_fn *fn, void *ud);

struct login_change {
    const char *user;
    struct span old_password; /* SPAN_NULL: not asked for (an administrator resets it) */
    struct span new_password; /* checked by the caller */
    struct id keep_session;   /* the user's other sessions end */
    const char *ip;
};
/* LOGIN_WRONG: the old password. Counts against the limits as a log-in does. */
struct login *login_change(struct auth *auth, struct loop *loop, const struct login_change *change,
                           login_done_fn *fn, void *ud);
/* Accepts NULL. */
void login_cancel(struct login *login);
