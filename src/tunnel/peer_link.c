/*
 *     CONNECTING (attempt, then handshake) -> CONNECTED -> WAITING -> CONNECTING ...
 *                -> WAITING | DENIED (over)
 *
 * Opens that may wait are `waiting` objects: in the list `queue` while there is no session, with
 * an inner open on the session while there is one. An inner open that ends because its session
 * did goes back to the queue until its time is up, so that a cut under a fresh connection is
 * not seen by the program that made it. The same goes for one on a direct session that ended or
 * fell silent.
 *
 * An open that is handed over early cannot be asked again, so it goes to a direct session only
 * while that has given a life sign in the last moment.
 */
#include "tunnel/peer_link.h"

#include <errno.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/span.h"
#include "io/loop.h"
#include "io/timer.h"
#include "tunnel/backoff.h"
#include "tunnel/channel_open.h"
#include "tunnel/direct_path.h"
#include "tunnel/peer.h"
#include "tunnel/session.h"

enum { WAITING_MAX = 1024 };

static const usec_t default_open_timeout = 30 * USEC_PER_SEC;
static const usec_t busy_ping_interval = 5 * USEC_PER_SEC;
static const usec_t idle_ping_interval = 15 * USEC_PER_SEC;
/* The server is there and the agent is not: asking again soon costs little. */
static const usec_t away_wait = 500 * USEC_PER_MSEC;

struct peer_link {
    struct loop *loop;
    struct peer_link_options options;
    enum link_state state;
    struct err reason; /* why there is no session */
    void *attempt;
    struct peer_handshake *handshake;
    struct tunnel_session *session;
    struct tls_pin agent;
    struct direct_path *direct; /* NULL: not wanted */
    struct peer_path told;      /* what was reported last */
    struct timer patience;      /* pending: opens wait for the direct path */
    struct timer retry;
    struct timer tune_ping; /* while connected */
    struct backoff backoff;
    struct list queue;  /* waiting for a session */
    struct list flying; /* asked on the session */
    size_t n_waiting;   /* members of both */
};

struct waiting {
    struct channel_open head;
    struct list link;
    struct peer_link *owner;
    struct channel_target target; /* with own copies of its texts */
    char *host, *path;
    struct channel_open_options options;
    struct channel_open *inner;
    bool on_direct; /* inner: asked there */
    struct timer timeout;
    struct defer soon; /* tells a failure that is known at once */
};

/* ---- opens ---- */

static void waiting_free(struct waiting *w)
{
    list_remove(&w->link);
    w->owner->n_waiting--;
    timer_cancel(&w->timeout);
    defer_cancel(&w->soon);
    if (w->inner)
        channel_open_cancel(w->inner);
    free(w->host);
    free(w->path);
    free(w);
}

static void waiting_cancel(struct channel_open *head)
{
    waiting_free(container_of(head, struct waiting, head));
}

static void waiting_finish(struct waiting *w, struct stream *channel, enum dial_result result,
                           const char *reason)
{
    struct channel_open_options options = w->options;
    w->inner = NULL;
    waiting_free(w);
    options.opened(channel, result, reason, options.ud);
}

static void inner_opened(struct stream *channel, enum dial_result result, const char *reason,
                         void *ud)
{
    struct waiting *w = ud;
    w->inner = NULL;
    if (result == DIAL_UNAVAILABLE && w->owner->state != LINK_DENIED &&
        timer_pending(&w->timeout)) {
        list_remove(&w->link);
        list_append(&w->owner->queue, &w->link);
        return;
    }
    waiting_finish(w, channel, result, reason);
}

static bool is_direct(const struct peer_link *l)
{
    return l->direct && direct_path_state(l->direct) == DIRECT_UP && direct_path_session(l->direct);
}

struct tunnel_session *peer_link_best_session(struct peer_link *l)
{
    return is_direct(l) ? direct_path_session(l->direct) : l->session;
}

static void ask(struct waiting *w)
{
    struct peer_link *l = w->owner;
    const struct channel_open_options options = {.opened = inner_opened, .ud = w};
    list_remove(&w->link);
    list_append(&l->flying, &w->link);
    w->on_direct = is_direct(l);
    w->inner = tunnel_session_open(peer_link_best_session(l), &w->target, &options);
    if (w->on_direct)
        direct_path_watch(l->direct);
}

/* Where an open may go now. */
static bool can_ask(struct peer_link *l)
{
    return peer_link_best_session(l) && (is_direct(l) || !timer_pending(&l->patience));
}

static void waited_too_long(struct timer *t, void *ud)
{
    struct waiting *w = ud;
    struct err reason = w->owner->reason;
    if (w->inner) {
        w->inner = channel_open_cancel(w->inner);
        waiting_finish(w, NULL, DIAL_TIMEOUT, "the workspace did not answer");
        return;
    }
    waiting_finish(w, NULL, DIAL_UNAVAILABLE, reason.text);
}

static void fail_soon(void *ud)
{
    struct waiting *w = ud;
    struct err reason = w->owner->reason;
    if (w->owner->state == LINK_DENIED)
        waiting_finish(w, NULL, DIAL_FORBIDDEN, reason.text);
    else
        waiting_finish(w, NULL, DIAL_LIMIT, "too many connections wait for the workspace");
}

