/*
 * Over one session the agent is asked for account and host key while it starts its sshd; bytes pass
 * once both are there.
 *
 * An agent that is near is brought a lane first, whose connection its sshd can have for itself:
 *
 *     settled (the direct path, or none) and measured -> opened, lane asked for -> moved -> bytes
 *
 * Whatever of it does not come about at once leaves the bytes on the session, and the lane for when
 * many pass. Without a time to wait the session is made once: what stands in the way of
 * it is the answer, because ssh has a person or a script waiting who will ask again. With one, what
 * was under way when a session was lost begins anew with the next. Once bytes pass, only the
 * end of their own channel counts, which may be on a direct session. `code` is set once, by
 * finish().
 */
#include "cli/ssh_link.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/error.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "cli/agent_carrier.h"
#include "cli/api_client.h"
#include "cli/ssh_known.h"
#include "cli/ssh_warnings.h"
#include "io/loop.h"
#include "io/pipe_stream.h"
#include "io/relay.h"
#include "io/signal.h"
#include "io/stream.h"
#include "io/timer.h"
#include "tunnel/lane_client.h"
#include "tunnel/lane_stream.h"
#include "tunnel/peer_link.h"
#include "tunnel/session.h"

static const usec_t reach_limit = 30 * USEC_PER_SEC;
/*
 * An SSH connection stays where it was opened, but for lanes: a direct path is worth a moment. In
 * one network it is there by then; further away it would cost the log-in more than it gains.
 */
static const usec_t direct_patience = 50 * USEC_PER_MSEC;
/*
 * A lane at the start costs the log-in three round trips. From here on they are felt, and SSH's
 * window of 2 MiB is what bounds its speed.
 */
static const usec_t near_limit = 3 * USEC_PER_MSEC;
static const usec_t lane_patience = 250 * USEC_PER_MSEC;
/* For what the agent says of a connection that is over: why, or what of it was refused. */
static const usec_t last_words = 300 * USEC_PER_MSEC;

struct ssh_link {
    struct cli *cli;
    const struct ssh_link_options *options;
    struct api_client api;
    struct loop *loop;
    struct agent_carrier *carrier;
    struct peer_link *link;
    struct lane_client *lanes;
    struct timer limit;
    struct signal_watch *hang_up;
    char workspace[WORKSPACE_REF_SIZE];
    const char *key;               /* carrying: the client's public line */
    struct api_ssh_info *info;     /* asking: where to put it */
    bool informed;                 /* nothing to ask for, or not any longer */
    struct tunnel_call *call;      /* until informed */
    struct tunnel_call *measuring; /* carrying: how far away the agent is by the relay */
    struct timer measure_limit;    /* pending: not known yet */
    usec_t measured_since;
    bool near_by_relay;
    bool settled;                  /* nobody waits for the direct path */
    struct channel_open *opening;  /* carrying */
    struct stream *channel;        /* open, until bytes may pass */
    bool lane_first;               /* asked for */
    struct timer lane_limit;       /* pending: bytes wait for the lane */
    struct relay *relay;           /* bytes pass */
    struct ssh_warnings *warnings; /* likewise; NULL: the session has gone, or all is said */
    struct timer last_words;       /* pending: it is over but for them */
    struct err reason;             /* why it is away, while waiting */
    bool done;
    int code;
};

static void finish(struct ssh_link *l, int code)
{
    if (!l->done)
        l->code = code;
    l->done = true;
    loop_stop(l->loop);
}

/* Once bytes have passed: the agent, whose sshd ends by this, may have something to say of it. */
static void part(struct ssh_link *l, int code)
{
    bool began = l->relay || l->channel;
    l->relay = relay_free(l->relay);
    l->channel = stream_free(l->channel);
    timer_cancel(&l->lane_limit);
    if (!began || !l->warnings || l->done) {
        finish(l, code);
        return;
    }
    l->code = code;
    l->done = true;
    timer_start(&l->last_words, last_words);
}

static void nothing_more_said(struct timer *t, void *ud)
{
    struct ssh_link *l = ud;
    finish(l, l->code);
}

static void warnings_ended(struct ssh_warnings *n, void *ud)
{
    struct ssh_link *l = ud;
    l->warnings = ssh_warnings_free(l->warnings);
    if (timer_pending(&l->last_words))
        finish(l, l->code);
}

