#pragma once
/*
 * What the tests of this folder share: web/ over a real store in a folder of its own, and
 * conversations with it: a request in, its answer out, each on a connection in memory.
 */
#include <errno.h>
#include <ftw.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "api/routes.h"
#include "auth/auth.h"
#include "auth/token.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "http/exchange.h"
#include "http/server_conn.h"
#include "io/loop.h"
#include "io/stream.h"
#include "store/audit.h"
#include "store/store.h"
#include "store/user.h"
#include "web/answer.h"
#include "web/counters.h"
#include "web/web.h"

enum { ANSWER_MAX = 8 << 20, PRESENT_MAX = 4 };

/* The last answer of the server. */
struct answer {
    unsigned status;
    char head[16384]; /* with the status line */
    json_t *json;     /* NULL: the body is none */
    char *body;
};

struct scene {
    char dir[64];
    char path[128];
    struct loop *loop;
    struct store *store;
    struct auth *auth;
    struct web *web;
    struct web_counters counters;
    struct answer a;
    char ip[AUDIT_IP_SIZE]; /* where the next request comes from */
    struct server_conn_options conn;

    /* What struct web_live was asked. */
    struct id present[PRESENT_MAX];
    size_t n_present;
    unsigned n_withdrawals;
    struct web_withdrawal withdrawn; /* the last one */
    unsigned n_connects, n_relays;
    struct id connected;    /* agent */
    struct web_relay relay; /* the last one; its grant is the scene's */
    const char *ports_json; /* the agent's answer; NULL: it is away */
    web_agent_answered_fn *answered;
    void *answered_ud;
};

/* ---- struct web_live ---- */

static inline void live_client_ip(void *ud, const struct exchange *x,
                                  char ret_ip[static AUDIT_IP_SIZE])
{
    struct scene *s = ud;

    str_copy(ret_ip, AUDIT_IP_SIZE, s->ip);
}

static inline bool live_presence(void *ud, const struct id *agent_id, struct web_presence *ret)
{
    struct scene *s = ud;

    for (size_t i = 0; i < s->n_present; i++)
        if (id_equal(&s->present[i], agent_id)) {
            *ret = (struct web_presence){.connected_at = 1000, .last_seen_at = 2000};
            return true;
        }
    return false;
}

static inline void live_deliver(void *ud)
{
    struct scene *s = ud;

    if (s->ports_json)
        s->answered(200, s->ports_json, strlen(s->ports_json), s->answered_ud);
    else
        s->answered(-ENOTCONN, NULL, 0, s->answered_ud);
}

static inline void live_agent_get(void *ud, const struct id *agent_id, const char *path,
                                  web_agent_answered_fn *answered, void *answered_ud)
{
    struct scene *s = ud;

    assert_string_equal(path, "/ports");
    s->answered = answered;
    s->answered_ud = answered_ud;
    loop_post(s->loop, live_deliver, s);
}

static inline uint64_t live_withdrawals(void *ud)
{
    struct scene *s = ud;

    return s->n_withdrawals;
}

static inline void live_withdraw(void *ud, const struct web_withdrawal *what)
{
    struct scene *s = ud;

    s->n_withdrawals++;
    s->withdrawn = *what;
}

static inline void live_agent_connect(void *ud, struct exchange *x, const struct workspace *ws,
                                      const struct agent *agent, uint64_t withdrawals)
{
    struct scene *s = ud;

    s->n_connects++;
    s->connected = agent->id;
    answer_empty(x);
}

static inline void live_relay(void *ud, struct exchange *x, struct web_relay *relay)
{
    struct scene *s = ud;

    grant_deinit(&s->relay.grant);
    s->n_relays++;
    s->relay = *relay;
    answer_empty(x);
}

static const struct web_live scene_live = {.client_ip = live_client_ip,
                                           .presence = live_presence,
                                           .agent_get = live_agent_get,
                                           .withdrawals = live_withdrawals,
                                           .withdraw = live_withdraw,
                                           .agent_connect = live_agent_connect,
                                           .relay = live_relay};

/* ---- set-up ---- */

static inline void scene_request(struct exchange *x, void *ud)
{
    web_handle(((struct scene *)ud)->web, x);
}

static inline void scene_open_web(struct scene *s, const char *access_url)
{
    s->web = web_free(s->web);
    s->web = web_new(&(struct web_options){.loop = s->loop,
                                           .auth = s->auth,
                                           .access_url = access_url,
                                           .wildcard_url = "*.localhost:7777",
                                           .version = "1.2.3",
                                           .body_max = 1 << 20,
                                           .counters = &s->counters,
                                           .live = &scene_live,
                                           .live_ud = s});
}

