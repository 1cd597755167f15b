/*
 * Steps, each started by the end of the one before: dial (the host or the proxy), CONNECT through
 * the proxy, TLS, the call, its body. Whatever fails ends it by finish(), which tells the owner
 * and frees everything; no step touches the request after a call that may have finished it.
 */
#include "http/client_request.h"

#include <errno.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "http/client_conn.h"
#include "http/client_proxy.h"
#include "io/dial.h"
#include "io/loop.h"
#include "io/stream.h"
#include "io/timer.h"
#include "io/tls.h"
#include "proto/hostport.h"
#include "proto/url.h"

enum {
    DEFAULT_MAX_BODY = 8 * 1024 * 1024,
    ARENA_MAX = 256 * 1024,
};

struct client_request {
    struct loop *loop;
    struct arena arena;
    struct url url;
    struct span method;
    struct span target;
    struct headers headers;
    struct buf body; /* of the request */
    struct buf answer;
    bool upgrade;
    bool answering; /* the head of the answer has come */
    bool has_proxy;
    struct client_proxy proxy;
    struct tls_context *tls;
    client_request_done_fn *done;
    client_request_piece_fn *piece;
    void *ud;
    bool head_only;
    usec_t timeout;
    bool *gone; /* set when it is cancelled while a piece is told */

    struct timer timer;
    struct dial *dial;
    struct stream *s; /* between the steps, and during a TLS handshake */
    struct client_conn *conn;
    struct client_call *call;
};

static void request_free(struct client_request *r)
{
    if (r->gone)
        *r->gone = true;
    timer_cancel(&r->timer);
    r->dial = dial_cancel(r->dial);
    r->call = client_call_free(r->call);
    r->conn = client_conn_free(r->conn);
    r->s = stream_free(r->s);
    r->tls = tls_context_unref(r->tls);
    url_deinit(&r->url);
    buf_wipe(&r->body);
    buf_deinit(&r->answer);
    arena_deinit(&r->arena);
    free(r);
}

static void finish(struct client_request *r, int result, const struct client_result *answer,
                   const struct err *err)
{
    timer_cancel(&r->timer);
    r->done(result, answer, err, r->ud);
    request_free(r);
}

static void fail(struct client_request *r, int code, const char *text)
{
    struct err err = ERR_INIT;
    err_set(&err, code, "%s://%s: %s", url_scheme_name(r->url.scheme), r->url.host, text);
    finish(r, code, NULL, &err);
}

static const char *failure_text(int code)
{
    if (code == -EPROTO)
        return "the answer is not valid HTTP";
    if (code == -ECONNRESET)
        return "the connection was closed before the answer was complete";
    if (code == -EMSGSIZE)
        return "the answer is too large";
    if (code == -ETIMEDOUT)
        return "no answer in time";
    return strerror(-code);
}

static void timed_out(struct timer *t, void *ud)
{
    fail(ud, -ETIMEDOUT, failure_text(-ETIMEDOUT));
}

static void answer_complete(struct client_request *r, struct stream *upgraded)
{
    const struct client_response *response = client_call_response(r->call);
    struct client_result answer = {
        .status = response->status,
        .headers = response->headers,
        .body = span_from(buf_data(&r->answer), r->answer.len),
        .upgraded = upgraded,
    };
    finish(r, 0, &answer, NULL);
}

static void want(struct client_request *r)
{
    unsigned events = r->answering ? STREAM_READ : 0;
    if (r->body.len > 0)
        events |= STREAM_WRITE;
    client_call_want(r->call, events);
}

static void send_body(struct client_request *r)
{
    while (r->body.len > 0) {
        ssize_t n = client_call_send_bytes(r->call, buf_data(&r->body), r->body.len);
        if (n == -EAGAIN)
            return;
        if (n < 0) /* the answer says why, if there is one */
            buf_clear(&r->body);
        else
            buf_consume(&r->body, (size_t)n);
    }
    client_call_end(r->call, NULL);
    want(r);
}

/* False: it was cancelled. */
static bool tell_piece(struct client_request *r, const void *data, size_t len)
{
    bool gone = false;
    r->gone = &gone;
    timer_start(&r->timer, r->timeout);
    r->piece(span_from(data, len), r->ud);
    if (!gone)
        r->gone = NULL;
    return !gone;
}

