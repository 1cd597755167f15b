/*
 * sshd's events carry a number for each listener and channel; what is needed at its end (since
 * when it was open) is kept under that number. Refusals are explained by the rule of the policy
 * that is against the target, because sshd only says that it was not allowed.
 */
#include "agent/ssh_record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/policy.h"
#include "agent/records.h"
#include "agent/served.h"
#include "agent/ssh_host.h"
#include "agent/ssh_notices.h"
#include "base/cleanup.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/num.h"
#include "proto/hostport.h"

struct open_forward {
    struct ssh_forward shown;
    usec_t began_at; /* monotonic */
};

struct open_session {
    char *what;      /* NULL: there is none */
    usec_t began_at; /* monotonic */
};

struct ssh_record {
    struct ssh_host *host;
    const struct served_reporter *reporter;
    char user[NAME_SIZE];
    struct forward_policy policy;
    struct map *forwards; /* by the event's id */
    struct open_session sessions[SSHD_SESSIONS_MAX];
    usec_t began_at; /* monotonic */
    uint64_t n_raw;
    bool logged_in;
};

/* ---- audit events ---- */

static struct audit_event event_of(const struct ssh_record *r, enum audit_action action,
                                   const char *target, const char *result)
{
    bool direct = r->reporter && r->reporter->direct;
    struct audit_event e = {.action = action, .carrier = direct ? AUDIT_DIRECT : AUDIT_RELAY};
    str_copy(e.actor, sizeof(e.actor), r->user);
    str_copy(e.target, sizeof(e.target), target);
    str_copy(e.result, sizeof(e.result), result);
    return e;
}

static void add(struct ssh_record *r, const struct audit_event *e)
{
    if (r->reporter && r->reporter->records)
        records_add(r->reporter->records, &r->reporter->peer, e);
}

static enum audit_direction direction(bool remote)
{
    return remote ? AUDIT_REMOTE : AUDIT_LOCAL;
}

static void set_origin(struct audit_event *e, const char *origin)
{
    if (origin[0])
        snprintf(e->detail, sizeof(e->detail), "from %.80s", origin);
}

/* ---- refusals ---- */

/* What sshd and the C library say, in the words of proto/dial_result.h. */
static const struct {
    const char *says;
    enum dial_result result;
} reasons[] = {
    {"not allowed", DIAL_FORBIDDEN},
    {"Connection refused", DIAL_REFUSED},
    {"Connection timed out", DIAL_TIMEOUT},
    {"Name or service not known", DIAL_NAME_NOT_FOUND},
    {"unknown host", DIAL_NAME_NOT_FOUND},
    {"No address associated with hostname", DIAL_NAME_NOT_FOUND},
    {"Temporary failure in name resolution", DIAL_NAME_FAILED},
    {"No route to host", DIAL_UNREACHABLE},
    {"Network is unreachable", DIAL_UNREACHABLE},
    {"No such file or directory", DIAL_NOT_FOUND},
    {"Address already in use", DIAL_ADDRESS_IN_USE},
    {"Cannot assign requested address", DIAL_ADDRESS_NOT_HERE},
    {"Permission denied", DIAL_NOT_PERMITTED},
};

static const char *result_of(const char *text)
{
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        if (span_find_str(span_of(text), reasons[i].says) >= 0)
            return dial_result_name(reasons[i].result);
    return "failed";
}

/* A target as in the events: a path, "host:port", "*:port"; port 0 of listeners. */
static void goal_of(const char *target, bool listen, struct channel_goal *ret)
{
    *ret = (struct channel_goal){.kind = listen ? CHANNEL_LISTEN : CHANNEL_TCP};
    struct hostport place;
    struct span text = span_of(target);
    if (target[0] == '/') {
        ret->kind = listen ? CHANNEL_LISTEN : CHANNEL_UNIX;
        str_copy(ret->unix_path, sizeof(ret->unix_path), target);
        if (!ret->unix_path[0])
            str_copy(ret->unix_path, sizeof(ret->unix_path), "/");
        return;
    }
    bool any_port = listen && span_ends(text, ":0");
    if (span_starts(text, "*:")) {
        uint64_t port = 0;
        str_copy(ret->host, sizeof(ret->host), "*");
        if (num_parse(span_sub(text, 2, text.len), 0, UINT16_MAX, &port) == 0)
            ret->port = (uint16_t)port;
        return;
    }
    if (any_port)
        text.len -= 2;
    if (hostport_parse(text, any_port ? 1 : 0, &place) < 0)
        return;
    str_copy(ret->host, sizeof(ret->host), place.host);
    ret->port = any_port ? 0 : place.port;
}

