#include "http/exchange.h"

#include <errno.h>

#include "base/mem.h"
#include "http/server_conn_impl.h"
#include "io/stream.h"

static struct server_exchange *impl(const struct exchange *x)
{
    return (struct server_exchange *)x;
}

static unsigned fill_in(struct server_exchange *e, struct span bytes)
{
    struct exchange *x = &e->x;
    struct h1_head head;
    struct h1_target target;
    const struct server_conn_options *o = &x->conn->o;

    char *copy = arena_span_dup(&x->arena, bytes);
    if (!copy)
        return 431;
    headers_init(&x->headers, &x->arena, o->max_header_bytes, o->max_header_count);
    headers_init(&x->response, &x->arena, 0, 0);
    headers_init(&e->trailers, &x->arena, o->max_header_bytes, o->max_header_count);
    unsigned status = h1_parse_request(span_from(copy, bytes.len), &head, &x->headers);
    if (status == 0)
        status = h1_parse_target(&head, &x->headers, &target);
    if (status != 0)
        return status;

    x->method = head.method;
    x->target = head.target;
    x->path = target.path;
    x->query = target.query;
    x->host = target.authority;
    x->minor = head.minor;
    e->framing = head.framing;
    e->body_length = head.framing == H1_CHUNKED  ? BODY_UNKNOWN
                     : head.framing == H1_LENGTH ? head.content_length
                                                 : 0;
    e->keep_alive = head.keep_alive;
    e->upgrade = head.upgrade && head.minor >= 1;
    return 0;
}

static unsigned check_expect(struct server_exchange *e)
{
    struct span expect = headers_get(&e->x.headers, "Expect");
    if (!expect.p || e->x.minor == 0)
        return 0;
    if (!span_iis(expect, "100-continue"))
        return 417;
    e->expect_continue = e->framing != H1_NO_BODY;
    return 0;
}

static void all_timed_out(struct timer *t, void *ud);

unsigned server_exchange_new(struct server_conn *c, struct span head, struct server_exchange **ret)
{
    struct server_exchange *e = new0(struct server_exchange);
    e->x.conn = c;
    arena_init(&e->x.arena, EXCHANGE_ARENA_MAX);
    timer_init(&e->all_timer, c->loop, all_timed_out, e);
    unsigned status = fill_in(e, head);
    if (status == 0)
        status = check_expect(e);
    if (status == 0 && span_is(e->x.method, "CONNECT")) {
        e->upgrade = true;
        if (!c->o.allow_connect)
            status = 405;
    }
    if (status != 0) {
        server_exchange_free(e);
        return status;
    }
    h1_reader_take_head(&c->in, head.len, e->framing, (uint64_t)e->body_length, &e->trailers);
    *ret = e;
    return 0;
}

void server_exchange_free(struct server_exchange *e)
{
    if (!e)
        return;
    timer_cancel(&e->all_timer);
    buf_deinit(&e->all);
    arena_deinit(&e->x.arena);
    free(e);
}

const struct addr *exchange_peer(const struct exchange *x)
{
    return &x->conn->o.peer;
}

bool exchange_is_tls(const struct exchange *x)
{
    return x->conn->o.tls;
}

bool exchange_wants_upgrade(const struct exchange *x)
{
    return impl(x)->upgrade;
}

void exchange_set_callbacks(struct exchange *x, exchange_ready_fn *ready, exchange_gone_fn *gone,
                            void *ud)
{
    struct server_exchange *e = impl(x);
    e->ready = ready;
    e->gone = gone;
    e->ud = ud;
    if (gone)
        server_conn_poke(x->conn);
}

void exchange_want(struct exchange *x, unsigned events)
{
    struct server_exchange *e = impl(x);
    struct server_conn *c = x->conn;
    unsigned fresh = events & ~e->want;
    if (fresh & STREAM_READ)
        c->last_read = loop_now(c->loop);
    if (fresh & STREAM_WRITE)
        c->last_write = loop_now(c->loop);
    e->want = events;
    c->writable = false;
    if (c->state == CONN_CLOSED)
        server_conn_poke(c);
    else
        server_conn_update(c);
}

