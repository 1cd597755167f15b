/*
 * On the agent's worker: a connection to the app, the request, the answer. Each direction is one
 * loop that moves bytes as they come, and stops at whichever end would wait; what is wanted of
 * both ends follows from who stopped where, so that a slow reader stops the sender and nothing
 * is held here. `body` is the request's direction, `answer` the other.
 */
#include "proxy/transfer.h"

#include <errno.h>

#include "http/client_conn.h"
#include "http/exchange.h"
#include "io/stream.h"
#include "proxy/request.h"
#include "proxy/rewrite.h"

enum { TURN_PIECES = 16, TRAILERS_MAX = 8192 };

/* Apps that know nothing of Expect never say 100 (RFC 9110 section 10.1.1). */
static const usec_t continue_timeout = USEC_PER_SEC;
/* A person who sends no more has mostly gone; some only half. */
static const usec_t half_gone_limit = 10 * USEC_PER_SEC;

static void open_connection(struct app_request *q);
static void move_body(struct app_request *q);

/* ---- the end ---- */

void transfer_let_go(struct app_request *q)
{
    timer_cancel(&q->timer);
    if (q->open)
        q->open = channel_open_cancel(q->open);
    q->call = client_call_free(q->call);
    pool_drop(steal(&q->conn));
    q->upgraded = stream_free(q->upgraded);
}

/* Cuts the person's connection: there is no other way to say that an answer is not complete. */
static void cut(struct app_request *q)
{
    transfer_let_go(q);
    exchange_abort(q->x);
    request_free(q);
}

static void end_with(struct app_request *q, const struct page *page)
{
    transfer_let_go(q);
    exchange_set_callbacks(q->x, NULL, NULL, NULL);
    request_page(q, page);
}

void transfer_end(struct app_request *q)
{
    switch (q->state) {
    case REQUEST_OPEN:
    case REQUEST_SEND:
        end_with(q, &page_busy);
        break;
    case REQUEST_ANSWER:
        cut(q);
        break;
    case REQUEST_UPGRADE:
    case REQUEST_RELAY:
        upgrade_end(q);
        break;
    default:
        break;
    }
}

/* ---- what is waited for ---- */

static void want(struct app_request *q)
{
    unsigned person = 0, app = 0;
    if (!q->body_done && !q->body_waits && q->call) {
        if (q->body_stopped)
            app |= STREAM_WRITE;
        else
            person |= STREAM_READ;
    }
    if (q->state == REQUEST_ANSWER) {
        if (q->answer_stopped)
            person |= STREAM_WRITE;
        else
            app |= STREAM_READ;
    }
    exchange_want(q->x, person);
    if (q->call)
        client_call_want(q->call, app);
}

/* ---- the answer ---- */

static struct rewrite_answer rewrite_of(const struct app_request *q)
{
    return (struct rewrite_answer){.by_path = q->addr.by_path, .ours = &q->proxy->cookies};
}

static void finish(struct app_request *q)
{
    const struct headers *from = client_call_trailers(q->call);
    struct headers trailers;
    struct exchange *x = q->x;
    exchange_set_callbacks(x, NULL, NULL, NULL);
    headers_init(&trailers, &x->arena, TRAILERS_MAX, 0);
    const struct rewrite_answer how = rewrite_of(q);
    if (from->len > 0 && rewrite_response(from, &how, &trailers) < 0)
        trailers.len = 0;
    exchange_end(x, trailers.len > 0 ? &trailers : NULL);
    q->call = client_call_free(q->call);
    pool_give(steal(&q->conn));
    request_free(q);
}

/* False: the request is over. */
static bool move_answer(struct app_request *q)
{
    for (unsigned i = 0; i < TURN_PIECES; i++) {
        const void *data;
        ssize_t n = client_call_peek(q->call, &data), sent;
        q->answer_stopped = false;
        if (n == -EAGAIN)
            break;
        if (n == 0) {
            finish(q);
            return false;
        }
        sent = n < 0 ? n : exchange_send_bytes(q->x, data, (size_t)n);
        if (n > 0 && sent == -EAGAIN) {
            q->answer_stopped = true;
            break;
        }
        if (sent < 0) {
            cut(q);
            return false;
        }
        client_call_consume(q->call, (size_t)sent);
        PROXY_COUNT(q, bytes_out, (uint64_t)sent);
        q->progress = true;
    }
    want(q);
    return true;
}

