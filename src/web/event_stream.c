/*
 *     topics stale -> one inner call -> `out` -> the connection -> the next stale topic
 *
 * The next topic is asked for only once `out` has gone, so that at most one event is in memory.
 * A topic that has just been told waits a moment before it is told again. The agents' topics
 * follow the workspace's: its own event names the agents.
 */
#include "web/event_stream.h"

#include <errno.h>
#include <stdlib.h>

#include "api/routes.h"
#include "api/share.h"
#include "api/workspace.h"
#include "base/mem.h"
#include "http/exchange.h"
#include "io/stream.h"
#include "io/timer.h"
#include "store/workspace.h"
#include "web/answer.h"
#include "web/call.h"
#include "web/counters.h"
#include "web/instance.h"

enum { EVENT_MAX_LEN = 5 << 20, EVENT_HEAD_MAX_LEN = 256 };

static const usec_t keep_alive_interval = 15 * USEC_PER_SEC;
/* Between two states of one topic. */
static const usec_t topic_interval = 200 * USEC_PER_MSEC;
/* After a state that could not be had. */
static const usec_t retry_interval = USEC_PER_SEC;

struct topic {
    struct list link;
    enum web_topic kind;
    char agent[NAME_SIZE]; /* "": of no agent */
    struct id agent_id;
    bool stale;
    bool told;
    uint64_t digest;   /* of what was told last */
    usec_t not_before; /* monotonic */
};

struct event_stream {
    struct list link; /* of the web */
    struct web *web;
    struct exchange *x;
    struct identity who;
    bool all;
    struct workspace ws; /* its id is zero while there is none of that name */
    struct list topics;  /* the one asked for last at the end */
    struct id *shared;   /* workspaces of which something is shown as shared */
    size_t n_shared;
    struct topic *asked; /* `call` is about it */
    struct call *call;
    struct buf out;
    struct timer keep_alive;
    struct timer next;   /* until a stale topic may be told again */
    struct timer expiry; /* of the credential */
};

static const struct topic_kind {
    enum web_topic kind;
    const char *name;
    enum api_route_id route;
} kinds[] = {
    {WEB_TOPIC_WORKSPACES, "workspaces", API_ROUTE_WORKSPACES},
    {WEB_TOPIC_WORKSPACE, "workspace", API_ROUTE_WORKSPACE},
    {WEB_TOPIC_PORTS, "ports", API_ROUTE_AGENT_PORTS},
    {WEB_TOPIC_APPS, "apps", API_ROUTE_AGENT_APPS},
    {WEB_TOPIC_SHARES, "shares", API_ROUTE_SHARES},
    {WEB_TOPIC_FORWARDS, "forwards", API_ROUTE_AGENT_FORWARDS},
    {WEB_TOPIC_SHARED, "shared", API_ROUTE_SHARED},
};

static const struct topic_kind *kind_of(const struct topic *t)
{
    size_t i = 0;

    while (kinds[i].kind != t->kind)
        i++;
    return &kinds[i];
}

/* FNV-1a: two states of one resource, made by one program, are only told apart. */
static uint64_t digest_of(struct span text)
{
    uint64_t h = 0xcbf29ce484222325;

    for (size_t i = 0; i < text.len; i++)
        h = (h ^ (unsigned char)text.p[i]) * 0x100000001b3;
    return h;
}

/* ---- topics ---- */

/* Those of ports stand for their agent, which is watched as long as there is one. */
static void watch(struct event_stream *s, const struct topic *t, bool on)
{
    if (t->kind == WEB_TOPIC_PORTS)
        s->web->o.live->agent_watch(s->web->o.live_ud, &t->agent_id, on);
}

static void topic_add(struct event_stream *s, enum web_topic kind, const struct agent *agent)
{
    struct topic *t = new0(struct topic);

    t->kind = kind;
    t->stale = true;
    if (agent) {
        t->agent_id = agent->id;
        str_copy(t->agent, sizeof(t->agent), agent->name);
    }
    list_append(&s->topics, &t->link);
    watch(s, t, true);
}

static void topic_free(struct event_stream *s, struct topic *t)
{
    watch(s, t, false);
    list_remove(&t->link);
    free(t);
}

