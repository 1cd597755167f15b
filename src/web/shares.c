/*
 * Shares of an agent's ports and apps. Setting one goes: workspace, agent, template (its maximum),
 * the share as it was, the share as it shall be. What an app has without a share is its level in
 * the template; a port is its owner's.
 *
 * A change that takes something away from somebody withdraws what was let through to it; one
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
    struct share what;              /* port or slug only */
    char target[SHARE_TARGET_SIZE]; /* that, in one word */
    struct app app;                 /* slug and subdomain only */
    enum share_level default_level; /* without a share */
    enum share_level max_level;
    struct template policy; /* while the list is asked for */
    int64_t old_generation; /* -1: there was no share */
    bool takes;             /* something away from somebody, compared with the old one */
};

static struct link_place place_of(const struct sharing *s)
{
    return (struct link_place){.ws = &s->ws, .agent = &s->agent, .without_agent = s->only_agent};
}

void share_show_port(const struct web *web, const struct link_place *place,
                     const struct share *share, bool speaks_tls, struct api_share *ret)
{
    ret->share = *share;
    ret->url = link_port(web, place, share->port, share->protocol == SHARE_HTTPS || speaks_tls);
}

void share_show_app(const struct web *web, const struct link_place *place,
                    const struct share *share, const struct app *app, struct api_share *ret)
{
    ret->share = *share;
    ret->missing = !app;
    ret->url = app ? link_app(web, place, app) : NULL;
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

/* The path's {target}; false: the call has ended. */
static bool take_target(struct call *c, struct sharing *s)
{
    if (share_set_target(&s->what, span_of(call_param(c, "target"))) < 0 ||
        (s->what.port && s->what.port < APP_PORT_MIN)) {
        call_fail_field(c, 400, "target",
                        "What can be shared is a port from 9 to 65535, or an app by its slug.");
        return false;
    }
    share_target(&s->what, s->target);
    return true;
}

/* False: the call has ended. */
static bool read_policy(struct call *c, const struct store_template *t, struct template *ret)
{
    struct err err = ERR_INIT;

    if (api_policy_read(span_of(t->policy), ret, &err) == 0)
        return true;
    log_error("a stored template cannot be read", LOG_STR("template", t->name),
              LOG_STR("text", err.text));
    call_fail(c, 500, "The workspace's template cannot be read.", NULL);
    return false;
}

/* What the template says about the target; false: it has no such app, and the call has ended. */
static bool take_levels(struct call *c, const char *template, const struct template *policy,
                        struct sharing *s)
{
    const struct app *app = template_find_app(policy, s->what.slug);
    char text[160];

    s->default_level = SHARE_OWNER;
    s->max_level = policy->max_port_share_level;
    if (s->what.port)
        return true;
    if (!app) {
        snprintf(text, sizeof(text), "The template \"%s\" of this workspace has no app \"%s\".",
                 template, s->what.slug);
        call_fail_field(c, 404, "target", text);
        return false;
    }
    s->app.subdomain = app->subdomain;
    str_copy(s->app.slug, sizeof(s->app.slug), app->slug);
    s->default_level = app->share;
    s->max_level = template_max_app_share(policy, app);
    return true;
}

static void record(struct call *c, enum audit_action action, const char *level)
{
    const struct sharing *s = c->state;
    struct audit_event e = call_event(c, action, NULL);

    snprintf(e.workspace, sizeof(e.workspace), "%s/%s", s->ws.owner_name, s->ws.name);
    str_copy(e.agent, sizeof(e.agent), s->agent.name);
    snprintf(e.target, sizeof(e.target), "%s%s%s", s->target, *level ? " " : "", level);
    web_record(c->web, &e);
}

static void withdraw(struct call *c)
{
    const struct sharing *s = c->state;
    struct web_withdrawal what = {.agent_id = s->agent.id};

    str_copy(what.target, sizeof(what.target), s->target);
    c->web->o.live->withdraw(c->web->o.live_ud, &what);
}

/* Lists that people look at show the share, or show it no longer. */
static void tell_change(struct call *c)
{
    const struct sharing *s = c->state;
    struct web_change change = {.topics = WEB_TOPIC_PORTS | WEB_TOPIC_APPS | WEB_TOPIC_SHARES |
                                          WEB_TOPIC_SHARED,
                                .owner_id = s->ws.owner_id,
                                .workspace_id = s->ws.id,
                                .agent_id = s->agent.id};

    c->web->o.live->changed(c->web->o.live_ud, &change);
}

/* ---- list ---- */

static void answer(struct call *c, const struct share *shares, size_t n)
{
    const struct sharing *s = c->state;
    struct link_place place = place_of(s);
    struct api_shares msg = {.max_level = s->policy.max_port_share_level};
    usec_t now = clock_realtime();

    msg.shares = xcalloc(n ? n : 1, sizeof(*msg.shares));
    for (size_t i = 0; i < n; i++) {
        if (!id_equal(&shares[i].agent_id, &s->agent.id) || !share_counts(&shares[i], now))
            continue;
        struct api_share *row = &msg.shares[msg.n_shares++];
        if (shares[i].port)
            share_show_port(c->web, &place, &shares[i], false, row);
        else
            share_show_app(c->web, &place, &shares[i],
                           template_find_app(&s->policy, shares[i].slug), row);
    }
    call_answer(c, 200, &api_shares_type, &msg);
    for (size_t i = 0; i < msg.n_shares; i++)
        free(msg.shares[i].url);
    free(msg.shares);
}

static void on_shares(void *ud, int r, const struct share *shares, size_t n)
{
    struct call *c = ud;
    struct sharing *s = c->state;
    struct template policy = s->policy;

    if (r == STORE_OK)
        answer(c, shares, n);
    else
        call_store_failed(c, r);
    template_deinit(&policy);
}

static void on_list_template(void *ud, int r, const struct store_template *t)
{
    struct call *c = ud;
    struct sharing *s = c->state;

    if (r != STORE_OK)
        call_store_failed(c, r);
    else if (read_policy(c, t, &s->policy))
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

/* Whether somebody may do less with the new share than with the old one (NULL: there is none). */
static bool takes_away(const struct sharing *s, const struct share *old,
                       const struct api_share_put *new)
{
    /* The old one may have ended in this moment: then there was the level without a share. */
    if ((!old || old->expires_at) && new->level < s->default_level)
        return true;
    if (!old)
        return false;
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

static void on_set(void *ud, int r, const struct share *share)
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
    tell_change(c);
    record(c, AUDIT_SHARE_SET, share_level_name(share->level));
    if (share->port)
        share_show_port(c->web, &place, share, false, &msg);
    else
        share_show_app(c->web, &place, share, &s->app, &msg);
    call_answer(c, 200, &api_share_type, &msg);
    free(msg.url);
}

static const struct share *find_old(const struct sharing *s, const struct share *shares, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (shares[i].port == s->what.port && str_eq(shares[i].slug, s->what.slug) &&
            id_equal(&shares[i].agent_id, &s->agent.id))
            return &shares[i];
    return NULL;
}

static void set_share(struct call *c)
{
    const struct sharing *s = c->state;
    const struct api_share_put *msg = c->msg;
    struct share share = {.agent_id = s->agent.id,
                          .port = s->what.port,
                          .level = msg->level,
                          .protocol = msg->protocol,
                          .users = msg->users};

    str_copy(share.slug, sizeof(share.slug), s->what.slug);
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
static void make_room(struct call *c, const struct share *shares, size_t n)
{
    usec_t now = clock_realtime();
    char target[SHARE_TARGET_SIZE];

    for (size_t i = 0; i < n; i++)
        if (!share_counts(&shares[i], now)) {
            share_target(&shares[i], target);
            store_share_delete(call_store(c), call_loop(c), shares[i].agent_id, target,
                               on_room_made, c);
            return;
        }
    call_fail(c, 409, "The workspace has as many shares as it can have.", "End one first.");
}

/* All of the workspace, for their number has a limit. */
static void on_old(void *ud, int r, const struct share *shares, size_t n)
{
    struct call *c = ud;
    struct sharing *s = c->state;
    const struct share *old;

    if (r != STORE_OK) {
        call_store_failed(c, r);
        return;
    }
    old = find_old(s, shares, n);
    s->old_generation = old ? old->generation : -1;
    s->takes = takes_away(s, old, c->msg);
    if (!old && n >= SHARES_MAX)
        make_room(c, shares, n);
    else
        set_share(c);
}

static void fail_above_maximum(struct call *c, const char *template)
{
    const struct sharing *s = c->state;
    char what[64] = "ports", text[200];

    if (!s->what.port)
        snprintf(what, sizeof(what), "the app \"%s\"", s->what.slug);
    snprintf(text, sizeof(text),
             "The template \"%s\" of this workspace lets %s be shared with \"%s\" at most.",
             template, what, share_level_name(s->max_level));
    call_fail_field(c, 403, "level", text);
}

static void on_put_template(void *ud, int r, const struct store_template *t)
{
    struct call *c = ud;
    struct sharing *s = c->state;
    const struct api_share_put *msg = c->msg;
    struct template policy;
    bool known;

    if (r != STORE_OK) {
        call_store_failed(c, r);
        return;
    }
    if (!read_policy(c, t, &policy))
        return;
    known = take_levels(c, t->name, &policy, s);
    template_deinit(&policy);
    if (!known)
        return;
    if (msg->level > s->max_level)
        fail_above_maximum(c, t->name);
    else
        store_share_list(call_store(c), call_loop(c), s->ws.id, on_old, c);
}

/* False: the call has ended. */
static bool check_protocol(struct call *c, const struct sharing *s, const struct api_share_put *msg)
{
    if (s->what.port || msg->protocol == SHARE_HTTP)
        return true;
    call_fail_field(c, 400, "protocol", "What an app speaks is said by its URL in the template.");
    return false;
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

    if (s && take_target(c, s) && check_protocol(c, s, c->msg) && check_people(c, c->msg))
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
    const struct sharing *s = c->state;

    (void)generation;
    if (r == STORE_NOT_FOUND) {
        call_fail(c, 404,
                  s->what.port ? "This port is not shared." : "This app has no share of its own.",
                  NULL);
        return;
    }
    if (r != STORE_OK) {
        call_store_failed(c, r);
        return;
    }
    withdraw(c);
    tell_change(c);
    record(c, AUDIT_SHARE_DELETE, "");
    call_done(c);
}

static void delete (struct call *c, const struct store_workspace *ws)
{
    struct sharing *s = start(c, ws);

    if (s && take_target(c, s))
        store_share_delete(call_store(c), call_loop(c), s->agent.id, s->target, on_deleted, c);
}

void shares_delete(struct call *c)
{
    workspaces_find(c, RIGHT_SHARE, delete);
}
