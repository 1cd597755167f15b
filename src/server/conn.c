/*
 * Where the server speaks https, the first byte of a connection decides: 0x16 begins a TLS
 * handshake (RFC 8446 section 5.1), anything else is plain HTTP, in which a bulk lane is served
 * and nothing else. A lane carries TLS of its two ends, which is not to be wrapped once more.
 *
 * Beginning a handshake, with its signature, is the longest thing that a worker does in one go. It
 * begins one a turn, so that where many connect what is under way of others, which has to pass some
 * turns of its own, waits for one handshake in each and not for all that have come.
 */
#include "server/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/exchange.h"
#include "http/server_conn.h"
#include "io/fd_stream.h"
#include "io/listener.h"
#include "io/loop.h"
#include "io/stream.h"
#include "io/tls.h"
#include "server/accept_gate.h"
#include "server/client_ip.h"
#include "server/instance.h"
#include "server/lane_set.h"
#include "web/answer.h"
#include "web/web.h"

enum { METRICS_MAX_LEN = 1 << 20, TLS_HANDSHAKE_BYTE = 0x16 };

struct conn {
    struct list link;
    struct list hello;       /* in the worker's `hellos` */
    struct server_worker *w; /* NULL while it moves */
    struct addr peer;
    struct stream *first;     /* the socket, until its first byte has come */
    struct stream *handshake; /* TLS, until it is done */
    struct timer timer;       /* bounds both */
    struct accept_pass pass;  /* likewise */
    bool lanes_only;          /* plain HTTP where https is spoken */
    struct server_conn *http; /* afterwards */
    /* of a move */
    struct server_worker *to;
    struct exchange *moving;
    conn_moved_fn *moved;
    void *moved_ud;
};

static void conn_free(struct conn *c, struct server *server)
{
    quota_give(server->quota, &c->peer);
    timer_cancel(&c->timer);
    stream_free(c->first);
    stream_free(c->handshake);
    server_conn_free(c->http);
    list_remove(&c->link);
    list_remove(&c->hello);
    free(c);
}

/* ---- requests ---- */

static void answer_text(struct exchange *x, unsigned status, const char *type, struct span text)
{
    headers_set(&x->response, "Content-Type", type);
    headers_set(&x->response, "Cache-Control", "no-store");
    headers_set(&x->response, "X-Content-Type-Options", "nosniff");
    exchange_respond(x, status, text.p, text.len);
}

static bool only_reads(struct exchange *x)
{
    if (span_is(x->method, "GET") || span_is(x->method, "HEAD"))
        return true;
    headers_set(&x->response, "Allow", "GET, HEAD");
    answer_error(x, 405, "This path does not take this method.", NULL);
    return false;
}

static void answer_health(struct server_worker *w, struct exchange *x)
{
    if (!only_reads(x))
        return;
    if (w->draining)
        answer_retry(x, "draining", 5, "The server is stopping.");
    else
        answer_text(x, 200, "text/plain; charset=utf-8", SPAN("ok\n"));
}

static void answer_metrics(struct server_worker *w, struct exchange *x)
{
    struct buf text = BUF_INIT(METRICS_MAX_LEN);
    char ip[CLIENT_IP_SIZE];
    struct addr client;
    bool direct =
        client_ip_of(exchange_peer(x), &x->headers, &w->server->config->trusted_proxies, ip);

    if (!direct || addr_from_ip(ip, 0, &client) < 0 ||
        !cidr_list_contains(&w->server->config->metrics_from, &client)) {
        answer_not_found(x);
        return;
    }
    if (!only_reads(x))
        return;
    if (metrics_write(w->server, &text) < 0)
        answer_error(x, 500, "The metrics are too long.", NULL);
    else
        answer_text(x, 200, "text/plain; version=0.0.4; charset=utf-8",
                    span_from(buf_data(&text), text.len));
    buf_deinit(&text);
}

static void on_request(struct exchange *x, void *ud)
{
    struct conn *c = ud;
    struct server_worker *w = c->w;

    x->ud = c;
    if (lane_is_asked_for(x)) {
        lane_take(w, x);
        return;
    }
    if (c->lanes_only) {
        headers_set(&x->response, "Connection", "close");
        answer_text(x, 400, "text/plain; charset=utf-8", SPAN("This port speaks https.\n"));
        return;
    }
    /* A host under the wildcard is an app's and never sees the dashboard or the API. */
    if (proxy_handle(w->proxy, x))
        return;
    if (span_is(x->path, "/healthz"))
        answer_health(w, x);
    else if (span_is(x->path, "/metrics"))
        answer_metrics(w, x);
    else
        web_handle(w->web, x);
}

/* Also when the connection has become something else by an upgrade. */
static void on_closed(struct server_conn *http, void *ud)
{
    struct conn *c = ud;

    (void)http;
    c->http = NULL;
    conn_free(c, c->w->server);
}

/* ---- accepting ---- */

static void start_http(struct conn *c, struct stream *s, bool tls)
{
    const struct server_config *config = c->w->server->config;
    struct server_conn_options options = {.refusals = &c->w->server->http_refusals,
                                          .header_timeout = config->header_timeout,
                                          .idle_timeout = config->idle_timeout,
                                          .tls = tls,
                                          .peer = c->peer,
                                          .handler = on_request,
                                          .closed = on_closed,
                                          .ud = c};

    c->http = server_conn_new(c->w->loop, s, &options);
}

