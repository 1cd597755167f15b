#include <errno.h>

#include "base/cleanup.h"
#include "store/share.h"
#include "store/sqlite.h"

/* The generation comes along, from a table that outlives the share. */
#define SHARE_SELECT                                                                               \
    "SELECT s.agent_id, s.target, s.level, s.protocol, s.expires_at, coalesce(g.generation, 0)"    \
    " FROM shares s LEFT JOIN share_generations g"                                                 \
    " ON g.agent_id = s.agent_id AND g.target = s.target "

/* Of the share `s`: ports by number, then apps by slug. */
#define TARGET_ORDER                                                                               \
    "s.target GLOB '*[^0-9]*', iif(s.target GLOB '*[^0-9]*', 0, CAST(s.target AS INTEGER)), "      \
    "s.target"

/* Shares that are for the user ?1, those of the user's own workspaces among them. */
#define SHARED_MEANT                                                                               \
    "WITH meant (agent_id, target) AS"                                                             \
    " (SELECT agent_id, target FROM share_users WHERE user_id = ?1"                                \
    "  UNION SELECT agent_id, target FROM shares WHERE level = 'authenticated') "
#define SHARED_COLUMNS                                                                             \
    "s.id, s.agent_id, s.target, s.level, s.protocol, s.expires_at, w.id, w.owner_id, "            \
    "w.template_id, w.name, u.name, a.name, a.alias, a.connected_at, a.disconnected_at, "          \
    "NOT EXISTS (SELECT 1 FROM agents b WHERE b.workspace_id = w.id AND b.id <> a.id), "           \
    "a.id = (SELECT b.id FROM agents b WHERE b.workspace_id = w.id"                                \
    " ORDER BY b.name <> ?2, b.position LIMIT 1)"
#define SHARED_PLACE                                                                               \
    "JOIN agents a ON a.id = s.agent_id JOIN workspaces w ON w.id = a.workspace_id"                \
    " JOIN users u ON u.id = w.owner_id "
#define SHARED_ORDER "u.name, w.name, a.position, " TARGET_ORDER

static void free_row(void *row)
{
    share_deinit(row);
}

/* The next columns: agent's id, target, level, protocol, expiry. */
static int read_columns(struct query *q, struct share *share)
{
    share->agent_id = query_id(q);
    if (share_set_target(share, span_of(query_borrow_text(q))) < 0)
        return -EINVAL;
    /* What this program does not understand is shared with nobody. */
    if (share_level_parse(span_of(query_borrow_text(q)), &share->level) < 0)
        share->level = SHARE_OWNER;
    if (share_protocol_parse(span_of(query_borrow_text(q)), &share->protocol) < 0)
        share->protocol = SHARE_HTTP;
    share->expires_at = query_int(q);
    return q->error;
}

static int read_share(struct query *q, struct store_op *op)
{
    op->out.free_row = free_row;
    struct share *share = store_op_row(op, sizeof(*share));
    if (!share)
        return -ENOBUFS;
    int r = read_columns(q, share);
    share->generation = query_int(q);
    return r < 0 ? r : q->error;
}

static int add_users(struct store_conn *conn, struct share *share)
{
    _cleanup_(query_end) struct query q =
        query_start(conn, "SELECT users.name FROM share_users p"
                          " JOIN users ON users.id = p.user_id"
                          " WHERE p.agent_id = ? AND p.target = ? ORDER BY users.name");
    char target[SHARE_TARGET_SIZE];
    int r;
    share_target(share, target);
    query_bind_id(&q, &share->agent_id);
    query_bind_text(&q, target);
    while ((r = query_step(&q)) == 1) {
        r = text_list_add(&share->users, span_of(query_borrow_text(&q)), SHARE_USERS_MAX);
        if (r < 0)
            return r;
    }
    return r;
}

static int add_all_users(struct store_conn *conn, struct store_op *op)
{
    struct share *shares = op->out.rows;
    int r = 0;
    for (size_t i = 0; r == 0 && i < op->out.n; i++)
        r = add_users(conn, &shares[i]);
    return r;
}

int sqlite_share_get(struct store_conn *conn, struct store_op *op)
{
    {
        _cleanup_(query_end) struct query q =
            query_start(conn, SHARE_SELECT "WHERE s.agent_id = ? AND s.target = ?");
        query_bind_id(&q, &op->in.id);
        query_bind_text(&q, op->in.name);
        int r = query_step(&q);
        if (r == 1)
            r = read_share(&q, op);
        else
            r = r == 0 ? STORE_NOT_FOUND : r;
        if (r != 0)
            return r;
    }
    return add_all_users(conn, op);
}

int sqlite_share_list(struct store_conn *conn, struct store_op *op)
{
    {
        _cleanup_(query_end) struct query q =
            query_start(conn, SHARE_SELECT "JOIN agents ON agents.id = s.agent_id"
                                           " WHERE agents.workspace_id = ?"
                                           " ORDER BY agents.position, " TARGET_ORDER);
        query_bind_id(&q, &op->in.id);
        int r;
        while ((r = query_step(&q)) == 1) {
            r = read_share(&q, op);
            if (r < 0)
                return r;
        }
        if (r < 0)
            return r;
    }
    return add_all_users(conn, op);
}