static bool is_of(const struct topic *t, const struct api_workspace *ws)
{
    for (size_t i = 0; ws && i < ws->n_agents; i++)
        if (id_equal(&ws->agents[i].agent.id, &t->agent_id))
            return true;
    return false;
}

static bool has_agent(const struct event_stream *s, const struct id *agent_id)
{
    const struct topic *t;

    list_for_each (t, &s->topics, link)
        if (id_equal(&t->agent_id, agent_id))
            return true;
    return false;
}

/* `ws` NULL: there is no workspace. */
static void follow_agents(struct event_stream *s, const struct api_workspace *ws)
{
    struct topic *t, *next;

    list_for_each_safe (t, next, &s->topics, link)
        if (t->agent[0] && !is_of(t, ws))
            topic_free(s, t);
    for (size_t i = 0; ws && i < ws->n_agents; i++) {
        const struct agent *agent = &ws->agents[i].agent;
        if (has_agent(s, &agent->id))
            continue;
        topic_add(s, WEB_TOPIC_PORTS, agent);
        topic_add(s, WEB_TOPIC_APPS, agent);
        topic_add(s, WEB_TOPIC_SHARES, agent);
        topic_add(s, WEB_TOPIC_FORWARDS, agent);
    }
}

/* ---- the end ---- */

static void release(struct event_stream *s)
{
    struct topic *t, *next;

    s->web->o.live->stream_give(s->web->o.live_ud, &s->who.user_id);
    list_remove(&s->link);
    timer_cancel(&s->keep_alive);
    timer_cancel(&s->next);
    timer_cancel(&s->expiry);
    s->call = call_abandon(s->call);
    list_for_each_safe (t, next, &s->topics, link)
        topic_free(s, t);
    buf_deinit(&s->out);
    free(s->shared);
    free(s);
}

static void end(struct event_stream *s)
{
    struct exchange *x = s->x;

    release(s);
    exchange_end(x, NULL);
}

static void on_gone(struct exchange *x, int reason, void *ud)
{
    (void)reason;
    release(ud);
    exchange_abort(x);
}

/* ---- telling ---- */

static void tell(struct event_stream *s, struct topic *t, struct span json)
{
    uint64_t digest = digest_of(json);

    t->not_before = loop_now(s->web->o.loop) + topic_interval;
    if (t->told && t->digest == digest)
        return;
    t->told = true;
    t->digest = digest;
    buf_appendf(&s->out, "event: %s\ndata: ", kind_of(t)->name);
    if (t->agent[0]) {
        buf_appendf(&s->out, "{\"agent\":\"%s\",", t->agent);
        json = span_sub(json, 1, json.len);
    }
    buf_append(&s->out, json.p, json.len);
    buf_append_str(&s->out, "\n\n");
}

/* Which workspace it is now, and whose agents are to be told of. */
static void read_workspace(struct event_stream *s, struct span json)
{
    struct api_workspace ws;

    if (api_workspace_read(json, API_LENIENT, &ws, NULL) < 0)
        return;
    s->ws.id = ws.ws.id;
    follow_agents(s, &ws);
    api_workspace_release(&ws);
}

/* Whose ports and agents count here, too. */
static void read_shared(struct event_stream *s, struct span json)
{
    struct api_shared msg;

    if (api_shared_read(json, API_LENIENT, &msg, NULL) < 0)
        return;
    free(s->shared);
    s->shared = xcalloc(msg.n_shared + 1, sizeof(*s->shared));
    s->n_shared = msg.n_shared;
    for (size_t i = 0; i < msg.n_shared; i++)
        s->shared[i] = msg.shared[i].workspace_id;
    api_shared_release(&msg);
}

static void pump(struct event_stream *s);

static void on_answer(unsigned status, struct span json, void *ud)
{
    struct event_stream *s = ud;
    struct topic *t = s->asked;

    s->call = NULL;
    s->asked = NULL;
    if (status == 200) {
        tell(s, t, json);
        if (t->kind == WEB_TOPIC_WORKSPACE)
            read_workspace(s, json);
        else if (t->kind == WEB_TOPIC_SHARED)
            read_shared(s, json);
    } else if (status == 404 && t->kind == WEB_TOPIC_WORKSPACE) {
        tell(s, t, SPAN("{\"deleted\":true}"));
        s->ws.id = (struct id){0};
        follow_agents(s, NULL);
    } else if (status == 503) {
        t->stale = true;
        t->not_before = loop_now(s->web->o.loop) + retry_interval;
    }
    pump(s);
}

