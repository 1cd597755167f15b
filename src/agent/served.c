#include "agent/served.h"

#include <string.h>

#include "agent/forwards.h"
#include "agent/records.h"
#include "proto/hostport.h"

static const char *loopback_if_empty(const char *host)
{
    return *host ? host : "localhost";
}

/* "db:5432", "dns:53/udp", "/run/x.sock", "speedtest". */
static void target_text(const struct channel_goal *goal, uint16_t port, struct audit_event *e)
{
    static const char udp[] = "/udp";
    _Static_assert(sizeof(e->target) >= HOSTPORT_SIZE + sizeof(udp), "a target fits");
    if (goal->kind == CHANNEL_SPEEDTEST) {
        str_copy(e->target, sizeof(e->target), channel_kind_name(goal->kind));
        return;
    }
    if (goal->unix_path[0]) {
        str_copy(e->target, sizeof(e->target), goal->unix_path);
        return;
    }
    hostport_format(loopback_if_empty(goal->host), port, e->target);
    if (goal->kind == CHANNEL_UDP)
        memcpy(e->target + strlen(e->target), udp, sizeof(udp));
}

static struct audit_event event_of(const struct served_reporter *reporter,
                                   const struct channel_goal *goal, uint16_t port,
                                   enum audit_action action, const char *result)
{
    bool remote = goal->kind == CHANNEL_LISTEN || goal->kind == CHANNEL_ACCEPT;
    struct audit_event e = {.action = action,
                            .direction = remote ? AUDIT_REMOTE : AUDIT_LOCAL,
                            .carrier = reporter->direct ? AUDIT_DIRECT : AUDIT_RELAY};
    str_copy(e.actor, sizeof(e.actor), reporter->user);
    target_text(goal, port ? port : goal->port, &e);
    str_copy(e.result, sizeof(e.result), result);
    return e;
}

void served_refused(const struct served_reporter *reporter, const struct channel_goal *goal,
                    enum dial_result result, const char *rule)
{
    enum audit_action action = goal->kind == CHANNEL_LISTEN ? AUDIT_LISTEN_OPEN
                               : goal->kind == CHANNEL_SSH  ? AUDIT_SSH_OPEN
                                                            : AUDIT_FORWARD_CLOSE;
    struct audit_event e = event_of(reporter, goal, 0, action, dial_result_name(result));
    if (goal->kind == CHANNEL_SSH) {
        e.direction = AUDIT_NO_DIRECTION;
        e.target[0] = '\0';
    }
    str_copy(e.detail, sizeof(e.detail), rule ? rule : "");
    records_add(reporter->records, &reporter->peer, &e);
}

void served_opened(struct served *s)
{
    if (!s->reporter)
        return;
    s->opened = true;
    forwards_join(s->reporter->forwards, s);
    if (s->goal.kind == CHANNEL_LISTEN) {
        struct audit_event e =
            event_of(s->reporter, &s->goal, s->bound_port, AUDIT_LISTEN_OPEN, "ok");
        records_add(s->reporter->records, &s->reporter->peer, &e);
    }
}

void served_begin(struct served *s, struct tunnel_session *session)
{
    s->reporter = session ? tunnel_session_context(session) : NULL;
    s->began_at = clock_monotonic();
}

static void report(struct served *s)
{
    bool listener = s->goal.kind == CHANNEL_LISTEN;
    const char *result = s->result ? s->result : s->opened ? "ok" : "cancelled";
    enum audit_action action = !listener   ? AUDIT_FORWARD_CLOSE
                               : s->opened ? AUDIT_LISTEN_CLOSE
                                           : AUDIT_LISTEN_OPEN;
    struct audit_event e = event_of(s->reporter, &s->goal, s->bound_port, action, result);
    e.duration = clock_monotonic() - s->began_at;
    if (s->count)
        s->count(s, &e.bytes_in, &e.bytes_out);
    records_add(s->reporter->records, &s->reporter->peer, &e);
}

void served_end(struct served *s)
{
    forwards_leave(s);
    if (s->reporter)
        report(s);
    list_remove(&s->link);
    s->free(s);
}
