/*
 * Each line is a message of api/news.h; what it has goes to the hub in our own words, so that
 * nothing an agent says reaches anybody unread. An agent that breaks the form is not listened to
 * any longer; it stays connected.
 *
 * Each line costs this worker's time, and that of all workers where somebody looks. An agent has a
 * few to tell a second, so one that tells more is read more slowly: the rest waits at its end.
 */
#include "server/agent_feed.h"

#include <errno.h>
#include <stdlib.h>

#include "api/news.h"
#include "api/workspace.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/loop.h"
#include "io/stream.h"
#include "io/timer.h"
#include "proto/url.h"
#include "server/hub.h"
#include "server/instance.h"
#include "server/metrics.h"
#include "server/registry.h"
#include "store/template.h"
#include "tunnel/session.h"

enum { LINE_MAX_LEN = 1 << 20 };

/* What a line costs, and what may be spent at once: 100 short lines, then 20 a second. */
static const usec_t line_cost = 50 * USEC_PER_MSEC;
static const usec_t byte_cost = 1;
static const usec_t burst = 5 * USEC_PER_SEC;

struct agent_feed {
    struct server_worker *w;
    struct tunnel_session *session;
    struct agent_feed_of of;
    struct channel_open *open;
    struct stream *body;
    struct buf line;
    usec_t spent_until; /* monotonic; the cost of what was read runs until then */
    struct timer pause; /* pending: too much was, so that nothing is read */
    bool watched;       /* as the agent was told */
    bool has_direct;
    struct api_direct_counts direct; /* as told last */
    struct tunnel_call *watch, *configure;
    struct store_op *read;
};

/* ---- what it tells ---- */

static void put(struct agent_feed *f, enum web_agent_part part, unsigned topics,
                const struct api_type *type, const void *msg)
{
    _cleanup_(buf_deinit) struct buf json = BUF_INIT(LINE_MAX_LEN);
    struct web_change change = {
        .topics = topics, .workspace_id = f->of.workspace_id, .agent_id = f->of.agent_id};
    struct hub *hub = f->w->server->hub;

    if (api_write(type, msg, &json) < 0)
        return;
    hub_agent_put(hub, &f->of.agent_id, part, span_from(buf_data(&json), json.len));
    hub_changed(hub, &change);
}

/*
 * The agent counts since it started, the metrics since the server did: what came before the first
 * line of this connection is not in them.
 */
static void take_direct(struct agent_feed *f, const struct api_direct_counts *now)
{
    struct server *s = f->w->server;
    const struct web_change change = {.topics = WEB_TOPIC_WORKSPACE,
                                      .workspace_id = f->of.workspace_id,
                                      .agent_id = f->of.agent_id};

    if (f->has_direct && now->accepted > f->direct.accepted)
        METRIC_ADD(&f->w->metrics, direct_accepted, now->accepted - f->direct.accepted);
    if (f->has_direct && now->refused > f->direct.refused)
        METRIC_ADD(&f->w->metrics, direct_refused, now->refused - f->direct.refused);
    f->has_direct = true;
    f->direct = *now;
    registry_set_direct(s->registry, &f->of.agent_id, f->of.link_id, now->accepted, now->refused);
    hub_changed(s->hub, &change);
}

/* False: it is not understood. */
static bool take_line(struct agent_feed *f, struct span line)
{
    struct api_news news;

    if (api_news_read(line, API_LENIENT, &news, NULL) < 0)
        return false;
    if (news.has_ports)
        put(f, WEB_AGENT_PORTS, WEB_TOPIC_PORTS, &api_ports_type,
            &(struct api_ports){.ports = news.ports,
                                .n_ports = news.n_ports,
                                .unlisted = news.unlisted,
                                .n_unlisted = news.n_unlisted});
    if (news.has_health)
        put(f, WEB_AGENT_HEALTH, WEB_TOPIC_APPS, &api_news_type,
            &(struct api_news){
                .health = news.health, .n_health = news.n_health, .has_health = true});
    if (news.has_forwards)
        put(f, WEB_AGENT_FORWARDS, WEB_TOPIC_FORWARDS, &api_forwards_type, &news.forwards);
    if (news.has_direct)
        take_direct(f, &news.direct);
    api_news_release(&news);
    return true;
}

static void spend(struct agent_feed *f, size_t len)
{
    usec_t now = loop_now(f->w->loop);

    if (f->spent_until < now)
        f->spent_until = now;
    f->spent_until += line_cost + (usec_t)len * byte_cost;
    if (f->spent_until - now > burst)
        timer_start(&f->pause, f->spent_until - now - burst);
}

/* Those that have come and may be read now. */
static bool take_lines(struct agent_feed *f)
{
    while (!timer_pending(&f->pause)) {
        struct span all = span_from(buf_data(&f->line), f->line.len);
        ptrdiff_t end = span_find(all, '\n');

        if (end < 0)
            break;
        if (!take_line(f, span_sub(all, 0, (size_t)end)))
            return false;
        buf_consume(&f->line, (size_t)end + 1);
        spend(f, (size_t)end);
    }
    stream_want(f->body, timer_pending(&f->pause) ? 0 : STREAM_READ);
    return true;
}

static void stop_reading(struct agent_feed *f)
{
    timer_cancel(&f->pause);
    f->body = stream_free(f->body);
    buf_deinit(&f->line);
}

static void read_on(struct timer *t, void *ud)
{
    struct agent_feed *f = ud;

    (void)t;
    if (!take_lines(f))
        stop_reading(f);
}

