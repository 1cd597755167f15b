/*
 * Receiving: `in` holds raw bytes. The payload of the current data frame at its head is unmasked
 * where it lies (the first `clear` bytes are) and lent out by peek; when `in` is empty and the
 * caller has room, payload goes straight into the caller's memory. Control frames are short and
 * are collected whole.
 *
 * Sending: a frame whose head has left must follow whole, so what the stream below does not take
 * is kept in `out` (one frame at most, and answers to control frames behind it), and nothing more
 * is taken until it is empty.
 */
#include "http/ws_stream.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/rand.h"
#include "http/ws_frame.h"
#include "io/loop.h"
#include "io/stream.h"

enum {
    MESSAGE_MAX = 64 * 1024, /* payload of a frame that is sent */
    READ_LEN = 16 * 1024,
    /* From this many bytes on, reading into the caller's memory beats reading ahead. */
    DIRECT_LEN = 8 * 1024,
    CONTROL_ROOM = 1024, /* answers to pings, and Close, behind a frame */
    MAX_VECTORS = 16,
    HEADS_PER_CALL = 1000, /* frames without payload that are read before others get a turn */
};

struct ws_stream {
    struct stream s;
    enum ws_role role;

    struct buf in;
    struct ws_frame frame; /* the current data frame */
    uint64_t left;         /* bytes of its payload not yet given out */
    uint64_t unmasked;     /* bytes of its payload that have been unmasked */
    size_t clear;          /* bytes at the head of `in` that are unmasked payload */
    bool in_message;       /* a message's last fragment has not come yet */
    bool starved;          /* the stream below had nothing */
    bool below_ended;
    int recv_end; /* 1: there is more; 0: Close was received; negative: failed */
    uint16_t close_status;

    struct buf out;
    bool close_sent;
    bool below_shut;
    int send_error;
    struct defer report;
};

static struct ws_stream *impl(struct stream *s)
{
    return (struct ws_stream *)s;
}

/* Sends what is kept. 0: all is out; -EAGAIN; or the failure. */
static int flush(struct ws_stream *w)
{
    while (w->out.len > 0 && !w->send_error) {
        ssize_t n = stream_send_bytes(w->s.next, buf_data(&w->out), w->out.len);
        if (n == -EAGAIN)
            return -EAGAIN;
        if (n < 0)
            w->send_error = (int)n;
        else
            buf_consume(&w->out, (size_t)n);
    }
    /* Both Closes are through: nobody has anything to say any more (section 7.1.1). */
    if (!w->send_error && w->close_sent && w->recv_end <= 0 && !w->below_shut) {
        w->below_shut = true;
        stream_shutdown(w->s.next);
    }
    return w->send_error;
}

static bool may_read(const struct ws_stream *w)
{
    return w->recv_end <= 0 || w->clear > 0 || w->below_ended || !w->starved;
}

/* Nothing more will be sent, and all that was has left. */
static bool sending_is_over(const struct ws_stream *w)
{
    return w->send_error || (w->close_sent && w->out.len == 0 && !stream_unsent(w->s.next));
}

static void apply_wants(struct ws_stream *w)
{
    unsigned want = 0;
    if (w->out.len > 0 && !w->send_error)
        want |= STREAM_WRITE;
    if (w->s.wanted & STREAM_WRITE) {
        if (sending_is_over(w))
            defer_schedule(w->s.loop, &w->report);
        else
            want |= STREAM_WRITE;
    }
    if (w->s.wanted & STREAM_READ) {
        if (may_read(w))
            defer_schedule(w->s.loop, &w->report);
        else
            want |= STREAM_READ;
    }
    if (want != w->s.next->wanted)
        stream_want(w->s.next, want);
}

static void below_ready(struct stream *next, unsigned events, void *ud)
{
    struct ws_stream *w = ud;
    unsigned report = 0;
    if (events & STREAM_READ) {
        w->starved = false;
        report |= STREAM_READ;
    }
    if ((events & STREAM_WRITE) && flush(w) != -EAGAIN)
        report |= STREAM_WRITE;
    if (stream_report(&w->s, report))
        apply_wants(w);
}

static void report(void *ud)
{
    struct ws_stream *w = ud;
    unsigned events = may_read(w) ? STREAM_READ : 0;
    if (sending_is_over(w))
        events |= STREAM_WRITE;
    if (stream_report(&w->s, events))
        apply_wants(w);
}

