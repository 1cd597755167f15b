#include "proxy/proxy.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "http/exchange.h"
#include "io/loop.h"
#include "proto/cookie.h"
#include "proxy/owners.h"
#include "proxy/request.h"
#include "proxy/rewrite.h"
#include "store/store.h"

enum { COOKIE_FIELD_MAX = 4096 + 512, LOCATION_MAX = 3 * URL_MAX_LEN };

/* ---- requests ---- */

void request_set_state(struct app_request *q, enum request_state state)
{
    static const char *const names[] = {
        [REQUEST_START] = "start",     [REQUEST_RESOLVE] = "resolve", [REQUEST_MOVE] = "move",
        [REQUEST_OPEN] = "open",       [REQUEST_SEND] = "send",       [REQUEST_ANSWER] = "answer",
        [REQUEST_UPGRADE] = "upgrade", [REQUEST_RELAY] = "relay",     [REQUEST_ENDED] = "ended",
    };
    log_debug("app request", LOG_STR("from", names[q->state]), LOG_STR("to", names[state]));
    q->state = state;
}

bool request_may_ask(struct app_request *q)
{
    if (!q->asks && q->proxy->asking >= q->proxy->o.asking_max) {
        PROXY_COUNT(q, refused, 1);
        request_page(q, &page_busy);
        return false;
    }
    q->proxy->asking += !q->asks;
    q->asks = true;
    return true;
}

void request_has_asked(struct app_request *q)
{
    q->proxy->asking -= q->asks;
    q->asks = false;
}

void request_free(struct app_request *q)
{
    request_has_asked(q);
    list_remove(&q->link);
    timer_cancel(&q->timer);
    q->proxy->in_flight--;
    struct arena memory = q->arena;
    arena_deinit(&memory);
}

void request_page(struct app_request *q, const struct page *page)
{
    struct page shown = *page;
    char reason[256];
    if (page == &page_not_found) {
        /* Perhaps it is shared with another account of theirs. */
        shown.link = q->proxy->o.access_url;
        shown.link_text = "See as whom you are logged in";
    }
    if (page == &page_not_found && identity_is_somebody(&q->who)) {
        snprintf(reason, sizeof(reason),
                 "%s You are logged in as %s: whoever gave you this address can share it with that "
                 "name.",
                 page->reason, q->who.user);
        shown.reason = reason;
        shown.link_text = "See what is shared with you";
    }
    page_send(q->x, &shown, q->asker.only_json);
    request_free(q);
}

void request_store_failed(struct app_request *q, int r)
{
    unsigned held_back;
    if (r != -ECANCELED && log_limit_pass(&q->proxy->limit, clock_monotonic(), &held_back))
        log_error("an app could not be looked up", LOG_STR("reason", store_result_text(r)),
                  LOG_INT("held_back", held_back));
    request_page(q, &page_busy);
}

/* The URL that was asked for. A path that is too long for a redirect leads to the app's start. */
static int own_url(struct app_request *q, struct buf *dst)
{
    struct exchange *x = q->x;
    int r =
        buf_appendf(dst, "%s://" SPAN_FMT, q->proxy->secure ? "https" : "http", SPAN_ARG(x->host));
    if (x->path.len + x->query.len > URL_MAX_LEN / 2)
        return r | buf_append_str(dst, "/");
    r |= buf_append(dst, x->path.p, x->path.len);
    if (x->query.len > 0)
        r |= buf_append_byte(dst, '?') | buf_append(dst, x->query.p, x->query.len);
    return r;
}

/* Subdomains: to where the log-in is handed over. Path apps: to the log-in page itself. */
static int log_in_location(struct app_request *q, struct buf *dst)
{
    struct buf back = BUF_INIT(URL_MAX_LEN), query = BUF_INIT(LOCATION_MAX);
    struct exchange *x = q->x;
    int r;
    if (q->addr.by_path) {
        r = same_origin_location(x->path, x->query, &back);
        r |= form_append(&query, "next", span_from(buf_data(&back), back.len));
        r |= buf_appendf(dst, "%s/login?%s", q->proxy->o.access_url, buf_cstr(&query));
    } else {
        r = own_url(q, &back);
        r |= form_append(&query, "redirect_uri", span_from(buf_data(&back), back.len));
        r |= buf_appendf(dst, "%s/api/v1/applications/auth-redirect?%s", q->proxy->o.access_url,
                         buf_cstr(&query));
    }
    buf_deinit(&back);
    buf_deinit(&query);
    return r;
}

void request_log_in(struct app_request *q)
{
    struct buf location = BUF_INIT(LOCATION_MAX);
    if (q->asker.navigation && log_in_location(q, &location) == 0) {
        page_redirect(q->x, 303, buf_cstr(&location));
        request_free(q);
    } else {
        request_page(q, &page_log_in);
    }
    buf_deinit(&location);
}

/* ---- what goes with an app's answer ---- */

static void add_ticket(struct app_request *q)
{
    struct proxy *p = q->proxy;
    struct buf text = BUF_INIT(TICKET_MAX_LEN), field = BUF_INIT(COOKIE_FIELD_MAX);
    struct set_cookie cookie = {.name = COOKIE_TICKET,
                                .path = q->ticket.base,
                                .max_age_sec = (q->ticket.expires_at - q->now) / USEC_PER_SEC,
                                .secure = p->secure};
    if (ticket_sign(p->o.tickets, &q->ticket, &text) == 0) {
        cookie.value = buf_cstr(&text);
        if (set_cookie_format(&cookie, &field) == 0 &&
            headers_add_span(&q->x->response, SPAN("Set-Cookie"),
                             span_from(buf_data(&field), field.len)) == 0)
            PROXY_COUNT(q, tickets_issued, 1);
    }
    buf_wipe(&text);
    buf_wipe(&field);
}

