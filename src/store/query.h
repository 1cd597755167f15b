#pragma once
/*
 * A prepared SQLite statement in use: parameters are bound and columns read in order, errors are
 * latched and come out of query_step(). Statements are kept by the connection and used again.
 * Within store/ only.
 *
 *     _cleanup_(query_end) struct query q = query_start(conn, "SELECT name FROM users WHERE id=?");
 *     query_bind_id(&q, &id);
 *     int r = query_step(&q);
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/id.h"

struct sqlite3_stmt;
struct store_conn;

struct query {
    struct store_conn *conn;
    struct sqlite3_stmt *stmt;
    int at;    /* parameter, or column, that is next */
    int error; /* negative errno-like */
};

/* `sql` is a literal: its address is the key under which the statement is kept. */
struct query query_start(struct store_conn *conn, const char *sql);
void query_end(struct query *q);

void query_bind_text(struct query *q, const char *text);
void query_bind_int(struct query *q, int64_t n);
/* An id that is zero binds NULL. */
void query_bind_id(struct query *q, const struct id *id);
void query_bind_blob(struct query *q, const void *p, size_t len);

/*
 * 1: a row is there; 0: no more; negative: -EEXIST (a unique name is taken), -ENOENT (what it
 * refers to is not there), -EBUSY, -ENOSPC, -EIO.
 */
int query_step(struct query *q);
/* For statements without rows: 0 or negative. */
int query_run(struct query *q);

/* The next column of the row. Text and blobs that do not fit are an error of the next step. */
void query_text(struct query *q, char *dst, size_t size);
const char *query_borrow_text(struct query *q); /* until the next step; never NULL */
int64_t query_int(struct query *q);
bool query_bool(struct query *q);
struct id query_id(struct query *q); /* NULL reads as zero */
/* Bytes copied, at most `size`; NULL reads as none. */
size_t query_blob(struct query *q, void *dst, size_t size);
