/*
 * A channel: one HTTP/2 stream as a `struct stream`.
 *
 * Three parties hold on to it: its owner (until stream_free), nghttp2 (until the stream is closed)
 * and the output (while pieces refer to its queue). When the owner goes first, it lingers in the
 * session: what was taken before a shutdown is still sent, what comes is dropped and credited. It
 * is released when the last has let go.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "http/h2_internal.h"

static struct h2_channel *channel_of(struct stream *s)
{
    return (struct h2_channel *)s;
}

static bool unsent(const struct h2_channel *ch)
{
    return !ch->closed && (ch->out.len > 0 || (ch->shut && !ch->end_sent));
}

static size_t out_limit(const struct h2_channel *ch)
{
    return ch->session && ch->session->queued > H2_OUT_CROWDED ? H2_OUT_LIMIT_CROWDED
                                                               : ch->out_limit;
}

static unsigned possible(const struct h2_channel *ch)
{
    bool failed = ch->error < 0 || ch->closed;
    bool readable = ch->in.len > 0 || (ch->remote_ended && !ch->end_hidden) || failed;
    bool writable =
        failed || (ch->shut || ch->when_sent ? !unsent(ch) : ch->out.len <= out_limit(ch) / 2);
    return (readable ? STREAM_READ : 0) | (writable ? STREAM_WRITE : 0);
}

void h2_channel_kick(struct h2_channel *ch)
{
    if (ch->owner_gone)
        return;
    if (ch->head_ready || ((ch->answered_fn || ch->failed_fn) && ch->error < 0) ||
        (ch->s.wanted & possible(ch)))
        defer_schedule(ch->s.loop, &ch->report);
}

void h2_channel_touch(struct h2_channel *ch)
{
    if (ch->session && list_empty(&ch->touched))
        list_append(&ch->session->touched, &ch->touched);
}

static void release(void *p)
{
    struct h2_channel *ch = p;
    buf_deinit(&ch->head_text);
    buf_deinit(&ch->in);
    buf_deinit(&ch->out);
    free(ch);
}

static void release_if_done(struct h2_channel *ch)
{
    if (!ch->owner_gone || ch->pieces > 0 || (ch->session && !ch->closed))
        return;
    list_remove(&ch->link);
    list_remove(&ch->touched);
    stream_reap(&ch->s, release);
}

/* ---- reporting ---- */

static void deliver_head(struct h2_channel *ch)
{
    struct h2 *s = ch->session;
    struct h2_head head;
    struct h2_field *fields = xcalloc(ch->n_fields + 1, sizeof(*fields));
    struct buf text = ch->head_text;
    bool good = h2_head_read(ch, &head, fields, ch->n_fields) == 0;
    h2_answered_fn *answered = good ? ch->answered_fn : NULL;

    ch->head_ready = false;
    ch->head_text = (struct buf)BUF_INIT(text.max);
    ch->n_fields = 0;
    if (!good) {
        h2_channel_reset(ch, NGHTTP2_PROTOCOL_ERROR);
    } else if (!ch->local_client) {
        ch->undelivered = false;
        s->options.requested(s, &ch->s, &head, s->options.ud);
    } else if (answered) {
        ch->answered_fn = NULL;
        answered(&ch->s, 0, &head, ch->answered_ud);
    }
    buf_deinit(&text);
    free(fields);
}

static void deliver_failure(struct h2_channel *ch)
{
    h2_answered_fn *answered = ch->answered_fn;
    h2_failed_fn *failed = ch->failed_fn;
    ch->answered_fn = NULL;
    ch->failed_fn = NULL;
    if (answered)
        answered(&ch->s, ch->error, NULL, ch->answered_ud);
    if (failed && !ch->owner_gone)
        failed(&ch->s, ch->error, ch->failed_ud);
}

void h2_channel_report(struct h2_channel *ch)
{
    if (ch->owner_gone)
        return;
    if (ch->head_ready && ch->session)
        deliver_head(ch);
    if (ch->error < 0 && !ch->owner_gone)
        deliver_failure(ch);
    if (!ch->owner_gone)
        stream_report(&ch->s, possible(ch));
    h2_channel_kick(ch);
}

static void report_fired(void *ud)
{
    h2_channel_report(ud);
}

/* ---- what nghttp2 and the session tell it ---- */

static void drop_out(struct h2_channel *ch)
{
    size_t keep = ch->in_flight + ch->packed;
    if (ch->session && ch->out.len > keep)
        ch->session->queued -= ch->out.len - keep;
    if (ch->out.len > keep)
        ch->out.len = keep;
}

