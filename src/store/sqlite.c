/*
 * SQLite in WAL mode. All changes come through one connection, so that writers of one process
 * never wait for each other; other processes' locks are waited for by the busy time-out.
 * synchronous=FULL: a commit returns after the log reached the disk, so an answer is never taken
 * back by a power failure.
 *
 * Each change of a batch runs in a savepoint of its own: one that is refused or fails leaves
 * nothing behind and does not touch its neighbours.
 */
#include "store/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "store/backend.h"
#include "store/migration.h"

enum {
    APPLICATION_ID = 0x61646974, /* "adit", in the file's header */
    BUSY_DEFAULT_MS = 5000,
    PAGE_LIMIT_MAX = 1000,
};

typedef int run_fn(struct store_conn *conn, struct store_op *op);

static run_fn *const run[STORE_OP_COUNT] = {
#define X(id, name, writes) [STORE_OP_##id] = sqlite_##name,
    STORE_OPS(X)
#undef X
};

int store_schema_version(void)
{
    return (int)n_migrations;
}

void sqlite_keep_error(struct store_conn *conn)
{
    snprintf(conn->error, sizeof(conn->error), "%s", sqlite3_errmsg(conn->db));
}

static const char *last_error(struct store_conn *conn)
{
    return conn->error;
}

/* Runs statements that have no parameters and no rows. 0 or negative. */
static int run_plain(struct store_conn *conn, const char *sql)
{
    int code = sqlite3_exec(conn->db, sql, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        return 0;
    sqlite_keep_error(conn);
    code &= 0xff;
    return code == SQLITE_BUSY || code == SQLITE_LOCKED ? -EBUSY
           : code == SQLITE_FULL                        ? -ENOSPC
                                                        : -EIO;
}

int sqlite_changes(struct store_conn *conn)
{
    return sqlite3_changes(conn->db);
}

unsigned sqlite_page_limit(struct store_page page)
{
    return page.limit == 0 || page.limit > PAGE_LIMIT_MAX ? PAGE_LIMIT_MAX : page.limit;
}

int sqlite_check_id(struct store_conn *conn, const char *sql, const struct id *id)
{
    _cleanup_(query_end) struct query q = query_start(conn, sql);
    query_bind_id(&q, id);
    int r = query_step(&q);
    return r == 1 ? 0 : r == 0 ? STORE_NOT_FOUND : r;
}

int sqlite_check_page(struct store_conn *conn, const char *sql, struct store_page page)
{
    return id_is_zero(&page.after) ? 0 : sqlite_check_id(conn, sql, &page.after);
}

static void close_conn(struct store_conn *conn)
{
    if (!conn)
        return;
    struct map_iter it = {0};
    sqlite3_stmt *stmt;
    while ((stmt = map_next(conn->statements, &it)))
        sqlite3_finalize(stmt);
    map_free(conn->statements);
    sqlite3_close(conn->db);
    free(conn);
}

/* The database's own words, with what a person can do about them. */
static int open_error(struct store_conn *conn, const char *path, struct err *err)
{
    int code = sqlite3_errcode(conn->db) & 0xff;
    int sys = sqlite3_system_errno(conn->db);
    switch (code) {
    case SQLITE_NOTADB:
        return err_set(err, -EINVAL, "%s is not a database of adit", path);
    case SQLITE_CORRUPT:
        return err_set(err, -EIO, "the database %s is damaged: restore it from a backup", path);
    case SQLITE_READONLY:
        return err_set(err, -EACCES, "the database %s or its folder cannot be written", path);
    case SQLITE_CANTOPEN:
        return err_sys(err, sys ? -sys : -ENOENT, "cannot open the database %s", path);
    case SQLITE_BUSY:
        return err_set(err, -EBUSY, "the database %s is locked by another process", path);
    default:
        return err_set(err, -EIO, "the database %s: %s", path, sqlite3_errmsg(conn->db));
    }
}

/* Makes the file with its final mode before SQLite does, which would follow the umask. */
static int make_file(const char *path, struct err *err)
{
    _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
    if (fd < 0)
        return err_sys(err, -errno, "cannot open the database %s", path);
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return err_set(err, -EINVAL, "the database %s is not a plain file", path);
    return 0;
}

/* SQLite does not wait for another process's lock here as it does everywhere else. */
static int use_wal(struct store_conn *conn, usec_t wait)
{
    const struct timespec pause = {.tv_nsec = 5 * 1000 * 1000};
    usec_t until = clock_monotonic() + wait;
    int r;
    while ((r = run_plain(conn, "PRAGMA journal_mode = WAL")) == -EBUSY &&
           clock_monotonic() < until)
        nanosleep(&pause, NULL);
    return r;
}

static int set_up(struct store_conn *conn, usec_t busy)
{
    sqlite3_busy_timeout(conn->db, (int)(busy / USEC_PER_MSEC));
    sqlite3_extended_result_codes(conn->db, 1);
    sqlite3_db_config(conn->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(conn->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    int r = use_wal(conn, busy);
    if (r < 0)
        return r;
    return run_plain(conn, "PRAGMA synchronous = FULL;"
                           "PRAGMA foreign_keys = ON;"
                           "PRAGMA secure_delete = ON;"
                           "PRAGMA temp_store = MEMORY;"
                           "PRAGMA cell_size_check = ON;"
                           "PRAGMA journal_size_limit = 67108864;");
}

static int open_conn(const struct store_options *options, struct store_conn **ret, struct err *err)
{
    int r = make_file(options->path, err);
    if (r < 0)
        return r;
    struct store_conn *conn = new0(struct store_conn);
    conn->statements = map_new();
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    int code = sqlite3_open_v2(options->path, &conn->db, flags, NULL);
    if (code == SQLITE_OK) {
        usec_t busy = options->busy_timeout;
        r = set_up(conn, busy ? busy : BUSY_DEFAULT_MS * USEC_PER_MSEC);
    }
    if (code != SQLITE_OK || r < 0) {
        r = open_error(conn, options->path, err);
        close_conn(conn);
        return r;
    }
    *ret = conn;
    return 0;
}

static int pragma_int(struct store_conn *conn, const char *sql, int64_t *ret)
{
    _cleanup_(query_end) struct query q = query_start(conn, sql);
    int r = query_step(&q);
    if (r == 1)
        *ret = query_int(&q);
    return r == 1 ? 0 : r < 0 ? r : -EIO;
}

static int run_migrations(struct store_conn *conn, int64_t from, struct err *err)
{
    const char *path = sqlite3_db_filename(conn->db, "main");
    for (size_t i = (size_t)from; i < n_migrations; i++) {
        if (run_plain(conn, migrations[i].sql) < 0)
            return err_set(err, -EIO, "the database %s: migration %s: %s", path, migrations[i].name,
                           conn->error);
    }
    char sql[96];
    snprintf(sql, sizeof(sql), "PRAGMA application_id = %d; PRAGMA user_version = %d;",
             APPLICATION_ID, (int)n_migrations);
    if (run_plain(conn, sql) < 0)
        return open_error(conn, path, err);
    return 0;
}

static int migrate_inside(struct store_conn *conn, struct err *err)
{
    const char *path = sqlite3_db_filename(conn->db, "main");
    int64_t version = 0, application = 0, tables = 0;
    if (pragma_int(conn, "PRAGMA user_version", &version) < 0 ||
        pragma_int(conn, "PRAGMA application_id", &application) < 0 ||
        pragma_int(conn, "SELECT count(*) FROM sqlite_schema", &tables) < 0)
        return open_error(conn, path, err);
    if (application != APPLICATION_ID && (tables > 0 || version != 0))
        return err_set(err, -EINVAL, "%s is a database of another program", path);
    if (version < 0 || version > (int64_t)n_migrations)
        return err_set(err, -EINVAL,
                       "the database %s was written by a newer adit (schema %lld, this program "
                       "knows up to %zu): update this program",
                       path, (long long)version, n_migrations);
    return version == (int64_t)n_migrations ? 0 : run_migrations(conn, version, err);
}

static int migrate(struct store_conn *conn, struct err *err)
{
    /* The write lock first, so that two programs that start together do not both migrate. */
    if (run_plain(conn, "BEGIN IMMEDIATE") < 0)
        return open_error(conn, sqlite3_db_filename(conn->db, "main"), err);
    int r = migrate_inside(conn, err);
    if (r == 0 && run_plain(conn, "COMMIT") < 0)
        r = open_error(conn, sqlite3_db_filename(conn->db, "main"), err);
    if (r < 0)
        sqlite3_exec(conn->db, "ROLLBACK", NULL, NULL, NULL);
    return r;
}

static void run_in_savepoint(struct store_conn *conn, struct store_op *op)
{
    op->result = run_plain(conn, "SAVEPOINT op");
    if (op->result < 0)
        return;
    op->result = run[op->id](conn, op);
    int r = 0;
    if (op->result != 0)
        r = run_plain(conn, "ROLLBACK TO op");
    if (r == 0)
        r = run_plain(conn, "RELEASE op");
    if (r < 0 && op->result == 0)
        op->result = r;
}

static void fail_all(struct store_op *const *ops, size_t n, int r)
{
    for (size_t i = 0; i < n; i++)
        ops[i]->result = r;
}

static void write_batch(struct store_conn *conn, struct store_op *const *ops, size_t n)
{
    int r = run_plain(conn, "BEGIN IMMEDIATE");
    if (r < 0) {
        fail_all(ops, n, r);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        run_in_savepoint(conn, ops[i]);
        /* A full disk or an I/O error ends the whole transaction, and so the whole batch. */
        if (sqlite3_get_autocommit(conn->db)) {
            fail_all(ops, n, ops[i]->result < 0 ? ops[i]->result : -EIO);
            return;
        }
    }
    r = run_plain(conn, "COMMIT");
    if (r < 0) {
        fail_all(ops, n, r);
        sqlite3_exec(conn->db, "ROLLBACK", NULL, NULL, NULL);
    }
}

static void read_one(struct store_conn *conn, struct store_op *op)
{
    op->result = run_plain(conn, "BEGIN");
    if (op->result < 0)
        return;
    op->result = run[op->id](conn, op);
    sqlite3_exec(conn->db, "COMMIT", NULL, NULL, NULL);
}

const struct store_backend store_sqlite = {
    .name = "sqlite",
    .open = open_conn,
    .migrate = migrate,
    .write = write_batch,
    .read = read_one,
    .error = last_error,
    .close = close_conn,
};
