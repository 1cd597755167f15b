#pragma once
/* Within auth/ only. */
#include "auth/auth.h"
#include "auth/limit.h"

struct auth {
    struct store *store;
    usec_t session_life;
    struct limit *users; /* by name */
    struct limit *ips;   /* by address; IPv6 by its first 64 bits */
};
