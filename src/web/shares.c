/*
 * Port shares of an agent. Setting one goes: workspace, agent, template (its maximum), the share
 * as it was, the share as it shall be.
 *
 * A change that takes something away from somebody withdraws what was let through to the port; one
 * that only gives lets everything run on. Whether it takes is told from the share before, which
 * counts only if nobody changed it between the reading and the writing: its generation tells.
 */
#include "web/shares.h"

#include <stdlib.h>

#include "api/workspace.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "proto/app_url.h"
#include "store/share.h"
#include "store/template.h"
#include "web/handlers.h"
#include "web/instance.h"
#include "web/workspaces.h"

struct sharing {
    struct workspace ws;
    struct agent agent;
    bool only_agent;
    uint16_t port;
    enum share_level max_level;
    int64_t old_generation; /* -1: there was no share */
    bool takes;             /* something away from somebody, compared with the old one */
};

static struct link_place place_of(const struct sharing *s)
{
    return (struct link_place){.ws = &s->ws, .agent = &s->agent, .without_agent = s->only_agent};
}

bool share_counts(const struct port_share *share, usec_t now)
{
    return share->expires_at == 0 || now < share->expires_at;
}

void share_show(const struct web *web, const struct link_place *place,
                const struct port_share *share, bool speaks_tls, struct api_share *ret)
{
    ret->share = *share;
    ret->url = link_port(web, place, share->port, share->protocol == SHARE_HTTPS || speaks_tls);
}

/* The state of a call on the path's agent; NULL: the call has ended. */
static struct sharing *start(struct call *c, const struct store_workspace *ws)
{
    const struct agent *agent = workspaces_agent(c, ws);
    struct sharing *s;

    if (!agent)
        return NULL;
    s = call_state(c, sizeof(*s));
    s->ws = ws->ws;
    s->agent = *agent;
    s->only_agent = ws->n_agents == 1;
    return s;
}

/* The path's {port}; false: the call has ended. */
static bool take_port(struct call *c, struct sharing *s)
{
    if (num_parse_port(span_of(call_param(c, "port")), false, &s->port) == 0 &&
        s->port >= APP_PORT_MIN)
        return true;
    call_fail_field(c, 400, "port", "A port that can be shared is a number from 9 to 65535.");
    return false;
}

/* The template's maximum; false: it cannot be read, and the call has ended. */
static bool take_max_level(struct call *c, const struct store_template *t, struct sharing *s)
{
    struct template policy;
    struct err err = ERR_INIT;

    if (api_policy_read(span_of(t->policy), &policy, &err) < 0) {
        log_error("a stored template cannot be read", LOG_STR("template", t->name),
                  LOG_STR("text", err.text));
        call_fail(c, 500, "The workspace's template cannot be read.", NULL);
        return false;
    }
    s->max_level = policy.max_port_share_level;
    template_deinit(&policy);
    return true;
}

static void record(struct call *c, enum audit_action action, const char *level)
{
    const struct sharing *s = c->state;
    struct audit_event e = call_event(c, action, NULL);

    snprintf(e.workspace, sizeof(e.workspace), "%s/%s", s->ws.owner_name, s->ws.name);
    str_copy(e.agent, sizeof(e.agent), s->agent.name);
    snprintf(e.target, sizeof(e.target), "%u%s%s", s->port, *level ? " " : "", level);
    web_record(c->web, &e);
}

static void withdraw(struct call *c)
{
    const struct sharing *s = c->state;
    struct web_withdrawal what = {.agent_id = s->agent.id};

    snprintf(what.target, sizeof(what.target), "%u", s->port);
    c->web->o.live->withdraw(c->web->o.live_ud, &what);
}

/* ---- list ---- */

