#pragma once
/* One run of `adit port-forward`: forwards, the session that carries them, and what is shown. */
#include <stdbool.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "model/workspace_ref.h"
#include "proto/forward_spec.h"

struct port_forward_options {
    const struct forward_set *set;
    struct workspace_ref workspace;
    bool auto_port;
    bool allow_other_users;
    bool verbose;
    bool no_direct;
    usec_t wait; /* end with EXIT_CODE_NOT_REACHABLE if the agent is not reached in this time;
                    0: wait for ever */
};

/* Runs until a signal or a final failure. Returns the exit code. */
int port_forward_run(struct cli *cli, const struct port_forward_options *options);
