#pragma once
/* The SQLite backend's connection and the functions of its operations. Within store/ only. */
#include "store/op.h"
#include "store/query.h"

struct sqlite3;
struct map;

struct store_conn {
    struct sqlite3 *db;
    struct map *statements; /* by the address of their SQL */
    char error[256];        /* the last failure */
};

/* Copies the database's last error into the connection. */
void sqlite_keep_error(struct store_conn *conn);
/* Rows that the last change touched. */
int sqlite_changes(struct store_conn *conn);
/* Rows of a piece. */
unsigned sqlite_page_limit(struct store_page page);
/* 0: `sql` finds a row for the id; STORE_NOT_FOUND; negative. */
int sqlite_check_id(struct store_conn *conn, const char *sql, const struct id *id);
/* 0, or STORE_NOT_FOUND when a piece is to start after something that is not there. */
int sqlite_check_page(struct store_conn *conn, const char *sql, struct store_page page);

/* One function an operation, run inside a transaction. 0, enum store_result, or negative. */
#define X(id, name, writes) int sqlite_##name(struct store_conn *conn, struct store_op *op);
STORE_OPS(X)
#undef X

/* Users' columns, in the order of SQLITE_USER_COLUMNS, from the next column on. */
#define SQLITE_USER_COLUMNS                                                                        \
    "users.id, users.name, users.display_name, users.email, users.role, users.suspended, "         \
    "users.created_at, users.last_seen_at"
struct user;
void sqlite_read_user(struct query *q, struct user *user);
