#pragma once
/* The proxy on that stage, and people who talk to it over connections in memory. */
#include "proxy/test_live.h"

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