void request_add_fields(struct app_request *q)
{
    if (q->ticket.cors == CORS_SIMPLE)
        cors_answer(&q->cors, q->origin_allowed, &q->x->response);
    if (!q->ticketed && !q->preflight_done)
        add_ticket(q);
}

/* ---- the proxy ---- */

struct proxy *proxy_new(const struct proxy_options *options)
{
    struct proxy *p = new0(struct proxy);
    struct app_pattern none = {.port = 0};
    struct url url;
    p->o = *options;
    if (p->o.asking_max == 0)
        p->o.asking_max = ASKING_MAX;
    p->secure = span_starts(span_of(options->access_url), "https:");
    if (url_parse(span_of(options->access_url), &url, NULL) == 0) {
        str_copy(p->access_host, sizeof(p->access_host), url.host);
        url_deinit(&url);
    }
    cookie_names_init(&p->cookies, options->site ? &options->site->pattern : &none);
    p->owners = owners_new(options->auth, options->loop, options->withdrawals);
    p->pool = pool_new(options->loop);
    p->memo = ticket_memo_new(options->tickets);
    p->limit = (struct log_limit){.burst = 5, .per_usec = 10 * USEC_PER_SEC};
    list_init(&p->requests);
    return p;
}

struct proxy *proxy_free(struct proxy *p)
{
    if (!p)
        return NULL;
    pool_free(p->pool);
    ticket_memo_free(p->memo);
    owners_free(p->owners);
    free(p);
    return NULL;
}

static struct app_request *request_new(struct proxy *p, struct exchange *x)
{
    struct arena memory;
    arena_init(&memory, sizeof(struct app_request));
    struct app_request *q = arena_alloc(&memory, sizeof(*q));
    if (!q)
        abort();
    q->arena = memory;
    q->proxy = p;
    q->x = x;
    q->now = clock_realtime();
    list_init(&q->link);
    q->upgrade = exchange_wants_upgrade(x) && rewrite_may_upgrade(&x->headers) &&
                 exchange_body_length(x) == 0;
    q->asker = situation_asker_of(x->method, &x->headers, q->upgrade);
    q->cors = cors_read(x->method, &x->headers);
    p->o.live->client(p->o.live_ud, x, &q->client);
    p->in_flight++;
    return q;
}

/* "/@user/workspace/apps/slug" without a slash: relative links would lead elsewhere. */
static void add_slash(struct app_request *q)
{
    struct buf path = BUF_INIT(URL_MAX_LEN), location = BUF_INIT(LOCATION_MAX);
    struct exchange *x = q->x;
    if (buf_append(&path, x->path.p, x->path.len) == 0 && buf_append_byte(&path, '/') == 0 &&
        same_origin_location(span_from(buf_data(&path), path.len), x->query, &location) == 0) {
        page_redirect(x, 307, buf_cstr(&location));
        request_free(q);
    } else {
        request_page(q, &page_bad_request);
    }
    buf_deinit(&path);
    buf_deinit(&location);
}

/* address_of(), remembering the app of the last host: a host that names one says all of it. */
static enum address_kind find_address(struct proxy *p, const struct exchange *x,
                                      struct address *ret)
{
    if (x->host.len > 0 && span_is(x->host, p->last_host)) {
        *ret = p->last;
        ret->path = x->path;
        return ADDRESS_APP;
    }
    enum address_kind kind = address_of(p->o.site, p->access_host, x->host, x->path, ret);
    if (kind == ADDRESS_APP && !ret->by_path &&
        str_copy_span(p->last_host, sizeof(p->last_host), x->host))
        p->last = *ret;
    else
        p->last_host[0] = '\0';
    return kind;
}

bool proxy_handle(struct proxy *p, struct exchange *x)
{
    struct address addr;
    enum address_kind kind = find_address(p, x, &addr);
    struct app_request *q;
    if (kind == ADDRESS_OTHER)
        return false;
    q = request_new(p, x);
    q->addr = addr;
    timer_init(&q->timer, p->o.loop, NULL, q);
    PROXY_COUNT(q, requests, 1);
    if (kind == ADDRESS_BAD_HOST)
        request_page(q, &page_bad_host);
    else if (!p->o.path_apps && (addr.by_path || kind != ADDRESS_APP))
        request_page(q, &page_paths_off);
    else if (kind == ADDRESS_PORT_BY_PATH)
        request_page(q, &page_port_by_path);
    else if (kind == ADDRESS_BAD_PATH)
        request_page(q, &page_not_found);
    else if (kind == ADDRESS_NO_SLASH)
        add_slash(q);
    else
        access_start(q);
    return true;
}

void proxy_withdraw(struct proxy *p, const struct withdrawal *what)
{
    struct app_request *q, *next;
    list_for_each_safe (q, next, &p->requests, link)
        if (withdrawal_hits(what, &q->ticket.subject)) {
            PROXY_COUNT(q, withdrawn, 1);
            transfer_end(q);
        }
}

void proxy_tick(struct proxy *p)
{
    struct app_request *q, *next;
    usec_t now = clock_realtime();
    list_for_each_safe (q, next, &p->requests, link)
        if (q->ticket.right_ends_at > 0 && now >= q->ticket.right_ends_at)
            transfer_end(q);
    pool_sweep(p->pool, loop_now(p->o.loop));
}

unsigned proxy_in_flight(const struct proxy *p)
{
    return p->in_flight;
}

void proxy_close(struct proxy *p)
{
    struct app_request *q, *next;
    p->closed = true;
    list_for_each_safe (q, next, &p->requests, link)
        transfer_end(q);
}
