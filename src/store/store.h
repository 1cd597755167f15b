#pragma once
/*
 * What the deployment remembers: typed operations on one database, behind one interface with a
 * backend a file (store/backend.h).
 *
 * Every operation has the same course. The function takes a copy of its arguments, queues the
 * work for the store's own threads and returns at once with a handle. The answer comes as a
 * callback on the loop that asked, never inside the call. A change is answered only after it was
 * committed to disk. The handle is valid until its callback starts or store_cancel() was called;
 * what a callback is given lives until it returns.
 *
 * Changes that were asked for from one loop happen in that order. A read sees every change that
 * was answered before the read was asked for.
 *
 * The first argument of every callback after `ud` is the result: 0, a positive condition of enum
 * store_result, or a negative errno-like code: -EIO (the database failed; store_last_error() has
 * the text), -ECANCELED (the store was closed before it came to it), -EBUSY (the database was
 * locked by another process for too long), -ENOBUFS (the answer would be too large), -ENOSPC.
 * Further arguments are meaningful only with 0.
 *
 * Times are since 1970 UTC. Callers give `now`; the store reads no clock for what it records.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "model/id.h"

struct loop;
struct store;
struct store_op;

enum store_result {
    STORE_OK,
    STORE_NOT_FOUND,
    STORE_EXISTS,     /* the name is taken */
    STORE_IN_USE,     /* others depend on it: a user with workspaces, a template with workspaces */
    STORE_SETUP_DONE, /* there is a user already */
    STORE_LAST_OWNER, /* it would leave the deployment without an active administrator */
    STORE_NO_TEMPLATE,
    STORE_NO_OWNER,
};
/* A few words for each, and for negative codes; for logs and error texts. */
const char *store_result_text(int r);

struct store_options {
    const char *path;    /* of the database file; its folder must exist */
    unsigned readers;    /* threads that read; 0: two */
    usec_t busy_timeout; /* wait for another process's lock; 0: five seconds */
};

/*
 * Opens, creating an empty database where there is none (mode 0600), brings its schema up to date
 * in one transaction and starts the threads. Blocks; for program start. Fails with a text for a
 * person: no such folder, no right, not a database, damaged, schema of a newer program.
 */
int store_open(const struct store_options *options, struct store **ret_store, struct err *err);
/*
 * Finishes changes that are queued, answers the remaining reads with -ECANCELED, joins the threads
 * and closes. Loops with answers still on their way must be freed (or turned) after this.
 * Returns NULL; accepts NULL.
 */
struct store *store_close(struct store *store);

/*
 * The callback will not run. The work itself may still be done. Only on the loop that asked, only
 * while the handle is valid. Accepts NULL.
 */
void store_cancel(struct store_op *op);

typedef void store_done_fn(void *ud, int r);

/* Text of the last failure of the database, for logs; copied into `dst`. From any thread. */
void store_last_error(struct store *store, char *dst, size_t size);

/* Number of the schema that this program writes. */
int store_schema_version(void);

/* One line of /metrics an operation. */
struct store_stat {
    const char *name; /* "user_get", "token_find" … */
    uint64_t calls;
    uint64_t failures; /* with a negative result */
    uint64_t usec;     /* time spent in the database, in all */
};
/* The counters of operation `index`; false past the last. From any thread. */
bool store_stat_get(struct store *store, unsigned index, struct store_stat *ret);

/* A piece of a long list: at most `limit` (0: 1000; more is cut to 1000) after `after`. */
struct store_page {
    struct id after; /* the last id of the piece before; zero: from the start */
    unsigned limit;
};
