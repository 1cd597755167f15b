#pragma once
/*
 * What a database must offer to the store. One backend is one set of connections, each used by one
 * thread at a time; the threads and queues are the store's (store.c).
 */
#include <stddef.h>

#include "base/err.h"

struct store_conn;
struct store_op;
struct store_options;

struct store_backend {
    const char *name;
    /* Opens one connection. Blocks. */
    int (*open)(const struct store_options *options, struct store_conn **ret, struct err *err);
    /* Brings the schema up to date in one transaction; safe against others who do the same. */
    int (*migrate)(struct store_conn *conn, struct err *err);
    /*
     * Runs the changes in order in one transaction, each of them whole or not at all, and sets
     * their results. Returns after the commit.
     */
    void (*write)(struct store_conn *conn, struct store_op *const *ops, size_t n);
    /* Runs one read on one consistent state and sets its result. */
    void (*read)(struct store_conn *conn, struct store_op *op);
    /* Text of the last failure on this connection; lives until the next call. */
    const char *(*error)(struct store_conn *conn);
    /* Accepts NULL and half-opened ones. */
    void (*close)(struct store_conn *conn);
};

extern const struct store_backend store_sqlite;
