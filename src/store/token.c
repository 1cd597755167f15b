#include "store/token.h"

#include "store/op.h"

static void deliver_token(struct store_op *op)
{
    ((store_token_fn *)op->fn)(op->ud, op->result, op->result ? NULL : op->out.rows);
}

static void deliver_tokens(struct store_op *op)
{
    ((store_tokens_fn *)op->fn)(op->ud, op->result, op->out.rows, op->result ? 0 : op->out.n);
}

static void deliver_token_user(struct store_op *op)
{
    bool found = op->result == 0;
    ((store_token_user_fn *)op->fn)(op->ud, op->result, found ? op->out.rows : NULL,
                                    found ? op->out.more : NULL);
}

struct store_op *store_token_create(struct store *s, struct loop *loop,
                                    const struct store_token_new *token, store_token_fn *fn,
                                    void *ud)
{
    struct store_op *op =
        store_op_new(s, loop, STORE_OP_TOKEN_CREATE, deliver_token, (void (*)(void))fn, ud);
    struct store_token_new *copy = store_op_dup(op, token, sizeof(*token));
    if (copy)
        copy->name = store_op_str(op, token->name);
    op->in.record = copy;
    op->in.id = id_new();
    return store_op_submit(op);
}

struct store_op *store_token_find(struct store *s, struct loop *loop,
                                  const unsigned char hash[static TOKEN_HASH_LEN],
                                  store_token_user_fn *fn, void *ud)
{
    struct store_op *op =
        store_op_new(s, loop, STORE_OP_TOKEN_FIND, deliver_token_user, (void (*)(void))fn, ud);
    op->in.hash = store_op_dup(op, hash, TOKEN_HASH_LEN);
    return store_op_submit(op);
}

struct store_op *store_token_get(struct store *s, struct loop *loop, struct id id,
                                 store_token_fn *fn, void *ud)
{
    struct store_op *op =
        store_op_new(s, loop, STORE_OP_TOKEN_GET, deliver_token, (void (*)(void))fn, ud);
    op->in.id = id;
    return store_op_submit(op);
}

struct store_op *store_token_list(struct store *s, struct loop *loop, struct id user_id,
                                  struct store_page page, store_tokens_fn *fn, void *ud)
{
    struct store_op *op =
        store_op_new(s, loop, STORE_OP_TOKEN_LIST, deliver_tokens, (void (*)(void))fn, ud);
    op->in.id = user_id;
    op->in.page = page;
    return store_op_submit(op);
}

static struct store_op *done_op(struct store *s, struct loop *loop, enum store_op_id id,
                                store_done_fn *fn, void *ud)
{
    return store_op_new(s, loop, id, store_deliver_done, (void (*)(void))fn, ud);
}

struct store_op *store_token_revoke(struct store *s, struct loop *loop, struct id id,
                                    store_done_fn *fn, void *ud)
{
    struct store_op *op = done_op(s, loop, STORE_OP_TOKEN_REVOKE, fn, ud);
    op->in.id = id;
    return store_op_submit(op);
}

struct store_op *store_token_prune(struct store *s, struct loop *loop, usec_t now,
                                   store_done_fn *fn, void *ud)
{
    struct store_op *op = done_op(s, loop, STORE_OP_TOKEN_PRUNE, fn, ud);
    op->in.now = now;
    return store_op_submit(op);
}

void store_token_touch(struct store *s, struct id id, usec_t now)
{
    struct store_op *op = store_op_new(s, NULL, STORE_OP_TOKEN_TOUCH, NULL, NULL, NULL);
    op->in.id = id;
    op->in.now = now;
    store_op_submit(op);
}
