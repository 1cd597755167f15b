/*
 * The block is drawn below everything else. Before a message is printed, and before it is drawn
 * anew, the cursor goes up over the rows that it takes (counted with the terminal's present width,
 * since a narrower window has wrapped them) and everything below is cleared.
 */
#include "cli/forward_display.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/span.h"
#include "cli/forward_text.h"
#include "cli/text.h"
#include "io/addr.h"
#include "io/loop.h"

enum {
    REDRAW_MS = 500,
    ROWS_MAX = 64,
    LINE_TEXT_MAX = 1024,
    NAME_MIN = 24,
    NUMBERS_WIDTH = 44, /* "  1 open/12  in 1.5 MiB +99 KiB/s  out 1 KiB" and the like */
};

struct rate {
    uint64_t received, sent; /* at the last drawing */
    double received_per_sec, sent_per_sec;
};

struct forward_display {
    struct loop *loop;
    struct output *out;
    struct forward_display_options options;
    const struct forwarder *forwarder;
    const struct forward_set *set;
    struct rate *rates;
    bool live; /* draws the block */
    bool up;
    char direct[ADDR_TEXT_LEN]; /* the agent's address; "": relayed */
    char reason[256];
    usec_t rtt;
    usec_t drawn_at;
    struct timer redraw;
    size_t columns[ROWS_MAX]; /* of each line of the block that stands there now */
    size_t n_lines;
};

static void draw(struct forward_display *d);

/* ---- the block ---- */

static unsigned terminal_rows(const struct output *out)
{
    struct winsize size;
    if (ioctl(fileno(out->out), TIOCGWINSZ, &size) == 0 && size.ws_row > 0)
        return size.ws_row;
    return 24;
}

static void erase(struct forward_display *d)
{
    size_t width = output_width(d->out->out, 80), rows = 0;
    for (size_t i = 0; i < d->n_lines; i++)
        rows += d->columns[i] == 0 ? 1 : (d->columns[i] + width - 1) / width;
    if (rows > 0)
        fprintf(d->out->out, "\033[%zuA\r\033[J", rows);
    d->n_lines = 0;
}

/* Prints a line of the block, cut to the terminal's width. */
static void put_line(struct forward_display *d, const char *text, size_t width)
{
    if (d->n_lines == ROWS_MAX)
        return;
    _cleanup_free_ char *line = output_printable(text);
    size_t columns = 0, end = 0;
    while (line[end] && columns < width - 1) {
        end++;
        while (((unsigned char)line[end] & 0xc0) == 0x80)
            end++;
        columns++;
    }
    fprintf(d->out->out, "%s%.*s%s\n", output_style(d->out->out_colour, STYLE_DIM), (int)end, line,
            output_reset(d->out->out_colour));
    d->columns[d->n_lines++] = columns;
}

static void update_rate(struct rate *rate, const struct forward_stats *stats, double sec)
{
    if (sec > 0.1) {
        double received = (double)(stats->received - rate->received) / sec;
        double sent = (double)(stats->sent - rate->sent) / sec;
        rate->received_per_sec = received;
        rate->sent_per_sec = sent;
        rate->received = stats->received;
        rate->sent = stats->sent;
    }
}

/* The forward gets what the numbers leave of the line, the same for all, so that they align. */
static size_t name_width(const struct forward_display *d, size_t width)
{
    size_t widest = 0, most = width > NAME_MIN + NUMBERS_WIDTH ? width - NUMBERS_WIDTH : NAME_MIN;
    for (size_t i = 0; i < d->set->len && i < ROWS_MAX; i++) {
        char line[FORWARD_TEXT_SIZE];
        const char *address = forwarder_address(d->forwarder, i);
        size_t columns = output_columns(forward_text_line(&d->set->items[i], address, line));
        if (columns > widest)
            widest = columns;
    }
    return widest < most ? widest : most;
}

/* "1.5 MiB", and while bytes flow "1.5 MiB +100 KiB/s". */
static const char *amount(uint64_t bytes, double per_sec, char dst[static 2 * TEXT_SIZE])
{
    char total[TEXT_SIZE], rate[TEXT_SIZE];
    text_bytes((double)bytes, total);
    if (per_sec >= 1)
        snprintf(dst, 2 * TEXT_SIZE, "%s +%s/s", total, text_bytes(per_sec, rate));
    else
        str_copy(dst, 2 * TEXT_SIZE, total);
    return dst;
}

