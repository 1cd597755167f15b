#pragma once
/* An operation on its way: arguments, result and whom to tell. Within store/ only. */
#include "base/arena.h"
#include "base/list.h"
#include "store/store.h"

/* X(id, name, whether it changes something) */
#define STORE_OPS(X)                                                                               \
    X(SETUP_NEEDED, setup_needed, false)                                                           \
    X(SETUP, setup, true)                                                                          \
    X(USER_CREATE, user_create, true)                                                              \
    X(USER_GET, user_get, false)                                                                   \
    X(USER_GET_ID, user_get_id, false)                                                             \
    X(USER_LOGIN, user_login, false)                                                               \
    X(USER_LIST, user_list, false)                                                                 \
    X(USER_UPDATE, user_update, true)                                                              \
    X(USER_SET_PASSWORD, user_set_password, true)                                                  \
    X(USER_DELETE, user_delete, true)                                                              \
    X(USER_TOUCH, user_touch, true)                                                                \
    X(TOKEN_CREATE, token_create, true)                                                            \
    X(TOKEN_FIND, token_find, false)                                                               \
    X(TOKEN_GET, token_get, false)                                                                 \
    X(TOKEN_LIST, token_list, false)                                                               \
    X(TOKEN_REVOKE, token_revoke, true)                                                            \
    X(TOKEN_PRUNE, token_prune, true)                                                              \
    X(TOKEN_TOUCH, token_touch, true)                                                              \
    X(TEMPLATE_GET, template_get, false)                                                           \
    X(TEMPLATE_GET_ID, template_get_id, false)                                                     \
    X(TEMPLATE_LIST, template_list, false)                                                         \
    X(TEMPLATE_PUT, template_put, true)                                                            \
    X(TEMPLATE_DELETE, template_delete, true)                                                      \
    X(WORKSPACE_CREATE, workspace_create, true)                                                    \
    X(WORKSPACE_GET, workspace_get, false)                                                         \
    X(WORKSPACE_LIST, workspace_list, false)                                                       \
    X(WORKSPACE_DELETE, workspace_delete, true)                                                    \
    X(AGENT_FIND, agent_find, false)                                                               \
    X(AGENT_GET, agent_get, false)                                                                 \
    X(AGENT_GET_ALIAS, agent_get_alias, false)                                                     \
    X(AGENT_SET_TOKEN, agent_set_token, true)                                                      \
    X(AGENT_CONNECTED, agent_connected, true)                                                      \
    X(AGENT_SEEN, agent_seen, true)                                                                \
    X(SHARE_SET, share_set, true)                                                                  \
    X(SHARE_DELETE, share_delete, true)                                                            \
    X(SHARE_GET, share_get, false)                                                                 \
    X(SHARE_LIST, share_list, false)                                                               \
    X(SHARED_LIST, shared_list, false)                                                             \
    X(KEY_ROTATE, key_rotate, true)                                                                \
    X(AUDIT_ADD, audit_add, true)                                                                  \
    X(AUDIT_QUERY, audit_query, false)

enum store_op_id {
#define X(id, name, writes) STORE_OP_##id,
    STORE_OPS(X)
#undef X
        STORE_OP_COUNT
};

/* What the operations are about, in one struct for all; each uses what it needs. */
struct store_args {
    struct id id;
    struct id other;
    const char *name;
    const char *text;
    const unsigned char *hash;
    const void *record; /* the operation's own struct, copied */
    size_t n;           /* records */
    usec_t now;
    struct store_page page;
};

typedef void store_free_row_fn(void *row);

struct store_answer {
    void *rows; /* malloc'd; of the operation's type */
    size_t n;
    size_t row_size;
    store_free_row_fn *free_row; /* what a row owns beside the arena; may be NULL */
    const void *more;            /* in the arena */
    const char *text;            /* in the arena */
    int64_t num;
};

typedef void store_deliver_fn(struct store_op *op);

struct store_op {
    struct list link;
    enum store_op_id id;
    struct store *store;
    struct loop *loop; /* NULL: nobody waits */
    store_deliver_fn *deliver;
    void (*fn)(void); /* the typed callback */
    void *ud;
    bool canceled; /* touched on the loop's thread only */
    int result;
    struct arena arena;
    struct store_args in;
    struct store_answer out;
};

/* An operation with an empty set of arguments. `loop` NULL: nobody waits, nothing is delivered. */
struct store_op *store_op_new(struct store *s, struct loop *loop, enum store_op_id id,
                              store_deliver_fn *deliver, void (*fn)(void), void *ud);
struct store_op *store_op_free(struct store_op *op);
/* Queues it; returns it, or NULL when nobody waits. */
struct store_op *store_op_submit(struct store_op *op);

const char *store_op_name(enum store_op_id id);
bool store_op_writes(enum store_op_id id);

/*
 * Copies into the operation's memory. Past its ceiling they return something harmless and the
 * operation fails with -ENOBUFS without being run.
 */
const char *store_op_str(struct store_op *op, const char *s); /* NULL becomes "" */
void *store_op_dup(struct store_op *op, const void *p, size_t len);

/* Within a backend: a new zeroed row of the answer, or NULL (-ENOBUFS) when it grows too large. */
void *store_op_row(struct store_op *op, size_t row_size);

/* The delivery of operations that answer with nothing but the result. */
store_deliver_fn store_deliver_done;
