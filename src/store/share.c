#include "store/share.h"

#include "store/op.h"

static void deliver_share(struct store_op *op)
{
    ((store_share_fn *)op->fn)(op->ud, op->result, op->result ? NULL : op->out.rows);
}

static void deliver_shares(struct store_op *op)
{
    ((store_shares_fn *)op->fn)(op->ud, op->result, op->out.rows, op->result ? 0 : op->out.n);
}

static void deliver_shared(struct store_op *op)
{
    ((store_shared_fn *)op->fn)(op->ud, op->result, op->out.rows, op->result ? 0 : op->out.n);
}

static void deliver_generation(struct store_op *op)
{
    ((store_generation_fn *)op->fn)(op->ud, op->result, op->out.num);
}

struct store_op *store_share_set(struct store *s, struct loop *loop, const struct share *share,
                                 store_share_fn *fn, void *ud)
{
    struct store_op *op =
        store_op_new(s, loop, STORE_OP_SHARE_SET, deliver_share, (void (*)(void))fn, ud);
    struct share *copy = store_op_dup(op, share, sizeof(*share));
    char **users =
        store_op_dup(op, share->users.items, share->users.len * sizeof(*share->users.items));
    char target[SHARE_TARGET_SIZE];
    if (copy && users) {
        for (size_t i = 0; i < share->users.len; i++)
            users[i] = (char *)store_op_str(op, share->users.items[i]);
        copy->users.items = users;
    }
    op->in.record = copy;
    op->in.id = share->agent_id;
    share_target(share, target);
    op->in.name = store_op_str(op, target);
    return store_op_submit(op);
}

struct store_op *store_share_delete(struct store *s, struct loop *loop, struct id agent_id,
                                    const char *target, store_generation_fn *fn, void *ud)
{
    struct store_op *op =
        store_op_new(s, loop, STORE_OP_SHARE_DELETE, deliver_generation, (void (*)(void))fn, ud);
    op->in.id = agent_id;
    op->in.name = store_op_str(op, target);
    return store_op_submit(op);
}

struct store_op *store_share_get(struct store *s, struct loop *loop, struct id agent_id,
                                 const char *target, store_share_fn *fn, void *ud)
{
    struct store_op *op =
        store_op_new(s, loop, STORE_OP_SHARE_GET, deliver_share, (void (*)(void))fn, ud);
    op->in.id = agent_id;
    op->in.name = store_op_str(op, target);
    return store_op_submit(op);
}

struct store_op *store_share_list(struct store *s, struct loop *loop, struct id workspace_id,
                                  store_shares_fn *fn, void *ud)
{
    struct store_op *op =
        store_op_new(s, loop, STORE_OP_SHARE_LIST, deliver_shares, (void (*)(void))fn, ud);
    op->in.id = workspace_id;
    return store_op_submit(op);
}

struct store_op *store_shared_list(struct store *s, struct loop *loop, struct id user_id,
                                   usec_t now, struct store_page page, store_shared_fn *fn,
                                   void *ud)
{
    struct store_op *op =
        store_op_new(s, loop, STORE_OP_SHARED_LIST, deliver_shared, (void (*)(void))fn, ud);
    op->in.id = user_id;
    op->in.now = now;
    op->in.page = page;
    return store_op_submit(op);
}