static void start_answer(struct app_request *q)
{
    const struct client_response *answer = client_call_response(q->call);
    struct exchange *x = q->x;
    bool no_body = span_is(x->method, "HEAD") || answer->status == 304;
    const struct rewrite_answer how = rewrite_of(q);
    if (rewrite_response(&answer->headers, &how, &x->response) < 0) {
        x->response.len = 0;
        x->response.bytes = 0;
        transfer_let_go(q);
        exchange_set_callbacks(x, NULL, NULL, NULL);
        transfer_page(q, "Bad answer from the app", "The head of its answer is too large.");
        return;
    }
    request_add_fields(q);
    if (!q->half_gone)
        timer_cancel(&q->timer);
    q->body_waits = false;
    if (exchange_start(x, answer->status, no_body ? answer->content_length : answer->length) < 0) {
        cut(q);
        return;
    }
    request_set_state(q, REQUEST_ANSWER);
    move_answer(q);
}

static bool is_idempotent(struct span method)
{
    return span_is(method, "GET") || span_is(method, "HEAD") || span_is(method, "OPTIONS") ||
           span_is(method, "PUT") || span_is(method, "DELETE") || span_is(method, "TRACE");
}

static void on_head(struct client_call *call, int result, void *ud)
{
    struct app_request *q = ud;
    if (result == 0 && client_call_response(call)->status == 101) {
        upgrade_start(q);
    } else if (result == 0) {
        start_answer(q);
    } else if (q->reused && !q->body_read && (result == -ECONNRESET || result == -EPIPE) &&
               (is_idempotent(q->x->method) || exchange_body_length(q->x) != 0)) {
        /* The app had closed the kept connection in the meantime. */
        transfer_let_go(q);
        open_connection(q);
    } else {
        bool no_http = result == -EPROTO || result == -ECONNRESET || result == -EPIPE;
        transfer_let_go(q);
        if (no_http && !q->body_read) {
            transfer_not_http(q);
            return;
        }
        exchange_set_callbacks(q->x, NULL, NULL, NULL);
        transfer_page(q, "No answer from the app",
                      "The app closed the connection before it had answered.");
    }
}

static void on_interim(struct client_call *call, unsigned status, const struct headers *fields,
                       void *ud)
{
    struct app_request *q = ud;
    const struct rewrite_answer how = rewrite_of(q);
    struct headers kept;
    struct arena arena;
    if (status == 100) {
        if (q->body_waits) {
            q->body_waits = false;
            timer_cancel(&q->timer);
            want(q);
        }
        return;
    }
    arena_init(&arena, EXCHANGE_ARENA_MAX);
    headers_init(&kept, &arena, 0, 0);
    if (rewrite_response(fields, &how, &kept) == 0)
        exchange_inform(q->x, status, &kept);
    arena_deinit(&arena);
}

/* ---- the request's body ---- */

/* Nothing more of it goes to the app; what the app says to that still counts. */
static void give_up_body(struct app_request *q)
{
    q->body_done = true;
    want(q);
}

static void bad_body(struct app_request *q, int result)
{
    struct page page = page_bad_request;
    page.status = exchange_status_of(result);
    if (q->state == REQUEST_ANSWER)
        cut(q);
    else
        end_with(q, &page);
}

static void end_body(struct app_request *q)
{
    const struct headers *from = exchange_trailers(q->x);
    struct headers trailers;
    headers_init(&trailers, &q->x->arena, TRAILERS_MAX, 0);
    if (from->len > 0 && rewrite_trailers(from, &trailers) < 0)
        trailers.len = 0;
    client_call_end(q->call, trailers.len > 0 ? &trailers : NULL);
    q->body_done = true;
}

static void move_body(struct app_request *q)
{
    for (unsigned i = 0; i < TURN_PIECES; i++) {
        const void *data;
        ssize_t n = exchange_peek(q->x, &data), sent;
        q->body_stopped = false;
        if (n == -EAGAIN)
            break;
        if (n < 0) {
            bad_body(q, (int)n);
            return;
        }
        if (n == 0) {
            end_body(q);
            break;
        }
        sent = client_call_send_bytes(q->call, data, (size_t)n);
        if (sent == -EAGAIN) {
            q->body_stopped = true;
            break;
        }
        if (sent < 0) {
            give_up_body(q);
            return;
        }
        exchange_consume(q->x, (size_t)sent);
        PROXY_COUNT(q, bytes_in, (uint64_t)sent);
        q->body_read = q->progress = true;
    }
    want(q);
}

/* ---- readiness ---- */

static void on_person_ready(struct exchange *x, unsigned events, void *ud)
{
    struct app_request *q = ud;
    if ((events & STREAM_WRITE) && q->state == REQUEST_ANSWER && !move_answer(q))
        return;
    if ((events & STREAM_READ) && q->call && !q->body_done && !q->body_waits)
        move_body(q);
}

static void on_app_ready(struct client_call *call, unsigned events, void *ud)
{
    struct app_request *q = ud;
    if ((events & STREAM_READ) && q->state == REQUEST_ANSWER && !move_answer(q))
        return;
    if ((events & STREAM_WRITE) && !q->body_done && !q->body_waits)
        move_body(q);
}

