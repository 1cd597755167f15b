/*
 * PING: liveness, the round trip, and the quotas that need the time.
 *
 * At most one PING is in flight. When the next is due and it is not answered, and not a single
 * byte came meanwhile, one is missed; bytes of any kind are a life sign, because a PING may wait
 * behind megabytes of DATA. The timer runs once a second only while there is something to watch.
 */
#include <errno.h>

#include "http/h2_internal.h"

enum { PINGS_MISSED_MOST = 3, MEASURE_AFTER_BYTES = 256 * 1024 };

static const usec_t TICK = USEC_PER_SEC;
static const usec_t RTT_MIN_VALID = 5 * USEC_PER_MIN;

bool h2_quota(usec_t *paid_until, unsigned rate, unsigned burst, usec_t now)
{
    usec_t cost = USEC_PER_SEC / rate;
    usec_t from = *paid_until > now ? *paid_until : now;
    if (from + cost - now > cost * burst)
        return false;
    *paid_until = from + cost;
    return true;
}

static void send_ping(struct h2 *s)
{
    if (nghttp2_submit_ping(s->ng, NGHTTP2_FLAG_NONE, NULL) < 0)
        return;
    s->ping_sent = loop_now(s->loop);
    s->received_at_ping = s->bytes_received;
    s->data_at_ping = s->data_bytes;
    h2_schedule(s);
}

void h2_alive_acked(struct h2 *s)
{
    usec_t now = loop_now(s->loop);
    if (s->ping_sent == 0)
        return;
    s->rtt = now > s->ping_sent ? now - s->ping_sent : 1;
    s->ping_sent = 0;
    s->pings_missed = 0;
    if (s->rtt_min == 0 || s->rtt <= s->rtt_min || now - s->rtt_min_at > RTT_MIN_VALID) {
        s->rtt_min = s->rtt;
        s->rtt_min_at = now;
    }
}

static void check_ping(struct h2 *s, usec_t now)
{
    usec_t interval = s->options.ping_interval;
    if (interval > 0 && now >= s->next_ping) {
        s->next_ping = now + interval;
        if (s->ping_sent == 0) {
            send_ping(s);
            return;
        }
        s->pings_missed = s->bytes_received == s->received_at_ping ? s->pings_missed + 1 : 0;
        s->received_at_ping = s->bytes_received;
        if (s->pings_missed >= PINGS_MISSED_MOST)
            h2_fail(s, -ETIMEDOUT, "no life sign from the other side for %d s",
                    (int)(PINGS_MISSED_MOST * interval / USEC_PER_SEC));
    } else if (s->ping_sent == 0 && s->data_bytes - s->data_at_ping > MEASURE_AFTER_BYTES) {
        send_ping(s);
    }
}

static void start_timer(struct h2 *s, usec_t now)
{
    usec_t until_ping = s->next_ping > now ? s->next_ping - now : 0;
    bool pings = s->options.ping_interval > 0;
    s->tick_fast = s->data_bytes != s->data_at_tick || h2_flow_active(s);
    s->data_at_tick = s->data_bytes;
    if (s->tick_fast && (!pings || TICK < until_ping))
        timer_start(&s->tick, TICK);
    else if (pings)
        timer_start(&s->tick, until_ping);
}

static void tick_fired(struct timer *t, void *ud)
{
    struct h2 *s = ud;
    usec_t now = loop_now(s->loop);
    check_ping(s, now);
    h2_flow_tick(s);
    start_timer(s, now);
    h2_settle(s);
}

void h2_alive_data_moved(struct h2 *s, size_t len)
{
    s->data_bytes += len;
    if (s->tick_fast)
        return;
    s->tick_fast = true;
    if (!timer_pending(&s->tick) || s->tick.at > loop_now(s->loop) + TICK)
        timer_start(&s->tick, TICK);
}

void h2_alive_start(struct h2 *s)
{
    timer_init(&s->tick, s->loop, tick_fired, s);
    send_ping(s);
    h2_set_ping_interval(s, s->options.ping_interval);
}

void h2_set_ping_interval(struct h2 *s, usec_t interval)
{
    usec_t now = loop_now(s->loop);
    bool same = s->next_ping != 0 && interval == s->options.ping_interval;
    if (s->over || same)
        return; /* said again and again it must not put off the next one for ever */
    s->options.ping_interval = interval;
    s->next_ping = now + interval;
    start_timer(s, now);
}
