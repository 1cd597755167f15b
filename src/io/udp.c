/*
 * Datagrams are received in batches into one room that the loop owns: of it only the pages that
 * datagrams really fill become memory. Sending is at once; only what the kernel refuses for want
 * of room waits in a queue, which goes out in batches as soon as the socket is writable.
 *
 * An ICMP error is kept by the kernel and told once, by whichever call comes next. When that is a
 * send, the datagram is sent again, and the error is reported at the end of the turn.
 */
#include "io/udp.h"

#include <errno.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/bind_error.h"
#include "io/loop.h"
#include "io/loop_internal.h"
#include "io/watch.h"

enum {
    BATCH = 16,
    BATCHES_PER_TURN = 4,
    ROOM_LEN = 65536, /* for one datagram, so that none is ever cut */
    QUEUE_DATAGRAMS_MAX = 256,
    QUEUE_BYTES_MAX = 4 * 1024 * 1024,
    SOCKET_BUFFER_LEN = 7 * 1024 * 1024
};

struct queued {
    struct queued *next;
    struct addr to; /* len 0: the peer of a connected socket */
    size_t len;
    unsigned char data[];
};

struct udp {
    struct loop *loop;
    int fd;
    struct addr addr;
    struct addr peer; /* len 0 unless connected */
    struct udp_options options;
    struct watch *watch;
    struct queued *oldest;
    struct queued **newest; /* where the next is hung in */
    size_t queue_len;
    size_t queue_bytes;
    int late_error; /* found by a send, to be reported */
    bool closed;
    struct defer report;
    struct defer reap;
};

/* False when the queue is empty. */
static bool drop_oldest(struct udp *u)
{
    struct queued *q = u->oldest;
    if (!q)
        return false;
    u->oldest = q->next;
    if (!u->oldest)
        u->newest = &u->oldest;
    u->queue_len--;
    u->queue_bytes -= q->len;
    free(q);
    return true;
}

static void apply_want(struct udp *u)
{
    watch_want(u->watch, WATCH_READ | (u->queue_len ? WATCH_WRITE : 0));
}

static void enqueue(struct udp *u, const void *data, size_t len, const struct addr *to)
{
    while (u->queue_len >= QUEUE_DATAGRAMS_MAX || u->queue_bytes + len > QUEUE_BYTES_MAX)
        if (!drop_oldest(u))
            break;
    struct queued *q = xmalloc(sizeof(*q) + len);
    q->next = NULL;
    q->to = to ? *to : (struct addr){0};
    q->len = len;
    if (len)
        memcpy(q->data, data, len);
    *u->newest = q;
    u->newest = &q->next;
    u->queue_len++;
    u->queue_bytes += len;
    apply_want(u);
}

/* Errors that ICMP answers to earlier datagrams cause, not this call. */
static bool is_icmp(int error)
{
    return error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH ||
           error == EHOSTDOWN || error == EPROTO || error == ENOPROTOOPT;
}

static bool is_for_later(int error)
{
    return error == EAGAIN || error == ENOBUFS;
}

static void report_late(void *ud)
{
    struct udp *u = ud;
    if (u->options.failed)
        u->options.failed(u, u->late_error, u->options.ud);
}

static void note_late(struct udp *u, int error)
{
    u->late_error = -error;
    defer_schedule(u->loop, &u->report);
}

/* 0, or the errno of one datagram; an ICMP error is noted and the datagram sent again. */
static int send_now(struct udp *u, const void *data, size_t len, const struct addr *to)
{
    for (int tries = 0;; tries++) {
        ssize_t n = sendto(u->fd, data, len, MSG_NOSIGNAL, to ? &to->sa : NULL, to ? to->len : 0);
        if (n >= 0)
            return 0;
        if (errno == EINTR)
            continue;
        if (tries > 0 || !u->peer.len || !is_icmp(errno))
            return errno;
        note_late(u, errno);
    }
}

int udp_send(struct udp *u, const void *data, size_t len, const struct addr *to)
{
    if (len > UDP_PAYLOAD_MAX)
        return -EMSGSIZE;
    int error = u->queue_len > 0 ? EAGAIN : send_now(u, data, len, to);
    if (error && is_for_later(error)) {
        enqueue(u, data, len, to);
        return 0;
    }
    return -error;
}

static void flush_queue(struct udp *u)
{
    struct mmsghdr msgs[BATCH] = {0};
    struct iovec iov[BATCH];
    unsigned n = 0;
    for (struct queued *q = u->oldest; q && n < BATCH; q = q->next) {
        iov[n] = (struct iovec){q->data, q->len};
        msgs[n].msg_hdr = (struct msghdr){.msg_iov = &iov[n], .msg_iovlen = 1};
        if (q->to.len) {
            msgs[n].msg_hdr.msg_name = &q->to.sa;
            msgs[n].msg_hdr.msg_namelen = q->to.len;
        }
        n++;
    }
    int sent = sendmmsg(u->fd, msgs, n, MSG_NOSIGNAL);
    if (sent < 0 && is_for_later(errno))
        return;
    if (sent < 0 && u->peer.len && is_icmp(errno)) {
        note_late(u, errno);
        return;
    }
    /* A datagram that cannot be sent at all is dropped, as the network would. */
    for (int i = 0; i < (sent > 0 ? sent : 1); i++)
        drop_oldest(u);
}