static void on_handshake(struct stream *tls, int result, const struct err *err, void *ud)
{
    struct conn *c = ud;

    timer_cancel(&c->timer);
    accept_gate_leave(&c->w->gate, &c->pass);
    if (result < 0) {
        METRIC_ADD(&c->w->metrics, tls_failed, 1);
        log_debug("TLS handshake failed", LOG_STR("reason", err ? err->text : NULL));
        conn_free(c, c->w->server);
        return;
    }
    c->handshake = NULL;
    start_http(c, tls, true);
}

static void on_handshake_timeout(struct timer *t, void *ud)
{
    struct conn *c = ud;

    (void)t;
    METRIC_ADD(&c->w->metrics, tls_failed, 1);
    conn_free(c, c->w->server);
}

/* The context of the moment; SIGHUP may replace it. */
static struct tls_context *current_tls(struct server *s)
{
    struct tls_context *tls = NULL;

    pthread_mutex_lock(&s->tls_lock);
    if (s->tls)
        tls = tls_context_ref(s->tls);
    pthread_mutex_unlock(&s->tls_lock);
    return tls;
}

static bool speaks_tls(struct server *s)
{
    bool tls;

    pthread_mutex_lock(&s->tls_lock);
    tls = s->tls != NULL;
    pthread_mutex_unlock(&s->tls_lock);
    return tls;
}

static void start_tls(struct conn *c, struct stream *s)
{
    struct tls_context *tls = current_tls(c->w->server);

    c->handshake = tls_start(
        tls, s, &(struct tls_start_options){.server = true, .done = on_handshake, .ud = c});
    tls_context_unref(tls);
}

static void begin_next_handshake(void *ud)
{
    struct server_worker *w = ud;
    struct conn *c = list_first(&w->hellos, struct conn, hello);

    if (!c)
        return;
    list_remove(&c->hello);
    start_tls(c, steal(&c->first));
    if (!list_empty(&w->hellos))
        defer_schedule(w->loop, &w->hello);
}

void conns_init(struct server_worker *w)
{
    list_init(&w->conns);
    list_init(&w->hellos);
    defer_init(&w->hello, begin_next_handshake, w);
}

static void on_first_byte(struct stream *s, unsigned events, void *ud)
{
    struct conn *c = ud;
    unsigned char byte;
    ssize_t n = recv(stream_fd(s), &byte, 1, MSG_PEEK);

    (void)events;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        METRIC_ADD(&c->w->metrics, tls_failed, 1);
        conn_free(c, c->w->server);
        return;
    }
    stream_want(s, 0);
    stream_set_ready(s, NULL, NULL);
    if (byte == TLS_HANDSHAKE_BYTE) {
        list_append(&c->w->hellos, &c->hello);
        defer_schedule(c->w->loop, &c->w->hello);
        return;
    }
    c->first = NULL;
    timer_cancel(&c->timer);
    accept_gate_leave(&c->w->gate, &c->pass);
    c->lanes_only = true;
    start_http(c, s, false);
}

void conn_accepted(struct listener *l, struct stream *s, const struct addr *peer, void *ud)
{
    struct server_worker *w = ud;
    struct conn *c;

    (void)l;
    METRIC_ADD(&w->metrics, connections_accepted, 1);
    if (quota_take(w->server->quota, peer) != QUOTA_OK) {
        stream_free(s);
        return;
    }
    c = new0(struct conn);
    c->w = w;
    c->peer = *peer;
    list_init(&c->hello);
    list_append(&w->conns, &c->link);
    timer_init(&c->timer, w->loop, on_handshake_timeout, c);
    if (!speaks_tls(w->server)) {
        start_http(c, s, false);
        return;
    }
    timer_start(&c->timer, w->server->config->header_timeout);
    accept_gate_enter(&w->gate, &c->pass);
    c->first = s;
    stream_set_ready(s, on_first_byte, c);
    stream_want(s, STREAM_READ);
}

/* ---- moving ---- */

static void arrive(void *ud)
{
    struct conn *c = ud;
    struct server_worker *w = c->to;
    struct exchange *x = c->moving;
    conn_moved_fn *moved = c->moved;
    void *moved_ud = c->moved_ud;

    c->w = w;
    c->moving = NULL;
    list_append(&w->conns, &c->link);
    timer_move(&c->timer, w->loop);
    server_conn_attach(c->http, w->loop, on_request, on_closed, c);
    moved(w, x, moved_ud);
    if (w->closed)
        conns_close(w);
}

int conn_move(struct server_worker *w, struct exchange *x, struct server_worker *to,
              conn_moved_fn *moved, void *ud)
{
    struct conn *c;
    int r;

    if (w->closed)
        return -ECANCELED; /* the connection is gone, and x->ud with it */
    c = x->ud;
    if (to == w) {
        moved(w, x, ud);
        return 0;
    }
    r = server_conn_detach(c->http);
    if (r < 0)
        return r;
    list_remove(&c->link);
    c->w = NULL;
    c->to = to;
    c->moving = x;
    c->moved = moved;
    c->moved_ud = ud;
    loop_post(to->loop, arrive, c);
    return 0;
}

/* ---- the end ---- */

void conns_drain(struct server_worker *w)
{
    struct conn *c, *next;

    list_for_each_safe (c, next, &w->conns, link) {
        if (c->http)
            server_conn_drain(c->http);
        else
            conn_free(c, w->server);
    }
}

void conns_close(struct server_worker *w)
{
    struct conn *c, *next;

    list_for_each_safe (c, next, &w->conns, link)
        conn_free(c, w->server);
}
