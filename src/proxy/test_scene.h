#pragma once
/* The stage of this folder's tests: a real store with people, a workspace and a template. */
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

static inline void on_share(void *ud, int r, const struct share *share)
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

static inline void set_share(struct scene *s, struct share share)
{
    share.agent_id = s->agent.id;
    if (share.level == SHARE_USERS)
        text_list_add(&share.users, span_of(names[NAMED]), 8);
    store_share_set(s->store, s->loop, &share, on_share, s);
    wait_done(s);
    text_list_deinit(&share.users);
}

static inline void share_port(struct scene *s, enum share_level level)
{
    set_share(s, (struct share){.port = 8080, .level = level});
}

static inline void share_app(struct scene *s, enum share_level level)
{
    set_share(s, (struct share){.slug = "lab", .level = level});
}

static inline void on_generation(void *ud, int r, int64_t generation)
{
    struct scene *s = ud;
    s->done = true;
    s->r = r;
    s->generation = generation;
}

static inline void unshare_app(struct scene *s)
{
    store_share_delete(s->store, s->loop, s->agent.id, "lab", on_generation, s);
    wait_done(s);
}

static inline uint64_t store_calls(struct scene *s)
{
    struct store_stat stat;
    uint64_t sum = 0;
    for (unsigned i = 0; store_stat_get(s->store, i, &stat); i++)
        sum += stat.calls;
    return sum;
}
