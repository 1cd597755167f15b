/*
 * A descriptor is in the loop's epoll while anything is polled for, under the address of its watch.
 * One epoll_wait() may have fetched an event of a watch that is closed before its turn comes, so
 * the memory of watches lives until the end of the loop's turn.
 *
 * To change what a descriptor is polled for is a system call. Wanting less is therefore put off
 * until an event comes that nobody wants, and wanting more until the loop is about to wait (loop.c
 * calls watches_apply()): an owner that goes back and forth costs nothing.
 */
#include "io/watch.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/mem.h"
#include "io/loop.h"
#include "io/loop_internal.h"

struct watch {
    struct list change; /* in one of the loop's lists: to be applied, or closed */
    struct loop *loop;
    int fd;
    watch_ready_fn *ready;
    void *ud;
    unsigned wanted;
    unsigned polled; /* `wanted` or more */
    bool only;       /* what is polled for beyond `wanted` is to be taken back */
    bool closed;
};

static void poll_for(struct watch *w, unsigned events)
{
    struct epoll_event e = {.events = (events & WATCH_READ ? EPOLLIN : 0) |
                                      (events & WATCH_WRITE ? EPOLLOUT : 0),
                            .data.ptr = w};
    int op = !events ? EPOLL_CTL_DEL : w->polled ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (w->polled == events)
        return;
    w->polled = events;
    if (epoll_ctl(w->loop->epoll, op, w->fd, &e) < 0 && op != EPOLL_CTL_DEL) {
        fprintf(stderr, "adit: cannot watch descriptor %d: %s\n", w->fd, strerror(errno));
        abort();
    }
}

void watch_dispatch(struct watch *w, unsigned epoll_events)
{
    unsigned events =
        (epoll_events & EPOLLIN ? WATCH_READ : 0) | (epoll_events & EPOLLOUT ? WATCH_WRITE : 0);
    if (w->closed)
        return;
    if (epoll_events & (EPOLLERR | EPOLLHUP))
        events = WATCH_READ | WATCH_WRITE;
    events &= w->wanted;
    if (events)
        w->ready(events, w->ud);
    else
        poll_for(w, w->wanted);
}

struct watch *watch_new(struct loop *loop, int fd, watch_ready_fn *ready, void *ud)
{
    struct watch *w = new0(struct watch);
    list_init(&w->change);
    w->loop = loop;
    w->fd = fd;
    w->ready = ready;
    w->ud = ud;
    return w;
}

static void want(struct watch *w, unsigned events, bool only)
{
    w->wanted = events;
    w->only = only;
    bool differs = only ? events != w->polled : (events & ~w->polled) != 0;
    if (differs && list_empty(&w->change))
        list_append(&w->loop->watches, &w->change);
}

void watch_want(struct watch *w, unsigned events)
{
    want(w, events, false);
}

void watch_want_only(struct watch *w, unsigned events)
{
    want(w, events, true);
}

void watches_apply(struct loop *loop)
{
    struct watch *w;
    while ((w = list_first(&loop->watches, struct watch, change))) {
        list_remove(&w->change);
        if (w->only || (w->wanted & ~w->polled))
            poll_for(w, w->wanted);
    }
}

struct watch *watch_close(struct watch *w)
{
    if (!w)
        return NULL;
    /* Closing the descriptor is not enough: a child that is being started may still have it. */
    poll_for(w, 0);
    w->closed = true;
    w->wanted = 0;
    list_remove(&w->change);
    list_append(&w->loop->closed_watches, &w->change);
    return NULL;
}

void watches_free_closed(struct loop *loop)
{
    struct watch *w;
    while ((w = list_first(&loop->closed_watches, struct watch, change))) {
        list_remove(&w->change);
        free(w);
    }
}