/* Forwards need no store, whatever their number of bytes does: the agent's own words are told. */
static void tell_forwards(struct event_stream *s, struct topic *t)
{
    struct buf json = BUF_INIT(EVENT_MAX_LEN - EVENT_HEAD_MAX_LEN);

    if (!s->web->o.live->agent_state(s->web->o.live_ud, &t->agent_id, WEB_AGENT_FORWARDS, &json))
        buf_append_str(&json, "{\"forwards\":[],\"more\":false}");
    tell(s, t, span_from(buf_data(&json), json.len));
    buf_deinit(&json);
}

static void ask(struct event_stream *s, struct topic *t)
{
    struct route_params params = {
        .list = {{"owner", s->ws.owner_name}, {"workspace", s->ws.name}, {"agent", t->agent}},
        .len = 3};

    t->stale = false;
    list_remove(&t->link);
    list_append(&s->topics, &t->link);
    if (t->kind == WEB_TOPIC_FORWARDS) {
        tell_forwards(s, t);
        return;
    }
    s->asked = t;
    s->call = call_inner_start(s->web, kind_of(t)->route, &s->who, &params,
                               s->all ? SPAN("all=true") : SPAN(""), on_answer, s);
}

/* The one that has waited longest; NULL: none may be told now, *ret_wait >= 0: but then. */
static struct topic *next_topic(struct event_stream *s, usec_t *ret_wait)
{
    usec_t now = loop_now(s->web->o.loop);
    struct topic *t;

    *ret_wait = -1;
    list_for_each (t, &s->topics, link) {
        if (!t->stale)
            continue;
        if (t->not_before <= now)
            return t;
        if (*ret_wait < 0 || t->not_before - now < *ret_wait)
            *ret_wait = t->not_before - now;
    }
    return NULL;
}

/* False: the connection has failed; `gone` tells. */
static bool flush(struct event_stream *s)
{
    while (s->out.len > 0) {
        ssize_t n = exchange_send_bytes(s->x, buf_data(&s->out), s->out.len);
        if (n == -EAGAIN)
            break;
        if (n < 0)
            return false;
        buf_consume(&s->out, (size_t)n);
    }
    exchange_want(s->x, s->out.len > 0 ? STREAM_WRITE : 0);
    return true;
}

static void pump(struct event_stream *s)
{
    struct topic *t;
    usec_t wait;

    for (;;) {
        if (!flush(s) || s->out.len > 0 || s->call)
            return;
        timer_cancel(&s->next);
        t = next_topic(s, &wait);
        if (!t)
            break;
        ask(s, t);
    }
    if (wait >= 0)
        timer_start(&s->next, wait);
}

/* ---- what happens ---- */

static void on_ready(struct exchange *x, unsigned events, void *ud)
{
    (void)x;
    (void)events;
    pump(ud);
}

static void on_next(struct timer *t, void *ud)
{
    (void)t;
    pump(ud);
}

static void on_keep_alive(struct timer *t, void *ud)
{
    struct event_stream *s = ud;

    timer_start(t, keep_alive_interval);
    if (s->out.len > 0)
        return; /* a slow reader, not an idle line */
    buf_append_str(&s->out, ": keep-alive\n\n");
    pump(s);
}

static void on_expiry(struct timer *t, void *ud)
{
    (void)t;
    end(ud);
}

static bool is_any_or(const struct id *wanted, const struct id *has)
{
    return id_is_zero(wanted) || id_equal(wanted, has);
}

/* Who a share is for is not told: any may be. What becomes of what is shown is. */
static bool concerns_shared(const struct event_stream *s, const struct web_change *what)
{
    if (what->topics & WEB_TOPIC_SHARED)
        return true;
    if (!(what->topics & (WEB_TOPIC_PORTS | WEB_TOPIC_APPS | WEB_TOPIC_WORKSPACE)))
        return false;
    for (size_t i = 0; i < s->n_shared; i++)
        if (is_any_or(&what->workspace_id, &s->shared[i]))
            return true;
    return false;
}