static void on_shares(void *ud, int r, const struct port_share *shares, size_t n)
{
    struct call *c = ud;
    const struct sharing *s = c->state;
    struct link_place place = place_of(s);
    struct api_shares msg = {.max_level = s->max_level};
    usec_t now = clock_realtime();

    if (r != STORE_OK) {
        call_store_failed(c, r);
        return;
    }
    msg.shares = xcalloc(n ? n : 1, sizeof(*msg.shares));
    for (size_t i = 0; i < n; i++)
        if (id_equal(&shares[i].agent_id, &s->agent.id) && share_counts(&shares[i], now))
            share_show(c->web, &place, &shares[i], false, &msg.shares[msg.n_shares++]);
    call_answer(c, 200, &api_shares_type, &msg);
    for (size_t i = 0; i < msg.n_shares; i++)
        free(msg.shares[i].url);
    free(msg.shares);
}

static void on_list_template(void *ud, int r, const struct store_template *t)
{
    struct call *c = ud;
    struct sharing *s = c->state;

    if (r != STORE_OK)
        call_store_failed(c, r);
    else if (take_max_level(c, t, s))
        store_share_list(call_store(c), call_loop(c), s->ws.id, on_shares, c);
}

static void list(struct call *c, const struct store_workspace *ws)
{
    struct sharing *s = start(c, ws);

    if (s)
        store_template_get_id(call_store(c), call_loop(c), s->ws.template_id, on_list_template, c);
}

void shares_list(struct call *c)
{
    workspaces_find(c, RIGHT_WORKSPACE_READ, list);
}

/* ---- put ---- */

static bool is_among(const struct text_list *names, const char *name)
{
    for (size_t i = 0; i < names->len; i++)
        if (str_eq(names->items[i], name))
            return true;
    return false;
}

/* Whether somebody may do less with the new share than with the old one. */
static bool takes_away(const struct port_share *old, const struct api_share_put *new)
{
    if (new->level < old->level || new->protocol != old->protocol || new->expires_in > 0)
        return true;
    if (old->level == SHARE_USERS && new->level == SHARE_USERS)
        for (size_t i = 0; i < old->users.len; i++)
            if (!is_among(&new->users, old->users.items[i]))
                return true;
    return false;
}

static void fail_unknown_people(struct call *c)
{
    const struct api_share_put *msg = c->msg;
    char text[160];

    if (msg->users.len == 0) {
        call_not_found(c); /* the agent is gone */
        return;
    }
    if (msg->users.len == 1)
        snprintf(text, sizeof(text), "There is no user \"%s\".", msg->users.items[0]);
    else
        str_copy(text, sizeof(text), "One of these names is not that of a user.");
    call_fail_field(c, 400, "users", text);
}

static void on_set(void *ud, int r, const struct port_share *share)
{
    struct call *c = ud;
    const struct sharing *s = c->state;
    struct link_place place = place_of(s);
    struct api_share msg = {.url = NULL};
    bool known_before;

    if (r == STORE_NOT_FOUND) {
        fail_unknown_people(c);
        return;
    }
    if (r != STORE_OK) {
        call_store_failed(c, r);
        return;
    }
    known_before = share->generation == (s->old_generation < 0 ? 1 : s->old_generation + 1);
    if (s->takes || !known_before)
        withdraw(c);
    record(c, AUDIT_SHARE_SET, share_level_name(share->level));
    share_show(c->web, &place, share, false, &msg);
    call_answer(c, 200, &api_share_type, &msg);
    free(msg.url);
}

static const struct port_share *find_old(const struct sharing *s, const struct port_share *shares,
                                         size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (shares[i].port == s->port && id_equal(&shares[i].agent_id, &s->agent.id))
            return &shares[i];
    return NULL;
}

static void set_share(struct call *c)
{
    const struct sharing *s = c->state;
    const struct api_share_put *msg = c->msg;
    struct port_share share = {.agent_id = s->agent.id,
                               .port = s->port,
                               .level = msg->level,
                               .protocol = msg->protocol,
                               .users = msg->users};

    if (msg->expires_in > 0)
        share.expires_at = clock_realtime() + (usec_t)msg->expires_in * USEC_PER_SEC;
    store_share_set(call_store(c), call_loop(c), &share, on_set, c);
}

