/* Why an app does not answer, as far as can be told, and what may help. */
#include <string.h>

#include "base/arena.h"
#include "http/exchange.h"
#include "io/stream.h"
#include "proxy/request.h"
#include "proxy/transfer.h"

static const char *target_text(struct app_request *q)
{
    struct arena *a = &q->x->arena;
    const struct ticket *t = &q->ticket;
    const char *text = str_eq(t->host, "localhost") ? arena_printf(a, "port %u", t->port)
                                                    : arena_printf(a, "%s:%u", t->host, t->port);
    return text ? text : "the app";
}

static void send(struct app_request *q, struct page *page)
{
    page->status = 502;
    page->retry = true;
    request_page(q, page);
}

void transfer_page(struct app_request *q, const char *title, const char *reason)
{
    struct page page = {.title = title, .reason = reason};
    send(q, &page);
}

/* The host name under which the same port is opened by the other protocol; NULL: there is none. */
static const char *other_url(struct app_request *q)
{
    struct buf host = BUF_INIT(HOST_SIZE + 8);
    struct app_host app = q->addr.app;
    const char *url = NULL;
    ptrdiff_t colon = span_rfind(q->x->host, ':');
    if (!app.port || q->addr.by_path || !q->proxy->o.site)
        return NULL;
    app.https = !q->ticket.tls;
    if (app_host_format(&q->proxy->o.site->pattern, &app, &host) == 0) {
        if (colon >= 0 && !q->proxy->o.site->pattern.port)
            buf_append(&host, q->x->host.p + colon, q->x->host.len - (size_t)colon);
        url = arena_printf(&q->x->arena, "%s://%s/", q->proxy->secure ? "https" : "http",
                           buf_cstr(&host));
    }
    buf_deinit(&host);
    return url;
}

static void offer_other(struct app_request *q)
{
    const char *target = target_text(q);
    struct page page = {.link = other_url(q)};
    struct arena *a = &q->x->arena;
    if (q->ticket.tls) {
        page.title = arena_printf(a, "No HTTPS on %s", target);
        page.reason = arena_printf(a,
                                   "Something listens on %s of the workspace, but it does not "
                                   "speak TLS.",
                                   target);
        page.link_text = "Open it as plain HTTP";
    } else {
        page.title = arena_printf(a, "No plain HTTP on %s", target);
        page.reason = arena_printf(a, "What listens on %s of the workspace speaks HTTPS.", target);
        page.link_text = "Open it as HTTPS";
    }
    if (!page.title || !page.reason)
        page.title = page.reason = "The app speaks another protocol.";
    send(q, &page);
}

void transfer_not_reached(struct app_request *q, enum dial_result result)
{
    const char *target = target_text(q);
    struct arena *a = &q->x->arena;
    const char *title = arena_printf(a, "Nothing answers on %s", target), *reason;
    if (result == DIAL_UNAVAILABLE || result == DIAL_CLOSED) {
        request_page(q, &page_offline);
        return;
    }
    if (result == DIAL_TLS_FAILED) {
        offer_other(q);
        return;
    }
    if (result == DIAL_REFUSED)
        reason = arena_printf(a,
                              "The workspace is there, but no program listens on %s. Start the "
                              "app and try again.",
                              target);
    else
        reason = arena_printf(a, "The workspace could not connect to %s: %s.", target,
                              dial_result_text(result));
    transfer_page(q, title ? title : "Nothing answers", reason ? reason : "");
}

static void not_http(struct app_request *q)
{
    const char *text = arena_printf(&q->x->arena,
                                    "What listens on %s of the workspace did not give an answer "
                                    "that is HTTP.",
                                    target_text(q));
    transfer_page(q, "Bad answer from the app", text ? text : "");
}

static void on_probe(struct stream *channel, enum dial_result result, const char *reason, void *ud)
{
    struct app_request *q = ud;
    q->open = NULL;
    stream_free(channel);
    exchange_set_callbacks(q->x, NULL, NULL, NULL);
    if (result == DIAL_OK)
        offer_other(q);
    else
        not_http(q);
}

void transfer_not_http(struct app_request *q)
{
    struct proxy *p = q->proxy;
    struct channel_target target = {
        .kind = CHANNEL_TCP, .host = q->ticket.host, .port = q->ticket.port, .tls = true};
    struct channel_open_options options = {.opened = on_probe, .ud = q};
    if (!q->ticket.tls)
        q->open = p->o.live->open(p->o.live_ud, q->agent_link, &target, &options);
    if (q->open) {
        request_set_state(q, REQUEST_OPEN);
        return;
    }
    exchange_set_callbacks(q->x, NULL, NULL, NULL);
    not_http(q);
}