/* Keeps a control frame for sending. One that finds no room is dropped: nobody reads them. */
static void queue_control(struct ws_stream *w, enum ws_opcode opcode, const void *data, size_t len)
{
    unsigned char bytes[WS_HEAD_MAX + WS_CONTROL_MAX];
    struct ws_frame frame = {
        .fin = true, .opcode = opcode, .masked = w->role == WS_CLIENT, .len = len};
    if (w->close_sent)
        return;
    if (frame.masked)
        rand_bytes(frame.mask, sizeof(frame.mask));
    size_t head = ws_frame_format(&frame, bytes);
    if (frame.masked)
        ws_mask(bytes + head, data, len, frame.mask, 0);
    else if (len > 0)
        memcpy(bytes + head, data, len);
    if (opcode == WS_PONG && w->out.len + head + len > MESSAGE_MAX + WS_HEAD_MAX)
        return;
    buf_append(&w->out, bytes, head + len);
    if (flush(w) == -EAGAIN)
        apply_wants(w);
}

static void send_close(struct ws_stream *w, unsigned status)
{
    unsigned char payload[2] = {(unsigned char)(status >> 8), (unsigned char)status};
    if (w->close_sent)
        return;
    queue_control(w, WS_CLOSE, payload, status == WS_NO_STATUS ? 0 : 2);
    w->close_sent = true;
    flush(w); /* now with the end of the stream below, if it is due */
}

/* The peer broke a rule: it is told which, and the stream has failed. */
static int violated(struct ws_stream *w, unsigned status)
{
    w->recv_end = -EPROTO;
    send_close(w, status);
    return -EPROTO;
}

static void take_close(struct ws_stream *w, const unsigned char *payload, size_t len)
{
    unsigned status = len >= 2 ? (unsigned)payload[0] << 8 | payload[1] : WS_NO_STATUS;
    if (len == 1 || (len >= 2 && !ws_close_status_valid(status))) {
        violated(w, WS_PROTOCOL_ERROR);
        return;
    }
    w->close_status = (uint16_t)status;
    w->recv_end = 0;
    send_close(w, status);
    flush(w);
}

/* Reads more into `in`. 1; -EAGAIN; or the failure. */
static int fill(struct ws_stream *w)
{
    if (w->below_ended)
        return w->recv_end = -ECONNRESET;
    void *room = buf_reserve(&w->in, READ_LEN - w->in.len);
    ssize_t n = room ? stream_recv(w->s.next, room, READ_LEN - w->in.len) : -ENOBUFS;
    if (n > 0) {
        buf_commit(&w->in, (size_t)n);
        return 1;
    }
    if (n == -EAGAIN) {
        w->starved = true;
        if (w->in.len == 0)
            buf_deinit(&w->in); /* one that waits costs no memory */
        return -EAGAIN;
    }
    w->below_ended = true;
    return w->recv_end = n == 0 ? -ECONNRESET : (int)n;
}

/* A whole control frame stands at the head of `in`, behind `head` bytes of its own. */
static void take_control(struct ws_stream *w, const struct ws_frame *frame, size_t head)
{
    unsigned char payload[WS_CONTROL_MAX];
    size_t len = (size_t)frame->len;
    memcpy(payload, buf_data(&w->in) + head, len);
    if (frame->masked)
        ws_mask(payload, payload, len, frame->mask, 0);
    buf_consume(&w->in, head + len);
    if (frame->opcode == WS_CLOSE) {
        take_close(w, payload, len);
    } else if (frame->opcode == WS_PING) {
        queue_control(w, WS_PONG, payload, len);
    }
}

static int take_data_head(struct ws_stream *w, const struct ws_frame *frame, size_t head)
{
    if (frame->opcode == WS_TEXT)
        return violated(w, WS_UNSUPPORTED);
    if ((frame->opcode == WS_CONTINUATION) != w->in_message)
        return violated(w, WS_PROTOCOL_ERROR);
    buf_consume(&w->in, head);
    w->frame = *frame;
    w->left = frame->len;
    w->unmasked = 0;
    w->in_message = !frame->fin;
    return 0;
}

/* 1: a head was taken; 0: `in` does not hold all of it (and a control frame's payload) yet. */
static int take_head(struct ws_stream *w)
{
    struct ws_frame frame;
    int head = ws_frame_parse(buf_data(&w->in), w->in.len, &frame);
    if (head < 0)
        return violated(w, WS_PROTOCOL_ERROR);
    if (head == 0)
        return 0;
    if (frame.masked != (w->role == WS_SERVER))
        return violated(w, WS_PROTOCOL_ERROR);
    if (frame.opcode >= WS_CLOSE) {
        if (w->in.len < (size_t)head + frame.len)
            return 0;
        take_control(w, &frame, (size_t)head);
    } else if (take_data_head(w, &frame, (size_t)head) < 0) {
        return w->recv_end;
    }
    return 1;
}

