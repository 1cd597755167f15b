/*
 * Reading and writing are independent: a server may answer while it is still being sent to, so a
 * failure to send ends nothing; what the reading side says counts. Callbacks run from the stream's
 * readiness, the timer, or the end of the turn (`tick`); after each it is checked whether the call
 * is still there, and a connection that is freed in one lives on until the turn's end.
 */
#include "http/client_conn.h"

#include <errno.h>

#include "base/arena.h"
#include "base/mem.h"
#include "http/h1_reader.h"
#include "http/h1_writer.h"
#include "io/loop.h"
#include "io/stream.h"
#include "io/timer.h"
#include "proto/header_rule.h"

enum { CALL_ARENA_MAX = 256 * 1024, MAX_INTERIMS = 1000 };

struct client_conn {
    struct loop *loop;
    struct stream *s; /* NULL once it has failed or was taken */
    struct client_conn_options o;
    struct h1_reader in;
    struct h1_writer out;
    struct client_call *call; /* the running one, or NULL */
    bool freed;
    bool told_closed;
    bool writable;
    int failed;
    struct timer timer;
    usec_t deadline;
    usec_t last_progress;
    struct defer tick;
};

struct client_call {
    struct client_conn *conn;
    struct arena arena;
    struct span method;
    bool upgrade_asked;
    bool request_done;
    bool head_done;  /* `head` has been called */
    bool keep_alive; /* as the answer says */
    unsigned n_interims;
    unsigned want;
    struct client_response response;
    struct headers trailers;
    client_head_fn *head;
    client_interim_fn *interim;
    client_ready_fn *ready;
    void *ud;
};

static void update(struct client_conn *c);

static void poke(struct client_conn *c)
{
    defer_schedule(c->loop, &c->tick);
}

static int fail(struct client_conn *c, int error)
{
    if (c->failed == 0)
        c->failed = error;
    timer_cancel(&c->timer);
    c->s = stream_free(c->s);
    poke(c);
    return c->failed;
}

static void release(struct client_conn *c)
{
    timer_cancel(&c->timer);
    defer_cancel(&c->tick);
    h1_reader_deinit(&c->in);
    h1_writer_deinit(&c->out);
    free(c);
}

static void call_release(struct client_call *call)
{
    arena_deinit(&call->arena);
    free(call);
}

static void tell_head(struct client_call *call, int result)
{
    call->head_done = true;
    call->conn->in.starved = false;
    call->head(call, result, call->ud);
}

/* 1xx: the final answer follows. Returns false when the call has ended meanwhile. */
static bool tell_interim(struct client_conn *c, const struct h1_head *head,
                         const struct headers *fields)
{
    struct client_call *call = c->call;
    if (++call->n_interims > MAX_INTERIMS) {
        fail(c, -EPROTO);
        return false;
    }
    if (call->interim)
        call->interim(call, head->status, fields, call->ud);
    return c->call == call && !c->failed;
}

/* Returns whether a further head is to be read. */
static bool take_interim(struct client_conn *c, struct span bytes)
{
    struct arena arena;
    struct headers fields;
    struct h1_head head;
    bool more = false;

    arena_init(&arena, CALL_ARENA_MAX);
    headers_init(&fields, &arena, c->o.max_header_bytes, c->o.max_header_count);
    char *copy = arena_span_dup(&arena, bytes);
    h1_reader_take_head(&c->in, bytes.len, H1_NO_BODY, 0, NULL);
    if (!copy || h1_parse_response(span_from(copy, bytes.len), c->call->method, &head, &fields) < 0)
        fail(c, -EPROTO);
    else
        more = tell_interim(c, &head, &fields);
    arena_deinit(&arena);
    return more;
}

static bool tunnel_made(const struct client_call *call)
{
    unsigned status = call->response.status;
    return status == 101 || (span_is(call->method, "CONNECT") && status / 100 == 2);
}

