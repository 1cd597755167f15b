#pragma once
/* What one person may forward through one agent, as the server tells the agent. */
#include "base/clock.h"
#include "model/id.h"
#include "model/name.h"
#include "model/template.h"

struct grant {
    struct id user_id;
    char user[NAME_SIZE];
    struct id workspace_id;
    struct id agent_id;
    struct forward_policy forwarding;
    bool ssh;          /* may open SSH channels */
    bool direct;       /* may come to the agent directly, not only by the relay */
    usec_t expires_at; /* since 1970 UTC; the agent ends what the grant carries then */
};

/* Frees what it owns. */
void grant_deinit(struct grant *grant);
struct grant grant_copy(const struct grant *grant);