static void put_forward(struct forward_display *d, size_t index, size_t name, size_t width)
{
    struct forward_stats stats;
    struct rate *rate = &d->rates[index];
    char line[FORWARD_TEXT_SIZE], text[LINE_TEXT_MAX], in[2 * TEXT_SIZE], out[2 * TEXT_SIZE];
    char lanes[32] = "";
    forwarder_stats(d->forwarder, index, &stats);
    update_rate(rate, &stats, (double)(loop_now(d->loop) - d->drawn_at) / USEC_PER_SEC);
    forward_text_line(&d->set->items[index], forwarder_address(d->forwarder, index), line);
    if (stats.lanes > 0)
        snprintf(lanes, sizeof(lanes), "  %zu lane%s", stats.lanes, stats.lanes > 1 ? "s" : "");
    snprintf(text, sizeof(text), "%-*.*s  %zu open/%llu%s  in %s  out %s", (int)name, (int)name,
             line, stats.open, (unsigned long long)stats.total, lanes,
             amount(stats.received, rate->received_per_sec, in),
             amount(stats.sent, rate->sent_per_sec, out));
    put_line(d, text, width);
}

static void put_path(struct forward_display *d, size_t width)
{
    char text[LINE_TEXT_MAX], rtt[TEXT_SIZE];
    if (!d->up && d->direct[0])
        snprintf(text, sizeof(text), "%s: direct %s, without the server: %s", d->options.workspace,
                 d->direct, d->reason);
    else if (!d->up)
        snprintf(text, sizeof(text), "%s: waiting: %s", d->options.workspace,
                 d->reason[0] ? d->reason : "connecting");
    else
        snprintf(text, sizeof(text), "%s: %s%s%s%s", d->options.workspace,
                 d->direct[0] ? "direct " : "relayed via server", d->direct, d->rtt > 0 ? ", " : "",
                 d->rtt > 0 ? text_duration(d->rtt, rtt) : "");
    put_line(d, text, width);
}

static void draw(struct forward_display *d)
{
    if (!d->live || !d->forwarder)
        return;
    size_t width = output_width(d->out->out, 80);
    size_t rows = terminal_rows(d->out), room = rows > 4 ? rows - 3 : 1;
    if (room > ROWS_MAX - 2)
        room = ROWS_MAX - 2;
    erase(d);
    size_t name = name_width(d, width);
    for (size_t i = 0; i < d->set->len && i < room; i++)
        put_forward(d, i, name, width);
    if (d->set->len > room) {
        char text[64];
        snprintf(text, sizeof(text), "... and %zu more", d->set->len - room);
        put_line(d, text, width);
    }
    put_path(d, width);
    d->drawn_at = loop_now(d->loop);
    fflush(d->out->out);
}

static void on_redraw(struct timer *t, void *ud)
{
    struct forward_display *d = ud;
    draw(d);
    timer_start(t, REDRAW_MS * USEC_PER_MSEC);
}

void forward_display_resized(struct forward_display *d)
{
    draw(d);
}

/* ---- messages ---- */

enum importance { NORMAL, WARNING, ERROR };

static void say(struct forward_display *d, enum importance importance, const char *text)
{
    if (d->live)
        erase(d);
    if (importance == ERROR) {
        output_error(d->out, "%s", text);
    } else if (importance == WARNING) {
        output_warning(d->out, "%s", text);
    } else {
        _cleanup_free_ char *line = output_printable(text);
        output_line(d->out, "%s", line);
    }
    fflush(d->out->out);
    draw(d);
}

static void print_event(struct forward_display *d, json_t *event)
{
    output_json_line(d->out, event);
    json_decref(event);
}

static json_t *named(const char *name)
{
    return forward_text_named_event(name, clock_realtime());
}

static enum importance importance_of(const struct forward_event *event)
{
    switch (event->kind) {
    case FORWARD_OPENED:
    case FORWARD_ACCEPTED:
    case FORWARD_LANE:
    case FORWARD_CLOSED:
        return NORMAL;
    default:
        return WARNING;
    }
}

void forward_display_event(struct forward_display *d, const struct forward_event *event)
{
    char text[EVENT_TEXT_SIZE];
    if (d->out->json) {
        print_event(d, forward_text_event_json(event, clock_realtime()));
        return;
    }
    bool connection = event->kind == FORWARD_ACCEPTED || event->kind == FORWARD_LANE ||
                      event->kind == FORWARD_CLOSED;
    if (connection && !d->options.verbose)
        return;
    if (event->kind == FORWARD_AWAY && !d->options.verbose)
        return;
    say(d, importance_of(event), forward_text_event_line(event, text));
}

