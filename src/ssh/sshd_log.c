/*
 * A line is looked up by how it begins: `meanings` for those that mean something,
 * `without_interest` for those that are known not to. sshd handles one request after the other, so
 * what a line leaves unsaid (which listener a "new port-listener" belongs to) is in the lines just
 * before it: `asked` and `opening` hold the request under way. Channel numbers are used again by
 * sshd; `channels` maps them to what they stand for now.
 */
#include "ssh/sshd_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/span.h"

enum channel_use { USE_DIRECT, USE_FORWARDED, USE_LISTENER, USE_OTHER };

struct channel {
    uint64_t number;
    uint64_t id;
    enum channel_use use;
    bool told;             /* opened or refused */
    char *target, *origin; /* there may be many: NULL: none */
};

struct sshd_log {
    sshd_logged_fn *logged;
    void *ud;
    struct map *channels; /* number to struct channel */
    uint64_t last_id;
    uint64_t unknown;
    bool logged_in;
    bool sessions[SSHD_SESSIONS_MAX]; /* by sshd's number: running */

    struct {
        bool pending;
        bool bound;
        char target[SSHD_PLACE_SIZE]; /* as asked for */
        char address[256];            /* the one that is being bound */
        uint64_t port;
        char reason[SSHD_TEXT_SIZE];
    } asked;
    struct {
        bool pending;
        bool remote;
        char target[SSHD_PLACE_SIZE];
        char origin[SSHD_PLACE_SIZE];
        char reason[SSHD_TEXT_SIZE];
    } opening;

    char line[SSHD_LINE_MAX_LEN];
    size_t line_len;
    bool cut; /* the line is longer */
};

const char *sshd_event_kind_name(enum sshd_event_kind kind)
{
    static const char *const names[] = {
        [SSHD_LOGGED_IN] = "logged_in",
        [SSHD_SESSION_STARTED] = "session_started",
        [SSHD_SESSION_ENDED] = "session_ended",
        [SSHD_LISTEN_ASKED] = "listen_asked",
        [SSHD_LISTEN_BOUND] = "listen_bound",
        [SSHD_LISTEN_REFUSED] = "listen_refused",
        [SSHD_LISTEN_CANCELLED] = "listen_cancelled",
        [SSHD_LISTEN_CLOSED] = "listen_closed",
        [SSHD_CHANNEL_OPENED] = "channel_opened",
        [SSHD_CHANNEL_REFUSED] = "channel_refused",
        [SSHD_CHANNEL_CLOSED] = "channel_closed",
        [SSHD_RAW] = "raw",
    };
    return names[kind];
}

/* ---- reading ---- */

/* Takes `text` from the front of *s. */
static bool skip(struct span *s, const char *text)
{
    if (!span_starts(*s, text))
        return false;
    *s = span_sub(*s, strlen(text), s->len);
    return true;
}

/* Takes digits from the front of *s. */
static bool take_number(struct span *s, uint64_t *ret)
{
    size_t n = 0;
    while (n < s->len && s->p[n] >= '0' && s->p[n] <= '9')
        n++;
    if (num_parse(span_sub(*s, 0, n), 0, UINT32_MAX, ret) < 0)
        return false;
    *s = span_sub(*s, n, s->len);
    return true;
}

static ptrdiff_t find_last(struct span s, const char *text)
{
    size_t len = strlen(text);
    for (size_t i = s.len < len ? 0 : s.len - len + 1; i-- > 0;)
        if (memcmp(s.p + i, text, len) == 0)
            return (ptrdiff_t)i;
    return -1;
}

/* Splits at the last `text`: what the client chose stands in front of it. */
static bool split_last(struct span s, const char *text, struct span *ret_before,
                       struct span *ret_after)
{
    ptrdiff_t at = find_last(s, text);
    if (at < 0)
        return false;
    *ret_before = span_sub(s, 0, (size_t)at);
    *ret_after = span_sub(s, (size_t)at + strlen(text), s.len);
    return true;
}

