#include <errno.h>

#include "base/cleanup.h"
#include "model/user.h"
#include "store/sqlite.h"
#include "store/user.h"

void sqlite_read_user(struct query *q, struct user *user)
{
    user->id = query_id(q);
    query_text(q, user->name, sizeof(user->name));
    query_text(q, user->display_name, sizeof(user->display_name));
    query_text(q, user->email, sizeof(user->email));
    if (role_parse(span_of(query_borrow_text(q)), &user->role) < 0)
        user->role = ROLE_MEMBER;
    user->suspended = query_bool(q);
    user->created_at = query_int(q);
    user->last_seen_at = query_int(q);
}

/* Answers with the one user that the query finds. */
static int answer_one(struct query *q, struct store_op *op)
{
    int r = query_step(q);
    if (r != 1)
        return r == 0 ? STORE_NOT_FOUND : r;
    sqlite_read_user(q, store_op_row(op, sizeof(struct user)));
    return q->error;
}

int sqlite_user_get_id(struct store_conn *conn, struct store_op *op)
{
    _cleanup_(query_end) struct query q =
        query_start(conn, "SELECT " SQLITE_USER_COLUMNS " FROM users WHERE id = ?");
    query_bind_id(&q, &op->in.id);
    return answer_one(&q, op);
}

int sqlite_user_get(struct store_conn *conn, struct store_op *op)
{
    _cleanup_(query_end) struct query q =
        query_start(conn, "SELECT " SQLITE_USER_COLUMNS " FROM users WHERE name = ?");
    query_bind_text(&q, op->in.name);
    return answer_one(&q, op);
}

int sqlite_user_login(struct store_conn *conn, struct store_op *op)
{
    _cleanup_(query_end) struct query q = query_start(
        conn, "SELECT " SQLITE_USER_COLUMNS ", users.password_hash FROM users WHERE name = ?");
    query_bind_text(&q, op->in.name);
    int r = answer_one(&q, op);
    if (r == 0)
        op->out.text = store_op_str(op, query_borrow_text(&q));
    return r;
}

int sqlite_user_list(struct store_conn *conn, struct store_op *op)
{
    int r = sqlite_check_page(conn, "SELECT 1 FROM users WHERE id = ?", op->in.page);
    if (r != 0)
        return r;
    _cleanup_(query_end) struct query q = query_start(
        conn, "SELECT " SQLITE_USER_COLUMNS " FROM users WHERE ?1 IS NULL"
              " OR name > (SELECT name FROM users WHERE id = ?1) ORDER BY name LIMIT ?2");
    query_bind_id(&q, &op->in.page.after);
    query_bind_int(&q, sqlite_page_limit(op->in.page));
    while ((r = query_step(&q)) == 1) {
        struct user *user = store_op_row(op, sizeof(*user));
        if (!user)
            return -ENOBUFS;
        sqlite_read_user(&q, user);
    }
    return r;
}

static int any_user(struct store_conn *conn, int64_t *ret)
{
    _cleanup_(query_end) struct query q = query_start(conn, "SELECT EXISTS (SELECT 1 FROM users)");
    int r = query_step(&q);
    if (r == 1)
        *ret = query_int(&q);
    return r == 1 ? 0 : r;
}

int sqlite_setup_needed(struct store_conn *conn, struct store_op *op)
{
    int64_t any = 0;
    int r = any_user(conn, &any);
    op->out.num = !any;
    return r;
}

static int insert(struct store_conn *conn, struct store_op *op, enum role role)
{
    const struct store_user_new *user = op->in.record;
    {
        _cleanup_(query_end) struct query q = query_start(
            conn, "INSERT INTO users (id, name, display_name, email, role, password_hash,"
                  " created_at) VALUES (?, ?, ?, ?, ?, ?, ?)");
        query_bind_id(&q, &op->in.id);
        query_bind_text(&q, user->name);
        query_bind_text(&q, user->display_name);
        query_bind_text(&q, user->email);
        query_bind_text(&q, role_name(role));
        query_bind_text(&q, user->password_hash);
        query_bind_int(&q, user->now);
        int r = query_run(&q);
        if (r < 0)
            return r == -EEXIST ? STORE_EXISTS : r;
    }
    return sqlite_user_get_id(conn, op);
}

int sqlite_setup(struct store_conn *conn, struct store_op *op)
{
    int64_t any = 0;
    int r = any_user(conn, &any);
    if (r != 0)
        return r;
    return any ? STORE_SETUP_DONE : insert(conn, op, ROLE_OWNER);
}

int sqlite_user_create(struct store_conn *conn, struct store_op *op)
{
    return insert(conn, op, ((const struct store_user_new *)op->in.record)->role);
}

