/*
 * One look at the way to the deployment, step by step: the addresses of its name (or of the
 * proxy's) are all connected to at once, then one request on a new connection is timed, then a
 * WebSocket handshake is sent to a path that takes nothing else, for an agent that cannot exist.
 * The server looks at the handshake first: 404 says that it came whole, 426 that something on the
 * way took it for plain HTTP.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/routes.h"
#include "api/user.h"
#include "base/arena.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "cli/api_client.h"
#include "cli/text.h"
#include "http/client_proxy.h"
#include "http/client_request.h"
#include "http/ws_handshake.h"
#include "io/dial.h"
#include "io/dns.h"
#include "io/loop.h"
#include "io/net_local.h"
#include "io/stream.h"

enum { ADDRESSES_MAX = 8, LOCAL_MAX = 16, SKEW_TOLERATED_SEC = 2, PIN_TEXT_LEN = 43 };

static const usec_t connect_limit = 5 * USEC_PER_SEC;
static const usec_t request_limit = 10 * USEC_PER_SEC;

enum websocket { WEBSOCKET_UNTRIED, WEBSOCKET_PASSES, WEBSOCKET_STOPPED };
enum log_in { LOG_IN_NONE, LOG_IN_UNTRIED, LOG_IN_VALID, LOG_IN_INVALID };

struct attempt {
    struct netcheck *of;
    struct addr addr;
    struct dial *dial;
    usec_t took; /* 0: it did not connect */
    char reason[160];
};

struct netcheck {
    struct cli *cli;
    struct api_client api;
    struct url url;
    const char *proxy; /* NULL: none; borrowed from the environment */
    struct attempt attempts[ADDRESSES_MAX];
    size_t n_attempts;
    bool waiting; /* for the name, or for the request */
    unsigned dialling;
    char problem[256]; /* why the server is not reached; "": it is */
    usec_t asked_at, answered_after;
    usec_t began; /* of the request, since 1970 */
    char version[64], via[128];
    bool has_date;
    long long ahead_sec; /* this machine's clock */
    enum websocket websocket;
    unsigned websocket_status;
    enum log_in log_in;
    struct addr local[LOCAL_MAX];
    size_t n_local;
};

/* ---- addresses ---- */

static void dialled(enum dial_outcome outcome, struct stream *s, const struct err *err, void *ud)
{
    struct attempt *a = ud;
    char addr[ADDR_TEXT_LEN], prefix[ADDR_TEXT_LEN + 2];
    a->dial = NULL;
    a->of->dialling--;
    if (outcome == DIAL_OUTCOME_OK)
        a->took = clock_monotonic() - a->of->asked_at + 1;
    snprintf(prefix, sizeof(prefix), "%s: ", addr_format(&a->addr, addr));
    if (outcome != DIAL_OUTCOME_OK)
        str_copy(a->reason, sizeof(a->reason),
                 err->text + (span_starts(span_of(err->text), prefix) ? strlen(prefix) : 0));
    stream_free(s);
}

static void resolved(int result, const struct addr *addrs, size_t n, void *ud)
{
    struct netcheck *c = ud;
    c->waiting = false;
    if (result < 0)
        str_copy(c->problem, sizeof(c->problem),
                 result == -ENOENT ? "its name is not known" : "its name cannot be looked up now");
    for (size_t i = 0; i < n && c->n_attempts < ADDRESSES_MAX; i++)
        c->attempts[c->n_attempts++] = (struct attempt){.of = c, .addr = addrs[i]};
}

static void connect_to_all(struct netcheck *c)
{
    const struct dial_options options = {.timeout = connect_limit, .done = dialled};
    c->asked_at = clock_monotonic();
    for (size_t i = 0; i < c->n_attempts; i++) {
        struct attempt *a = &c->attempts[i];
        struct dial_options mine = options;
        char ip[ADDR_TEXT_LEN];
        mine.ud = a;
        a->dial = dial_tcp(c->api.loop, addr_format_ip(&a->addr, ip), addr_port(&a->addr), &mine);
        c->dialling++;
    }
    while (c->dialling > 0)
        loop_turn(c->api.loop, true);
}

static int look_up(struct netcheck *c, struct err *err)
{
    struct client_proxy proxy;
    const char *host = c->url.host;
    uint16_t port = c->url.port;
    if (c->proxy) {
        int r = client_proxy_parse(c->proxy, &proxy, err);
        if (r < 0)
            return r;
        host = proxy.host;
        port = proxy.port;
    }
    c->waiting = true;
    dns_resolve(c->api.loop, host, port, resolved, c);
    while (c->waiting)
        loop_turn(c->api.loop, true);
    return 0;
}