static int read_shared(struct query *q, struct store_op *op)
{
    struct store_shared *s = store_op_row(op, sizeof(*s));
    if (!s)
        return -ENOBUFS;
    s->id = query_id(q);
    if (read_columns(q, &s->share) < 0)
        return -EINVAL;
    s->ws.id = query_id(q);
    s->ws.owner_id = query_id(q);
    s->ws.template_id = query_id(q);
    query_text(q, s->ws.name, sizeof(s->ws.name));
    query_text(q, s->ws.owner_name, sizeof(s->ws.owner_name));
    s->agent.id = s->share.agent_id;
    s->agent.workspace_id = s->ws.id;
    query_text(q, s->agent.name, sizeof(s->agent.name));
    query_text(q, s->agent.alias, sizeof(s->agent.alias));
    s->agent.connected_at = query_int(q);
    s->agent.disconnected_at = query_int(q);
    s->only_agent = query_bool(q);
    s->default_agent = query_bool(q);
    return q->error;
}

int sqlite_shared_list(struct store_conn *conn, struct store_op *op)
{
    int r = sqlite_check_page(conn, "SELECT 1 FROM shares WHERE id = ?", op->in.page);
    if (r != 0)
        return r;
    _cleanup_(query_end) struct query q =
        query_start(conn, SHARED_MEANT
                    "SELECT " SHARED_COLUMNS " FROM meant JOIN shares s ON (s.agent_id, s.target) ="
                    " (meant.agent_id, meant.target) " SHARED_PLACE
                    "WHERE w.owner_id <> ?1 AND s.level IN ('users', 'authenticated')"
                    " AND (s.expires_at = 0 OR s.expires_at > ?3)"
                    " AND (?4 IS NULL OR (" SHARED_ORDER ") > (SELECT " SHARED_ORDER
                    " FROM shares s " SHARED_PLACE "WHERE s.id = ?4))"
                    " ORDER BY " SHARED_ORDER " LIMIT ?5");
    query_bind_id(&q, &op->in.id);
    query_bind_text(&q, agent_default_name);
    query_bind_int(&q, op->in.now);
    query_bind_id(&q, &op->in.page.after);
    query_bind_int(&q, sqlite_page_limit(op->in.page));
    while (r == 0 && (r = query_step(&q)) == 1)
        r = read_shared(&q, op);
    return r;
}

/* Counts one target up; the new generation is the operation's number. */
static int count_generation(struct store_conn *conn, struct store_op *op)
{
    _cleanup_(query_end) struct query q = query_start(
        conn, "INSERT INTO share_generations (agent_id, target, generation) VALUES (?, ?, 1)"
              " ON CONFLICT DO UPDATE SET generation = generation + 1 RETURNING generation");
    query_bind_id(&q, &op->in.id);
    query_bind_text(&q, op->in.name);
    int r = query_step(&q);
    if (r == 1) {
        op->out.num = query_int(&q);
        r = query_step(&q); /* to the end: a statement that is reset half-way is undone */
    }
    return r == -ENOENT ? STORE_NOT_FOUND : r;
}

static int delete_share(struct store_conn *conn, struct store_op *op)
{
    _cleanup_(query_end) struct query q =
        query_start(conn, "DELETE FROM shares WHERE agent_id = ? AND target = ?");
    query_bind_id(&q, &op->in.id);
    query_bind_text(&q, op->in.name);
    return query_run(&q);
}

int sqlite_share_delete(struct store_conn *conn, struct store_op *op)
{
    int r = delete_share(conn, op);
    if (r < 0)
        return r;
    return sqlite_changes(conn) ? count_generation(conn, op) : STORE_NOT_FOUND;
}

static int insert_share(struct store_conn *conn, const struct store_op *op)
{
    _cleanup_(query_end) struct query q =
        query_start(conn, "INSERT INTO shares (agent_id, target, level, protocol, expires_at, id)"
                          " VALUES (?, ?, ?, ?, ?, randomblob(16))");
    const struct share *share = op->in.record;
    query_bind_id(&q, &op->in.id);
    query_bind_text(&q, op->in.name);
    query_bind_text(&q, share_level_name(share->level));
    query_bind_text(&q, share_protocol_name(share->protocol));
    query_bind_int(&q, share->expires_at);
    int r = query_run(&q);
    return r == -ENOENT ? STORE_NOT_FOUND : r;
}

static int insert_user(struct store_conn *conn, const struct store_op *op, const char *name)
{
    _cleanup_(query_end) struct query q =
        query_start(conn, "INSERT OR IGNORE INTO share_users (agent_id, target, user_id)"
                          " SELECT ?, ?, id FROM users WHERE name = ?");
    query_bind_id(&q, &op->in.id);
    query_bind_text(&q, op->in.name);
    query_bind_text(&q, name);
    return query_run(&q);
}

static int check_user(struct store_conn *conn, const char *name)
{
    _cleanup_(query_end) struct query q = query_start(conn, "SELECT 1 FROM users WHERE name = ?");
    query_bind_text(&q, name);
    int r = query_step(&q);
    return r == 1 ? 0 : r == 0 ? STORE_NOT_FOUND : r;
}

int sqlite_share_set(struct store_conn *conn, struct store_op *op)
{
    const struct share *share = op->in.record;
    int r = delete_share(conn, op);
    if (r == 0)
        r = insert_share(conn, op);
    for (size_t i = 0; r == 0 && i < share->users.len; i++) {
        r = check_user(conn, share->users.items[i]);
        if (r == 0)
            r = insert_user(conn, op, share->users.items[i]);
    }
    if (r == 0)
        r = count_generation(conn, op);
    return r ? r : sqlite_share_get(conn, op);
}
