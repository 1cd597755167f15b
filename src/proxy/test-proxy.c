/*
 * The pipeline over a real store: people in front of connections in memory, an app behind channels
 * in memory, and the live server in between played by the test.
 */
#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "api/workspace.h"
#include "auth/auth.h"
#include "auth/hand_over.h"
#include "auth/key_ring.h"
#include "auth/ticket.h"
#include "auth/token.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "http/exchange.h"
#include "http/server_conn.h"
#include "io/loop.h"
#include "io/stream.h"
#include "proxy/proxy.h"
#include "store/share.h"
#include "store/template.h"
#include "store/token.h"
#include "store/user.h"
#include "store/workspace.h"
#include "tunnel/channel_open.h"

enum person { OWNER, NAMED, OTHER, ADMIN, NOBODY, N_PEOPLE };

static const char *const names[] = {"ada", "bob", "cy", "root", "nobody"};

struct scene {
    char dir[64], path[128];
    struct loop *loop;
    struct store *store;
    struct auth *auth;
    struct key_ring *tickets, *hand_overs;
    struct withdrawal_log *log;
    struct app_site site;
    struct proxy *proxy;
    struct proxy_counters counters;
    struct proxy_options options;

    struct id users[N_PEOPLE], sessions[N_PEOPLE];
    char tokens[N_PEOPLE][TOKEN_TEXT_SIZE];
    struct workspace ws;
    struct agent agent;

    /* the live server */
    bool away;
    enum dial_result dial; /* how the next dials end */
    unsigned n_dials;
    struct channel_target dialled;
    char dialled_host[HOST_SIZE];
    struct server_conn *app; /* the last connection to the app */
    struct stream *raw;      /* or its end, once it was upgraded */

    /* the last answer */
    bool done;
    int r;
    int64_t generation;
    struct buf got;
    unsigned status;
};

/* ---- asking the store ---- */

static void wait_done(struct scene *s)
{
    while (!s->done)
        loop_turn(s->loop, true);
    s->done = false;
    assert_int_equal(s->r, 0);
}

static void on_user(void *ud, int r, const struct user *user)
{
    struct scene *s = ud;
    s->done = true;
    s->r = r;
    for (size_t i = 0; r == 0 && i < NOBODY; i++)
        if (str_eq(names[i], user->name))
            s->users[i] = user->id;
}

static void on_token(void *ud, int r, const struct token *token)
{
    struct scene *s = ud;
    s->done = true;
    s->r = r;
    for (size_t i = 0; r == 0 && i < NOBODY; i++)
        if (id_equal(&s->users[i], &token->user_id))
            s->sessions[i] = token->id;
}

static void on_workspace(void *ud, int r, const struct store_workspace *ws)
{
    struct scene *s = ud;
    s->done = true;
    s->r = r;
    if (r == 0) {
        s->ws = ws->ws;
        s->agent = ws->agents[0];
    }
}

static void on_template(void *ud, int r, const struct store_template *t)
{
    struct scene *s = ud;
    s->done = true;
    s->r = r;
}

static void on_share(void *ud, int r, const struct port_share *share)
{
    struct scene *s = ud;
    s->done = true;
    s->r = r;
}

static void make_person(struct scene *s, enum person p)
{
    usec_t now = clock_realtime();
    struct store_user_new user = {.name = names[p],
                                  .display_name = "",
                                  .email = p == OWNER ? "ada@example.com" : "",
                                  .password_hash = "",
                                  .role = p == ADMIN ? ROLE_OWNER : ROLE_MEMBER,
                                  .now = now};
    store_user_create(s->store, s->loop, &user, on_user, s);
    wait_done(s);
    struct store_token_new token = {
        .user_id = s->users[p], .kind = TOKEN_SESSION, .name = "", .now = now};
    token_make(TOKEN_LETTER_SESSION, s->tokens[p], token.hash);
    store_token_create(s->store, s->loop, &token, on_token, s);
    wait_done(s);
}

static void put_template(struct scene *s, enum share_level max, enum share_level of_app,
                         enum cors_behavior cors)
{
    struct template t;
    struct buf json = BUF_INIT(65536);
    struct app app = {.slug = "lab", .subdomain = true, .share = of_app};
    template_init(&t);
    t.max_port_share_level = max;
    t.cors = cors;
    t.identity_headers = true;
    app.url = xstrdup("http://localhost:8888/tree?token=x");
    assert_int_equal(template_add_app(&t, &app), 0);
    assert_int_equal(api_policy_write(&t, &json), 0);
    store_template_put(
        s->store, s->loop,
        &(struct store_template_put){
            .name = "default", .yaml = "", .policy = buf_cstr(&json), .now = clock_realtime()},
        on_template, s);
    wait_done(s);
    template_deinit(&t);
    buf_deinit(&json);
}

static void share_port(struct scene *s, enum share_level level)
{
    struct port_share share = {.agent_id = s->agent.id, .port = 8080, .level = level};
    if (level == SHARE_USERS)
        text_list_add(&share.users, span_of(names[NAMED]), 8);
    store_share_set(s->store, s->loop, &share, on_share, s);
    wait_done(s);
    text_list_deinit(&share.users);
}

static uint64_t store_calls(struct scene *s)
{
    struct store_stat stat;
    uint64_t sum = 0;
    for (unsigned i = 0; store_stat_get(s->store, i, &stat); i++)
        sum += stat.calls;
    return sum;
}