struct channel_open *peer_link_open(struct peer_link *l, const struct channel_target *target,
                                    const struct channel_open_options *options)
{
    if (options->early && can_ask(l) && (!is_direct(l) || direct_path_is_fresh(l->direct))) {
        if (is_direct(l))
            direct_path_watch(l->direct);
        return tunnel_session_open(peer_link_best_session(l), target, options);
    }

    struct waiting *w = new0(struct waiting);
    w->head.cancel = waiting_cancel;
    w->owner = l;
    w->target = *target;
    w->target.host = w->host = target->host ? xstrdup(target->host) : NULL;
    w->target.path = w->path = target->path ? xstrdup(target->path) : NULL;
    w->options = *options;
    timer_init(&w->timeout, l->loop, waited_too_long, w);
    defer_init(&w->soon, fail_soon, w);
    list_append(&l->queue, &w->link);
    l->n_waiting++;
    if (l->state == LINK_DENIED || (!can_ask(l) && l->n_waiting > l->options.max_waiting)) {
        defer_schedule(l->loop, &w->soon);
        return &w->head;
    }
    timer_start(&w->timeout, l->options.open_timeout);
    if (can_ask(l))
        ask(w);
    return &w->head;
}

static void ask_all(struct peer_link *l)
{
    struct waiting *w, *next;
    if (can_ask(l))
        list_for_each_safe (w, next, &l->queue, link)
            if (!w->soon.scheduled)
                ask(w);
}

/* What was asked on a direct session that is not to be relied on goes back to the queue. */
static void take_back(struct peer_link *l)
{
    struct waiting *w, *next;
    list_for_each_safe (w, next, &l->flying, link)
        if (w->on_direct && w->inner) {
            w->inner = channel_open_cancel(w->inner);
            list_remove(&w->link);
            list_append(&l->queue, &w->link);
        }
}

/* ---- the path ---- */

void peer_link_path(struct peer_link *l, struct peer_path *ret)
{
    struct tunnel_session *s = peer_link_best_session(l);
    struct h2_stats stats;
    *ret = (struct peer_path){.kind = PEER_PATH_NONE};
    if (!s)
        return;
    h2_get_stats(tunnel_session_h2(s), &stats);
    ret->rtt = stats.rtt;
    ret->kind = is_direct(l) ? PEER_PATH_DIRECT : PEER_PATH_RELAY;
    if (is_direct(l))
        ret->addr = *direct_path_addr(l->direct);
}

static void tell_path(struct peer_link *l)
{
    struct peer_path path;
    peer_link_path(l, &path);
    bool same = path.kind == l->told.kind &&
                (path.kind != PEER_PATH_DIRECT || addr_equal(&path.addr, &l->told.addr));
    l->told = path;
    if (!same && l->options.path_changed)
        l->options.path_changed(l, &path, l->options.ud);
}

static void tell_settled(struct peer_link *l)
{
    if (l->options.settled)
        l->options.settled(l, l->options.ud);
}

static void direct_changed(struct direct_path *d, enum direct_state state, void *ud)
{
    struct peer_link *l = ud;
    bool settled = timer_pending(&l->patience) && !direct_path_is_undecided(d);
    if (state == DIRECT_SILENT && l->session)
        take_back(l);
    if (settled)
        timer_cancel(&l->patience);
    ask_all(l);
    tell_path(l);
    if (settled)
        tell_settled(l);
}

static void patience_over(struct timer *t, void *ud)
{
    ask_all(ud);
    tell_settled(ud);
}

/* ---- the link ---- */

static void report(struct peer_link *l, enum link_state state, usec_t next_try)
{
    bool trouble = state == LINK_WAITING || state == LINK_DENIED;
    const struct link_status status = {.state = state,
                                       .reason = trouble ? &l->reason : NULL,
                                       .next_try = next_try,
                                       .attempts = l->backoff.failures};
    l->state = state;
    if (l->options.changed)
        l->options.changed(l, &status, l->options.ud);
}

static void set_reason(struct peer_link *l, const struct err *err)
{
    if (err)
        l->reason = *err;
    else
        err_set(&l->reason, -ECONNRESET, "the connection to the workspace ended");
}

static void wait(struct peer_link *l, bool away)
{
    usec_t next = backoff_next(&l->backoff, loop_now(l->loop), rand_u64());
    if (away && next > away_wait)
        next = away_wait;
    timer_start(&l->retry, next);
    report(l, LINK_WAITING, next);
}

static void deny(struct peer_link *l)
{
    struct waiting *w, *next;
    list_for_each_safe (w, next, &l->queue, link) {
        timer_cancel(&w->timeout);
        defer_schedule(l->loop, &w->soon);
    }
    l->direct = direct_path_free(l->direct);
    report(l, LINK_DENIED, 0);
    tell_path(l);
}