/* ---- a request ---- */

/* RFC 9110 section 5.6.7; whole seconds. */
static void read_date(struct netcheck *c, struct span date)
{
    _cleanup_free_ char *text = span_dup(date);
    struct tm tm = {0};
    if (!strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm))
        return;
    usec_t here = c->began + c->answered_after / 2;
    c->has_date = true;
    c->ahead_sec = here / USEC_PER_SEC - (long long)timegm(&tm);
}

static void read_buildinfo(struct netcheck *c, const struct client_result *answer)
{
    struct api_buildinfo info;
    if (answer->status != 200 || api_buildinfo_read(answer->body, API_LENIENT, &info, NULL) < 0) {
        snprintf(c->problem, sizeof(c->problem),
                 "it answers, but not as an adit server does (status %u)", answer->status);
        return;
    }
    str_copy(c->version, sizeof(c->version), info.version);
    api_buildinfo_release(&info);
}

static void answered(int result, const struct client_result *answer, const struct err *err,
                     void *ud)
{
    struct netcheck *c = ud;
    c->waiting = false;
    c->answered_after = clock_monotonic() - c->asked_at;
    if (result < 0) {
        str_copy(c->problem, sizeof(c->problem), err->text);
        return;
    }
    read_buildinfo(c, answer);
    read_date(c, headers_get(&answer->headers, "Date"));
    str_copy_span(c->via, sizeof(c->via), headers_get(&answer->headers, "Via"));
}

static void hand_shaken(int result, const struct client_result *answer, const struct err *err,
                        void *ud)
{
    struct netcheck *c = ud;
    c->waiting = false;
    c->websocket = WEBSOCKET_STOPPED;
    if (result < 0)
        return;
    c->websocket_status = answer->status;
    if (answer->upgraded)
        stream_free(answer->upgraded);
    if (answer->status == 401) {
        c->websocket = WEBSOCKET_UNTRIED; /* asked before the handshake is looked at */
        c->log_in = LOG_IN_INVALID;
    } else if (answer->status == 404) {
        c->websocket = WEBSOCKET_PASSES;
        c->log_in = LOG_IN_VALID;
    }
}

/* Returns when `done` has been called. */
static int ask(struct netcheck *c, const char *path, const struct headers *fields, bool upgrade,
               client_request_done_fn *done, struct err *err)
{
    struct client_request *request;
    _cleanup_free_ char *url = xasprintf("%s%s", c->api.url, path);
    const struct client_request_options options = {.url = url,
                                                   .headers = fields,
                                                   .timeout = request_limit,
                                                   .tls = c->api.tls,
                                                   .upgrade = upgrade ? "websocket" : NULL,
                                                   .done = done,
                                                   .ud = c};
    c->waiting = true;
    c->asked_at = clock_monotonic();
    c->began = clock_realtime();
    int r = client_request_start(c->api.loop, &options, &request, err);
    while (r == 0 && c->waiting)
        loop_turn(c->api.loop, true);
    return r;
}

static int try_websocket(struct netcheck *c, struct err *err)
{
    struct arena arena;
    struct headers fields;
    char key[WS_KEY_SIZE], pin[PIN_TEXT_LEN + 1], path[128], nobody[ID_TEXT_SIZE];
    const struct id zero = {{0}};
    memset(pin, 'A', PIN_TEXT_LEN);
    pin[PIN_TEXT_LEN] = '\0';
    ws_make_key(key);
    snprintf(path, sizeof(path), "%s/agents/%s/relay", API_PREFIX, id_format(&zero, nobody));
    arena_init(&arena, 2 * HEADERS_MAX_BYTES);
    headers_init(&fields, &arena, 0, 0);
    headers_addf(&fields, "Authorization", "Bearer %s", c->api.token->text);
    headers_add(&fields, "Adit-Peer-Pin", pin);
    ws_handshake_request(&fields, key, NULL);
    int r = ask(c, path, &fields, true, hand_shaken, err);
    arena_deinit(&arena);
    return r;
}

static const char *from_environment(const char *name)
{
    return getenv(name);
}