/* `text` does not say of which workspace. */
static void fail(struct ssh_link *l, int code, const char *text)
{
    if (!l->done)
        output_error(&l->cli->out, "%s: %s", l->workspace, text);
    finish(l, code);
}

static void denied(struct ssh_link *l, const char *text)
{
    const char *hint = NULL;
    int code = agent_carrier_exit_code(l->carrier, &hint);
    output_error(&l->cli->out, "%s", *text ? text : "not allowed");
    if (hint)
        output_hint(&l->cli->out, "%s", hint);
    finish(l, code);
}

static void relay_done(struct relay *r, int result, void *ud)
{
    struct ssh_link *l = ud;
    /* -EPIPE: ssh does not read any more, and is not to be told. */
    if (result < 0 && result != -EPIPE)
        output_error(&l->cli->out, "%s: the connection was lost", l->workspace);
    part(l, result == 0 ? EXIT_CODE_OK : EXIT_CODE_FAILURE);
}

static void listen_for_warnings(struct ssh_link *l)
{
    struct tunnel_session *session = peer_link_session(l->link);
    if (session && !l->warnings)
        l->warnings = ssh_warnings_new(session, &l->cli->out, warnings_ended, l);
}

static void go_on(struct ssh_link *l)
{
    if (l->done || !l->informed || (l->key && !l->channel) || timer_pending(&l->lane_limit))
        return;
    timer_cancel(&l->limit);
    if (!l->key) {
        finish(l, EXIT_CODE_OK);
        return;
    }
    const struct relay_options options = {.b_ends_all = true, .done = relay_done, .ud = l};
    struct stream *own = pipe_stream_new(l->loop, STDIN_FILENO, STDOUT_FILENO);
    l->relay = relay_new(own, steal(&l->channel), &options);
    listen_for_warnings(l);
}

static void lane_came_or_not(bool moved, void *ud)
{
    struct ssh_link *l = ud;
    if (!timer_pending(&l->lane_limit))
        return;
    timer_cancel(&l->lane_limit);
    go_on(l);
}

/* It may come later. */
static void lane_is_late(struct timer *t, void *ud)
{
    go_on(ud);
}

static void channel_opened(struct stream *channel, enum dial_result result, const char *reason,
                           void *ud)
{
    struct ssh_link *l = ud;
    l->opening = NULL;
    if (result == DIAL_UNAVAILABLE && l->options->wait > 0)
        return; /* the next session */
    if (result != DIAL_OK) {
        fail(l, result == DIAL_FORBIDDEN ? EXIT_CODE_NOT_ALLOWED : EXIT_CODE_FAILURE,
             reason && *reason ? reason : dial_result_text(result));
        return;
    }
    l->channel = lane_client_wrap(l->lanes, channel, NULL, NULL);
    lane_stream_leave_tls(l->channel);
    if (l->lane_first && lane_client_ask(l->lanes, l->channel, lane_came_or_not, l)) {
        timer_start(&l->lane_limit, lane_patience);
        listen_for_warnings(l); /* sshd is started after this answer, and may fail to */
    }
    go_on(l);
}

/* ---- what ssh has to know ---- */

static void fail_with_answer(struct ssh_link *l, int status, struct span body)
{
    struct api_error message;
    if (status == 403) {
        fail(l, EXIT_CODE_NOT_ALLOWED, "you may not use SSH there");
    } else if (api_error_read(body, API_LENIENT, &message, NULL) == 0) {
        fail(l, EXIT_CODE_FAILURE, message.message);
        api_error_release(&message);
    } else {
        fail(l, EXIT_CODE_FAILURE, "its agent does not serve SSH: update it");
    }
}

static void keep(struct ssh_link *l, const struct api_ssh_info *info)
{
    struct api_ssh_info before;
    struct err err = ERR_INIT;
    const char *alias = l->options->alias;
    bool known = ssh_known_find(l->api.url, alias, &before);
    l->informed = true;
    if (l->info)
        *l->info = *info;
    if (ssh_known_keep(l->api.url, alias, info, &err) < 0) {
        fail(l, EXIT_CODE_FAILURE, err.text);
    } else if (l->key && known && !str_eq(before.user, info->user)) {
        err_set(&err, 0, "its account is now %s and no longer %s: run it again", info->user,
                before.user);
        fail(l, EXIT_CODE_FAILURE, err.text);
    } else {
        go_on(l);
    }
}

