#pragma once
/* Sessions and API tokens. The contract that all operations share is in store/store.h. */
#include "model/token.h"
#include "model/user.h"
#include "store/store.h"

typedef void store_token_fn(void *ud, int r, const struct token *token);
typedef void store_tokens_fn(void *ud, int r, const struct token *tokens, size_t n);
typedef void store_token_user_fn(void *ud, int r, const struct token *token,
                                 const struct user *user);

struct store_token_new {
    struct id user_id;
    struct id parent_id; /* TOKEN_APP */
    enum token_kind kind;
    const char *name; /* may be empty */
    struct token_scope scope;
    unsigned char hash[TOKEN_HASH_LEN];
    usec_t now;
    usec_t expires_at; /* 0: never */
};

/* STORE_NOT_FOUND: no such user, or the parent is gone. STORE_EXISTS: an API token of that name. */
struct store_op *store_token_create(struct store *s, struct loop *loop,
                                    const struct store_token_new *token, store_token_fn *fn,
                                    void *ud);
/*
 * The token with this hash and its user, whatever their state: the caller looks at the expiry and
 * at `suspended`.
 */
struct store_op *store_token_find(struct store *s, struct loop *loop,
                                  const unsigned char hash[static TOKEN_HASH_LEN],
                                  store_token_user_fn *fn, void *ud);
struct store_op *store_token_get(struct store *s, struct loop *loop, struct id id,
                                 store_token_fn *fn, void *ud);
/* Of one user, newest first; app tokens are left out. */
struct store_op *store_token_list(struct store *s, struct loop *loop, struct id user_id,
                                  struct store_page page, store_tokens_fn *fn, void *ud);
/* With the app tokens that hang on it. */
struct store_op *store_token_revoke(struct store *s, struct loop *loop, struct id id,
                                    store_done_fn *fn, void *ud);
/* Removes what has expired before `now`. */
struct store_op *store_token_prune(struct store *s, struct loop *loop, usec_t now,
                                   store_done_fn *fn, void *ud);
/* It was used. Nobody waits for it: it may be left out when the store is overloaded. */
void store_token_touch(struct store *s, struct id id, usec_t now);