bool server_exchange_may_read(const struct server_exchange *e)
{
    const struct h1_reader *in = &e->x.conn->in;
    return (e->want & STREAM_READ) && (in->body_done || in->error || !in->starved);
}

void server_exchange_body_timed_out(struct server_exchange *e)
{
    e->x.conn->in.error = -ETIMEDOUT;
    e->x.conn->keep_alive = false;
}

/* `gone` may end the exchange: true when it has. */
static bool tell_gone(struct server_exchange *e, bool *told, int reason)
{
    struct server_conn *c = e->x.conn;
    if (*told || !e->gone)
        return false;
    *told = true;
    e->gone(&e->x, reason, e->ud);
    return c->x != e;
}

void server_exchange_deliver(struct server_exchange *e)
{
    struct server_conn *c = e->x.conn;
    if (c->failed && tell_gone(e, &e->told_failed, c->failed))
        return;
    if (!c->failed && c->in.eof && c->in.body_done && tell_gone(e, &e->told_ended, 0))
        return;

    unsigned events = 0;
    if (c->failed)
        events = e->want;
    else if (server_exchange_may_read(e))
        events |= STREAM_READ;
    if ((e->want & STREAM_WRITE) && c->writable && h1_writer_queued(&c->out) == 0)
        events |= STREAM_WRITE;
    c->writable = false;
    if (!events || !e->ready)
        return;
    if (c->failed)
        server_conn_poke(c);
    e->ready(&e->x, events, e->ud);
}

/* Queued bytes go out now as far as they go. */
static int flush(struct server_conn *c)
{
    int r = h1_writer_flush(&c->out);
    if (r < 0 && r != -EAGAIN)
        return server_conn_fail(c, r);
    server_conn_update(c);
    return 0;
}

/* The client may be waiting for this before it sends the body (RFC 9110 section 10.1.1). */
static void send_continue(struct server_exchange *e)
{
    struct server_conn *c = e->x.conn;
    e->read = true;
    if (!e->expect_continue || e->started)
        return;
    e->expect_continue = false;
    if (c->in.in.len > 0)
        return;
    if (h1_writer_text(&c->out, "HTTP/1.1 100 Continue\r\n\r\n") == 0)
        flush(c);
}

/* What h1_reader says, in the words of exchange.h. */
static ssize_t body_result(struct server_exchange *e, ssize_t n)
{
    struct server_conn *c = e->x.conn;
    if (n > 0) {
        c->last_read = loop_now(c->loop);
    } else if (n == -EPROTO || n == -ETIMEDOUT) {
        c->keep_alive = false;
    } else if (n < 0 && n != -EAGAIN) {
        server_conn_fail(c, (int)n);
        return n;
    }
    server_conn_update(c);
    return n;
}

ssize_t exchange_recv(struct exchange *x, void *data, size_t len)
{
    struct server_exchange *e = impl(x);
    if (x->conn->failed)
        return x->conn->failed;
    send_continue(e);
    if (x->conn->failed)
        return x->conn->failed;
    return body_result(e, h1_reader_recv(&x->conn->in, data, len));
}

ssize_t exchange_peek(struct exchange *x, const void **ret_data)
{
    struct server_exchange *e = impl(x);
    if (x->conn->failed)
        return x->conn->failed;
    send_continue(e);
    if (x->conn->failed)
        return x->conn->failed;
    return body_result(e, h1_reader_peek(&x->conn->in, ret_data));
}

void exchange_consume(struct exchange *x, size_t len)
{
    if (x->conn->failed)
        return;
    h1_reader_consume(&x->conn->in, len);
    server_conn_update(x->conn);
}

int64_t exchange_body_length(const struct exchange *x)
{
    return impl(x)->body_length;
}

const struct headers *exchange_trailers(const struct exchange *x)
{
    return &impl(x)->trailers;
}

static void all_end(struct server_exchange *e, int result)
{
    timer_cancel(&e->all_timer);
    exchange_want(&e->x, 0);
    exchange_set_callbacks(&e->x, NULL, NULL, NULL);
    exchange_body_fn *done = e->all_done;
    struct buf body = e->all;
    e->all = (struct buf)BUF_INIT(0);
    done(&e->x, result, span_from(buf_data(&body), result == 0 ? body.len : 0), e->all_ud);
    buf_deinit(&body);
}