static void drop_in(struct h2_channel *ch)
{
    size_t len = ch->in.len;
    buf_deinit(&ch->in);
    if (len > 0 && ch->session)
        h2_flow_consumed(ch->session, ch, len);
}

void h2_channel_failed(struct h2_channel *ch, int error)
{
    if (ch->error == 0)
        ch->error = error;
    drop_out(ch);
    h2_channel_touch(ch);
    h2_channel_kick(ch);
}

static int error_of_close(const struct h2_channel *ch, uint32_t code)
{
    if (ch->remote_ended && ch->end_sent)
        return 0;
    if (code == NGHTTP2_REFUSED_STREAM && !ch->answered)
        return -ECONNREFUSED;
    return code == NGHTTP2_NO_ERROR && ch->remote_ended ? -EPIPE : -ECONNRESET;
}

void h2_channel_closed(struct h2_channel *ch, uint32_t error_code)
{
    int error = error_of_close(ch, error_code);
    if (ch->closed)
        return;
    ch->closed = true;
    ch->was_cut = error_code == NGHTTP2_CONNECT_ERROR && !ch->reset;
    ch->packed = 0;
    ch->session->n_channels--;
    h2_flow_closed(ch->session, ch);
    h2_schedule(ch->session);
    if (error < 0)
        h2_channel_failed(ch, error);
    else
        h2_channel_touch(ch);
    if (ch->undelivered && error < 0) {
        /* Given up before anybody heard of it: nobody needs to. */
        drop_in(ch);
        ch->owner_gone = true;
    }
    release_if_done(ch);
}

void h2_channel_end_sent(struct h2_channel *ch)
{
    ch->end_sent = true;
    h2_channel_touch(ch);
    /* RFC 9113 section 8.1: the answer is complete, the rest of the request is not needed. */
    if (ch->owner_gone && !ch->remote_ended)
        h2_channel_reset(ch, ch->local_client ? NGHTTP2_CANCEL : NGHTTP2_NO_ERROR);
}

void h2_channel_written(struct h2_channel *ch, size_t len)
{
    buf_consume(&ch->out, len);
    ch->in_flight -= len;
    if (!ch->session)
        return;
    ch->session->queued -= len;
    if (ch->out.len == 0 && (ch->s.wanted & STREAM_WRITE) && ch->out_limit < H2_OUT_LIMIT_MOST)
        ch->out_limit *= 2;
    h2_channel_kick(ch);
}

void h2_channel_unref_piece(struct h2_channel *ch)
{
    ch->pieces--;
    release_if_done(ch);
}

void h2_channel_orphan(struct h2_channel *ch, int error)
{
    struct h2 *s = ch->session;
    list_remove(&ch->link);
    list_remove(&ch->touched);
    if (ch->error == 0 && !ch->closed)
        ch->error = error;
    if (!ch->closed)
        s->n_channels--;
    ch->closed = true;
    ch->session = NULL;
    ch->head_ready = false;
    if (ch->undelivered)
        ch->owner_gone = true;
    h2_channel_kick(ch);
    release_if_done(ch);
}

void h2_channel_reset(struct h2_channel *ch, uint32_t error_code)
{
    struct h2 *s = ch->session;
    if (!s || ch->closed || ch->reset)
        return;
    ch->reset = true;
    ch->waiting = false;
    if (ch->id == 0) {
        h2_channel_closed(ch, error_code);
        return;
    }
    nghttp2_submit_rst_stream(s->ng, NGHTTP2_FLAG_NONE, ch->id, error_code);
    h2_schedule(s);
}

void h2_channel_evict(struct h2_channel *ch)
{
    h2_channel_reset(ch, NGHTTP2_ENHANCE_YOUR_CALM);
    drop_in(ch);
    h2_channel_failed(ch, -ECONNRESET);
}

/* ---- the stream's functions ---- */

static ssize_t channel_peek(struct stream *s, const void **ret_data)
{
    struct h2_channel *ch = channel_of(s);
    if (ch->in.len > 0) {
        *ret_data = buf_data(&ch->in);
        return (ssize_t)ch->in.len;
    }
    if (ch->remote_ended && (!ch->end_hidden || (ch->closed && ch->error == 0)))
        return 0;
    return ch->error < 0 ? ch->error : -EAGAIN;
}

static void channel_consume(struct stream *s, size_t len)
{
    struct h2_channel *ch = channel_of(s);
    buf_consume(&ch->in, len);
    if (len > 0 && ch->session)
        h2_flow_consumed(ch->session, ch, len);
}

