/*
 * What goes to the carrier is gathered first: control bytes (frame headers and whole control
 * frames) in `ctl`, payload where it lies, in the channels' queues. A piece is some control bytes
 * and then some bytes from the head of one channel's queue; pieces of one channel stand in the
 * order of its bytes, so that no pointer has to stay valid between two writes. One batch is
 * written in as few vectored calls as the carrier allows before the next is gathered.
 *
 * DATA frames are 16 KiB: larger ones would make nghttp2 keep a buffer of that size per session.
 */
#include <errno.h>
#include <string.h>

#include "http/h2_internal.h"

enum {
    BATCH_MAX = 256 * 1024,
    CTL_FULL = 32 * 1024, /* no further frame is asked for */
    CTL_MAX = 256 * 1024,
    BYTES_PER_TURN = 1024 * 1024,
};

static bool batch_full(const struct h2 *s)
{
    return s->n_pieces >= H2_PIECES || s->batch_len >= BATCH_MAX || s->ctl.len >= CTL_FULL;
}

/* The piece to which control bytes can still be added, or a new one. */
static struct h2_piece *open_piece(struct h2 *s)
{
    struct h2_piece *last = s->n_pieces ? &s->pieces[s->n_pieces - 1] : NULL;
    if (last && !last->ch)
        return last;
    if (s->n_pieces >= H2_PIECES)
        return NULL;
    s->pieces[s->n_pieces] = (struct h2_piece){0};
    return &s->pieces[s->n_pieces++];
}

static int add_control(struct h2 *s, const void *data, size_t len)
{
    struct h2_piece *piece = open_piece(s);
    if (s->ctl.max == 0)
        buf_init(&s->ctl, CTL_MAX);
    if (!piece || buf_append(&s->ctl, data, len) < 0)
        return -ENOBUFS;
    piece->ctl_len += len;
    s->batch_len += len;
    return 0;
}

int h2_output_add_data(struct h2 *s, struct h2_channel *ch, const void *frame_header, size_t len)
{
    /* One place is kept for the control frame that the running mem_send may still return. */
    if (s->n_pieces >= H2_PIECES - 1 || s->batch_len >= BATCH_MAX ||
        add_control(s, frame_header, H2_FRAME_HEADER_LEN) < 0)
        return -EAGAIN;
    struct h2_piece *piece = &s->pieces[s->n_pieces - 1];
    piece->ch = ch;
    piece->data_len = len;
    s->batch_len += len;
    ch->in_flight += len;
    ch->packed = 0;
    ch->pieces++;
    return 0;
}

static int gather(struct h2 *s)
{
    while (!batch_full(s)) {
        const uint8_t *data;
        ssize_t len = nghttp2_session_mem_send(s->ng, &data);
        if (len < 0) {
            h2_fail(s, h2_result_from_nghttp2((int)len), "HTTP/2: %s", nghttp2_strerror((int)len));
            return s->reason;
        }
        if (len == 0)
            return 0;
        if (add_control(s, data, (size_t)len) < 0) {
            h2_fail(s, -ENOBUFS, "HTTP/2 output is full");
            return -ENOBUFS;
        }
    }
    return 0;
}

static int fill_iov(struct h2 *s, struct iovec *iov)
{
    unsigned char *ctl = (unsigned char *)buf_data(&s->ctl);
    int n = 0;
    for (unsigned i = 0; i < s->n_pieces; i++)
        if (s->pieces[i].ch)
            s->pieces[i].ch->packed_off = 0;
    for (unsigned i = 0; i < s->n_pieces; i++) {
        struct h2_piece *p = &s->pieces[i];
        if (p->ctl_len > 0)
            iov[n++] = (struct iovec){ctl, p->ctl_len};
        ctl += p->ctl_len;
        if (p->ch && p->data_len > 0)
            iov[n++] = (struct iovec){(unsigned char *)buf_data(&p->ch->out) + p->ch->packed_off,
                                      p->data_len};
        if (p->ch)
            p->ch->packed_off += p->data_len;
    }
    return n;
}

static size_t take(size_t *from, size_t *len)
{
    size_t n = *from < *len ? *from : *len;
    *from -= n;
    *len -= n;
    return n;
}

static void written(struct h2 *s, size_t len)
{
    unsigned done = 0;
    s->batch_len -= len;
    s->bytes_sent += len;
    for (; done < s->n_pieces; done++) {
        struct h2_piece *p = &s->pieces[done];
        buf_consume(&s->ctl, take(&p->ctl_len, &len));
        size_t data = take(&p->data_len, &len);
        if (data > 0)
            h2_channel_written(p->ch, data);
        if (p->ctl_len > 0 || p->data_len > 0)
            break;
        if (p->ch)
            h2_channel_unref_piece(p->ch);
    }
    memmove(s->pieces, s->pieces + done, (s->n_pieces - done) * sizeof(s->pieces[0]));
    s->n_pieces -= done;
}

int h2_output_flush(struct h2 *s)
{
    struct iovec iov[2 * H2_PIECES];
    size_t sent = 0;
    while (sent < BYTES_PER_TURN) {
        int result = gather(s);
        if (result < 0)
            return result;
        if (s->n_pieces == 0)
            return 0;
        ssize_t n = stream_send(s->carrier, iov, fill_iov(s, iov));
        if (n < 0)
            return (int)n;
        written(s, (size_t)n);
        sent += (size_t)n;
    }
    h2_schedule(s);
    return 0;
}

void h2_output_drop(struct h2 *s)
{
    unsigned n = s->n_pieces;
    s->n_pieces = 0;
    for (unsigned i = 0; i < n; i++)
        if (s->pieces[i].ch)
            h2_channel_unref_piece(s->pieces[i].ch);
    buf_deinit(&s->ctl);
    s->batch_len = 0;
}
