/*
 * One channel after the other on the session that a forward would take: zeros from the agent for
 * so long, then zeros to it, which ends with the agent's word that it has all of them. Both may
 * move to a bulk lane on their way, as a forward does. `code` is set once, by finish().
 */
#include <errno.h>
#include <signal.h>

#include "cli/agent_carrier.h"
#include "cli/api_client.h"
#include "cli/text.h"
#include "io/loop.h"
#include "io/signal.h"
#include "io/stream.h"
#include "io/timer.h"
#include "model/workspace_ref.h"
#include "tunnel/lane_client.h"
#include "tunnel/peer_link.h"

enum { SECONDS_MAX = 60, SECONDS_DEFAULT = 5, BYTES_PER_CALL = 1 << 20 };

static const usec_t reach_limit = 10 * USEC_PER_SEC;
/* The test is of the way that lasts: a direct one may take a moment. */
static const usec_t direct_patience = USEC_PER_SEC;

struct measured {
    uint64_t bytes;
    usec_t took; /* 0: not measured */
};

struct speedtest {
    struct cli *cli;
    struct workspace_ref ref;
    uint64_t seconds;
    bool no_direct;

    struct api_client api;
    struct loop *loop;
    struct agent_carrier *carrier;
    struct peer_link *link;
    struct lane_client *lanes;
    struct channel_open *opening;
    struct stream *channel;
    struct timer limit; /* to be reached, or until the end of the direction */
    struct signal_watch *signals[2];
    char workspace[WORKSPACE_REF_SIZE];
    char reason[256];
    struct peer_path path;
    bool lane;

    bool up;     /* the direction that is measured now */
    bool ending; /* up: all is sent, the agent's word is missing */
    usec_t began;
    struct measured result[2]; /* down, up */
    bool done;
    int code;
};

static void finish(struct speedtest *t, int code)
{
    if (!t->done)
        t->code = code;
    t->done = true;
    loop_stop(t->loop);
}

static void fail(struct speedtest *t, int code, const char *text)
{
    if (!t->done)
        output_error(&t->cli->out, "%s: %s", t->workspace, text);
    finish(t, code);
}

/* ---- a direction ---- */

static void open_next(struct speedtest *t);

static void end_direction(struct speedtest *t)
{
    struct measured *m = &t->result[t->up];
    timer_cancel(&t->limit);
    m->took = clock_monotonic() - t->began;
    t->channel = stream_free(t->channel);
    if (t->up) {
        finish(t, EXIT_CODE_OK);
        return;
    }
    t->up = true;
    open_next(t);
}

static void receive(struct speedtest *t)
{
    ssize_t n = 1;
    for (size_t all = 0; n > 0 && all < BYTES_PER_CALL; all += (size_t)n) {
        n = stream_recv(t->channel, loop_scratch(t->loop), LOOP_SCRATCH_LEN);
        if (n > 0)
            t->result[t->up].bytes += (uint64_t)n;
        else
            break;
    }
    if (n == 0 && t->ending)
        end_direction(t);
    else if (n == 0 || (n < 0 && n != -EAGAIN))
        fail(t, EXIT_CODE_FAILURE, "the connection was lost");
}

static void send_zeros(struct speedtest *t)
{
    static const unsigned char zeros[65536];
    for (size_t all = 0; all < BYTES_PER_CALL;) {
        ssize_t n = stream_send_bytes(t->channel, zeros, sizeof(zeros));
        if (n == -EAGAIN)
            return;
        if (n < 0) {
            fail(t, EXIT_CODE_FAILURE, "the connection was lost");
            return;
        }
        t->result[1].bytes += (uint64_t)n;
        all += (size_t)n;
    }
}

static void ready(struct stream *s, unsigned events, void *ud)
{
    struct speedtest *t = ud;
    if (t->up && !t->ending)
        send_zeros(t);
    else
        receive(t);
}

static void time_is_over(struct timer *timer, void *ud)
{
    struct speedtest *t = ud;
    if (!t->channel) {
        fail(t, EXIT_CODE_NOT_REACHABLE, t->reason[0] ? t->reason : "not reached within 10 s");
    } else if (!t->up) {
        end_direction(t);
    } else if (!t->ending) {
        t->ending = true;
        stream_shutdown(t->channel);
        stream_want(t->channel, STREAM_READ);
        timer_start(&t->limit, reach_limit);
    } else {
        fail(t, EXIT_CODE_FAILURE, "the agent did not say that it has all of it");
    }
}

