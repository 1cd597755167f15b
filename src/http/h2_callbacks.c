/*
 * What nghttp2 calls while it reads or writes. Nothing here runs an owner's code: what an owner
 * has to know is noted on the channel (h2_channel_touch) and delivered by h2_dispatch(), when
 * nghttp2 has been left.
 */
#include <errno.h>
#include <string.h>

#include "http/h2_internal.h"

static struct h2_channel *channel_by_id(nghttp2_session *ng, int32_t id)
{
    return id > 0 ? nghttp2_session_get_stream_user_data(ng, id) : NULL;
}

/* ---- receiving ---- */

static int quota_exceeded(struct h2 *s, const char *what)
{
    nghttp2_session_terminate_session(s->ng, NGHTTP2_ENHANCE_YOUR_CALM);
    h2_fail(s, -EDQUOT, "the other side sends too many %s frames", what);
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_begin_frame(nghttp2_session *ng, const nghttp2_frame_hd *hd, void *ud)
{
    struct h2 *s = ud;
    const struct h2_limits *limits = &s->options.limits;
    usec_t now = loop_now(s->loop);
    bool end_stream = hd->flags & NGHTTP2_FLAG_END_STREAM;
    switch (hd->type) {
    case NGHTTP2_RST_STREAM:
        if (!h2_quota(&s->resets_paid_until, limits->reset_rate, limits->reset_burst, now))
            return quota_exceeded(s, "RST_STREAM");
        return 0;
    case NGHTTP2_DATA:
        if (hd->length > 0 || end_stream)
            return 0;
        break;
    case NGHTTP2_HEADERS:
    case NGHTTP2_CONTINUATION:
    case NGHTTP2_WINDOW_UPDATE:
        return 0;
    default:
        break;
    }
    if (!h2_quota(&s->control_paid_until, limits->control_rate, limits->control_burst, now))
        return quota_exceeded(s, "control");
    return 0;
}

static int on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *ud)
{
    struct h2 *s = ud;
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    if (s->draining || s->n_channels >= s->options.limits.max_channels) {
        nghttp2_submit_rst_stream(ng, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                  NGHTTP2_REFUSED_STREAM);
        return 0;
    }
    struct h2_channel *ch = h2_channel_new(s, false);
    ch->id = frame->hd.stream_id;
    nghttp2_session_set_stream_user_data(ng, ch->id, ch);
    return 0;
}

/* A head is collected for requests, and for answers until the final one; trailers are skipped. */
static bool collects_head(const struct h2_channel *ch)
{
    return ch && !ch->head_ready && (ch->local_client ? !ch->answered : ch->undelivered);
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *ud)
{
    struct h2 *s = ud;
    struct h2_channel *ch = channel_by_id(ng, frame->hd.stream_id);
    if (!collects_head(ch))
        return 0;
    if (h2_head_add(ch, name, name_len, value, value_len, &s->options.limits) < 0)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* RST_STREAM, and the session goes on */
    return 0;
}

static bool is_interim(const struct h2_channel *ch)
{
    struct h2_head head;
    return h2_head_read(ch, &head, NULL, 0) == 0 && head.status >= 100 && head.status < 200;
}

static void head_received(struct h2_channel *ch)
{
    if (!collects_head(ch))
        return;
    if (ch->local_client && is_interim(ch)) {
        buf_clear(&ch->head_text);
        ch->n_fields = 0;
        return;
    }
    ch->head_ready = true;
    if (ch->local_client)
        ch->answered = true;
    h2_channel_touch(ch);
}

