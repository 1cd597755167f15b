#include "server/password_reset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "auth/auth.h"
#include "auth/login.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "io/loop.h"
#include "server/data_dir.h"
#include "store/audit.h"
#include "store/store.h"

struct reset {
    const char *user;
    struct loop *loop;
    struct store *store;
    struct auth *auth;
    bool done;
    int result;
    struct err err;
};

static void finish(struct reset *r, int result)
{
    r->done = true;
    r->result = result;
}

static void on_recorded(void *ud, int result, const bool *is_new)
{
    struct reset *r = ud;

    (void)is_new;
    if (result == STORE_OK)
        finish(r, 0);
    else
        finish(r, err_set(&r->err, -EIO, "the password is set, but that is not on record: %s",
                          store_result_text(result)));
}

static void put_on_record(struct reset *r, const struct user *user)
{
    struct audit_event e = {
        .id = id_new(), .time = clock_realtime(), .action = AUDIT_USER_UPDATE, .result = "ok"};

    str_copy(e.target, sizeof(e.target), user->name);
    str_copy(e.detail, sizeof(e.detail), "new password, by the data folder");
    store_audit_add(r->store, r->loop, &e, 1, on_recorded, r);
}

static void on_changed(void *ud, const struct login_answer *a)
{
    struct reset *r = ud;

    if (a->result == LOGIN_OK)
        put_on_record(r, a->user);
    else if (a->result == LOGIN_GONE)
        finish(r, err_set(&r->err, -ENOENT, "there is no user '%s'", r->user));
    else
        finish(r, err_set(&r->err, a->result < 0 ? a->result : -EIO,
                          "the password was not changed: %s",
                          a->result < 0 ? store_result_text(a->result) : "too busy"));
}

static int change(struct reset *r, const char *path, struct span password, struct err *err)
{
    const struct store_options options = {.path = path};
    const struct login_change change = {.user = r->user, .new_password = password, .ip = ""};
    int code = store_open(&options, &r->store, err);

    if (code < 0)
        return code;
    r->auth = auth_new(r->store, &(struct auth_options){0});
    login_change(r->auth, r->loop, &change, on_changed, r);
    while (!r->done)
        loop_turn(r->loop, true);
    if (r->result < 0)
        *err = r->err;
    return r->result;
}

/* Without this, a slip in the path would make an empty deployment there. */
static int check_there_is_one(const char *path, const char *data_dir, struct err *err)
{
    struct stat st;

    if (stat(path, &st) == 0)
        return 0;
    if (errno == ENOENT || errno == ENOTDIR)
        return err_set(err, -ENOENT,
                       "%s is not the data folder of a server: it has no " DATA_DIR_STORE,
                       data_dir);
    return err_sys(err, -errno, "cannot use %s", path);
}

int server_password_reset(const char *data_dir, const char *user, struct span password,
                          struct err *err)
{
    struct reset r = {.user = user};
    struct data_dir *dir = NULL;
    _cleanup_free_ char *path = xasprintf("%s/" DATA_DIR_STORE, data_dir);
    int code = check_there_is_one(path, data_dir, err);

    if (code == 0)
        code = data_dir_open(data_dir, &dir, err);
    if (code == 0) {
        r.loop = loop_new();
        code = change(&r, path, password, err);
        store_close(r.store);
        auth_free(r.auth);
        loop_free(r.loop);
    }
    data_dir_close(dir);
    return code;
}