static void write_place(struct span host, uint64_t port, char dst[static SSHD_PLACE_SIZE])
{
    bool v6 = span_find(host, ':') >= 0;
    if (host.len == 0)
        host = SPAN("*");
    if (host.len > SSHD_PLACE_SIZE - 16)
        host.len = SSHD_PLACE_SIZE - 16;
    snprintf(dst, SSHD_PLACE_SIZE, "%s" SPAN_FMT "%s:%u", v6 ? "[" : "", SPAN_ARG(host),
             v6 ? "]" : "", (unsigned)port);
}

/* "HOST port PORT". */
static bool read_place(struct span s, char dst[static SSHD_PLACE_SIZE])
{
    struct span host, digits;
    uint64_t port;
    if (!split_last(s, " port ", &host, &digits) || num_parse(digits, 0, UINT32_MAX, &port) < 0)
        return false;
    write_place(host, port, dst);
    return true;
}

/* As the client or the kernel tells it; nothing that is no address. */
static void read_origin(struct span s, char dst[static SSHD_PLACE_SIZE])
{
    static const char address[] = "0123456789abcdefABCDEF.:%";
    struct span host, digits;
    dst[0] = '\0';
    if (!split_last(s, " port ", &host, &digits) || host.len == 0 || host.len > 64)
        return;
    for (size_t i = 0; i < host.len; i++)
        if (!memchr(address, host.p[i], sizeof(address) - 1))
            return;
    read_place(s, dst);
}

/* ---- events ---- */

static void tell(struct sshd_log *log, const struct sshd_event *event)
{
    log->logged(event, log->ud);
}

static void tell_listen(struct sshd_log *log, enum sshd_event_kind kind, const char *target,
                        const char *text)
{
    struct sshd_event e = {.kind = kind};
    str_copy(e.target, sizeof(e.target), target);
    str_copy(e.text, sizeof(e.text), text);
    tell(log, &e);
}

static void tell_channel(struct sshd_log *log, enum sshd_event_kind kind, const struct channel *c,
                         const char *text)
{
    struct sshd_event e = {.kind = kind, .id = c->id, .remote = c->use == USE_FORWARDED};
    str_copy(e.target, sizeof(e.target), c->target ? c->target : "");
    str_copy(e.origin, sizeof(e.origin), c->origin ? c->origin : "");
    str_copy(e.text, sizeof(e.text), text);
    if (kind == SSHD_LISTEN_BOUND)
        str_copy(e.asked, sizeof(e.asked), log->asked.target);
    tell(log, &e);
}

static void tell_raw(struct sshd_log *log, struct span line)
{
    struct sshd_event e = {.kind = SSHD_RAW};
    log->unknown++;
    str_copy_span(e.text, sizeof(e.text), line);
    tell(log, &e);
}

void sshd_log_settle(struct sshd_log *log)
{
    if (log->asked.pending && !log->asked.bound)
        tell_listen(log, SSHD_LISTEN_REFUSED, log->asked.target,
                    log->asked.reason[0] ? log->asked.reason : "not allowed");
    log->asked.pending = false;
}

/* ---- listeners ---- */

typedef bool meaning_fn(struct sshd_log *log, struct span rest);

static void listener_asked(struct sshd_log *log)
{
    log->asked.pending = true;
    log->asked.bound = false;
    log->asked.reason[0] = '\0';
    tell_listen(log, SSHD_LISTEN_ASKED, log->asked.target, "");
}

static bool on_tcp_asked(struct sshd_log *log, struct span rest)
{
    sshd_log_settle(log);
    if (!read_place(rest, log->asked.target))
        return false;
    listener_asked(log);
    return true;
}

static bool on_unix_asked(struct sshd_log *log, struct span rest)
{
    sshd_log_settle(log);
    str_copy_span(log->asked.target, sizeof(log->asked.target), rest);
    listener_asked(log);
    return true;
}

static bool on_binding_path(struct sshd_log *log, struct span rest)
{
    if (!span_ends(rest, "."))
        return false;
    log->asked.port = 0;
    str_copy_span(log->asked.address, sizeof(log->asked.address), span_sub(rest, 0, rest.len - 1));
    return true;
}

static bool on_binding(struct sshd_log *log, struct span rest)
{
    struct span host, digits;
    uint64_t port;
    if (!span_ends(rest, ".") ||
        !split_last(span_sub(rest, 0, rest.len - 1), " port ", &host, &digits) ||
        num_parse(digits, 0, 65535, &port) < 0)
        return false;
    str_copy_span(log->asked.address, sizeof(log->asked.address), host);
    log->asked.port = port;
    return true;
}