static void on_person_gone(struct exchange *x, int reason, void *ud)
{
    struct app_request *q = ud;
    if (reason < 0) {
        cut(q);
        return;
    }
    q->half_gone = true;
    q->progress = false;
    timer_start(&q->timer, half_gone_limit);
}

static void on_timer(struct timer *t, void *ud)
{
    struct app_request *q = ud;
    if (q->half_gone && !q->progress) {
        cut(q);
    } else if (q->half_gone) {
        q->progress = false;
        timer_start(t, half_gone_limit);
    } else {
        q->body_waits = false;
        want(q);
    }
}

/* ---- the request ---- */

/* In origin form, without the head of a path form. */
static struct span target_of(struct app_request *q)
{
    struct exchange *x = q->x;
    struct span path = q->addr.path;
    if (path.len == 0)
        return span_is(x->target, "*") ? x->target : SPAN("/");
    if (!x->query.p)
        return path;
    if (path.p + path.len + 1 == x->query.p) /* as they came, the question mark between them */
        return span_from(path.p, path.len + 1 + x->query.len);
    return span_of(
        arena_printf(&x->arena, SPAN_FMT "?" SPAN_FMT, SPAN_ARG(path), SPAN_ARG(x->query)));
}

static int build_fields(struct app_request *q, struct headers *fields)
{
    struct exchange *x = q->x;
    struct rewrite_client client = {.ip = q->client.ip,
                                    .peer = q->client.peer,
                                    .trusted = q->client.trusted,
                                    .tls = exchange_is_tls(x),
                                    .host = x->host,
                                    .user = q->ticket.user,
                                    .email = q->ticket.email,
                                    .upgrade = q->upgrade};
    /* Room for what is added, beyond what was received. */
    headers_init(fields, &x->arena, HEADERS_MAX_BYTES + 4096, HEADERS_MAX_LEN + 16);
    return rewrite_request(&x->headers, &client, &q->proxy->cookies, fields);
}

static void start_call(struct app_request *q)
{
    struct exchange *x = q->x;
    struct headers fields;
    struct client_call_options options = {.method = x->method,
                                          .target = target_of(q),
                                          .headers = &fields,
                                          .body_length = exchange_body_length(x),
                                          .send_zero_length =
                                              headers_has(&x->headers, "Content-Length"),
                                          .head = on_head,
                                          .interim = on_interim,
                                          .ready = on_app_ready,
                                          .ud = q};
    int r = build_fields(q, &fields);
    if (r == 0)
        r = client_conn_call(pooled_conn(q->conn), &options, &q->call);
    if (r < 0) {
        end_with(q, &page_bad_request);
        return;
    }
    request_set_state(q, REQUEST_SEND);
    q->body_done = options.body_length == 0;
    q->body_waits =
        !q->body_done && x->minor >= 1 && headers_has_token(&x->headers, "Expect", "100-continue");
    if (q->body_waits && !q->half_gone)
        timer_start(&q->timer, continue_timeout);
    want(q);
}

/* ---- the connection ---- */

static void key_of(const struct app_request *q, struct pool_key *ret)
{
    *ret = (struct pool_key){
        .agent_link = q->agent_link, .port = q->ticket.port, .tls = q->ticket.tls};
    str_copy(ret->host, sizeof(ret->host), q->ticket.host);
}

static void on_opened(struct stream *channel, enum dial_result result, const char *reason, void *ud)
{
    struct app_request *q = ud;
    struct pool_key key;
    q->open = NULL;
    if (result != DIAL_OK) {
        timer_cancel(&q->timer);
        exchange_set_callbacks(q->x, NULL, NULL, NULL);
        transfer_not_reached(q, result);
        return;
    }
    PROXY_COUNT(q, connections, 1);
    key_of(q, &key);
    q->conn = pool_add(q->proxy->pool, &key, channel);
    start_call(q);
}

static void open_connection(struct app_request *q)
{
    struct proxy *p = q->proxy;
    struct channel_target target = {
        .kind = CHANNEL_TCP, .host = q->ticket.host, .port = q->ticket.port, .tls = q->ticket.tls};
    struct channel_open_options options = {.opened = on_opened, .ud = q};
    q->reused = false;
    request_set_state(q, REQUEST_OPEN);
    q->open = p->o.live->open(p->o.live_ud, q->agent_link, &target, &options);
    if (!q->open)
        end_with(q, &page_offline);
}

void transfer_start(struct app_request *q)
{
    struct pool_key key;
    timer_init(&q->timer, q->proxy->o.loop, on_timer, q);
    exchange_set_callbacks(q->x, on_person_ready, on_person_gone, q);
    key_of(q, &key);
    q->conn = pool_take(q->proxy->pool, &key);
    q->reused = q->conn != NULL;
    if (q->conn)
        start_call(q);
    else
        open_connection(q);
}
