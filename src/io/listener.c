/*
 * When the process runs out of descriptors, connections stay in the kernel's queue and accepting
 * pauses. If that lasts, the oldest waiting connection is accepted with a descriptor that is kept
 * in reserve for this, and closed: so that its sender learns of it. The reserve is one for the
 * whole process.
 *
 * The end of the queue is asked for only while there are many: a turn accepts one connection, and
 * twice as many in each that follows at once.
 */
#include "io/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "io/bind_error.h"
#include "io/fd_stream.h"
#include "io/loop_internal.h"
#include "io/timer.h"
#include "io/watch.h"

enum { ACCEPTS_PER_TURN = 64, UNIX_MODE_DEFAULT = 0600 };
#define EXHAUSTED_PAUSE (100 * USEC_PER_MSEC)

struct listener {
    struct loop *loop;
    int fd;
    struct addr addr;
    struct listener_options options;
    struct watch *watch;
    struct timer retry; /* pending while out of descriptors */
    bool exhausted;     /* was so at the last try too */
    uint64_t last_turn; /* that accepted, and how many it might have */
    int burst;
    bool paused;
    bool closed;
    dev_t file_dev; /* of the socket file that bind made; 0: none */
    ino_t file_ino;
    struct defer reap;
};

static atomic_int reserve_fd = -1;

static void fill_reserve(void)
{
    if (atomic_load(&reserve_fd) >= 0)
        return;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int none = -1;
    if (fd >= 0 && !atomic_compare_exchange_strong(&reserve_fd, &none, fd))
        close(fd);
}

static void turn_one_away(struct listener *l)
{
    int fd = atomic_exchange(&reserve_fd, -1);
    if (fd >= 0)
        close(fd);
    fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        close(fd);
    fill_reserve();
}

static void apply_want(struct listener *l)
{
    bool accepting = !l->paused && !timer_pending(&l->retry);
    watch_want(l->watch, accepting ? WATCH_READ : 0);
}

static void retry(struct timer *t, void *ud)
{
    apply_want(ud);
}

static void pause_exhausted(struct listener *l)
{
    if (l->exhausted)
        turn_one_away(l);
    l->exhausted = true;
    timer_start(&l->retry, EXHAUSTED_PAUSE);
    apply_want(l);
}

/* Errors of one connection or of its network, not of the listener (accept(2)). */
static bool is_passing(int error)
{
    switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPERM:
    case EPROTO:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
        return true;
    default:
        return false;
    }
}

static int burst_now(struct listener *l)
{
    bool goes_on = l->loop->turn == l->last_turn + 2; /* the loop counts its pauses too */
    l->burst = !goes_on ? 1 : l->burst < ACCEPTS_PER_TURN ? 2 * l->burst : l->burst;
    l->last_turn = l->loop->turn;
    return l->burst;
}

static void accept_ready(unsigned events, void *ud)
{
    struct listener *l = ud;
    int burst = burst_now(l);
    for (int i = 0; i < burst && !l->closed && !l->paused; i++) {
        struct addr peer = {.len = sizeof(peer.storage)};
        int fd = accept4(l->fd, &peer.sa, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            l->exhausted = false;
            l->options.accepted(l, fd_stream_prepared(l->loop, fd), &peer, l->options.ud);
        } else if (errno == EAGAIN) {
            break;
        } else if (!is_passing(errno)) {
            pause_exhausted(l);
            break;
        }
    }
}

/* Whether somebody accepts connections on the socket file: 1 or 0, or the error. */
static int is_served(const struct addr *addr)
{
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, &addr->sa, addr->len) == 0)
        return 1;
    /* EAGAIN: its queue is full; EACCES and EPROTOTYPE: not ours to judge. */
    return errno == ECONNREFUSED || errno == ENOENT ? 0 : 1;
}

