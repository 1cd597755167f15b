/*
 * run() brings a connection as far as it goes; it is called when the stream is ready, when the
 * timer has fired, and at the end of a turn in which something changed (`tick`). Handlers are
 * called from `tick` only, as its very last step: nothing of the stream's is on the stack then,
 * and a handler may have given the connection to another thread when it returns.
 *
 * The timer is not restarted for each byte: it fires late, looks at the deadline, and sleeps on.
 */
#include "http/server_conn.h"

#include <errno.h>

#include "base/log.h"
#include "base/mem.h"
#include "http/date.h"
#include "http/server_conn_impl.h"
#include "http/status.h"
#include "io/stream.h"

enum {
    DEFAULT_MAX_REQUEST_LINE = 16 * 1024,
    DEFAULT_MAX_REQUESTS = 10000,
    DROP_LINGER_MAX = 16 * 1024 * 1024, /* after the answer, to let the peer read it */
};

static const usec_t default_header_timeout = 10 * USEC_PER_SEC;
static const usec_t default_body_timeout = 30 * USEC_PER_SEC;
static const usec_t default_send_timeout = 5 * USEC_PER_MIN;
static const usec_t default_idle_timeout = 75 * USEC_PER_SEC;
static const usec_t linger_timeout = 2 * USEC_PER_SEC;

static void run(struct server_conn *c);

static const char *const state_names[] = {
    [CONN_HEAD] = "head",     [CONN_DISPATCH] = "dispatch", [CONN_HANDLE] = "handle",
    [CONN_FINISH] = "finish", [CONN_UPGRADE] = "upgrade",   [CONN_LINGER] = "linger",
    [CONN_CLOSED] = "closed", [CONN_DETACHED] = "detached",
};

static void set_state(struct server_conn *c, enum server_conn_state state)
{
    log_debug("http connection", LOG_STR("from", state_names[c->state]),
              LOG_STR("to", state_names[state]));
    c->state = state;
}

void server_conn_poke(struct server_conn *c)
{
    if (c->state != CONN_DETACHED)
        defer_schedule(c->loop, &c->tick);
}

static void release(struct server_conn *c)
{
    defer_cancel(&c->tick);
    timer_cancel(&c->timer);
    h1_reader_deinit(&c->in);
    h1_writer_deinit(&c->out);
    free(c);
}

/* Ends the stream. The object goes once the exchange has ended and the owner has been told. */
static void close_stream(struct server_conn *c, int reason)
{
    timer_cancel(&c->timer);
    c->s = stream_free(c->s);
    if (c->failed == 0)
        c->failed = reason;
    set_state(c, CONN_CLOSED);
    server_conn_poke(c);
}

int server_conn_fail(struct server_conn *c, int error)
{
    if (c->state != CONN_CLOSED)
        close_stream(c, error);
    return c->failed;
}

/* Lets the peer read the answer before the connection goes: RFC 9112 section 9.6. */
static void start_linger(struct server_conn *c)
{
    c->drop_left = DROP_LINGER_MAX;
    c->last_read = loop_now(c->loop);
    set_state(c, CONN_LINGER);
    if (stream_shutdown(c->s) < 0)
        close_stream(c, -ECONNRESET);
}

int server_conn_write_date(struct server_conn *c, const struct headers *fields)
{
    if (fields && headers_has(fields, "Date"))
        return 0;
    return h1_writer_field(&c->out, SPAN("Date"), http_date(clock_realtime()));
}

/* An answer of the connection itself, to what is not a request. */
static void refuse(struct server_conn *c, unsigned status)
{
    const char *text = http_status_text(status);
    h1_writer_status(&c->out, status);
    server_conn_write_date(c, NULL);
    h1_writer_text(&c->out,
                   "Content-Type: text/plain\r\nContent-Length: %zu\r\n%sConnection: close\r\n"
                   "\r\n%s\n",
                   strlen(text) + 1, status == 405 ? "Allow: GET, HEAD, POST\r\n" : "", text);
    c->keep_alive = false;
    c->last_write = loop_now(c->loop);
    if (c->o.refusals && status - HTTP_REFUSED_FIRST < HTTP_REFUSED_COUNT)
        atomic_fetch_add_explicit(&c->o.refusals->refused[status - HTTP_REFUSED_FIRST], 1,
                                  memory_order_relaxed);
    set_state(c, CONN_FINISH);
}