static void info_came(int status, const char *body, size_t len, void *ud)
{
    struct ssh_link *l = ud;
    struct api_ssh_info info;
    l->call = NULL;
    if (status < 0 && status != -ETIMEDOUT && l->options->wait > 0)
        return; /* the next session */
    if (status < 0)
        fail(l, EXIT_CODE_NOT_REACHABLE, "the agent did not answer");
    else if (status != 200)
        fail_with_answer(l, status, span_from(body, len));
    else if (api_ssh_info_read(span_from(body, len), API_LENIENT, &info, NULL) < 0)
        fail(l, EXIT_CODE_FAILURE, "the agent's answer is not understood");
    else
        keep(l, &info);
}

/* ---- the session ---- */

static bool is_near(struct ssh_link *l)
{
    struct peer_path path;
    struct lane_key key;
    peer_link_path(l->link, &path);
    if (path.kind == PEER_PATH_DIRECT)
        return path.rtt > 0 && path.rtt <= near_limit;
    return l->near_by_relay && agent_carrier_lane_key(l->carrier, &key);
}

static void open_channel(struct ssh_link *l)
{
    struct peer_path path;
    peer_link_path(l->link, &path);
    bool known = path.kind == PEER_PATH_DIRECT || !timer_pending(&l->measure_limit);
    if (!l->settled || !known || l->opening || l->channel || l->relay || l->done)
        return;
    timer_cancel(&l->measure_limit);
    l->lane_first = is_near(l);
    const struct channel_target target = {
        .kind = CHANNEL_SSH, .ssh_key = l->key, .lane_first = l->lane_first};
    const struct channel_open_options options = {.opened = channel_opened, .ud = l};
    l->opening = peer_link_open(l->link, &target, &options);
}

static void measured(int status, const char *body, size_t len, void *ud)
{
    struct ssh_link *l = ud;
    l->measuring = NULL;
    if (status < 0)
        return;
    l->near_by_relay = status == 200 && loop_now(l->loop) - l->measured_since <= near_limit;
    timer_cancel(&l->measure_limit);
    open_channel(l);
}

static void measured_as_far(struct timer *t, void *ud)
{
    open_channel(ud);
}

static void settled(struct peer_link *link, void *ud)
{
    struct ssh_link *l = ud;
    l->settled = true;
    if (l->key)
        open_channel(l);
}

static void measure(struct ssh_link *l)
{
    struct tunnel_session *session = peer_link_session(l->link);
    if (l->measuring)
        return;
    l->measured_since = loop_now(l->loop);
    l->measuring = tunnel_session_call(session, "GET", "/session", NULL, measured, l);
    timer_start(&l->measure_limit, near_limit);
}

static void session_up(struct ssh_link *l)
{
    if (!l->informed && !l->call)
        l->call =
            tunnel_session_call(peer_link_session(l->link), "GET", "/ssh", NULL, info_came, l);
    if (l->relay)
        listen_for_warnings(l);
    if (l->done || !l->key || l->opening || l->relay)
        return;
    measure(l);
    open_channel(l);
}

static void session_down(struct ssh_link *l, const struct err *reason)
{
    l->warnings = ssh_warnings_free(l->warnings);
    if (timer_pending(&l->last_words))
        finish(l, l->code);
    if (l->relay || l->done)
        return;
    if (l->options->wait == 0) {
        fail(l, EXIT_CODE_NOT_REACHABLE,
             reason->text[0] ? reason->text : "the connection was lost");
        return;
    }
    if (!str_eq(l->reason.text, reason->text))
        output_warning(&l->cli->out, "%s: %s: waiting", l->workspace, reason->text);
    l->reason = *reason;
    timer_cancel(&l->lane_limit);
    l->channel = stream_free(l->channel);
}

static void link_changed(struct peer_link *link, const struct link_status *status, void *ud)
{
    struct ssh_link *l = ud;
    switch (status->state) {
    case LINK_CONNECTED:
        session_up(l);
        break;
    case LINK_WAITING:
        session_down(l, status->reason);
        break;
    case LINK_DENIED:
        denied(l, status->reason->text);
        break;
    default:
        break;
    }
}

