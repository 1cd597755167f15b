/*
 * A ping is a request that the agent answers at once (GET /session), on the session that a new
 * connection would take at that moment: relayed at first, direct as soon as that is up. `code` is
 * set once, by finish().
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "cli/agent_carrier.h"
#include "cli/api_client.h"
#include "cli/cli.h"
#include "cli/text.h"
#include "io/loop.h"
#include "io/signal.h"
#include "io/timer.h"
#include "model/workspace_ref.h"
#include "tunnel/peer_link.h"
#include "tunnel/session.h"

enum { COUNT_MAX = 1000000 };

static const usec_t ping_interval = USEC_PER_SEC;
static const usec_t answer_limit = 5 * USEC_PER_SEC;
static const usec_t reach_limit = 10 * USEC_PER_SEC;

struct ping {
    struct cli *cli;
    struct workspace_ref ref;
    uint64_t count; /* 0: for ever */
    bool no_direct;

    struct api_client api;
    struct loop *loop;
    struct agent_carrier *carrier;
    struct peer_link *link;
    struct tunnel_call *call;
    struct timer next, limit, reach;
    struct signal_watch *signals[2];
    char workspace[WORKSPACE_REF_SIZE];
    char reason[256];

    usec_t began_at, asked_at; /* monotonic */
    struct peer_path path;     /* of the ping under way */
    uint64_t n_sent, n_answered;
    usec_t least, most, sum;
    bool was_direct, done;
    int code;
};

static void finish(struct ping *p, int code)
{
    if (!p->done)
        p->code = code;
    p->done = true;
    loop_stop(p->loop);
}

static int final_code(const struct ping *p)
{
    return p->n_answered > 0 || p->n_sent == 0 ? EXIT_CODE_OK : EXIT_CODE_NOT_REACHABLE;
}

/* ---- what is shown ---- */

static const char *path_text(const struct peer_path *path, char dst[static ADDR_TEXT_LEN + 16])
{
    char addr[ADDR_TEXT_LEN];
    if (path->kind == PEER_PATH_DIRECT)
        snprintf(dst, ADDR_TEXT_LEN + 16, "direct %s", addr_format(&path->addr, addr));
    else
        snprintf(dst, ADDR_TEXT_LEN + 16, "relayed via server");
    return dst;
}

static json_t *event_named(const char *name)
{
    char now[CLOCK_TEXT_LEN];
    json_t *event = json_object();
    json_object_set_new(event, "time", json_string(clock_format(clock_realtime(), now)));
    json_object_set_new(event, "event", json_string(name));
    return event;
}

static void set_path(json_t *event, const struct peer_path *path)
{
    char addr[ADDR_TEXT_LEN];
    bool direct = path->kind == PEER_PATH_DIRECT;
    json_object_set_new(event, "path", json_string(direct ? "direct" : "relayed"));
    json_object_set_new(event, "address",
                        direct ? json_string(addr_format(&path->addr, addr)) : json_null());
}

static void print_event(struct ping *p, json_t *event)
{
    output_json_line(&p->cli->out, event);
    json_decref(event);
}

static void show_answer(struct ping *p, usec_t rtt)
{
    char path[ADDR_TEXT_LEN + 16], text[TEXT_SIZE];
    if (p->cli->out.json) {
        json_t *event = event_named("pong");
        json_object_set_new(event, "seq", json_integer((json_int_t)p->n_sent));
        set_path(event, &p->path);
        json_object_set_new(event, "rtt_ms", json_real((double)rtt / USEC_PER_MSEC));
        print_event(p, event);
        return;
    }
    output_line(&p->cli->out, "%s: %s, %s", p->workspace, path_text(&p->path, path),
                text_duration(rtt, text));
    fflush(p->cli->out.out);
}

static void show_lost(struct ping *p)
{
    char path[ADDR_TEXT_LEN + 16];
    if (p->cli->out.json) {
        json_t *event = event_named("lost");
        json_object_set_new(event, "seq", json_integer((json_int_t)p->n_sent));
        set_path(event, &p->path);
        print_event(p, event);
        return;
    }
    output_line(&p->cli->out, "%s: %s, no answer", p->workspace, path_text(&p->path, path));
    fflush(p->cli->out.out);
}