/* ---- the app ---- */

static void on_raw(struct stream *raw, unsigned events, void *ud)
{
    char data[4096];
    ssize_t n = stream_recv(raw, data, sizeof(data));
    if (n > 0)
        stream_send_bytes(raw, data, (size_t)n);
    else if (n != -EAGAIN)
        stream_want(raw, 0);
}

static void on_raw_start(struct stream *raw, int result, void *ud)
{
    struct scene *s = ud;
    s->raw = raw;
    if (!raw)
        return;
    stream_set_ready(raw, on_raw, s);
    stream_want(raw, STREAM_READ);
}

static void echo_body(struct exchange *x, int result, struct span body, void *ud)
{
    struct headers trailers;
    assert_int_equal(result, 0);
    headers_init(&trailers, &x->arena, 0, 0);
    headers_add(&trailers, "X-Sum", "42");
    exchange_start(x, 200, BODY_UNKNOWN);
    exchange_send_bytes(x, body.p, body.len);
    exchange_end(x, &trailers);
}

/* Says what it got: the request line and the fields. */
static void app_request(struct exchange *x, void *ud)
{
    struct scene *s = ud;
    struct buf text = BUF_INIT(65536);
    if (exchange_wants_upgrade(x)) {
        headers_add(&x->response, "Upgrade", "echo");
        headers_add(&x->response, "Connection", "Upgrade");
        assert_int_equal(exchange_upgrade(x, 101, on_raw_start, s), 0);
        return;
    }
    headers_add(&x->response, "Set-Cookie", "adit_ticket=evil");
    headers_add(&x->response, "Access-Control-Allow-Origin", "*");
    if (span_is(x->method, "POST")) {
        exchange_read_all(x, 1 << 20, echo_body, s);
        return;
    }
    if (span_is(x->path, "/hints")) {
        struct headers hints;
        headers_init(&hints, &x->arena, 0, 0);
        headers_add(&hints, "Link", "</a.css>");
        exchange_inform(x, 103, &hints);
    }
    if (span_is(x->path, "/cut")) {
        exchange_abort(x);
        return;
    }
    buf_appendf(&text, SPAN_FMT " " SPAN_FMT "\n", SPAN_ARG(x->method), SPAN_ARG(x->target));
    for (size_t i = 0; i < x->headers.len; i++)
        buf_appendf(&text, SPAN_FMT ": " SPAN_FMT "\n", SPAN_ARG(x->headers.list[i].name),
                    SPAN_ARG(x->headers.list[i].value));
    exchange_respond(x, span_is(x->path, "/304") ? 304 : 200, buf_data(&text), text.len);
    buf_deinit(&text);
}

static void app_closed(struct server_conn *c, void *ud)
{
    struct scene *s = ud;
    if (s->app == c)
        s->app = NULL;
}

/* ---- the live server ---- */

struct fake_open {
    struct channel_open head;
    struct scene *s;
    struct defer soon;
    struct channel_open_options options;
};

static void fake_cancel(struct channel_open *head)
{
    struct fake_open *o = container_of(head, struct fake_open, head);
    defer_cancel(&o->soon);
    free(o);
}

static void fake_opened(void *ud)
{
    struct fake_open *o = ud;
    struct scene *s = o->s;
    struct channel_open_options options = o->options;
    struct stream *ends[2];
    free(o);
    if (s->dial != DIAL_OK) {
        options.opened(NULL, s->dial, "no", options.ud);
        return;
    }
    stream_pair(s->loop, 65536, ends);
    s->app = server_conn_new(
        s->loop, ends[1],
        &(struct server_conn_options){.handler = app_request, .closed = app_closed, .ud = s});
    options.opened(ends[0], DIAL_OK, "", options.ud);
}

static struct channel_open *live_open(void *ud, uint64_t link, const struct channel_target *target,
                                      const struct channel_open_options *options)
{
    struct scene *s = ud;
    struct fake_open *o = new0(struct fake_open);
    assert_int_equal(link, 77);
    s->n_dials++;
    s->dialled = *target;
    str_copy(s->dialled_host, sizeof(s->dialled_host), target->host);
    o->head.cancel = fake_cancel;
    o->s = s;
    o->options = *options;
    defer_init(&o->soon, fake_opened, o);
    defer_schedule(s->loop, &o->soon);
    return &o->head;
}

static void live_client(void *ud, const struct exchange *x, struct proxy_client *ret)
{
    *ret = (struct proxy_client){.ip = "192.0.2.1", .peer = "192.0.2.1"};
}

static bool live_presence(void *ud, const struct id *agent_id)
{
    struct scene *s = ud;
    return !s->away && id_equal(agent_id, &s->agent.id);
}

static int live_move(void *ud, struct exchange *x, const struct id *agent_id, proxy_moved_fn *moved,
                     void *moved_ud)
{
    struct scene *s = ud;
    if (!live_presence(ud, agent_id))
        return -ENOTCONN;
    moved(s->proxy, x, 77, moved_ud);
    return 0;
}

static const struct proxy_live live = {
    .client = live_client, .presence = live_presence, .move = live_move, .open = live_open};

/* ---- set-up ---- */

static void open_proxy(struct scene *s)
{
    if (s->proxy)
        proxy_free(s->proxy);
    s->proxy = proxy_new(&s->options);
}

