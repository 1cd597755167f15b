/*
 *     CONNECTING -> FOLLOWING -> (the stream ends) -> WAITING -> CONNECTING
 *
 * On each connect the server tells every topic, so that nothing of before has to be kept in mind.
 */
#include "cli/watch.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/routes.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "io/loop.h"
#include "io/signal.h"
#include "io/timer.h"
#include "proto/sse.h"

enum { EVENT_MAX_LEN = 6 << 20 };

static const usec_t first_pause = 500 * USEC_PER_MSEC;
static const usec_t longest_pause = 10 * USEC_PER_SEC;
static const usec_t redraw_interval = 10 * USEC_PER_SEC;

struct watch {
    struct api_client *client;
    struct watch_options o;
    char *path;
    struct api_call *call;
    struct sse_reader reader;
    json_t *state; /* topic: its last event */
    bool fresh;    /* it has changed since it was drawn */
    bool away;     /* and said so */
    usec_t pause;
    struct timer retry;
    struct timer redraw; /* on a terminal */
    bool done;
    int code;
};

/* ---- showing ---- */

static void print_event(struct watch *w, const char *name, json_t *data)
{
    json_t *line = json_pack("{s:s, s:O}", "event", name, "data", data);
    output_json_line(&w->client->cli->out, line);
    json_decref(line);
}

static bool is_complete(const struct watch *w)
{
    for (const char *const *topic = w->o.topics; *topic; topic++)
        if (!json_object_get(w->state, *topic))
            return false;
    return true;
}

/* Rows that it takes on the screen, of which a style takes nothing. */
static size_t rows_of(const char *line, unsigned width)
{
    size_t columns = output_columns(line);
    for (const char *c = strchr(line, '\033'); c; c = strchr(c + 1, '\033'))
        columns -= strcspn(c, "m") + 1;
    return columns ? (columns + width - 1) / width : 1;
}

/* As many of its lines as there is room for; a line may be wider than the screen. */
static void print_top(struct output *out, const char *picture)
{
    unsigned width = output_width(out->out, 80), room = output_height(out->out, 24) - 1;
    struct span rest = span_of(picture), line;
    size_t left = 0, used = 0;
    fputs("\033[H\033[2J", out->out);
    while (span_split(&rest, '\n', &line) && (line.len > 0 || rest.len > 0)) {
        _cleanup_free_ char *text = span_dup(line);
        used += rows_of(text, width);
        if (left > 0 || used + (rest.len > 0) > room)
            left++;
        else
            fprintf(out->out, "%s\n", text);
    }
    if (left > 0)
        fprintf(out->out, "... and %zu more line%s; without --watch all are shown\n", left,
                left == 1 ? "" : "s");
    fflush(out->out);
}

/* The picture is made whole first, so that it does not flicker, with its hints in it. */
static void draw_screen(struct watch *w)
{
    struct output *out = &w->client->cli->out, real = *out;
    char *picture = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&picture, &len);
    if (!f)
        return;
    out->width = output_width(real.out, 80);
    out->out = f;
    if (real.err_tty)
        out->err = f;
    w->o.draw(w->client->cli, w->state, w->o.ud);
    *out = real;
    if (fclose(f) == 0)
        print_top(out, picture);
    free(picture);
}

static void draw(struct watch *w)
{
    struct output *out = &w->client->cli->out;
    if (out->json || !w->fresh || !is_complete(w))
        return;
    w->fresh = false;
    if (isatty(fileno(out->out))) {
        draw_screen(w);
        return;
    }
    w->o.draw(w->client->cli, w->state, w->o.ud);
    fputc('\n', out->out);
    fflush(out->out);
}

bool watch_read(const json_t *state, const char *topic, const struct api_type *type, void *ret)
{
    char *text = json_dumps(json_object_get(state, topic), JSON_COMPACT);
    bool good = text && api_read(type, span_of(text), API_LENIENT, ret, NULL) == 0;
    free(text);
    return good;
}

static bool matters(const struct watch *w, const char *name, const json_t *data)
{
    const char *agent = json_string_value(json_object_get(data, "agent"));
    if (w->o.agent && agent && !str_eq(agent, w->o.agent))
        return false;
    for (const char *const *topic = w->o.topics; *topic; topic++)
        if (str_eq(name, *topic))
            return true;
    return false;
}

/* ---- the stream ---- */