static bool on_allocated(struct sshd_log *log, struct span rest)
{
    return num_parse(rest, 1, 65535, &log->asked.port) == 0;
}

/* The first line tells why; the last that nothing could be bound. */
static bool on_bind_failed(struct sshd_log *log, struct span rest)
{
    ptrdiff_t at = find_last(rest, ": ");
    if (log->asked.reason[0])
        return true;
    rest = at < 0 ? rest : span_sub(rest, (size_t)at + 2, rest.len);
    str_copy_span(log->asked.reason, sizeof(log->asked.reason), rest);
    return true;
}

static bool on_tcp_cancelled(struct sshd_log *log, struct span rest)
{
    char target[SSHD_PLACE_SIZE];
    sshd_log_settle(log);
    if (!read_place(rest, target))
        return false;
    tell_listen(log, SSHD_LISTEN_CANCELLED, target, "");
    return true;
}

static bool on_unix_cancelled(struct sshd_log *log, struct span rest)
{
    char target[SSHD_PLACE_SIZE];
    sshd_log_settle(log);
    str_copy_span(target, sizeof(target), rest);
    tell_listen(log, SSHD_LISTEN_CANCELLED, target, "");
    return true;
}

/* ---- connections ---- */

static void connection_asked(struct sshd_log *log, bool remote)
{
    sshd_log_settle(log);
    log->opening.pending = true;
    log->opening.remote = remote;
    log->opening.reason[0] = '\0';
    log->opening.origin[0] = '\0';
}

static bool on_direct_tcp(struct sshd_log *log, struct span rest)
{
    struct span origin, target;
    connection_asked(log, false);
    if (!split_last(rest, ", target ", &origin, &target) ||
        !read_place(target, log->opening.target))
        return false;
    read_origin(origin, log->opening.origin);
    return true;
}

static bool on_direct_unix(struct sshd_log *log, struct span rest)
{
    connection_asked(log, false);
    ptrdiff_t at = span_find_str(rest, ", target /");
    if (at < 0)
        return false;
    read_origin(span_sub(rest, 0, (size_t)at), log->opening.origin);
    struct span path = span_sub(rest, (size_t)at + strlen(", target "), rest.len);
    str_copy_span(log->opening.target, sizeof(log->opening.target), path);
    return true;
}

static void connection_refused(struct sshd_log *log)
{
    const struct channel c = {
        .id = ++log->last_id, .target = log->opening.target, .origin = log->opening.origin};
    log->opening.pending = false;
    tell_channel(log, SSHD_CHANNEL_REFUSED, &c,
                 log->opening.reason[0] ? log->opening.reason : "not allowed");
}

/* "direct-tcpip", "session", ...: the open was answered with a failure. */
static bool on_open_failed(struct sshd_log *log, struct span rest)
{
    if (log->opening.pending && span_starts(rest, "direct-"))
        connection_refused(log);
    return true;
}

/* The direction is not allowed at all: sshd logs this instead of the request. */
static bool on_refused_tcp(struct sshd_log *log, struct span rest)
{
    bool understood = on_direct_tcp(log, rest);
    str_copy(log->opening.reason, sizeof(log->opening.reason), "not allowed");
    return understood;
}

static bool on_refused_unix(struct sshd_log *log, struct span rest)
{
    bool understood = on_direct_unix(log, rest);
    str_copy(log->opening.reason, sizeof(log->opening.reason), "not allowed");
    return understood;
}

/* "Received request from X to ..., but the request was denied." */
static bool on_denied(struct sshd_log *log, struct span rest)
{
    if (!span_ends(rest, ", but the request was denied."))
        return false;
    bool listen = span_find_str(rest, "to remote forward") >= 0 && log->asked.pending;
    if (listen)
        sshd_log_settle(log);
    else
        str_copy(log->opening.reason, sizeof(log->opening.reason), "not allowed");
    return true;
}

static bool on_connect_failed(struct sshd_log *log, struct span rest)
{
    ptrdiff_t at = find_last(rest, ": ");
    if (log->opening.pending && at >= 0)
        str_copy_span(log->opening.reason, sizeof(log->opening.reason),
                      span_sub(rest, (size_t)at + 2, rest.len));
    return true;
}

