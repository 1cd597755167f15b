#include "store/query.h"

#include <errno.h>
#include <sqlite3.h>

#include "base/map.h"
#include "base/span.h"
#include "store/sqlite.h"

/* The latched error is set to the first that happened. */
static void fail(struct query *q, int error)
{
    if (q->error == 0)
        q->error = error;
}

static int errno_of(int code)
{
    switch (code) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
        return -EEXIST;
    case SQLITE_CONSTRAINT_FOREIGNKEY:
        return -ENOENT;
    default:
        break;
    }
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EBUSY;
    case SQLITE_FULL:
        return -ENOSPC;
    default:
        return -EIO;
    }
}

static void check(struct query *q, int code)
{
    if (code == SQLITE_OK)
        return;
    fail(q, errno_of(sqlite3_extended_errcode(q->conn->db)));
    sqlite_keep_error(q->conn);
}

struct query query_start(struct store_conn *conn, const char *sql)
{
    struct query q = {.conn = conn};
    uint64_t key = (uint64_t)(uintptr_t)sql;
    q.stmt = map_get_id(conn->statements, key);
    if (!q.stmt) {
        check(&q, sqlite3_prepare_v3(conn->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &q.stmt, NULL));
        if (q.stmt)
            map_put_id(conn->statements, key, q.stmt);
    }
    return q;
}

void query_end(struct query *q)
{
    if (!q->stmt)
        return;
    sqlite3_reset(q->stmt);
    sqlite3_clear_bindings(q->stmt);
}

/* The arguments live in the operation, longer than the query: nothing is copied. */
void query_bind_text(struct query *q, const char *text)
{
    if (q->error == 0)
        check(q, sqlite3_bind_text(q->stmt, ++q->at, text, -1, SQLITE_STATIC));
}

void query_bind_int(struct query *q, int64_t n)
{
    if (q->error == 0)
        check(q, sqlite3_bind_int64(q->stmt, ++q->at, n));
}

void query_bind_id(struct query *q, const struct id *id)
{
    if (q->error)
        return;
    if (id_is_zero(id))
        check(q, sqlite3_bind_null(q->stmt, ++q->at));
    else
        check(q, sqlite3_bind_blob(q->stmt, ++q->at, id->bytes, ID_LEN, SQLITE_STATIC));
}

void query_bind_blob(struct query *q, const void *p, size_t len)
{
    if (q->error == 0)
        check(q, sqlite3_bind_blob64(q->stmt, ++q->at, p, len, SQLITE_STATIC));
}

int query_step(struct query *q)
{
    if (q->error)
        return q->error;
    q->at = 0;
    int code = sqlite3_step(q->stmt);
    if (code == SQLITE_ROW)
        return 1;
    if (code != SQLITE_DONE)
        check(q, code);
    return q->error;
}

int query_run(struct query *q)
{
    int r = query_step(q);
    return r > 0 ? 0 : r;
}

void query_text(struct query *q, char *dst, size_t size)
{
    if (!str_copy(dst, size, query_borrow_text(q)))
        fail(q, -EIO);
}

const char *query_borrow_text(struct query *q)
{
    const char *text = (const char *)sqlite3_column_text(q->stmt, q->at++);
    return text ? text : "";
}

int64_t query_int(struct query *q)
{
    return sqlite3_column_int64(q->stmt, q->at++);
}

bool query_bool(struct query *q)
{
    return query_int(q) != 0;
}

size_t query_blob(struct query *q, void *dst, size_t size)
{
    const void *p = sqlite3_column_blob(q->stmt, q->at);
    size_t len = (size_t)sqlite3_column_bytes(q->stmt, q->at);
    q->at++;
    if (!p)
        return 0;
    if (len > size) {
        fail(q, -EIO);
        return 0;
    }
    memcpy(dst, p, len);
    return len;
}

struct id query_id(struct query *q)
{
    struct id id = {{0}};
    query_blob(q, id.bytes, ID_LEN);
    return id;
}