/* 0, or -EINVAL: the proxy of the environment cannot be used. */
static int check(struct netcheck *c, struct err *err)
{
    c->proxy = client_proxy_find(&c->url, from_environment);
    c->log_in = c->api.token ? LOG_IN_UNTRIED : LOG_IN_NONE;
    c->n_local = net_local_addrs(c->local, LOCAL_MAX);
    int r = look_up(c, err);
    if (r == 0)
        connect_to_all(c);
    if (r == 0 && !c->problem[0])
        r = ask(c, API_PREFIX "/buildinfo", NULL, false, answered, err);
    if (r == 0 && !c->problem[0] && c->api.token)
        r = try_websocket(c, err);
    return r;
}

/* ---- what is shown ---- */

static const char *const websocket_names[] = {
    [WEBSOCKET_PASSES] = "passes", [WEBSOCKET_STOPPED] = "stopped"};
static const char *const log_in_names[] = {[LOG_IN_NONE] = "none",
                                           [LOG_IN_UNTRIED] = "not tried",
                                           [LOG_IN_VALID] = "valid",
                                           [LOG_IN_INVALID] = "not valid, or not any longer"};

static json_t *text_or_null(const char *text)
{
    return text && *text ? json_string(text) : json_null();
}

static json_t *attempts_json(const struct netcheck *c)
{
    json_t *list = json_array();
    for (size_t i = 0; i < c->n_attempts; i++) {
        const struct attempt *a = &c->attempts[i];
        char addr[ADDR_TEXT_LEN];
        json_t *item = json_object();
        json_object_set_new(item, "address", json_string(addr_format(&a->addr, addr)));
        json_object_set_new(item, "connect_ms",
                            a->took ? json_real((double)a->took / USEC_PER_MSEC) : json_null());
        json_object_set_new(item, "error", text_or_null(a->reason));
        json_array_append_new(list, item);
    }
    return list;
}

static json_t *local_json(const struct netcheck *c)
{
    json_t *list = json_array();
    char ip[ADDR_TEXT_LEN];
    for (size_t i = 0; i < c->n_local; i++)
        json_array_append_new(list, json_string(addr_format_ip(&c->local[i], ip)));
    return list;
}

static void print_json(struct netcheck *c)
{
    bool reached = !c->problem[0];
    json_t *o = json_object();
    json_object_set_new(o, "url", json_string(c->api.url));
    json_object_set_new(o, "proxy", json_boolean(c->proxy != NULL));
    json_object_set_new(o, "addresses", attempts_json(c));
    json_object_set_new(o, "reached", json_boolean(reached));
    json_object_set_new(o, "error", text_or_null(c->problem));
    json_object_set_new(o, "answer_ms",
                        reached ? json_real((double)c->answered_after / USEC_PER_MSEC)
                                : json_null());
    json_object_set_new(o, "encrypted", json_boolean(url_scheme_is_tls(c->url.scheme)));
    json_object_set_new(o, "version", text_or_null(c->version));
    json_object_set_new(o, "via", text_or_null(c->via));
    json_object_set_new(o, "websocket", text_or_null(websocket_names[c->websocket]));
    json_object_set_new(o, "log_in", json_string(log_in_names[c->log_in]));
    json_object_set_new(o, "clock_ahead_s", c->has_date ? json_integer(c->ahead_sec) : json_null());
    json_object_set_new(o, "local_addresses", local_json(c));
    output_json(&c->cli->out, o);
    json_decref(o);
}

static void print_addresses(struct netcheck *c)
{
    struct output *out = &c->cli->out;
    char addr[ADDR_TEXT_LEN], text[TEXT_SIZE];
    for (size_t i = 0; i < c->n_attempts; i++) {
        const struct attempt *a = &c->attempts[i];
        const char *label = i > 0 ? "" : c->proxy ? "proxy at" : "addresses";
        addr_format(&a->addr, addr);
        if (a->took)
            output_line(out, "%-13s %s connects in %s", label, addr, text_duration(a->took, text));
        else
            output_line(out, "%-13s %s does not connect: %s", label, addr, a->reason);
    }
}

static void print_clock(struct netcheck *c)
{
    long long off = c->ahead_sec < 0 ? -c->ahead_sec : c->ahead_sec;
    if (!c->has_date)
        return;
    if (off <= SKEW_TOLERATED_SEC)
        output_line(&c->cli->out, "%-13s as the server's", "clock");
    else
        output_line(&c->cli->out, "%-13s %lld s %s the server's", "clock", off,
                    c->ahead_sec < 0 ? "behind" : "ahead of");
}