static void read_body(struct client_request *r)
{
    bool in_pieces = r->piece && client_call_response(r->call)->status / 100 == 2;
    for (;;) {
        const void *data;
        ssize_t n = client_call_peek(r->call, &data);
        if (n == -EAGAIN)
            return;
        if (n > 0 && in_pieces) {
            if (!tell_piece(r, data, (size_t)n))
                return;
        } else if (n > 0 && buf_append(&r->answer, data, (size_t)n) < 0)
            n = -EMSGSIZE;
        if (n < 0) {
            fail(r, (int)n, failure_text((int)n));
            return;
        }
        if (n == 0) {
            answer_complete(r, NULL);
            return;
        }
        client_call_consume(r->call, (size_t)n);
    }
}

static void call_ready(struct client_call *call, unsigned events, void *ud)
{
    struct client_request *r = ud;
    if (events & STREAM_WRITE)
        send_body(r);
    if (events & STREAM_READ)
        read_body(r);
}

static void answer_begins(struct client_call *call, int result, void *ud)
{
    struct client_request *r = ud;
    if (result < 0) {
        fail(r, result, failure_text(result));
        return;
    }
    if (client_call_response(call)->status == 101) {
        struct stream *s = client_call_upgrade(call);
        if (s)
            answer_complete(r, s);
        else
            fail(r, -EPROTO, failure_text(-EPROTO));
        return;
    }
    if (r->head_only) {
        answer_complete(r, NULL);
        return;
    }
    r->answering = true;
    want(r);
}

/* Starts a call on r->s, which becomes a connection. False when that has ended the request. */
static bool start_call(struct client_request *r, const struct client_call_options *options)
{
    const struct client_conn_options conn_options = {0};
    r->conn = client_conn_new(r->loop, r->s, &conn_options);
    r->s = NULL;
    int code = client_conn_call(r->conn, options, &r->call);
    if (code < 0)
        fail(r, code, "the request cannot be sent");
    return code == 0;
}

static void send_request(struct client_request *r)
{
    bool says_length = r->body.len > 0 || span_is(r->method, "POST") || span_is(r->method, "PUT");
    const struct client_call_options options = {
        .method = r->method,
        .target = r->target,
        .headers = &r->headers,
        .body_length = (int64_t)r->body.len,
        .send_zero_length = says_length,
        .head = answer_begins,
        .ready = call_ready,
        .ud = r,
    };
    if (start_call(r, &options))
        want(r);
}

static void tls_is_up(struct stream *tls, int result, const struct err *err, void *ud)
{
    struct client_request *r = ud;
    if (result < 0)
        fail(r, result, err->text);
    else
        send_request(r);
}

/* The way to the host stands. */
static void connected(struct client_request *r)
{
    if (!url_scheme_is_tls(r->url.scheme)) {
        send_request(r);
        return;
    }
    const struct tls_start_options options = {.host = r->url.host, .done = tls_is_up, .ud = r};
    r->s = tls_start(r->tls, r->s, &options);
}

static void proxy_answered(struct client_call *call, int result, void *ud)
{
    struct client_request *r = ud;
    char text[128];
    if (result < 0) {
        snprintf(text, sizeof(text), "the proxy failed: %s", failure_text(result));
        fail(r, result, text);
        return;
    }
    r->s = client_call_upgrade(call);
    if (!r->s) {
        snprintf(text, sizeof(text), "the proxy refused the connection with status %u",
                 client_call_response(call)->status);
        fail(r, -ECONNREFUSED, text);
        return;
    }
    r->call = client_call_free(r->call);
    r->conn = client_conn_free(r->conn);
    connected(r);
}

static void ask_proxy(struct client_request *r)
{
    char authority[HOSTPORT_SIZE];
    struct headers fields;
    hostport_format(r->url.host, r->url.port, authority);
    headers_init(&fields, &r->arena, 0, 0);
    headers_add(&fields, "Host", authority);
    if (*r->proxy.authorization)
        headers_add(&fields, "Proxy-Authorization", r->proxy.authorization);
    const struct client_call_options options = {
        .method = SPAN("CONNECT"),
        .target = span_of(authority),
        .headers = &fields,
        .head = proxy_answered,
        .ud = r,
    };
    start_call(r, &options);
}

static int code_of(enum dial_outcome outcome, const struct err *err)
{
    switch (outcome) {
    case DIAL_OUTCOME_REFUSED:
        return -ECONNREFUSED;
    case DIAL_OUTCOME_TIMED_OUT:
        return -ETIMEDOUT;
    case DIAL_OUTCOME_NO_NAME:
        return -ENOENT;
    case DIAL_OUTCOME_UNREACHABLE:
        return -EHOSTUNREACH;
    default:
        return err && err->code < 0 ? err->code : -EIO;
    }
}

static bool tunnels(const struct client_request *r)
{
    return r->has_proxy && (url_scheme_is_tls(r->url.scheme) || r->upgrade);
}