static void body_came(struct stream *body, unsigned events, void *ud)
{
    struct agent_feed *f = ud;
    unsigned char *piece = loop_scratch(f->w->loop);
    ssize_t n = stream_recv(body, piece, LOOP_SCRATCH_LEN);

    (void)events;
    if (n == -EAGAIN)
        return;
    if (n > 0 && buf_append(&f->line, piece, (size_t)n) < 0)
        n = -EMSGSIZE;
    if (n > 0 && take_lines(f)) {
        if (f->line.len == 0)
            buf_deinit(&f->line); /* most of the time there is nothing to keep */
    } else {
        log_debug("an agent's news ended", LOG_STR("reason", n < 0 ? err_name((int)n) : ""));
        stop_reading(f);
    }
}

static void on_opened(struct stream *channel, enum dial_result result, const char *reason, void *ud)
{
    struct agent_feed *f = ud;

    f->open = NULL;
    if (result != DIAL_OK) {
        log_debug("an agent tells no news", LOG_STR("reason", reason));
        return;
    }
    f->body = channel;
    stream_set_ready(channel, body_came, f);
    stream_want(channel, STREAM_READ);
    agent_feed_watch(f);
}

/* ---- what it is told ---- */

static void on_watched(int status, const char *body, size_t len, void *ud)
{
    struct agent_feed *f = ud;

    (void)status;
    (void)body;
    (void)len;
    f->watch = NULL;
    agent_feed_watch(f); /* it may have changed meanwhile */
}

void agent_feed_watch(struct agent_feed *f)
{
    bool watched = hub_agent_watched(f->w->server->hub, &f->of.agent_id);

    if (!f->body || f->watch || watched == f->watched)
        return;
    f->watched = watched;
    f->watch =
        tunnel_session_call(f->session, "PUT", "/watched",
                            watched ? "{\"watched\":true}" : "{\"watched\":false}", on_watched, f);
}

static void on_configured(int status, const char *body, size_t len, void *ud)
{
    struct agent_feed *f = ud;

    (void)body;
    (void)len;
    f->configure = NULL;
    if (status / 100 != 2)
        log_debug("an agent does not take its apps", LOG_INT("status", status));
}

static bool is_here(const struct url *url)
{
    return str_eq(url->host, "localhost") || str_eq(url->host, "127.0.0.1") ||
           str_eq(url->host, "::1");
}

/* The check of an app as the agent is told; free `ret->url`. */
static void describe(const struct app *app, struct api_app_check *ret)
{
    struct url url = {0};
    struct buf text = BUF_INIT(2 * URL_MAX_LEN);

    *ret = (struct api_app_check){.port = 0};
    str_copy(ret->slug, sizeof(ret->slug), app->slug);
    if (url_parse(span_of(app->url), &url, NULL) < 0)
        return;
    if (is_here(&url))
        ret->port = url.port;
    if (app->healthcheck.url && app->healthcheck.url[0] == '/')
        url_format_origin(&url, &text);
    if (app->healthcheck.url) {
        buf_append_str(&text, app->healthcheck.url);
        ret->url = span_dup(span_from(buf_data(&text), text.len));
        ret->interval = app->healthcheck.interval;
        ret->threshold = app->healthcheck.threshold;
    }
    buf_deinit(&text);
    url_deinit(&url);
}

static void tell_apps(struct agent_feed *f, const struct template *policy)
{
    _cleanup_(buf_deinit) struct buf json = BUF_INIT(CHANNEL_BODY_MAX);
    struct api_app_checks msg = {.n_apps = policy->n_apps};

    msg.apps = xcalloc(policy->n_apps ? policy->n_apps : 1, sizeof(*msg.apps));
    for (size_t i = 0; i < policy->n_apps; i++)
        describe(&policy->apps[i], &msg.apps[i]);
    f->configure = tunnel_call_cancel(f->configure);
    if (api_app_checks_write(&msg, &json) < 0)
        log_warn("a template's apps are too long to be checked", LOG_STR("template", policy->name));
    else
        f->configure =
            tunnel_session_call(f->session, "PUT", "/apps", buf_cstr(&json), on_configured, f);
    api_app_checks_release(&msg);
}

static void on_template(void *ud, int r, const struct store_template *t)
{
    struct agent_feed *f = ud;
    struct template policy;

    f->read = NULL;
    if (r != STORE_OK || api_policy_read(span_of(t->policy), &policy, NULL) < 0)
        return;
    tell_apps(f, &policy);
    template_deinit(&policy);
}

void agent_feed_configure(struct agent_feed *f)
{
    if (f->read)
        store_cancel(f->read);
    f->read =
        store_template_get_id(f->w->server->store, f->w->loop, f->of.template_id, on_template, f);
}

/* ---- life ---- */

struct agent_feed *agent_feed_new(struct server_worker *w, struct tunnel_session *session,
                                  const struct agent_feed_of *of)
{
    struct agent_feed *f = new0(struct agent_feed);
    const struct channel_open_options options = {.opened = on_opened, .ud = f};

    f->w = w;
    f->session = session;
    f->of = *of;
    buf_init(&f->line, LINE_MAX_LEN);
    timer_init(&f->pause, w->loop, read_on, f);
    f->open = tunnel_session_get(session, "/events", &options);
    agent_feed_configure(f);
    return f;
}

struct agent_feed *agent_feed_free(struct agent_feed *f)
{
    if (!f)
        return NULL;
    if (f->open)
        channel_open_cancel(f->open);
    if (f->read)
        store_cancel(f->read);
    stop_reading(f);
    tunnel_call_cancel(f->watch);
    tunnel_call_cancel(f->configure);
    free(f);
    return NULL;
}