static void print_websocket(struct netcheck *c)
{
    struct output *out = &c->cli->out;
    if (c->websocket == WEBSOCKET_PASSES)
        output_line(out, "%-13s pass", "WebSockets");
    else if (c->websocket == WEBSOCKET_UNTRIED)
        output_line(out, "%-13s not tried without a log-in", "WebSockets");
    else if (c->websocket_status)
        output_line(out, "%-13s do not pass: the handshake was answered with status %u",
                    "WebSockets", c->websocket_status);
    else
        output_line(out, "%-13s do not pass: the handshake was not answered", "WebSockets");
}

static void print_answer(struct netcheck *c)
{
    struct output *out = &c->cli->out;
    _cleanup_free_ char *version = output_printable(c->version);
    _cleanup_free_ char *via = output_printable(c->via);
    char text[TEXT_SIZE];
    output_line(out, "%-13s adit %s, after %s on a new connection", "answer", version,
                text_duration(c->answered_after, text));
    output_line(out, "%-13s %s", "encryption",
                url_scheme_is_tls(c->url.scheme) ? "TLS, certificate verified" : "none: http");
    output_line(out, "%-13s %s", "in between", *via ? via : "nothing that says so");
    print_websocket(c);
    output_line(out, "%-13s %s", "log-in", log_in_names[c->log_in]);
    print_clock(c);
}

static void print_text(struct netcheck *c)
{
    _cleanup_(buf_deinit) struct buf local = BUF_INIT(LOCAL_MAX * ADDR_TEXT_LEN);
    char ip[ADDR_TEXT_LEN];
    output_line(&c->cli->out, "%-13s %s", "server", c->api.url);
    output_line(&c->cli->out, "%-13s %s", "proxy", c->proxy ? "by the environment" : "none");
    print_addresses(c);
    if (!c->problem[0])
        print_answer(c);
    for (size_t i = 0; i < c->n_local; i++)
        buf_appendf(&local, "%s%s", i ? ", " : "", addr_format_ip(&c->local[i], ip));
    output_line(&c->cli->out, "%-13s %s", "this machine",
                c->n_local ? buf_cstr(&local) : "loopback only");
}

static int verdict(struct netcheck *c)
{
    struct output *out = &c->cli->out;
    if (c->problem[0]) {
        output_error(out, "%s is not reached: %s", c->api.url, c->problem);
        return EXIT_CODE_NOT_REACHABLE;
    }
    if (c->log_in == LOG_IN_INVALID) {
        output_error(out, "the log-in to %s is not valid, or not any longer", c->api.url);
        output_hint(out, "log in with: adit login %s", c->api.url);
        return EXIT_CODE_NOT_ALLOWED;
    }
    if (c->websocket == WEBSOCKET_STOPPED) {
        output_error(out, "something on the way does not let WebSockets pass");
        output_hint(out, "the proxy in front must hand Upgrade and Connection on");
        return EXIT_CODE_FAILURE;
    }
    return EXIT_CODE_OK;
}

static int run(struct cli *cli)
{
    struct netcheck c = {.cli = cli};
    struct err err = ERR_INIT;
    int code = api_client_open_anyhow(&c.api, cli);
    if (code != 0)
        return code;
    if (url_parse(span_of(c.api.url), &c.url, &err) < 0 || check(&c, &err) < 0) {
        code = cli_failure(cli, &err);
    } else {
        if (cli->out.json)
            print_json(&c);
        else
            print_text(&c);
        code = verdict(&c);
    }
    url_deinit(&c.url);
    api_client_close(&c.api);
    return code;
}

const struct command cmd_netcheck = {
    .name = "netcheck",
    .summary = "Check the way to the server: name, addresses, proxies, TLS, WebSockets, clock",
    .about = "Looks the server's name up, connects to each of its addresses, makes one request and "
             "one WebSocket handshake, and compares the clocks. Where the environment names a "
             "proxy, its addresses are connected to. It needs no log-in, but tries the handshake "
             "only with one. The addresses of this machine are those where an agent on it would "
             "be reached directly.",
    .examples = "adit netcheck\nadit netcheck --url https://adit.example.com --output json",
    .exits = "4  the server is not reached, or something else answers in its place",
    .traits = COMMAND_API | COMMAND_OUTPUT,
    .run = run,
};