static void settings_received(struct h2 *s)
{
    struct h2_channel *ch, *next;
    s->settings_received = true;
    s->may_extend =
        nghttp2_session_get_remote_settings(s->ng, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
    list_for_each_safe (ch, next, &s->channels, link) {
        if (!ch->waiting)
            continue;
        if (s->may_extend) {
            h2_channel_submit(ch);
        } else {
            ch->error = -EPROTONOSUPPORT;
            h2_channel_reset(ch, NGHTTP2_CANCEL);
        }
    }
}

static void goaway_received(struct h2 *s, const nghttp2_goaway *goaway)
{
    s->draining = true;
    if (goaway->error_code != NGHTTP2_NO_ERROR)
        h2_fail(s, goaway->error_code == NGHTTP2_ENHANCE_YOUR_CALM ? -EDQUOT : -EPROTO,
                "the other side ended the HTTP/2 session: %s",
                nghttp2_http2_strerror(goaway->error_code));
}

static int on_frame_recv(nghttp2_session *ng, const nghttp2_frame *frame, void *ud)
{
    struct h2 *s = ud;
    struct h2_channel *ch = channel_by_id(ng, frame->hd.stream_id);
    bool ack = frame->hd.flags & NGHTTP2_FLAG_ACK;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        if (ch)
            head_received(ch);
        break;
    case NGHTTP2_SETTINGS:
        if (!ack)
            settings_received(s);
        break;
    case NGHTTP2_PING:
        if (ack)
            h2_alive_acked(s);
        break;
    case NGHTTP2_GOAWAY:
        goaway_received(s, &frame->goaway);
        break;
    default:
        break;
    }
    bool carries_end = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (ch && carries_end && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
        ch->remote_ended = true;
        h2_channel_touch(ch);
    }
    return s->reason ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_data_chunk(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *data,
                         size_t len, void *ud)
{
    struct h2 *s = ud;
    struct h2_channel *ch = channel_by_id(ng, id);
    if (!ch) {
        nghttp2_session_consume_stream(ng, id, len);
        h2_flow_credit(s);
        return 0;
    }
    h2_flow_received(s, ch, len);
    if (!ch->owner_gone && !ch->reset) {
        if (buf_append(&ch->in, data, len) == 0) {
            h2_channel_touch(ch);
            return 0;
        }
        h2_channel_reset(ch, NGHTTP2_INTERNAL_ERROR);
        h2_channel_failed(ch, -ENOMEM);
    }
    h2_flow_consumed(s, ch, len);
    return 0;
}

static int on_stream_close(nghttp2_session *ng, int32_t id, uint32_t error_code, void *ud)
{
    struct h2_channel *ch = channel_by_id(ng, id);
    if (ch) {
        nghttp2_session_set_stream_user_data(ng, id, NULL);
        h2_channel_closed(ch, error_code);
    }
    return 0;
}

/* ---- sending ---- */

static ssize_t read_body(nghttp2_session *ng, int32_t id, uint8_t *dst, size_t len, uint32_t *flags,
                         nghttp2_data_source *source, void *ud)
{
    struct h2_channel *ch = source->ptr;
    size_t left = ch->out.len - ch->in_flight;
    if (left == 0 && !ch->shut) {
        ch->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (len >= left) {
        len = left;
        if (ch->shut)
            *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    ch->packed = len;
    return (ssize_t)len;
}

const nghttp2_data_source_read_callback h2_read_body = read_body;

static int send_data(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *frame_header,
                     size_t len, nghttp2_data_source *source, void *ud)
{
    return h2_output_add_data(ud, source->ptr, frame_header, len) < 0 ? NGHTTP2_ERR_WOULDBLOCK : 0;
}

static int on_frame_send(nghttp2_session *ng, const nghttp2_frame *frame, void *ud)
{
    struct h2 *s = ud;
    bool carries_end = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (carries_end && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
        struct h2_channel *ch = channel_by_id(ng, frame->hd.stream_id);
        if (ch)
            h2_channel_end_sent(ch);
    }
    /* nghttp2 found a breach and says so; the session ends when that is out. */
    if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR)
        h2_fail(s, frame->goaway.error_code == NGHTTP2_ENHANCE_YOUR_CALM ? -EDQUOT : -EPROTO,
                "the other side broke HTTP/2: %s",
                nghttp2_http2_strerror(frame->goaway.error_code));
    return 0;
}

void h2_callbacks_set(nghttp2_session_callbacks *cbs)
{
    nghttp2_session_callbacks_set_on_begin_frame_callback(cbs, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(cbs, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(cbs, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cbs, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cbs, on_data_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(cbs, on_stream_close);
    nghttp2_session_callbacks_set_send_data_callback(cbs, send_data);
    nghttp2_session_callbacks_set_on_frame_send_callback(cbs, on_frame_send);
}
