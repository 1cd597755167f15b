#include "store/key.h"

#include "store/op.h"

static void deliver_keys(struct store_op *op)
{
    ((store_keys_fn *)op->fn)(op->ud, op->result, op->out.rows, op->result ? 0 : op->out.n);
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
