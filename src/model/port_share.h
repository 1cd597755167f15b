#pragma once
/* A port of an agent that its owner shares. */
#include <stdint.h>

#include "base/clock.h"
#include "model/id.h"
#include "model/name.h"
#include "model/share.h"
#include "model/text_list.h"

enum { PORT_SHARE_USERS_MAX = 256, PORT_SHARES_MAX = 256 /* of a workspace */ };

struct port_share {
    struct id agent_id;
    uint16_t port;
    enum share_level level;
    enum share_protocol protocol;
    usec_t expires_at;      /* since 1970 UTC; 0: never */
    struct text_list users; /* names of the people, with SHARE_USERS */
    /*
     * One more with each change, also across the share's end and its return: a ticket that names
     * an older one is void.
     */
    int64_t generation;
};

/* Frees what it owns. */
void port_share_deinit(struct port_share *share);