static int make_way(const struct addr *addr, bool unlink_stale, struct err *err)
{
    const char *path = addr->un.sun_path;
    struct stat st;
    if (lstat(path, &st) < 0)
        return 0; /* bind tells what is wrong, if it is not just missing */
    if (!S_ISSOCK(st.st_mode))
        return err_set(err, -EEXIST, "%s exists and is not a socket", path);
    int served = is_served(addr);
    if (served < 0)
        return err_sys(err, served, "cannot tell whether %s is in use", path);
    if (served)
        return err_set(err, -EADDRINUSE, "%s is in use", path);
    if (!unlink_stale)
        return err_set(err, -EADDRINUSE, "%s was left over by a program that has ended; remove it",
                       path);
    if (unlink(path) < 0 && errno != ENOENT)
        return err_sys(err, -errno, "cannot remove the left-over socket %s", path);
    return 0;
}

static int set_options(struct listener *l)
{
    int on = 1;
    int family = l->addr.sa.sa_family;
    if (family == AF_UNIX) {
        unsigned mode = l->options.unix_mode ? l->options.unix_mode : UNIX_MODE_DEFAULT;
        /* Linux gives the file the mode of the unbound socket, less the umask. */
        return fchmod(l->fd, mode);
    }
    if (setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
        return -1;
    if (family == AF_INET6 && setsockopt(l->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0)
        return -1;
    if (l->options.reuse_port)
        return setsockopt(l->fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    return 0;
}

/* Remembers the file that bind made, and gives it the bits that the umask took away. */
static int finish_file(struct listener *l)
{
    const char *path = l->addr.un.sun_path;
    unsigned mode = l->options.unix_mode ? l->options.unix_mode : UNIX_MODE_DEFAULT;
    struct stat st;
    if (lstat(path, &st) < 0)
        return -errno;
    l->file_dev = st.st_dev;
    l->file_ino = st.st_ino;
    if (S_ISSOCK(st.st_mode) && (st.st_mode & 07777) != mode && chmod(path, mode) < 0)
        return -errno;
    return 0;
}

static int bind_and_listen(struct listener *l)
{
    bool is_unix = l->addr.sa.sa_family == AF_UNIX;
    l->fd = socket(l->addr.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->fd < 0 || set_options(l) < 0 || bind(l->fd, &l->addr.sa, l->addr.len) < 0)
        return -errno;
    int r = is_unix ? finish_file(l) : 0;
    if (r < 0)
        return r;
    fd_stream_prepare(l->fd);
    if (listen(l->fd, SOMAXCONN) < 0)
        return -errno;
    return is_unix ? 0 : addr_of_socket(l->fd, &l->addr);
}

int listener_open(struct loop *loop, const struct addr *addr,
                  const struct listener_options *options, struct listener **ret, struct err *err)
{
    int r = 0;
    if (addr->sa.sa_family == AF_UNIX)
        r = make_way(addr, options->unlink_stale, err);
    if (r < 0)
        return r;

    struct listener *l = new0(struct listener);
    l->loop = loop;
    l->addr = *addr;
    l->options = *options;
    l->paused = options->paused;
    l->burst = 1;
    timer_init(&l->retry, loop, retry, l);
    defer_init(&l->reap, free, l);
    fill_reserve();
    r = bind_and_listen(l);
    if (r < 0) {
        listener_close(l);
        return bind_error_explain(err, r, addr);
    }
    l->watch = watch_new(loop, l->fd, accept_ready, l);
    apply_want(l);
    *ret = l;
    return 0;
}

const struct addr *listener_addr(const struct listener *l)
{
    return &l->addr;
}

void listener_pause(struct listener *l)
{
    l->paused = true;
    apply_want(l);
}

void listener_resume(struct listener *l)
{
    l->paused = false;
    apply_want(l);
}

static void remove_own_file(const struct listener *l)
{
    struct stat st;
    if (l->file_ino && lstat(l->addr.un.sun_path, &st) == 0 && st.st_dev == l->file_dev &&
        st.st_ino == l->file_ino)
        unlink(l->addr.un.sun_path);
}

struct listener *listener_close(struct listener *l)
{
    if (!l || l->closed)
        return NULL;
    l->closed = true;
    timer_cancel(&l->retry);
    l->watch = watch_close(l->watch);
    remove_own_file(l);
    if (l->fd >= 0)
        close(l->fd);
    defer_reap(l->loop, &l->reap);
    return NULL;
}