static void show_path(struct ping *p, const struct peer_path *path)
{
    char addr[ADDR_TEXT_LEN], after[TEXT_SIZE];
    usec_t elapsed = clock_monotonic() - p->began_at;
    bool direct = path->kind == PEER_PATH_DIRECT;
    if (p->cli->out.json) {
        json_t *event = event_named("path");
        set_path(event, path);
        json_object_set_new(event, "after_ms", json_integer(elapsed / USEC_PER_MSEC));
        print_event(p, event);
        return;
    }
    text_duration(elapsed, after);
    if (direct)
        output_line(&p->cli->out, "%s: now direct, at %s, after %s", p->workspace,
                    addr_format(&path->addr, addr), after);
    else
        output_line(&p->cli->out, "%s: not direct any longer, after %s", p->workspace, after);
    fflush(p->cli->out.out);
}

static void show_waiting(struct ping *p)
{
    if (p->cli->out.json) {
        json_t *event = event_named("waiting");
        json_object_set_new(event, "reason", json_string(p->reason));
        print_event(p, event);
        return;
    }
    output_warning(&p->cli->out, "waiting for %s: %s", p->workspace, p->reason);
}

static void show_summary(struct ping *p)
{
    char least[TEXT_SIZE], mean[TEXT_SIZE], most[TEXT_SIZE];
    usec_t average = p->n_answered ? p->sum / (usec_t)p->n_answered : 0;
    if (p->n_sent == 0)
        return;
    if (p->cli->out.json) {
        json_t *event = event_named("summary");
        json_object_set_new(event, "sent", json_integer((json_int_t)p->n_sent));
        json_object_set_new(event, "answered", json_integer((json_int_t)p->n_answered));
        json_object_set_new(event, "min_ms", json_real((double)p->least / USEC_PER_MSEC));
        json_object_set_new(event, "mean_ms", json_real((double)average / USEC_PER_MSEC));
        json_object_set_new(event, "max_ms", json_real((double)p->most / USEC_PER_MSEC));
        print_event(p, event);
        return;
    }
    output_line(&p->cli->out, "%llu sent, %llu answered; round trip %s least, %s mean, %s most",
                (unsigned long long)p->n_sent, (unsigned long long)p->n_answered,
                text_duration(p->least, least), text_duration(average, mean),
                text_duration(p->most, most));
}

/* ---- pings ---- */

static void end_ping(struct ping *p)
{
    timer_cancel(&p->limit);
    if (p->count > 0 && p->n_sent >= p->count) {
        finish(p, final_code(p));
        return;
    }
    usec_t since = clock_monotonic() - p->asked_at;
    timer_start(&p->next, since < ping_interval ? ping_interval - since : 0);
}

static void lost(struct ping *p)
{
    if (p->call)
        p->call = tunnel_call_cancel(p->call);
    show_lost(p);
    end_ping(p);
}

static void answered(int status, const char *body, size_t len, void *ud)
{
    struct ping *p = ud;
    usec_t rtt = clock_monotonic() - p->asked_at;
    p->call = NULL;
    if (status < 0) {
        lost(p);
        return;
    }
    p->n_answered++;
    p->sum += rtt;
    if (p->least == 0 || rtt < p->least)
        p->least = rtt;
    if (rtt > p->most)
        p->most = rtt;
    show_answer(p, rtt);
    end_ping(p);
}

static void no_answer(struct timer *t, void *ud)
{
    lost(ud);
}

/* While there is no session the next one starts the pings again. */
static void ask(struct timer *t, void *ud)
{
    struct ping *p = ud;
    struct tunnel_session *session = peer_link_best_session(p->link);
    if (!session || p->call)
        return;
    peer_link_path(p->link, &p->path);
    p->n_sent++;
    p->asked_at = clock_monotonic();
    p->call = tunnel_session_call(session, "GET", "/session", NULL, answered, p);
    timer_start(&p->limit, answer_limit);
}

/* ---- the link ---- */

static void denied(struct ping *p, const char *text)
{
    const char *hint = NULL;
    int code = agent_carrier_exit_code(p->carrier, &hint);
    output_error(&p->cli->out, "%s", *text ? text : "not allowed");
    if (hint)
        output_hint(&p->cli->out, "%s", hint);
    finish(p, code);
}

static void away(struct ping *p, const char *reason)
{
    bool same = str_eq(p->reason, reason);
    str_copy(p->reason, sizeof(p->reason), reason);
    if (p->call)
        lost(p);
    if (!p->done && !same)
        show_waiting(p);
}

static void link_changed(struct peer_link *l, const struct link_status *status, void *ud)
{
    struct ping *p = ud;
    const char *reason = status->reason ? status->reason->text : "";
    if (status->state == LINK_CONNECTED) {
        p->reason[0] = '\0';
        timer_cancel(&p->reach);
        if (!p->call && !timer_pending(&p->next))
            timer_start(&p->next, 0);
    } else if (status->state == LINK_WAITING) {
        away(p, reason);
    } else if (status->state == LINK_DENIED) {
        denied(p, reason);
    }
}