static int take_final(struct client_conn *c, struct span bytes)
{
    struct client_call *call = c->call;
    struct client_response *answer = &call->response;
    struct h1_head head;

    headers_init(&answer->headers, &call->arena, c->o.max_header_bytes, c->o.max_header_count);
    headers_init(&call->trailers, &call->arena, c->o.max_header_bytes, c->o.max_header_count);
    char *copy = arena_span_dup(&call->arena, bytes);
    if (!copy ||
        h1_parse_response(span_from(copy, bytes.len), call->method, &head, &answer->headers) < 0)
        return -EPROTO;
    if (head.status == 101 && !call->upgrade_asked)
        return -EPROTO;
    answer->status = head.status;
    answer->reason = head.reason;
    answer->minor = head.minor;
    answer->content_length = head.content_length;
    answer->length = head.framing == H1_NO_BODY  ? 0
                     : head.framing == H1_LENGTH ? head.content_length
                                                 : BODY_UNKNOWN;
    call->keep_alive = head.keep_alive && !tunnel_made(call);
    uint64_t length = head.framing == H1_LENGTH ? (uint64_t)head.content_length : 0;
    h1_reader_take_head(&c->in, bytes.len, head.framing, length, &call->trailers);
    return 0;
}

static bool is_interim(struct span head)
{
    return head.len > 12 && head.p[9] == '1' && !span_is(span_sub(head, 9, 12), "101");
}

static void read_head(struct client_conn *c)
{
    struct span bytes;
    for (;;) {
        int r = h1_reader_head(&c->in, &bytes);
        if (r == 0)
            return;
        if (r < 0 || r > 1) {
            fail(c, r == -ENODATA ? -ECONNRESET : r > 1 ? -EPROTO : r);
            return;
        }
        c->last_progress = loop_now(c->loop);
        if (!is_interim(bytes))
            break;
        if (!take_interim(c, bytes))
            return;
    }
    int r = take_final(c, bytes);
    if (r < 0)
        fail(c, r);
    else
        tell_head(c->call, 0);
}

/* An idle connection has nothing to say: anything that comes ends it. */
static void watch_idle(struct client_conn *c)
{
    if (c->in.starved)
        return;
    int r = h1_reader_watch(&c->in);
    if (r < 0)
        fail(c, r == -ENODATA ? -ECONNRESET : r);
    else if (c->in.in.len > 0)
        fail(c, -EPROTO);
}

static bool may_read(const struct client_call *call)
{
    const struct h1_reader *in = &call->conn->in;
    return call->head_done && (call->want & STREAM_READ) &&
           (in->body_done || in->error || !in->starved);
}

static void deliver(struct client_conn *c)
{
    struct client_call *call = c->call;
    unsigned events = 0;
    if (may_read(call) || (c->failed && call->head_done))
        events |= call->want & STREAM_READ;
    if (c->failed || c->out.error || (c->writable && h1_writer_queued(&c->out) == 0))
        events |= call->want & STREAM_WRITE;
    c->writable = false;
    if (!events || !call->ready)
        return;
    if (c->failed || c->out.error)
        poke(c);
    call->ready(call, events, call->ud);
}

static void flush(struct client_conn *c)
{
    size_t queued = h1_writer_queued(&c->out);
    if (queued == 0 || !c->writable)
        return;
    h1_writer_flush(&c->out);
    if (h1_writer_queued(&c->out) < queued)
        c->last_progress = loop_now(c->loop);
}

static void run(struct client_conn *c)
{
    if (!c->failed) {
        flush(c);
        if (!c->call)
            watch_idle(c);
        else if (!c->call->head_done)
            read_head(c);
    }
    if (c->failed && c->call && !c->call->head_done)
        tell_head(c->call, c->failed);
    if (c->call)
        deliver(c);
    update(c);
}

static void tick(void *ud)
{
    struct client_conn *c = ud;
    if (c->freed) {
        release(c);
        return;
    }
    if (c->failed && !c->call) {
        if (!c->told_closed && c->o.closed) {
            c->told_closed = true;
            c->o.closed(c, c->o.ud);
        }
        return;
    }
    run(c);
}

static void stream_is_ready(struct stream *s, unsigned events, void *ud)
{
    struct client_conn *c = ud;
    if (events & STREAM_READ) {
        c->in.starved = false;
        c->last_progress = loop_now(c->loop);
    }
    if (events & STREAM_WRITE)
        c->writable = true;
    run(c);
}

static unsigned wanted(const struct client_conn *c)
{
    const struct client_call *call = c->call;
    unsigned want = 0;
    if (!call)
        return STREAM_READ;
    if (!c->out.error && (h1_writer_queued(&c->out) > 0 || (call->want & STREAM_WRITE)))
        want |= STREAM_WRITE;
    if (!call->head_done || ((call->want & STREAM_READ) && c->in.starved && !c->in.body_done))
        want |= STREAM_READ;
    return want;
}

