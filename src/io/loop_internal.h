#pragma once
/* What loop.c, timer.c and watch.c share. Not for others. */
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
    usec_t not_before; /* earliest expiry that may be given out while timers are fired */
};

struct posted_call {
    struct list link;
    void (*fn)(void *ud);
    void *ud;
};

struct loop {
    int epoll;
    int wake; /* eventfd: something was posted, or the loop is to stop */
    uv_loop_t uv;
    uv_async_t uv_stays; /* never sent: a libuv loop that waits for nothing tells no time to wait */
    bool uv_used;        /* since it last ran */
    struct timer_heap timers;
    struct list watches; /* watch.c: want other than they poll for */
    struct list closed_watches;
    struct list deferred;
    struct list last; /* deferred too, behind those */
    struct list dead; /* likewise, when nothing is in the two */
    struct list at_end;
    usec_t now;    /* 0: to be read again */
    uint64_t turn; /* counts; another one between turns than in them, never 0 */
    bool in_turn;
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

struct watch;
/* Tells the kernel what the watches want; before it waits. */
void watches_apply(struct loop *loop);
void watch_dispatch(struct watch *w, unsigned epoll_events);
/* At the end of a turn. */
void watches_free_closed(struct loop *loop);

struct batch;
void tls_batches_free(struct batch *b);

void timer_heap_deinit(struct loop *loop);
/* Until the first is due, rounded up; 0: it is; -1: there is none. */
int timer_heap_wait_ms(struct loop *loop);
void timer_heap_fire(struct loop *loop);
