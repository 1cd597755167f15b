#pragma once
/* What the tests of this folder share: a store in a folder of its own, and answers by waiting. */
#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/mem.h"
#include "base/span.h"
#include "io/loop.h"
#include "store/audit.h"
#include "store/key.h"
#include "store/share.h"
#include "store/store.h"
#include "store/template.h"
#include "store/token.h"
#include "store/user.h"
#include "store/workspace.h"

struct place {
    char dir[64];
    char path[128];
    struct loop *loop;
    struct store *store;
};

/* The last answer. What it points to is copied. */
struct answer {
    bool done;
    int r;
    bool flag;
    struct user user;
    struct token token;
    struct workspace ws;
    struct agent agents[4];
    struct share share;
    struct store_template template;
    char text[PASSWORD_HASH_SIZE];
    char names[256]; /* of a list, each followed by a space */
    struct id last_id;
    size_t n;
    int64_t num;
    struct audit_event event;
    struct signing_key key;
};

static inline void place_open(struct place *p)
{
    struct err err = ERR_INIT;
    int r = store_open(&(struct store_options){.path = p->path}, &p->store, &err);
    if (r < 0)
        fail_msg("%s", err.text);
}

static inline struct place *place_new(void)
{
    struct place *p = new0(struct place);
    str_copy(p->dir, sizeof(p->dir), "/tmp/adit-store-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->path, sizeof(p->path), "%s/adit.db", p->dir);
    p->loop = loop_new();
    return p;
}

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static inline void place_free(struct place *p)
{
    store_close(p->store);
    loop_free(p->loop);
    nftw(p->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(p);
}

static inline int set_up_open(void **state)
{
    struct place *p = place_new();
    place_open(p);
    *state = p;
    return 0;
}

static inline int tear_down(void **state)
{
    place_free(*state);
    return 0;
}

static inline int wait_for(struct place *p, struct answer *a)
{
    while (!a->done)
        loop_turn(p->loop, true);
    a->done = false;
    return a->r;
}

static inline void on_done(void *ud, int r)
{
    struct answer *a = ud;
    a->done = true;
    a->r = r;
}

static inline void on_flag(void *ud, int r, bool yes)
{
    on_done(ud, r);
    ((struct answer *)ud)->flag = yes;
}

static inline void on_user(void *ud, int r, const struct user *user)
{
    on_done(ud, r);
    if (r == 0)
        ((struct answer *)ud)->user = *user;
}

static inline void add_name(struct answer *a, const char *name)
{
    size_t len = strlen(a->names);
    snprintf(a->names + len, sizeof(a->names) - len, "%s ", name);
}

static inline void start_list(struct answer *a, int r, size_t n)
{
    a->done = true;
    a->r = r;
    a->n = n;
    a->names[0] = '\0';
}

static inline void on_users(void *ud, int r, const struct user *users, size_t n)
{
    struct answer *a = ud;
    start_list(a, r, n);
    for (size_t i = 0; i < n; i++) {
        add_name(a, users[i].name);
        a->last_id = users[i].id;
    }
}

static inline void on_login(void *ud, int r, const struct user *user, const char *hash)
{
    on_user(ud, r, user);
    if (r == 0)
        str_copy(((struct answer *)ud)->text, PASSWORD_HASH_SIZE, hash);
}

static inline void on_token(void *ud, int r, const struct token *token)
{
    on_done(ud, r);
    if (r == 0)
        ((struct answer *)ud)->token = *token;
}

static inline void on_token_user(void *ud, int r, const struct token *token,
                                 const struct user *user)
{
    on_token(ud, r, token);
    on_user(ud, r, user);
}

static inline void on_tokens(void *ud, int r, const struct token *tokens, size_t n)
{
    struct answer *a = ud;
    start_list(a, r, n);
    for (size_t i = 0; i < n; i++) {
        add_name(a, tokens[i].name);
        a->last_id = tokens[i].id;
    }
}

static inline void on_workspace(void *ud, int r, const struct store_workspace *ws)
{
    struct answer *a = ud;
    on_done(a, r);
    if (r != 0)
        return;
    a->ws = ws->ws;
    a->n = ws->n_agents;
    for (size_t i = 0; i < ws->n_agents && i < 4; i++)
        a->agents[i] = ws->agents[i];
}

static inline void on_workspaces(void *ud, int r, const struct store_workspace *list, size_t n)
{
    struct answer *a = ud;
    start_list(a, r, n);
    for (size_t i = 0; i < n; i++) {
        char full[2 * NAME_SIZE];
        snprintf(full, sizeof(full), "%s/%s", list[i].ws.owner_name, list[i].ws.name);
        add_name(a, full);
        a->last_id = list[i].ws.id;
    }
}

static inline void on_agent(void *ud, int r, const struct workspace *ws, const struct agent *agent)
{
    struct answer *a = ud;
    on_done(a, r);
    if (r != 0)
        return;
    a->ws = *ws;
    a->agents[0] = *agent;
}

/* The answer to a request that is being made; for tests that do one thing at a time. */
#define ASK(p, a, call) (memset((a), 0, sizeof(*(a))), (void)(call), wait_for((p), (a)))

static inline struct user make_user(struct place *p, const char *name, enum role role)
{
    struct answer a;
    struct store_user_new new = {
        .name = name, .password_hash = "$y$hash", .role = role, .now = 1000};
    assert_int_equal(ASK(p, &a, store_user_create(p->store, p->loop, &new, on_user, &a)), 0);
    return a.user;
}

static inline void make_workspace(struct place *p, struct id owner, const char *name,
                                  unsigned char token_byte, struct answer *ret)
{
    struct store_agent_new agent = {.name = "main"};
    memset(agent.token_hash, token_byte, TOKEN_HASH_LEN);
    struct store_workspace_new new = {.owner_id = owner,
                                      .name = name,
                                      .template_name = "default",
                                      .agents = &agent,
                                      .n_agents = 1,
                                      .now = 2000};
    assert_int_equal(
        ASK(p, ret, store_workspace_create(p->store, p->loop, &new, on_workspace, ret)), 0);
}
