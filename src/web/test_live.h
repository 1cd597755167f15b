#pragma once
/* What the tests of this folder have in place of a live server: struct web_live, noting what it was
 * asked. */
#include <errno.h>
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
    unsigned n_streams, streams_max;
    unsigned n_connects, n_relays;
    struct id connected;               /* agent */
    struct web_relay relay;            /* the last one; its grant is the scene's */
    const char *ports_json;            /* the agent's answer; NULL: it is away */
    const char *told[WEB_AGENT_PARTS]; /* what agents told unasked; NULL: nothing */
    int n_watchers;
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

struct question {
    struct scene *s;
    bool forwards; /* is asked for them, otherwise for ports */
    web_agent_answered_fn *answered;
    void *ud;
};

static inline void live_deliver(void *ud)
{
    struct question *q = ud;
    const char *json = q->s->ports_json;

    if (json && q->forwards)
        json = "{\"forwards\":[]}";
    q->answered(json ? 200 : -ENOTCONN, json, json ? strlen(json) : 0, q->ud);
    free(q);
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

    assert_true(str_eq(path, "/ports") || str_eq(path, "/forwards"));
    struct question *q = new0(struct question);
    *q = (struct question){
        .s = s, .forwards = str_eq(path, "/forwards"), .answered = answered, .ud = answered_ud};
    loop_post(s->loop, live_deliver, q);
}

static inline bool live_agent_state(void *ud, const struct id *agent_id, enum web_agent_part part,
                                    struct buf *out)
{
    const struct scene *s = ud;

    return s->told[part] && buf_append_str(out, s->told[part]) == 0;
}

static inline void live_agent_watch(void *ud, const struct id *agent_id, bool on)
{
    struct scene *s = ud;

    s->n_watchers += on ? 1 : -1;
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
    web_withdrawn(s->web, what);
}

static inline void live_changed(void *ud, const struct web_change *what)
{
    struct scene *s = ud;

    web_changed(s->web, what);
}

static inline bool live_stream_take(void *ud, const struct id *user_id)
{
    struct scene *s = ud;

    return s->n_streams < s->streams_max && ++s->n_streams > 0;
}

static inline void live_stream_give(void *ud, const struct id *user_id)
{
    ((struct scene *)ud)->n_streams--;
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
                                           .agent_state = live_agent_state,
                                           .agent_watch = live_agent_watch,
                                           .withdrawals = live_withdrawals,
                                           .withdraw = live_withdraw,
                                           .changed = live_changed,
                                           .stream_take = live_stream_take,
                                           .stream_give = live_stream_give,
                                           .agent_connect = live_agent_connect,
                                           .relay = live_relay};
