/*
 * A workspace is answered with its agents, read by a second statement in the same transaction. The
 * order of `position` is the order in which the agents were named.
 */
#include <errno.h>

#include "base/cleanup.h"
#include "store/sqlite.h"
#include "store/workspace.h"

#define WORKSPACE_COLUMNS                                                                          \
    "workspaces.id, workspaces.owner_id, workspaces.template_id, workspaces.name, users.name, "    \
    "templates.name, workspaces.created_at"
#define WORKSPACE_FROM                                                                             \
    " FROM workspaces JOIN users ON users.id = workspaces.owner_id"                                \
    " JOIN templates ON templates.id = workspaces.template_id "
#define AGENT_COLUMNS                                                                              \
    "agents.id, agents.workspace_id, agents.name, agents.alias, agents.token_hash, agents.pin, "   \
    "agents.os, agents.arch, agents.version, agents.hostname, agents.created_at, "                 \
    "agents.connected_at, agents.disconnected_at"

static void read_workspace(struct query *q, struct workspace *ws)
{
    ws->id = query_id(q);
    ws->owner_id = query_id(q);
    ws->template_id = query_id(q);
    query_text(q, ws->name, sizeof(ws->name));
    query_text(q, ws->owner_name, sizeof(ws->owner_name));
    query_text(q, ws->template_name, sizeof(ws->template_name));
    ws->created_at = query_int(q);
}

static void read_agent(struct query *q, struct agent *agent)
{
    *agent = (struct agent){.id = query_id(q)};
    agent->workspace_id = query_id(q);
    query_text(q, agent->name, sizeof(agent->name));
    query_text(q, agent->alias, sizeof(agent->alias));
    query_blob(q, agent->token_hash, TOKEN_HASH_LEN);
    query_blob(q, agent->pin, AGENT_PIN_LEN);
    query_text(q, agent->os, sizeof(agent->os));
    query_text(q, agent->arch, sizeof(agent->arch));
    query_text(q, agent->version, sizeof(agent->version));
    query_text(q, agent->hostname, sizeof(agent->hostname));
    agent->created_at = query_int(q);
    agent->connected_at = query_int(q);
    agent->disconnected_at = query_int(q);
}

static int add_agents(struct store_conn *conn, struct store_op *op, struct store_workspace *ws)
{
    struct agent agents[WORKSPACE_AGENTS_MAX];
    size_t n = 0;
    _cleanup_(query_end) struct query q = query_start(
        conn, "SELECT " AGENT_COLUMNS " FROM agents WHERE workspace_id = ? ORDER BY position");
    query_bind_id(&q, &ws->ws.id);
    int r;
    while ((r = query_step(&q)) == 1) {
        if (n == WORKSPACE_AGENTS_MAX)
            return -EIO;
        read_agent(&q, &agents[n++]);
    }
    if (r < 0)
        return r;
    ws->agents = store_op_dup(op, agents, n * sizeof(*agents));
    ws->n_agents = n;
    return ws->agents ? 0 : -ENOBUFS;
}

static int answer_one(struct query *q, struct store_op *op)
{
    int r = query_step(q);
    if (r != 1)
        return r == 0 ? STORE_NOT_FOUND : r;
    struct store_workspace *ws = store_op_row(op, sizeof(*ws));
    read_workspace(q, &ws->ws);
    return q->error ? q->error : add_agents(q->conn, op, ws);
}

int sqlite_workspace_get(struct store_conn *conn, struct store_op *op)
{
    _cleanup_(query_end) struct query q =
        query_start(conn, "SELECT " WORKSPACE_COLUMNS WORKSPACE_FROM
                          "WHERE users.name = ? AND workspaces.name = ?");
    query_bind_text(&q, op->in.text);
    query_bind_text(&q, op->in.name);
    return answer_one(&q, op);
}

static int answer_by_id(struct store_conn *conn, struct store_op *op)
{
    _cleanup_(query_end) struct query q =
        query_start(conn, "SELECT " WORKSPACE_COLUMNS WORKSPACE_FROM "WHERE workspaces.id = ?");
    query_bind_id(&q, &op->in.id);
    return answer_one(&q, op);
}

