#include <errno.h>

#include "base/cleanup.h"
#include "store/sqlite.h"
#include "store/template.h"

/* The YAML last: lists do without it. */
#define TEMPLATE_COLUMNS "id, name, version, policy, created_at, updated_at"

static int read_template(struct query *q, struct store_op *op, bool with_yaml)
{
    struct store_template *t = store_op_row(op, sizeof(*t));
    if (!t)
        return -ENOBUFS;
    t->id = query_id(q);
    query_text(q, t->name, sizeof(t->name));
    t->version = query_int(q);
    t->policy = store_op_str(op, query_borrow_text(q));
    t->created_at = query_int(q);
    t->updated_at = query_int(q);
    t->yaml = with_yaml ? store_op_str(op, query_borrow_text(q)) : NULL;
    return op->result < 0 ? op->result : q->error;
}

static int answer_one(struct query *q, struct store_op *op)
{
    int r = query_step(q);
    if (r != 1)
        return r == 0 ? STORE_NOT_FOUND : r;
    return read_template(q, op, true);
}

int sqlite_template_get(struct store_conn *conn, struct store_op *op)
{
    _cleanup_(query_end) struct query q =
        query_start(conn, "SELECT " TEMPLATE_COLUMNS ", yaml FROM templates WHERE name = ?");
    query_bind_text(&q, op->in.name);
    return answer_one(&q, op);
}

int sqlite_template_get_id(struct store_conn *conn, struct store_op *op)
{
    _cleanup_(query_end) struct query q =
        query_start(conn, "SELECT " TEMPLATE_COLUMNS ", yaml FROM templates WHERE id = ?");
    query_bind_id(&q, &op->in.id);
    return answer_one(&q, op);
}

int sqlite_template_list(struct store_conn *conn, struct store_op *op)
{
    int r = sqlite_check_page(conn, "SELECT 1 FROM templates WHERE id = ?", op->in.page);
    if (r != 0)
        return r;
    _cleanup_(query_end) struct query q = query_start(
        conn, "SELECT " TEMPLATE_COLUMNS " FROM templates WHERE ?1 IS NULL"
              " OR name > (SELECT name FROM templates WHERE id = ?1) ORDER BY name LIMIT ?2");
    query_bind_id(&q, &op->in.page.after);
    query_bind_int(&q, sqlite_page_limit(op->in.page));
    while ((r = query_step(&q)) == 1) {
        r = read_template(&q, op, false);
        if (r < 0)
            return r;
    }
    return r;
}

int sqlite_template_put(struct store_conn *conn, struct store_op *op)
{
    const struct store_template_put *t = op->in.record;
    {
        _cleanup_(query_end) struct query q = query_start(
            conn, "INSERT INTO templates (id, name, yaml, policy, created_at, updated_at)"
                  " VALUES (?1, ?2, ?3, ?4, ?5, ?5) ON CONFLICT (name) DO UPDATE SET"
                  " yaml = ?3, policy = ?4, version = version + 1, updated_at = ?5");
        query_bind_id(&q, &op->in.id);
        query_bind_text(&q, t->name);
        query_bind_text(&q, t->yaml);
        query_bind_text(&q, t->policy);
        query_bind_int(&q, t->now);
        int r = query_run(&q);
        if (r < 0)
            return r;
    }
    op->in.name = t->name;
    return sqlite_template_get(conn, op);
}

int sqlite_template_delete(struct store_conn *conn, struct store_op *op)
{
    {
        _cleanup_(query_end) struct query q =
            query_start(conn, "SELECT name = 'default' OR EXISTS (SELECT 1 FROM workspaces"
                              " WHERE template_id = templates.id) FROM templates WHERE name = ?");
        query_bind_text(&q, op->in.name);
        int r = query_step(&q);
        if (r != 1)
            return r == 0 ? STORE_NOT_FOUND : r;
        if (query_bool(&q))
            return STORE_IN_USE;
    }
    _cleanup_(query_end) struct query q = query_start(conn, "DELETE FROM templates WHERE name = ?");
    query_bind_text(&q, op->in.name);
    return query_run(&q);
}