/* Returns whether there is more to do now. */
static bool run_head(struct server_conn *c)
{
    struct span head;
    if (h1_writer_flush(&c->out) == -EAGAIN)
        return false;
    if (c->draining && !h1_reader_in_head(&c->in)) {
        start_linger(c);
        return true;
    }
    int r = h1_reader_head(&c->in, &head);
    if (h1_reader_in_head(&c->in) && c->head_since == 0)
        c->head_since = loop_now(c->loop);
    if (r == 0)
        return false;
    if (r < 0) {
        stream_shutdown(c->s);
        close_stream(c, r);
        return false;
    }
    unsigned status = r > 1 ? (unsigned)r : server_exchange_new(c, head, &c->x);
    if (status != 0) {
        refuse(c, status);
        return true;
    }
    c->head_since = 0;
    c->n_requests++;
    c->keep_alive = c->x->keep_alive && c->n_requests < c->o.max_requests;
    set_state(c, CONN_DISPATCH);
    server_conn_poke(c);
    return false;
}

/* While the handler works and has the whole body: is the peer still there? */
static void watch_peer(struct server_conn *c)
{
    if (!c->in.body_done || c->in.eof || c->in.starved)
        return;
    int r = h1_reader_watch(&c->in);
    if (r == -ENODATA)
        c->keep_alive = false;
    else if (r < 0 && r != -ENOBUFS)
        server_conn_fail(c, r);
}

static void run_handle(struct server_conn *c)
{
    size_t queued = h1_writer_queued(&c->out);
    if (queued > 0 && c->writable) {
        int r = h1_writer_flush(&c->out);
        if (h1_writer_queued(&c->out) < queued)
            c->last_write = loop_now(c->loop);
        if (r < 0 && r != -EAGAIN)
            server_conn_fail(c, r);
    }
    if (c->state == CONN_HANDLE)
        watch_peer(c);
    if (c->x)
        server_exchange_deliver(c->x);
}

/* Reads what is left of a body. 1: done; 0: more has to come; negative: give up. */
static int drop_body(struct server_conn *c)
{
    char waste[4096];
    while (!c->in.body_done) {
        ssize_t n = h1_reader_recv(&c->in, waste, sizeof(waste));
        if (n == -EAGAIN)
            return 0;
        if (n < 0 || (size_t)n > c->drop_left)
            return -EPROTO;
        c->drop_left -= (size_t)n;
    }
    return 1;
}

static bool run_finish(struct server_conn *c)
{
    size_t queued = h1_writer_queued(&c->out);
    int r = h1_writer_flush(&c->out);
    if (h1_writer_queued(&c->out) < queued)
        c->last_write = loop_now(c->loop);
    if (r < 0 && r != -EAGAIN) {
        close_stream(c, r);
        return false;
    }
    if (r == -EAGAIN)
        return false;
    if (c->keep_alive) {
        int dropped = drop_body(c);
        if (dropped == 0)
            return false;
        if (dropped > 0 && !c->draining && !c->in.eof) {
            c->idle_since = loop_now(c->loop);
            set_state(c, CONN_HEAD);
            return true;
        }
    }
    start_linger(c);
    return true;
}

static void run_linger(struct server_conn *c)
{
    char waste[16384];
    for (int i = 0; i < 8 && !c->in.eof; i++) {
        ssize_t n = stream_recv(c->s, waste, sizeof(waste));
        if (n == -EAGAIN)
            return;
        if (n < 0 || (size_t)n > c->drop_left) {
            close_stream(c, -ECONNRESET);
            return;
        }
        c->in.eof = n == 0;
        c->drop_left -= (size_t)n;
    }
    if (c->in.eof && !stream_unsent(c->s))
        close_stream(c, -ECONNRESET);
}

/* The owner is told first, so that who gets the stream may start over with it. */
static void hand_over(struct server_conn *c, int result)
{
    exchange_upgraded_fn *upgraded = c->upgraded;
    void *ud = c->upgraded_ud;
    struct stream *s = c->s;

    c->upgraded = NULL;
    c->s = NULL;
    timer_cancel(&c->timer);
    if (s && result == 0) {
        stream_want(s, 0);
        stream_set_ready(s, NULL, NULL);
        s = stream_prepend(s, buf_data(&c->in.in), c->in.in.len);
    } else {
        s = stream_free(s);
    }
    c->failed = -EPIPE;
    set_state(c, CONN_CLOSED);
    if (c->owned && c->o.closed)
        c->o.closed(c, c->o.ud);
    release(c);
    upgraded(s, result, ud);
}

/* A closed connection is told to its owner and freed, unless a handler still has its exchange. */
static void run_closed(struct server_conn *c)
{
    if (c->x) {
        server_exchange_deliver(c->x);
        if (c->x)
            return;
    }
    if (c->upgraded) {
        hand_over(c, c->failed);
        return;
    }
    if (c->owned && c->o.closed)
        c->o.closed(c, c->o.ud);
    release(c);
}

