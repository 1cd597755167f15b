#pragma once
/* What a link (agent_link.h, peer_link.h) is doing, for its owner and for people. */
#include "base/clock.h"
#include "base/err.h"

enum link_state {
    LINK_CONNECTING,
    LINK_CONNECTED,
    LINK_WAITING, /* for the next attempt */
    LINK_DENIED   /* agent: waiting too; peer: over */
};

struct link_status {
    enum link_state state;
    const struct err *reason; /* WAITING, DENIED: why; borrowed */
    usec_t next_try;          /* WAITING, DENIED (agent): how long until then */
    unsigned attempts;        /* failed in a row */
};
