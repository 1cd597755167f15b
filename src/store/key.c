#include "store/key.h"

#include "store/op.h"

static void deliver_keys(struct store_op *op)
{
    ((store_keys_fn *)op->fn)(op->ud, op->result, op->out.rows, op->result ? 0 : op->out.n);
}

static void deliver_setting(struct store_op *op)
{
    ((store_setting_fn *)op->fn)(op->ud, op->result, op->result ? NULL : op->out.text);
}

struct store_op *store_key_list(struct store *s, struct loop *loop, const char *purpose,
                                store_keys_fn *fn, void *ud)
{
    struct store_op *op =
        store_op_new(s, loop, STORE_OP_KEY_LIST, deliver_keys, (void (*)(void))fn, ud);
    op->in.name = store_op_str(op, purpose);
    return store_op_submit(op);
}

struct store_op *store_key_rotate(struct store *s, struct loop *loop, const struct signing_key *key,
                                  store_keys_fn *fn, void *ud)
{
    struct store_op *op =
        store_op_new(s, loop, STORE_OP_KEY_ROTATE, deliver_keys, (void (*)(void))fn, ud);
    op->in.record = store_op_dup(op, key, sizeof(*key));
    op->in.name = store_op_str(op, key->purpose);
    return store_op_submit(op);
}

struct store_op *store_setting_get(struct store *s, struct loop *loop, const char *name,
                                   store_setting_fn *fn, void *ud)
{
    struct store_op *op =
        store_op_new(s, loop, STORE_OP_SETTING_GET, deliver_setting, (void (*)(void))fn, ud);
    op->in.name = store_op_str(op, name);
    return store_op_submit(op);
}

struct store_op *store_setting_set(struct store *s, struct loop *loop, const char *name,
                                   const char *value, store_done_fn *fn, void *ud)
{
    struct store_op *op =
        store_op_new(s, loop, STORE_OP_SETTING_SET, store_deliver_done, (void (*)(void))fn, ud);
    op->in.name = store_op_str(op, name);
    op->in.text = store_op_str(op, value);
    return store_op_submit(op);
}

struct store_op *store_setting_init(struct store *s, struct loop *loop, const char *name,
                                    const char *value, store_setting_fn *fn, void *ud)
{
    struct store_op *op =
        store_op_new(s, loop, STORE_OP_SETTING_INIT, deliver_setting, (void (*)(void))fn, ud);
    op->in.name = store_op_str(op, name);
    op->in.text = store_op_str(op, value);
    return store_op_submit(op);
}
