/*
 *     CONNECTING -> CONNECTED -> WAITING -> CONNECTING ...
 *                -> WAITING | DENIED
 * Exactly one of attempt, session and the timer is there at any time.
 */
#include "tunnel/agent_link.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/rand.h"
#include "io/loop.h"
#include "io/timer.h"
#include "tunnel/backoff.h"

static const usec_t default_ping_interval = 15 * USEC_PER_SEC;
static const usec_t denied_wait = 30 * USEC_PER_SEC;

struct agent_link {
    struct loop *loop;
    struct agent_link_options options;
    void *attempt;
    struct tunnel_session *session;
    struct timer retry; /* also starts the first attempt */
    struct backoff backoff;
};

static void report(struct agent_link *l, enum link_state state, const struct err *reason,
                   usec_t next_try)
{
    const struct link_status status = {
        .state = state, .reason = reason, .next_try = next_try, .attempts = l->backoff.failures};
    if (l->options.changed)
        l->options.changed(l, &status, l->options.ud);
}

static void wait(struct agent_link *l, enum link_state state, const struct err *reason)
{
    usec_t next = backoff_next(&l->backoff, loop_now(l->loop), rand_u64());
    if (state == LINK_DENIED)
        next = denied_wait;
    timer_start(&l->retry, next);
    report(l, state, reason, next);
}

static void requested(struct tunnel_session *s, struct channel_request *rq, void *ud)
{
    struct agent_link *l = ud;
    l->options.requested(s, rq, l->options.ud);
}

static void session_ended(struct tunnel_session *s, int reason, const struct err *err, void *ud)
{
    struct agent_link *l = ud;
    l->session = tunnel_session_free(s);
    wait(l, LINK_WAITING, err);
}

static void carrier_opened(enum carrier_outcome outcome, struct stream *carrier,
                           const struct tls_pin *pin, const struct err *err, void *ud)
{
    struct agent_link *l = ud;
    l->attempt = NULL;
    if (outcome != CARRIER_OPENED) {
        wait(l, outcome == CARRIER_DENIED ? LINK_DENIED : LINK_WAITING, err);
        return;
    }
    const struct tunnel_session_options options = {.role = H2_SERVER,
                                                   .ping_interval = l->options.ping_interval,
                                                   .limits = l->options.limits,
                                                   .requested = requested,
                                                   .ended = session_ended,
                                                   .ud = l};
    l->session = tunnel_session_new(l->loop, carrier, &options);
    backoff_connected(&l->backoff, loop_now(l->loop));
    report(l, LINK_CONNECTED, NULL, 0);
}

static void try_now(struct timer *t, void *ud)
{
    struct agent_link *l = ud;
    const struct carrier_opener *opener = &l->options.opener;
    l->attempt = opener->start(l->loop, carrier_opened, l, opener->ud);
    report(l, LINK_CONNECTING, NULL, 0);
}

struct agent_link *agent_link_new(struct loop *loop, const struct agent_link_options *options)
{
    struct agent_link *l = new0(struct agent_link);
    l->loop = loop;
    l->options = *options;
    if (!l->options.ping_interval)
        l->options.ping_interval = default_ping_interval;
    backoff_init(&l->backoff);
    timer_init(&l->retry, loop, try_now, l);
    timer_start(&l->retry, 0);
    return l;
}

void agent_link_retry_now(struct agent_link *l)
{
    backoff_reset(&l->backoff);
    if (timer_pending(&l->retry))
        timer_start(&l->retry, 0);
}

struct agent_link *agent_link_free(struct agent_link *l)
{
    if (!l)
        return NULL;
    timer_cancel(&l->retry);
    if (l->attempt)
        l->options.opener.cancel(l->attempt, l->options.opener.ud);
    tunnel_session_free(l->session);
    free(l);
    return NULL;
}
