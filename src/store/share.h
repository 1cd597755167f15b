#pragma once
/*
 * Shares of ports and apps, and share generations. Both belong to a target of an agent (a port as
 * "8080", an app as its slug: share_target()). A generation starts at 0 while nothing was ever
 * changed, and only grows. The contract that all operations share is in store/store.h.
 */
#include "model/share.h"
#include "model/workspace.h"
#include "store/store.h"

/* A share as those see it whom it is made for, and where it is. */
struct store_shared {
    struct id id;       /* of the share, until it is set anew; for pieces of the list */
    struct share share; /* without the people's names */
    struct workspace ws;
    struct agent agent; /* id, name, alias and times */
    bool only_agent;    /* of the workspace */
    bool default_agent; /* whose apps are meant where no agent is named */
};

typedef void store_share_fn(void *ud, int r, const struct share *share);
typedef void store_shares_fn(void *ud, int r, const struct share *shares, size_t n);
typedef void store_shared_fn(void *ud, int r, const struct store_shared *list, size_t n);
typedef void store_generation_fn(void *ud, int r, int64_t generation);

/*
 * Sets or replaces (`generation` is not looked at); answers with the share as it is now. Names in
 * `users` that are nobody's: STORE_NOT_FOUND, as is an agent that is gone.
 */
struct store_op *store_share_set(struct store *s, struct loop *loop, const struct share *share,
                                 store_share_fn *fn, void *ud);
/* Answers with the generation after it. STORE_NOT_FOUND. */
struct store_op *store_share_delete(struct store *s, struct loop *loop, struct id agent_id,
                                    const char *target, store_generation_fn *fn, void *ud);
/* Whether or not it has expired. */
struct store_op *store_share_get(struct store *s, struct loop *loop, struct id agent_id,
                                 const char *target, store_share_fn *fn, void *ud);
/* By the order of agents; ports by number, then apps by slug. */
struct store_op *store_share_list(struct store *s, struct loop *loop, struct id workspace_id,
                                  store_shares_fn *fn, void *ud);
/*
 * Shares in other people's workspaces that count at `now` and are for this user by name, or for
 * everyone who can log in; not what is public. The template's limit is not looked at. By owner,
 * workspace and the order of agents; ports by number, then apps by slug.
 */
struct store_op *store_shared_list(struct store *s, struct loop *loop, struct id user_id,
                                   usec_t now, struct store_page page, store_shared_fn *fn,
                                   void *ud);