static void moved(void *ud)
{
    ((struct speedtest *)ud)->lane = true;
}

static void opened(struct stream *channel, enum dial_result result, const char *reason, void *ud)
{
    struct speedtest *t = ud;
    t->opening = NULL;
    if (result == DIAL_UNSUPPORTED) {
        fail(t, EXIT_CODE_FAILURE, "its agent knows no speed tests: update it");
        return;
    }
    if (result != DIAL_OK) {
        fail(t, result == DIAL_FORBIDDEN ? EXIT_CODE_NOT_ALLOWED : EXIT_CODE_FAILURE,
             reason && *reason ? reason : dial_result_text(result));
        return;
    }
    peer_link_path(t->link, &t->path);
    t->channel = lane_client_wrap(t->lanes, channel, moved, t);
    t->began = clock_monotonic();
    timer_start(&t->limit, (usec_t)t->seconds * USEC_PER_SEC);
    stream_set_ready(t->channel, ready, t);
    stream_want(t->channel, t->up ? STREAM_WRITE : STREAM_READ);
}

static void open_next(struct speedtest *t)
{
    const struct channel_target target = {.kind = CHANNEL_SPEEDTEST, .down = !t->up};
    const struct channel_open_options options = {.opened = opened, .ud = t};
    timer_start(&t->limit, reach_limit);
    t->opening = peer_link_open(t->link, &target, &options);
}

/* ---- the link ---- */

static void link_changed(struct peer_link *link, const struct link_status *status, void *ud)
{
    struct speedtest *t = ud;
    const char *hint = NULL;
    if (status->reason)
        str_copy(t->reason, sizeof(t->reason), status->reason->text);
    if (status->state != LINK_DENIED)
        return;
    int code = agent_carrier_exit_code(t->carrier, &hint);
    output_error(&t->cli->out, "%s", t->reason[0] ? t->reason : "not allowed");
    if (hint)
        output_hint(&t->cli->out, "%s", hint);
    finish(t, code);
}

static bool find_lane_way(struct tunnel_session *session, struct lane_way *ret, void *ud)
{
    struct speedtest *t = ud;
    return agent_carrier_lane_way(t->carrier, t->link, session, LANE_WHERE_IT_IS, ret);
}

static void interrupted(int signum, void *ud)
{
    signal(signum, SIG_DFL); /* a second one ends the program at once */
    finish(ud, EXIT_CODE_OK);
}

/* ---- what is shown ---- */

static double per_second(const struct measured *m)
{
    return m->took ? (double)m->bytes * USEC_PER_SEC / (double)m->took : 0;
}

static json_t *measured_json(const struct measured *m)
{
    if (!m->took)
        return json_null();
    return json_pack("{s:I, s:f, s:f}", "bytes", (json_int_t)m->bytes, "seconds",
                     (double)m->took / USEC_PER_SEC, "bytes_per_second", per_second(m));
}

static void print_json(struct speedtest *t)
{
    char addr[ADDR_TEXT_LEN];
    bool direct = t->path.kind == PEER_PATH_DIRECT;
    json_t *o = json_object();
    json_object_set_new(o, "workspace", json_string(t->workspace));
    json_object_set_new(o, "path", json_string(direct ? "direct" : "relayed"));
    json_object_set_new(o, "address",
                        direct ? json_string(addr_format(&t->path.addr, addr)) : json_null());
    json_object_set_new(o, "lane", json_boolean(t->lane));
    json_object_set_new(o, "down", measured_json(&t->result[0]));
    json_object_set_new(o, "up", measured_json(&t->result[1]));
    output_json(&t->cli->out, o);
    json_decref(o);
}

static void print_line(struct speedtest *t, const char *name, const struct measured *m)
{
    char rate[TEXT_SIZE], bytes[TEXT_SIZE], took[TEXT_SIZE];
    if (m->took)
        output_line(&t->cli->out, "%-5s %s/s (%.0f Mbit/s): %s in %s", name,
                    text_bytes(per_second(m), rate), per_second(m) * 8 / 1e6,
                    text_bytes((double)m->bytes, bytes), text_duration(m->took, took));
}

