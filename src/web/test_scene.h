#pragma once
/* The stage of this folder's tests: web/ over a real store in a folder of its own. */
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
#include "proto/app_url.h"
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
    struct app_site apps;
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

static inline void live_audited(void *ud, const struct audit_event *event)
{
    (void)ud;
    (void)event;
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
                                           .audited = live_audited,
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
    assert_int_equal(app_site_parse(SPAN("*.localhost:7777"), span_of(access_url), &s->apps, NULL),
                     0);
    s->web = web_new(&(struct web_options){.loop = s->loop,
                                           .auth = s->auth,
                                           .access_url = access_url,
                                           .wildcard_url = "*.localhost:7777",
                                           .apps = &s->apps,
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