static int list_workspaces(struct store_conn *conn, struct store_op *op)
{
    _cleanup_(query_end) struct query q = query_start(
        conn, "SELECT " WORKSPACE_COLUMNS WORKSPACE_FROM
              "WHERE (?1 IS NULL OR workspaces.owner_id = ?1) AND"
              " (?2 IS NULL OR (users.name, workspaces.name) >"
              "  (SELECT u.name, w.name FROM workspaces w JOIN users u ON u.id = w.owner_id"
              "   WHERE w.id = ?2))"
              " ORDER BY users.name, workspaces.name LIMIT ?3");
    query_bind_id(&q, &op->in.id);
    query_bind_id(&q, &op->in.page.after);
    query_bind_int(&q, sqlite_page_limit(op->in.page));
    int r;
    while ((r = query_step(&q)) == 1) {
        struct store_workspace *ws = store_op_row(op, sizeof(*ws));
        if (!ws)
            return -ENOBUFS;
        read_workspace(&q, &ws->ws);
    }
    return r;
}

int sqlite_workspace_list(struct store_conn *conn, struct store_op *op)
{
    int r = sqlite_check_page(conn, "SELECT 1 FROM workspaces WHERE id = ?", op->in.page);
    if (r == 0)
        r = list_workspaces(conn, op);
    struct store_workspace *list = op->out.rows;
    for (size_t i = 0; r == 0 && i < op->out.n; i++)
        r = add_agents(conn, op, &list[i]);
    return r;
}

static int find_template(struct store_conn *conn, const char *name, struct id *ret)
{
    _cleanup_(query_end) struct query q =
        query_start(conn, "SELECT id FROM templates WHERE name = ?");
    query_bind_text(&q, name);
    int r = query_step(&q);
    if (r == 1)
        *ret = query_id(&q);
    return r == 1 ? 0 : r == 0 ? STORE_NO_TEMPLATE : r;
}

static int insert_workspace(struct store_conn *conn, const struct id *id,
                            const struct store_workspace_new *ws)
{
    struct id template_id;
    int r = find_template(conn, ws->template_name, &template_id);
    if (r != 0)
        return r;
    _cleanup_(query_end) struct query q =
        query_start(conn, "INSERT INTO workspaces (id, owner_id, template_id, name, created_at)"
                          " VALUES (?, ?, ?, ?, ?)");
    query_bind_id(&q, id);
    query_bind_id(&q, &ws->owner_id);
    query_bind_id(&q, &template_id);
    query_bind_text(&q, ws->name);
    query_bind_int(&q, ws->now);
    r = query_run(&q);
    return r == -EEXIST ? STORE_EXISTS : r == -ENOENT ? STORE_NO_OWNER : r;
}

static int insert_agent(struct store_conn *conn, const struct id *workspace,
                        const struct store_agent_new *agent, size_t position, usec_t now)
{
    struct id id = id_new();
    char alias[AGENT_ALIAS_SIZE];
    agent_alias_new(alias);
    _cleanup_(query_end) struct query q =
        query_start(conn, "INSERT INTO agents (id, workspace_id, position, name, alias, token_hash,"
                          " created_at) VALUES (?, ?, ?, ?, ?, ?, ?)");
    query_bind_id(&q, &id);
    query_bind_id(&q, workspace);
    query_bind_int(&q, (int64_t)position);
    query_bind_text(&q, agent->name);
    query_bind_text(&q, alias);
    query_bind_blob(&q, agent->token_hash, TOKEN_HASH_LEN);
    query_bind_int(&q, now);
    int r = query_run(&q);
    return r == -EEXIST ? STORE_EXISTS : r;
}

int sqlite_workspace_create(struct store_conn *conn, struct store_op *op)
{
    const struct store_workspace_new *ws = op->in.record;
    int r = insert_workspace(conn, &op->in.id, ws);
    for (size_t i = 0; r == 0 && i < ws->n_agents; i++)
        r = insert_agent(conn, &op->in.id, &ws->agents[i], i, ws->now);
    return r ? r : answer_by_id(conn, op);
}

