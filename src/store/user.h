#pragma once
/* Users. The contract that all operations share is in store/store.h. */
#include "model/user.h"
#include "store/store.h"

enum { PASSWORD_HASH_SIZE = 384 }; /* crypt(5) text with NUL: CRYPT_OUTPUT_SIZE */

typedef void store_user_fn(void *ud, int r, const struct user *user);
typedef void store_users_fn(void *ud, int r, const struct user *users, size_t n);
typedef void store_login_fn(void *ud, int r, const struct user *user, const char *password_hash);
typedef void store_flag_fn(void *ud, int r, bool yes);

struct store_user_new {
    const char *name; /* in its stored form (model/name.h) */
    const char *display_name;
    const char *email;
    const char *password_hash; /* empty: cannot log in with a password */
    enum role role;
    usec_t now;
};

/* Whether there is no user yet. */
struct store_op *store_setup_needed(struct store *s, struct loop *loop, store_flag_fn *fn,
                                    void *ud);
/* Makes the first user, always an administrator. STORE_SETUP_DONE when there is one. Atomic. */
struct store_op *store_setup(struct store *s, struct loop *loop, const struct store_user_new *user,
                             store_user_fn *fn, void *ud);

/* STORE_EXISTS: the name is taken. */
struct store_op *store_user_create(struct store *s, struct loop *loop,
                                   const struct store_user_new *user, store_user_fn *fn, void *ud);
struct store_op *store_user_get(struct store *s, struct loop *loop, const char *name,
                                store_user_fn *fn, void *ud);
struct store_op *store_user_get_id(struct store *s, struct loop *loop, struct id id,
                                   store_user_fn *fn, void *ud);
/* With the password's hash; for logging in and for nothing else. */
struct store_op *store_user_login(struct store *s, struct loop *loop, const char *name,
                                  store_login_fn *fn, void *ud);
/* By name; `after` of a page is the last user's id. */
struct store_op *store_user_list(struct store *s, struct loop *loop, struct store_page page,
                                 store_users_fn *fn, void *ud);

enum store_user_change {
    STORE_USER_ROLE = 1,
    STORE_USER_SUSPENDED = 2,
    STORE_USER_DISPLAY_NAME = 4,
    STORE_USER_EMAIL = 8,
};
struct store_user_update {
    unsigned change; /* which of the following count: enum store_user_change */
    enum role role;
    bool suspended; /* setting it also revokes the user's sessions (not the API tokens) */
    const char *display_name;
    const char *email;
};
/* Answers with the user as it is now. STORE_LAST_OWNER. */
struct store_op *store_user_update(struct store *s, struct loop *loop, struct id id,
                                   const struct store_user_update *update, store_user_fn *fn,
                                   void *ud);
/* Also revokes all sessions of the user but `keep_session` (may be zero), with their app tokens. */
struct store_op *store_user_set_password(struct store *s, struct loop *loop, struct id id,
                                         const char *password_hash, struct id keep_session,
                                         store_done_fn *fn, void *ud);
/* With tokens and places in shares. STORE_IN_USE: owns workspaces. STORE_LAST_OWNER. */
struct store_op *store_user_delete(struct store *s, struct loop *loop, struct id id,
                                   store_done_fn *fn, void *ud);
/* The user was here. Nobody waits for it: it may be left out when the store is overloaded. */
void store_user_touch(struct store *s, struct id id, usec_t now);