/* "Connection to port P forwarding to HOST port 0 requested." */
static bool on_accepted(struct sshd_log *log, struct span rest)
{
    struct span host, tail;
    uint64_t port = 0;
    connection_asked(log, true);
    bool path = skip(&rest, "-2 ");
    if (!path && !take_number(&rest, &port))
        return false;
    if (!skip(&rest, path ? "forwarding to " : " forwarding to ") ||
        !split_last(rest, " port ", &host, &tail))
        return false;
    if (path)
        str_copy_span(log->opening.target, sizeof(log->opening.target), host);
    else
        write_place(host, port, log->opening.target);
    return true;
}

/* ---- channels ---- */

static void set_text(char **dst, const char *text)
{
    free(*dst);
    *dst = xstrdup(text);
}

static void channel_free(struct channel *c)
{
    free(c->target);
    free(c->origin);
    free(c);
}

static void channel_end(struct sshd_log *log, struct channel *c)
{
    if (c->use == USE_LISTENER)
        tell_channel(log, SSHD_LISTEN_CLOSED, c, "");
    else if (c->use != USE_OTHER && c->told)
        tell_channel(log, SSHD_CHANNEL_CLOSED, c, "");
    channel_free(c);
}

static void listener_bound(struct sshd_log *log, struct channel *c)
{
    char place[SSHD_PLACE_SIZE];
    write_place(span_of(log->asked.address), log->asked.port, place);
    set_text(&c->target, log->asked.address[0] == '/' ? log->asked.address : place);
    c->use = USE_LISTENER;
    log->asked.bound = true;
    tell_channel(log, SSHD_LISTEN_BOUND, c, "");
}

static void connection_opening(struct sshd_log *log, struct channel *c)
{
    set_text(&c->target, log->opening.target);
    set_text(&c->origin, log->opening.origin);
    c->use = log->opening.remote ? USE_FORWARDED : USE_DIRECT;
    log->opening.pending = false;
    if (c->use == USE_FORWARDED) {
        c->told = true;
        tell_channel(log, SSHD_CHANNEL_OPENED, c, "");
    }
}

static bool channel_new(struct sshd_log *log, uint64_t number, struct span rest)
{
    struct channel *c = new0(struct channel);
    *c = (struct channel){.number = number, .id = ++log->last_id, .use = USE_OTHER};
    struct channel *before = map_put_id(log->channels, number, c);
    if (before)
        channel_end(log, before);
    bool listener = span_starts(rest, "port-listener ") || span_starts(rest, "unix-listener ");
    bool direct = span_starts(rest, "direct-");
    bool forwarded = span_starts(rest, "forwarded-");
    if (listener && log->asked.pending)
        listener_bound(log, c);
    else if ((direct || forwarded) && log->opening.pending && forwarded == log->opening.remote)
        connection_opening(log, c);
    else
        return !listener && !direct && !forwarded;
    return true;
}

static void channel_refused(struct sshd_log *log, struct channel *c, struct span reason)
{
    char text[SSHD_TEXT_SIZE];
    str_copy_span(text, sizeof(text), reason);
    if (c->use == USE_FORWARDED || (c->use == USE_DIRECT && !c->told)) {
        tell_channel(log, SSHD_CHANNEL_REFUSED, c, text);
        c->use = USE_OTHER;
    }
}

/* "forwarded-tcpip: listening port P for HOST port 0, connect from IP port P to ..., nchannels N"
 */
static void learn_origin(struct channel *c, struct span rest)
{
    struct span before, after, origin, bound;
    char place[SSHD_PLACE_SIZE];
    if (c->use != USE_FORWARDED || !split_last(rest, ", connect from ", &before, &after) ||
        !split_last(after, " to ", &origin, &bound))
        return;
    read_origin(origin, place);
    set_text(&c->origin, place);
}

