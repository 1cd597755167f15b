#pragma once
/*
 * Copies between two streams in both directions until both have ended: the heart of a forward.
 * Half-close is kept (the end of one direction never ends the other), a slow reader stops the
 * sender, and at most one buffer a direction is held, and that only while bytes wait.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

struct stream;
struct relay;

/* result: 0 both directions ended in order; else the first failure. The relay is freed after. */
typedef void relay_done_fn(struct relay *r, int result, void *ud);

struct relay_options {
    usec_t idle_limit;        /* ends with -ETIMEDOUT after this long without a byte; 0: never */
    usec_t half_closed_limit; /* the same once one direction has ended; 0: never */
    bool b_ends_all;          /* the end of `b` ends the relay in order: nobody reads what `a` says
                                 then, as in protocols without half-close */
    bool failure_resets; /* a failure ends bare sockets with a reset, so that it looks like one */
    bool eager;          /* what `a` has by now moves within relay_new() */
    bool splice;         /* bytes between bare sockets stay in the kernel: for bulk */
    relay_done_fn *done;
    void *ud;
};

/* Takes over both streams. `done` never runs inside this call. */
struct relay *relay_new(struct stream *a, struct stream *b, const struct relay_options *options);
/* Bytes copied so far. */
uint64_t relay_bytes_a_to_b(const struct relay *r);
uint64_t relay_bytes_b_to_a(const struct relay *r);
/* Ends both streams at once, without the callback. Returns NULL; accepts NULL. */
struct relay *relay_free(struct relay *r);
