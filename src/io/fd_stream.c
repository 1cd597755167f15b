#include "io/fd_stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/loop_internal.h"
#include "io/watch.h"

/* sendmsg(2) refuses more vectors (IOV_MAX). */
enum { MOST_VECTORS = 1024 };

/* A peer that has vanished is found out after KEEPALIVE_IDLE + 4 * KEEPALIVE_INTERVAL seconds. */
enum { KEEPALIVE_IDLE_SEC = 60, KEEPALIVE_INTERVAL_SEC = 15, KEEPALIVE_PROBES = 4 };

struct fd_stream {
    struct stream s;
    int fd;
    int recv_error; /* what failed once stays failed: the kernel tells an error only once */
    int send_error;
    bool shut;
    bool ended;       /* by the other side */
    uint64_t dry_in;  /* the loop's turn in which all that was there has been received; 0: none */
    uint64_t full_in; /* likewise: no more was taken to be sent */
    struct watch *watch; /* made when first wanted */
};

static const struct stream_ops fd_ops;

static void socket_ready(unsigned events, void *ud)
{
    struct fd_stream *f = ud;
    stream_report(&f->s, events); /* WATCH_* and STREAM_* are the same bits */
}

static ssize_t fd_recv(struct stream *s, void *data, size_t len)
{
    struct fd_stream *f = (struct fd_stream *)s;
    ssize_t n;
    if (f->recv_error)
        return f->recv_error;
    if (s->loop && f->dry_in == s->loop->turn)
        return -EAGAIN;
    do {
        n = recv(f->fd, data, len, 0);
    } while (n < 0 && errno == EINTR);
    /* A short read has emptied the socket: to ask again in this turn is a call for nothing. */
    f->dry_in = n > 0 && (size_t)n < len && s->loop ? s->loop->turn : 0;
    f->ended |= n == 0;
    if (n >= 0)
        return n;
    if (errno == EAGAIN)
        return -EAGAIN;
    return f->recv_error = -errno;
}

static size_t sum(const struct iovec *iov, size_t n)
{
    size_t len = 0;
    for (size_t i = 0; i < n; i++)
        len += iov[i].iov_len;
    return len;
}

static ssize_t fd_send(struct stream *s, const struct iovec *iov, int n_iov)
{
    struct fd_stream *f = (struct fd_stream *)s;
    struct msghdr msg = {
        .msg_iov = (struct iovec *)iov,
        .msg_iovlen = (size_t)(n_iov < MOST_VECTORS ? n_iov : MOST_VECTORS),
    };
    ssize_t n;
    if (f->send_error)
        return f->send_error;
    if (s->loop && f->full_in == s->loop->turn)
        return -EAGAIN;
    do {
        n = sendmsg(f->fd, &msg, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    /* As in fd_recv(): what is taken in part has filled the socket. */
    bool full = n < 0 || (size_t)n < sum(msg.msg_iov, msg.msg_iovlen);
    f->full_in = full && s->loop ? s->loop->turn : 0;
    if (n >= 0)
        return n;
    if (errno == EAGAIN)
        return -EAGAIN;
    return f->send_error = -errno;
}

static int fd_shutdown(struct stream *s)
{
    struct fd_stream *f = (struct fd_stream *)s;
    if (f->send_error)
        return f->shut ? 0 : f->send_error;
    f->shut = true;
    if (shutdown(f->fd, SHUT_WR) < 0) {
        f->send_error = -errno;
        return f->send_error;
    }
    f->send_error = -EPIPE;
    return 0;
}

static void fd_want(struct stream *s, unsigned events)
{
    struct fd_stream *f = (struct fd_stream *)s;
    if (!f->watch && events)
        f->watch = watch_new(s->loop, f->fd, socket_ready, f);
    if (f->watch && f->ended && !(events & STREAM_READ))
        watch_want_only(f->watch, events);
    else if (f->watch)
        watch_want(f->watch, events);
}

static void fd_detach(struct stream *s)
{
    struct fd_stream *f = (struct fd_stream *)s;
    f->watch = watch_close(f->watch);
    s->loop = NULL;
}

static void fd_attach(struct stream *s, struct loop *loop)
{
    struct fd_stream *f = (struct fd_stream *)s;
    s->loop = loop;
    f->dry_in = f->full_in = 0;
}

static void fd_free(struct stream *s)
{
    struct fd_stream *f = (struct fd_stream *)s;
    f->watch = watch_close(f->watch);
    close(f->fd);
    f->fd = -1;
    stream_reap(s, NULL);
}

static int fd_bare_fd(const struct stream *s, unsigned direction)
{
    const struct fd_stream *f = (const struct fd_stream *)s;
    return (direction == STREAM_READ ? f->recv_error : f->send_error) ? -1 : f->fd;
}

static const struct stream_ops fd_ops = {
    .name = "socket",
    .recv = fd_recv,
    .send = fd_send,
    .shutdown = fd_shutdown,
    .want = fd_want,
    .free = fd_free,
    .detach = fd_detach,
    .attach = fd_attach,
    .bare_fd = fd_bare_fd,
};

static void set_option(int fd, int level, int name, int value)
{
    setsockopt(fd, level, name, &value, sizeof(value));
}

static bool prepare_near(int fd)
{
    int on = 1;
    /* Fails on a Unix socket, which needs none of this. */
    return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0;
}

void fd_stream_prepare(int fd)
{
    if (prepare_near(fd)) {
        set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
        set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_SEC);
        set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_SEC);
        set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
    }
}

struct stream *fd_stream_prepared(struct loop *loop, int fd)
{
    struct fd_stream *f = new0(struct fd_stream);
    stream_init(&f->s, &fd_ops, loop);
    f->fd = fd;
    return &f->s;
}

struct stream *fd_stream_new(struct loop *loop, int fd)
{
    fd_stream_prepare(fd);
    return fd_stream_prepared(loop, fd);
}

struct stream *fd_stream_new_near(struct loop *loop, int fd)
{
    prepare_near(fd);
    return fd_stream_prepared(loop, fd);
}

int stream_fd(const struct stream *s)
{
    while (s->next)
        s = s->next;
    return s->ops == &fd_ops ? ((const struct fd_stream *)s)->fd : -1;
}

void stream_limit_unsent(const struct stream *s, int bytes)
{
    int fd = stream_fd(s);
    if (fd >= 0)
        set_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, bytes);
}
