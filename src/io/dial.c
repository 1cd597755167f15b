/*
 * Happy Eyeballs (RFC 8305): the addresses with their families taking turns, one attempt after
 * the other, the next when the last has failed or 250 ms after it was started. All attempts that
 * are under way race; the first to connect wins and the others are closed.
 */
#include "io/dial.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/span.h"
#include "io/dns.h"
#include "io/fd_stream.h"
#include "io/loop.h"
#include "io/timer.h"
#include "io/watch.h"

enum { MOST_ATTEMPTS = 16 };
#define NEXT_ATTEMPT_DELAY (250 * USEC_PER_MSEC)
#define BUSY_DELAY         (20 * USEC_PER_MSEC)
#define TIMEOUT_DEFAULT    (10 * USEC_PER_SEC)

struct attempt {
    struct dial *dial;
    struct addr addr;
    int fd; /* -1: not under way */
    struct watch *watch;
};

struct dial {
    struct loop *loop;
    struct dial_options options;
    char *host; /* or the path */
    uint16_t port;
    char *target; /* as asked for: "host:port" or a path; not before it is needed */
    bool is_path;
    struct dns_query *query;
    struct attempt *attempts;
    size_t room; /* for attempts */
    size_t n_attempts;
    size_t n_started;
    size_t n_running;
    int failure; /* the one that says most, of the attempts that failed */
    struct timer timeout;
    struct timer next;
    bool done;
    struct defer reap;
};

static void close_attempt(struct attempt *a)
{
    a->watch = watch_close(a->watch);
    if (a->fd >= 0) {
        close(a->fd);
        a->dial->n_running--;
    }
    a->fd = -1;
}

static void release(void *ud)
{
    struct dial *d = ud;
    free(d->attempts);
    free(d->host);
    free(d->target);
    free(d);
}

static void end(struct dial *d)
{
    d->done = true;
    d->query = dns_cancel(d->query);
    timer_cancel(&d->timeout);
    timer_cancel(&d->next);
    for (size_t i = 0; i < d->n_attempts; i++)
        close_attempt(&d->attempts[i]);
    defer_reap(d->loop, &d->reap);
}

static enum dial_outcome explain(const struct dial *d, int code, struct err *err)
{
    bool is_path = d->is_path;
    switch (code) {
    case -ECONNREFUSED:
        err_set(err, code, "%s: connection refused, nothing listens there", d->target);
        return DIAL_OUTCOME_REFUSED;
    case -ENOENT:
        err_set(err, code, is_path ? "%s: there is no such socket" : "%s: no such name", d->target);
        return is_path ? DIAL_OUTCOME_REFUSED : DIAL_OUTCOME_NO_NAME;
    case -EAGAIN:
        err_set(err, code, "%s: the name cannot be resolved now", d->target);
        return DIAL_OUTCOME_NO_NAME;
    case -ETIMEDOUT:
        err_set(err, code, "%s: no answer in time", d->target);
        return DIAL_OUTCOME_TIMED_OUT;
    case -ENETUNREACH:
    case -EHOSTUNREACH:
    case -ENETDOWN:
    case -EHOSTDOWN:
    case -EADDRNOTAVAIL:
    case -EAFNOSUPPORT:
        err_sys(err, code, "%s cannot be reached", d->target);
        return DIAL_OUTCOME_UNREACHABLE;
    default:
        err_sys(err, code, "cannot connect to %s", d->target);
        return DIAL_OUTCOME_FAILED;
    }
}

static void name_target(struct dial *d)
{
    bool brackets = strchr(d->host, ':') != NULL;
    d->target =
        d->is_path ? xstrdup(d->host) : xasprintf(brackets ? "[%s]:%u" : "%s:%u", d->host, d->port);
}

static void fail(struct dial *d, int code)
{
    struct err err = ERR_INIT;
    name_target(d);
    enum dial_outcome outcome = explain(d, code, &err);
    end(d);
    d->options.done(outcome, NULL, &err, d->options.ud);
}

static void succeed(struct dial *d, struct attempt *a)
{
    int fd = steal_fd(&a->fd);
    d->n_running--;
    end(d);
    struct stream *s =
        addr_is_loopback(&a->addr) ? fd_stream_new_near(d->loop, fd) : fd_stream_new(d->loop, fd);
    d->options.done(DIAL_OUTCOME_OK, s, NULL, d->options.ud);
}

/* Of several failures the person is told the one that says most about the target. */
static int weight(int code)
{
    switch (code) {
    case 0:
        return 0;
    case -EAFNOSUPPORT:
    case -EADDRNOTAVAIL:
        return 1;
    case -ENETUNREACH:
    case -EHOSTUNREACH:
        return 2;
    case -ETIMEDOUT:
        return 3;
    case -ECONNREFUSED:
        return 5;
    default:
        return 4;
    }
}

static void start_next(struct dial *d);

static void attempt_failed(struct attempt *a, int code)
{
    struct dial *d = a->dial;
    close_attempt(a);
    if (weight(code) > weight(d->failure))
        d->failure = code;
    if (d->n_started < d->n_attempts)
        start_next(d);
    else if (d->n_running == 0)
        fail(d, d->failure);
}

/*
 * TCP allows a socket to connect to itself, when its own port was chosen to be the target's:
 * nothing listens there then.
 */
static bool is_connected_to_itself(const struct attempt *a)
{
    struct addr own;
    return a->addr.sa.sa_family != AF_UNIX && addr_is_loopback(&a->addr) &&
           addr_of_socket(a->fd, &own) == 0 && addr_equal(&own, &a->addr);
}

