#include "auth/session.h"

#include <errno.h>
#include <stdlib.h>

#include "auth/auth_internal.h"
#include "auth/token.h"
#include "base/mem.h"
#include "io/loop.h"
#include "store/token.h"
#include "store/user.h"
#include "store/workspace.h"

/* How often a use is written down: a write a request would be too dear. */
static const usec_t touch_interval = 5 * USEC_PER_MIN;

struct session_check {
    struct auth *auth;
    struct store_op *op;
    struct defer refusal; /* when there is nothing to ask the store */
    session_checked_fn *checked;
    session_agent_fn *agent;
    void *ud;
};

static void answer(struct session_check *c, int r, const struct identity *who)
{
    c->checked(c->ud, r, who);
    free(c);
}

static void refuse(void *ud)
{
    struct session_check *c = ud;
    if (c->checked)
        c->checked(c->ud, -EACCES, NULL);
    else
        c->agent(c->ud, -EACCES, NULL, NULL);
    free(c);
}

static void touch(struct auth *auth, const struct token *token, const struct user *user, usec_t now)
{
    if (now - token->last_used_at >= touch_interval)
        store_token_touch(auth->store, token->id, now);
    if (now - user->last_seen_at >= touch_interval)
        store_user_touch(auth->store, user->id, now);
}

static void got_token(void *ud, int r, const struct token *token, const struct user *user)
{
    struct session_check *c = ud;
    usec_t now = clock_realtime();
    c->op = NULL;
    if (r == STORE_NOT_FOUND || (r == 0 && (token_expired(token, now) || user->suspended)))
        r = -EACCES;
    if (r != 0) {
        answer(c, r, NULL);
        return;
    }
    struct identity who = identity_of(token, user);
    touch(c->auth, token, user, now);
    answer(c, 0, &who);
}

static void got_agent(void *ud, int r, const struct workspace *ws, const struct agent *agent)
{
    struct session_check *c = ud;
    c->op = NULL;
    c->agent(c->ud, r == STORE_NOT_FOUND ? -EACCES : r, ws, agent);
    free(c);
}

static struct session_check *check_new(struct auth *auth, void *ud)
{
    struct session_check *c = new0(struct session_check);
    c->auth = auth;
    c->ud = ud;
    defer_init(&c->refusal, refuse, c);
    return c;
}

struct session_check *session_check(struct auth *auth, struct loop *loop, struct span token,
                                    session_checked_fn *fn, void *ud)
{
    struct session_check *c = check_new(auth, ud);
    enum token_letter letter;
    unsigned char hash[TOKEN_HASH_LEN];
    c->checked = fn;
    if (token_read(token, &letter, hash) < 0 || letter == TOKEN_LETTER_AGENT)
        defer_schedule(loop, &c->refusal);
    else
        c->op = store_token_find(auth->store, loop, hash, got_token, c);
    return c;
}

struct session_check *session_check_agent(struct auth *auth, struct loop *loop, struct span token,
                                          session_agent_fn *fn, void *ud)
{
    struct session_check *c = check_new(auth, ud);
    enum token_letter letter;
    unsigned char hash[TOKEN_HASH_LEN];
    c->agent = fn;
    if (token_read(token, &letter, hash) < 0 || letter != TOKEN_LETTER_AGENT)
        defer_schedule(loop, &c->refusal);
    else
        c->op = store_agent_find(auth->store, loop, hash, got_agent, c);
    return c;
}

void session_check_cancel(struct session_check *c)
{
    if (!c)
        return;
    store_cancel(c->op);
    defer_cancel(&c->refusal);
    free(c);
}