/* Goes on to the next payload. 1: there is some; 0: the end; or an error. */
static int advance(struct ws_stream *w)
{
    for (int heads = 0; w->recv_end > 0 && w->left == 0; heads++) {
        if (heads == HEADS_PER_CALL)
            return -EAGAIN; /* not starved: it goes on next turn */
        int n = take_head(w);
        if (n == 0)
            n = fill(w);
        if (n < 0)
            return n;
    }
    return w->recv_end;
}

/* Unmasks what `in` holds of the current payload. */
static size_t clear_payload(struct ws_stream *w)
{
    size_t len = w->in.len < w->left ? w->in.len : (size_t)w->left;
    if (len > w->clear) {
        unsigned char *p = w->in.data + w->in.off + w->clear;
        if (w->frame.masked)
            ws_mask(p, p, len - w->clear, w->frame.mask, w->unmasked);
        w->unmasked += len - w->clear;
        w->clear = len;
    }
    return len;
}

static ssize_t ws_peek(struct stream *s, const void **ret_data)
{
    struct ws_stream *w = impl(s);
    int n = advance(w);
    if (n > 0 && w->in.len == 0)
        n = fill(w);
    if (n <= 0)
        return n;
    size_t len = clear_payload(w);
    *ret_data = buf_data(&w->in);
    return (ssize_t)len;
}

static void ws_consume(struct stream *s, size_t len)
{
    struct ws_stream *w = impl(s);
    buf_consume(&w->in, len);
    w->clear -= len;
    w->left -= len;
}

/* Payload straight into the caller's memory. */
static ssize_t recv_direct(struct ws_stream *w, void *data, size_t len)
{
    if (len > w->left)
        len = (size_t)w->left;
    ssize_t n = stream_recv(w->s.next, data, len);
    if (n == -EAGAIN) {
        w->starved = true;
        return n;
    }
    if (n <= 0) {
        w->below_ended = true;
        return w->recv_end = n == 0 ? -ECONNRESET : (int)n;
    }
    if (w->frame.masked)
        ws_mask(data, data, (size_t)n, w->frame.mask, w->unmasked);
    w->unmasked += (uint64_t)n;
    w->left -= (uint64_t)n;
    return n;
}

static ssize_t ws_recv(struct stream *s, void *data, size_t len)
{
    struct ws_stream *w = impl(s);
    int n = advance(w);
    if (n <= 0)
        return n;
    if (w->in.len == 0 && !w->below_ended && len >= DIRECT_LEN && w->left >= DIRECT_LEN)
        return recv_direct(w, data, len);
    const void *lent;
    ssize_t lent_len = ws_peek(s, &lent);
    if (lent_len <= 0)
        return lent_len;
    if (len > (size_t)lent_len)
        len = (size_t)lent_len;
    memcpy(data, lent, len);
    ws_consume(s, len);
    return (ssize_t)len;
}

/* The first MESSAGE_MAX bytes of `iov`; returns how many vectors, their sum in *ret_len. */
static int clip(struct iovec *dst, const struct iovec *iov, int n_iov, size_t *ret_len)
{
    int n = 0;
    *ret_len = 0;
    for (int i = 0; i < n_iov && n < MAX_VECTORS && *ret_len < MESSAGE_MAX; i++) {
        if (iov[i].iov_len == 0)
            continue;
        dst[n] = iov[i];
        if (dst[n].iov_len > MESSAGE_MAX - *ret_len)
            dst[n].iov_len = MESSAGE_MAX - *ret_len;
        *ret_len += dst[n++].iov_len;
    }
    return n;
}

/* Masked bytes have to be made anyway: they are made in `out`. */
static int send_masked(struct ws_stream *w, struct ws_frame *frame, const struct iovec *iov, int n)
{
    size_t offset = 0;
    unsigned char *dst = buf_reserve(&w->out, WS_HEAD_MAX + (size_t)frame->len);
    if (!dst)
        return -ENOBUFS;
    rand_bytes(frame->mask, sizeof(frame->mask));
    size_t head = ws_frame_format(frame, dst);
    for (int i = 0; i < n; i++) {
        ws_mask(dst + head + offset, iov[i].iov_base, iov[i].iov_len, frame->mask, offset);
        offset += iov[i].iov_len;
    }
    buf_commit(&w->out, head + offset);
    int r = flush(w);
    return r == -EAGAIN ? 0 : r;
}