static void on_room_made(void *ud, int r, int64_t generation)
{
    struct call *c = ud;

    (void)generation;
    if (r == STORE_OK || r == STORE_NOT_FOUND)
        set_share(c);
    else
        call_store_failed(c, r);
}

/* One that has expired makes room. */
static void make_room(struct call *c, const struct port_share *shares, size_t n)
{
    usec_t now = clock_realtime();

    for (size_t i = 0; i < n; i++)
        if (!share_counts(&shares[i], now)) {
            store_share_delete(call_store(c), call_loop(c), shares[i].agent_id, shares[i].port,
                               on_room_made, c);
            return;
        }
    call_fail(c, 409, "The workspace has as many port shares as it can have.", "End one first.");
}

/* All of the workspace, for their number has a limit. */
static void on_old(void *ud, int r, const struct port_share *shares, size_t n)
{
    struct call *c = ud;
    struct sharing *s = c->state;
    const struct port_share *old;

    if (r != STORE_OK) {
        call_store_failed(c, r);
        return;
    }
    old = find_old(s, shares, n);
    s->old_generation = old ? old->generation : -1;
    s->takes = old && takes_away(old, c->msg);
    if (!old && n >= PORT_SHARES_MAX)
        make_room(c, shares, n);
    else
        set_share(c);
}

static void on_put_template(void *ud, int r, const struct store_template *t)
{
    struct call *c = ud;
    struct sharing *s = c->state;
    const struct api_share_put *msg = c->msg;
    char text[160];

    if (r != STORE_OK) {
        call_store_failed(c, r);
        return;
    }
    if (!take_max_level(c, t, s))
        return;
    if (msg->level > s->max_level) {
        snprintf(text, sizeof(text),
                 "The template \"%s\" of this workspace lets ports be shared with \"%s\" at most.",
                 t->name, share_level_name(s->max_level));
        call_fail_field(c, 403, "level", text);
        return;
    }
    store_share_list(call_store(c), call_loop(c), s->ws.id, on_old, c);
}

/* Names are folded in place. False: the call has ended. */
static bool check_people(struct call *c, struct api_share_put *msg)
{
    char name[NAME_SIZE], field[32];

    if (msg->level == SHARE_USERS && msg->users.len == 0) {
        call_fail_field(c, 400, "users", "Name the people it is shared with.");
        return false;
    }
    if (msg->level != SHARE_USERS && msg->users.len > 0) {
        call_fail_field(c, 400, "users", "People are named with the level \"users\" only.");
        return false;
    }
    for (size_t i = 0; i < msg->users.len; i++) {
        struct err err = ERR_INIT;

        if (name_parse(NAME_USER, span_of(msg->users.items[i]), name, &err) < 0) {
            snprintf(field, sizeof(field), "users[%zu]", i);
            call_fail_field(c, 400, field, err.text);
            return false;
        }
        free(msg->users.items[i]);
        msg->users.items[i] = xstrdup(name);
    }
    return true;
}

static void put(struct call *c, const struct store_workspace *ws)
{
    struct sharing *s = start(c, ws);

    if (s && take_port(c, s) && check_people(c, c->msg))
        store_template_get_id(call_store(c), call_loop(c), s->ws.template_id, on_put_template, c);
}

void shares_put(struct call *c)
{
    workspaces_find(c, RIGHT_SHARE, put);
}

/* ---- delete ---- */

static void on_deleted(void *ud, int r, int64_t generation)
{
    struct call *c = ud;

    (void)generation;
    if (r != STORE_OK) {
        call_store_failed(c, r);
        return;
    }
    withdraw(c);
    record(c, AUDIT_SHARE_DELETE, "");
    call_done(c);
}

static void delete (struct call *c, const struct store_workspace *ws)
{
    struct sharing *s = start(c, ws);

    if (s && take_port(c, s))
        store_share_delete(call_store(c), call_loop(c), s->agent.id, s->port, on_deleted, c);
}

void shares_delete(struct call *c)
{
    workspaces_find(c, RIGHT_SHARE, delete);
}
