/*
 * An attempt goes through: connect (TCP, then TLS with both keys pinned), session, and a first
 * request (GET /session), because a client knows only by an answer that its key was taken. The
 * first that is answered wins, the others are dropped.
 *
 * What the agent tells starts attempts at once a few times only, so that it cannot make a client
 * sweep its own network; neither do routes that come and go all the time.
 *
 * Silence is noticed by asking: when something is opened, and once a second while channels are
 * open, the same request goes out as a probe, unless something was heard just now. If not a byte
 * comes until `silence` has passed, the path is SILENT; any answer makes it UP again.
 */
#include "tunnel/direct_path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "io/fd_stream.h"
#include "io/loop.h"
#include "io/stream.h"
#include "io/timer.h"
#include "tunnel/candidates.h"
#include "tunnel/direct_connect.h"
#include "tunnel/session.h"

enum { LINES_MAX = 4 * CANDIDATES_LINE_MAX, RETRY_DOUBLINGS = 5, RETRY_MOST = 30, HURRY_BURST = 4 };

static const usec_t next_attempt_delay = 250 * USEC_PER_MSEC; /* RFC 8305 section 5 */
static const usec_t race_limit = 8 * USEC_PER_SEC;
static const usec_t default_first_retry = 2 * USEC_PER_SEC;
static const usec_t hurry_interval = 15 * USEC_PER_SEC; /* and HURRY_BURST at once */
static const usec_t fresh_time = 20 * USEC_PER_MSEC;
static const usec_t default_silence = 1500 * USEC_PER_MSEC;
static const usec_t tick_interval = USEC_PER_SEC;
static const usec_t busy_ping_interval = 5 * USEC_PER_SEC;
static const usec_t idle_ping_interval = 15 * USEC_PER_SEC;

struct attempt {
    struct direct_path *path;
    struct direct_connect *connect;
    struct tunnel_session *session;
    struct tunnel_call *confirm;
    struct addr addr; /* that answered */
};

struct direct_path {
    struct loop *loop;
    struct direct_path_options options;
    enum direct_state state;
    char machine[NET_MACHINE_SIZE];
    struct net_watch *net;

    struct tls_pin agent;
    struct tunnel_session *relay; /* NULL while it is away */
    struct channel_open *ask;
    struct stream *lines;
    struct buf text;
    bool asked;          /* the addresses are known, or the agent does not tell any */
    usec_t hurried_till; /* what was taken of hurry_interval so far ends then */
    struct candidates candidates;

    struct attempt attempts[CANDIDATES_MAX];
    size_t n_started, n_running;
    struct timer next_attempt, limit, retry;
    unsigned failures; /* in a row */

    struct tunnel_session *session;
    struct addr addr;
    struct tunnel_call *probe;
    usec_t probed_at;
    struct timer silence, tick;
};

static const char request_path[] = "/session";

static void set_state(struct direct_path *d, enum direct_state state)
{
    static const char *const names[] = {"down", "dialling", "up", "silent"};
    if (d->state == state)
        return;
    log_debug("direct path", LOG_STR("from", names[d->state]), LOG_STR("to", names[state]));
    d->state = state;
    d->options.changed(d, state, d->options.ud);
}

static usec_t received_at(const struct direct_path *d)
{
    struct h2_stats stats;
    h2_get_stats(tunnel_session_h2(d->session), &stats);
    return stats.received_at;
}

/* ---- attempts ---- */

static void start_race(struct direct_path *d);

static void attempt_end(struct attempt *a)
{
    a->connect = direct_connect_cancel(a->connect);
    a->confirm = a->confirm ? tunnel_call_cancel(a->confirm) : NULL;
    a->session = a->session ? tunnel_session_free(a->session) : NULL;
}

static void end_race(struct direct_path *d)
{
    timer_cancel(&d->next_attempt);
    timer_cancel(&d->limit);
    for (size_t i = 0; i < d->n_started; i++)
        attempt_end(&d->attempts[i]);
    d->n_started = d->n_running = 0;
}

