/*
 * Two directions, each a pump: take what the source has now and hand it to the sink. A source that
 * holds its bytes lends them (stream_peek); from others they are read into the loop's scratch
 * buffer, and only what the sink does not take is kept, in a buffer of the direction's own. While
 * a direction is blocked its source is not asked, so that back-pressure reaches the sender. Where
 * both show their bare descriptors and one is a pipe, nothing of this is needed: splice(2). Between
 * two sockets it takes a pipe of the loop's (splice.h), where that is wanted.
 *
 * The idle timer is not restarted for every byte: when it fires it looks at the time of the last.
 */
#include "io/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/mem.h"
#include "io/fd_stream.h"
#include "io/loop.h"
#include "io/splice.h"
#include "io/stream.h"
#include "io/timer.h"

/* Most bytes that one direction moves before others on the loop get their turn. */
enum { BYTES_PER_TURN = 1024 * 1024 };

struct direction {
    struct stream *from;
    struct stream *to;
    struct buf held;          /* read, but not taken by `to` */
    struct splice_pipe *pipe; /* instead of `held`; NULL while nothing moves */
    bool through_pipe;
    uint64_t bytes;
    bool blocked;  /* waiting for `to` */
    bool from_end; /* the source has ended */
    bool ended;    /* and so has the sink */
    bool drained;  /* splice(2) moved all that was there, or fits: what comes is told by an event */
    bool copies;   /* splice(2) does not go between these two */
};

struct relay {
    struct loop *loop;
    struct direction ab, ba;
    struct relay_options options;
    struct timer idle;
    usec_t last_active;
    bool done;           /* the streams are gone */
    int failure;         /* that was met before there was anybody to tell */
    struct defer failed; /* tells it */
    struct defer reap;
};

/* Bytes taken (perhaps not all), or the failure. Sets `blocked`. */
static ssize_t offer(struct direction *d, const unsigned char *data, size_t len)
{
    size_t off = 0;
    while (off < len) {
        ssize_t n = stream_send_bytes(d->to, data + off, len - off);
        if (n == -EAGAIN) {
            d->blocked = true;
            break;
        }
        if (n < 0)
            return n;
        off += (size_t)n;
    }
    d->bytes += off;
    return (ssize_t)off;
}

/* The pumps return the bytes moved, 0 at the end of the source, -EAGAIN, or the failure. */

static ssize_t pump_held(struct direction *d)
{
    ssize_t n = offer(d, buf_data(&d->held), d->held.len);
    if (n < 0)
        return n;
    buf_consume(&d->held, (size_t)n);
    if (d->held.len == 0)
        buf_deinit(&d->held);
    return n > 0 ? n : -EAGAIN;
}

static ssize_t pump_scratch(struct direction *d, unsigned char *scratch)
{
    ssize_t got = stream_recv(d->from, scratch, LOOP_SCRATCH_LEN);
    if (got <= 0)
        return got;
    ssize_t n = offer(d, scratch, (size_t)got);
    if (n >= 0 && n < got && buf_append(&d->held, scratch + n, (size_t)(got - n)) < 0)
        return -ENOMEM;
    return n < 0 ? n : got;
}

/* Whether the kernel can move the bytes by itself, which it does where one of both is a pipe. */
static bool can_splice(const struct direction *d, int *ret_in, int *ret_out)
{
    if (d->copies)
        return false;
    *ret_in = stream_bare_fd(d->from, STREAM_READ);
    *ret_out = *ret_in < 0 ? -1 : stream_bare_fd(d->to, STREAM_WRITE);
    return *ret_out >= 0;
}