static struct key_ring *ring(struct scene *s, const char *purpose)
{
    struct key_ring *r = key_ring_new(s->store, s->loop, purpose, TICKET_LIFE);
    while (!key_ring_ready(r))
        loop_turn(s->loop, true);
    return r;
}

static int set_up(void **state)
{
    struct scene *s = new0(struct scene);
    struct err err = ERR_INIT;
    struct store_agent_new agent = {.name = "main"};
    str_copy(s->dir, sizeof(s->dir), "/tmp/adit-proxy-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    snprintf(s->path, sizeof(s->path), "%s/adit.db", s->dir);
    s->loop = loop_new();
    buf_init(&s->got, 4 << 20);
    assert_int_equal(store_open(&(struct store_options){.path = s->path}, &s->store, &err), 0);
    s->auth = auth_new(s->store, &(struct auth_options){0});
    s->tickets = ring(s, TICKET_KEYS);
    s->hand_overs = ring(s, HAND_OVER_KEYS);
    s->log = withdrawal_log_new();
    assert_int_equal(app_site_parse(SPAN("*.apps.test"), SPAN("http://adit.test"), &s->site, &err),
                     0);
    put_template(s, SHARE_PUBLIC, SHARE_OWNER, CORS_SIMPLE);
    for (enum person p = 0; p < NOBODY; p++)
        make_person(s, p);
    store_workspace_create(s->store, s->loop,
                           &(struct store_workspace_new){.owner_id = s->users[OWNER],
                                                         .name = "dev",
                                                         .template_name = "default",
                                                         .agents = &agent,
                                                         .n_agents = 1,
                                                         .now = clock_realtime()},
                           on_workspace, s);
    wait_done(s);
    s->options = (struct proxy_options){.loop = s->loop,
                                        .auth = s->auth,
                                        .access_url = "http://adit.test",
                                        .site = &s->site,
                                        .tickets = s->tickets,
                                        .hand_overs = s->hand_overs,
                                        .withdrawals = s->log,
                                        .path_apps = true,
                                        .counters = &s->counters,
                                        .live = &live,
                                        .live_ud = s};
    open_proxy(s);
    *state = s;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static int tear_down(void **state)
{
    struct scene *s = *state;
    proxy_close(s->proxy);
    while (proxy_in_flight(s->proxy) > 0)
        loop_turn(s->loop, true);
    proxy_free(s->proxy);
    loop_turn(s->loop, false);
    server_conn_free(s->app);
    stream_free(s->raw);
    key_ring_free(s->tickets);
    key_ring_free(s->hand_overs);
    store_close(s->store);
    loop_turn(s->loop, false);
    auth_free(s->auth);
    withdrawal_log_free(s->log);
    loop_free(s->loop);
    buf_deinit(&s->got);
    nftw(s->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(s);
    return 0;
}

/* ---- conversations ---- */

static void on_request(struct exchange *x, void *ud)
{
    if (!proxy_handle(((struct scene *)ud)->proxy, x))
        exchange_respond(x, 200, "dashboard", 9);
}

static struct stream *person_connect(struct scene *s)
{
    struct stream *ends[2];
    stream_pair(s->loop, 65536, ends);
    server_conn_new(s->loop, ends[0],
                    &(struct server_conn_options){.handler = on_request, .ud = s});
    return ends[1];
}

/* Reads until the peer closes, or until `until` was read. */
static void person_read(struct scene *s, struct stream *person, const char *until)
{
    for (;;) {
        ssize_t n = stream_recv(person, buf_reserve(&s->got, 16384), 16384);
        if (n > 0)
            buf_commit(&s->got, (size_t)n);
        else if (n != -EAGAIN)
            break;
        if (until && s->got.len && strstr(buf_cstr(&s->got), until))
            break;
        loop_turn(s->loop, n == -EAGAIN);
    }
}

static const char *text(struct scene *s)
{
    return s->got.len ? buf_cstr(&s->got) : "";
}

/* A whole request; `lines`: fields, each ended by "\r\n"; behind an empty line, a body. */
static unsigned ask(struct scene *s, const char *method, const char *host, const char *target,
                    const char *lines)
{
    struct stream *person = person_connect(s);
    struct buf out = BUF_INIT(65536);
    bool whole = strstr(lines, "\r\n\r\n") != NULL;
    buf_appendf(&out, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s%s", method, target,
                host, lines, whole ? "" : "\r\n");
    assert_int_equal(stream_send_bytes(person, buf_data(&out), out.len), out.len);
    buf_clear(&s->got);
    person_read(s, person, NULL);
    stream_free(person);
    buf_deinit(&out);
    s->status = (unsigned)strtoul(text(s) + strlen("HTTP/1.1 "), NULL, 10);
    return s->status;
}

static const char *credential(struct scene *s, enum person p)
{
    static char line[128];
    if (p == NOBODY)
        return "";
    snprintf(line, sizeof(line), "Adit-Session-Token: %s\r\n", s->tokens[p]);
    return line;
}

#define PORT_HOST "8080--dev--ada.apps.test"
#define APP_HOST  "lab--dev--ada.apps.test"
#define APP_PATH  "/@ada/dev/apps/lab/x"

/* The ticket that the last answer set, as a line of a request. */
static const char *ticket_of(struct scene *s)
{
    static char line[5000];
    const char *at = strstr(text(s), "Set-Cookie: adit_ticket=");
    assert_non_null(at);
    at += strlen("Set-Cookie: ");
    snprintf(line, sizeof(line), "Cookie: %.*s\r\n", (int)strcspn(at, ";"), at);
    return line;
}

static bool said(struct scene *s, const char *what)
{
    return strstr(text(s), what) != NULL;
}

/* ---- who may ---- */

static unsigned expected(enum share_level level, enum person p, bool admins)
{
    switch (p) {
    case OWNER:
        return 200;
    case ADMIN:
        return admins || level >= SHARE_AUTHENTICATED ? 200 : 404;
    case NAMED:
        return level >= SHARE_USERS ? 200 : 404;
    case OTHER:
        return level >= SHARE_AUTHENTICATED ? 200 : 404;
    default:
        return level == SHARE_PUBLIC ? 200 : 303;
    }
}

static void ports_are_open_to_those_they_are_shared_with(void **state)
{
    struct scene *s = *state;
    for (enum share_level max = SHARE_OWNER; max <= SHARE_PUBLIC; max++) {
        put_template(s, max, SHARE_OWNER, CORS_SIMPLE);
        for (enum share_level level = SHARE_OWNER; level <= SHARE_PUBLIC; level++) {
            share_port(s, level);
            for (enum person p = 0; p < N_PEOPLE; p++) {
                /* The named one is named at the level `users` only. */
                enum share_level cut = level < max ? level : max;
                unsigned wanted = expected(cut, p, true);
                if (p == NAMED && cut == SHARE_USERS && level != SHARE_USERS)
                    wanted = 404;
                if (ask(s, "GET", PORT_HOST, "/", credential(s, p)) != wanted)
                    fail_msg("max %s level %s %s: %u", share_level_name(max),
                             share_level_name(level), names[p], s->status);
            }
        }
    }
}

static void apps_are_open_by_host_as_the_template_says(void **state)
{
    struct scene *s = *state;
    for (enum share_level level = SHARE_OWNER; level <= SHARE_PUBLIC; level++) {
        put_template(s, SHARE_OWNER, level, CORS_SIMPLE);
        for (enum person p = 0; p < N_PEOPLE; p++) {
            unsigned wanted = expected(level, p, true);
            if (p == NAMED && level == SHARE_USERS)
                wanted = 404; /* nobody is named by a template */
            if (ask(s, "GET", APP_HOST, "/x", credential(s, p)) != wanted)
                fail_msg("%s %s: %u", share_level_name(level), names[p], s->status);
        }
    }
}

static void path_apps_obey_their_switches(void **state)
{
    struct scene *s = *state;
    for (unsigned set = 0; set < 4; set++) {
        s->options.path_app_sharing = set & 1;
        s->options.path_app_site_owner_access = set & 2;
        open_proxy(s);
        for (enum share_level level = SHARE_OWNER; level <= SHARE_PUBLIC; level++) {
            put_template(s, SHARE_OWNER, level, CORS_SIMPLE);
            for (enum person p = 0; p < N_PEOPLE; p++) {
                enum share_level cut = set & 1 ? level : SHARE_OWNER;
                unsigned wanted = expected(cut, p, set & 2);
                if (p == NAMED && cut == SHARE_USERS)
                    wanted = 404;
                if (ask(s, "GET", "adit.test", APP_PATH, credential(s, p)) != wanted)
                    fail_msg("set %u %s %s: %u", set, share_level_name(level), names[p], s->status);
            }
        }
    }
    s->options.path_apps = false;
    open_proxy(s);
    assert_int_equal(ask(s, "GET", "adit.test", APP_PATH, credential(s, OWNER)), 403);
    assert_int_equal(ask(s, "GET", APP_HOST, "/x", credential(s, OWNER)), 200);
}

static void what_is_missing_looks_like_what_is_not_shared(void **state)
{
    static const char *const hosts[] = {
        "8080--nope--ada.apps.test", "8080--dev--nope.apps.test", "8080--nope--dev--ada.apps.test",
        "nope--dev--ada.apps.test", "8080--0000000000000.apps.test"};
    struct scene *s = *state;
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", credential(s, OTHER)), 404);
    char *forbidden = xstrdup(strchr(strstr(text(s), "Cache-Control"), '\n'));
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        assert_int_equal(ask(s, "GET", hosts[i], "/", credential(s, OTHER)), 404);
        assert_string_equal(strchr(strstr(text(s), "Cache-Control"), '\n'), forbidden);
        assert_int_equal(ask(s, "GET", hosts[i], "/", ""), 303);
        assert_int_equal(ask(s, "GET", hosts[i], "/", "Sec-Fetch-Mode: cors\r\n"), 401);
    }
    free(forbidden);
}

static void strangers_are_led_to_the_log_in(void **state)
{
    struct scene *s = *state;
    assert_int_equal(ask(s, "GET", PORT_HOST, "/a?b=c%20d&e", "Sec-Fetch-Mode: navigate\r\n"), 303);
    assert_true(said(s, "Location: http://adit.test/api/v1/applications/auth-redirect?redirect_uri="
                        "http%3A%2F%2F8080--dev--ada.apps.test%2Fa%3Fb%3Dc%2520d%26e\r\n"));
    assert_int_equal(ask(s, "GET", "adit.test", APP_PATH "?q", ""), 303);
    assert_true(said(s, "Location: http://adit.test/login?next=%2F%40ada%2Fdev%2Fapps%2Flab%2Fx%3Fq"
                        "\r\n"));
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", "Accept: application/json\r\n"), 401);
    assert_true(said(s, "Content-Type: application/json"));
    /* Credentials that are the app's, or nobody's, count for nothing. */
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", "Authorization: Bearer adit_sx\r\n"), 303);
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", "Cookie: adit_session=adit_sx\r\n"), 303);
}

static void addresses_that_are_wrong_are_told_so(void **state)
{
    struct scene *s = *state;
    assert_int_equal(ask(s, "GET", "8--dev--ada.apps.test", "/", credential(s, OWNER)), 400);
    assert_int_equal(ask(s, "GET", "x.apps.test", "/", ""), 400);
    assert_int_equal(ask(s, "GET", "adit.test", "/@ada/dev/apps/8080/", credential(s, OWNER)), 400);
    assert_int_equal(ask(s, "GET", "adit.test", "/@ada/dev/x", credential(s, OWNER)), 404);
    assert_int_equal(ask(s, "GET", "adit.test", "/@ada/dev/apps/lab?x", credential(s, OWNER)), 307);
    assert_true(said(s, "Location: /@ada/dev/apps/lab/?x\r\n"));
    assert_int_equal(ask(s, "GET", "other.test", "/", ""), 200);
    assert_true(said(s, "dashboard"));
}

/* ---- through to the app ---- */

static void the_app_gets_the_request_as_it_is(void **state)
{
    struct scene *s = *state;
    char lines[512];
    snprintf(lines, sizeof(lines), "Cookie: a=1; adit_session=%s\r\nAuthorization: Basic eA==\r\n",
             s->tokens[OWNER]);
    assert_int_equal(ask(s, "GET", PORT_HOST, "/a//b?c=d", lines), 200);
    assert_true(said(s, "GET /a//b?c=d\nHost: " PORT_HOST "\n"));
    assert_true(said(s, "Cookie: a=1\n"));
    assert_true(said(s, "Authorization: Basic eA==\n"));
    assert_true(said(s, "X-Adit-User: ada\nX-Adit-Email: ada@example.com\n"));
    assert_true(said(s, "X-Forwarded-For: 192.0.2.1\n"));
    assert_false(said(s, s->tokens[OWNER]));
    assert_false(said(s, "adit_ticket=evil"));
    assert_false(said(s, "Access-Control-Allow-Origin"));
    assert_int_equal(s->dialled.port, 8080);
    assert_string_equal(s->dialled_host, "localhost");
    assert_false(s->dialled.tls);
}

static void a_path_app_gets_its_own_paths(void **state)
{
    struct scene *s = *state;
    assert_int_equal(ask(s, "GET", "adit.test", APP_PATH "/y?z", credential(s, OWNER)), 200);
    assert_true(said(s, "GET /x/y?z\nHost: adit.test\n"));
    assert_true(said(s, "Path=/@ada/dev/apps/lab/;"));
    assert_int_equal(s->dialled.port, 8888);
}

static void the_start_of_an_app_leads_to_its_url(void **state)
{
    struct scene *s = *state;
    assert_int_equal(ask(s, "GET", APP_HOST, "/", credential(s, OWNER)), 307);
    assert_true(said(s, "Location: /tree?token=x\r\n"));
    assert_int_equal(ask(s, "GET", "adit.test", "/@ada/dev/apps/lab/", credential(s, OWNER)), 307);
    assert_true(said(s, "Location: /@ada/dev/apps/lab/tree?token=x\r\n"));
    assert_int_equal(ask(s, "GET", APP_HOST, "/?a", credential(s, OWNER)), 200);
}

static void https_ports_ask_the_agent_for_tls(void **state)
{
    struct scene *s = *state;
    assert_int_equal(ask(s, "GET", "8443s--dev--ada.apps.test", "/", credential(s, OWNER)), 200);
    assert_true(s->dialled.tls);
    assert_int_equal(s->dialled.port, 8443);
}

static void aliases_reach_the_same(void **state)
{
    struct scene *s = *state;
    char host[128];
    snprintf(host, sizeof(host), "8080--%s.apps.test", s->agent.alias);
    assert_int_equal(ask(s, "GET", host, "/", credential(s, OWNER)), 200);
    assert_int_equal(ask(s, "GET", host, "/", credential(s, OTHER)), 404);
}

static void bodies_trailers_and_interims_pass(void **state)
{
    struct scene *s = *state;
    char lines[512];
    snprintf(lines, sizeof(lines), "%sContent-Length: 5\r\n\r\nhello", credential(s, OWNER));
    assert_int_equal(ask(s, "POST", PORT_HOST, "/", lines), 200);
    assert_true(said(s, "5\r\nhello\r\n0\r\nX-Sum: 42\r\n\r\n"));
    snprintf(lines, sizeof(lines),
             "%sTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
             credential(s, OWNER));
    assert_int_equal(ask(s, "POST", PORT_HOST, "/", lines), 200);
    assert_true(said(s, "abcde"));
    assert_int_equal(ask(s, "GET", PORT_HOST, "/hints", credential(s, OWNER)), 103);
    assert_true(said(s, "Link: </a.css>\r\n") && said(s, "HTTP/1.1 200 OK"));
    assert_int_equal(ask(s, "HEAD", PORT_HOST, "/", credential(s, OWNER)), 200);
    assert_true(said(s, "Content-Length: ") && !said(s, "HEAD /"));
    assert_int_equal(ask(s, "GET", PORT_HOST, "/304", credential(s, OWNER)), 304);
}

static void expect_waits_for_the_app(void **state)
{
    struct scene *s = *state;
    struct stream *person = person_connect(s);
    struct buf out = BUF_INIT(4096);
    buf_appendf(&out,
                "POST / HTTP/1.1\r\nHost: " PORT_HOST "\r\nExpect: 100-continue\r\n"
                "Content-Length: 5\r\nConnection: close\r\n%s\r\n",
                credential(s, OWNER));
    assert_int_equal(stream_send_bytes(person, buf_data(&out), out.len), out.len);
    buf_clear(&s->got);
    person_read(s, person, "100 Continue\r\n\r\n");
    assert_string_equal(text(s), "HTTP/1.1 100 Continue\r\n\r\n");
    stream_send_bytes(person, "hello", 5);
    person_read(s, person, NULL);
    assert_true(said(s, "HTTP/1.1 200 OK") && said(s, "hello"));
    stream_free(person);
    buf_deinit(&out);
}

static void connections_are_kept_for_the_same_target_only(void **state)
{
    struct scene *s = *state;
    ask(s, "GET", PORT_HOST, "/", credential(s, OWNER));
    ask(s, "GET", PORT_HOST, "/", credential(s, OWNER));
    ask(s, "GET", PORT_HOST, "/", credential(s, ADMIN));
    assert_int_equal(s->n_dials, 1);
    ask(s, "GET", "8081--dev--ada.apps.test", "/", credential(s, OWNER));
    ask(s, "GET", "8080s--dev--ada.apps.test", "/", credential(s, OWNER));
    assert_int_equal(s->n_dials, 3);
}

static void a_kept_connection_that_was_closed_is_made_anew(void **state)
{
    struct scene *s = *state;
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", credential(s, OWNER)), 200);
    s->app = server_conn_free(s->app);
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", credential(s, OWNER)), 200);
    assert_int_equal(s->n_dials, 2);
}

static void what_cannot_be_reached_is_explained(void **state)
{
    struct scene *s = *state;
    s->dial = DIAL_REFUSED;
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", credential(s, OWNER)), 502);
    assert_true(said(s, "Nothing answers on port 8080"));
    s->dial = DIAL_TLS_FAILED;
    assert_int_equal(ask(s, "GET", "8443s--dev--ada.apps.test", "/", credential(s, OWNER)), 502);
    assert_true(said(s, "href=\"http://8443--dev--ada.apps.test/\""));
    s->dial = DIAL_UNAVAILABLE;
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", credential(s, OWNER)), 502);
    assert_true(said(s, "Workspace offline") && said(s, "setInterval"));
    s->dial = DIAL_OK;
    s->away = true;
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", credential(s, OWNER)), 502);
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", credential(s, OTHER)), 404);
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", ""), 303);
}

static void plain_requests_to_tls_apps_are_told(void **state)
{
    struct scene *s = *state;
    /* What is no HTTP, and answers a TLS probe, is HTTPS. */
    assert_int_equal(ask(s, "GET", PORT_HOST, "/cut", credential(s, OWNER)), 502);
    assert_int_equal(s->n_dials, 2);
    assert_true(s->dialled.tls);
    assert_true(said(s, "href=\"http://8080s--dev--ada.apps.test/\""));
}

/* ---- tickets ---- */

static void a_ticket_needs_no_store(void **state)
{
    struct scene *s = *state;
    char line[5200];
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", credential(s, OWNER)), 200);
    snprintf(line, sizeof(line), "%s", ticket_of(s));
    uint64_t before = store_calls(s);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(ask(s, "GET", PORT_HOST, "/x", line), 200);
    assert_int_equal(store_calls(s), before);
    assert_false(said(s, "Set-Cookie"));
    assert_true(said(s, "X-Adit-User: ada\n"));
    assert_int_equal(atomic_load(&s->counters.tickets_used), 100);
}

static void a_ticket_is_for_its_own_request_only(void **state)
{
    struct scene *s = *state;
    char line[5200];
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", credential(s, OWNER)), 200);
    snprintf(line, sizeof(line), "%s", ticket_of(s));
    assert_int_equal(ask(s, "GET", "8081--dev--ada.apps.test", "/", line), 303);
    assert_int_equal(ask(s, "GET", "8080s--dev--ada.apps.test", "/", line), 303);
    assert_int_equal(ask(s, "GET", "x---8080--dev--ada.apps.test", "/", line), 303);
    assert_int_equal(ask(s, "GET", "8080--main--dev--ada.apps.test", "/", line), 303);
    assert_int_equal(ask(s, "GET", APP_HOST, "/x", line), 303);
    assert_int_equal(ask(s, "GET", "adit.test", APP_PATH, line), 303);
    assert_int_equal(ask(s, "GET", "8080--DEV--ada.apps.test.:80", "/", line), 200);
}

static void several_tickets_are_tried(void **state)
{
    struct scene *s = *state;
    char line[5200], many[6000];
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", credential(s, OWNER)), 200);
    snprintf(line, sizeof(line), "%s", ticket_of(s) + strlen("Cookie: "));
    snprintf(many, sizeof(many), "Cookie: adit_ticket=a.b.c; adit_ticket=evil; %s", line);
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", many), 200);
    snprintf(many, sizeof(many),
             "Cookie: adit_ticket=1; adit_ticket=2; adit_ticket=3; adit_ticket=4; adit_ticket=5; "
             "adit_ticket=6; adit_ticket=7; adit_ticket=8; %s",
             line);
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", many), 303);
}

static void withdrawn_rights_count_from_the_next_request_on(void **state)
{
    struct scene *s = *state;
    const struct withdrawal all[] = {
        {.token_id = s->sessions[NAMED]},
        {.user_id = s->users[NAMED]},
        {.agent_id = s->agent.id, .target = "8080"},
        {.workspace_id = s->ws.id},
        {.template_id = s->ws.template_id},
    };
    char line[5200];
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        share_port(s, SHARE_USERS);
        assert_int_equal(ask(s, "GET", PORT_HOST, "/", credential(s, NAMED)), 200);
        snprintf(line, sizeof(line), "%s", ticket_of(s));
        assert_int_equal(ask(s, "GET", PORT_HOST, "/", line), 200);
        withdrawal_log_add(s->log, &all[i]);
        assert_int_equal(ask(s, "GET", PORT_HOST, "/", line), 303);
    }
    /* What is about somebody else is not. */
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", credential(s, NAMED)), 200);
    snprintf(line, sizeof(line), "%s", ticket_of(s));
    withdrawal_log_add(s->log, &(struct withdrawal){.user_id = s->users[OTHER]});
    withdrawal_log_add(s->log, &(struct withdrawal){.agent_id = s->agent.id, .target = "8081"});
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", line), 200);
}

/* ---- upgrades ---- */

static struct stream *upgrade(struct scene *s, const char *lines)
{
    struct stream *person = person_connect(s);
    struct buf out = BUF_INIT(8192);
    buf_appendf(&out,
                "GET /ws HTTP/1.1\r\nHost: " PORT_HOST "\r\nConnection: Upgrade\r\n"
                "Upgrade: echo\r\n%s\r\n",
                lines);
    assert_int_equal(stream_send_bytes(person, buf_data(&out), out.len), out.len);
    buf_clear(&s->got);
    person_read(s, person, "\r\n\r\n");
    s->status = (unsigned)strtoul(text(s) + strlen("HTTP/1.1 "), NULL, 10);
    buf_deinit(&out);
    return person;
}

static void an_upgrade_is_a_pipe(void **state)
{
    struct scene *s = *state;
    struct stream *person = upgrade(s, credential(s, OWNER));
    assert_int_equal(s->status, 101);
    assert_true(said(s, "Upgrade: echo\r\n"));
    stream_send_bytes(person, "\0\1ping\r\n", 8);
    buf_clear(&s->got);
    while (s->got.len < 8)
        person_read(s, person, "");
    assert_memory_equal(buf_data(&s->got), "\0\1ping\r\n", 8);
    stream_free(person);
    while (proxy_in_flight(s->proxy) > 0) {
        s->raw = stream_free(s->raw);
        loop_turn(s->loop, true);
    }
}

static void a_withdrawn_right_ends_what_runs(void **state)
{
    struct scene *s = *state;
    struct withdrawal w = {.token_id = s->sessions[OWNER]};
    struct stream *person = upgrade(s, credential(s, OWNER));
    assert_int_equal(s->status, 101);
    withdrawal_log_add(s->log, &(struct withdrawal){.user_id = s->users[OTHER]});
    proxy_withdraw(s->proxy, &(struct withdrawal){.user_id = s->users[OTHER]});
    assert_int_equal(proxy_in_flight(s->proxy), 1);
    withdrawal_log_add(s->log, &w);
    proxy_withdraw(s->proxy, &w);
    person_read(s, person, NULL); /* until it is closed */
    assert_int_equal(proxy_in_flight(s->proxy), 0);
    stream_free(person);
}

static void a_websocket_of_another_owners_app_is_refused(void **state)
{
    struct scene *s = *state;
    char lines[512];
    struct stream *person;
    snprintf(lines, sizeof(lines), "%sOrigin: http://9--x--bob.apps.test\r\n",
             credential(s, OWNER));
    person = upgrade(s, lines);
    assert_int_equal(s->status, 403);
    stream_free(person);
    snprintf(lines, sizeof(lines), "%sOrigin: http://9--dev--ada.apps.test\r\n",
             credential(s, OWNER));
    person = upgrade(s, lines);
    assert_int_equal(s->status, 101);
    stream_free(person);
}

/* ---- CORS ---- */

#define PREFLIGHT(origin) "Origin: " origin "\r\nAccess-Control-Request-Method: PUT\r\n"

static void preflights_are_answered_before_the_log_in(void **state)
{
    struct scene *s = *state;
    assert_int_equal(ask(s, "OPTIONS", PORT_HOST, "/", PREFLIGHT("http://lab--dev--ada.apps.test")),
                     204);
    assert_true(said(s, "Access-Control-Allow-Origin: http://lab--dev--ada.apps.test\r\n"));
    assert_true(said(s, "Access-Control-Allow-Credentials: true\r\n"));
    static const char *const foreign[] = {
        PREFLIGHT("http://lab--dev--bob.apps.test"), PREFLIGHT("http://evil.test"),
        PREFLIGHT("https://lab--dev--ada.apps.test"), PREFLIGHT("null")};
    for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
        assert_int_equal(ask(s, "OPTIONS", PORT_HOST, "/", foreign[i]), 204);
        assert_false(said(s, "Access-Control-Allow"));
    }
    put_template(s, SHARE_OWNER, SHARE_OWNER, CORS_PASSTHRU);
    assert_int_equal(ask(s, "OPTIONS", PORT_HOST, "/", PREFLIGHT("http://lab--dev--ada.apps.test")),
                     401);
}