static void attempt_connected(struct attempt *a)
{
    if (is_connected_to_itself(a))
        attempt_failed(a, -ECONNREFUSED);
    else
        succeed(a->dial, a);
}

static void attempt_ready(unsigned events, void *ud)
{
    struct attempt *a = ud;
    int error = 0;
    socklen_t len = sizeof(error);
    if (getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        error = errno;
    if (error)
        attempt_failed(a, -error);
    else
        attempt_connected(a);
}

/*
 * 0, or the error; EINPROGRESS: not known yet. To this machine itself the handshake is mostly over
 * when connect(2) returns, well or not: a second call tells.
 */
static int start_connect(const struct attempt *a)
{
    if (connect(a->fd, &a->addr.sa, a->addr.len) == 0)
        return 0;
    if (errno != EINPROGRESS || !addr_is_loopback(&a->addr))
        return errno;
    if (connect(a->fd, &a->addr.sa, a->addr.len) == 0)
        return 0;
    return errno == EALREADY ? EINPROGRESS : errno;
}

static void start_next(struct dial *d)
{
    struct attempt *a = &d->attempts[d->n_started++];
    timer_cancel(&d->next);
    a->fd = socket(a->addr.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (a->fd < 0) {
        attempt_failed(a, -errno);
        return;
    }
    d->n_running++;
    int error = start_connect(a);
    if (error == 0) {
        attempt_connected(a);
    } else if (error == EINPROGRESS) {
        a->watch = watch_new(d->loop, a->fd, attempt_ready, a);
        watch_want(a->watch, WATCH_WRITE);
        if (d->n_started < d->n_attempts)
            timer_start(&d->next, NEXT_ATTEMPT_DELAY);
    } else if (error == EAGAIN && a->addr.sa.sa_family == AF_UNIX) {
        /* The listener's queue is full: that is no event to wait for, so ask again soon. */
        close_attempt(a);
        d->n_started--;
        timer_start(&d->next, BUSY_DELAY);
    } else {
        attempt_failed(a, -error);
    }
}

static void next_is_due(struct timer *t, void *ud)
{
    start_next(ud);
}

static void timed_out(struct timer *t, void *ud)
{
    struct dial *d = ud;
    fail(d, d->n_attempts == 0 ? -EAGAIN : -ETIMEDOUT);
}

static void make_room(struct dial *d, size_t n)
{
    d->room = n < MOST_ATTEMPTS ? n : MOST_ATTEMPTS;
    d->attempts = xcalloc(d->room, sizeof(*d->attempts));
}

static void add_attempt(struct dial *d, const struct addr *addr)
{
    if (d->n_attempts < d->room)
        d->attempts[d->n_attempts++] = (struct attempt){.dial = d, .addr = *addr, .fd = -1};
}

/* RFC 8305 section 4: the families take turns, the resolver's first choice leads. */
static void add_interleaved(struct dial *d, const struct addr *addrs, size_t n)
{
    size_t i = 0, j = 0;
    while (i < n || j < n) {
        while (i < n && addrs[i].sa.sa_family != addrs[0].sa.sa_family)
            i++;
        while (j < n && addrs[j].sa.sa_family == addrs[0].sa.sa_family)
            j++;
        if (i < n)
            add_attempt(d, &addrs[i++]);
        if (j < n)
            add_attempt(d, &addrs[j++]);
    }
}

static void resolved(int result, const struct addr *addrs, size_t n_addrs, void *ud)
{
    struct dial *d = ud;
    struct addr v6;
    d->query = NULL;
    if (result < 0) {
        fail(d, result);
        return;
    }
    make_room(d, n_addrs + 1);
    add_interleaved(d, addrs, n_addrs);
    /* A server that was told to listen on "localhost" may be on ::1 only. */
    if (n_addrs == 1 && addrs[0].sa.sa_family == AF_INET &&
        addrs[0].in.sin_addr.s_addr == htonl(INADDR_LOOPBACK) &&
        addr_from_ip("::1", addr_port(&addrs[0]), &v6) == 0)
        add_attempt(d, &v6);
    start_next(d);
}

static struct dial *dial_new(struct loop *loop, const struct dial_options *options,
                             const char *host, uint16_t port)
{
    struct dial *d = new0(struct dial);
    d->loop = loop;
    d->options = *options;
    d->host = xstrdup(host);
    d->port = port;
    timer_init(&d->timeout, loop, timed_out, d);
    timer_init(&d->next, loop, next_is_due, d);
    defer_init(&d->reap, release, d);
    timer_start(&d->timeout, options->timeout ? options->timeout : TIMEOUT_DEFAULT);
    return d;
}

struct dial *dial_tcp(struct loop *loop, const char *host, uint16_t port,
                      const struct dial_options *options)
{
    struct dial *d = dial_new(loop, options, host, port);
    d->query = dns_resolve(loop, host, port, resolved, d);
    return d;
}

struct dial *dial_unix(struct loop *loop, const char *path, const struct dial_options *options)
{
    struct dial *d = dial_new(loop, options, path, 0);
    struct addr addr;
    int r = addr_from_path(path, &addr);
    d->is_path = true;
    if (r < 0) {
        /* Told later, as everything is: by an attempt that fails. */
        addr = (struct addr){.len = sizeof(addr.sa), .sa.sa_family = AF_UNSPEC};
        d->failure = r;
    }
    make_room(d, 1);
    add_attempt(d, &addr);
    timer_start(&d->next, 0);
    return d;
}

struct dial *dial_cancel(struct dial *d)
{
    if (d && !d->done)
        end(d);
    return NULL;
}