/* 0 when an active administrator is left beside this user, or when the user is none. */
static int check_last_owner(struct store_conn *conn, const struct id *id)
{
    _cleanup_(query_end) struct query q =
        query_start(conn, "SELECT EXISTS (SELECT 1 FROM users"
                          "  WHERE id = ?1 AND role = 'owner' AND NOT suspended)"
                          " AND NOT EXISTS (SELECT 1 FROM users"
                          "  WHERE id <> ?1 AND role = 'owner' AND NOT suspended)");
    query_bind_id(&q, id);
    int r = query_step(&q);
    if (r == 1)
        return query_bool(&q) ? STORE_LAST_OWNER : 0;
    return r;
}

/* Ends the user's sessions, and by the foreign key the app tokens on them. */
static int end_sessions(struct store_conn *conn, const struct id *user, const struct id *keep)
{
    _cleanup_(query_end) struct query q = query_start(
        conn, "DELETE FROM tokens WHERE user_id = ? AND kind = 'session' AND id IS NOT ?");
    query_bind_id(&q, user);
    query_bind_id(&q, keep);
    return query_run(&q);
}

static int apply_update(struct store_conn *conn, const struct id *id,
                        const struct store_user_update *u)
{
    _cleanup_(query_end) struct query q = query_start(
        conn, "UPDATE users SET role = iif(?1, ?2, role), suspended = iif(?3, ?4, suspended),"
              " display_name = iif(?5, ?6, display_name), email = iif(?7, ?8, email)"
              " WHERE id = ?9");
    query_bind_int(&q, (u->change & STORE_USER_ROLE) != 0);
    query_bind_text(&q, role_name(u->role));
    query_bind_int(&q, (u->change & STORE_USER_SUSPENDED) != 0);
    query_bind_int(&q, u->suspended);
    query_bind_int(&q, (u->change & STORE_USER_DISPLAY_NAME) != 0);
    query_bind_text(&q, u->display_name);
    query_bind_int(&q, (u->change & STORE_USER_EMAIL) != 0);
    query_bind_text(&q, u->email);
    query_bind_id(&q, id);
    return query_run(&q);
}

int sqlite_user_update(struct store_conn *conn, struct store_op *op)
{
    const struct store_user_update *u = op->in.record;
    bool loses_role = (u->change & STORE_USER_ROLE) && u->role != ROLE_OWNER;
    bool suspends = (u->change & STORE_USER_SUSPENDED) && u->suspended;
    int r = 0;
    if (loses_role || suspends)
        r = check_last_owner(conn, &op->in.id);
    if (r == 0)
        r = apply_update(conn, &op->in.id, u);
    if (r == 0 && suspends)
        r = end_sessions(conn, &op->in.id, &(struct id){{0}});
    return r ? r : sqlite_user_get_id(conn, op);
}

int sqlite_user_set_password(struct store_conn *conn, struct store_op *op)
{
    {
        _cleanup_(query_end) struct query q =
            query_start(conn, "UPDATE users SET password_hash = ? WHERE id = ?");
        query_bind_text(&q, op->in.text);
        query_bind_id(&q, &op->in.id);
        int r = query_run(&q);
        if (r < 0)
            return r;
    }
    if (sqlite_changes(conn) == 0)
        return STORE_NOT_FOUND;
    return end_sessions(conn, &op->in.id, &op->in.other);
}

/* Tickets for ports and apps that were shared with the person by name become void. */
static int bump_shares_with(struct store_conn *conn, const struct id *user)
{
    _cleanup_(query_end) struct query q =
        query_start(conn, "UPDATE share_generations SET generation = generation + 1"
                          " WHERE (agent_id, target) IN"
                          " (SELECT agent_id, target FROM share_users WHERE user_id = ?)");
    query_bind_id(&q, user);
    return query_run(&q);
}

int sqlite_user_delete(struct store_conn *conn, struct store_op *op)
{
    int r = check_last_owner(conn, &op->in.id);
    if (r != 0)
        return r;
    r = sqlite_check_id(conn, "SELECT 1 FROM workspaces WHERE owner_id = ?", &op->in.id);
    if (r != STORE_NOT_FOUND)
        return r == 0 ? STORE_IN_USE : r;
    r = bump_shares_with(conn, &op->in.id);
    if (r < 0)
        return r;
    _cleanup_(query_end) struct query q = query_start(conn, "DELETE FROM users WHERE id = ?");
    query_bind_id(&q, &op->in.id);
    r = query_run(&q);
    return r < 0 ? r : sqlite_changes(conn) ? 0 : STORE_NOT_FOUND;
}

int sqlite_user_touch(struct store_conn *conn, struct store_op *op)
{
    _cleanup_(query_end) struct query q =
        query_start(conn, "UPDATE users SET last_seen_at = max(last_seen_at, ?) WHERE id = ?");
    query_bind_int(&q, op->in.now);
    query_bind_id(&q, &op->in.id);
    return query_run(&q);
}
