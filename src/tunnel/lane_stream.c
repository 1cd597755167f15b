/*
 * What a side says first on a lane is one number of eight bytes: how many bytes it has sent on the
 * channel in its direction. The receiver reads the channel that far and then the lane. A direction
 * that has ended on the channel says NOTHING_FOLLOWS instead and stays there.
 *
 * Each direction is in one of two places, by itself: `sends_on_lane` for ours; for the other's,
 * `receives_on_lane` once the channel has been read up to `continues_at`.
 *
 * The channel is never ended in order by a side that has moved, so END_STREAM on it is always a
 * real end. When the stream is freed the channel below is reset. When all was done, that is an
 * ordinary reset (CANCEL), which may overtake what is on the lane: a side that has moved does not
 * heed it, and one that does not know yet whether the other has moved waits for the answer on the
 * lane. When the lane broke it is CONNECT_ERROR, which ends both sides at once, though the other
 * one's connection may look alive.
 */
#include "tunnel/lane_stream.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "http/h2.h"
#include "io/loop.h"
#include "io/tls.h"
#include "tunnel/channel_request.h"

enum { NUMBER_LEN = 8 };

#define NOTHING_FOLLOWS UINT64_MAX

static const usec_t busy_epoch = LANE_BUSY_SEC * USEC_PER_SEC;

struct lane_stream {
    struct stream s;
    struct list link; /* in its session's */
    struct stream *channel;
    struct stream *lane; /* NULL: none, or none any more */
    struct lane_stream_watch watch;
    uint64_t sent, received; /* on the channel */
    bool first;
    bool leaves_tls;
    bool sends_on_lane;
    bool receives_on_lane;
    bool knows;            /* `continues_at` */
    bool held;             /* the channel failed, and the lane has not said yet what that means */
    bool shut;             /* by the owner */
    bool lane_ended;       /* by the other side */
    bool channel_ended;    /* likewise */
    uint64_t continues_at; /* of what the other side sends */
    unsigned char number[NUMBER_LEN]; /* its text, as it comes */
    size_t number_len;
    int error;          /* of the whole stream, once it has moved */
    uint64_t recent[2]; /* bytes either way since recent_since */
    usec_t recent_since;
    struct defer kick;
};

static const struct stream_ops lane_ops;

static struct lane_stream *of(const struct stream *s)
{
    return (struct lane_stream *)s;
}

static bool all_out(const struct lane_stream *l)
{
    if (!l->sends_on_lane)
        return !stream_unsent(l->channel);
    return h2_unsent(l->channel) == 0 && !stream_unsent(l->lane);
}

/* ---- wanting ---- */

static void apply_wants(struct lane_stream *l)
{
    unsigned channel = 0, lane = 0, wanted = l->s.wanted;
    if (l->error) {
        if (wanted)
            defer_schedule(l->s.loop, &l->kick);
    } else {
        if (wanted & STREAM_READ) {
            if (l->receives_on_lane)
                lane |= STREAM_READ;
            else if (!l->held)
                channel |= STREAM_READ;
        }
        if (l->lane && !l->knows)
            lane |= STREAM_READ;
        if (wanted & STREAM_WRITE) {
            bool channel_out = !l->sends_on_lane || (l->shut && h2_unsent(l->channel) > 0);
            if (channel_out)
                channel |= STREAM_WRITE;
            else
                lane |= STREAM_WRITE;
        }
    }
    stream_want(l->channel, channel);
    if (l->lane)
        stream_want(l->lane, lane);
}

static void tell(struct lane_stream *l, unsigned events)
{
    if (stream_report(&l->s, events))
        apply_wants(l);
}

static void kicked(void *ud)
{
    tell(ud, STREAM_READ | STREAM_WRITE);
}

/* Everything stops: the owner is told by recv and send. */
static void fail(struct lane_stream *l, int error)
{
    if (l->error)
        return;
    l->error = error;
    l->lane = stream_free(l->lane);
    h2_cut_channel(l->channel);
    h2_fail_channel(l->channel, error);
    apply_wants(l);
}

