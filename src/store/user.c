#include "store/user.h"

#include "store/op.h"

static void deliver_flag(struct store_op *op)
{
    ((store_flag_fn *)op->fn)(op->ud, op->result, op->out.num != 0);
}

static void deliver_user(struct store_op *op)
{
    ((store_user_fn *)op->fn)(op->ud, op->result, op->result ? NULL : op->out.rows);
}

static void deliver_users(struct store_op *op)
{
    ((store_users_fn *)op->fn)(op->ud, op->result, op->out.rows, op->result ? 0 : op->out.n);
}

static void deliver_login(struct store_op *op)
{
    bool found = op->result == 0;
    ((store_login_fn *)op->fn)(op->ud, op->result, found ? op->out.rows : NULL,
                               found ? op->out.text : NULL);
}

static struct store_op *user_op(struct store *s, struct loop *loop, enum store_op_id id,
                                store_user_fn *fn, void *ud)
{
    return store_op_new(s, loop, id, deliver_user, (void (*)(void))fn, ud);
}

struct store_op *store_setup_needed(struct store *s, struct loop *loop, store_flag_fn *fn, void *ud)
{
    return store_op_submit(
        store_op_new(s, loop, STORE_OP_SETUP_NEEDED, deliver_flag, (void (*)(void))fn, ud));
}

static struct store_op *submit_new(struct store_op *op, const struct store_user_new *user)
{
    struct store_user_new *copy = store_op_dup(op, user, sizeof(*user));
    if (copy) {
        copy->name = store_op_str(op, user->name);
        copy->display_name = store_op_str(op, user->display_name);
        copy->email = store_op_str(op, user->email);
        copy->password_hash = store_op_str(op, user->password_hash);
    }
    op->in.record = copy;
    op->in.id = id_new();
    return store_op_submit(op);
}

struct store_op *store_setup(struct store *s, struct loop *loop, const struct store_user_new *user,
                             store_user_fn *fn, void *ud)
{
    return submit_new(user_op(s, loop, STORE_OP_SETUP, fn, ud), user);
}

struct store_op *store_user_create(struct store *s, struct loop *loop,
                                   const struct store_user_new *user, store_user_fn *fn, void *ud)
{
    return submit_new(user_op(s, loop, STORE_OP_USER_CREATE, fn, ud), user);
}

struct store_op *store_user_get(struct store *s, struct loop *loop, const char *name,
                                store_user_fn *fn, void *ud)
{
    struct store_op *op = user_op(s, loop, STORE_OP_USER_GET, fn, ud);
    op->in.name = store_op_str(op, name);
    return store_op_submit(op);
}

struct store_op *store_user_get_id(struct store *s, struct loop *loop, struct id id,
                                   store_user_fn *fn, void *ud)
{
    struct store_op *op = user_op(s, loop, STORE_OP_USER_GET_ID, fn, ud);
    op->in.id = id;
    return store_op_submit(op);
}

struct store_op *store_user_login(struct store *s, struct loop *loop, const char *name,
                                  store_login_fn *fn, void *ud)
{
    struct store_op *op =
        store_op_new(s, loop, STORE_OP_USER_LOGIN, deliver_login, (void (*)(void))fn, ud);
    op->in.name = store_op_str(op, name);
    return store_op_submit(op);
}

struct store_op *store_user_list(struct store *s, struct loop *loop, struct store_page page,
                                 store_users_fn *fn, void *ud)
{
    struct store_op *op =
        store_op_new(s, loop, STORE_OP_USER_LIST, deliver_users, (void (*)(void))fn, ud);
    op->in.page = page;
    return store_op_submit(op);
}

struct store_op *store_user_update(struct store *s, struct loop *loop, struct id id,
                                   const struct store_user_update *update, store_user_fn *fn,
                                   void *ud)
{
    struct store_op *op = user_op(s, loop, STORE_OP_USER_UPDATE, fn, ud);
    struct store_user_update *copy = store_op_dup(op, update, sizeof(*update));
    if (copy) {
        copy->display_name = store_op_str(op, update->display_name);
        copy->email = store_op_str(op, update->email);
    }
    op->in.record = copy;
    op->in.id = id;
    return store_op_submit(op);
}

struct store_op *store_user_set_password(struct store *s, struct loop *loop, struct id id,
                                         const char *password_hash, struct id keep_session,
                                         store_done_fn *fn, void *ud)
{
    struct store_op *op = store_op_new(s, loop, STORE_OP_USER_SET_PASSWORD, store_deliver_done,
                                       (void (*)(void))fn, ud);
    op->in.id = id;
    op->in.other = keep_session;
    op->in.text = store_op_str(op, password_hash);
    return store_op_submit(op);
}

struct store_op *store_user_delete(struct store *s, struct loop *loop, struct id id,
                                   store_done_fn *fn, void *ud)
{
    struct store_op *op =
        store_op_new(s, loop, STORE_OP_USER_DELETE, store_deliver_done, (void (*)(void))fn, ud);
    op->in.id = id;
    return store_op_submit(op);
}

void store_user_touch(struct store *s, struct id id, usec_t now)
{
    struct store_op *op = store_op_new(s, NULL, STORE_OP_USER_TOUCH, NULL, NULL, NULL);
    op->in.id = id;
    op->in.now = now;
    store_op_submit(op);
}