static ssize_t channel_recv(struct stream *s, void *data, size_t len)
{
    const void *lent;
    ssize_t n = channel_peek(s, &lent);
    if (n <= 0)
        return n;
    if ((size_t)n > len)
        n = (ssize_t)len;
    memcpy(data, lent, (size_t)n);
    channel_consume(s, (size_t)n);
    return n;
}

static void resume(struct h2_channel *ch)
{
    if (ch->closed || !ch->session || !(ch->deferred || ch->in_no_hurry))
        return;
    if (ch->deferred)
        nghttp2_session_resume_data(ch->session->ng, ch->id);
    ch->deferred = ch->in_no_hurry = false;
    h2_schedule(ch->session);
}

static ssize_t channel_send(struct stream *s, const struct iovec *iov, int n_iov)
{
    struct h2_channel *ch = channel_of(s);
    size_t taken = 0, limit = out_limit(ch);
    if (ch->error < 0)
        return ch->error;
    if (ch->shut || ch->closed)
        return -EPIPE;
    for (int i = 0; i < n_iov && ch->out.len < limit; i++) {
        size_t room = limit - ch->out.len;
        size_t n = iov[i].iov_len < room ? iov[i].iov_len : room;
        if (n > 0 && buf_append(&ch->out, iov[i].iov_base, n) < 0)
            break;
        taken += n;
    }
    if (taken == 0)
        return -EAGAIN;
    ch->session->queued += taken;
    resume(ch);
    return (ssize_t)taken;
}

static int channel_shutdown(struct stream *s)
{
    struct h2_channel *ch = channel_of(s);
    if (ch->shut)
        return 0;
    if (ch->error < 0)
        return ch->error;
    if (ch->closed)
        return -EPIPE;
    ch->shut = true;
    resume(ch);
    return 0;
}

static void channel_want(struct stream *s, unsigned events)
{
    h2_channel_kick(channel_of(s));
}

static bool channel_unsent(const struct stream *s)
{
    return unsent((const struct h2_channel *)s);
}

static void channel_free(struct stream *s)
{
    struct h2_channel *ch = channel_of(s);
    ch->owner_gone = true;
    ch->head_ready = false;
    if (ch->answered_fn && ch->abandoned_fn)
        ch->abandoned_fn(ch->abandoned_ud);
    ch->answered_fn = NULL;
    defer_cancel(&ch->report);
    drop_in(ch);
    if (!ch->closed && ch->session) {
        /* A server's channel without an answer has nothing that could go on without its owner. */
        if (!ch->shut || !ch->has_provider) {
            h2_channel_reset(ch, NGHTTP2_CANCEL);
            drop_out(ch);
        } else if (ch->end_sent && !ch->remote_ended) {
            h2_channel_reset(ch, ch->local_client ? NGHTTP2_CANCEL : NGHTTP2_NO_ERROR);
        }
    }
    release_if_done(ch);
}

static const struct stream_ops channel_ops = {
    .name = "h2",
    .recv = channel_recv,
    .send = channel_send,
    .shutdown = channel_shutdown,
    .want = channel_want,
    .free = channel_free,
    .peek = channel_peek,
    .consume = channel_consume,
    .unsent = channel_unsent,
};

/* ---- making and answering ---- */

struct h2_channel *h2_channel_new(struct h2 *s, bool local_client)
{
    struct h2_channel *ch = new0(struct h2_channel);
    stream_init(&ch->s, &channel_ops, s->loop);
    ch->session = s;
    ch->local_client = local_client;
    ch->undelivered = !local_client;
    ch->window = H2_WINDOW_FIRST;
    ch->out_limit = H2_OUT_LIMIT_FIRST;
    ch->epoch_start = ch->last_received = ch->last_consumed = loop_now(s->loop);
    buf_init(&ch->in, s->options.limits.window_max + H2_WINDOW_FIRST);
    buf_init(&ch->out, H2_OUT_LIMIT_MOST);
    list_init(&ch->touched);
    list_append(&s->channels, &ch->link);
    defer_init(&ch->report, report_fired, ch);
    s->n_channels++;
    return ch;
}

void h2_channel_submit(struct h2_channel *ch)
{
    struct h2 *s = ch->session;
    nghttp2_data_provider body = {.source.ptr = ch, .read_callback = h2_read_body};
    nghttp2_nv *nv;
    size_t n = h2_head_to_nv(ch, &nv);
    int32_t id = nghttp2_submit_request(s->ng, NULL, nv, n, ch->has_provider ? &body : NULL, ch);

    free(nv);
    buf_deinit(&ch->head_text);
    ch->n_fields = 0;
    ch->waiting = false;
    if (id < 0) {
        /* Stream identifiers have run out (RFC 9113 section 5.1.1): a new session is needed. */
        h2_channel_closed(ch, NGHTTP2_REFUSED_STREAM);
        h2_drain(s);
        return;
    }
    ch->id = id;
    h2_schedule(s);
}