static void answers_allow_apps_of_the_same_owner(void **state)
{
    struct scene *s = *state;
    char lines[512];
    snprintf(lines, sizeof(lines), "%sOrigin: http://lab--dev--ada.apps.test\r\n",
             credential(s, OWNER));
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", lines), 200);
    assert_true(said(s, "Access-Control-Allow-Origin: http://lab--dev--ada.apps.test\r\n"));
    snprintf(lines, sizeof(lines), "%sOrigin: http://evil.test\r\n", credential(s, OWNER));
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", lines), 200);
    assert_false(said(s, "Access-Control-Allow"));
    put_template(s, SHARE_OWNER, SHARE_OWNER, CORS_PASSTHRU);
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", lines), 200);
    assert_true(said(s, "Access-Control-Allow-Origin: *\r\n"));
}

/* ---- the hand-over ---- */

static void make_hand_over(struct scene *s, const char *site, char *dst, size_t size)
{
    struct hand_over h = {.user_id = s->users[OWNER],
                          .session_id = s->sessions[OWNER],
                          .expires_at = clock_realtime() + HAND_OVER_LIFE};
    unsigned char hash[TOKEN_HASH_LEN];
    struct buf value = BUF_INIT(HAND_OVER_MAX_LEN);
    str_copy(h.site, sizeof(h.site), site);
    token_make(TOKEN_LETTER_APP, h.token, hash);
    assert_int_equal(hand_over_seal(s->hand_overs, &h, &value), 0);
    snprintf(dst, size, "//evil.test/?a=b&" HAND_OVER_QUERY "=%s&c=d", buf_cstr(&value));
    buf_deinit(&value);
}

