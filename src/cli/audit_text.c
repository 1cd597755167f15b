#include "cli/audit_text.h"

#include <errno.h>
#include <inttypes.h>

#include "base/cleanup.h"
#include "base/num.h"
#include "cli/csv.h"
#include "cli/table.h"
#include "cli/text.h"

enum { AGO_MAX_SEC = 50 * 366 * 86400, DATE_LEN = 10, TIME_LEN = 19 };

int audit_text_moment(const char *text, usec_t now, usec_t *ret)
{
    char full[CLOCK_TEXT_LEN];
    uint64_t ago;
    if (num_parse_duration(span_of(text), AGO_MAX_SEC, &ago) == 0) {
        usec_t when = now - (usec_t)ago * USEC_PER_SEC;
        *ret = when > 0 ? when : 0;
        return 0;
    }
    if (span_of(text).len != DATE_LEN)
        return clock_parse(text, ret);
    snprintf(full, sizeof(full), "%sT00:00:00Z", text);
    return clock_parse(full, ret);
}

/* "2026-01-31 12:34:56" */
static char *time_text(usec_t time, char dst[static CLOCK_TEXT_LEN])
{
    clock_format(time, dst);
    dst[DATE_LEN] = ' ';
    dst[TIME_LEN] = 0;
    return dst;
}

/* Whether the event ends something that moved bytes or took time. */
static bool has_amounts(const struct audit_event *e)
{
    return e->bytes_in || e->bytes_out || e->duration;
}

/* sshd does not count what it carries. */
static bool is_ssh(const struct audit_event *e)
{
    return e->action >= AUDIT_SSH_OPEN && e->action <= AUDIT_SSH_RAW;
}

static void table_event(struct table *t, const struct api_audit_event *event)
{
    const struct audit_event *e = &event->event;
    char time[CLOCK_TEXT_LEN], in[TEXT_SIZE] = "", out[TEXT_SIZE] = "", duration[TEXT_SIZE] = "";
    if (has_amounts(e) || event->duration_ms) {
        if (e->bytes_in || e->bytes_out || !is_ssh(e)) {
            text_bytes((double)e->bytes_in, in);
            text_bytes((double)e->bytes_out, out);
        }
        text_duration((usec_t)event->duration_ms * USEC_PER_MSEC, duration);
    }
    table_row(t, (const char *const[]){
                     time_text(e->time, time), e->actor, audit_action_name(e->action), e->workspace,
                     e->target, audit_direction_name(e->direction), audit_carrier_name(e->carrier),
                     in, out, duration, e->result, e->detail});
}

void audit_text_table(const struct api_audit_event *events, size_t n, struct output *out)
{
    struct table *t = table_new((const char *const[]){"TIME (UTC)", "PERSON", "ACTION", "WORKSPACE",
                                                      "TARGET", "DIRECTION", "PATH", "IN", "OUT",
                                                      "DURATION", "RESULT", "DETAIL", NULL});
    for (size_t i = 0; i < n; i++)
        table_event(t, &events[i]);
    table_print(t, out);
    table_free(t);
}

static void csv_event(FILE *f, const struct api_audit_event *event)
{
    const struct audit_event *e = &event->event;
    char time[CLOCK_TEXT_LEN], id[ID_TEXT_SIZE], in[24], out[24], duration[24];
    snprintf(in, sizeof(in), "%" PRIu64, e->bytes_in);
    snprintf(out, sizeof(out), "%" PRIu64, e->bytes_out);
    snprintf(duration, sizeof(duration), "%" PRIu64, event->duration_ms);
    const char *const cells[] = {clock_format(e->time, time),
                                 audit_action_name(e->action),
                                 e->actor,
                                 e->workspace,
                                 e->agent,
                                 e->target,
                                 audit_direction_name(e->direction),
                                 audit_carrier_name(e->carrier),
                                 in,
                                 out,
                                 duration,
                                 e->result,
                                 e->detail,
                                 e->ip,
                                 id_format(&e->id, id)};
    csv_row(f, cells, ARRAY_LEN(cells));
}

void audit_text_csv(const struct api_audit_event *events, size_t n, struct output *out)
{
    static const char *const titles[] = {"time",     "action",    "actor",       "workspace",
                                         "agent",    "target",    "direction",   "path",
                                         "bytes_in", "bytes_out", "duration_ms", "result",
                                         "detail",   "ip",        "id"};
    csv_row(out->out, titles, ARRAY_LEN(titles));
    for (size_t i = 0; i < n; i++)
        csv_event(out->out, &events[i]);
}