static void tell_back(struct watch *w)
{
    w->pause = first_pause;
    if (!w->away)
        return;
    w->away = false;
    if (w->client->cli->out.json)
        print_event(w, "connected", json_null());
    else
        output_warning(&w->client->cli->out, "the server is back");
}

static bool on_event(struct span name, struct span data, void *ud)
{
    struct watch *w = ud;
    _cleanup_free_ char *topic = span_dup(name);
    json_t *value = json_loadb(data.p, data.len, 0, NULL);
    tell_back(w);
    if (json_is_object(value) && matters(w, topic, value)) {
        json_object_set(w->state, topic, value);
        w->fresh = true;
        if (w->client->cli->out.json)
            print_event(w, topic, value);
    }
    json_decref(value);
    return true;
}

static void try_again_later(struct watch *w, const char *reason)
{
    timer_start(&w->retry, w->pause);
    w->pause = 2 * w->pause < longest_pause ? 2 * w->pause : longest_pause;
    if (w->away)
        return;
    w->away = true;
    if (w->client->cli->out.json) {
        json_t *data = json_pack("{s:s}", "reason", reason);
        print_event(w, "away", data);
        json_decref(data);
    } else {
        output_warning(&w->client->cli->out, "%s; trying again", reason);
    }
}

static void on_piece(struct span piece, void *ud)
{
    struct watch *w = ud;
    if (sse_reader_feed(&w->reader, piece, on_event, w) < 0) {
        w->call = api_call_cancel(w->call);
        try_again_later(w, "the server's events are not understood");
        return;
    }
    draw(w);
}

static void on_answered(enum api_outcome outcome, struct span body, const struct err *err, void *ud)
{
    struct watch *w = ud;
    w->call = NULL;
    if (outcome == API_DONE) {
        try_again_later(w, "the server has ended the stream of events");
    } else if (outcome == API_AWAY) {
        try_again_later(w, err->text);
    } else {
        w->code = api_outcome_print(w->client, outcome, err);
        w->done = true;
    }
}

static void connect_now(struct watch *w)
{
    sse_reader_deinit(&w->reader);
    sse_reader_init(&w->reader, EVENT_MAX_LEN);
    w->call = api_call_stream(w->client, w->path, on_piece, on_answered, w);
    if (!w->call) {
        w->code = EXIT_CODE_FAILURE;
        w->done = true;
    }
}

static void on_retry(struct timer *t, void *ud)
{
    connect_now(ud);
}

/* What is said of "5 min ago" grows old. The line that says that the server is away stays. */
static void draw_again(struct watch *w)
{
    timer_start(&w->redraw, redraw_interval);
    if (w->away)
        return;
    w->fresh = true;
    draw(w);
}

static void on_redraw(struct timer *t, void *ud)
{
    draw_again(ud);
}

static void on_resized(int signum, void *ud)
{
    draw_again(ud);
}

static void on_signal(int signum, void *ud)
{
    ((struct watch *)ud)->done = true;
}

int watch_run(struct api_client *c, const struct watch_options *options)
{
    struct watch w = {.client = c, .o = *options, .pause = first_pause, .state = json_object()};
    w.path = options->workspace
                 ? xasprintf("%s/events?workspace=%s", API_PREFIX, options->workspace)
                 : xstrdup(API_PREFIX "/events");
    timer_init(&w.retry, c->loop, on_retry, &w);
    timer_init(&w.redraw, c->loop, on_redraw, &w);
    bool on_screen = !c->cli->out.json && isatty(fileno(c->cli->out.out));
    struct signal_watch *resized =
        on_screen ? signal_watch_new(c->loop, SIGWINCH, on_resized, &w) : NULL;
    if (on_screen)
        timer_start(&w.redraw, redraw_interval);
    struct signal_watch *interrupted = signal_watch_new(c->loop, SIGINT, on_signal, &w);
    struct signal_watch *terminated = signal_watch_new(c->loop, SIGTERM, on_signal, &w);
    connect_now(&w);
    while (!w.done)
        loop_turn(c->loop, true);
    api_call_cancel(w.call);
    timer_cancel(&w.retry);
    timer_cancel(&w.redraw);
    signal_watch_free(resized);
    signal_watch_free(interrupted);
    signal_watch_free(terminated);
    sse_reader_deinit(&w.reader);
    json_decref(w.state);
    free(w.path);
    return w.code;
}