static bool concerns(const struct event_stream *s, const struct topic *t,
                     const struct web_change *what)
{
    if (t->kind == WEB_TOPIC_SHARED)
        return concerns_shared(s, what);
    if (!(what->topics & t->kind))
        return false;
    if (t->kind == WEB_TOPIC_WORKSPACES)
        return s->all || is_any_or(&what->owner_id, &s->who.user_id);
    if (t->kind == WEB_TOPIC_WORKSPACE && id_is_zero(&s->ws.id))
        return true; /* it may be back */
    return is_any_or(&what->workspace_id, &s->ws.id) &&
           is_any_or(&what->template_id, &s->ws.template_id) &&
           (!t->agent[0] || is_any_or(&what->agent_id, &t->agent_id));
}

void web_changed(struct web *web, const struct web_change *what)
{
    struct event_stream *s;
    struct topic *t;

    list_for_each (s, &web->streams, link) {
        bool any = false;
        list_for_each (t, &s->topics, link)
            if (concerns(s, t, what))
                any = t->stale = true;
        if (any)
            pump(s);
    }
}

static bool lost(const struct event_stream *s, const struct web_withdrawal *what)
{
    if (id_is_zero(&what->user_id) && id_is_zero(&what->token_id))
        return false;
    return is_any_or(&what->user_id, &s->who.user_id) &&
           (is_any_or(&what->token_id, &s->who.token_id) ||
            id_equal(&what->token_id, &s->who.parent_id));
}

void web_withdrawn(struct web *web, const struct web_withdrawal *what)
{
    unsigned of_agents = WEB_TOPIC_PORTS | WEB_TOPIC_APPS | WEB_TOPIC_SHARES | WEB_TOPIC_FORWARDS;
    bool is_template = !id_is_zero(&what->template_id); /* and its limit for shares */
    const struct web_change change = {
        .topics = of_agents | (what->agents ? WEB_TOPIC_WORKSPACE : 0) |
                  (is_template ? WEB_TOPIC_SHARED : 0),
        .workspace_id = what->workspace_id,
        .agent_id = what->agent_id,
        .template_id = what->template_id,
    };
    struct event_stream *s, *next;

    list_for_each_safe (s, next, &web->streams, link)
        if (lost(s, what))
            end(s);
    if (id_is_zero(&what->user_id) && id_is_zero(&what->token_id))
        web_changed(web, &change);
}

void web_end_streams(struct web *web)
{
    struct event_stream *s, *next;

    list_for_each_safe (s, next, &web->streams, link)
        end(s);
}

/* ---- start ---- */

static void add_topics(struct event_stream *s, const struct store_workspace *ws)
{
    topic_add(s, WEB_TOPIC_WORKSPACES, NULL);
    if (!ws) {
        topic_add(s, WEB_TOPIC_SHARED, NULL);
        return;
    }
    s->ws = ws->ws;
    topic_add(s, WEB_TOPIC_WORKSPACE, NULL);
}

void event_stream_start(struct web *web, struct exchange *x,
                        const struct event_stream_options *options)
{
    struct event_stream *s = new0(struct event_stream);
    usec_t left = options->who.expires_at - clock_realtime();

    s->web = web;
    s->x = x;
    s->who = options->who;
    s->all = options->all;
    list_init(&s->topics);
    list_append(&web->streams, &s->link);
    buf_init(&s->out, EVENT_MAX_LEN);
    timer_init(&s->keep_alive, web->o.loop, on_keep_alive, s);
    timer_init(&s->next, web->o.loop, on_next, s);
    timer_init(&s->expiry, web->o.loop, on_expiry, s);
    answer_set_fields(x);
    headers_set(&x->response, "Content-Type", "text/event-stream");
    headers_set(&x->response, "X-Accel-Buffering", "no"); /* nginx in front */
    web_counters_add(web->o.counters, options->route, 200);
    if (exchange_start(x, 200, BODY_UNKNOWN) < 0 || span_is(x->method, "HEAD")) {
        end(s);
        return;
    }
    if (options->who.expires_at > 0)
        timer_start(&s->expiry, left > 0 ? left : 0);
    timer_start(&s->keep_alive, keep_alive_interval);
    exchange_set_callbacks(x, on_ready, on_gone, s);
    add_topics(s, options->ws);
    buf_append_str(&s->out, "retry: 1000\n\n");
    pump(s);
}