static void retry_later(struct direct_path *d)
{
    unsigned doublings = d->failures < RETRY_DOUBLINGS ? d->failures : RETRY_DOUBLINGS;
    usec_t delay = d->options.first_retry << doublings;
    if (delay > RETRY_MOST * d->options.first_retry)
        delay = RETRY_MOST * d->options.first_retry;
    d->failures++;
    timer_start(&d->retry, delay * 3 / 4 + (usec_t)rand_below((uint64_t)delay / 2));
}

static void race_lost(struct direct_path *d)
{
    end_race(d);
    retry_later(d);
    set_state(d, DIRECT_DOWN);
}

static void start_next(struct direct_path *d);

static void attempt_failed(struct attempt *a, const struct err *err)
{
    struct direct_path *d = a->path;
    char text[ADDR_TEXT_LEN];
    log_debug("direct attempt failed",
              LOG_STR("address", addr_format(&d->candidates.addrs[a - d->attempts], text)),
              LOG_STR("reason", err ? err->text : ""));
    attempt_end(a);
    d->n_running--;
    if (d->n_started < d->candidates.n)
        start_next(d);
    else if (d->n_running == 0)
        race_lost(d);
}

static void session_ended(struct tunnel_session *s, int reason, const struct err *err, void *ud);

static void attempt_won(struct attempt *a)
{
    struct direct_path *d = a->path;
    d->session = a->session;
    d->addr = a->addr;
    a->session = NULL;
    end_race(d);
    timer_cancel(&d->retry);
    d->failures = 0;
    tunnel_session_set_owner(d->session, NULL, session_ended, d);
    timer_start(&d->tick, tick_interval);
    set_state(d, DIRECT_UP);
}

static void confirmed(int status, const char *body, size_t len, void *ud)
{
    struct attempt *a = ud;
    struct err err = ERR_INIT;
    a->confirm = NULL;
    if (status == 200) {
        attempt_won(a);
        return;
    }
    err_set(&err, -EPROTO, "the agent answered with %d", status);
    attempt_failed(a, &err);
}

static void attempt_ended(struct tunnel_session *s, int reason, const struct err *err, void *ud)
{
    attempt_failed(ud, err);
}

static void connected(struct stream *tls, const struct err *err, void *ud)
{
    struct attempt *a = ud;
    struct direct_path *d = a->path;
    a->connect = NULL;
    if (!tls || addr_of_peer(stream_fd(tls), &a->addr) < 0) {
        stream_free(tls);
        attempt_failed(a, err);
        return;
    }
    const struct tunnel_session_options options = {.role = H2_CLIENT,
                                                   .ping_interval = busy_ping_interval,
                                                   .limits = d->options.limits,
                                                   .ended = attempt_ended,
                                                   .ud = a};
    a->session = tunnel_session_new(d->loop, tls, &options);
    a->confirm = tunnel_session_call(a->session, "GET", request_path, NULL, confirmed, a);
}

static void start_next(struct direct_path *d)
{
    struct attempt *a = &d->attempts[d->n_started];
    const struct direct_connect_options options = {.addr = d->candidates.addrs[d->n_started],
                                                   .tls = d->options.tls,
                                                   .pin = d->agent,
                                                   .done = connected,
                                                   .ud = a};
    *a = (struct attempt){.path = d};
    d->n_started++;
    d->n_running++;
    a->connect = direct_connect_start(d->loop, &options);
    if (d->n_started < d->candidates.n)
        timer_start(&d->next_attempt, next_attempt_delay);
    else
        timer_cancel(&d->next_attempt);
}

static void next_is_due(struct timer *t, void *ud)
{
    start_next(ud);
}

static void race_took_too_long(struct timer *t, void *ud)
{
    race_lost(ud);
}

static void start_race(struct direct_path *d)
{
    if (d->session || d->n_started > 0 || !d->relay || d->candidates.n == 0)
        return;
    timer_cancel(&d->retry);
    timer_start(&d->limit, race_limit);
    start_next(d);
    set_state(d, DIRECT_DIALLING);
}

static void retry_is_due(struct timer *t, void *ud)
{
    start_race(ud);
}

