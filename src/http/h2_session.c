/*
 * The session: joins nghttp2, the carrier and the channels.
 *
 * Bytes in: the carrier reports, nghttp2 reads and notes on the channels what happened, then the
 * owners are told (h2_dispatch), within the same call. Bytes out: whoever gives nghttp2 something
 * to say schedules one flush behind all else of the turn, so that everything of a turn goes out in
 * one write. An owner's code runs only when nghttp2 has been left, so it may free anything.
 *
 * An end has three steps: `reason` is noted (h2_fail); h2_settle() drops nghttp2 and the carrier
 * and orphans the channels; the `ended` callback comes by itself at the end of a turn.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/mem.h"
#include "http/h2_compat.h"
#include "http/h2_internal.h"
#include "http/h2_memory.h"

enum { READ_PER_TURN = 512 * 1024, MAX_ACKS = 100 };

static const usec_t NO_HURRY = USEC_PER_MSEC;

void h2_schedule(struct h2 *s)
{
    if (!s->over)
        defer_schedule_last(s->loop, &s->flush);
}

static void soon_fired(struct timer *t, void *ud)
{
    h2_schedule(ud);
}

void h2_schedule_soon(struct h2 *s)
{
    if (!s->over && !timer_pending(&s->soon))
        timer_start(&s->soon, NO_HURRY);
}

int h2_result_from_nghttp2(int code)
{
    switch (code) {
    case NGHTTP2_ERR_NOMEM:
        return -ENOMEM;
    case NGHTTP2_ERR_FLOODED:
        return -EDQUOT;
    default:
        return -EPROTO;
    }
}

void h2_fail(struct h2 *s, int reason, const char *fmt, ...)
{
    va_list ap;
    if (s->reason)
        return;
    s->reason = reason;
    va_start(ap, fmt);
    err_vset(&s->err, reason, fmt, ap);
    va_end(ap);
    h2_schedule(s);
}

static void release(void *ud)
{
    struct h2 *s = ud;
    nghttp2_session_del(s->ng);
    free(s);
}

/* Ends everything but the memory. Also called from an owner's code inside h2_dispatch(). */
static void shut_down(struct h2 *s, int channel_error)
{
    struct h2_channel *ch;
    s->over = true;
    timer_cancel(&s->tick);
    timer_cancel(&s->soon);
    defer_cancel(&s->flush);
    h2_output_drop(s);
    s->carrier = stream_free(s->carrier);
    while ((ch = list_first(&s->channels, struct h2_channel, link)))
        h2_channel_orphan(ch, channel_error);
}

static void tell_end(void *ud)
{
    struct h2 *s = ud;
    if (s->options.ended)
        s->options.ended(s, s->reason, &s->err, s->options.ud);
}

static bool has_nothing_to_do(const struct h2 *s)
{
    if (s->n_pieces > 0 || nghttp2_session_want_write(s->ng))
        return false;
    return (s->draining && s->n_channels == 0) || !nghttp2_session_want_read(s->ng);
}

bool h2_settle(struct h2 *s)
{
    if (s->over)
        return true;
    if (!s->reason && !has_nothing_to_do(s))
        return false;
    if (s->reason)
        h2_output_flush(s); /* the GOAWAY, as far as the carrier takes it */
    shut_down(s, s->reason ? s->reason : -EPIPE);
    defer_schedule(s->loop, &s->end);
    return true;
}

void h2_dispatch(struct h2 *s)
{
    struct h2_channel *ch;
    while ((ch = list_first(&s->touched, struct h2_channel, touched))) {
        list_remove(&ch->touched);
        h2_channel_report(ch);
    }
}

/* ---- the carrier ---- */

static void carrier_ended(struct h2 *s, ssize_t result)
{
    if (result == 0 && s->n_channels == 0)
        s->draining = true;
    if (result < 0)
        h2_fail(s, (int)result, "the connection failed: %s", err_name((int)result));
    else if (!s->draining || s->n_channels > 0)
        h2_fail(s, -ECONNRESET, "the other side closed the connection");
    if (!s->reason) {
        shut_down(s, -EPIPE);
        defer_schedule(s->loop, &s->end);
    }
}