/* ---- moving ---- */

static int say_number(struct lane_stream *l, uint64_t number)
{
    unsigned char text[NUMBER_LEN];
    for (int i = 0; i < NUMBER_LEN; i++)
        text[i] = (unsigned char)(number >> (8 * (NUMBER_LEN - 1 - i)));
    /* The lane is fresh: if it does not take this, it will not do. */
    ssize_t n = stream_send_bytes(l->lane, text, sizeof(text));
    return n == sizeof(text) ? 0 : n < 0 && n != -EAGAIN ? (int)n : -ECONNRESET;
}

/* Our direction goes to the lane. 0, or the failure (then nothing has moved). */
static int move_sending(struct lane_stream *l)
{
    int r = say_number(l, l->shut ? NOTHING_FOLLOWS : l->sent);
    if (r < 0)
        return r;
    if (l->leaves_tls)
        tls_leave_sending(l->lane);
    if (l->shut) {
        stream_shutdown(l->lane);
    } else {
        l->sends_on_lane = true;
        h2_report_when_sent(l->channel);
    }
    return 0;
}

static bool has_moved(const struct lane_stream *l)
{
    return l->sends_on_lane || l->knows || (l->first && l->lane);
}

static void lose_lane(struct lane_stream *l, int error)
{
    if (has_moved(l)) {
        fail(l, error);
        return;
    }
    l->lane = stream_free(l->lane);
    l->held = false;
    l->number_len = 0;
    apply_wants(l);
    if (l->watch.lost)
        l->watch.lost(&l->s, l->watch.ud);
}

static void move_receiving_if_read(struct lane_stream *l)
{
    if (l->knows && !l->receives_on_lane && l->received == l->continues_at)
        l->receives_on_lane = true;
}

/* The number of the other side is whole. */
static void other_has_moved(struct lane_stream *l)
{
    l->knows = true;
    for (int i = 0; i < NUMBER_LEN; i++)
        l->continues_at = l->continues_at << 8 | l->number[i];
    int r = l->first ? 0 : move_sending(l);
    if (r == 0 && l->continues_at < l->received)
        r = -EPROTO;
    if (r == 0 && l->held && l->continues_at != l->received)
        r = -ECONNRESET;
    if (r < 0) {
        fail(l, r);
        return;
    }
    move_receiving_if_read(l);
    if (l->watch.moved)
        l->watch.moved(&l->s, l->watch.ud);
}

/* False when the stream has been told of, or the number is not whole yet. */
static bool read_number(struct lane_stream *l)
{
    while (l->number_len < NUMBER_LEN) {
        ssize_t n = stream_recv(l->lane, l->number + l->number_len, NUMBER_LEN - l->number_len);
        if (n == -EAGAIN)
            return false;
        if (n <= 0) {
            lose_lane(l, n < 0 ? (int)n : -ECONNRESET);
            return false;
        }
        l->number_len += (size_t)n;
    }
    if (l->leaves_tls)
        tls_leave_receiving(l->lane);
    other_has_moved(l);
    return true;
}

/* ---- what is reported from below ---- */

static void lane_ready(struct stream *lane, unsigned events, void *ud)
{
    struct lane_stream *l = ud;
    unsigned report = 0;
    if (!l->knows && (events & STREAM_READ)) {
        if (read_number(l) && !l->error)
            tell(l, STREAM_READ | STREAM_WRITE);
        return;
    }
    if ((events & STREAM_READ) && l->receives_on_lane)
        report |= STREAM_READ;
    if ((events & STREAM_WRITE) && l->sends_on_lane && (!l->shut || all_out(l)))
        report |= STREAM_WRITE;
    tell(l, report);
}

static void channel_ready(struct stream *channel, unsigned events, void *ud)
{
    struct lane_stream *l = ud;
    unsigned report = 0;
    if ((events & STREAM_READ) && !l->receives_on_lane)
        report |= STREAM_READ;
    if ((events & STREAM_WRITE) && (!l->sends_on_lane || (l->shut && all_out(l))))
        report |= STREAM_WRITE;
    tell(l, report);
}

