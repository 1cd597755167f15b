#include "store/template.h"

#include <errno.h>

#include "store/op.h"

static void deliver_template(struct store_op *op)
{
    ((store_template_fn *)op->fn)(op->ud, op->result, op->result ? NULL : op->out.rows);
}

static void deliver_templates(struct store_op *op)
{
    ((store_templates_fn *)op->fn)(op->ud, op->result, op->out.rows, op->result ? 0 : op->out.n);
}

static struct store_op *template_op(struct store *s, struct loop *loop, enum store_op_id id,
                                    store_template_fn *fn, void *ud)
{
    return store_op_new(s, loop, id, deliver_template, (void (*)(void))fn, ud);
}

struct store_op *store_template_get(struct store *s, struct loop *loop, const char *name,
                                    store_template_fn *fn, void *ud)
{
    struct store_op *op = template_op(s, loop, STORE_OP_TEMPLATE_GET, fn, ud);
    op->in.name = store_op_str(op, name);
    return store_op_submit(op);
}

struct store_op *store_template_get_id(struct store *s, struct loop *loop, struct id id,
                                       store_template_fn *fn, void *ud)
{
    struct store_op *op = template_op(s, loop, STORE_OP_TEMPLATE_GET_ID, fn, ud);
    op->in.id = id;
    return store_op_submit(op);
}

struct store_op *store_template_list(struct store *s, struct loop *loop, struct store_page page,
                                     store_templates_fn *fn, void *ud)
{
    struct store_op *op =
        store_op_new(s, loop, STORE_OP_TEMPLATE_LIST, deliver_templates, (void (*)(void))fn, ud);
    op->in.page = page;
    return store_op_submit(op);
}

struct store_op *store_template_put(struct store *s, struct loop *loop,
                                    const struct store_template_put *t, store_template_fn *fn,
                                    void *ud)
{
    struct store_op *op = template_op(s, loop, STORE_OP_TEMPLATE_PUT, fn, ud);
    struct store_template_put *copy = store_op_dup(op, t, sizeof(*t));
    if (strlen(t->yaml) > TEMPLATE_TEXT_MAX_LEN || strlen(t->policy) > TEMPLATE_TEXT_MAX_LEN) {
        op->result = -ENOBUFS;
    } else if (copy) {
        copy->name = store_op_str(op, t->name);
        copy->yaml = store_op_str(op, t->yaml);
        copy->policy = store_op_str(op, t->policy);
    }
    op->in.record = copy;
    op->in.id = id_new();
    return store_op_submit(op);
}

struct store_op *store_template_delete(struct store *s, struct loop *loop, const char *name,
                                       store_done_fn *fn, void *ud)
{
    struct store_op *op =
        store_op_new(s, loop, STORE_OP_TEMPLATE_DELETE, store_deliver_done, (void (*)(void))fn, ud);
    op->in.name = store_op_str(op, name);
    return store_op_submit(op);
}