/* Whether something new is worth an attempt at once, or has been too often of late. */
static bool may_hurry(struct direct_path *d)
{
    usec_t now = loop_now(d->loop);
    usec_t from = d->hurried_till > now ? d->hurried_till : now;
    if (from + hurry_interval - now > HURRY_BURST * hurry_interval)
        return false;
    d->hurried_till = from + hurry_interval;
    return true;
}

static void network_changed(void *ud)
{
    struct direct_path *d = ud;
    if (d->session) {
        direct_path_watch(d);
    } else if (d->n_started == 0 && d->candidates.n > 0 && may_hurry(d)) {
        d->failures = 0;
        start_race(d);
    }
}

/* ---- the session ---- */

static void drop_session(struct direct_path *d)
{
    timer_cancel(&d->silence);
    timer_cancel(&d->tick);
    d->probe = d->probe ? tunnel_call_cancel(d->probe) : NULL;
    struct tunnel_session *s = d->session;
    d->session = NULL;
    tunnel_session_free(s);
}

static void session_ended(struct tunnel_session *s, int reason, const struct err *err, void *ud)
{
    struct direct_path *d = ud;
    log_debug("direct session ended", LOG_STR("reason", err ? err->text : ""));
    drop_session(d);
    retry_later(d);
    set_state(d, DIRECT_DOWN);
}

static void probed(int status, const char *body, size_t len, void *ud)
{
    struct direct_path *d = ud;
    d->probe = NULL;
    if (status < 0)
        return;
    timer_cancel(&d->silence);
    set_state(d, DIRECT_UP);
}

static bool was_heard_just_now(const struct direct_path *d)
{
    return loop_now(d->loop) - received_at(d) < fresh_time;
}

void direct_path_watch(struct direct_path *d)
{
    usec_t now = loop_now(d->loop);
    if (!d->session || d->probe)
        return;
    if (was_heard_just_now(d)) {
        if (d->tick.at > now + tick_interval)
            timer_start(&d->tick, tick_interval);
        return;
    }
    d->probed_at = now;
    d->probe = tunnel_session_call(d->session, "GET", request_path, NULL, probed, d);
    timer_start(&d->silence, d->options.silence);
}

static void silence_is_due(struct timer *t, void *ud)
{
    struct direct_path *d = ud;
    if (d->session && received_at(d) <= d->probed_at)
        set_state(d, DIRECT_SILENT);
}

static void tick(struct timer *t, void *ud)
{
    struct direct_path *d = ud;
    struct h2 *h2 = tunnel_session_h2(d->session);
    struct h2_stats stats;
    h2_get_stats(h2, &stats);
    bool busy = stats.channels > (d->probe ? 1 : 0) || d->state == DIRECT_SILENT;
    h2_set_ping_interval(h2, busy ? busy_ping_interval : idle_ping_interval);
    timer_start(t, busy ? tick_interval : busy_ping_interval);
    if (busy)
        direct_path_watch(d);
}

/* ---- the agent's addresses ---- */

static void stop_asking(struct direct_path *d)
{
    d->ask = d->ask ? channel_open_cancel(d->ask) : NULL;
    d->lines = stream_free(d->lines);
    buf_clear(&d->text);
}

static void take_candidates(struct direct_path *d, struct span line)
{
    struct candidates c;
    if (candidates_parse(line, &c) < 0)
        return;
    candidates_filter(&c, d->machine);
    bool changed = !candidates_equal(&c, &d->candidates);
    d->asked = true;
    if (!changed)
        return;
    bool was_dialling = d->n_started > 0;
    end_race(d);
    d->candidates = c;
    if (may_hurry(d)) {
        d->failures = 0;
        timer_cancel(&d->retry);
        start_race(d);
    } else if (!timer_pending(&d->retry) && !d->session) {
        retry_later(d);
    }
    if (was_dialling && d->n_started == 0)
        set_state(d, DIRECT_DOWN);
}

