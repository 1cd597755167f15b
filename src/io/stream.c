#include "io/stream.h"

#include <errno.h>
#include <stdlib.h>

void stream_init(struct stream *s, const struct stream_ops *ops, struct loop *loop)
{
    *s = (struct stream){.ops = ops, .loop = loop};
}

bool stream_report(struct stream *s, unsigned events)
{
    bool gone = false, *outer = s->gone;
    events &= s->wanted;
    if (!events || !s->ready)
        return true;
    /* cppcheck-suppress autoVariables ; it is taken back below */
    s->gone = &gone;
    s->ready(s, events, s->ud);
    if (!gone)
        s->gone = outer;
    else if (outer)
        *outer = true;
    return !gone;
}

static void tell_gone(struct stream *s)
{
    if (s->gone)
        *s->gone = true;
    s->gone = NULL;
}

void stream_reap(struct stream *s, void (*release)(void *s))
{
    if (!release)
        release = free;
    if (!s->loop) {
        release(s);
        return;
    }
    defer_init(&s->reap, release, s);
    defer_reap(s->loop, &s->reap);
}

void stream_set_ready(struct stream *s, stream_ready_fn *ready, void *ud)
{
    s->ready = ready;
    s->ud = ud;
}

ssize_t stream_recv(struct stream *s, void *data, size_t len)
{
    return s->ops->recv(s, data, len);
}

ssize_t stream_send(struct stream *s, const struct iovec *iov, int n_iov)
{
    return s->ops->send(s, iov, n_iov);
}

ssize_t stream_send_bytes(struct stream *s, const void *data, size_t len)
{
    struct iovec iov = {.iov_base = (void *)data, .iov_len = len};
    return s->ops->send(s, &iov, 1);
}

int stream_shutdown(struct stream *s)
{
    return s->ops->shutdown(s);
}

bool stream_unsent(const struct stream *s)
{
    return s->ops->unsent && s->ops->unsent(s);
}

int stream_bare_fd(const struct stream *s, unsigned direction)
{
    return s->ops->bare_fd ? s->ops->bare_fd(s, direction) : -1;
}

void stream_want(struct stream *s, unsigned events)
{
    s->wanted = events;
    s->ops->want(s, events);
}

ssize_t stream_peek(struct stream *s, const void **ret_data)
{
    return s->ops->peek ? s->ops->peek(s, ret_data) : -ENOTSUP;
}

void stream_consume(struct stream *s, size_t len)
{
    s->ops->consume(s, len);
}

int stream_detach(struct stream *s)
{
    const struct stream *below = s;
    do {
        if (!below->ops->detach)
            return -ENOTSUP;
    } while ((below = below->next));
    tell_gone(s);
    s->ops->detach(s);
    return 0;
}

void stream_attach(struct stream *s, struct loop *loop)
{
    s->ops->attach(s, loop);
}

struct stream *stream_free(struct stream *s)
{
    if (s) {
        s->ready = NULL;
        s->wanted = 0;
        tell_gone(s);
        s->ops->free(s);
    }
    return NULL;
}