static const char *rule_behind(const struct ssh_record *r, const char *target, bool listen)
{
    struct channel_goal goal;
    goal_of(target, listen, &goal);
    const char *rule = policy_rule_against(&r->policy, &goal);
    if (rule)
        return rule;
    if (goal.unix_path[0])
        return "over SSH, Unix sockets need both directions and \"*:*\" in forwarding.permit_open";
    return "a rule that SSH cannot enforce: use adit port-forward";
}

/* In the words of agent/policy.c: ssh itself only says that it was prohibited. */
static void tell_refusal(struct ssh_record *r, const char *target, bool listen, const char *rule)
{
    struct err err = ERR_INIT;
    err_set(&err, -EACCES, "the workspace's template does not allow %s%.250s (%s)",
            listen ? "a listener on " : "", target, rule);
    if (r->reporter)
        ssh_notices_tell(r->host->notices, &r->reporter->peer, err.text);
}

static void add_refusal(struct ssh_record *r, enum audit_action action, const struct sshd_event *e,
                        bool listen)
{
    const char *result = result_of(e->text);
    struct audit_event event = event_of(r, action, e->target, result);
    bool forbidden = str_eq(result, dial_result_name(DIAL_FORBIDDEN));
    event.direction = direction(listen || e->remote);
    str_copy(event.detail, sizeof(event.detail), e->text);
    if (forbidden && !e->remote) {
        const char *rule = rule_behind(r, e->target, listen);
        str_copy(event.detail, sizeof(event.detail), rule);
        tell_refusal(r, e->target, listen, rule);
    }
    add(r, &event);
}

/* ---- what is open ---- */

static char *place_text(const char *text)
{
    return xasprintf("%.*s", SSH_FORWARD_PLACE_SIZE - 1, text);
}

static void open_forward_free(struct ssh_record *r, struct open_forward *f)
{
    list_remove(&f->shown.link);
    r->host->n_forwards--;
    free(f->shown.listen);
    free(f->shown.target);
    free(f->shown.origin);
    free(f);
}

static void opened(struct ssh_record *r, const struct sshd_event *e, bool listener)
{
    if (r->host->n_forwards == SSH_FORWARDS_MAX)
        return;
    struct open_forward *f = new0(struct open_forward);
    bool remote = listener || e->remote;
    f->began_at = clock_monotonic();
    f->shown = (struct ssh_forward){
        .id = id_new(),
        .listener = listener,
        .remote = remote,
        .listen = place_text(remote ? e->target : ""),
        .target = place_text(remote ? "" : e->target),
        .origin = place_text(e->origin),
        .since = clock_realtime(),
    };
    str_copy(f->shown.user, sizeof(f->shown.user), r->user);
    list_append(&r->host->forwards, &f->shown.link);
    r->host->n_forwards++;
    struct open_forward *before = map_put_id(r->forwards, e->id, f);
    if (before)
        open_forward_free(r, before);
}

/* How long it was open; 0: not known. */
static usec_t closed(struct ssh_record *r, uint64_t id)
{
    struct open_forward *f = map_take_id(r->forwards, id);
    if (!f)
        return 0;
    usec_t duration = clock_monotonic() - f->began_at;
    open_forward_free(r, f);
    return duration;
}

/* ---- events ---- */

static void on_session(struct ssh_record *r, const struct sshd_event *e)
{
    struct open_session *s = e->id < SSHD_SESSIONS_MAX ? &r->sessions[e->id] : NULL;
    bool began = e->kind == SSHD_SESSION_STARTED;
    struct audit_event event = event_of(r, began ? AUDIT_SSH_EXEC : AUDIT_SSH_EXIT, e->text, "ok");
    if (s && !began && s->what) {
        str_copy(event.target, sizeof(event.target), s->what);
        event.duration = clock_monotonic() - s->began_at;
    }
    if (s) {
        free(s->what);
        s->what = began ? xstrdup(e->text) : NULL;
        s->began_at = clock_monotonic();
    }
    add(r, &event);
}

static void on_listener(struct ssh_record *r, const struct sshd_event *e, enum audit_action action)
{
    struct audit_event event = event_of(r, action, e->target, "ok");
    event.direction = AUDIT_REMOTE;
    if (e->kind == SSHD_LISTEN_BOUND) {
        snprintf(event.detail, sizeof(event.detail), "asked for %.80s", e->asked);
        opened(r, e, true);
    } else if (e->kind == SSHD_LISTEN_CLOSED) {
        event.duration = closed(r, e->id);
    }
    add(r, &event);
}