static void feed(struct h2 *s, const unsigned char *data, size_t len)
{
    s->bytes_received += len;
    s->received_at = loop_now(s->loop);
    ssize_t n = nghttp2_session_mem_recv(s->ng, data, len);
    if (n < 0 && !s->reason)
        h2_fail(s, h2_result_from_nghttp2((int)n), "HTTP/2: %s", nghttp2_strerror((int)n));
}

static void read_carrier(struct h2 *s)
{
    unsigned char *scratch = loop_scratch(s->loop);
    size_t total = 0;
    while (total < READ_PER_TURN && !s->reason) {
        ssize_t n = stream_recv(s->carrier, scratch, LOOP_SCRATCH_LEN);
        if (n == -EAGAIN)
            return;
        if (n <= 0) {
            carrier_ended(s, n);
            return;
        }
        feed(s, scratch, (size_t)n);
        total += (size_t)n;
    }
}

static void flush(struct h2 *s)
{
    if (s->over)
        return;
    int result = h2_output_flush(s);
    if (result < 0 && result != -EAGAIN)
        h2_fail(s, result, "the connection failed: %s", err_name(result));
    if (!h2_settle(s))
        stream_want(s->carrier, STREAM_READ | (result == -EAGAIN ? STREAM_WRITE : 0));
}

static void flush_fired(void *ud)
{
    struct h2 *s = ud;
    flush(s);
    h2_dispatch(s);
}

static void carrier_ready(struct stream *carrier, unsigned events, void *ud)
{
    struct h2 *s = ud;
    if (events & STREAM_READ)
        read_carrier(s);
    h2_dispatch(s);
    if (s->over)
        return;
    if (events & STREAM_WRITE)
        flush(s);
    else if (s->reason || nghttp2_session_want_write(s->ng) || has_nothing_to_do(s))
        h2_schedule(s);
}

/* ---- life ---- */

static void fill_defaults(struct h2_limits *l)
{
    const struct h2_limits d = {
        .max_channels = 4096,
        .max_head_len = 32 * 1024,
        .max_fields = 100,
        .reset_rate = 1000,
        .reset_burst = 10000,
        .control_rate = 100,
        .control_burst = 2000,
        .window_max = 16 << 20,
        .memory_max = 24 << 20,
        .stuck_limit = 30 * USEC_PER_SEC,
        .hpack_table_len = 512,
    };
    l->max_channels = l->max_channels ? l->max_channels : d.max_channels;
    l->max_head_len = l->max_head_len ? l->max_head_len : d.max_head_len;
    l->max_fields = l->max_fields ? l->max_fields : d.max_fields;
    l->reset_rate = l->reset_rate ? l->reset_rate : d.reset_rate;
    l->reset_burst = l->reset_burst ? l->reset_burst : d.reset_burst;
    l->control_rate = l->control_rate ? l->control_rate : d.control_rate;
    l->control_burst = l->control_burst ? l->control_burst : d.control_burst;
    l->window_max = l->window_max ? l->window_max : d.window_max;
    l->memory_max = l->memory_max ? l->memory_max : d.memory_max;
    l->stuck_limit = l->stuck_limit ? l->stuck_limit : d.stuck_limit;
    l->hpack_table_len = l->hpack_table_len ? l->hpack_table_len : d.hpack_table_len;
}

static nghttp2_option *make_option(const struct h2_limits *limits)
{
    nghttp2_option *option = NULL;
    if (nghttp2_option_new(&option) < 0)
        abort();
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_max_deflate_dynamic_table_size(option, limits->hpack_table_len);
    nghttp2_option_set_max_outbound_ack(option, MAX_ACKS);
    nghttp2_option_set_peer_max_concurrent_streams(option, 100);
    h2_compat_set_reset_limit(option, limits->reset_burst, limits->reset_rate);
    return option;
}

static void make_nghttp2(struct h2 *s)
{
    nghttp2_session_callbacks *cbs = NULL;
    nghttp2_option *option = make_option(&s->options.limits);
    nghttp2_mem *mem = h2_memory();
    if (nghttp2_session_callbacks_new(&cbs) < 0)
        abort();
    h2_callbacks_set(cbs);
    int result = s->options.role == H2_SERVER
                     ? nghttp2_session_server_new3(&s->ng, cbs, s, option, mem)
                     : nghttp2_session_client_new3(&s->ng, cbs, s, option, mem);
    nghttp2_session_callbacks_del(cbs);
    nghttp2_option_del(option);
    if (result < 0)
        abort();
}