static void take_lines(struct direct_path *d)
{
    struct span rest = span_from(buf_data(&d->text), d->text.len);
    size_t used = 0;
    ptrdiff_t end;
    while ((end = span_find(rest, '\n')) >= 0) {
        take_candidates(d, span_sub(rest, 0, (size_t)end));
        used += (size_t)end + 1;
        rest = span_sub(rest, (size_t)end + 1, rest.len);
    }
    buf_consume(&d->text, used);
}

static void no_candidates(struct direct_path *d)
{
    stop_asking(d);
    d->asked = true;
    if (d->state == DIRECT_DOWN)
        d->options.changed(d, d->state, d->options.ud);
}

static void lines_came(struct stream *s, unsigned events, void *ud)
{
    struct direct_path *d = ud;
    char piece[CANDIDATES_LINE_MAX];
    ssize_t n = stream_recv(s, piece, sizeof(piece));
    if (n == -EAGAIN)
        return;
    if (n <= 0 || buf_append(&d->text, piece, (size_t)n) < 0) {
        no_candidates(d);
        return;
    }
    take_lines(d);
}

static void asked(struct stream *body, enum dial_result result, const char *reason, void *ud)
{
    struct direct_path *d = ud;
    d->ask = NULL;
    if (result != DIAL_OK) {
        no_candidates(d);
        return;
    }
    d->lines = body;
    stream_set_ready(body, lines_came, d);
    stream_want(body, STREAM_READ);
}

void direct_path_relay_up(struct direct_path *d, struct tunnel_session *relay,
                          const struct tls_pin *agent)
{
    const struct channel_open_options options = {.opened = asked, .ud = d};
    bool same = memcmp(&d->agent, agent, sizeof(*agent)) == 0;
    d->relay = relay;
    d->agent = *agent;
    if (d->session && !same) {
        drop_session(d);
        set_state(d, DIRECT_DOWN);
    }
    d->asked = false;
    d->candidates = (struct candidates){0};
    d->ask = tunnel_session_get(relay, "/candidates", &options);
}

void direct_path_relay_down(struct direct_path *d)
{
    d->relay = NULL;
    stop_asking(d);
    timer_cancel(&d->retry);
    if (d->n_started > 0) {
        end_race(d);
        set_state(d, DIRECT_DOWN);
    }
}

/* ---- life ---- */

enum direct_state direct_path_state(const struct direct_path *d)
{
    return d->state;
}

bool direct_path_is_undecided(const struct direct_path *d)
{
    return d->relay && (!d->asked || (d->state == DIRECT_DIALLING && d->failures == 0));
}

struct tunnel_session *direct_path_session(struct direct_path *d)
{
    return d->session;
}

bool direct_path_is_fresh(struct direct_path *d)
{
    return d->state == DIRECT_UP && d->session && was_heard_just_now(d);
}

const struct addr *direct_path_addr(const struct direct_path *d)
{
    return &d->addr;
}

struct direct_path *direct_path_new(struct loop *loop, const struct direct_path_options *options)
{
    struct direct_path *d = new0(struct direct_path);
    d->loop = loop;
    d->options = *options;
    if (!d->options.first_retry)
        d->options.first_retry = default_first_retry;
    if (!d->options.silence)
        d->options.silence = default_silence;
    tls_context_ref(d->options.tls);
    buf_init(&d->text, LINES_MAX);
    timer_init(&d->next_attempt, loop, next_is_due, d);
    timer_init(&d->limit, loop, race_took_too_long, d);
    timer_init(&d->retry, loop, retry_is_due, d);
    timer_init(&d->silence, loop, silence_is_due, d);
    timer_init(&d->tick, loop, tick, d);
    if (net_local_machine(d->machine) < 0)
        d->machine[0] = '\0';
    d->net = net_watch_new(loop, network_changed, d);
    return d;
}

struct direct_path *direct_path_free(struct direct_path *d)
{
    if (!d)
        return NULL;
    stop_asking(d);
    end_race(d);
    timer_cancel(&d->retry);
    drop_session(d);
    net_watch_free(d->net);
    buf_deinit(&d->text);
    tls_context_unref(d->options.tls);
    free(d);
    return NULL;
}
