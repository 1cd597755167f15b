#include "cli/stdio_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/stream.h"
#include "io/watch.h"

/*
 * ssh talks to its ProxyCommand through pipes: in larger ones than 64 KiB both work at once for
 * longer. A person's pipes share a limit of the kernel's, so that these are no larger than useful.
 */
enum { MOST_VECTORS = 64, PIPE_LEN = 256 * 1024 };

struct stdio_stream {
    struct stream s;
    int in, out; /* -1: closed */
    struct watch *in_watch, *out_watch;
};

static void descriptor_ready(unsigned events, void *ud)
{
    struct stdio_stream *f = ud;
    stream_report(&f->s, events);
}

static ssize_t stdio_recv(struct stream *s, void *data, size_t len)
{
    struct stdio_stream *f = (struct stdio_stream *)s;
    ssize_t n;
    do {
        n = read(f->in, data, len);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static ssize_t stdio_send(struct stream *s, const struct iovec *iov, int n_iov)
{
    struct stdio_stream *f = (struct stdio_stream *)s;
    ssize_t n;
    if (f->out < 0)
        return -EPIPE;
    do {
        n = writev(f->out, iov, n_iov < MOST_VECTORS ? n_iov : MOST_VECTORS);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static int stdio_shutdown(struct stream *s)
{
    struct stdio_stream *f = (struct stdio_stream *)s;
    f->out_watch = watch_close(f->out_watch);
    if (f->out >= 0)
        close(f->out);
    f->out = -1;
    return 0;
}

static void stdio_want(struct stream *s, unsigned events)
{
    struct stdio_stream *f = (struct stdio_stream *)s;
    if (!f->in_watch && (events & STREAM_READ))
        f->in_watch = watch_new(s->loop, f->in, descriptor_ready, f);
    if (!f->out_watch && (events & STREAM_WRITE) && f->out >= 0)
        f->out_watch = watch_new(s->loop, f->out, descriptor_ready, f);
    if (f->in_watch)
        watch_want(f->in_watch, events & STREAM_READ);
    if (f->out_watch)
        watch_want(f->out_watch, events & STREAM_WRITE);
}

static void stdio_free(struct stream *s)
{
    struct stdio_stream *f = (struct stdio_stream *)s;
    stdio_shutdown(s);
    f->in_watch = watch_close(f->in_watch);
    close(f->in);
    stream_reap(s, NULL);
}

static const struct stream_ops stdio_ops = {
    .name = "stdio",
    .recv = stdio_recv,
    .send = stdio_send,
    .shutdown = stdio_shutdown,
    .want = stdio_want,
    .free = stdio_free,
};

static void set_non_blocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0)
        fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

struct stream *stdio_stream_new(struct loop *loop, int in, int out)
{
    struct stdio_stream *f = new0(struct stdio_stream);
    stream_init(&f->s, &stdio_ops, loop);
    f->in = in;
    /* One descriptor for both directions cannot be polled, nor closed, by halves. */
    f->out = out == in ? fcntl(in, F_DUPFD_CLOEXEC, 3) : out;
    fcntl(f->in, F_SETPIPE_SZ, PIPE_LEN); /* fails on what is no pipe */
    fcntl(f->out, F_SETPIPE_SZ, PIPE_LEN);
    set_non_blocking(f->in);
    set_non_blocking(f->out);
    return &f->s;
}