static void dialled(enum dial_outcome outcome, struct stream *s, const struct err *err, void *ud)
{
    struct client_request *r = ud;
    r->dial = NULL;
    if (outcome != DIAL_OUTCOME_OK) {
        struct err reason = *err;
        int code = code_of(outcome, err);
        if (r->has_proxy)
            err_wrap(&reason, "proxy %s", r->proxy.host);
        finish(r, code, NULL, &reason);
        return;
    }
    r->s = s;
    if (tunnels(r))
        ask_proxy(r);
    else
        connected(r);
}

static int set_target(struct client_request *r)
{
    struct buf text = BUF_INIT(2 * URL_MAX_LEN);
    int code = 0;
    if (r->has_proxy && !tunnels(r)) {
        code = url_format(&r->url, &text);
        if (code == 0 && *r->proxy.authorization)
            code = headers_set(&r->headers, "Proxy-Authorization", r->proxy.authorization);
    } else {
        code = buf_appendf(&text, "%s%s%s", r->url.path, r->url.query ? "?" : "",
                           r->url.query ? r->url.query : "");
    }
    struct span target = span_from(buf_data(&text), text.len);
    r->target = span_from(arena_span_dup(&r->arena, target), target.len);
    buf_deinit(&text);
    return code < 0 || !r->target.p ? -EINVAL : 0;
}

/* Host first (RFC 9110 section 7.2), then the caller's. */
static int set_headers(struct client_request *r, const struct client_request_options *o)
{
    struct buf host = BUF_INIT(HOSTPORT_SIZE);
    headers_init(&r->headers, &r->arena, 0, 0);
    int code = url_format_authority(&r->url, &host);
    if (code == 0)
        code = headers_add(&r->headers, "Host", buf_cstr(&host));
    buf_deinit(&host);
    if (code == 0 && o->headers)
        code = headers_add_all(&r->headers, o->headers);
    if (code == 0)
        code = headers_set(&r->headers, "Connection", o->upgrade ? "Upgrade" : "close");
    if (code == 0 && o->upgrade)
        code = headers_set(&r->headers, "Upgrade", o->upgrade);
    return code;
}

static const char *from_environment(const char *name)
{
    return getenv(name);
}

static int set_up(struct client_request *r, const struct client_request_options *o, struct err *err)
{
    int code = url_parse(span_of(o->url), &r->url, err);
    if (code < 0)
        return code;
    const char *proxy = o->proxy ? o->proxy : client_proxy_find(&r->url, from_environment);
    if (proxy && *proxy) {
        r->has_proxy = true;
        code = client_proxy_parse(proxy, &r->proxy, err);
        if (code < 0)
            return code;
    }
    r->upgrade = o->upgrade != NULL;
    struct span method = span_of(o->method ? o->method : "GET");
    r->method = span_from(arena_span_dup(&r->arena, method), method.len);
    if (set_headers(r, o) < 0 || set_target(r) < 0)
        return err_set(err, -EINVAL, "the request's head is too large or not valid");
    if (o->body_len > 0 && buf_append(&r->body, o->body, o->body_len) < 0)
        return err_set(err, -ENOMEM, "the request's body is too large");
    if (!url_scheme_is_tls(r->url.scheme))
        return 0;
    const struct tls_client_options verified = {0};
    if (o->tls)
        r->tls = tls_context_ref(o->tls);
    else
        code = tls_context_client(&verified, &r->tls, err);
    return code;
}

int client_request_start(struct loop *loop, const struct client_request_options *options,
                         struct client_request **ret, struct err *err)
{
    struct client_request *r = new0(struct client_request);
    usec_t timeout = options->timeout ? options->timeout : 30 * USEC_PER_SEC;

    r->loop = loop;
    r->done = options->done;
    r->piece = options->piece;
    r->head_only = options->head_only;
    r->timeout = timeout;
    r->ud = options->ud;
    arena_init(&r->arena, ARENA_MAX);
    buf_init(&r->body, options->body_len);
    buf_init(&r->answer, options->max_body ? options->max_body : DEFAULT_MAX_BODY);
    timer_init(&r->timer, loop, timed_out, r);
    int code = set_up(r, options, err);
    if (code < 0) {
        request_free(r);
        return code;
    }
    const struct dial_options dial = {.timeout = timeout, .done = dialled, .ud = r};
    timer_start(&r->timer, timeout);
    r->dial = dial_tcp(loop, r->has_proxy ? r->proxy.host : r->url.host,
                       r->has_proxy ? r->proxy.port : r->url.port, &dial);
    *ret = r;
    return 0;
}

struct client_request *client_request_cancel(struct client_request *r)
{
    if (r)
        request_free(r);
    return NULL;
}