static void all_timed_out(struct timer *t, void *ud)
{
    struct server_exchange *e = ud;
    e->x.conn->keep_alive = false;
    all_end(e, -ETIMEDOUT);
}

static void all_gone(struct exchange *x, int reason, void *ud)
{
    if (reason < 0)
        all_end(impl(x), reason);
}

static void all_ready(struct exchange *x, unsigned events, void *ud)
{
    struct server_exchange *e = impl(x);
    if (e->all_result < 0) {
        all_end(e, e->all_result);
        return;
    }
    for (;;) {
        const void *data = NULL;
        ssize_t n = exchange_peek(x, &data);
        if (n == -EAGAIN)
            return;
        if (n > 0 && buf_append(&e->all, data, (size_t)n) < 0)
            n = -EMSGSIZE;
        if (n <= 0) {
            all_end(e, (int)n);
            return;
        }
        exchange_consume(x, (size_t)n);
    }
}

void exchange_read_all(struct exchange *x, size_t max, exchange_body_fn *done, void *ud)
{
    struct server_exchange *e = impl(x);
    e->all_done = done;
    e->all_ud = ud;
    e->all_result = e->body_length > (int64_t)max ? -EMSGSIZE : 0;
    buf_init(&e->all, max);
    timer_move(&e->all_timer, x->conn->loop);
    timer_start(&e->all_timer, x->conn->o.body_timeout);
    exchange_set_callbacks(x, all_ready, all_gone, NULL);
    /* A body that is refused is not read: the client is not told to go on. */
    if (e->all_result == 0 && !x->conn->failed)
        send_continue(e);
    exchange_want(x, STREAM_READ);
    x->conn->in.starved = false;
    server_conn_poke(x->conn);
}

unsigned exchange_status_of(int result)
{
    return result == -EMSGSIZE ? 413 : result == -ETIMEDOUT ? 408 : 400;
}

int exchange_inform(struct exchange *x, unsigned status, const struct headers *fields)
{
    struct server_conn *c = x->conn;
    struct server_exchange *e = impl(x);
    if (c->failed)
        return c->failed;
    if (status < 102 || status > 199 || e->started)
        return -EINVAL;
    if (x->minor == 0)
        return 0;
    if (h1_writer_status(&c->out, status) < 0 || h1_writer_fields(&c->out, fields, false) < 0 ||
        h1_writer_span(&c->out, SPAN("\r\n")) < 0)
        return server_conn_fail(c, -ENOBUFS);
    return flush(c);
}

/* The connection ends with this answer if it cannot be used on, or would cost too much to be. */
static void decide_keep_alive(struct server_exchange *e)
{
    struct server_conn *c = e->x.conn;
    if (c->draining || c->in.eof || c->in.error || e->expect_continue ||
        headers_has_token(&e->x.response, "Connection", "close"))
        c->keep_alive = false;
}

static int write_head(struct server_exchange *e, unsigned status, int64_t length)
{
    struct server_conn *c = e->x.conn;
    struct h1_writer *w = &c->out;
    bool no_body = status == 204 || status == 304 || span_is(e->x.method, "HEAD");
    bool chunked = !no_body && length < 0 && e->x.minor >= 1;

    if (status == 205)
        length = 0;
    if (!no_body && length < 0 && !chunked)
        c->keep_alive = false;
    int r = h1_writer_status(w, status);
    if (r == 0)
        r = server_conn_write_date(c, &e->x.response);
    if (r == 0)
        r = h1_writer_fields(w, &e->x.response, false);
    if (r == 0 && length >= 0 && status != 204)
        r = h1_writer_length(w, (uint64_t)length);
    if (r == 0 && chunked)
        r = h1_writer_span(w, SPAN("Transfer-Encoding: chunked\r\n"));
    if (r == 0 && !c->keep_alive)
        r = h1_writer_span(w, SPAN("Connection: close\r\n"));
    if (r == 0 && c->keep_alive && e->x.minor == 0)
        r = h1_writer_span(w, SPAN("Connection: keep-alive\r\n"));
    if (r < 0)
        return r;
    enum h1_body body = no_body       ? H1_BODY_NONE
                        : chunked     ? H1_BODY_CHUNKED
                        : length >= 0 ? H1_BODY_LENGTH
                                      : H1_BODY_RAW;
    return h1_writer_begin(w, body, length >= 0 ? (uint64_t)length : 0);
}

