#include "store/audit.h"

#include <errno.h>

#include "store/op.h"

static void deliver_events(struct store_op *op)
{
    ((store_events_fn *)op->fn)(op->ud, op->result, op->out.rows, op->result ? 0 : op->out.n,
                                op->out.num);
}

static void deliver_added(struct store_op *op)
{
    ((store_audit_added_fn *)op->fn)(op->ud, op->result, op->result ? NULL : op->out.more);
}

struct store_op *store_audit_add(struct store *s, struct loop *loop,
                                 const struct audit_event *events, size_t n,
                                 store_audit_added_fn *fn, void *ud)
{
    static const bool none[STORE_AUDIT_BATCH_MAX];
    struct store_op *op =
        store_op_new(s, loop, STORE_OP_AUDIT_ADD, deliver_added, (void (*)(void))fn, ud);
    if (n > STORE_AUDIT_BATCH_MAX) {
        op->result = -ENOBUFS;
    } else {
        op->in.record = store_op_dup(op, events, n * sizeof(*events));
        op->out.more = store_op_dup(op, none, n * sizeof(*none));
    }
    op->in.n = n;
    return store_op_submit(op);
}

struct store_op *store_audit_query(struct store *s, struct loop *loop,
                                   const struct store_audit_filter *filter, store_events_fn *fn,
                                   void *ud)
{
    struct store_op *op =
        store_op_new(s, loop, STORE_OP_AUDIT_QUERY, deliver_events, (void (*)(void))fn, ud);
    struct store_audit_filter *copy = store_op_dup(op, filter, sizeof(*filter));
    if (copy) {
        copy->actor = store_op_str(op, filter->actor);
        copy->workspace = store_op_str(op, filter->workspace);
        copy->concerning = store_op_str(op, filter->concerning);
    }
    op->in.record = copy;
    return store_op_submit(op);
}