static void run(struct server_conn *c)
{
    bool more = true;
    while (more) {
        more = false;
        if (c->state == CONN_HEAD)
            more = run_head(c);
        else if (c->state == CONN_FINISH || c->state == CONN_UPGRADE)
            more = c->state == CONN_FINISH && run_finish(c);
        else if (c->state == CONN_HANDLE)
            run_handle(c);
        else if (c->state == CONN_LINGER)
            run_linger(c);
    }
    server_conn_update(c);
}

/* The last step of a turn. Nothing may be touched after what ends in a call here. */
static void tick(void *ud)
{
    struct server_conn *c = ud;
    if (c->state == CONN_CLOSED) {
        run_closed(c);
        return;
    }
    if (c->state == CONN_UPGRADE) {
        int r = h1_writer_flush(&c->out);
        if (r != -EAGAIN) {
            hand_over(c, r);
            return;
        }
    }
    if (c->state == CONN_DISPATCH) {
        c->in.starved = false;
        c->last_read = c->last_write = loop_now(c->loop);
        set_state(c, CONN_HANDLE);
        server_conn_update(c);
        c->o.handler(&c->x->x, c->o.ud);
        return;
    }
    run(c);
}

static void stream_is_ready(struct stream *s, unsigned events, void *ud)
{
    struct server_conn *c = ud;
    if (events & STREAM_READ) {
        c->in.starved = false;
        c->last_read = loop_now(c->loop);
    }
    if (events & STREAM_WRITE)
        c->writable = true;
    if (c->state == CONN_UPGRADE)
        server_conn_poke(c);
    else
        run(c);
}

static unsigned wanted_in_handle(const struct server_conn *c)
{
    const struct server_exchange *e = c->x;
    unsigned want = 0;
    if (h1_writer_queued(&c->out) > 0 || (e->want & STREAM_WRITE))
        want |= STREAM_WRITE;
    if (c->in.body_done ? !c->in.eof && c->in.in.len < H1_READ_LEN
                        : (e->want & STREAM_READ) && c->in.starved)
        want |= STREAM_READ;
    return want;
}

static unsigned wanted(const struct server_conn *c)
{
    unsigned write = h1_writer_queued(&c->out) > 0 ? STREAM_WRITE : 0;
    switch (c->state) {
    case CONN_HEAD:
        return write ? write : STREAM_READ;
    case CONN_DISPATCH:
        return c->s->wanted; /* for the rest of the turn only: not worth a system call */
    case CONN_HANDLE:
        return wanted_in_handle(c);
    case CONN_FINISH:
        return write ? write : STREAM_READ;
    case CONN_UPGRADE:
        return write;
    case CONN_LINGER:
        return c->in.eof ? STREAM_WRITE : STREAM_READ;
    default:
        return 0;
    }
}

/* When to give up if nothing happens; 0: never. */
static usec_t find_deadline(const struct server_conn *c)
{
    const struct server_exchange *e = c->x;
    switch (c->state) {
    case CONN_HEAD:
        return c->head_since ? c->head_since + c->o.header_timeout
                             : c->idle_since + c->o.idle_timeout;
    case CONN_HANDLE:
        if (h1_writer_queued(&c->out) > 0 || (e->want & STREAM_WRITE))
            return c->last_write + c->o.send_timeout;
        if ((e->want & STREAM_READ) && !c->in.body_done && !c->in.error)
            return c->last_read + c->o.body_timeout;
        return 0;
    case CONN_FINISH:
    case CONN_UPGRADE:
        if (h1_writer_queued(&c->out) > 0)
            return c->last_write + c->o.send_timeout;
        return c->last_read + linger_timeout;
    case CONN_LINGER:
        return c->last_read + linger_timeout;
    default:
        return 0;
    }
}

void server_conn_update(struct server_conn *c)
{
    if (c->state == CONN_CLOSED || c->state == CONN_DETACHED || !c->s)
        return;
    unsigned want = wanted(c);
    if (want != c->s->wanted)
        stream_want(c->s, want);
    if (c->state == CONN_HANDLE && server_exchange_may_read(c->x))
        server_conn_poke(c);

    c->deadline = find_deadline(c);
    if (c->deadline == 0) {
        timer_cancel(&c->timer);
        return;
    }
    if (!timer_pending(&c->timer) || c->timer.at > c->deadline) {
        usec_t now = loop_now(c->loop);
        timer_start(&c->timer, c->deadline > now ? c->deadline - now : 0);
    }
}

