#pragma once
/*
 * One event loop, one thread. Everything in this code that waits belongs to one loop and is used
 * from that loop's thread only; loop_post() and loop_stop() are the two exceptions.
 *
 * A turn of the loop: expired timers, ready descriptors, posted calls, then deferred calls.
 */
#include <stdbool.h>

#include "base/clock.h"
#include "base/list.h"

struct uv_loop_s;

struct loop;

struct loop *loop_new(void);
/* Runs what is still deferred, closes the handles. Nothing may be using the loop any more. */
struct loop *loop_free(struct loop *loop);

/* Runs until loop_stop(). */
void loop_run(struct loop *loop);
/* One turn; waits for an event when `wait`. For tests and for draining. */
void loop_turn(struct loop *loop, bool wait);
/* Ends loop_run() after the current turn. From any thread. */
void loop_stop(struct loop *loop);

/* Monotonic time, read once a turn. */
usec_t loop_now(const struct loop *loop);
/* For one call of libuv's that makes it wait for something: it is asked for anew for each. */
struct uv_loop_s *loop_uv(struct loop *loop);

/*
 * A buffer for one read, shared by all on this loop, so that not everybody needs one. It may be
 * used between two calls out only: whoever is called next may use it too.
 */
enum { LOOP_SCRATCH_LEN = 128 * 1024 };
unsigned char *loop_scratch(struct loop *loop);

typedef void loop_fn(void *ud);

/*
 * Calls `fn(ud)` on the loop's thread soon. From any thread. Calls from one thread keep their
 * order. Calls that are still queued when the loop is freed are run by loop_free().
 */
void loop_post(struct loop *loop, loop_fn *fn, void *ud);

/*
 * Calls `fn(ud)` at the end of this turn, after every callback of the turn has returned: the
 * place where objects that died during the turn are freed. Embed one in the object; scheduling
 * one that is scheduled already does nothing.
 */
struct defer {
    struct list link;
    loop_fn *fn;
    void *ud;
    bool scheduled;
};
void defer_init(struct defer *d, loop_fn *fn, void *ud);
void defer_schedule(struct loop *loop, struct defer *d);
/* The same behind all others of this turn: for writing out what the turn has gathered. */
void defer_schedule_last(struct loop *loop, struct defer *d);
/* The same once no other call is scheduled, if only in a later turn: for freeing what died. */
void defer_reap(struct loop *loop, struct defer *d);
/* Calls it when the loop is freed, unless it was cancelled: for what outlives its owner. */
void defer_to_end(struct loop *loop, struct defer *d);
void defer_cancel(struct defer *d);