/* A lane ends with the session of its channel, or when the other side says that it broke. */
static void channel_failed(struct stream *channel, int error, void *ud)
{
    struct lane_stream *l = ud;
    if (l->lane && (!h2_of_channel(channel) || h2_channel_was_cut(channel)))
        lose_lane(l, error);
}

/* ---- counting ---- */

enum { WAY_IN, WAY_OUT };

static void count(struct lane_stream *l, int way, size_t len)
{
    usec_t now = loop_now(l->s.loop);
    l->recent[way] += len;
    if (now - l->recent_since > busy_epoch) {
        l->recent[WAY_IN] = l->recent[WAY_OUT] = 0;
        l->recent_since = now;
    } else if (l->recent[way] >= LANE_BUSY_BYTES) {
        l->recent[way] = 0;
        if (!l->lane && l->watch.busy)
            l->watch.busy(&l->s, l->watch.ud);
    }
}

/* ---- the stream ---- */

static void received_on_channel(struct lane_stream *l, size_t len)
{
    l->received += len;
    count(l, WAY_IN, len);
    move_receiving_if_read(l);
}

/* How much may be read of the channel; 0: it is the lane's turn. */
static size_t channel_share(const struct lane_stream *l, size_t len)
{
    uint64_t left = l->knows ? l->continues_at - l->received : UINT64_MAX;
    return left < len ? (size_t)left : len;
}

/* What the channel said in place of bytes. */
static ssize_t channel_says(struct lane_stream *l, ssize_t n)
{
    l->channel_ended |= n == 0;
    if (n == 0 && l->knows && l->continues_at != NOTHING_FOLLOWS) {
        fail(l, -EPROTO);
        return l->error;
    }
    if (n < 0 && n != -EAGAIN && l->lane && !l->knows && h2_of_channel(l->channel)) {
        l->held = true;
        apply_wants(l);
        return -EAGAIN;
    }
    return n;
}

static ssize_t lane_says(struct lane_stream *l, ssize_t n)
{
    l->lane_ended |= n == 0;
    if (n < 0 && n != -EAGAIN)
        fail(l, (int)n);
    return n;
}

static ssize_t lane_recv(struct stream *s, void *data, size_t len)
{
    struct lane_stream *l = of(s);
    if (l->error)
        return l->error;
    if (l->receives_on_lane)
        return lane_says(l, stream_recv(l->lane, data, len));
    if (l->held)
        return -EAGAIN;
    ssize_t n = stream_recv(l->channel, data, channel_share(l, len));
    if (n <= 0)
        return channel_says(l, n);
    received_on_channel(l, (size_t)n);
    return n;
}

static ssize_t lane_peek(struct stream *s, const void **ret_data)
{
    struct lane_stream *l = of(s);
    if (l->error)
        return l->error;
    if (l->receives_on_lane)
        return stream_peek(l->lane, ret_data);
    if (l->held)
        return -EAGAIN;
    ssize_t n = stream_peek(l->channel, ret_data);
    return n <= 0 ? channel_says(l, n) : (ssize_t)channel_share(l, (size_t)n);
}

static void lane_consume(struct stream *s, size_t len)
{
    struct lane_stream *l = of(s);
    if (l->receives_on_lane) {
        stream_consume(l->lane, len);
        return;
    }
    stream_consume(l->channel, len);
    received_on_channel(l, len);
}

static ssize_t lane_send(struct stream *s, const struct iovec *iov, int n_iov)
{
    struct lane_stream *l = of(s);
    if (l->error)
        return l->error;
    if (l->shut)
        return -EPIPE;
    if (l->sends_on_lane) {
        ssize_t taken = stream_send(l->lane, iov, n_iov);
        return taken < 0 ? lane_says(l, taken) : taken;
    }
    ssize_t n = stream_send(l->channel, iov, n_iov);
    if (n > 0) {
        l->sent += (uint64_t)n;
        count(l, WAY_OUT, (size_t)n);
    }
    return n;
}

