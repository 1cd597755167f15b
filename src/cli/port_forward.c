/*
 * Order: the log-in is read, all listeners are opened, then the peer link is made, whose carrier
 * asks the server for the agent. What fails for a passing reason is tried again for ever, with the
 * listeners open; an answer that is final (not logged in, not allowed, no such workspace) ends the
 * command. Everything runs on one loop; `code` is set once, by finish().
 */
#include "cli/port_forward.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/rand.h"
#include "cli/agent_carrier.h"
#include "cli/api_client.h"
#include "cli/forward_display.h"
#include "forward/forwarder.h"
#include "io/loop.h"
#include "io/signal.h"
#include "io/timer.h"
#include "tunnel/lane_client.h"
#include "tunnel/listen_client.h"
#include "tunnel/peer_link.h"

enum {
    RETRY_LEAST_MS = 1000, /* while the session is away: a try every 1 to 3 s */
    RETRY_SPREAD_MS = 2000,
    ROUND_TRIP_MS = 1000,
};

struct port_forward {
    struct cli *cli;
    const struct port_forward_options *options;
    struct api_client api;
    struct loop *loop;
    struct forward_display *display;
    struct forwarder *forwarder;
    struct agent_carrier *carrier;
    struct peer_link *link;
    struct lane_client *lanes;
    struct timer retry, wait, round_trip;
    struct signal_watch *signals[4];
    char workspace[WORKSPACE_REF_SIZE];
    char reason[256]; /* why the agent is not reached */
    bool up;
    bool direct; /* shown as such */
    bool ready;  /* everything was open once */
    bool done;
    int code;
};

static void finish(struct port_forward *p, int code)
{
    if (!p->done)
        p->code = code;
    p->done = true;
    loop_stop(p->loop);
}

static void fail(struct port_forward *p, int code, const char *text, const char *hint)
{
    if (!p->done)
        forward_display_error(p->display, text, hint);
    finish(p, code);
}

/* ---- the way to the workspace, for the forwarder ---- */

static struct channel_open *open_channel(const struct channel_target *target,
                                         const struct channel_open_options *options, void *ud)
{
    struct port_forward *p = ud;
    return peer_link_open(p->link, target, options);
}

static void cancel_open(struct channel_open *open, void *ud)
{
    channel_open_cancel(open);
}

static struct listen_client *listen_there(const struct listen_client_options *options, void *ud)
{
    struct port_forward *p = ud;
    struct tunnel_session *session = peer_link_session(p->link);
    struct listen_client_options own = *options;
    own.open = open_channel; /* directly, where that can be */
    own.open_ud = p;
    return session ? listen_client_new(session, &own) : NULL;
}

static void unlisten_there(struct listen_client *l, void *ud)
{
    listen_client_free(l);
}

/* ---- lanes of heavy channels ---- */

static struct stream *watch_channel(struct stream *channel, forward_lane_fn *moved, void *moved_ud,
                                    void *ud)
{
    struct port_forward *p = ud;
    if (!p->lanes)
        return channel;
    return lane_client_wrap(p->lanes, channel, moved, moved_ud);
}

static bool find_lane_way(struct tunnel_session *session, struct lane_way *ret, void *ud)
{
    struct port_forward *p = ud;
    return agent_carrier_lane_way(p->carrier, p->link, session, LANE_WHERE_IT_IS, ret);
}

static void check_ready(struct port_forward *p)
{
    if (p->ready || !p->up || !forwarder_is_open(p->forwarder))
        return;
    p->ready = true;
    forward_display_ready(p->display);
}

static void on_forward_event(const struct forward_event *event, void *ud)
{
    struct port_forward *p = ud;
    if (event->kind == FORWARD_FAILED && !event->retrying) {
        char text[512];
        snprintf(text, sizeof(text), "the workspace cannot listen on %s: %s",
                 event->forward->local_path ? event->forward->local_path : "the port of -R",
                 event->text);
        forward_display_event(p->display, event);
        fail(p, event->result == DIAL_FORBIDDEN ? EXIT_CODE_NOT_ALLOWED : EXIT_CODE_FAILURE, text,
             NULL);
        return;
    }
    forward_display_event(p->display, event);
    if (event->kind == FORWARD_OPENED)
        check_ready(p);
}