static inline int set_up(void **state)
{
    struct scene *s = new0(struct scene);
    struct err err = ERR_INIT;

    str_copy(s->dir, sizeof(s->dir), "/tmp/adit-web-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    snprintf(s->path, sizeof(s->path), "%s/adit.db", s->dir);
    s->loop = loop_new();
    if (store_open(&(struct store_options){.path = s->path}, &s->store, &err) < 0)
        fail_msg("%s", err.text);
    s->auth = auth_new(s->store, &(struct auth_options){0});
    str_copy(s->ip, sizeof(s->ip), "192.0.2.1");
    scene_open_web(s, "http://adit.test");
    s->conn = (struct server_conn_options){.handler = scene_request, .ud = s};
    *state = s;
    return 0;
}

static inline int scene_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static inline void answer_clear(struct answer *a)
{
    json_decref(a->json);
    free(a->body);
    *a = (struct answer){0};
}

static inline int tear_down(void **state)
{
    struct scene *s = *state;

    while (web_in_flight(s->web) > 0)
        loop_turn(s->loop, true);
    web_free(s->web);
    store_close(s->store);
    loop_turn(s->loop, false);
    auth_free(s->auth);
    loop_free(s->loop);
    answer_clear(&s->a);
    grant_deinit(&s->relay.grant);
    nftw(s->dir, scene_remove, 8, FTW_DEPTH | FTW_PHYS);
    free(s);
    return 0;
}

/* ---- conversations ---- */

static inline void scene_parse(struct scene *s, struct buf *in)
{
    const char *text = buf_cstr(in), *end = strstr(text, "\r\n\r\n");
    char *stop;

    answer_clear(&s->a);
    if (in->len == 0)
        return;
    assert_non_null(end);
    assert_true((size_t)(end + 4 - text) < sizeof(s->a.head));
    memcpy(s->a.head, text, (size_t)(end + 4 - text));
    s->a.status = (unsigned)strtoul(text + strlen("HTTP/1.1 "), &stop, 10);
    s->a.body = xstrdup(end + 4);
    if (s->a.body[0] && strstr(s->a.head, "Content-Type: application/json\r\n")) {
        json_error_t error;
        s->a.json = json_loads(s->a.body, 0, &error);
        if (!s->a.json)
            fail_msg("%s: %s", error.text, s->a.body);
    }
}

/* Sends the bytes as they are, and reads until the server closes. Returns the status; 0: none. */
static inline unsigned scene_send_raw(struct scene *s, const char *data, size_t len)
{
    struct stream *ends[2];
    struct buf in = BUF_INIT(ANSWER_MAX);
    ssize_t n = -EAGAIN;

    stream_pair(s->loop, 65536, ends);
    server_conn_new(s->loop, ends[0], &s->conn);
    for (;;) {
        ssize_t sent = len ? stream_send_bytes(ends[1], data, len) : -EAGAIN;
        if (sent > 0) {
            data += sent;
            len -= (size_t)sent;
        } else if (sent != -EAGAIN) {
            len = 0; /* the server does not listen any more, but may have answered */
        }
        n = stream_recv(ends[1], buf_reserve(&in, 65536), 65536);
        if (n > 0)
            buf_commit(&in, (size_t)n);
        else if (n != -EAGAIN)
            break;
        loop_turn(s->loop, sent == -EAGAIN && n == -EAGAIN);
    }
    stream_free(ends[1]);
    loop_turn(s->loop, false);
    scene_parse(s, &in);
    buf_deinit(&in);
    return s->a.status;
}

/*
 * `credential`: a token for "Authorization: Bearer", or whole lines of fields each ended by "\n",
 * or NULL. `body` NULL: none; otherwise it goes as application/json.
 */
static inline unsigned ask(struct scene *s, const char *method, const char *path,
                           const char *credential, const char *body)
{
    struct buf out = BUF_INIT(ANSWER_MAX);
    unsigned status;

    buf_appendf(&out, "%s %s HTTP/1.1\r\nHost: adit.test\r\nConnection: close\r\n", method, path);
    if (credential && strchr(credential, '\n')) {
        struct span rest = span_of(credential), line;
        while (span_split(&rest, '\n', &line) && line.len > 0)
            buf_appendf(&out, SPAN_FMT "\r\n", SPAN_ARG(line));
    } else if (credential) {
        buf_appendf(&out, "Authorization: Bearer %s\r\n", credential);
    }
    if (body)
        buf_appendf(&out, "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                    strlen(body), body);
    else
        buf_append_str(&out, "\r\n");
    status = scene_send_raw(s, (const char *)buf_data(&out), out.len);
    buf_deinit(&out);
    return status;
}

/* ask() with a body made of a format. */
__attribute__((format(printf, 5, 6))) static inline unsigned askf(struct scene *s,
                                                                  const char *method,
                                                                  const char *path,
                                                                  const char *credential,
                                                                  const char *fmt, ...)
{
    struct buf body = BUF_INIT(65536);
    unsigned status;
    va_list ap;

    va_start(ap, fmt);
    buf_vappendf(&body, fmt, ap);
    va_end(ap);
    status = ask(s, method, path, credential, buf_cstr(&body));
    buf_deinit(&body);
    return status;
}

/* A member of the answer's JSON by a path such as "user.name"; "" when it is not there. */
static inline const char *got(struct scene *s, const char *path)
{
    struct span rest = span_of(path), name;
    json_t *at = s->a.json;

    while (span_split(&rest, '.', &name)) {
        char key[64];
        str_copy_span(key, sizeof(key), name);
        at = json_is_array(at) ? json_array_get(at, strtoul(key, NULL, 10))
                               : json_object_get(at, key);
    }
    return json_is_string(at) ? json_string_value(at) : "";
}

static inline size_t got_len(struct scene *s, const char *list)
{
    return json_array_size(json_object_get(s->a.json, list));
}

/* Whether the answer's head has the line. */
static inline bool has_line(struct scene *s, const char *line)
{
    char text[1024];

    snprintf(text, sizeof(text), "\r\n%s\r\n", line);
    return strstr(s->a.head, text) != NULL;
}

/* ---- people ---- */

#define PASSWORD "correct horse"

/* The first user, `ada`, an administrator. Returns the token. */
static inline void make_first(struct scene *s, char ret_token[static TOKEN_TEXT_SIZE])
{
    assert_int_equal(
        ask(s, "POST", "/api/v1/setup", NULL, "{\"name\":\"ada\",\"password\":\"" PASSWORD "\"}"),
        201);
    str_copy(ret_token, TOKEN_TEXT_SIZE, got(s, "token"));
}

/* A user, made by the administrator, logged in. */
static inline void make_user(struct scene *s, const char *admin, const char *name, const char *role,
                             char ret_token[static TOKEN_TEXT_SIZE])
{
    assert_int_equal(askf(s, "POST", "/api/v1/users", admin,
                          "{\"name\":\"%s\",\"password\":\"" PASSWORD "\",\"role\":\"%s\"}", name,
                          role),
                     201);
    assert_int_equal(askf(s, "POST", "/api/v1/login", NULL,
                          "{\"user\":\"%s\",\"password\":\"" PASSWORD "\"}", name),
                     200);
    str_copy(ret_token, TOKEN_TEXT_SIZE, got(s, "token"));
}

/* ---- the record ---- */

struct record_query {
    bool done;
    char text[2048]; /* "action actor target result;" newest first */
};

static inline void on_record(void *ud, int r, const struct audit_event *events, size_t n,
                             int64_t next)
{
    struct record_query *q = ud;
    size_t len = 0;

    assert_int_equal(r, 0);
    for (size_t i = 0; i < n && len < sizeof(q->text); i++)
        len += (size_t)snprintf(q->text + len, sizeof(q->text) - len, "%s %s %s %s;",
                                audit_action_name(events[i].action), events[i].actor,
                                events[i].target, events[i].result);
    q->done = true;
}

/* The newest event of the record must be this: "login anna anna ok". */
static inline void expect_recorded(struct scene *s, const char *event)
{
    struct record_query q = {0};
    struct store_audit_filter filter = {.action = -1, .limit = 5};
    char newest[256];

    while (web_in_flight(s->web) > 0)
        loop_turn(s->loop, true);
    store_audit_query(s->store, s->loop, &filter, on_record, &q);
    while (!q.done)
        loop_turn(s->loop, true);
    snprintf(newest, sizeof(newest), "%s;", event);
    if (strncmp(q.text, newest, strlen(newest)) != 0)
        fail_msg("not recorded last: %s; but: %s", event, q.text);
}