static int submit_answer(struct h2_channel *ch, unsigned status, const struct h2_field *fields,
                         size_t n_fields, bool end)
{
    if (ch->answered)
        return -EALREADY;
    if (ch->error < 0)
        return ch->error;
    if (ch->closed)
        return -EPIPE;
    nghttp2_data_provider body = {.source.ptr = ch, .read_callback = h2_read_body};
    char room[NUM_TEXT_SIZE];
    struct span text = num_format(status, room);
    nghttp2_nv *nv = xcalloc(n_fields + 1, sizeof(*nv));
    nv[0] = (nghttp2_nv){(uint8_t *)":status", (uint8_t *)text.p, 7, text.len, 0};
    for (size_t i = 0; i < n_fields; i++)
        nv[i + 1] = (nghttp2_nv){(uint8_t *)fields[i].name, (uint8_t *)fields[i].value,
                                 strlen(fields[i].name), strlen(fields[i].value), 0};
    int result =
        nghttp2_submit_response(ch->session->ng, ch->id, nv, n_fields + 1, end ? NULL : &body);
    free(nv);
    if (result < 0)
        return h2_result_from_nghttp2(result);
    ch->answered = true;
    ch->has_provider = true;
    ch->shut = ch->shut || end;
    return 0;
}

int h2_answer(struct stream *channel, unsigned status, const struct h2_field *fields,
              size_t n_fields, bool end)
{
    struct h2_channel *ch = channel_of(channel);
    int result = submit_answer(ch, status, fields, n_fields, end);
    if (result == 0)
        h2_schedule(ch->session);
    return result;
}

int h2_answer_early(struct stream *channel, const struct h2_field *fields, size_t n_fields)
{
    struct h2_channel *ch = channel_of(channel);
    int result = submit_answer(ch, 200, fields, n_fields, false);
    ch->in_no_hurry = result == 0 && ch->in.len > 0;
    if (ch->in_no_hurry)
        h2_schedule_soon(ch->session);
    else if (result == 0)
        h2_schedule(ch->session);
    return result;
}

void h2_answer_and_free(struct stream *channel, unsigned status, const struct h2_field *fields,
                        size_t n_fields, const char *body)
{
    struct h2_channel *ch = channel_of(channel);
    size_t len = body ? strlen(body) : 0;
    if (len > H2_ANSWER_MAX) {
        status = 500;
        n_fields = len = 0;
    }
    if (h2_answer(channel, status, fields, n_fields, len == 0) == 0 && len > 0) {
        if (ch->out.max < len)
            ch->out.max = len;
        buf_append(&ch->out, body, len);
        ch->session->queued += len;
        stream_shutdown(channel);
    }
    stream_free(channel);
}

void h2_on_failure(struct stream *channel, h2_failed_fn *failed, void *ud)
{
    struct h2_channel *ch = channel_of(channel);
    ch->failed_fn = failed;
    ch->failed_ud = ud;
    h2_channel_kick(ch);
}

void h2_on_abandon(struct stream *channel, h2_abandoned_fn *abandoned, void *ud)
{
    struct h2_channel *ch = channel_of(channel);
    ch->abandoned_fn = abandoned;
    ch->abandoned_ud = ud;
}

void h2_hide_end(struct stream *channel)
{
    channel_of(channel)->end_hidden = true;
}

void h2_fail_channel(struct stream *channel, int error)
{
    struct h2_channel *ch = channel_of(channel);
    drop_in(ch);
    ch->remote_ended = false;
    ch->error = error;
    h2_channel_reset(ch, NGHTTP2_CANCEL);
    h2_channel_failed(ch, error);
}

void h2_cut_channel(struct stream *channel)
{
    h2_channel_reset(channel_of(channel), NGHTTP2_CONNECT_ERROR);
}

bool h2_channel_was_cut(const struct stream *channel)
{
    return ((const struct h2_channel *)channel)->was_cut;
}

struct h2 *h2_of_channel(const struct stream *channel)
{
    return ((const struct h2_channel *)channel)->session;
}

size_t h2_unsent(const struct stream *channel)
{
    return ((const struct h2_channel *)channel)->out.len;
}

void h2_report_when_sent(struct stream *channel)
{
    channel_of(channel)->when_sent = true;
}

uint32_t h2_channel_id(const struct stream *channel)
{
    return (uint32_t)((const struct h2_channel *)channel)->id;
}

size_t h2_channel_window(const struct stream *channel)
{
    return ((const struct h2_channel *)channel)->window;
}