static void path_changed(struct peer_link *l, const struct peer_path *path, void *ud)
{
    struct ping *p = ud;
    bool direct = path->kind == PEER_PATH_DIRECT;
    if (p->done || (!direct && !p->was_direct))
        return;
    p->was_direct = direct;
    if (path->kind != PEER_PATH_NONE)
        show_path(p, path);
    if (!p->call && !timer_pending(&p->next))
        timer_start(&p->next, 0);
}

static void not_reached(struct timer *t, void *ud)
{
    struct ping *p = ud;
    output_error(&p->cli->out, "%s was not reached within 10 s: %s", p->workspace,
                 p->reason[0] ? p->reason : "not connected yet");
    finish(p, EXIT_CODE_NOT_REACHABLE);
}

static void on_signal(int signum, void *ud)
{
    signal(signum, SIG_DFL); /* a second one ends the program at once */
    finish(ud, EXIT_CODE_OK);
}

/* ---- one run ---- */

static int start(struct ping *p)
{
    struct err err = ERR_INIT;
    if (agent_carrier_new(&p->api, &p->ref, &p->carrier, &err) < 0)
        return cli_failure(p->cli, &err);
    const struct peer_link_options options = {.opener = agent_carrier_opener(p->carrier),
                                              .tls = agent_carrier_tls(p->carrier),
                                              .direct = !p->no_direct,
                                              .changed = link_changed,
                                              .path_changed = path_changed,
                                              .ud = p};
    p->link = peer_link_new(p->loop, &options);
    p->signals[0] = signal_watch_new(p->loop, SIGINT, on_signal, p);
    p->signals[1] = signal_watch_new(p->loop, SIGTERM, on_signal, p);
    if (p->count > 0)
        timer_start(&p->reach, reach_limit);
    return 0;
}

static void stop(struct ping *p)
{
    signal_watch_free(p->signals[0]);
    signal_watch_free(p->signals[1]);
    timer_cancel(&p->next);
    timer_cancel(&p->limit);
    timer_cancel(&p->reach);
    if (p->call)
        tunnel_call_cancel(p->call);
    peer_link_free(p->link);
    /* What the link still has to close goes at the end of a turn. */
    loop_turn(p->loop, false);
    agent_carrier_free(p->carrier);
}

static int read_options(struct ping *p)
{
    struct err err = ERR_INIT;
    const struct args *args = &p->cli->args;
    if (workspace_ref_parse(span_of(args->words[0]), &p->ref, &err) < 0 ||
        args_number(args, "count", 1, COUNT_MAX, 0, &p->count, &err) < 0)
        return cli_usage_error(p->cli, &err);
    p->no_direct = args_has(args, "no-direct");
    return 0;
}

static int run(struct cli *cli)
{
    struct ping p = {.cli = cli};
    int code = read_options(&p);
    if (code == 0)
        code = api_client_open(&p.api, cli);
    if (code != 0)
        return code;
    p.loop = p.api.loop;
    p.began_at = clock_monotonic();
    workspace_ref_format(&p.ref, p.workspace);
    timer_init(&p.next, p.loop, ask, &p);
    timer_init(&p.limit, p.loop, no_answer, &p);
    timer_init(&p.reach, p.loop, not_reached, &p);
    p.code = start(&p);
    if (p.code == 0) {
        loop_run(p.loop);
        show_summary(&p);
    }
    stop(&p);
    api_client_close(&p.api);
    return p.code;
}

static const struct option options[] = {
    {.name = "count",
     .letter = 'c',
     .kind = OPTION_VALUE,
     .value = "N",
     .help = "End after N pings. Default: at SIGINT."},
    {.name = "no-direct", .kind = OPTION_FLAG, .help = "Use the server's relay only."},
    {0},
};

const struct command cmd_ping = {
    .name = "ping",
    .words = "[OWNER/]WORKSPACE[.AGENT]",
    .summary = "Show how a workspace is reached, and how fast",
    .about = "Asks the agent once a second over the way that a new forwarded connection would "
             "take, and shows it: direct with the agent's address, or relayed by the server. The "
             "session begins on the relay; the moment it becomes direct is told.",
    .examples = "adit ping dev\nadit ping dev -c 3 --output json",
    .exits = "4  the agent was not reached within 10 s (with --count), or answered no ping",
    .traits = COMMAND_API | COMMAND_OUTPUT | COMMAND_WORKSPACE,
    .min_words = 1,
    .max_words = 1,
    .options = options,
    .run = run,
};