static void took_too_long(struct timer *t, void *ud)
{
    struct ssh_link *l = ud;
    usec_t limit = l->options->wait ? l->options->wait : reach_limit;
    struct err err = ERR_INIT;
    err_set(&err, 0, "not reached within %llu s%s%s", (unsigned long long)(limit / USEC_PER_SEC),
            l->reason.text[0] ? ": " : "", l->reason.text);
    fail(l, EXIT_CODE_NOT_REACHABLE, err.text);
}

static bool find_lane_way(struct tunnel_session *session, struct lane_way *ret, void *ud)
{
    struct ssh_link *l = ud;
    if (getenv("ADIT_NO_LANES"))
        return false;
    return agent_carrier_lane_way(l->carrier, l->link, session, LANE_DIRECT_IF_POSSIBLE, ret);
}

/* ssh has ended. Not at once: why it did may be ours to tell, in this turn of the loop. */
static void hung_up(int signum, void *ud)
{
    part(ud, EXIT_CODE_FAILURE);
}

static int start(struct ssh_link *l)
{
    struct err err = ERR_INIT;
    if (agent_carrier_new(&l->api, l->options->workspace, &l->carrier, &err) < 0)
        return cli_failure(l->cli, &err);
    struct tls_context *tls = agent_carrier_tls(l->carrier);
    const struct lane_client_options lanes = {.tls = tls, .way = find_lane_way, .ud = l};
    l->lanes = lane_client_new(l->loop, &lanes);
    const struct peer_link_options options = {.opener = agent_carrier_opener(l->carrier),
                                              .tls = tls,
                                              .direct = l->key && !l->options->no_direct,
                                              .direct_patience = direct_patience,
                                              .changed = link_changed,
                                              .settled = settled,
                                              .ud = l};
    l->settled = !options.direct;
    l->link = peer_link_new(l->loop, &options);
    timer_start(&l->limit, l->options->wait ? l->options->wait : reach_limit);
    return 0;
}

static void stop(struct ssh_link *l)
{
    timer_cancel(&l->limit);
    timer_cancel(&l->measure_limit);
    timer_cancel(&l->lane_limit);
    timer_cancel(&l->last_words);
    tunnel_call_cancel(l->measuring);
    tunnel_call_cancel(l->call);
    channel_open_cancel(l->opening);
    ssh_warnings_free(l->warnings);
    stream_free(l->channel);
    relay_free(l->relay);
    lane_client_free(l->lanes);
    peer_link_free(l->link);
    /* What the link still has to close goes at the end of a turn. */
    loop_turn(l->loop, false);
    agent_carrier_free(l->carrier);
    signal_watch_free(l->hang_up);
}

static int run(struct ssh_link *l)
{
    int code = api_client_open(&l->api, l->cli);
    if (code != 0)
        return code;
    l->loop = l->api.loop;
    l->informed = !l->options->alias;
    workspace_ref_format(l->options->workspace, l->workspace);
    timer_init(&l->limit, l->loop, took_too_long, l);
    timer_init(&l->measure_limit, l->loop, measured_as_far, l);
    timer_init(&l->lane_limit, l->loop, lane_is_late, l);
    timer_init(&l->last_words, l->loop, nothing_more_said, l);
    struct sigaction hang_up;
    if (sigaction(SIGHUP, NULL, &hang_up) == 0 && hang_up.sa_handler != SIG_IGN) /* nohup */
        l->hang_up = signal_watch_new(l->loop, SIGHUP, hung_up, l);
    l->code = start(l);
    if (l->code == 0)
        loop_run(l->loop);
    stop(l);
    api_client_close(&l->api);
    return l->code;
}

int ssh_link_ask(struct cli *cli, const struct ssh_link_options *options, struct api_ssh_info *ret)
{
    struct ssh_link l = {.cli = cli, .options = options, .info = ret};
    return run(&l);
}

int ssh_link_carry(struct cli *cli, const struct ssh_link_options *options, const char *key)
{
    struct ssh_link l = {.cli = cli, .options = options, .key = key};
    return run(&l);
}
