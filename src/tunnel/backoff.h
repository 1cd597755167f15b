#pragma once
/*
 * How long to wait before the next attempt: exponential with full jitter. The ceiling stays low for
 * the first minute or so of an outage, because most outages are restarts and a person waits for
 * the end of this one; then it grows to its most. Pure: time and randomness are arguments.
 */
#include <stdint.h>

#include "base/clock.h"

enum {
    BACKOFF_LEAST_MS = 100, /* jitter never goes below */
    BACKOFF_FIRST_MS = 1000,
    BACKOFF_QUICK_MS = 2000, /* ceiling of the first BACKOFF_QUICK_TRIES attempts */
    BACKOFF_QUICK_TRIES = 60,
    BACKOFF_MOST_MS = 30 * 1000,
    BACKOFF_STABLE_MS = 60 * 1000, /* a connection that held so long starts the count anew */
};

struct backoff {
    unsigned failures; /* in a row */
    usec_t up_since;   /* 0: not connected */
};

void backoff_init(struct backoff *b);
/* A connection has been made. */
void backoff_connected(struct backoff *b, usec_t now);
/*
 * An attempt failed, or the connection ended: how long to wait, uniform between BACKOFF_LEAST_MS
 * and the present ceiling. `random`: 64 random bits.
 */
usec_t backoff_next(struct backoff *b, usec_t now, uint64_t random);
/* The surroundings changed (network is back): start small again. */
void backoff_reset(struct backoff *b);
