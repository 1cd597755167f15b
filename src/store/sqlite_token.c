#include <errno.h>

#include "base/cleanup.h"
#include "store/sqlite.h"
#include "store/token.h"

#define TOKEN_COLUMNS                                                                              \
    "tokens.id, tokens.user_id, tokens.parent_id, tokens.kind, tokens.name, tokens.scope, "        \
    "tokens.hash, tokens.created_at, tokens.expires_at, tokens.last_used_at"

static void read_token(struct query *q, struct token *token)
{
    token->id = query_id(q);
    token->user_id = query_id(q);
    token->parent_id = query_id(q);
    int r = token_kind_parse(span_of(query_borrow_text(q)), &token->kind);
    query_text(q, token->name, sizeof(token->name));
    if (token_scope_parse(span_of(query_borrow_text(q)), &token->scope, NULL) < 0)
        r = -EIO;
    if (query_blob(q, token->hash, TOKEN_HASH_LEN) != TOKEN_HASH_LEN)
        r = -EIO;
    token->created_at = query_int(q);
    token->expires_at = query_int(q);
    token->last_used_at = query_int(q);
    /* A token that this program does not understand must not be taken for a mightier one. */
    if (r < 0)
        q->error = -EIO;
}

static int answer_one(struct query *q, struct store_op *op)
{
    int r = query_step(q);
    if (r != 1)
        return r == 0 ? STORE_NOT_FOUND : r;
    read_token(q, store_op_row(op, sizeof(struct token)));
    return q->error;
}

int sqlite_token_get(struct store_conn *conn, struct store_op *op)
{
    _cleanup_(query_end) struct query q =
        query_start(conn, "SELECT " TOKEN_COLUMNS " FROM tokens WHERE id = ?");
    query_bind_id(&q, &op->in.id);
    return answer_one(&q, op);
}

int sqlite_token_find(struct store_conn *conn, struct store_op *op)
{
    _cleanup_(query_end) struct query q =
        query_start(conn, "SELECT " TOKEN_COLUMNS ", " SQLITE_USER_COLUMNS
                          " FROM tokens JOIN users ON users.id = tokens.user_id WHERE hash = ?");
    query_bind_blob(&q, op->in.hash, TOKEN_HASH_LEN);
    int r = answer_one(&q, op);
    struct user *user = store_op_dup(op, &(struct user){0}, sizeof(*user));
    if (r == 0 && user)
        sqlite_read_user(&q, user);
    op->out.more = user;
    return r ? r : user ? q.error : -ENOBUFS;
}

int sqlite_token_list(struct store_conn *conn, struct store_op *op)
{
    int r = sqlite_check_page(conn, "SELECT 1 FROM tokens WHERE id = ?", op->in.page);
    if (r != 0)
        return r;
    _cleanup_(query_end) struct query q = query_start(
        conn,
        "SELECT " TOKEN_COLUMNS " FROM tokens WHERE user_id = ?1 AND kind <> 'app' AND"
        " (?2 IS NULL OR (created_at, id) < (SELECT created_at, id FROM tokens WHERE id = ?2))"
        " ORDER BY created_at DESC, id DESC LIMIT ?3");
    query_bind_id(&q, &op->in.id);
    query_bind_id(&q, &op->in.page.after);
    query_bind_int(&q, sqlite_page_limit(op->in.page));
    while ((r = query_step(&q)) == 1) {
        struct token *token = store_op_row(op, sizeof(*token));
        if (!token)
            return -ENOBUFS;
        read_token(&q, token);
    }
    return r;
}

int sqlite_token_create(struct store_conn *conn, struct store_op *op)
{
    const struct store_token_new *token = op->in.record;
    char scope[TOKEN_SCOPE_SIZE];
    {
        _cleanup_(query_end) struct query q =
            query_start(conn, "INSERT INTO tokens (id, user_id, parent_id, kind, name, scope, hash,"
                              " created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
        query_bind_id(&q, &op->in.id);
        query_bind_id(&q, &token->user_id);
        query_bind_id(&q, &token->parent_id);
        query_bind_text(&q, token_kind_name(token->kind));
        query_bind_text(&q, token->name);
        query_bind_text(&q, token_scope_format(&token->scope, scope));
        query_bind_blob(&q, token->hash, TOKEN_HASH_LEN);
        query_bind_int(&q, token->now);
        query_bind_int(&q, token->expires_at);
        int r = query_run(&q);
        if (r < 0)
            return r == -EEXIST ? STORE_EXISTS : r == -ENOENT ? STORE_NOT_FOUND : r;
    }
    return sqlite_token_get(conn, op);
}

int sqlite_token_revoke(struct store_conn *conn, struct store_op *op)
{
    _cleanup_(query_end) struct query q = query_start(conn, "DELETE FROM tokens WHERE id = ?");
    query_bind_id(&q, &op->in.id);
    int r = query_run(&q);
    return r < 0 ? r : sqlite_changes(conn) ? 0 : STORE_NOT_FOUND;
}

int sqlite_token_prune(struct store_conn *conn, struct store_op *op)
{
    _cleanup_(query_end) struct query q =
        query_start(conn, "DELETE FROM tokens WHERE expires_at <> 0 AND expires_at < ?");
    query_bind_int(&q, op->in.now);
    return query_run(&q);
}

int sqlite_token_touch(struct store_conn *conn, struct store_op *op)
{
    _cleanup_(query_end) struct query q =
        query_start(conn, "UPDATE tokens SET last_used_at = max(last_used_at, ?) WHERE id = ?");
    query_bind_int(&q, op->in.now);
    query_bind_id(&q, &op->in.id);
    return query_run(&q);
}
