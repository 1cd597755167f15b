#include "web/web.h"

#include <stdlib.h>

#include "api/error.h"
#include "auth/auth.h"
#include "base/mem.h"
#include "http/exchange.h"
#include "http/router.h"
#include "io/loop.h"
#include "store/audit.h"
#include "web/answer.h"
#include "web/counters.h"
#include "web/dashboard.h"
#include "web/dashboard_files.h"
#include "web/handlers.h"
#include "web/instance.h"
#include "web/pages.h"
#include "web/site.h"

/*
 * The API's routes come first in the table, so that an index below API_ROUTE_COUNT is theirs; then
 * the fixed pages, the files of the dashboard, and the pages that depend on who asks.
 */
static void handle_route(struct exchange *x, const struct route_params *params, void *ud)
{
    (void)x;
    (void)params;
    (void)ud; /* web_handle() calls by the route's place in the table */
}

static void make_routes(struct web *web)
{
    size_t n_pages, n_site;
    const struct page *pages = web_pages(&n_pages);
    const struct site_route *site = site_routes(&n_site);
    struct route *route;

    web->n_fixed = API_ROUTE_COUNT + n_pages;
    web->n_files = web->n_fixed + dashboard_n_files;
    route = web->routes = xcalloc(web->n_files + n_site, sizeof(*web->routes));
    for (size_t i = 0; i < API_ROUTE_COUNT; i++)
        *route++ = (struct route){
            .method = api_routes[i].method, .pattern = api_routes[i].path, .handler = handle_route};
    for (size_t i = 0; i < n_pages; i++)
        *route++ = (struct route){
            .method = "GET", .pattern = pages[i].path, .handler = handle_route, .data = &pages[i]};
    for (size_t i = 0; i < dashboard_n_files; i++)
        *route++ = (struct route){.method = "GET",
                                  .pattern = dashboard_files[i].path,
                                  .handler = handle_route,
                                  .data = &dashboard_files[i]};
    for (size_t i = 0; i < n_site; i++)
        *route++ = (struct route){.method = site[i].method,
                                  .pattern = site[i].path,
                                  .handler = handle_route,
                                  .data = &site[i]};
    web->router = router_new(web->routes, web->n_files + n_site);
}

struct web *web_new(const struct web_options *options)
{
    struct web *web = new0(struct web);

    web->o = *options;
    list_init(&web->streams);
    web->secure = span_starts(span_of(options->access_url), "https:");
    web->store_log = (struct log_limit){.burst = 5, .per_usec = 10 * USEC_PER_SEC};
    make_routes(web);
    return web;
}

struct web *web_free(struct web *web)
{
    if (!web)
        return NULL;
    router_free(web->router);
    free(web->routes);
    free(web);
    return NULL;
}

unsigned web_in_flight(const struct web *web)
{
    return web->in_flight;
}

/* No route: what is wrong, or the answer to OPTIONS (RFC 9110 section 9.3.7). */
static unsigned answer_unrouted(struct exchange *x, enum route_result result)
{
    if (span_is(x->method, "OPTIONS") &&
        (result == ROUTE_METHOD_NOT_ALLOWED || span_is(x->target, "*")))
        return answer_empty(x);
    switch (result) {
    case ROUTE_METHOD_NOT_ALLOWED:
        return answer_error(x, 405, "This path does not take this method.",
                            "The Allow field lists those that it takes.");
    case ROUTE_BAD_PATH:
        return answer_error(x, 400, "The path is not valid.", NULL);
    default:
        return dashboard_is_wanted(x) ? dashboard_answer(x, 404, &dashboard_page)
                                      : answer_not_found(x);
    }
}

void web_handle(struct web *web, struct exchange *x)
{
    const struct route *route;
    struct route_params params;
    enum route_result result = router_match(web->router, x, &route, &params);
    size_t index;

    if (result != ROUTE_FOUND) {
        web_counters_add(web->o.counters, WEB_ROUTE_NONE, answer_unrouted(x, result));
        return;
    }
    index = (size_t)(route - web->routes);
    if ((index < API_ROUTE_COUNT || index >= web->n_files) && web->in_flight >= WEB_IN_FLIGHT_MAX)
        web_counters_add(web->o.counters,
                         index < API_ROUTE_COUNT ? (unsigned)index : WEB_ROUTE_PAGES,
                         answer_retry(x, "busy", 1, "The server is busy; try again."));
    else if (index < API_ROUTE_COUNT)
        call_start(web, x, (unsigned)index, &web_handlers[index], &params);
    else if (index >= web->n_files)
        ((const struct site_route *)route->data)->run(web, x);
    else if (index >= web->n_fixed)
        web_counters_add(web->o.counters, WEB_ROUTE_PAGES, dashboard_answer(x, 200, route->data));
    else
        web_counters_add(web->o.counters, WEB_ROUTE_PAGES, page_answer(x, route->data));
}

/* ---- records ---- */

struct record {
    struct web *web;
    struct audit_event event;
};

static void on_recorded(void *ud, int r, const bool *is_new)
{
    struct record *record = ud;

    (void)is_new; /* its id is ours */
    if (r != 0)
        log_error("an audit event was not stored",
                  LOG_STR("action", audit_action_name(record->event.action)),
                  LOG_STR("actor", record->event.actor), LOG_STR("reason", store_result_text(r)));
    record->web->o.live->audited(record->web->o.live_ud, &record->event);
    record->web->in_flight--;
    free(record);
}

static void log_event_line(const struct audit_event *e)
{
    log_info("audit", LOG_STR("action", audit_action_name(e->action)), LOG_STR("actor", e->actor),
             LOG_STR("workspace", e->workspace), LOG_STR("agent", e->agent),
             LOG_STR("target", e->target), LOG_STR("carrier", audit_carrier_name(e->carrier)),
             LOG_INT("bytes_in", e->bytes_in), LOG_INT("bytes_out", e->bytes_out),
             LOG_INT("duration_ms", e->duration / USEC_PER_MSEC), LOG_STR("result", e->result),
             LOG_STR("ip", e->ip));
}

void web_record(struct web *web, const struct audit_event *event)
{
    struct record *record = new0(struct record);

    record->web = web;
    record->event = *event;
    record->event.id = id_new();
    record->event.time = clock_realtime();
    log_event_line(&record->event);
    web->in_flight++;
    store_audit_add(auth_store(web->o.auth), web->o.loop, &record->event, 1, on_recorded, record);
}