/* One batch; false when there is no more for now. */
static bool receive_batch(struct udp *u)
{
    struct mmsghdr msgs[BATCH] = {0};
    struct iovec iov[BATCH];
    struct addr from[BATCH];
    if (!u->loop->datagrams)
        u->loop->datagrams = xmalloc((size_t)BATCH * ROOM_LEN);
    for (int i = 0; i < BATCH; i++) {
        iov[i] = (struct iovec){u->loop->datagrams + (size_t)i * ROOM_LEN, ROOM_LEN};
        msgs[i].msg_hdr = (struct msghdr){.msg_name = &from[i].storage,
                                          .msg_namelen = sizeof(from[i].storage),
                                          .msg_iov = &iov[i],
                                          .msg_iovlen = 1};
    }
    int n = recvmmsg(u->fd, msgs, BATCH, MSG_DONTWAIT, NULL);
    if (n < 0) {
        if (errno != EAGAIN && errno != EINTR && u->options.failed)
            u->options.failed(u, -errno, u->options.ud);
        return false;
    }
    for (int i = 0; i < n && !u->closed; i++) {
        from[i].len = msgs[i].msg_hdr.msg_namelen;
        u->options.received(u, iov[i].iov_base, msgs[i].msg_len, u->peer.len ? &u->peer : &from[i],
                            u->options.ud);
    }
    return n == BATCH && !u->closed;
}

static void socket_ready(unsigned events, void *ud)
{
    struct udp *u = ud;
    if (events & WATCH_WRITE) {
        flush_queue(u);
        apply_want(u);
    }
    if (events & WATCH_READ) {
        for (int i = 0; i < BATCHES_PER_TURN; i++)
            if (!receive_batch(u))
                break;
    }
}

static void set_buffer(int fd, int forced, int polite)
{
    int len = SOCKET_BUFFER_LEN;
    if (setsockopt(fd, SOL_SOCKET, forced, &len, sizeof(len)) < 0)
        setsockopt(fd, SOL_SOCKET, polite, &len, sizeof(len));
}

typedef int attach_fn(int fd, const struct sockaddr *addr, socklen_t len);

static int open_socket(struct udp *u, const struct addr *addr, attach_fn *bind_or_connect)
{
    int on = 1;
    int family = addr->sa.sa_family;
    u->fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (u->fd < 0)
        return -errno;
    if (family == AF_INET6 && setsockopt(u->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0)
        return -errno;
    set_buffer(u->fd, SO_RCVBUFFORCE, SO_RCVBUF);
    set_buffer(u->fd, SO_SNDBUFFORCE, SO_SNDBUF);
    if (bind_or_connect(u->fd, &addr->sa, addr->len) < 0)
        return -errno;
    return addr_of_socket(u->fd, &u->addr);
}

static int udp_open(struct loop *loop, const struct addr *addr, attach_fn *bind_or_connect,
                    const struct udp_options *options, struct udp **ret)
{
    struct udp *u = new0(struct udp);
    u->loop = loop;
    u->options = *options;
    if (bind_or_connect == connect)
        u->peer = *addr;
    u->newest = &u->oldest;
    defer_init(&u->report, report_late, u);
    defer_init(&u->reap, free, u);
    int r = open_socket(u, addr, bind_or_connect);
    if (r < 0) {
        udp_close(u);
        return r;
    }
    u->watch = watch_new(loop, u->fd, socket_ready, u);
    apply_want(u);
    *ret = u;
    return 0;
}

int udp_bind(struct loop *loop, const struct addr *addr, const struct udp_options *options,
             struct udp **ret, struct err *err)
{
    int r = udp_open(loop, addr, bind, options, ret);
    return r < 0 ? bind_error_explain(err, r, addr) : 0;
}

int udp_connect(struct loop *loop, const struct addr *peer, const struct udp_options *options,
                struct udp **ret, struct err *err)
{
    char text[ADDR_TEXT_LEN];
    int r = udp_open(loop, peer, connect, options, ret);
    return r < 0 ? err_sys(err, r, "cannot send to %s", addr_format(peer, text)) : 0;
}

const struct addr *udp_addr(const struct udp *u)
{
    return &u->addr;
}

struct udp *udp_close(struct udp *u)
{
    if (!u || u->closed)
        return NULL;
    u->closed = true;
    u->watch = watch_close(u->watch);
    defer_cancel(&u->report);
    if (u->fd >= 0)
        close(u->fd);
    while (drop_oldest(u))
        ;
    defer_schedule(u->loop, &u->reap);
    return NULL;
}
