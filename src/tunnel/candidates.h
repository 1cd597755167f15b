#pragma once
/*
 * Where an agent can be reached directly: what it answers to GET /candidates in a peer session, a
 * line of JSON at once and after each change.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/span.h"
#include "io/addr.h"
#include "io/net_local.h"

enum { CANDIDATES_MAX = 16, CANDIDATES_LINE_MAX = 2048 };

struct candidates {
    char machine[NET_MACHINE_SIZE]; /* as net_local_machine(); "": not known */
    struct addr addrs[CANDIDATES_MAX];
    size_t n;
};

/* Adds one that is new and fits. */
void candidates_add(struct candidates *c, const struct addr *addr);
bool candidates_equal(const struct candidates *a, const struct candidates *b);
/* Appends the line without a newline. 0 or -ENOBUFS. */
int candidates_format(const struct candidates *c, struct buf *out);
/*
 * Addresses that are not numeric, have no port or are too many are left out. 0, or -EINVAL: not
 * such a line.
 */
int candidates_parse(struct span line, struct candidates *ret);
/*
 * Takes out what an agent may not make a client dial: unspecified, multicast, broadcast and
 * link-local addresses (cloud metadata among them), and loopback unless `machine` (the client's
 * own, which the agent cannot know from afar) is the agent's too. Loopback comes first then.
 */
void candidates_filter(struct candidates *c, const char *machine);
