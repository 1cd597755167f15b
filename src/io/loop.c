/*
 * A turn is one epoll_wait() and then the deferred calls. What is deferred while the deferred
 * calls run waits for the next turn, which then does not block: so an object that reports by
 * deferring again and again (a level-triggered stream in memory) never starves the descriptors.
 * The last calls of a turn get some rounds more, because what one writes another one below it may
 * have to write out in its turn (a session within a session).
 *
 * libuv serves for what it does best (names, signals, children, threads): its own epoll descriptor
 * lies in ours (uv_backend_fd(3)), and it runs, without waiting, when that is ready, when somebody
 * has taken the libuv loop in hand, and when it says that it has something to do.
 *
 * The time is read lazily, at the first question after the wait, and kept until the next wait.
 */
#include "io/loop.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <uv.h>

#include "base/mem.h"
#include "io/loop_internal.h"

/* Turns that loop_free() grants to calls that are still queued and may queue others. */
enum { LAST_TURNS = 1000 };

/* How often in a turn the last calls run that others of them have scheduled. */
enum { LAST_ROUNDS = 4 };

enum { EVENTS_PER_TURN = 128 };

static void wake_up(struct loop *loop)
{
    const uint64_t one = 1;
    /* It fails only where the loop is as good as woken: at the end of the counter's range. */
    ssize_t n = write(loop->wake, &one, sizeof(one));
    (void)n;
}

static void run_posted(struct loop *loop)
{
    uint64_t times;
    ssize_t n = read(loop->wake, &times, sizeof(times));
    (void)n;
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

static void check(int result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "adit: cannot set up an event loop: %s: %s\n", what, uv_strerror(result));
        abort();
    }
}

/* `source` tells these two from watches. */
static void take_in(struct loop *loop, int fd, void *source)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = source};
    check(epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0, "epoll");
}

struct loop *loop_new(void)
{
    struct loop *loop = new0(struct loop);
    /* OpenSSL writes to sockets with write(2); a closed peer is an error there, not a signal. */
    signal(SIGPIPE, SIG_IGN);
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    check(loop->epoll < 0 ? -errno : 0, "epoll");
    loop->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    check(loop->wake < 0 ? -errno : 0, "wake-up");
    check(uv_loop_init(&loop->uv), "loop");
    check(uv_async_init(&loop->uv, &loop->uv_stays, NULL), "loop");
    loop->uv_used = true;
    take_in(loop, loop->wake, &loop->wake);
    take_in(loop, uv_backend_fd(&loop->uv), &loop->uv);
    pthread_mutex_init(&loop->post_lock, NULL);
    list_init(&loop->posted);
    loop->turn = 1;
    list_init(&loop->watches);
    list_init(&loop->closed_watches);
    list_init(&loop->deferred);
    list_init(&loop->last);
    list_init(&loop->dead);
    list_init(&loop->at_end);
    return loop;
}

static void run_calls(struct list *scheduled)
{
    struct list calls = LIST_INIT(calls);
    list_splice(&calls, scheduled);
    struct defer *d;
    while ((d = list_first(&calls, struct defer, link))) {
        list_remove(&d->link);
        d->scheduled = false;
        d->fn(d->ud);
    }
}

static bool has_deferred(const struct loop *loop)
{
    return !list_empty(&loop->deferred) || !list_empty(&loop->last);
}

static void run_uv(struct loop *loop)
{
    loop->uv_used = false;
    uv_run(&loop->uv, UV_RUN_NOWAIT);
}

static int wait_ms(struct loop *loop, bool wait)
{
    return wait && !has_deferred(loop) ? timer_heap_wait_ms(loop) : 0;
}

static void dispatch(struct loop *loop, const struct epoll_event *e)
{
    if (e->data.ptr == &loop->wake)
        run_posted(loop);
    else if (e->data.ptr == &loop->uv)
        run_uv(loop);
    else
        watch_dispatch(e->data.ptr, e->events);
}

void loop_turn(struct loop *loop, bool wait)
{
    struct epoll_event events[EVENTS_PER_TURN];
    loop->in_turn = true;
    loop->turn++;
    if (loop->uv_used || uv_backend_timeout(&loop->uv) == 0) {
        run_uv(loop);
        wait = false; /* it may have called somebody */
    }
    watches_apply(loop);
    int n = epoll_wait(loop->epoll, events, EVENTS_PER_TURN, wait_ms(loop, wait));
    loop->now = 0;
    timer_heap_fire(loop);
    for (int i = 0; i < n; i++)
        dispatch(loop, &events[i]);
    run_calls(&loop->deferred);
    for (int i = 0; i < LAST_ROUNDS && !list_empty(&loop->last); i++)
        run_calls(&loop->last);
    while (!has_deferred(loop) && !list_empty(&loop->dead))
        run_calls(&loop->dead);
    watches_free_closed(loop);
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
    wake_up(loop);
}

static bool has_queued(struct loop *loop)
{
    pthread_mutex_lock(&loop->post_lock);
    bool posted = !list_empty(&loop->posted);
    pthread_mutex_unlock(&loop->post_lock);
    return posted || has_deferred(loop) || !list_empty(&loop->dead);
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

    uv_walk(&loop->uv, close_left_over, NULL);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    uv_loop_close(&loop->uv);
    watches_free_closed(loop);
    close(loop->wake);
    close(loop->epoll);

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
    loop->uv_used = true;
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
    bool first = list_empty(&loop->posted);
    list_append(&loop->posted, &call->link);
    /* Inside the lock, so that the loop cannot be freed between the two by the call itself. */
    if (first)
        wake_up(loop);
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

void defer_schedule_last(struct loop *loop, struct defer *d)
{
    if (d->scheduled)
        return;
    d->scheduled = true;
    list_append(&loop->last, &d->link);
}

void defer_reap(struct loop *loop, struct defer *d)
{
    if (d->scheduled)
        return;
    d->scheduled = true;
    list_append(&loop->dead, &d->link);
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