static bool on_channel(struct sshd_log *log, struct span rest)
{
    uint64_t number;
    if (!take_number(&rest, &number) || !skip(&rest, ": ") || number >= SSHD_CHANNELS_MAX)
        return false;
    if (skip(&rest, "new "))
        return channel_new(log, number, rest);
    struct channel *c = map_get_id(log->channels, number);
    if (!c)
        return false;
    if (skip(&rest, "connected to ")) {
        if (c->use == USE_DIRECT && !c->told)
            tell_channel(log, SSHD_CHANNEL_OPENED, c, "");
        c->told = true;
    } else if (skip(&rest, "connection failed: ") || skip(&rest, "open failed: ")) {
        channel_refused(log, c, rest);
    } else if (skip(&rest, "free: ")) {
        if (c->use == USE_DIRECT && !c->told)
            channel_refused(log, c, SPAN("given up"));
        learn_origin(c, rest);
        map_take_id(log->channels, number);
        channel_end(log, c);
    } else {
        return span_starts(rest, "rcvd ") || span_starts(rest, "forcing write") ||
               span_starts(rest, "request ") || span_starts(rest, "big output buffer");
    }
    return true;
}

/* ---- sessions ---- */

static bool on_logged_in(struct sshd_log *log, struct span rest)
{
    struct sshd_event e = {.kind = SSHD_LOGGED_IN};
    log->logged_in = true;
    tell(log, &e);
    return true;
}

/* "WHAT for USER from X port P id N", "user USER from X port P id N" */
static bool tell_session(struct sshd_log *log, enum sshd_event_kind kind, struct span rest)
{
    struct sshd_event e = {.kind = kind};
    struct span before, digits, what, user;
    if (!split_last(rest, " id ", &before, &digits) || num_parse(digits, 0, UINT32_MAX, &e.id) < 0)
        return false;
    if (kind == SSHD_SESSION_STARTED) {
        if (!split_last(before, " for ", &what, &user))
            return false;
        str_copy_span(e.text, sizeof(e.text), what);
    }
    if (e.id < SSHD_SESSIONS_MAX)
        log->sessions[e.id] = kind == SSHD_SESSION_STARTED;
    tell(log, &e);
    return true;
}

static bool on_session_started(struct sshd_log *log, struct span rest)
{
    return tell_session(log, SSHD_SESSION_STARTED, rest);
}

static bool on_session_ended(struct sshd_log *log, struct span rest)
{
    return tell_session(log, SSHD_SESSION_ENDED, rest);
}

/* ---- lines ---- */

#define REQUEST "server_input_global_request: "

static const struct {
    const char *start;
    meaning_fn *meaning;
} meanings[] = {
    {"Accepted publickey for ", on_logged_in},
    {"Starting session: ", on_session_started},
    {"Close session: ", on_session_ended},
    {REQUEST "tcpip-forward listen ", on_tcp_asked},
    {REQUEST "streamlocal-forward listen path ", on_unix_asked},
    {REQUEST "cancel-tcpip-forward addr ", on_tcp_cancelled},
    {REQUEST "cancel-streamlocal-forward path ", on_unix_cancelled},
    {"Local forwarding listening on path ", on_binding_path},
    {"Local forwarding listening on ", on_binding},
    {"Allocated listen port ", on_allocated},
    {"bind ", on_bind_failed},
    {"unix_listener: ", on_bind_failed},
    {"channel_setup_fwd_listener_tcpip: ", on_bind_failed},
    {"channel_setup_fwd_listener_streamlocal: ", on_bind_failed},
    {"Received request ", on_denied},
    {"server_request_direct_tcpip: originator ", on_direct_tcp},
    {"server_request_direct_streamlocal: originator ", on_direct_unix},
    {"refused local port forward: originator ", on_refused_tcp},
    {"refused streamlocal port forward: originator ", on_refused_unix},
    {"connect_to ", on_connect_failed},
    {"connect to ", on_connect_failed},
    {"server_input_channel_open: failure ", on_open_failed},
    {"Connection to port ", on_accepted},
    {"channel ", on_channel},
};