static usec_t find_deadline(const struct client_conn *c)
{
    const struct client_call *call = c->call;
    if (!call)
        return 0;
    if (!call->head_done) {
        bool sent = call->request_done && h1_writer_queued(&c->out) == 0;
        return sent && c->o.head_timeout ? c->last_progress + c->o.head_timeout : 0;
    }
    bool waits = (call->want & STREAM_READ) && !c->in.body_done && !c->in.error;
    return waits && c->o.idle_timeout ? c->last_progress + c->o.idle_timeout : 0;
}

static void update(struct client_conn *c)
{
    if (c->failed || !c->s)
        return;
    unsigned want = wanted(c);
    if (want != c->s->wanted)
        stream_want(c->s, want);
    if (c->call && may_read(c->call))
        poke(c);
    c->deadline = find_deadline(c);
    if (c->deadline == 0)
        timer_cancel(&c->timer);
    else if (!timer_pending(&c->timer) || c->timer.at > c->deadline)
        timer_start(&c->timer,
                    c->deadline > loop_now(c->loop) ? c->deadline - loop_now(c->loop) : 0);
}

static void timed_out(struct timer *t, void *ud)
{
    struct client_conn *c = ud;
    if (c->deadline == 0)
        return;
    if (loop_now(c->loop) < c->deadline)
        timer_start(t, c->deadline - loop_now(c->loop));
    else if (c->call && c->call->head_done)
        c->in.error = -ETIMEDOUT, run(c);
    else
        fail(c, -ETIMEDOUT);
}

struct client_conn *client_conn_new(struct loop *loop, struct stream *s,
                                    const struct client_conn_options *options)
{
    struct client_conn *c = new0(struct client_conn);
    c->o = *options;
    if (c->o.max_header_bytes == 0)
        c->o.max_header_bytes = HEADERS_MAX_BYTES;
    if (c->o.max_header_count == 0)
        c->o.max_header_count = HEADERS_MAX_LEN;
    c->loop = loop;
    c->s = s;
    const struct h1_limits limits = {
        .first_line = c->o.max_header_bytes,
        .header_bytes = c->o.max_header_bytes,
        .header_count = c->o.max_header_count,
    };
    h1_reader_init(&c->in, s, &limits);
    h1_writer_init(&c->out, s);
    timer_init(&c->timer, loop, timed_out, c);
    defer_init(&c->tick, tick, c);
    stream_set_ready(s, stream_is_ready, c);
    update(c);
    return c;
}

struct client_conn *client_conn_free(struct client_conn *c)
{
    if (!c)
        return NULL;
    c->freed = true;
    if (c->call) {
        call_release(c->call);
        c->call = NULL;
    }
    fail(c, -ECANCELED);
    return NULL;
}

bool client_conn_is_idle(const struct client_conn *c)
{
    return !c->call && !c->failed;
}

static int write_head(struct client_conn *c, const struct client_call_options *o)
{
    struct h1_writer *w = &c->out;
    struct span target = o->target;
    if (!header_token_valid(o->method) || target.len == 0 || target.len > HEADERS_MAX_BYTES)
        return -EINVAL;
    for (size_t i = 0; i < target.len; i++)
        if (target.p[i] <= ' ' || target.p[i] >= 0x7f)
            return -EINVAL;

    int r = h1_writer_request(w, o->method, target);
    if (r == 0)
        r = h1_writer_fields(w, o->headers, true);
    if (r == 0 && (o->body_length > 0 || (o->body_length == 0 && o->send_zero_length)))
        r = h1_writer_length(w, (uint64_t)o->body_length);
    if (r == 0 && o->body_length < 0)
        r = h1_writer_span(w, SPAN("Transfer-Encoding: chunked\r\n"));
    enum h1_body body = o->body_length < 0   ? H1_BODY_CHUNKED
                        : o->body_length > 0 ? H1_BODY_LENGTH
                                             : H1_BODY_NONE;
    if (r == 0)
        r = h1_writer_begin(w, body, o->body_length > 0 ? (uint64_t)o->body_length : 0);
    return r;
}

