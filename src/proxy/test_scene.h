#pragma once
/*
 * The stage of this folder's tests: people in front of connections in memory, an app behind
 * channels in memory, a real store, and the live server in between played by the test.
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

static inline void wait_done(struct scene *s)
{
    while (!s->done)
        loop_turn(s->loop, true);
    s->done = false;
    assert_int_equal(s->r, 0);
}

static inline void on_user(void *ud, int r, const struct user *user)
{
    struct scene *s = ud;
    s->done = true;
    s->r = r;
    for (size_t i = 0; r == 0 && i < NOBODY; i++)
        if (str_eq(names[i], user->name))
            s->users[i] = user->id;
}

static inline void on_token(void *ud, int r, const struct token *token)
{
    struct scene *s = ud;
    s->done = true;
    s->r = r;
    for (size_t i = 0; r == 0 && i < NOBODY; i++)
        if (id_equal(&s->users[i], &token->user_id))
            s->sessions[i] = token->id;
}

static inline void on_workspace(void *ud, int r, const struct store_workspace *ws)
{
    struct scene *s = ud;
    s->done = true;
    s->r = r;
    if (r == 0) {
        s->ws = ws->ws;
        s->agent = ws->agents[0];
    }
}

static inline void on_template(void *ud, int r, const struct store_template *t)
{
    struct scene *s = ud;
    s->done = true;
    s->r = r;
}

static inline void on_share(void *ud, int r, const struct port_share *share)
{
    struct scene *s = ud;
    s->done = true;
    s->r = r;
}

static inline void make_person(struct scene *s, enum person p)
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

static inline void put_template(struct scene *s, enum share_level max, enum share_level of_app,
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

static inline void share_port(struct scene *s, enum share_level level)
{
    struct port_share share = {.agent_id = s->agent.id, .port = 8080, .level = level};
    if (level == SHARE_USERS)
        text_list_add(&share.users, span_of(names[NAMED]), 8);
    store_share_set(s->store, s->loop, &share, on_share, s);
    wait_done(s);
    text_list_deinit(&share.users);
}

static inline uint64_t store_calls(struct scene *s)
{
    struct store_stat stat;
    uint64_t sum = 0;
    for (unsigned i = 0; store_stat_get(s->store, i, &stat); i++)
        sum += stat.calls;
    return sum;
}

/* ---- the app ---- */

static inline void on_raw(struct stream *raw, unsigned events, void *ud)
{
    char data[4096];
    ssize_t n = stream_recv(raw, data, sizeof(data));
    if (n > 0)
        stream_send_bytes(raw, data, (size_t)n);
    else if (n != -EAGAIN)
        stream_want(raw, 0);
}

static inline void on_raw_start(struct stream *raw, int result, void *ud)
{
    struct scene *s = ud;
    s->raw = raw;
    if (!raw)
        return;
    stream_set_ready(raw, on_raw, s);
    stream_want(raw, STREAM_READ);
}

static inline void echo_body(struct exchange *x, int result, struct span body, void *ud)
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
static inline void app_request(struct exchange *x, void *ud)
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

static inline void app_closed(struct server_conn *c, void *ud)
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

static inline void fake_cancel(struct channel_open *head)
{
    struct fake_open *o = container_of(head, struct fake_open, head);
    defer_cancel(&o->soon);
    free(o);
}

static inline void fake_opened(void *ud)
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

static inline struct channel_open *live_open(void *ud, uint64_t link,
                                             const struct channel_target *target,
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

static inline void live_client(void *ud, const struct exchange *x, struct proxy_client *ret)
{
    *ret = (struct proxy_client){.ip = "192.0.2.1", .peer = "192.0.2.1"};
}

static inline bool live_presence(void *ud, const struct id *agent_id)
{
    struct scene *s = ud;
    return !s->away && id_equal(agent_id, &s->agent.id);
}

static inline int live_move(void *ud, struct exchange *x, const struct id *agent_id,
                            proxy_moved_fn *moved, void *moved_ud)
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

static inline void open_proxy(struct scene *s)
{
    if (s->proxy)
        proxy_free(s->proxy);
    s->proxy = proxy_new(&s->options);
}

static inline struct key_ring *ring(struct scene *s, const char *purpose)
{
    struct key_ring *r = key_ring_new(s->store, s->loop, purpose, TICKET_LIFE);
    while (!key_ring_ready(r))
        loop_turn(s->loop, true);
    return r;
}

static inline int set_up(void **state)
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

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static inline int tear_down(void **state)
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

static inline void on_request(struct exchange *x, void *ud)
{
    if (!proxy_handle(((struct scene *)ud)->proxy, x))
        exchange_respond(x, 200, "dashboard", 9);
}

static inline struct stream *person_connect(struct scene *s)
{
    struct stream *ends[2];
    stream_pair(s->loop, 65536, ends);
    server_conn_new(s->loop, ends[0],
                    &(struct server_conn_options){.handler = on_request, .ud = s});
    return ends[1];
}

/* Reads until the peer closes, or until `until` was read. */
static inline void person_read(struct scene *s, struct stream *person, const char *until)
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

static inline const char *text(struct scene *s)
{
    return s->got.len ? buf_cstr(&s->got) : "";
}

/* A whole request; `lines`: fields, each ended by "\r\n"; behind an empty line, a body. */
static inline unsigned ask(struct scene *s, const char *method, const char *host,
                           const char *target, const char *lines)
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

static inline const char *credential(struct scene *s, enum person p)
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
static inline const char *ticket_of(struct scene *s)
{
    static char line[5000];
    const char *at = strstr(text(s), "Set-Cookie: adit_ticket=");
    assert_non_null(at);
    at += strlen("Set-Cookie: ");
    snprintf(line, sizeof(line), "Cookie: %.*s\r\n", (int)strcspn(at, ";"), at);
    return line;
}

static inline bool said(struct scene *s, const char *what)
{
    return strstr(text(s), what) != NULL;
}