static const char *const without_interest[] = {
    REQUEST "rtype ",
    "server_input_channel_open: ctype ",
    "server_input_channel_open: confirm ",
    "server_input_channel_req: ",
    "server_init_dispatch",
    "Entering interactive session",
    "input_session_request",
    "session_new: ",
    "session_open: ",
    "session_by_",
    "session_input_channel_req: ",
    "session_pty_req: ",
    "session_pty_cleanup2: ",
    "session_exit_message: ",
    "session_close_by_channel: ",
    "session_signal_req: ",
    "session_auth_agent_req",
    "syslogin_perform_logout: ",
    "Allocating pty.",
    "Setting controlling tty",
    "Ignoring unsupported tty mode",
    "SELinux support ",
    "subsystem: ",
    "Received SIGCHLD.",
    "Received disconnect from ",
    "Exiting on signal ",
    "Disconnected from ",
    "Transferred: sent ",
    "Closing connection to ",
    "Connection closed by ",
    "Connection from ",
    "Connection reset by ",
    "Read error from remote host ",
    "Accepted key ",
    "connect_next: ",
    "rekey ",
    "set_newkeys: ",
    "ssh_set_newkeys: ",
    "enqueue packet: ",
    "dequeue packet: ",
    "ssh_packet_",
    "SSH2_MSG_",
    "Sending SSH2_MSG_",
    "expecting SSH2_MSG_",
    "kex: ",
    "KEX done",
    "active: key options: ",
    "auth_activate_options: ",
    "monitor_",
    "permanently_set_uid: ",
    "temporarily_use_uid: ",
    "restore_uid: ",
    "PAM: ",
    "do_pam_",
    "do_cleanup",
    "audit_",
    "permit_",
    "User child is on pid ",
    "get_remote_hostkeys",
    "client_input_hostkeys",
    "server_input_hostkeys_prove",
    "notify_hostkeys: ",
    "Forced command",
    "inetd sockets after dupping: ",
    "allow admin ",
    "Local version string ",
    "Remote protocol version ",
    "compat_banner: ",
    "fd ",
};

static void read_line(struct sshd_log *log, struct span line)
{
    struct span rest = line;
    bool debug = skip(&rest, "debug1: ");
    if (span_ends(rest, " [preauth]"))
        return;
    for (size_t i = 0; i < ARRAY_LEN(meanings); i++) {
        struct span text = rest;
        if (!skip(&text, meanings[i].start))
            continue;
        if (!meanings[i].meaning(log, text))
            tell_raw(log, line);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(without_interest); i++)
        if (span_starts(rest, without_interest[i]))
            return;
    if (log->logged_in || !debug)
        tell_raw(log, line);
}

static void line_ended(struct sshd_log *log)
{
    struct span line = span_from(log->line, log->line_len);
    if (span_ends(line, "\r"))
        line.len--;
    if (log->cut)
        tell_raw(log, line);
    else if (line.len > 0)
        read_line(log, line);
    log->line_len = 0;
    log->cut = false;
}

void sshd_log_feed(struct sshd_log *log, const void *data, size_t len)
{
    const char *p = data;
    for (size_t i = 0; i < len; i++) {
        if (p[i] == '\n')
            line_ended(log);
        else if (log->line_len < sizeof(log->line))
            log->line[log->line_len++] = p[i] ? p[i] : '?';
        else
            log->cut = true;
    }
}

void sshd_log_end(struct sshd_log *log)
{
    if (log->line_len > 0)
        line_ended(log);
    sshd_log_settle(log);
    for (unsigned i = 0; i < SSHD_SESSIONS_MAX; i++)
        if (log->sessions[i])
            tell(log, &(struct sshd_event){.kind = SSHD_SESSION_ENDED, .id = i});
    struct map_iter it = {0};
    struct channel *c;
    while ((c = map_next(log->channels, &it))) {
        map_take_id(log->channels, c->number);
        channel_end(log, c);
    }
}

uint64_t sshd_log_unknown(const struct sshd_log *log)
{
    return log->unknown;
}

struct sshd_log *sshd_log_new(sshd_logged_fn *logged, void *ud)
{
    struct sshd_log *log = new0(struct sshd_log);
    log->logged = logged;
    log->ud = ud;
    log->channels = map_new();
    return log;
}

struct sshd_log *sshd_log_free(struct sshd_log *log)
{
    if (!log)
        return NULL;
    struct map_iter it = {0};
    struct channel *c;
    while ((c = map_next(log->channels, &it))) {
        map_take_id(log->channels, c->number);
        channel_free(c);
    }
    map_free(log->channels);
    free(log);
    return NULL;
}
