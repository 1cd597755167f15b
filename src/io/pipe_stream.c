#include "io/pipe_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/stream.h"
#include "io/watch.h"

/*
 * ssh talks to its ProxyCommand and sshd to the agent through pipes: in larger ones than 64 KiB
 * both work at once for longer. A person's pipes share a limit of the kernel's, so that these are
 * no larger than useful.
 */
enum { MOST_VECTORS = 64, PIPE_LEN = 256 * 1024 };

struct pipe_stream {
    struct stream s;
    int in, out; /* -1: closed */
    struct watch *in_watch, *out_watch;
};

static void descriptor_ready(unsigned events, void *ud)
{
    struct pipe_stream *f = ud;
    stream_report(&f->s, events);
}

static ssize_t pipe_recv(struct stream *s, void *data, size_t len)
{
    struct pipe_stream *f = (struct pipe_stream *)s;
    ssize_t n;
    do {
        n = read(f->in, data, len);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static ssize_t pipe_send(struct stream *s, const struct iovec *iov, int n_iov)
{
    struct pipe_stream *f = (struct pipe_stream *)s;
    ssize_t n;
    if (f->out < 0)
        return -EPIPE;
    do {
        n = writev(f->out, iov, n_iov < MOST_VECTORS ? n_iov : MOST_VECTORS);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static int pipe_shutdown(struct stream *s)
{
    struct pipe_stream *f = (struct pipe_stream *)s;
    f->out_watch = watch_close(f->out_watch);
    if (f->out >= 0)
        close(f->out);
    f->out = -1;
    return 0;
}

static void pipe_want(struct stream *s, unsigned events)
{
    struct pipe_stream *f = (struct pipe_stream *)s;
    if (!f->in_watch && (events & STREAM_READ))
        f->in_watch = watch_new(s->loop, f->in, descriptor_ready, f);
    if (!f->out_watch && (events & STREAM_WRITE) && f->out >= 0)
        f->out_watch = watch_new(s->loop, f->out, descriptor_ready, f);
    if (f->in_watch)
        watch_want(f->in_watch, events & STREAM_READ);
    if (f->out_watch)
        watch_want(f->out_watch, events & STREAM_WRITE);
}

static void pipe_free(struct stream *s)
{
    struct pipe_stream *f = (struct pipe_stream *)s;
    pipe_shutdown(s);
    f->in_watch = watch_close(f->in_watch);
    close(f->in);
    stream_reap(s, NULL);
}

static int pipe_bare_fd(const struct stream *s, unsigned direction)
{
    const struct pipe_stream *f = (const struct pipe_stream *)s;
    return direction == STREAM_READ ? f->in : f->out;
}

static const struct stream_ops pipe_ops = {
    .name = "pipe",
    .recv = pipe_recv,
    .send = pipe_send,
    .shutdown = pipe_shutdown,
    .want = pipe_want,
    .free = pipe_free,
    .bare_fd = pipe_bare_fd,
};

static void set_non_blocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0)
        fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

/* Beyond a user's share of pipe memory it stays as small as it is. */
static void widen(int fd)
{
    int len = fcntl(fd, F_GETPIPE_SZ);
    if (len >= 0 && len < PIPE_LEN)
        fcntl(fd, F_SETPIPE_SZ, PIPE_LEN);
}

struct stream *pipe_stream_new(struct loop *loop, int in, int out)
{
    struct pipe_stream *f = new0(struct pipe_stream);
    stream_init(&f->s, &pipe_ops, loop);
    f->in = in;
    /* One descriptor for both directions cannot be polled, nor closed, by halves. */
    f->out = out == in ? fcntl(in, F_DUPFD_CLOEXEC, 3) : out;
    set_non_blocking(f->in);
    set_non_blocking(f->out);
    widen(f->in);
    widen(f->out);
    return &f->s;
}
