/*
 * Receive windows (the policy is described in h2.h).
 *
 * Channels: nghttp2 sends WINDOW_UPDATE once half a window has been consumed. An epoch lasts until
 * one whole window has been consumed; if that took no longer than four round trips, the window was
 * (about to be) the brake, and is doubled: a carrier that is still young takes two or three for
 * what the window allows. It so ends at two to four times the bandwidth-delay product.
 *
 * Session: what the peer may still send (`open`) plus what is held never exceeds memory_max. The
 * credit is computed anew from nghttp2's own counters each time, which also count DATA that it
 * dropped itself (for streams that are closed).
 */
#include "http/h2_internal.h"

static const usec_t RTT_UNKNOWN = 100 * USEC_PER_MSEC;
/* Shorter than this, a round trip says more about scheduling than about the network. */
static const usec_t EPOCH_LEAST = 5 * USEC_PER_MSEC;
static const usec_t IDLE_AFTER = 10 * USEC_PER_SEC;

enum { SESSION_WINDOW_MOST = 16 << 20, CREDIT_LEAST = 16 * 1024 };

static bool within_round_trips(const struct h2 *s, usec_t elapsed)
{
    usec_t limit = 4 * (s->rtt_min ? s->rtt_min : RTT_UNKNOWN);
    return elapsed <= (limit > EPOCH_LEAST ? limit : EPOCH_LEAST);
}

/* Windows above the first may take three quarters of the memory: the rest is for small ones. */
static size_t growth_left(const struct h2 *s)
{
    size_t most = s->options.limits.memory_max / 4 * 3;
    return most > s->grown ? most - s->grown : 0;
}

static void set_window(struct h2 *s, struct h2_channel *ch, size_t window)
{
    if (window == ch->window || ch->closed ||
        nghttp2_session_set_local_window_size(s->ng, NGHTTP2_FLAG_NONE, ch->id, (int32_t)window) <
            0)
        return;
    s->grown = s->grown + window - ch->window;
    ch->window = window;
}

static void consider_growth(struct h2 *s, struct h2_channel *ch, size_t len)
{
    usec_t now = loop_now(s->loop);
    ch->epoch_bytes += len;
    if (ch->epoch_bytes < ch->window)
        return;
    if (within_round_trips(s, now - ch->epoch_start) && ch->window <= growth_left(s) &&
        ch->window * 2 <= s->options.limits.window_max)
        set_window(s, ch, ch->window * 2);
    ch->epoch_bytes = 0;
    ch->epoch_start = now;
}

static void consider_session_growth(struct h2 *s, size_t len)
{
    usec_t now = loop_now(s->loop);
    size_t window = s->window * 2;
    s->epoch_bytes += len;
    if (s->epoch_bytes < s->window)
        return;
    if (within_round_trips(s, now - s->epoch_start) && window <= SESSION_WINDOW_MOST &&
        window + s->held <= s->options.limits.memory_max &&
        nghttp2_session_set_local_window_size(s->ng, NGHTTP2_FLAG_NONE, 0, (int32_t)window) == 0)
        s->window = window;
    s->epoch_bytes = 0;
    s->epoch_start = now;
}

void h2_flow_start(struct h2 *s)
{
    size_t half = s->options.limits.memory_max / 2;
    s->window = half < H2_SESSION_WINDOW_FIRST ? half : H2_SESSION_WINDOW_FIRST;
    nghttp2_session_set_local_window_size(s->ng, NGHTTP2_FLAG_NONE, 0, (int32_t)s->window);
    s->epoch_start = loop_now(s->loop);
}

void h2_flow_credit(struct h2 *s)
{
    size_t max = s->options.limits.memory_max;
    int32_t received = nghttp2_session_get_effective_recv_data_length(s->ng);
    int32_t open = nghttp2_session_get_local_window_size(s->ng);
    size_t committed = s->held + (open > 0 ? (size_t)open : 0);
    size_t allowed = max > committed ? max - committed : 0;
    size_t credit = received > 0 ? (size_t)received : 0;
    bool withheld = credit > allowed && open < CREDIT_LEAST;
    if (credit > allowed)
        credit = allowed;
    if (credit >= s->window / 2 || (open < H2_WINDOW_FIRST && credit >= CREDIT_LEAST)) {
        nghttp2_submit_window_update(s->ng, NGHTTP2_FLAG_NONE, 0, (int32_t)credit);
        withheld = false;
        h2_schedule(s);
    }
    if (!withheld)
        s->blocked_since = 0;
    else if (s->blocked_since == 0)
        s->blocked_since = loop_now(s->loop);
}

void h2_flow_received(struct h2 *s, struct h2_channel *ch, size_t len)
{
    usec_t now = loop_now(s->loop);
    h2_alive_data_moved(s, len);
    if (now - ch->last_received > IDLE_AFTER) {
        ch->epoch_bytes = 0;
        ch->epoch_start = now;
    }
    if (ch->in.len == 0)
        ch->last_consumed = now; /* it is not stuck since before there was something to consume */
    ch->last_received = now;
    s->held += len;
    consider_session_growth(s, len);
    h2_flow_credit(s);
}

void h2_flow_consumed(struct h2 *s, struct h2_channel *ch, size_t len)
{
    size_t queued = nghttp2_session_get_outbound_queue_size(s->ng);
    s->held -= len;
    ch->last_consumed = loop_now(s->loop);
    s->blocked_since = 0;
    if (!ch->closed && !ch->remote_ended) {
        nghttp2_session_consume_stream(s->ng, ch->id, len);
        consider_growth(s, ch, len);
    }
    h2_flow_credit(s);
    if (nghttp2_session_get_outbound_queue_size(s->ng) > queued)
        h2_schedule(s);
}

void h2_flow_closed(struct h2 *s, struct h2_channel *ch)
{
    s->grown -= ch->window - H2_WINDOW_FIRST;
    ch->window = H2_WINDOW_FIRST;
}

bool h2_flow_active(const struct h2 *s)
{
    return s->grown > 0 || s->blocked_since > 0;
}

static struct h2_channel *longest_stuck(struct h2 *s)
{
    struct h2_channel *ch, *stuck = NULL;
    list_for_each (ch, &s->channels, link)
        if (ch->in.len > 0 && !ch->closed && !ch->reset &&
            (!stuck || ch->last_consumed < stuck->last_consumed))
            stuck = ch;
    return stuck;
}

void h2_flow_tick(struct h2 *s)
{
    usec_t now = loop_now(s->loop);
    struct h2_channel *ch;
    if (s->grown > 0)
        list_for_each (ch, &s->channels, link)
            if (ch->window > H2_WINDOW_FIRST && ch->in.len == 0 &&
                now - ch->last_received > IDLE_AFTER)
                set_window(s, ch, H2_WINDOW_FIRST);

    if (s->blocked_since == 0 || now - s->blocked_since < s->options.limits.stuck_limit)
        return;
    ch = longest_stuck(s);
    s->blocked_since = now;
    if (ch)
        h2_channel_evict(ch);
}