void forward_display_up(struct forward_display *d)
{
    d->up = true;
    d->reason[0] = 0;
    d->direct[0] = 0;
    if (d->out->json) {
        json_t *event = named("connected");
        json_object_set_new(event, "path", json_string("relayed"));
        print_event(d, event);
        return;
    }
    char text[160];
    snprintf(text, sizeof(text), "Connected to %s (relayed).", d->options.workspace);
    say(d, NORMAL, text);
}

void forward_display_path(struct forward_display *d, const char *address)
{
    char text[160 + ADDR_TEXT_LEN];
    str_copy(d->direct, sizeof(d->direct), address ? address : "");
    d->rtt = 0;
    if (d->out->json) {
        json_t *event = named("path");
        json_t *path = address ? json_string("direct")
                       : d->up ? json_string("relayed")
                               : json_null();
        json_object_set_new(event, "path", path);
        json_object_set_new(event, "address", address ? json_string(address) : json_null());
        print_event(d, event);
        return;
    }
    if (address)
        snprintf(text, sizeof(text), "Direct connection to %s (%s).", d->options.workspace,
                 address);
    else
        snprintf(text, sizeof(text), "No direct connection to %s any longer%s.",
                 d->options.workspace, d->up ? "; relayed again" : "");
    say(d, NORMAL, text);
}

void forward_display_ready(struct forward_display *d)
{
    if (d->out->json)
        print_event(d, named("ready"));
}

static void print_reason(struct forward_display *d, const char *name)
{
    json_t *event = named(name);
    json_object_set_new(event, "reason", json_string(d->reason));
    print_event(d, event);
}

void forward_display_away(struct forward_display *d, bool was_up, const char *reason)
{
    char text[512];
    bool same = !was_up && str_eq(reason, d->reason);
    d->up = false;
    d->rtt = 0;
    str_copy(d->reason, sizeof(d->reason), reason);
    if (same)
        return;
    if (d->out->json) {
        if (was_up)
            print_reason(d, "disconnected");
        print_reason(d, "waiting");
        return;
    }
    if (was_up && d->direct[0])
        snprintf(text, sizeof(text), "lost the server (%s); the direct connection to %s goes on",
                 d->reason, d->options.workspace);
    else if (was_up)
        snprintf(text, sizeof(text), "lost %s (%s); waiting for it, with the listeners open",
                 d->options.workspace, d->reason);
    else
        snprintf(text, sizeof(text), "waiting for %s: %s", d->options.workspace, d->reason);
    say(d, WARNING, text);
}

void forward_display_round_trip(struct forward_display *d, usec_t rtt)
{
    d->rtt = rtt;
}

void forward_display_error(struct forward_display *d, const char *text, const char *hint)
{
    if (d->out->json) {
        json_t *event = named("error");
        json_object_set_new(event, "message", json_string(text));
        print_event(d, event);
    }
    if (d->live)
        erase(d);
    d->live = false;
    output_error(d->out, "%s", text);
    if (hint)
        output_hint(d->out, "%s", hint);
}

/* ---- life ---- */

struct forward_display *forward_display_new(struct loop *loop,
                                            const struct forward_display_options *options)
{
    struct forward_display *d = new0(struct forward_display);
    const char *term = getenv("TERM");
    d->loop = loop;
    d->out = options->out;
    d->options = *options;
    d->live = !d->out->json && term && !str_eq(term, "dumb") && isatty(fileno(d->out->out));
    timer_init(&d->redraw, loop, on_redraw, d);
    return d;
}

void forward_display_start(struct forward_display *d, const struct forwarder *f,
                           const struct forward_set *set)
{
    d->forwarder = f;
    d->set = set;
    d->rates = xcalloc(set->len ? set->len : 1, sizeof(*d->rates));
    d->drawn_at = loop_now(d->loop);
    if (d->live)
        timer_start(&d->redraw, 0);
}

struct forward_display *forward_display_free(struct forward_display *d)
{
    if (!d)
        return NULL;
    timer_cancel(&d->redraw);
    if (d->live)
        erase(d);
    fflush(d->out->out);
    free(d->rates);
    free(d);
    return NULL;
}
