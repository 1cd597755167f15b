/*
 * A binary heap of pointers into the timers' owners, ordered by expiry; each timer knows its slot,
 * so that cancelling takes O(log n). The loop waits no longer than until the top of the heap.
 */
#include "io/timer.h"

#include <limits.h>

#include "base/mem.h"
#include "io/loop.h"
#include "io/loop_internal.h"

static void put(struct timer_heap *h, size_t i, struct timer *t)
{
    h->items[i] = t;
    t->slot = i + 1;
}

static void sift_up(struct timer_heap *h, size_t i, struct timer *t)
{
    while (i > 0 && h->items[(i - 1) / 2]->at > t->at) {
        put(h, i, h->items[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    put(h, i, t);
}

static void sift_down(struct timer_heap *h, size_t i, struct timer *t)
{
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= h->len)
            break;
        if (child + 1 < h->len && h->items[child + 1]->at < h->items[child]->at)
            child++;
        if (h->items[child]->at >= t->at)
            break;
        put(h, i, h->items[child]);
        i = child;
    }
    put(h, i, t);
}

static void insert(struct timer_heap *h, struct timer *t)
{
    if (h->len == h->cap) {
        h->cap = h->cap ? 2 * h->cap : 16;
        h->items = xrealloc(h->items, h->cap * sizeof(*h->items));
    }
    h->len++;
    sift_up(h, h->len - 1, t);
}

static void take_out(struct timer_heap *h, struct timer *t)
{
    size_t i = t->slot - 1;
    struct timer *last = h->items[--h->len];
    t->slot = 0;
    if (last == t)
        return;
    if (i > 0 && h->items[(i - 1) / 2]->at > last->at)
        sift_up(h, i, last);
    else
        sift_down(h, i, last);
}

int timer_heap_wait_ms(struct loop *loop)
{
    struct timer_heap *h = &loop->timers;
    if (h->len == 0)
        return -1;
    usec_t left = h->items[0]->at - loop_now(loop);
    if (left <= 0)
        return 0;
    usec_t left_ms = (left + USEC_PER_MSEC - 1) / USEC_PER_MSEC;
    return left_ms < INT_MAX ? (int)left_ms : INT_MAX;
}

void timer_heap_fire(struct loop *loop)
{
    struct timer_heap *h = &loop->timers;
    if (h->len == 0)
        return;
    usec_t now = loop_now(loop);
    /* A timer that is started with 0 while timers are fired waits for the next turn. */
    h->not_before = now + 1;
    while (h->len > 0 && h->items[0]->at <= now) {
        struct timer *t = h->items[0];
        take_out(h, t);
        t->fired(t, t->ud);
    }
    h->not_before = 0;
}

void timer_heap_deinit(struct loop *loop)
{
    free(loop->timers.items);
}

void timer_init(struct timer *t, struct loop *loop, timer_fired_fn *fired, void *ud)
{
    *t = (struct timer){.loop = loop, .fired = fired, .ud = ud};
}

void timer_start(struct timer *t, usec_t after)
{
    struct timer_heap *h = &t->loop->timers;
    timer_cancel(t);
    t->at = loop_now(t->loop) + (after > 0 ? after : 0);
    if (t->at < h->not_before)
        t->at = h->not_before;
    insert(h, t);
}

void timer_cancel(struct timer *t)
{
    if (t->slot)
        take_out(&t->loop->timers, t);
}

bool timer_pending(const struct timer *t)
{
    return t->slot != 0;
}

void timer_move(struct timer *t, struct loop *loop)
{
    t->loop = loop;
}
