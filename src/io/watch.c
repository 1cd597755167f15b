/*
 * A uv_poll_t needs its memory until uv_close() has called back, so it lives here, apart from the
 * owner; uv_poll_stop() takes the descriptor out of epoll at once.
 *
 * libuv pays two system calls to change what a descriptor is polled for. Wanting less is therefore
 * put off until an event comes that nobody wants, and wanting more until the loop is about to wait
 * (loop.c calls watches_apply()): an owner that goes back and forth costs nothing.
 */
#include "io/watch.h"

#include <stdbool.h>
#include <uv.h>

#include "base/mem.h"
#include "io/loop.h"
#include "io/loop_internal.h"

struct watch {
    uv_poll_t handle;
    struct list change; /* in the loop's list while more is wanted than polled for */
    struct loop *loop;
    watch_ready_fn *ready;
    void *ud;
    unsigned wanted;
    unsigned polled; /* what libuv polls for: `wanted` or more */
    bool closed;
};

static void poll_ready(uv_poll_t *handle, int status, int uv_events);

static void poll_for(struct watch *w, unsigned events)
{
    if (w->polled == events)
        return;
    w->polled = events;
    int uv_events =
        (events & WATCH_READ ? UV_READABLE : 0) | (events & WATCH_WRITE ? UV_WRITABLE : 0);
    if (uv_events)
        uv_poll_start(&w->handle, uv_events, poll_ready);
    else
        uv_poll_stop(&w->handle);
}

static void poll_ready(uv_poll_t *handle, int status, int uv_events)
{
    struct watch *w = handle->data;
    unsigned events =
        (uv_events & UV_READABLE ? WATCH_READ : 0) | (uv_events & UV_WRITABLE ? WATCH_WRITE : 0);
    if (status < 0) {
        /* libuv has stopped the handle. */
        w->polled = 0;
        events = WATCH_READ | WATCH_WRITE;
    }
    events &= w->wanted;
    if (events)
        w->ready(events, w->ud);
    else
        poll_for(w, w->wanted);
    if (!w->closed)
        watch_want(w, w->wanted);
}

struct watch *watch_new(struct loop *loop, int fd, watch_ready_fn *ready, void *ud)
{
    struct watch *w = new0(struct watch);
    int r = uv_poll_init(loop_uv(loop), &w->handle, fd);
    if (r < 0) {
        fprintf(stderr, "adit: cannot watch descriptor %d: %s\n", fd, uv_strerror(r));
        abort();
    }
    w->handle.data = w;
    w->loop = loop;
    list_init(&w->change);
    w->ready = ready;
    w->ud = ud;
    return w;
}

void watch_want(struct watch *w, unsigned events)
{
    w->wanted = events;
    if ((events & ~w->polled) && list_empty(&w->change))
        list_append(&w->loop->watches, &w->change);
}

void watches_apply(struct loop *loop)
{
    struct watch *w;
    while ((w = list_first(&loop->watches, struct watch, change))) {
        list_remove(&w->change);
        if (w->wanted & ~w->polled)
            poll_for(w, w->wanted);
    }
}

static void free_closed(uv_handle_t *handle)
{
    free(handle->data);
}

struct watch *watch_close(struct watch *w)
{
    if (!w)
        return NULL;
    w->closed = true;
    w->wanted = 0;
    list_remove(&w->change);
    uv_close((uv_handle_t *)&w->handle, free_closed);
    return NULL;
}