static void a_hand_over_becomes_a_session_once(void **state)
{
    struct scene *s = *state;
    char target[2048], line[256];
    make_hand_over(s, PORT_HOST, target, sizeof(target));
    assert_int_equal(ask(s, "GET", PORT_HOST, target, ""), 303);
    assert_true(said(s, "Location: /.//evil.test/?a=b&c=d\r\n"));
    const char *cookie = strstr(text(s), "Set-Cookie: adit_app_session_");
    assert_non_null(cookie);
    assert_true(said(s, "; Domain=apps.test; HttpOnly; SameSite=Lax\r\n"));
    cookie += strlen("Set-Cookie: ");
    snprintf(line, sizeof(line), "Cookie: %.*s\r\n", (int)strcspn(cookie, ";"), cookie);
    assert_int_equal(ask(s, "GET", PORT_HOST, target, ""), 400);
    assert_true(said(s, "href=\"/.//evil.test/?a=b&amp;c=d\""));
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", line), 200);
    assert_int_equal(ask(s, "GET", APP_HOST, "/x", line), 200);
}

static void a_hand_over_for_another_host_is_refused(void **state)
{
    struct scene *s = *state;
    char target[2048];
    make_hand_over(s, APP_HOST, target, sizeof(target));
    assert_int_equal(ask(s, "GET", PORT_HOST, target, ""), 400);
    assert_false(said(s, "Set-Cookie"));
    assert_int_equal(ask(s, "GET", PORT_HOST, "/?" HAND_OVER_QUERY "=x.y", ""), 400);
    assert_int_equal(ask(s, "GET", PORT_HOST, "/?" HAND_OVER_QUERY "=", ""), 400);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ports_are_open_to_those_they_are_shared_with),
        TEST(apps_are_open_by_host_as_the_template_says),
        TEST(path_apps_obey_their_switches),
        TEST(what_is_missing_looks_like_what_is_not_shared),
        TEST(strangers_are_led_to_the_log_in),
        TEST(addresses_that_are_wrong_are_told_so),
        TEST(the_app_gets_the_request_as_it_is),
        TEST(a_path_app_gets_its_own_paths),
        TEST(the_start_of_an_app_leads_to_its_url),
        TEST(https_ports_ask_the_agent_for_tls),
        TEST(aliases_reach_the_same),
        TEST(bodies_trailers_and_interims_pass),
        TEST(expect_waits_for_the_app),
        TEST(connections_are_kept_for_the_same_target_only),
        TEST(a_kept_connection_that_was_closed_is_made_anew),
        TEST(what_cannot_be_reached_is_explained),
        TEST(plain_requests_to_tls_apps_are_told),
        TEST(a_ticket_needs_no_store),
        TEST(a_ticket_is_for_its_own_request_only),
        TEST(several_tickets_are_tried),
        TEST(withdrawn_rights_count_from_the_next_request_on),
        TEST(an_upgrade_is_a_pipe),
        TEST(a_withdrawn_right_ends_what_runs),
        TEST(a_websocket_of_another_owners_app_is_refused),
        TEST(preflights_are_answered_before_the_log_in),
        TEST(answers_allow_apps_of_the_same_owner),
        TEST(a_hand_over_becomes_a_session_once),
        TEST(a_hand_over_for_another_host_is_refused),
    };
    alarm(110);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
