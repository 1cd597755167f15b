#pragma once
/* Workspaces and agents. The contract that all operations share is in store/store.h. */
#include "model/workspace.h"
#include "store/store.h"

/* A workspace and its agents, oldest first. */
struct store_workspace {
    struct workspace ws;
    const struct agent *agents;
    size_t n_agents;
};

typedef void store_workspace_fn(void *ud, int r, const struct store_workspace *ws);
typedef void store_workspaces_fn(void *ud, int r, const struct store_workspace *list, size_t n);
typedef void store_agent_fn(void *ud, int r, const struct workspace *ws, const struct agent *agent);

struct store_agent_new {
    const char *name;
    unsigned char token_hash[TOKEN_HASH_LEN];
};
struct store_workspace_new {
    struct id owner_id;
    const char *name;
    const char *template_name;
    const struct store_agent_new *agents; /* 1 to WORKSPACE_AGENTS_MAX */
    size_t n_agents;
    usec_t now;
};

/* STORE_EXISTS; STORE_NO_TEMPLATE; STORE_NO_OWNER. */
struct store_op *store_workspace_create(struct store *s, struct loop *loop,
                                        const struct store_workspace_new *ws,
                                        store_workspace_fn *fn, void *ud);
struct store_op *store_workspace_get(struct store *s, struct loop *loop, const char *owner,
                                     const char *name, store_workspace_fn *fn, void *ud);
/* Of one owner, or of all with a zero id. `after` of a page is the last workspace's id. */
struct store_op *store_workspace_list(struct store *s, struct loop *loop, struct id owner_id,
                                      struct store_page page, store_workspaces_fn *fn, void *ud);
/* With its agents and shares. */
struct store_op *store_workspace_delete(struct store *s, struct loop *loop, struct id id,
                                        store_done_fn *fn, void *ud);

/* The agent that has this token, or this id, or this alias, with its workspace. */
struct store_op *store_agent_find(struct store *s, struct loop *loop,
                                  const unsigned char token_hash[static TOKEN_HASH_LEN],
                                  store_agent_fn *fn, void *ud);
struct store_op *store_agent_get(struct store *s, struct loop *loop, struct id id,
                                 store_agent_fn *fn, void *ud);
struct store_op *store_agent_get_alias(struct store *s, struct loop *loop, const char *alias,
                                       store_agent_fn *fn, void *ud);
/* Replaces the token: the old one ends at once. */
struct store_op *store_agent_set_token(struct store *s, struct loop *loop, struct id id,
                                       const unsigned char token_hash[static TOKEN_HASH_LEN],
                                       store_done_fn *fn, void *ud);

struct store_agent_connected {
    unsigned char pin[AGENT_PIN_LEN];
    const char *os, *arch, *version, *hostname; /* cut to AGENT_INFO_SIZE */
    usec_t now;
};
/* The agent came: who it is this time. */
struct store_op *store_agent_connected(struct store *s, struct loop *loop, struct id id,
                                       const struct store_agent_connected *info, store_done_fn *fn,
                                       void *ud);
/*
 * The agent was here at that moment: it has gone, or is here still. `loop` NULL: nobody waits, and
 * NULL is returned.
 */
struct store_op *store_agent_seen(struct store *s, struct loop *loop, struct id id, usec_t now,
                                  store_done_fn *fn, void *ud);