static void session_ended(struct tunnel_session *s, int reason, const struct err *err, void *ud)
{
    struct peer_link *l = ud;
    timer_cancel(&l->tune_ping);
    timer_cancel(&l->patience);
    if (l->direct)
        direct_path_relay_down(l->direct);
    l->session = NULL;
    set_reason(l, err);
    tunnel_session_free(s); /* what flies comes back to the queue */
    wait(l, true);
    ask_all(l);
    tell_path(l);
}

static void tune_ping(struct timer *t, void *ud)
{
    struct peer_link *l = ud;
    struct h2_stats stats;
    h2_get_stats(tunnel_session_h2(l->session), &stats);
    usec_t busy = l->options.ping_interval ? l->options.ping_interval : busy_ping_interval;
    h2_set_ping_interval(tunnel_session_h2(l->session),
                         stats.channels > 0 ? busy : idle_ping_interval);
    timer_start(t, busy_ping_interval);
}

static void handshake_done(struct tunnel_session *session, int result, const struct err *err,
                           void *ud)
{
    struct peer_link *l = ud;
    l->handshake = NULL;
    if (result < 0) {
        set_reason(l, err);
        wait(l, false);
        return;
    }
    l->session = session;
    tunnel_session_set_owner(session, NULL, session_ended, l);
    backoff_connected(&l->backoff, loop_now(l->loop));
    tune_ping(&l->tune_ping, l);
    if (l->direct)
        direct_path_relay_up(l->direct, session, &l->agent);
    if (l->direct && l->options.direct_patience > 0)
        timer_start(&l->patience, l->options.direct_patience);
    report(l, LINK_CONNECTED, 0);
    ask_all(l);
    tell_path(l);
}

static void carrier_opened(enum carrier_outcome outcome, struct stream *carrier,
                           const struct tls_pin *pin, const struct err *err, void *ud)
{
    struct peer_link *l = ud;
    l->attempt = NULL;
    if (outcome == CARRIER_OPENED) {
        l->agent = *pin;
        const struct peer_options options = {.tls = l->options.tls,
                                             .pin = *pin,
                                             .role = H2_CLIENT,
                                             .ping_interval = busy_ping_interval,
                                             .limits = l->options.limits,
                                             .done = handshake_done,
                                             .ud = l};
        l->handshake = peer_start(l->loop, carrier, &options);
        return;
    }
    set_reason(l, err);
    if (outcome == CARRIER_DENIED)
        deny(l);
    else
        wait(l, outcome == CARRIER_AWAY);
}

static void try_now(struct timer *t, void *ud)
{
    struct peer_link *l = ud;
    const struct carrier_opener *opener = &l->options.opener;
    l->attempt = opener->start(l->loop, carrier_opened, l, opener->ud);
    report(l, LINK_CONNECTING, 0);
}

struct peer_link *peer_link_new(struct loop *loop, const struct peer_link_options *options)
{
    struct peer_link *l = new0(struct peer_link);
    l->loop = loop;
    l->options = *options;
    if (!l->options.open_timeout)
        l->options.open_timeout = default_open_timeout;
    if (!l->options.max_waiting)
        l->options.max_waiting = WAITING_MAX;
    tls_context_ref(l->options.tls);
    backoff_init(&l->backoff);
    list_init(&l->queue);
    list_init(&l->flying);
    err_set(&l->reason, -EAGAIN, "not connected to the workspace yet");
    timer_init(&l->retry, loop, try_now, l);
    timer_init(&l->tune_ping, loop, tune_ping, l);
    timer_init(&l->patience, loop, patience_over, l);
    const struct direct_path_options direct = {.tls = l->options.tls,
                                               .limits = l->options.limits,
                                               .first_retry = l->options.direct_retry,
                                               .silence = l->options.direct_silence,
                                               .changed = direct_changed,
                                               .ud = l};
    if (l->options.direct)
        l->direct = direct_path_new(loop, &direct);
    timer_start(&l->retry, 0);
    return l;
}

struct tunnel_session *peer_link_session(struct peer_link *l)
{
    return l->session;
}

const struct tls_pin *peer_link_agent_pin(const struct peer_link *l)
{
    return &l->agent;
}

void peer_link_retry_now(struct peer_link *l)
{
    backoff_reset(&l->backoff);
    if (timer_pending(&l->retry))
        timer_start(&l->retry, 0);
}

static void tell_all(struct list *opens)
{
    struct waiting *w;
    while ((w = list_first(opens, struct waiting, link))) {
        if (w->inner)
            w->inner = channel_open_cancel(w->inner);
        waiting_finish(w, NULL, DIAL_UNAVAILABLE, "the connection was given up");
    }
}

struct peer_link *peer_link_free(struct peer_link *l)
{
    if (!l)
        return NULL;
    l->state = LINK_DENIED; /* nothing goes back to the queue */
    timer_cancel(&l->retry);
    timer_cancel(&l->tune_ping);
    timer_cancel(&l->patience);
    if (l->attempt)
        l->options.opener.cancel(l->attempt, l->options.opener.ud);
    peer_cancel(l->handshake);
    tell_all(&l->flying);
    tell_all(&l->queue);
    direct_path_free(l->direct);
    tunnel_session_free(l->session);
    tls_context_unref(l->options.tls);
    free(l);
    return NULL;
}
