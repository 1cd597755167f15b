/*
 * A binary heap of pointers into the timers' owners, ordered by expiry; each timer knows its slot,
 * so that cancelling takes O(log n). The one libuv timer is armed for the top of the heap. It is
 * moved only when it would fire too late: a timer that was cancelled costs at most one early
 * wake-up, which finds nothing to do and arms again.
 */
#include "io/timer.h"

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

static void fire_expired(uv_timer_t *handle);

static void arm(struct loop *loop)
{
    struct timer_heap *h = &loop->timers;
    if (h->len == 0)
        return;
    usec_t at = h->items[0]->at;
    if (h->armed_for != 0 && h->armed_for <= at)
        return;
    usec_t left = at - loop_now(loop);
    uint64_t left_ms = left > 0 ? (uint64_t)((left + USEC_PER_MSEC - 1) / USEC_PER_MSEC) : 0;
    /* libuv counts from the start of its turn, which may be a while ago. */
    uv_update_time(&loop->uv);
    uv_timer_start(&h->handle, fire_expired, left_ms, 0);
    h->armed_for = at;
}

static void fire_expired(uv_timer_t *handle)
{
    struct loop *loop = handle->data;
    struct timer_heap *h = &loop->timers;
    /* The clock, not the turn's time: the turn's may be older than what woke us. */
    usec_t now = loop->now = clock_monotonic();
    h->armed_for = 0;
    /* A timer that is started with 0 while timers are fired waits for the next turn. */
    h->not_before = now + 1;
    while (h->len > 0 && h->items[0]->at <= now) {
        struct timer *t = h->items[0];
        take_out(h, t);
        loop->fired = true;
        t->fired(t, t->ud);
    }
    h->not_before = 0;
    arm(loop);
}

void timer_heap_init(struct loop *loop)
{
    uv_timer_init(&loop->uv, &loop->timers.handle);
    loop->timers.handle.data = loop;
}

void timer_heap_close(struct loop *loop)
{
    uv_close((uv_handle_t *)&loop->timers.handle, NULL);
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
    /* While timers are fired the handle is armed once, at the end. */
    if (h->not_before == 0)
        arm(t->loop);
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
