#include <errno.h>

#include "base/cleanup.h"
#include "store/audit.h"
#include "store/sqlite.h"

enum { LIMIT_DEFAULT = 100, LIMIT_MAX = 1000 };

static int insert(struct store_conn *conn, const struct audit_event *e)
{
    _cleanup_(query_end) struct query q = query_start(
        conn,
        "INSERT INTO audit (id, time, action, actor_id, actor, workspace, agent, target,"
        " direction, carrier, bytes_in, bytes_out, duration, result, detail, ip)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING");
    query_bind_id(&q, &e->id);
    query_bind_int(&q, e->time);
    query_bind_text(&q, audit_action_name(e->action));
    query_bind_id(&q, &e->actor_id);
    query_bind_text(&q, e->actor);
    query_bind_text(&q, e->workspace);
    query_bind_text(&q, e->agent);
    query_bind_text(&q, e->target);
    query_bind_text(&q, audit_direction_name(e->direction));
    query_bind_text(&q, audit_carrier_name(e->carrier));
    query_bind_int(&q, (int64_t)e->bytes_in);
    query_bind_int(&q, (int64_t)e->bytes_out);
    query_bind_int(&q, e->duration);
    query_bind_text(&q, e->result);
    query_bind_text(&q, e->detail);
    query_bind_text(&q, e->ip);
    return query_run(&q);
}

int sqlite_audit_add(struct store_conn *conn, struct store_op *op)
{
    const struct audit_event *events = op->in.record;
    bool *is_new = (bool *)(uintptr_t)op->out.more;
    int r = 0;
    for (size_t i = 0; r == 0 && i < op->in.n; i++) {
        r = insert(conn, &events[i]);
        is_new[i] = r == 0 && sqlite_changes(conn) > 0;
    }
    return r;
}

static int read_event(struct query *q, struct audit_event *e)
{
    e->id = query_id(q);
    e->time = query_int(q);
    /* An action of a newer program is skipped rather than shown as something else. */
    int known = audit_action_parse(span_of(query_borrow_text(q)), &e->action);
    e->actor_id = query_id(q);
    query_text(q, e->actor, sizeof(e->actor));
    query_text(q, e->workspace, sizeof(e->workspace));
    query_text(q, e->agent, sizeof(e->agent));
    query_text(q, e->target, sizeof(e->target));
    (void)audit_direction_parse(span_of(query_borrow_text(q)), &e->direction);
    (void)audit_carrier_parse(span_of(query_borrow_text(q)), &e->carrier);
    e->bytes_in = (uint64_t)query_int(q);
    e->bytes_out = (uint64_t)query_int(q);
    e->duration = query_int(q);
    query_text(q, e->result, sizeof(e->result));
    query_text(q, e->detail, sizeof(e->detail));
    query_text(q, e->ip, sizeof(e->ip));
    return known;
}

static void bind_filter(struct query *q, const struct store_audit_filter *f, unsigned limit)
{
    query_bind_int(q, f->before);
    query_bind_int(q, f->since);
    query_bind_int(q, f->until);
    query_bind_text(q, f->actor);
    query_bind_text(q, f->workspace);
    query_bind_text(q, f->action < 0 ? "" : audit_action_name((enum audit_action)f->action));
    query_bind_text(q, f->concerning);
    query_bind_int(q, limit);
}

/* The workspaces of a person are those whose text starts with "name/". */
#define AUDIT_SELECT(condition)                                                                    \
    "SELECT seq, id, time, action, actor_id, actor, workspace, agent, target, direction,"          \
    " carrier, bytes_in, bytes_out, duration, result, detail, ip FROM audit WHERE " condition      \
    " AND (?1 = 0 OR seq < ?1) AND time >= ?2 AND (?3 = 0 OR time < ?3)"                           \
    " AND (?4 = '' OR actor = ?4) AND (?5 = '' OR workspace = ?5) AND (?6 = '' OR action = ?6)"    \
    " AND (?7 = '' OR actor = ?7 OR substr(workspace, 1, length(?7) + 1) = ?7 || '/')"             \
    " ORDER BY seq DESC LIMIT ?8"

/* The same question, led by the condition that has the best index. */
static const char *select_for(const struct store_audit_filter *f)
{
    if (f->actor[0])
        return AUDIT_SELECT("actor = ?4");
    if (f->workspace[0])
        return AUDIT_SELECT("workspace = ?5");
    if (f->action >= 0)
        return AUDIT_SELECT("action = ?6");
    return AUDIT_SELECT("true");
}

int sqlite_audit_query(struct store_conn *conn, struct store_op *op)
{
    const struct store_audit_filter *f = op->in.record;
    unsigned limit = f->limit == 0 ? LIMIT_DEFAULT : f->limit > LIMIT_MAX ? LIMIT_MAX : f->limit;
    _cleanup_(query_end) struct query q = query_start(conn, select_for(f));
    bind_filter(&q, f, limit);
    unsigned n = 0;
    int64_t seq = 0;
    int r;
    while ((r = query_step(&q)) == 1) {
        seq = query_int(&q);
        n++;
        struct audit_event event = {{{0}}};
        if (read_event(&q, &event) < 0)
            continue;
        struct audit_event *row = store_op_row(op, sizeof(*row));
        if (!row)
            return -ENOBUFS;
        *row = event;
    }
    op->out.num = n == limit ? seq : 0;
    return r;
}
