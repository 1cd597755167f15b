#pragma once
/*
 * Timers, embedded in their owner. One operating system timer serves them all (a heap a loop), so
 * that a timer costs no handle and can be freed with its owner at once after timer_cancel().
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"

struct loop;
struct timer;

/* The timer is no longer pending when this runs; it may be started again or freed in it. */
typedef void timer_fired_fn(struct timer *t, void *ud);

struct timer {
    struct loop *loop;
    timer_fired_fn *fired;
    void *ud;
    usec_t at;   /* monotonic; meaningful while pending */
    size_t slot; /* place in the heap + 1; 0 while not pending */
};

void timer_init(struct timer *t, struct loop *loop, timer_fired_fn *fired, void *ud);
/* (Re)starts: fires once, `after` (>= 0) from now. */
void timer_start(struct timer *t, usec_t after);
/* Does nothing when it is not pending. */
void timer_cancel(struct timer *t);
bool timer_pending(const struct timer *t);
/* Makes an idle (not pending) timer belong to another loop. */
void timer_move(struct timer *t, struct loop *loop);