static void on_connection(struct ssh_record *r, const struct sshd_event *e)
{
    bool open = e->kind == SSHD_CHANNEL_OPENED;
    struct audit_event event =
        event_of(r, open ? AUDIT_SSH_FORWARD_OPEN : AUDIT_SSH_FORWARD_CLOSE, e->target, "ok");
    event.direction = direction(e->remote);
    set_origin(&event, e->origin);
    if (open)
        opened(r, e, false);
    else
        event.duration = closed(r, e->id);
    add(r, &event);
}

static void on_raw(struct ssh_record *r, const struct sshd_event *e)
{
    struct audit_event event = event_of(r, AUDIT_SSH_RAW, e->text, "");
    if (r->n_raw++ < SSH_RAW_RECORDS_MAX)
        add(r, &event);
}

static void on_logged_in(struct ssh_record *r)
{
    struct audit_event event = event_of(r, AUDIT_SSH_OPEN, "", "ok");
    r->logged_in = true;
    add(r, &event);
}

void ssh_record_event(struct ssh_record *r, const struct sshd_event *e)
{
    switch (e->kind) {
    case SSHD_LOGGED_IN:
        on_logged_in(r);
        break;
    case SSHD_SESSION_STARTED:
    case SSHD_SESSION_ENDED:
        on_session(r, e);
        break;
    case SSHD_LISTEN_ASKED:
        on_listener(r, e, AUDIT_SSH_LISTEN_ASK);
        break;
    case SSHD_LISTEN_BOUND:
        on_listener(r, e, AUDIT_SSH_LISTEN_OPEN);
        break;
    case SSHD_LISTEN_CANCELLED:
        on_listener(r, e, AUDIT_SSH_LISTEN_CANCEL);
        break;
    case SSHD_LISTEN_CLOSED:
        on_listener(r, e, AUDIT_SSH_LISTEN_CLOSE);
        break;
    case SSHD_LISTEN_REFUSED:
        add_refusal(r, AUDIT_SSH_LISTEN_OPEN, e, true);
        break;
    case SSHD_CHANNEL_OPENED:
    case SSHD_CHANNEL_CLOSED:
        on_connection(r, e);
        break;
    case SSHD_CHANNEL_REFUSED:
        closed(r, e->id);
        add_refusal(r, AUDIT_SSH_FORWARD_OPEN, e, false);
        break;
    case SSHD_RAW:
        on_raw(r, e);
        break;
    case SSHD_EVENT_KIND_COUNT:
        break;
    }
}

bool ssh_record_logged_in(const struct ssh_record *r)
{
    return r->logged_in;
}

void ssh_record_refused(struct ssh_record *r, const char *result, const struct err *err)
{
    struct audit_event event = event_of(r, AUDIT_SSH_OPEN, "", result);
    str_copy(event.detail, sizeof(event.detail), err->text);
    add(r, &event);
}

void ssh_record_end(struct ssh_record *r, const char *result, uint64_t in, uint64_t out)
{
    struct audit_event event = event_of(r, AUDIT_SSH_CLOSE, "", result);
    event.bytes_in = in;
    event.bytes_out = out;
    event.duration = clock_monotonic() - r->began_at;
    if (!r->logged_in)
        str_copy(event.detail, sizeof(event.detail), "nobody had logged in");
    else if (r->n_raw > 0)
        snprintf(event.detail, sizeof(event.detail), "%llu lines of the log not understood",
                 (unsigned long long)r->n_raw);
    add(r, &event);
}

struct ssh_record *ssh_record_new(struct ssh_host *host, const struct served_reporter *reporter,
                                  const char *user, const struct forward_policy *policy)
{
    struct ssh_record *r = new0(struct ssh_record);
    r->host = host;
    r->reporter = reporter;
    r->policy = forward_policy_copy(policy);
    r->forwards = map_new();
    r->began_at = clock_monotonic();
    str_copy(r->user, sizeof(r->user), user);
    return r;
}

struct ssh_record *ssh_record_free(struct ssh_record *r)
{
    if (!r)
        return NULL;
    struct map_iter it = {0};
    struct open_forward *f;
    while ((f = map_next(r->forwards, &it)))
        open_forward_free(r, f);
    map_free(r->forwards);
    for (size_t i = 0; i < SSHD_SESSIONS_MAX; i++)
        free(r->sessions[i].what);
    forward_policy_deinit(&r->policy);
    free(r);
    return NULL;
}
