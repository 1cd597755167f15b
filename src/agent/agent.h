#pragma once
/*
 * The agent process: runs in the workspace, dials out to its server only, and serves the channels
 * that its server and the connected peers ask for. Needs no root, no open port, no files.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"

struct agent_config {
    const char *server_url;
    const struct secret *token;
    bool no_port_probe;   /* what ports speak is not tried */
    bool no_direct;       /* no port of its own */
    uint16_t direct_port; /* 0: any */
    const char
        *direct_addrs; /* to announce instead of the interfaces': "ADDR[:PORT],..." or NULL */
};

/* How agent_run() ended. */
enum agent_exit {
    AGENT_EXIT_SIGNAL = 0, /* SIGINT or SIGTERM */
    AGENT_EXIT_FAILED = 1, /* could not start: see `err` */
};

/* Runs until a signal; reports what happens in the log, at info and above. */
enum agent_exit agent_run(const struct agent_config *config, struct err *err);
