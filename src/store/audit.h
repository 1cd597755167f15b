#pragma once
/*
 * The audit record: rows are added and never changed, which the database itself refuses. The
 * contract that all operations share is in store/store.h.
 */
#include "model/audit.h"
#include "store/store.h"

enum { STORE_AUDIT_BATCH_MAX = 1000 };

typedef void store_events_fn(void *ud, int r, const struct audit_event *events, size_t n,
                             int64_t next);

/* `is_new`: with STORE_OK, of each event whether it was not there before. */
typedef void store_audit_added_fn(void *ud, int r, const bool *is_new);

/*
 * Adds up to STORE_AUDIT_BATCH_MAX events in one transaction. Their ids are given by the caller
 * (id_new()); an id that is there already is left as it is, so that a batch may be repeated.
 */
struct store_op *store_audit_add(struct store *s, struct loop *loop,
                                 const struct audit_event *events, size_t n,
                                 store_audit_added_fn *fn, void *ud);

/* Empty texts, zero ids and -1 match everything. */
struct store_audit_filter {
    usec_t since, until; /* [since, until); until 0: no end */
    const char *actor;
    const char *workspace; /* owner/name */
    /* AND over the workspace filter: only events of workspaces of this owner, or by this person. */
    const char *concerning; /* user name */
    int action;             /* enum audit_action, or -1 */
    int64_t before;         /* `next` of the piece before; 0: from the newest */
    unsigned limit;         /* 0: 100; at most 1000 */
};
/* Newest first. `next` is 0 after the last piece. */
struct store_op *store_audit_query(struct store *s, struct loop *loop,
                                   const struct store_audit_filter *filter, store_events_fn *fn,
                                   void *ud);
