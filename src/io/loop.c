/*
 * A turn is one uv_run() pass and then the deferred calls. What is deferred while the deferred
 * calls run waits for the next turn, which then does not block: so an object that reports by
 * deferring again and again (a level-triggered stream in memory) never starves the descriptors.
 *
 * The time is read lazily, at the first question after the wait, and kept until the next wait.
 */
#include "io/loop.h"

#include <signal.h>
#include <uv.h>

#include "base/mem.h"
#include "io/loop_internal.h"

/* Turns that loop_free() grants to calls that are still queued and may queue others. */
enum { LAST_TURNS = 1000 };

static void run_posted(uv_async_t *wake)
{
    struct loop *loop = wake->data;
    struct list calls = LIST_INIT(calls);

    pthread_mutex_lock(&loop->post_lock);
    list_splice(&calls, &loop->posted);
    pthread_mutex_unlock(&loop->post_lock);

    struct posted_call *call;
    while ((call = list_first(&calls, struct posted_call, link))) {
        list_remove(&call->link);
        call->fn(call->ud);
        free(call);
    }
}

static void do_nothing(uv_idle_t *no_wait)
{
}

static void about_to_wait(uv_prepare_t *before_wait)
{
    struct loop *loop = before_wait->data;
    loop->now = 0;
    /* libuv runs timers first and would then wait, though they have made work. */
    if (loop->fired || !list_empty(&loop->deferred))
        uv_idle_start(&loop->no_wait, do_nothing);
}

static void check(int result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "adit: cannot set up an event loop: %s: %s\n", what, uv_strerror(result));
        abort();
    }
}

struct loop *loop_new(void)
{
    struct loop *loop = new0(struct loop);
    /* OpenSSL writes to sockets with write(2); a closed peer is an error there, not a signal. */
    signal(SIGPIPE, SIG_IGN);
    check(uv_loop_init(&loop->uv), "loop");
    check(uv_async_init(&loop->uv, &loop->wake, run_posted), "wake-up");
    loop->wake.data = loop;
    uv_prepare_init(&loop->uv, &loop->before_wait);
    loop->before_wait.data = loop;
    uv_prepare_start(&loop->before_wait, about_to_wait);
    uv_idle_init(&loop->uv, &loop->no_wait);
    pthread_mutex_init(&loop->post_lock, NULL);
    list_init(&loop->posted);
    loop->turn = 1;
    list_init(&loop->watches);
    list_init(&loop->deferred);
    list_init(&loop->at_end);
    timer_heap_init(loop);
    return loop;
}

static void run_deferred(struct loop *loop)
{
    struct list calls = LIST_INIT(calls);
    list_splice(&calls, &loop->deferred);
    struct defer *d;
    while ((d = list_first(&calls, struct defer, link))) {
        list_remove(&d->link);
        d->scheduled = false;
        d->fn(d->ud);
    }
}

void loop_turn(struct loop *loop, bool wait)
{
    loop->in_turn = true;
    loop->turn++;
    watches_apply(loop);
    uv_run(&loop->uv, wait ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    uv_idle_stop(&loop->no_wait);
    loop->fired = false;
    run_deferred(loop);
    loop->in_turn = false;
    loop->turn++;
    loop->now = 0;
}

void loop_run(struct loop *loop)
{
    while (!atomic_exchange(&loop->stopping, false))
        loop_turn(loop, true);
}

void loop_stop(struct loop *loop)
{
    atomic_store(&loop->stopping, true);
    uv_async_send(&loop->wake);
}

static bool has_queued(struct loop *loop)
{
    pthread_mutex_lock(&loop->post_lock);
    bool posted = !list_empty(&loop->posted);
    pthread_mutex_unlock(&loop->post_lock);
    return posted || !list_empty(&loop->deferred);
}

/* A handle that somebody left open would keep uv_run() from ever returning. */
static void close_left_over(uv_handle_t *handle, void *ud)
{
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

struct loop *loop_free(struct loop *loop)
{
    if (!loop)
        return NULL;
    list_splice(&loop->deferred, &loop->at_end);
    for (int i = 0; i < LAST_TURNS && has_queued(loop); i++)
        loop_turn(loop, false);

    timer_heap_close(loop);
    uv_close((uv_handle_t *)&loop->before_wait, NULL);
    uv_close((uv_handle_t *)&loop->no_wait, NULL);
    uv_close((uv_handle_t *)&loop->wake, NULL);
    uv_walk(&loop->uv, close_left_over, NULL);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    uv_loop_close(&loop->uv);

    timer_heap_deinit(loop);
    pthread_mutex_destroy(&loop->post_lock);
    free(loop->scratch);
    free(loop->datagrams);
    tls_batches_free(loop->batches);
    splice_pool_free(loop->pipes);
    free(loop);
    return NULL;
}

usec_t loop_now(const struct loop *loop)
{
    if (!loop->in_turn)
        return clock_monotonic();
    if (loop->now == 0)
        ((struct loop *)loop)->now = clock_monotonic();
    return loop->now;
}

struct uv_loop_s *loop_uv(struct loop *loop)
{
    return &loop->uv;
}

unsigned char *loop_scratch(struct loop *loop)
{
    if (!loop->scratch)
        loop->scratch = xmalloc(LOOP_SCRATCH_LEN);
    return loop->scratch;
}

void loop_post(struct loop *loop, loop_fn *fn, void *ud)
{
    struct posted_call *call = xmalloc(sizeof(*call));
    *call = (struct posted_call){.fn = fn, .ud = ud};
    pthread_mutex_lock(&loop->post_lock);
    list_append(&loop->posted, &call->link);
    /* Inside the lock, so that the loop cannot be freed between the two by the call itself. */
    uv_async_send(&loop->wake);
    pthread_mutex_unlock(&loop->post_lock);
}

void defer_init(struct defer *d, loop_fn *fn, void *ud)
{
    *d = (struct defer){.fn = fn, .ud = ud};
    list_init(&d->link);
}

void defer_schedule(struct loop *loop, struct defer *d)
{
    if (d->scheduled)
        return;
    d->scheduled = true;
    list_append(&loop->deferred, &d->link);
}

void defer_to_end(struct loop *loop, struct defer *d)
{
    d->scheduled = true;
    list_append(&loop->at_end, &d->link);
}

void defer_cancel(struct defer *d)
{
    if (!d->scheduled)
        return;
    d->scheduled = false;
    list_remove(&d->link);
}
