#pragma once
/*
 * Keeps a worker from beginning more TLS handshakes than it can finish. When all agents come back
 * at once, after a restart, each handshake would otherwise go so slowly that none is done before
 * its time is over. While many are under way the worker accepts nothing, and what comes waits in
 * the kernel's queue. Handshakes that make no haste do not count for long, so that whoever stalls
 * some cannot keep others out.
 */
#include <stdbool.h>

#include "io/timer.h"

struct server_worker;

struct accept_gate {
    struct server_worker *w;
    unsigned under_way; /* of the present epoch */
    unsigned epoch;
    bool closed;
    struct timer patience;
};

/* What a connection keeps while it counts. */
struct accept_pass {
    bool counts;
    unsigned epoch;
};

void accept_gate_init(struct accept_gate *g, struct server_worker *w);
void accept_gate_deinit(struct accept_gate *g);
/* A handshake begins. May pause the worker's listeners. */
void accept_gate_enter(struct accept_gate *g, struct accept_pass *pass);
/* It is over, one way or the other. A second call does nothing. */
void accept_gate_leave(struct accept_gate *g, struct accept_pass *pass);