/* ---- the session ---- */

/* Without the full stop of a sentence: it stands within another one. */
static void set_reason(struct port_forward *p, const char *reason)
{
    struct span text = span_of(reason && *reason ? reason : "not connected yet");
    if (span_ends(text, "."))
        text.len--;
    str_copy_span(p->reason, sizeof(p->reason), text);
}

static void retry_soon(struct port_forward *p)
{
    usec_t ms = RETRY_LEAST_MS + (usec_t)rand_below(RETRY_SPREAD_MS);
    timer_start(&p->retry, ms * USEC_PER_MSEC);
}

static void show_path(struct port_forward *p)
{
    struct peer_path path;
    char text[ADDR_TEXT_LEN];
    peer_link_path(p->link, &path);
    bool direct = path.kind == PEER_PATH_DIRECT;
    if (p->done || (!direct && !p->direct))
        return;
    p->direct = direct;
    forward_display_path(p->display, direct ? addr_format(&path.addr, text) : NULL);
    forward_display_round_trip(p->display, path.rtt);
}

static void on_path_changed(struct peer_link *l, const struct peer_path *path, void *ud)
{
    show_path(ud);
}

static void session_up(struct port_forward *p)
{
    p->up = true;
    timer_cancel(&p->wait);
    timer_cancel(&p->retry);
    timer_start(&p->round_trip, ROUND_TRIP_MS * USEC_PER_MSEC);
    forward_display_up(p->display);
    p->direct = false;
    show_path(p);
    forwarder_session_up(p->forwarder);
    check_ready(p);
}

static void session_away(struct port_forward *p, const char *reason)
{
    bool was_up = p->up;
    p->up = false;
    set_reason(p, reason);
    timer_cancel(&p->round_trip);
    forward_display_away(p->display, was_up, p->reason);
    if (was_up)
        forwarder_session_down(p->forwarder, p->reason);
    retry_soon(p);
}

static void denied(struct port_forward *p, const char *reason)
{
    const char *hint = NULL;
    int code = agent_carrier_exit_code(p->carrier, &hint);
    fail(p, code, *reason ? reason : "not allowed", hint);
}

static void on_link_changed(struct peer_link *l, const struct link_status *status, void *ud)
{
    struct port_forward *p = ud;
    const char *reason = status->reason ? status->reason->text : "";
    switch (status->state) {
    case LINK_CONNECTED:
        session_up(p);
        break;
    case LINK_WAITING:
        session_away(p, reason);
        break;
    case LINK_DENIED:
        denied(p, reason);
        break;
    default:
        break;
    }
}

static int start_link(struct port_forward *p)
{
    struct err err = ERR_INIT;
    if (agent_carrier_new(&p->api, &p->options->workspace, &p->carrier, &err) < 0) {
        forward_display_error(p->display, err.text, NULL);
        return EXIT_CODE_FAILURE;
    }
    struct tls_context *tls = agent_carrier_tls(p->carrier);
    const struct lane_client_options lanes = {.tls = tls, .way = find_lane_way, .ud = p};
    /* So that bench/run can measure what lanes bring. */
    if (!getenv("ADIT_NO_LANES"))
        p->lanes = lane_client_new(p->loop, &lanes);
    struct peer_link_options options = {
        .opener = agent_carrier_opener(p->carrier),
        .tls = tls,
        .direct = !p->options->no_direct,
        .changed = on_link_changed,
        .path_changed = on_path_changed,
        .ud = p,
    };
    p->link = peer_link_new(p->loop, &options);
    return 0;
}

/* ---- timers and signals ---- */

static void on_retry(struct timer *t, void *ud)
{
    struct port_forward *p = ud;
    if (p->up)
        return;
    peer_link_retry_now(p->link);
    retry_soon(p);
}

static void on_wait_over(struct timer *t, void *ud)
{
    struct port_forward *p = ud;
    char text[512], seconds[32];
    snprintf(seconds, sizeof(seconds), "%llu s",
             (unsigned long long)(p->options->wait / USEC_PER_SEC));
    snprintf(text, sizeof(text), "%s was not reachable within %s: %s", p->workspace, seconds,
             p->reason);
    fail(p, EXIT_CODE_NOT_REACHABLE, text, NULL);
}

