#pragma once
/* What loop.c and timer.c share. Not for others. */
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <uv.h>

#include "base/clock.h"
#include "base/list.h"

struct loop;
struct timer;

struct timer_heap {
    struct timer **items; /* binary heap by `at` */
    size_t len;
    size_t cap;
    uv_timer_t handle;
    usec_t armed_for;  /* when `handle` fires; 0 while it is stopped */
    usec_t not_before; /* earliest expiry that may be given out while timers are fired */
};

struct posted_call {
    struct list link;
    void (*fn)(void *ud);
    void *ud;
};

struct loop {
    uv_loop_t uv;
    uv_async_t wake;
    uv_prepare_t before_wait;
    uv_idle_t no_wait; /* while it is started, libuv polls without waiting */
    struct timer_heap timers;
    struct list watches; /* watch.c: want more than they poll for */
    struct list deferred;
    struct list at_end;
    usec_t now;    /* 0: to be read again */
    uint64_t turn; /* counts; another one between turns than in them, never 0 */
    bool in_turn;
    bool fired; /* a timer, this turn */
    atomic_bool stopping;
    pthread_mutex_t post_lock;
    struct list posted;
    unsigned char *scratch;
    unsigned char *datagrams; /* udp.c: room for a batch */
    struct batch *batches;    /* tls_bio.c: the same, for several */
    struct splice_pool *pipes;
};

struct splice_pool;
void splice_pool_free(struct splice_pool *pool);

/* Tells libuv what the watches want; before it waits. */
void watches_apply(struct loop *loop);

struct batch;
void tls_batches_free(struct batch *b);

void timer_heap_init(struct loop *loop);
/* Closes the handle; the memory of the heap itself goes with timer_heap_deinit afterwards. */
void timer_heap_close(struct loop *loop);
void timer_heap_deinit(struct loop *loop);
