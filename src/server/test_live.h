#pragma once
/* A server in a thread of its own, and its API as a client sees it. */
#include <jansson.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "http/client_request.h"
#include "io/loop.h"
#include "server/config.h"
#include "server/server.h"

#define PASSWORD "correct horse"

struct scene {
    char dir[64];
    char ready[96];
    char url[64];
    struct server_config *config;
    pthread_t thread;
    int result;
    struct loop *loop;
    char token[64];
    /* the last answer */
    bool done;
    unsigned status;
    char reason[64]; /* Adit-Reason */
    json_t *json;
    char *text; /* the body, where it is no JSON */
};

/* ---- the server ---- */

static inline char *no_env(const char *name)
{
    (void)name;
    return NULL;
}

static inline void *run_server(void *ud)
{
    struct scene *s = ud;
    struct err err = ERR_INIT;

    s->result = server_run(s->config, &err);
    if (s->result < 0)
        fprintf(stderr, "server: %s\n", err.text);
    return NULL;
}

/* It is moved to its name as a whole. */
static inline void wait_for_ready_file(const struct scene *s, int watch)
{
    char events[4096];

    while (access(s->ready, F_OK) != 0)
        assert_true(read(watch, events, sizeof(events)) > 0);
    close(watch);
}

static inline void start_server(struct scene *s)
{
    char data[96], ready[128], line[256];
    const char *args[] = {"--listen=127.0.0.1:0", "--workers=2", "--drain-timeout=1s",
                          "--log-level=error",    data,          ready};
    struct err err = ERR_INIT;
    FILE *in;
    int watch = inotify_init1(IN_CLOEXEC);

    snprintf(data, sizeof(data), "--data-dir=%s/data", s->dir);
    snprintf(ready, sizeof(ready), "--ready-file=%s", s->ready);
    if (server_config_load(ARRAY_LEN(args), (char *const *)(uintptr_t)args, no_env, &s->config,
                           &err) < 0)
        fail_msg("%s", err.text);
    assert_true(inotify_add_watch(watch, s->dir, IN_MOVED_TO) >= 0);
    assert_int_equal(pthread_create(&s->thread, NULL, run_server, s), 0);
    wait_for_ready_file(s, watch);
    in = fopen(s->ready, "r");
    assert_non_null(in);
    assert_non_null(fgets(line, sizeof(line), in));
    fclose(in);
    assert_int_equal(sscanf(line, "{\"url\": \"%63[^\"]\"", s->url), 1);
}

static inline void stop_server(struct scene *s)
{
    kill(getpid(), SIGTERM);
    pthread_join(s->thread, NULL);
    assert_int_equal(s->result, 0);
    s->config = server_config_free(s->config);
    assert_int_not_equal(access(s->ready, F_OK), 0);
}

/* ---- HTTP ---- */

static inline void on_answer(int result, const struct client_result *answer, const struct err *err,
                             void *ud)
{
    struct scene *s = ud;

    if (result < 0)
        fail_msg("%s", err->text);
    s->done = true;
    s->status = answer->status;
    str_copy_span(s->reason, sizeof(s->reason), headers_get(&answer->headers, "Adit-Reason"));
    s->json = json_loadb(answer->body.p, answer->body.len, 0, NULL);
    free(s->text);
    s->text = s->json ? NULL : span_dup(answer->body);
}

static inline void wait_until(struct scene *s, const bool *done)
{
    while (!*done)
        loop_turn(s->loop, true);
}

static inline unsigned ask(struct scene *s, const char *method, const char *path, const char *body)
{
    char url[256];
    struct arena arena;
    struct headers fields;
    struct client_request *rq;
    struct err err = ERR_INIT;

    arena_init(&arena, 65536);
    headers_init(&fields, &arena, 0, 0);
    if (s->token[0])
        headers_addf(&fields, "Authorization", "Bearer %s", s->token);
    if (body)
        headers_add(&fields, "Content-Type", "application/json");
    snprintf(url, sizeof(url), "%s%s", s->url, path);
    json_decref(s->json);
    s->json = NULL;
    s->done = false;
    if (client_request_start(s->loop,
                             &(struct client_request_options){.method = method,
                                                              .url = url,
                                                              .headers = &fields,
                                                              .body = body,
                                                              .body_len = body ? strlen(body) : 0,
                                                              .proxy = "",
                                                              .done = on_answer,
                                                              .ud = s},
                             &rq, &err) < 0)
        fail_msg("%s", err.text);
    wait_until(s, &s->done);
    arena_deinit(&arena);
    return s->status;
}

/* A counter of /metrics. */
static inline unsigned long metric(struct scene *s, const char *name)
{
    char line[128];
    const char *at;

    assert_int_equal(ask(s, "GET", "/metrics", NULL), 200);
    snprintf(line, sizeof(line), "\n%s ", name);
    at = strstr(s->text, line);
    assert_non_null(at);
    return strtoul(at + strlen(line), NULL, 10);
}

static inline const char *got(struct scene *s, const char *a, const char *b)
{
    json_t *at = json_object_get(s->json, a);

    if (b)
        at = json_object_get(json_is_array(at) ? json_array_get(at, 0) : at, b);
    return json_is_string(at) ? json_string_value(at) : "";
}
