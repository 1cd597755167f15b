#pragma once
/*
 * What the tests of this folder do: conversations with web/, a request in, its answer out, each on
 * a connection in memory.
 */
#include "web/test_scene.h"

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
