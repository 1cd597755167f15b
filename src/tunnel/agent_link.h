#pragma once
/*
 * An agent's connection to its server, kept for ever: dial, upgrade, serve channels (the agent is
 * the HTTP/2 server), and after a failure the same again with jittered back-off. A refusal (wrong
 * token) is reported and tried again every 30 s, because the agent has nobody to ask.
 */
#include "base/clock.h"
#include "tunnel/carrier.h"
#include "tunnel/link_status.h"
#include "tunnel/session.h"

struct agent_link;

typedef void agent_link_changed_fn(struct agent_link *l, const struct link_status *status,
                                   void *ud);

struct agent_link_options {
    struct carrier_opener opener;
    usec_t ping_interval; /* 0: 15 s */
    struct h2_limits limits;
    tunnel_requested_fn *requested; /* the server asks for a channel or calls the agent's API */
    agent_link_changed_fn *changed;
    void *ud;
};

/* Starts at once. No callback inside this call. */
struct agent_link *agent_link_new(struct loop *loop, const struct agent_link_options *options);
/* The network is (or may be) back: tries at once if it is waiting. */
void agent_link_retry_now(struct agent_link *l);
/* Returns NULL; accepts NULL. */
struct agent_link *agent_link_free(struct agent_link *l);