int client_conn_call(struct client_conn *c, const struct client_call_options *options,
                     struct client_call **ret)
{
    if (!client_conn_is_idle(c) || c->in.in.len > 0)
        return -EBUSY;
    int r = write_head(c, options);
    if (r < 0) {
        buf_clear(&c->out.out);
        return r;
    }
    struct client_call *call = new0(struct client_call);
    arena_init(&call->arena, CALL_ARENA_MAX);
    call->method = span_from(arena_span_dup(&call->arena, options->method), options->method.len);
    call->upgrade_asked = options->headers && headers_has(options->headers, "Upgrade");
    call->request_done = options->body_length == 0;
    call->conn = c;
    call->head = options->head;
    call->interim = options->interim;
    call->ready = options->ready;
    call->ud = options->ud;
    c->call = call;
    /* The head waits for the body's first bytes, but not longer than this turn. */
    c->writable = true;
    c->last_progress = loop_now(c->loop);
    update(c);
    poke(c);
    *ret = call;
    return 0;
}

struct client_call *client_call_free(struct client_call *call)
{
    if (!call)
        return NULL;
    struct client_conn *c = call->conn;
    bool complete = call->head_done && call->request_done && call->keep_alive && !c->failed &&
                    h1_writer_queued(&c->out) == 0 && !c->out.error && c->in.body_done &&
                    !c->in.error && !c->in.eof;
    c->call = NULL;
    call_release(call);
    if (complete) {
        c->in.trailers = NULL;
        update(c);
        poke(c);
    } else {
        fail(c, -EPIPE);
    }
    return NULL;
}

const struct client_response *client_call_response(const struct client_call *call)
{
    return &call->response;
}

ssize_t client_call_send(struct client_call *call, const struct iovec *iov, int n_iov)
{
    struct client_conn *c = call->conn;
    if (c->failed)
        return c->failed;
    if (call->request_done)
        return -EMSGSIZE;
    ssize_t n = h1_writer_send(&c->out, iov, n_iov);
    if (n > 0)
        c->last_progress = loop_now(c->loop);
    /* The last byte of a known length is the end, whether the owner says so or not. */
    if (n > 0 && c->out.body == H1_BODY_LENGTH && c->out.left == 0)
        call->request_done = h1_writer_end(&c->out, NULL) == 0;
    update(c);
    return n;
}

ssize_t client_call_send_bytes(struct client_call *call, const void *data, size_t len)
{
    struct iovec iov = {(void *)data, len};
    return client_call_send(call, &iov, 1);
}

int client_call_end(struct client_call *call, const struct headers *trailers)
{
    struct client_conn *c = call->conn;
    if (c->failed)
        return c->failed;
    if (call->request_done)
        return 0;
    int r = h1_writer_end(&c->out, trailers);
    if (r < 0)
        return r;
    call->request_done = true;
    c->writable = true;
    c->last_progress = loop_now(c->loop);
    update(c);
    poke(c);
    return 0;
}

static ssize_t body_result(struct client_conn *c, ssize_t n)
{
    if (n > 0)
        c->last_progress = loop_now(c->loop);
    update(c);
    return n;
}

ssize_t client_call_recv(struct client_call *call, void *data, size_t len)
{
    struct client_conn *c = call->conn;
    if (c->failed)
        return c->failed;
    if (!call->head_done)
        return -EAGAIN;
    return body_result(c, h1_reader_recv(&c->in, data, len));
}

ssize_t client_call_peek(struct client_call *call, const void **ret_data)
{
    struct client_conn *c = call->conn;
    if (c->failed)
        return c->failed;
    if (!call->head_done)
        return -EAGAIN;
    return body_result(c, h1_reader_peek(&c->in, ret_data));
}

void client_call_consume(struct client_call *call, size_t len)
{
    if (call->conn->failed)
        return;
    h1_reader_consume(&call->conn->in, len);
    update(call->conn);
}

const struct headers *client_call_trailers(const struct client_call *call)
{
    return &call->trailers;
}

void client_call_want(struct client_call *call, unsigned events)
{
    struct client_conn *c = call->conn;
    if ((events & ~call->want) & STREAM_READ)
        c->last_progress = loop_now(c->loop);
    call->want = events;
    c->writable = c->writable && h1_writer_queued(&c->out) > 0;
    if (c->failed)
        poke(c);
    else
        update(c);
}

struct stream *client_call_upgrade(struct client_call *call)
{
    struct client_conn *c = call->conn;
    struct stream *s = c->s;
    if (c->failed || !call->head_done || !tunnel_made(call) || h1_writer_queued(&c->out) > 0)
        return NULL;
    stream_want(s, 0);
    stream_set_ready(s, NULL, NULL);
    timer_cancel(&c->timer);
    c->s = NULL;
    c->failed = -EPIPE;
    c->told_closed = true;
    return stream_prepend(s, buf_data(&c->in.in), c->in.in.len);
}