static void on_round_trip(struct timer *t, void *ud)
{
    struct port_forward *p = ud;
    struct peer_path path;
    peer_link_path(p->link, &path);
    forward_display_round_trip(p->display, path.rtt);
    timer_start(t, ROUND_TRIP_MS * USEC_PER_MSEC);
}

static void on_signal(int signum, void *ud)
{
    struct port_forward *p = ud;
    if (signum == SIGWINCH) {
        forward_display_resized(p->display);
        return;
    }
    /* A second one ends the program at once, wherever it is. */
    signal(signum, SIG_DFL);
    finish(p, EXIT_CODE_OK);
}

/* As by nohup(1), or by a shell for its background jobs: then it stays ignored. */
static bool is_ignored(int signum)
{
    struct sigaction action;
    return sigaction(signum, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

static void watch_signals(struct port_forward *p)
{
    const int signals[ARRAY_LEN(p->signals)] = {SIGINT, SIGTERM, SIGHUP, SIGWINCH};
    for (size_t i = 0; i < ARRAY_LEN(p->signals); i++)
        if (!is_ignored(signals[i]))
            p->signals[i] = signal_watch_new(p->loop, signals[i], on_signal, p);
}

static void unwatch_signals(struct port_forward *p)
{
    for (size_t i = 0; i < ARRAY_LEN(p->signals); i++)
        p->signals[i] = signal_watch_free(p->signals[i]);
}

/* ---- one run ---- */

static int open_forwards(struct port_forward *p)
{
    struct err err = ERR_INIT;
    struct forwarder_options options = {
        .auto_port = p->options->auto_port,
        .allow_other_users = p->options->allow_other_users,
        .channels = {.open = open_channel,
                     .cancel = cancel_open,
                     .listen = listen_there,
                     .unlisten = unlisten_there,
                     .lane = watch_channel,
                     .ud = p},
        .event = on_forward_event,
        .ud = p,
    };
    int r = forwarder_open(p->loop, p->options->set, &options, &p->forwarder, &err);
    if (r < 0) {
        forward_display_error(p->display, err.text, NULL);
        return EXIT_CODE_FAILURE;
    }
    return 0;
}

/* Every connection takes a descriptor; the hard limit is the user's to use. */
static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void close_all(struct port_forward *p)
{
    unwatch_signals(p);
    timer_cancel(&p->retry);
    timer_cancel(&p->wait);
    timer_cancel(&p->round_trip);
    forward_display_free(p->display);
    forwarder_free(p->forwarder);
    lane_client_free(p->lanes);
    peer_link_free(p->link);
    /* What the link still has to close goes at the end of a turn. */
    loop_turn(p->loop, false);
    agent_carrier_free(p->carrier);
}

static void run_loop(struct port_forward *p)
{
    set_reason(p, NULL);
    watch_signals(p);
    forward_display_start(p->display, p->forwarder, p->options->set);
    forwarder_start(p->forwarder);
    if (p->options->wait > 0)
        timer_start(&p->wait, p->options->wait);
    loop_run(p->loop);
}

int port_forward_run(struct cli *cli, const struct port_forward_options *options)
{
    struct port_forward p = {.cli = cli, .options = options};
    int code = api_client_open(&p.api, cli);
    if (code != 0)
        return code;
    raise_file_limit();
    p.loop = p.api.loop;
    workspace_ref_format(&options->workspace, p.workspace);
    timer_init(&p.retry, p.loop, on_retry, &p);
    timer_init(&p.wait, p.loop, on_wait_over, &p);
    timer_init(&p.round_trip, p.loop, on_round_trip, &p);
    struct forward_display_options display = {
        .out = &cli->out, .verbose = options->verbose, .workspace = p.workspace};
    p.display = forward_display_new(p.loop, &display);
    p.code = open_forwards(&p);
    if (p.code == 0)
        p.code = start_link(&p);
    if (p.code == 0)
        run_loop(&p);
    close_all(&p);
    api_client_close(&p.api);
    return p.code;
}