/* Unmasked ones go out from where they are; only the rest of a frame is kept. */
static int send_plain(struct ws_stream *w, struct ws_frame *frame, struct iovec *vec, int n)
{
    unsigned char head[WS_HEAD_MAX];
    vec[0] = (struct iovec){head, ws_frame_format(frame, head)};
    ssize_t sent = stream_send(w->s.next, vec, n + 1);
    if (sent == -EAGAIN)
        return -EAGAIN;
    if (sent < 0)
        return w->send_error = (int)sent;
    for (int i = 0; i <= n; i++) {
        size_t skip = (size_t)sent < vec[i].iov_len ? (size_t)sent : vec[i].iov_len;
        sent -= (ssize_t)skip;
        if (buf_append(&w->out, (char *)vec[i].iov_base + skip, vec[i].iov_len - skip) < 0)
            return w->send_error = -ENOBUFS;
    }
    return 0;
}

static ssize_t ws_send(struct stream *s, const struct iovec *iov, int n_iov)
{
    struct ws_stream *w = impl(s);
    struct iovec vec[MAX_VECTORS + 1];
    size_t len;

    if (w->send_error)
        return w->send_error;
    if (w->close_sent)
        return -EPIPE;
    int r = flush(w);
    if (r < 0)
        return r;
    int n = clip(vec + 1, iov, n_iov, &len);
    if (len == 0)
        return 0;
    struct ws_frame frame = {
        .fin = true, .opcode = WS_BINARY, .masked = w->role == WS_CLIENT, .len = len};
    r = frame.masked ? send_masked(w, &frame, vec + 1, n) : send_plain(w, &frame, vec, n);
    if (r < 0)
        return r;
    if (w->out.len > 0)
        apply_wants(w);
    return (ssize_t)len;
}

static int ws_shutdown(struct stream *s)
{
    struct ws_stream *w = impl(s);
    if (w->send_error)
        return w->send_error;
    send_close(w, WS_NORMAL);
    apply_wants(w);
    return w->send_error;
}

static bool ws_unsent(const struct stream *s)
{
    const struct ws_stream *w = (const struct ws_stream *)s;
    return (w->out.len > 0 && !w->send_error) || stream_unsent(s->next);
}

static void ws_want(struct stream *s, unsigned events)
{
    apply_wants(impl(s));
}

static void ws_detach(struct stream *s)
{
    struct ws_stream *w = impl(s);
    defer_cancel(&w->report);
    stream_want(s->next, 0);
    stream_detach(s->next);
    s->loop = NULL;
}

static void ws_attach(struct stream *s, struct loop *loop)
{
    s->loop = loop;
    stream_attach(s->next, loop);
    apply_wants(impl(s));
}

static void release(void *ud)
{
    struct ws_stream *w = ud;
    buf_deinit(&w->in);
    buf_deinit(&w->out);
    free(w);
}

static void ws_free(struct stream *s)
{
    struct ws_stream *w = impl(s);
    defer_cancel(&w->report);
    s->next = stream_free(s->next);
    stream_reap(s, release);
}

static const struct stream_ops ws_ops = {
    .name = "websocket",
    .recv = ws_recv,
    .send = ws_send,
    .shutdown = ws_shutdown,
    .want = ws_want,
    .free = ws_free,
    .peek = ws_peek,
    .consume = ws_consume,
    .detach = ws_detach,
    .attach = ws_attach,
    .unsent = ws_unsent,
};

struct stream *ws_stream_new(struct stream *next, enum ws_role role)
{
    struct ws_stream *w = new0(struct ws_stream);
    stream_init(&w->s, &ws_ops, next->loop);
    w->s.next = next;
    w->role = role;
    w->recv_end = 1;
    w->close_status = WS_ABNORMAL;
    buf_init(&w->in, READ_LEN);
    buf_init(&w->out, MESSAGE_MAX + WS_HEAD_MAX + CONTROL_ROOM);
    defer_init(&w->report, report, w);
    stream_want(next, 0);
    stream_set_ready(next, below_ready, w);
    return &w->s;
}

uint16_t ws_stream_close_status(const struct stream *s)
{
    return ((const struct ws_stream *)s)->close_status;
}