int sqlite_workspace_delete(struct store_conn *conn, struct store_op *op)
{
    _cleanup_(query_end) struct query q = query_start(conn, "DELETE FROM workspaces WHERE id = ?");
    query_bind_id(&q, &op->in.id);
    int r = query_run(&q);
    return r < 0 ? r : sqlite_changes(conn) ? 0 : STORE_NOT_FOUND;
}

/* The agent that the query finds, first its own columns, then its workspace's. */
static int answer_agent(struct query *q, struct store_op *op)
{
    int r = query_step(q);
    if (r != 1)
        return r == 0 ? STORE_NOT_FOUND : r;
    struct store_workspace *found = store_op_row(op, sizeof(*found));
    struct agent *agent = store_op_dup(op, &(struct agent){0}, sizeof(*agent));
    if (!agent)
        return -ENOBUFS;
    read_agent(q, agent);
    read_workspace(q, &found->ws);
    found->agents = agent;
    found->n_agents = 1;
    return q->error;
}

#define AGENT_SELECT                                                                               \
    "SELECT " AGENT_COLUMNS ", " WORKSPACE_COLUMNS WORKSPACE_FROM                                  \
    "JOIN agents ON agents.workspace_id = workspaces.id "

int sqlite_agent_find(struct store_conn *conn, struct store_op *op)
{
    _cleanup_(query_end) struct query q =
        query_start(conn, AGENT_SELECT "WHERE agents.token_hash = ?");
    query_bind_blob(&q, op->in.hash, TOKEN_HASH_LEN);
    return answer_agent(&q, op);
}

int sqlite_agent_get(struct store_conn *conn, struct store_op *op)
{
    _cleanup_(query_end) struct query q = query_start(conn, AGENT_SELECT "WHERE agents.id = ?");
    query_bind_id(&q, &op->in.id);
    return answer_agent(&q, op);
}

int sqlite_agent_get_alias(struct store_conn *conn, struct store_op *op)
{
    _cleanup_(query_end) struct query q = query_start(conn, AGENT_SELECT "WHERE agents.alias = ?");
    query_bind_text(&q, op->in.name);
    return answer_agent(&q, op);
}

int sqlite_agent_set_token(struct store_conn *conn, struct store_op *op)
{
    _cleanup_(query_end) struct query q =
        query_start(conn, "UPDATE agents SET token_hash = ? WHERE id = ?");
    query_bind_blob(&q, op->in.hash, TOKEN_HASH_LEN);
    query_bind_id(&q, &op->in.id);
    int r = query_run(&q);
    return r < 0 ? r : sqlite_changes(conn) ? 0 : STORE_NOT_FOUND;
}

int sqlite_agent_connected(struct store_conn *conn, struct store_op *op)
{
    const struct store_agent_connected *info = op->in.record;
    _cleanup_(query_end) struct query q =
        query_start(conn, "UPDATE agents SET pin = ?, os = ?, arch = ?, version = ?, hostname = ?,"
                          " connected_at = ? WHERE id = ?");
    query_bind_blob(&q, info->pin, AGENT_PIN_LEN);
    query_bind_text(&q, info->os);
    query_bind_text(&q, info->arch);
    query_bind_text(&q, info->version);
    query_bind_text(&q, info->hostname);
    query_bind_int(&q, info->now);
    query_bind_id(&q, &op->in.id);
    int r = query_run(&q);
    return r < 0 ? r : sqlite_changes(conn) ? 0 : STORE_NOT_FOUND;
}

int sqlite_agent_seen(struct store_conn *conn, struct store_op *op)
{
    _cleanup_(query_end) struct query q = query_start(
        conn, "UPDATE agents SET disconnected_at = max(disconnected_at, ?) WHERE id = ?");
    query_bind_int(&q, op->in.now);
    query_bind_id(&q, &op->in.id);
    return query_run(&q);
}