static void timed_out(struct timer *t, void *ud)
{
    struct server_conn *c = ud;
    usec_t now = loop_now(c->loop);
    if (c->deadline == 0)
        return;
    if (now < c->deadline) {
        timer_start(t, c->deadline - now);
        return;
    }
    if (c->state == CONN_HEAD && c->head_since) {
        refuse(c, 408);
    } else if (c->state == CONN_HANDLE && h1_writer_queued(&c->out) == 0 &&
               !(c->x->want & STREAM_WRITE)) {
        server_exchange_body_timed_out(c->x);
    } else {
        if (c->state == CONN_HEAD)
            stream_shutdown(c->s);
        close_stream(c, -ETIMEDOUT);
        return;
    }
    run(c);
}

void server_conn_exchange_ended(struct server_conn *c)
{
    server_exchange_free(c->x);
    c->x = NULL;
    c->in.trailers = NULL;
    if (c->state == CONN_HANDLE) {
        set_state(c, c->upgraded ? CONN_UPGRADE : CONN_FINISH);
        c->drop_left = SERVER_DROP_BODY_MAX;
        c->last_read = c->last_write = loop_now(c->loop);
        server_conn_update(c);
    }
    server_conn_poke(c);
}

static void take_stream(struct server_conn *c, struct loop *loop)
{
    c->loop = loop;
    stream_set_ready(c->s, stream_is_ready, c);
    server_conn_poke(c);
}

static void set_defaults(struct server_conn_options *o)
{
    if (o->max_request_line == 0)
        o->max_request_line = DEFAULT_MAX_REQUEST_LINE;
    if (o->max_header_bytes == 0)
        o->max_header_bytes = HEADERS_MAX_BYTES;
    if (o->max_header_count == 0)
        o->max_header_count = HEADERS_MAX_LEN;
    if (o->header_timeout == 0)
        o->header_timeout = default_header_timeout;
    if (o->body_timeout == 0)
        o->body_timeout = default_body_timeout;
    if (o->send_timeout == 0)
        o->send_timeout = default_send_timeout;
    if (o->idle_timeout == 0)
        o->idle_timeout = default_idle_timeout;
    if (o->max_requests == 0)
        o->max_requests = DEFAULT_MAX_REQUESTS;
}

struct server_conn *server_conn_new(struct loop *loop, struct stream *s,
                                    const struct server_conn_options *options)
{
    struct server_conn *c = new0(struct server_conn);
    c->o = *options;
    set_defaults(&c->o);
    c->s = s;
    c->owned = true;
    c->idle_since = loop_now(loop);
    const struct h1_limits limits = {
        .first_line = c->o.max_request_line,
        .header_bytes = c->o.max_header_bytes,
        .header_count = c->o.max_header_count,
    };
    h1_reader_init(&c->in, s, &limits);
    h1_writer_init(&c->out, s);
    timer_init(&c->timer, loop, timed_out, c);
    defer_init(&c->tick, tick, c);
    take_stream(c, loop);
    return c;
}

struct server_conn *server_conn_free(struct server_conn *c)
{
    if (!c)
        return NULL;
    c->owned = false;
    if (c->state == CONN_DETACHED) {
        stream_free(c->s);
        server_exchange_free(c->x);
        release(c);
        return NULL;
    }
    if (c->state == CONN_DISPATCH) { /* no handler has seen it yet */
        server_exchange_free(c->x);
        c->x = NULL;
    }
    if (c->state != CONN_CLOSED)
        close_stream(c, -ECANCELED);
    return NULL;
}

void server_conn_drain(struct server_conn *c)
{
    c->draining = true;
    server_conn_poke(c);
}

int server_conn_detach(struct server_conn *c)
{
    bool between = c->state == CONN_HEAD && h1_writer_queued(&c->out) == 0;
    bool unanswered = c->state == CONN_HANDLE && !c->x->started && !c->x->read;
    if (!between && !unanswered)
        return -EBUSY;
    stream_want(c->s, 0);
    int r = stream_detach(c->s);
    if (r < 0) {
        server_conn_update(c);
        return r;
    }
    defer_cancel(&c->tick);
    timer_cancel(&c->timer);
    set_state(c, CONN_DETACHED);
    return 0;
}

void server_conn_attach(struct server_conn *c, struct loop *loop, exchange_fn *handler,
                        server_conn_closed_fn *closed, void *ud)
{
    c->o.handler = handler;
    c->o.closed = closed;
    c->o.ud = ud;
    stream_attach(c->s, loop);
    timer_move(&c->timer, loop);
    set_state(c, c->x ? CONN_HANDLE : CONN_HEAD);
    c->in.starved = false;
    c->idle_since = c->last_read = c->last_write = loop_now(loop);
    take_stream(c, loop);
}