static ssize_t splice_once(int in, int out)
{
    ssize_t n;
    do {
        n = splice(in, NULL, out, NULL, BYTES_PER_TURN, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static ssize_t pump_spliced(struct direction *d, int in, int out)
{
    struct pollfd ends[] = {{.fd = in, .events = POLLIN}, {.fd = out, .events = POLLOUT}};
    ssize_t n = splice_once(in, out);
    if (n == -EAGAIN && poll(ends, ARRAY_LEN(ends), 0) > 0 && ends[0].revents) {
        /* It does not tell which of the two was not ready. Both may be by now. */
        n = ends[1].revents ? splice_once(in, out) : -EAGAIN;
        d->blocked = n == -EAGAIN;
    }
    if (n > 0)
        d->bytes += (uint64_t)n;
    d->drained = n > 0 && n < BYTES_PER_TURN;
    if (n == -EINVAL)
        d->copies = true;
    return n;
}

/* As offer(), of what is in the pipe. */
static ssize_t empty_pipe(struct direction *d)
{
    size_t off = 0;
    while (splice_pipe_held(d->pipe) > 0) {
        ssize_t n = splice_send(d->pipe, d->to);
        if (n == -EAGAIN) {
            d->blocked = true;
            break;
        }
        if (n < 0)
            return n;
        off += (size_t)n;
    }
    d->bytes += off;
    return off > 0 ? (ssize_t)off : -EAGAIN;
}

/* False: it cannot, now or ever, and has taken nothing. */
static bool pump_through_pipe(struct relay *r, struct direction *d, ssize_t *ret)
{
    if (!d->pipe)
        d->pipe = splice_pipe_take(r->loop);
    if (!d->pipe)
        return false;
    ssize_t n = splice_pipe_held(d->pipe) > 0 ? 1 : splice_receive(d->pipe, d->from);
    if (n == -EINVAL) {
        d->through_pipe = false;
        return false;
    }
    *ret = n > 0 ? empty_pipe(d) : n;
    return true;
}

/* Bytes in a pipe are seen by nobody but the direction that has it, so it waits for the sink. */
static void give_pipe_back(struct relay *r, struct direction *d)
{
    if (!d->pipe)
        return;
    if (splice_pipe_held(d->pipe) > 0)
        d->blocked = true;
    else
        d->pipe = splice_pipe_give(r->loop, d->pipe);
}

static ssize_t pump_once(struct relay *r, struct direction *d)
{
    const void *lent;
    ssize_t moved;
    int in, out;
    if (d->held.len > 0)
        return pump_held(d);
    if (d->through_pipe && pump_through_pipe(r, d, &moved))
        return moved;
    if (can_splice(d, &in, &out)) {
        ssize_t n = pump_spliced(d, in, out);
        if (n != -EINVAL)
            return n;
    }
    ssize_t got = stream_peek(d->from, &lent);
    if (got == -ENOTSUP)
        return pump_scratch(d, loop_scratch(r->loop));
    if (got <= 0)
        return got;
    ssize_t n = offer(d, lent, (size_t)got);
    if (n > 0)
        stream_consume(d->from, (size_t)n);
    return n != 0 ? n : -EAGAIN;
}

/* A socket and nothing above it. */
static bool is_socket(const struct stream *s)
{
    return !s->next && stream_fd(s) >= 0;
}

/*
 * A socket whose own end has been read is closed at once behind this, which tells the other side
 * the same (FIN): one system call instead of two.
 */
static int end_sink(const struct relay *r, const struct direction *d)
{
    const struct direction *other = d == &r->ab ? &r->ba : &r->ab;
    return other->ended && is_socket(d->to) ? 0 : stream_shutdown(d->to);
}

static int pump_all(struct relay *r, struct direction *d)
{
    size_t moved = 0;
    d->blocked = d->drained = false;
    while (!d->from_end && !d->blocked && !d->drained && moved < BYTES_PER_TURN) {
        ssize_t n = pump_once(r, d);
        if (n == -EAGAIN)
            break;
        if (n < 0)
            return (int)n;
        if (n > 0) {
            moved += (size_t)n;
            r->last_active = loop_now(r->loop);
            continue;
        }
        d->from_end = true;
        int result = end_sink(r, d);
        if (result < 0)
            return result;
    }
    d->ended = d->from_end && !stream_unsent(d->to);
    return 0;
}

/* 0, or the failure that ends the relay. */
static int pump(struct relay *r, struct direction *d)
{
    int result = pump_all(r, d);
    give_pipe_back(r, d);
    return result;
}

static unsigned wants(const struct direction *in, const struct direction *out)
{
    bool read = !in->from_end && !in->blocked;
    bool write = out->blocked || (out->from_end && !out->ended);
    return (read ? STREAM_READ : 0) | (write ? STREAM_WRITE : 0);
}

static usec_t limit_now(const struct relay *r)
{
    bool half_closed = r->ab.from_end || r->ba.from_end;
    usec_t limit = r->options.idle_limit;
    usec_t half = half_closed ? r->options.half_closed_limit : 0;
    return half && (!limit || half < limit) ? half : limit;
}

/* Starts the timer when the limit that holds now would pass unseen. */
static void apply_limit(struct relay *r)
{
    usec_t limit = limit_now(r);
    if (!limit || (timer_pending(&r->idle) && r->idle.at <= r->last_active + limit))
        return;
    timer_start(&r->idle, r->last_active + limit - loop_now(r->loop));
}

static void end_streams(struct relay *r)
{
    r->done = true;
    timer_cancel(&r->idle);
    defer_cancel(&r->failed);
    r->ab.from = stream_free(r->ab.from);
    r->ba.from = stream_free(r->ba.from);
    buf_deinit(&r->ab.held);
    buf_deinit(&r->ba.held);
    r->ab.pipe = splice_pipe_give(r->loop, r->ab.pipe);
    r->ba.pipe = splice_pipe_give(r->loop, r->ba.pipe);
    defer_reap(r->loop, &r->reap);
}

static void end_with_reset(const struct stream *s)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    if (is_socket(s))
        setsockopt(stream_fd(s), SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

static void finish(struct relay *r, int result)
{
    if (result < 0 && r->options.failure_resets) {
        end_with_reset(r->ab.from);
        end_with_reset(r->ba.from);
    }
    end_streams(r);
    r->options.done(r, result, r->options.ud);
}

static void idle_fired(struct timer *t, void *ud)
{
    struct relay *r = ud;
    if (loop_now(r->loop) - r->last_active >= limit_now(r))
        finish(r, -ETIMEDOUT);
    else
        apply_limit(r);
}

static void stream_became_ready(struct stream *s, unsigned events, void *ud)
{
    struct relay *r = ud;
    struct direction *in = s == r->ab.from ? &r->ab : &r->ba;
    struct direction *out = in == &r->ab ? &r->ba : &r->ab;
    int result = 0;
    if (events & STREAM_READ)
        result = pump(r, in);
    if (result == 0 && (events & STREAM_WRITE))
        result = pump(r, out);
    bool all = r->options.b_ends_all && r->ba.ended;
    if (result < 0 || all || (in->ended && out->ended)) {
        finish(r, result);
        return;
    }
    stream_want(r->ab.from, wants(&r->ab, &r->ba));
    stream_want(r->ba.from, wants(&r->ba, &r->ab));
    apply_limit(r);
}

static void tell_failure(void *ud)
{
    struct relay *r = ud;
    finish(r, r->failure);
}

/* What `a` has goes out in the turn in which `b` was made: with its opening, for an HTTP/2 stream.
 */
static void start_eagerly(struct relay *r)
{
    r->failure = pump(r, &r->ab);
    if (r->failure < 0)
        defer_schedule(r->loop, &r->failed);
}

struct relay *relay_new(struct stream *a, struct stream *b, const struct relay_options *options)
{
    struct relay *r = new0(struct relay);
    r->loop = a->loop;
    r->options = *options;
    r->last_active = loop_now(r->loop);
    r->ab = (struct direction){.from = a, .to = b};
    r->ba = (struct direction){.from = b, .to = a};
    r->ab.through_pipe = r->ba.through_pipe = options->splice && splice_possible(a, b);
    buf_init(&r->ab.held, LOOP_SCRATCH_LEN);
    buf_init(&r->ba.held, LOOP_SCRATCH_LEN);
    timer_init(&r->idle, r->loop, idle_fired, r);
    defer_init(&r->reap, free, r);
    defer_init(&r->failed, tell_failure, r);
    stream_set_ready(a, stream_became_ready, r);
    stream_set_ready(b, stream_became_ready, r);
    if (options->eager)
        start_eagerly(r);
    stream_want(a, r->failure ? 0 : wants(&r->ab, &r->ba));
    stream_want(b, r->failure ? 0 : wants(&r->ba, &r->ab));
    apply_limit(r);
    return r;
}

uint64_t relay_bytes_a_to_b(const struct relay *r)
{
    return r->ab.bytes;
}

uint64_t relay_bytes_b_to_a(const struct relay *r)
{
    return r->ba.bytes;
}

struct relay *relay_free(struct relay *r)
{
    if (r && !r->done)
        end_streams(r);
    return NULL;
}