static void print_text(struct speedtest *t)
{
    char addr[ADDR_TEXT_LEN];
    bool direct = t->path.kind == PEER_PATH_DIRECT;
    output_line(&t->cli->out, "%s: %s%s%s", t->workspace,
                direct ? "direct " : "relayed by the server",
                direct ? addr_format(&t->path.addr, addr) : "", t->lane ? ", on a bulk lane" : "");
    print_line(t, "down", &t->result[0]);
    print_line(t, "up", &t->result[1]);
}

/* ---- one run ---- */

static int start(struct speedtest *t)
{
    struct err err = ERR_INIT;
    if (agent_carrier_new(&t->api, &t->ref, &t->carrier, &err) < 0)
        return cli_failure(t->cli, &err);
    struct tls_context *tls = agent_carrier_tls(t->carrier);
    const struct lane_client_options lanes = {.tls = tls, .way = find_lane_way, .ud = t};
    t->lanes = lane_client_new(t->loop, &lanes);
    const struct peer_link_options options = {.opener = agent_carrier_opener(t->carrier),
                                              .tls = tls,
                                              .direct = !t->no_direct,
                                              .direct_patience = direct_patience,
                                              .changed = link_changed,
                                              .ud = t};
    t->link = peer_link_new(t->loop, &options);
    t->signals[0] = signal_watch_new(t->loop, SIGINT, interrupted, t);
    t->signals[1] = signal_watch_new(t->loop, SIGTERM, interrupted, t);
    open_next(t);
    return 0;
}

static void stop(struct speedtest *t)
{
    signal_watch_free(t->signals[0]);
    signal_watch_free(t->signals[1]);
    timer_cancel(&t->limit);
    channel_open_cancel(t->opening);
    stream_free(t->channel);
    lane_client_free(t->lanes);
    peer_link_free(t->link);
    /* What the link still has to close goes at the end of a turn. */
    loop_turn(t->loop, false);
    agent_carrier_free(t->carrier);
}

static int read_options(struct speedtest *t)
{
    struct err err = ERR_INIT;
    const struct args *args = &t->cli->args;
    if (workspace_ref_parse(span_of(args->words[0]), &t->ref, &err) < 0 ||
        args_number(args, "time", 1, SECONDS_MAX, SECONDS_DEFAULT, &t->seconds, &err) < 0)
        return cli_usage_error(t->cli, &err);
    t->no_direct = args_has(args, "no-direct");
    return 0;
}

static int run(struct cli *cli)
{
    struct speedtest t = {.cli = cli};
    int code = read_options(&t);
    if (code == 0)
        code = api_client_open(&t.api, cli);
    if (code != 0)
        return code;
    t.loop = t.api.loop;
    workspace_ref_format(&t.ref, t.workspace);
    timer_init(&t.limit, t.loop, time_is_over, &t);
    t.code = start(&t);
    if (t.code == 0) {
        loop_run(t.loop);
        if (t.result[0].took && cli->out.json)
            print_json(&t);
        else if (t.result[0].took)
            print_text(&t);
    }
    stop(&t);
    api_client_close(&t.api);
    return t.code;
}

static const struct option options[] = {
    {.name = "time",
     .letter = 't',
     .kind = OPTION_VALUE,
     .value = "SECONDS",
     .help = "How long each direction is measured: 1 to 60. Default: 5."},
    {.name = "no-direct", .kind = OPTION_FLAG, .help = "Use the server's relay only."},
    {0},
};

const struct command cmd_speedtest = {
    .name = "speedtest",
    .words = "[OWNER/]WORKSPACE[.AGENT]",
    .summary = "Measure how fast bytes come from a workspace and go there",
    .about = "Moves zeros from the agent for some seconds and then to it, over the way that a "
             "forward would take: direct where that is possible, with a bulk lane. It uses the "
             "line as much as it can.",
    .examples = "adit speedtest dev\nadit speedtest dev -t 10 --no-direct --output json",
    .exits = "4  the agent was not reached within 10 s",
    .traits = COMMAND_API | COMMAND_OUTPUT | COMMAND_WORKSPACE,
    .min_words = 1,
    .max_words = 1,
    .options = options,
    .run = run,
};
