#include "store/workspace.h"

#include <errno.h>

#include "store/op.h"

static void deliver_workspace(struct store_op *op)
{
    ((store_workspace_fn *)op->fn)(op->ud, op->result, op->result ? NULL : op->out.rows);
}

static void deliver_workspaces(struct store_op *op)
{
    ((store_workspaces_fn *)op->fn)(op->ud, op->result, op->out.rows, op->result ? 0 : op->out.n);
}

/* The row is the workspace; the agent asked for is the only one in it. */
static void deliver_agent(struct store_op *op)
{
    const struct store_workspace *found = op->result ? NULL : op->out.rows;
    ((store_agent_fn *)op->fn)(op->ud, op->result, found ? &found->ws : NULL,
                               found ? found->agents : NULL);
}

static struct store_op *workspace_op(struct store *s, struct loop *loop, enum store_op_id id,
                                     store_workspace_fn *fn, void *ud)
{
    return store_op_new(s, loop, id, deliver_workspace, (void (*)(void))fn, ud);
}

static struct store_op *agent_op(struct store *s, struct loop *loop, enum store_op_id id,
                                 store_agent_fn *fn, void *ud)
{
    return store_op_new(s, loop, id, deliver_agent, (void (*)(void))fn, ud);
}

static struct store_op *done_op(struct store *s, struct loop *loop, enum store_op_id id,
                                store_done_fn *fn, void *ud)
{
    return store_op_new(s, loop, id, store_deliver_done, (void (*)(void))fn, ud);
}

static void copy_new(struct store_op *op, const struct store_workspace_new *ws)
{
    struct store_workspace_new *copy = store_op_dup(op, ws, sizeof(*ws));
    struct store_agent_new *agents =
        store_op_dup(op, ws->agents, ws->n_agents * sizeof(*ws->agents));
    if (!copy || !agents)
        return;
    copy->name = store_op_str(op, ws->name);
    copy->template_name = store_op_str(op, ws->template_name);
    for (size_t i = 0; i < ws->n_agents; i++)
        agents[i].name = store_op_str(op, agents[i].name);
    copy->agents = agents;
    op->in.record = copy;
}

struct store_op *store_workspace_create(struct store *s, struct loop *loop,
                                        const struct store_workspace_new *ws,
                                        store_workspace_fn *fn, void *ud)
{
    struct store_op *op = workspace_op(s, loop, STORE_OP_WORKSPACE_CREATE, fn, ud);
    if (ws->n_agents < 1 || ws->n_agents > WORKSPACE_AGENTS_MAX)
        op->result = -EINVAL;
    else
        copy_new(op, ws);
    op->in.id = id_new();
    return store_op_submit(op);
}

struct store_op *store_workspace_get(struct store *s, struct loop *loop, const char *owner,
                                     const char *name, store_workspace_fn *fn, void *ud)
{
    struct store_op *op = workspace_op(s, loop, STORE_OP_WORKSPACE_GET, fn, ud);
    op->in.name = store_op_str(op, name);
    op->in.text = store_op_str(op, owner);
    return store_op_submit(op);
}

struct store_op *store_workspace_list(struct store *s, struct loop *loop, struct id owner_id,
                                      struct store_page page, store_workspaces_fn *fn, void *ud)
{
    struct store_op *op =
        store_op_new(s, loop, STORE_OP_WORKSPACE_LIST, deliver_workspaces, (void (*)(void))fn, ud);
    op->in.id = owner_id;
    op->in.page = page;
    return store_op_submit(op);
}

struct store_op *store_workspace_delete(struct store *s, struct loop *loop, struct id id,
                                        store_done_fn *fn, void *ud)
{
    struct store_op *op = done_op(s, loop, STORE_OP_WORKSPACE_DELETE, fn, ud);
    op->in.id = id;
    return store_op_submit(op);
}

struct store_op *store_agent_find(struct store *s, struct loop *loop,
                                  const unsigned char token_hash[static TOKEN_HASH_LEN],
                                  store_agent_fn *fn, void *ud)
{
    struct store_op *op = agent_op(s, loop, STORE_OP_AGENT_FIND, fn, ud);
    op->in.hash = store_op_dup(op, token_hash, TOKEN_HASH_LEN);
    return store_op_submit(op);
}

struct store_op *store_agent_get(struct store *s, struct loop *loop, struct id id,
                                 store_agent_fn *fn, void *ud)
{
    struct store_op *op = agent_op(s, loop, STORE_OP_AGENT_GET, fn, ud);
    op->in.id = id;
    return store_op_submit(op);
}

struct store_op *store_agent_get_alias(struct store *s, struct loop *loop, const char *alias,
                                       store_agent_fn *fn, void *ud)
{
    struct store_op *op = agent_op(s, loop, STORE_OP_AGENT_GET_ALIAS, fn, ud);
    op->in.name = store_op_str(op, alias);
    return store_op_submit(op);
}

struct store_op *store_agent_set_token(struct store *s, struct loop *loop, struct id id,
                                       const unsigned char token_hash[static TOKEN_HASH_LEN],
                                       store_done_fn *fn, void *ud)
{
    struct store_op *op = done_op(s, loop, STORE_OP_AGENT_SET_TOKEN, fn, ud);
    op->in.id = id;
    op->in.hash = store_op_dup(op, token_hash, TOKEN_HASH_LEN);
    return store_op_submit(op);
}

static const char *cut_copy(struct store_op *op, const char *text)
{
    char cut[AGENT_INFO_SIZE];
    str_copy(cut, sizeof(cut), text ? text : "");
    return store_op_str(op, cut);
}

struct store_op *store_agent_connected(struct store *s, struct loop *loop, struct id id,
                                       const struct store_agent_connected *info, store_done_fn *fn,
                                       void *ud)
{
    struct store_op *op = done_op(s, loop, STORE_OP_AGENT_CONNECTED, fn, ud);
    struct store_agent_connected *copy = store_op_dup(op, info, sizeof(*info));
    if (copy) {
        copy->os = cut_copy(op, info->os);
        copy->arch = cut_copy(op, info->arch);
        copy->version = cut_copy(op, info->version);
        copy->hostname = cut_copy(op, info->hostname);
    }
    op->in.record = copy;
    op->in.id = id;
    return store_op_submit(op);
}

struct store_op *store_agent_seen(struct store *s, struct loop *loop, struct id id, usec_t now,
                                  store_done_fn *fn, void *ud)
{
    struct store_op *op = loop ? done_op(s, loop, STORE_OP_AGENT_SEEN, fn, ud)
                               : store_op_new(s, NULL, STORE_OP_AGENT_SEEN, NULL, NULL, NULL);
    op->in.id = id;
    op->in.now = now;
    return store_op_submit(op);
}
