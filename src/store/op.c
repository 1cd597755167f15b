/*
 * The arguments and the answer of an operation live in its arena and its row array, so that no
 * thread shares memory with the loop: the operation itself changes hands, from the loop to a store
 * thread and back.
 */
#include "store/op.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/mem.h"

enum { OP_MEMORY_MAX = 16 << 20 };

static const struct {
    const char *name;
    bool writes;
} ops[] = {
#define X(id, name, writes) {#name, writes},
    STORE_OPS(X)
#undef X
};

const char *store_op_name(enum store_op_id id)
{
    return ops[id].name;
}

bool store_op_writes(enum store_op_id id)
{
    return ops[id].writes;
}

struct store_op *store_op_new(struct store *s, struct loop *loop, enum store_op_id id,
                              store_deliver_fn *deliver, void (*fn)(void), void *ud)
{
    struct store_op *op = new0(struct store_op);
    list_init(&op->link);
    arena_init(&op->arena, OP_MEMORY_MAX);
    op->id = id;
    op->store = s;
    op->loop = loop;
    op->deliver = deliver;
    op->fn = fn;
    op->ud = ud;
    return op;
}

struct store_op *store_op_free(struct store_op *op)
{
    if (!op)
        return NULL;
    for (size_t i = 0; op->out.free_row && i < op->out.n; i++)
        op->out.free_row((char *)op->out.rows + i * op->out.row_size);
    if (op->out.rows)
        explicit_bzero(op->out.rows, op->out.n * op->out.row_size);
    free(op->out.rows);
    arena_deinit(&op->arena);
    free(op);
    return NULL;
}

const char *store_op_str(struct store_op *op, const char *s)
{
    const char *copy = arena_strdup(&op->arena, s ? s : "");
    if (!copy)
        op->result = -ENOBUFS;
    return copy ? copy : "";
}

void *store_op_dup(struct store_op *op, const void *p, size_t len)
{
    char *copy = arena_alloc(&op->arena, len ? len : 1);
    if (!copy) {
        op->result = -ENOBUFS;
        return NULL;
    }
    if (len)
        memcpy(copy, p, len);
    return copy;
}

void *store_op_row(struct store_op *op, size_t row_size)
{
    struct store_answer *out = &op->out;
    if ((out->n + 1) * row_size > OP_MEMORY_MAX)
        return NULL;
    /* Doubled whenever the number of rows is a power of two. */
    if ((out->n & (out->n - 1)) == 0)
        out->rows = xrealloc(out->rows, (out->n ? 2 * out->n : 1) * row_size);
    out->row_size = row_size;
    void *row = (char *)out->rows + out->n++ * row_size;
    memset(row, 0, row_size);
    return row;
}

void store_deliver_done(struct store_op *op)
{
    ((store_done_fn *)op->fn)(op->ud, op->result);
}
