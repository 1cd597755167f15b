#pragma once
/*
 * How a link gets its carrier: a function that the link calls for every attempt. ws_carrier.h has
 * the one that programs use; tests bring their own.
 */
#include "base/err.h"
#include "io/tls.h"

struct loop;
struct stream;

enum carrier_outcome {
    CARRIER_OPENED,
    CARRIER_FAILED, /* this time: try again with back-off */
    CARRIER_AWAY,   /* reached the server, but the agent is not connected: likewise */
    CARRIER_DENIED, /* not allowed (wrong token, no right, does not exist): an answer, not a fault
                     */
};

/*
 * `carrier` is the callee's, NULL unless CARRIER_OPENED; `pin` (borrowed) is the key that the peer
 * will show, NULL where there is none. `err` says why not. Never inside the start function.
 */
typedef void carrier_opened_fn(enum carrier_outcome outcome, struct stream *carrier,
                               const struct tls_pin *pin, const struct err *err, void *ud);

struct carrier_opener {
    /* Starts an attempt, bounded in time by itself; returns a handle for `cancel`. */
    void *(*start)(struct loop *loop, carrier_opened_fn *opened, void *opened_ud, void *ud);
    /* No callback afterwards. Not called once the callback ran. */
    void (*cancel)(void *attempt, void *ud);
    void *ud;
};