static int lane_shutdown(struct stream *s)
{
    struct lane_stream *l = of(s);
    if (l->error)
        return l->error;
    if (l->shut)
        return 0;
    int r = stream_shutdown(l->sends_on_lane ? l->lane : l->channel);
    if (r == 0)
        l->shut = true;
    return r;
}

static bool lane_unsent(const struct stream *s)
{
    const struct lane_stream *l = of(s);
    return !l->error && !all_out(l);
}

static void lane_want(struct stream *s, unsigned events)
{
    apply_wants(of(s));
}

/* Both directions have ended in order, wherever they were. */
static bool all_done(const struct lane_stream *l)
{
    return l->shut && (l->receives_on_lane ? l->lane_ended : l->channel_ended);
}

static void lane_free(struct stream *s)
{
    struct lane_stream *l = of(s);
    if (l->watch.freed)
        l->watch.freed(s, l->watch.ud);
    defer_cancel(&l->kick);
    list_remove(&l->link);
    /* Without TLS the ends pass by unseen (lane_bare_fd), and a cut tells itself. */
    if (has_moved(l) && !all_done(l) && !l->leaves_tls)
        h2_cut_channel(l->channel);
    l->lane = stream_free(l->lane);
    l->channel = stream_free(l->channel);
    stream_reap(s, NULL);
}

static int lane_bare_fd(const struct stream *s, unsigned direction)
{
    const struct lane_stream *l = of(s);
    bool on_lane = direction == STREAM_READ ? l->receives_on_lane : l->sends_on_lane && !l->shut;
    return on_lane && !l->error ? stream_bare_fd(l->lane, direction) : -1;
}

static const struct stream_ops lane_ops = {
    .name = "lane",
    .recv = lane_recv,
    .send = lane_send,
    .shutdown = lane_shutdown,
    .want = lane_want,
    .free = lane_free,
    .peek = lane_peek,
    .consume = lane_consume,
    .unsent = lane_unsent,
    .bare_fd = lane_bare_fd,
};

struct stream *lane_stream_new(struct stream *channel)
{
    struct tunnel_session *session = tunnel_session_of(channel);
    struct lane_stream *l = new0(struct lane_stream);
    list_init(&l->link);
    if (session)
        list_append(&session->lanes, &l->link);
    stream_init(&l->s, &lane_ops, channel->loop);
    l->channel = channel;
    l->recent_since = loop_now(channel->loop);
    defer_init(&l->kick, kicked, l);
    stream_set_ready(channel, channel_ready, l);
    h2_on_failure(channel, channel_failed, l);
    return &l->s;
}

struct stream *lane_stream_wrap(struct stream *channel)
{
    const struct tunnel_session *session = tunnel_session_of(channel);
    return session && session->may_lane ? lane_stream_new(channel) : channel;
}

struct stream *lane_stream_find(struct tunnel_session *session, uint32_t id)
{
    struct lane_stream *l;
    list_for_each (l, &session->lanes, link)
        if (h2_channel_id(l->channel) == id)
            return &l->s;
    return NULL;
}

void lane_stream_watch(struct stream *s, const struct lane_stream_watch *watch)
{
    of(s)->watch = *watch;
}

struct stream *lane_stream_channel(const struct stream *s)
{
    return of(s)->channel;
}

bool lane_stream_has_lane(const struct stream *s)
{
    return of(s)->lane != NULL;
}

void lane_stream_leave_tls(struct stream *s)
{
    of(s)->leaves_tls = true;
}

void lane_stream_drop(struct stream *s)
{
    struct lane_stream *l = of(s);
    if (l->lane)
        lose_lane(l, -ETIMEDOUT);
}

void lane_stream_attach(struct stream *s, struct stream *lane, bool first)
{
    struct lane_stream *l = of(s);
    l->lane = lane;
    l->first = first;
    if (l->leaves_tls)
        tls_read_exactly(lane);
    stream_set_ready(lane, lane_ready, l);
    if (first && move_sending(l) < 0) {
        l->first = false;
        lose_lane(l, -ECONNRESET);
        return;
    }
    apply_wants(l);
}
