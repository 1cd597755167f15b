#pragma once
/*
 * Which agents are connected, on which worker, and what is known of them. The only table that
 * workers share (DESIGN section 12): behind a mutex, holding values and never pointers to what
 * belongs to a worker's thread. May be called from any thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "io/tls.h"
#include "model/id.h"
#include "model/workspace.h"

struct registry;

/* A connected agent. Times are since 1970 UTC. */
struct presence {
    struct id agent_id;
    struct id workspace_id;
    unsigned worker;  /* number of the worker that holds its link */
    uint64_t link_id; /* of this connection; never used again in this process */
    usec_t connected_at;
    usec_t last_seen_at;
    struct tls_pin pin; /* of its peer sessions */
    char version[AGENT_INFO_SIZE];
    bool direct; /* it has a port of its own, and people may use it */
    bool has_direct_counts;
    uint64_t direct_accepted, direct_refused; /* at that port, since the agent started */
};

struct registry *registry_new(void);
/* Returns NULL; accepts NULL. */
struct registry *registry_free(struct registry *r);

/* A number for a new connection. */
uint64_t registry_next_link_id(struct registry *r);

/*
 * Enters a connection. True when the agent had another one, which is in *ret_replaced and no
 * longer in the table: its worker has to end it.
 */
bool registry_enter(struct registry *r, const struct presence *p, struct presence *ret_replaced);
/* Removes this connection; false when it is not in the table (it was replaced). */
bool registry_leave(struct registry *r, const struct id *agent_id, uint64_t link_id);
/* It was heard of. */
void registry_seen(struct registry *r, const struct id *agent_id, uint64_t link_id, usec_t now);
/* What it told of its own port. */
void registry_set_direct(struct registry *r, const struct id *agent_id, uint64_t link_id,
                         uint64_t accepted, uint64_t refused);
bool registry_get(struct registry *r, const struct id *agent_id, struct presence *ret);
size_t registry_len(struct registry *r);
