#include "agent/health.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "http/client_request.h"
#include "io/timer.h"
#include "io/tls.h"

/* For one check, from dialling to the head of the answer; less when they follow faster. */
static const usec_t check_limit = 5 * USEC_PER_SEC;
static const usec_t interval_least = USEC_PER_SEC;

struct check {
    struct health *health;
    char slug[NAME_SIZE];
    char *url;
    usec_t interval;
    unsigned threshold;
    struct health_count count;
    struct timer timer;
    struct client_request *request;
};

struct health {
    struct loop *loop;
    struct tls_context *tls; /* of checks by https: whose certificate it is does not matter */
    struct check *checks[TEMPLATE_APPS_MAX];
    size_t n_checks;
    struct api_app_health list[TEMPLATE_APPS_MAX];
    health_changed_fn *changed;
    void *ud;
};

bool health_count_add(struct health_count *c, bool success, unsigned threshold)
{
    enum api_health was = c->health;
    if (success) {
        c->failures = 0;
        c->health = API_HEALTH_HEALTHY;
    } else {
        if (c->failures < threshold)
            c->failures++;
        if (c->failures >= threshold)
            c->health = API_HEALTH_UNHEALTHY;
    }
    return c->health != was;
}

const struct api_app_health *health_list(const struct health *h, size_t *ret_n)
{
    *ret_n = h->n_checks;
    return h->list;
}

static void make_list(struct health *h)
{
    for (size_t i = 0; i < h->n_checks; i++) {
        h->list[i].health = h->checks[i]->count.health;
        str_copy(h->list[i].slug, sizeof(h->list[i].slug), h->checks[i]->slug);
    }
}

/* ---- one check ---- */

static void add_result(struct check *c, bool success, const char *reason)
{
    if (!health_count_add(&c->count, success, c->threshold))
        return;
    log_info("health of an app", LOG_STR("app", c->slug),
             LOG_STR("health", api_health_name(c->count.health)), LOG_STR("reason", reason));
    make_list(c->health);
    c->health->changed(c->health->ud);
}

static void answered(int result, const struct client_result *answer, const struct err *err,
                     void *ud)
{
    struct check *c = ud;
    char text[32];
    c->request = NULL;
    if (result < 0) {
        add_result(c, false, err->text);
        return;
    }
    snprintf(text, sizeof(text), "status %u", answer->status);
    add_result(c, answer->status < 500, text);
}

static void check_now(struct timer *t, void *ud)
{
    struct check *c = ud;
    struct err err = ERR_INIT;
    const struct client_request_options options = {
        .url = c->url,
        .timeout = c->interval < check_limit ? c->interval : check_limit,
        .tls = c->health->tls,
        .proxy = "",
        .head_only = true,
        .done = answered,
        .ud = c,
    };
    timer_start(t, c->interval);
    if (c->request) { /* its time runs out in this turn as well */
        client_request_cancel(c->request);
        c->request = NULL;
        add_result(c, false, "no answer in time");
    }
    if (client_request_start(c->health->loop, &options, &c->request, &err) < 0)
        add_result(c, false, err.text);
}

static void want_tls(struct health *h)
{
    const struct tls_client_options any = {.insecure = true};
    struct err err = ERR_INIT;
    if (!h->tls && tls_context_client(&any, &h->tls, &err) < 0)
        log_error("no TLS towards apps", LOG_STR("reason", err.text));
}

static struct check *check_new(struct health *h, const struct api_app_check *app)
{
    struct check *c = new0(struct check);
    if (span_starts(span_of(app->url), "https:"))
        want_tls(h);
    c->health = h;
    str_copy(c->slug, sizeof(c->slug), app->slug);
    c->url = xstrdup(app->url);
    c->interval = app->interval > interval_least ? app->interval : interval_least;
    c->threshold = app->threshold ? app->threshold : 1;
    c->count.health = API_HEALTH_INITIALIZING;
    timer_init(&c->timer, h->loop, check_now, c);
    timer_start(&c->timer, 0);
    return c;
}

static struct check *check_free(struct check *c)
{
    if (!c)
        return NULL;
    client_request_cancel(c->request);
    timer_cancel(&c->timer);
    free(c->url);
    free(c);
    return NULL;
}

/* ---- all ---- */

/* The check that is as wanted, taken out of the list; NULL: there is none. */
static struct check *take_same(struct health *h, const struct api_app_check *app)
{
    for (size_t i = 0; i < h->n_checks; i++) {
        struct check *c = h->checks[i];
        if (!c || !str_eq(c->slug, app->slug) || !str_eq(c->url, app->url) ||
            c->interval != app->interval || c->threshold != app->threshold)
            continue;
        h->checks[i] = NULL;
        return c;
    }
    return NULL;
}

void health_set(struct health *h, const struct api_app_checks *apps)
{
    struct check *checks[TEMPLATE_APPS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < apps->n_apps && n < TEMPLATE_APPS_MAX; i++) {
        const struct api_app_check *app = &apps->apps[i];
        if (!app->url)
            continue;
        struct check *same = take_same(h, app);
        checks[n++] = same ? same : check_new(h, app);
    }
    for (size_t i = 0; i < h->n_checks; i++)
        check_free(h->checks[i]);
    for (size_t i = 0; i < n; i++)
        h->checks[i] = checks[i];
    h->n_checks = n;
    make_list(h);
    h->changed(h->ud);
}

struct health *health_new(struct loop *loop, health_changed_fn *changed, void *ud)
{
    struct health *h = new0(struct health);
    h->loop = loop;
    h->changed = changed;
    h->ud = ud;
    return h;
}

struct health *health_free(struct health *h)
{
    if (!h)
        return NULL;
    for (size_t i = 0; i < h->n_checks; i++)
        check_free(h->checks[i]);
    tls_context_unref(h->tls);
    free(h);
    return NULL;
}