static void submit_settings(struct h2 *s)
{
    const struct h2_limits *l = &s->options.limits;
    bool server = s->options.role == H2_SERVER;
    const nghttp2_settings_entry entries[] = {
        {NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, l->hpack_table_len},
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, server ? l->max_channels : 0},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, l->max_head_len},
        {server ? NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL : NGHTTP2_SETTINGS_ENABLE_PUSH, server},
    };
    nghttp2_submit_settings(s->ng, NGHTTP2_FLAG_NONE, entries, ARRAY_LEN(entries));
}

struct h2 *h2_new(struct loop *loop, struct stream *carrier, const struct h2_options *options)
{
    struct h2 *s = new0(struct h2);
    s->loop = loop;
    s->carrier = carrier;
    s->options = *options;
    fill_defaults(&s->options.limits);
    list_init(&s->channels);
    list_init(&s->touched);
    defer_init(&s->flush, flush_fired, s);
    defer_init(&s->end, tell_end, s);
    timer_init(&s->soon, loop, soon_fired, s);
    make_nghttp2(s);
    submit_settings(s);
    h2_flow_start(s);
    h2_alive_start(s);
    stream_set_ready(carrier, carrier_ready, s);
    stream_want(carrier, STREAM_READ);
    h2_schedule(s);
    return s;
}

struct h2 *h2_free(struct h2 *s)
{
    if (!s)
        return NULL;
    if (!s->over) {
        nghttp2_session_terminate_session(s->ng, NGHTTP2_NO_ERROR);
        h2_output_flush(s);
        shut_down(s, -ECONNABORTED);
    }
    defer_cancel(&s->end);
    defer_init(&s->reap, release, s);
    defer_reap(s->loop, &s->reap);
    return NULL;
}

void h2_drain(struct h2 *s)
{
    if (s->over || s->draining)
        return;
    s->draining = true;
    nghttp2_submit_goaway(s->ng, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(s->ng),
                          NGHTTP2_NO_ERROR, NULL, 0);
    h2_schedule(s);
}

/* A channel without a session, for a request that cannot even be tried. */
static struct stream *dead_channel(struct h2 *s, int error, h2_answered_fn *answered, void *ud)
{
    struct h2_channel *ch = h2_channel_new(s, true);
    ch->answered_fn = answered;
    ch->answered_ud = ud;
    h2_channel_orphan(ch, error);
    return &ch->s;
}

struct stream *h2_request(struct h2 *s, const struct h2_head *head, bool end,
                          h2_answered_fn *answered, void *ud)
{
    if (s->over || s->reason)
        return dead_channel(s, s->reason ? s->reason : -ECONNREFUSED, answered, ud);
    if (s->draining)
        return dead_channel(s, -ECONNREFUSED, answered, ud);
    if (s->settings_received && head->protocol && !s->may_extend)
        return dead_channel(s, -EPROTONOSUPPORT, answered, ud);

    struct h2_channel *ch = h2_channel_new(s, true);
    ch->answered_fn = answered;
    ch->answered_ud = ud;
    ch->shut = end;
    ch->has_provider = !end;
    if (h2_head_copy(ch, head, &s->options.limits) < 0)
        h2_channel_orphan(ch, -E2BIG);
    else if (head->protocol && !s->settings_received)
        ch->waiting = true;
    else
        h2_channel_submit(ch);
    return &ch->s;
}

void *h2_owner(const struct h2 *s)
{
    return s->options.ud;
}

void h2_get_stats(const struct h2 *s, struct h2_stats *ret)
{
    *ret = (struct h2_stats){
        .rtt = s->rtt,
        .rtt_min = s->rtt_min,
        .channels = s->n_channels,
        .bytes_received = s->bytes_received,
        .received_at = s->received_at,
        .bytes_sent = s->bytes_sent,
        .held = s->held,
        .queued = s->queued,
        .window = s->window,
    };
}