int exchange_start(struct exchange *x, unsigned status, int64_t length)
{
    struct server_conn *c = x->conn;
    struct server_exchange *e = impl(x);
    if (c->failed)
        return c->failed;
    if (status < 200 || status > 999 || e->started)
        return -EINVAL;
    e->started = true;
    decide_keep_alive(e);
    int r = write_head(e, status, length);
    if (r < 0)
        return server_conn_fail(c, r);
    /* The head waits for the body's first bytes, but not longer than this turn. */
    c->writable = true;
    c->last_write = loop_now(c->loop);
    server_conn_update(c);
    server_conn_poke(c);
    return 0;
}

ssize_t exchange_send(struct exchange *x, const struct iovec *iov, int n_iov)
{
    struct server_conn *c = x->conn;
    if (c->failed)
        return c->failed;
    if (!impl(x)->started)
        return -EINVAL;
    ssize_t n = h1_writer_send(&c->out, iov, n_iov);
    if (n > 0)
        c->last_write = loop_now(c->loop);
    if (n < 0 && n != -EAGAIN && n != -EMSGSIZE)
        return server_conn_fail(c, (int)n);
    server_conn_update(c);
    return n;
}

ssize_t exchange_send_bytes(struct exchange *x, const void *data, size_t len)
{
    struct iovec iov = {(void *)data, len};
    return exchange_send(x, &iov, 1);
}

void exchange_end(struct exchange *x, const struct headers *trailers)
{
    struct server_conn *c = x->conn;
    if (!impl(x)->started) {
        exchange_abort(x);
        return;
    }
    if (!c->failed) {
        int r = h1_writer_end(&c->out, trailers);
        if (r < 0)
            server_conn_fail(c, r);
    }
    server_conn_exchange_ended(c);
}

typedef int send_fn(struct h1_writer *w, const void *data, size_t len);

static void respond(struct exchange *x, unsigned status, const void *body, size_t len,
                    send_fn *send)
{
    struct server_conn *c = x->conn;
    /* Nobody will read what is left of the request, and it is too much to read for nothing. */
    if (!c->in.body_done && c->in.framing == H1_LENGTH && c->in.left > SERVER_DROP_BODY_MAX)
        c->keep_alive = false;
    if (exchange_start(x, status, (int64_t)len) < 0) {
        exchange_abort(x);
        return;
    }
    int r = send(&c->out, body, len);
    if (r < 0)
        server_conn_fail(c, r);
    exchange_end(x, NULL);
}

void exchange_respond(struct exchange *x, unsigned status, const void *body, size_t len)
{
    respond(x, status, body, len, h1_writer_send_all);
}

void exchange_respond_static(struct exchange *x, unsigned status, const void *body, size_t len)
{
    respond(x, status, body, len, h1_writer_send_fixed);
}

void exchange_abort(struct exchange *x)
{
    server_conn_fail(x->conn, -ECONNABORTED);
    server_conn_exchange_ended(x->conn);
}

int exchange_upgrade(struct exchange *x, unsigned status, exchange_upgraded_fn *done, void *ud)
{
    struct server_conn *c = x->conn;
    struct server_exchange *e = impl(x);
    bool tunnel = span_is(x->method, "CONNECT") && status / 100 == 2;
    if (!e->upgrade || !c->in.body_done || e->started || (status != 101 && !tunnel))
        return -EINVAL;
    c->upgraded = done;
    c->upgraded_ud = ud;
    if (!c->failed && (h1_writer_status(&c->out, status) < 0 ||
                       (tunnel && server_conn_write_date(c, &x->response) < 0) ||
                       h1_writer_fields(&c->out, &x->response, true) < 0 ||
                       h1_writer_begin(&c->out, H1_BODY_NONE, 0) < 0))
        server_conn_fail(c, -ENOBUFS);
    server_conn_exchange_ended(c);
    return 0;
}
