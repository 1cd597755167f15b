/* Client and server together: bodies stream through both, over connections of every width. */
#include "http/client_conn.h"
#include "http/exchange.h"
#include "http/server_conn.h"
#include "http/test_help.h"

struct fixture {
    struct loop *loop;
    struct arena arena;
    struct server_conn *server;
    struct client_conn *client;
    struct client_call *call;
    bool lend;      /* the server moves bytes by peek and consume */
    bool by_length; /* bodies have a length; otherwise chunks */
    size_t total, sent, received;
    size_t piece;
    bool sent_end, finished;

    struct exchange *x;
    char held[3000]; /* read by the server, and not yet taken */
    size_t n_held;
    bool request_ended;
};

static unsigned char pattern(size_t i)
{
    return (unsigned char)(i * 131 + i / 251);
}

/* The server: sends back what it receives. */

static void finish_echo(struct fixture *f)
{
    struct headers trailers;
    headers_init(&trailers, &f->x->arena, 0, 0);
    if (!f->by_length)
        assert_true(span_is(headers_get(exchange_trailers(f->x), "X-Up"), "1"));
    headers_add(&trailers, "X-Down", "2");
    exchange_end(f->x, &trailers);
    f->x = NULL;
}

/* False when nothing more goes now. */
static bool echo_some(struct fixture *f)
{
    const void *data = f->held;
    ssize_t n = (ssize_t)f->n_held;
    if (n == 0 && !f->request_ended)
        n = f->lend ? exchange_peek(f->x, &data) : exchange_recv(f->x, f->held, sizeof(f->held));
    if (n == 0)
        f->request_ended = true;
    assert_true(n >= 0 || n == -EAGAIN);
    if (n <= 0)
        return false;
    ssize_t taken = exchange_send_bytes(f->x, data, (size_t)n);
    assert_true(taken > 0 || taken == -EAGAIN);
    size_t gone = taken > 0 ? (size_t)taken : 0;
    if (f->lend) {
        exchange_consume(f->x, gone);
    } else {
        f->n_held = (size_t)n - gone;
        memmove(f->held, f->held + gone, f->n_held);
    }
    return taken > 0;
}

static void echo(struct exchange *x, unsigned events, void *ud)
{
    struct fixture *f = ud;
    while (echo_some(f))
        ;
    if (f->request_ended && f->n_held == 0) {
        finish_echo(f);
        return;
    }
    /* Only one of the two at a time: a blocked sender does not read. */
    const void *data;
    bool blocked = f->n_held > 0 || (f->lend && exchange_peek(x, &data) > 0);
    exchange_want(x, blocked ? STREAM_WRITE : STREAM_READ);
}

static void handle(struct exchange *x, void *ud)
{
    struct fixture *f = ud;
    f->x = x;
    f->request_ended = false;
    exchange_set_callbacks(x, echo, NULL, f);
    assert_int_equal(exchange_start(x, 200, exchange_body_length(x)), 0);
    exchange_want(x, STREAM_READ);
}

/* The client: sends the pattern, checks what comes. */

static void client_send(struct fixture *f)
{
    unsigned char data[5000];
    while (f->sent < f->total) {
        size_t n = f->total - f->sent < f->piece ? f->total - f->sent : f->piece;
        for (size_t i = 0; i < n; i++)
            data[i] = pattern(f->sent + i);
        ssize_t taken = client_call_send_bytes(f->call, data, n);
        if (taken == -EAGAIN)
            return;
        assert_true(taken > 0);
        f->sent += (size_t)taken;
    }
    if (f->sent_end)
        return;
    struct headers trailers;
    headers_init(&trailers, &f->arena, 0, 0);
    headers_add(&trailers, "X-Up", "1");
    f->sent_end = true;
    assert_int_equal(client_call_end(f->call, &trailers), 0);
}

static void client_receive(struct fixture *f)
{
    unsigned char data[7000];
    ssize_t n;
    while ((n = client_call_recv(f->call, data, sizeof(data))) > 0)
        for (ssize_t i = 0; i < n; i++)
            assert_int_equal(data[i], pattern(f->received++));
    assert_true(n == 0 || n == -EAGAIN);
    if (n == 0) {
        if (!f->by_length)
            assert_true(span_is(headers_get(client_call_trailers(f->call), "X-Down"), "2"));
        f->finished = true;
    }
}

static void client_ready(struct client_call *call, unsigned events, void *ud)
{
    struct fixture *f = ud;
    if (events & STREAM_WRITE)
        client_send(f);
    if (events & STREAM_READ)
        client_receive(f);
    client_call_want(call, (f->finished ? 0 : STREAM_READ) | (f->sent_end ? 0 : STREAM_WRITE));
}

static void client_head(struct client_call *call, int result, void *ud)
{
    assert_int_equal(result, 0);
    assert_int_equal(client_call_response(call)->status, 200);
}

static void one_round(struct fixture *f, size_t total, size_t piece)
{
    struct headers headers;
    headers_init(&headers, &f->arena, 0, 0);
    headers_add(&headers, "Host", "a");
    const struct client_call_options options = {
        .method = SPAN("POST"),
        .target = SPAN("/"),
        .headers = &headers,
        .body_length = f->by_length ? (int64_t)total : BODY_UNKNOWN,
        .head = client_head,
        .ready = client_ready,
        .ud = f,
    };
    f->total = total;
    f->piece = piece;
    f->sent = f->received = 0;
    f->sent_end = f->finished = false;
    assert_int_equal(client_conn_call(f->client, &options, &f->call), 0);
    client_call_want(f->call, STREAM_READ | STREAM_WRITE);
    TURN_UNTIL(f->loop, f->finished && f->sent_end);
    assert_int_equal(f->received, total);
    f->call = client_call_free(f->call);
    assert_true(client_conn_is_idle(f->client));
}

static void run(size_t capacity, bool lend, bool by_length)
{
    struct fixture f = {.loop = loop_new(), .lend = lend, .by_length = by_length};
    struct stream *ends[2];
    const struct server_conn_options server = {.handler = handle, .ud = &f};
    const struct client_conn_options client = {0};
    arena_init(&f.arena, 65536);
    stream_pair(f.loop, capacity, ends);
    f.server = server_conn_new(f.loop, ends[0], &server);
    f.client = client_conn_new(f.loop, ends[1], &client);
    one_round(&f, capacity < 100 ? 2000 : 400000, 5000);
    one_round(&f, 3, 1);
    one_round(&f, 1000, 1);
    one_round(&f, capacity < 100 ? 300 : 100000, 777);
    client_conn_free(f.client);
    server_conn_free(f.server);
    settle(f.loop);
    arena_deinit(&f.arena);
    loop_free(f.loop);
}

static void chunked_bodies_stream_both_ways(void **state)
{
    static const size_t capacities[] = {1, 9, 1000, 20000, 1 << 20};
    for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
        run(capacities[i], false, false);
        run(capacities[i], true, false);
    }
}

static void bodies_with_a_length_stream_both_ways(void **state)
{
    static const size_t capacities[] = {1, 9, 1000, 20000, 1 << 20};
    for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
        run(capacities[i], false, true);
        run(capacities[i], true, true);
    }
}

TEST_MAIN(cmocka_unit_test(chunked_bodies_stream_both_ways),
          cmocka_unit_test(bodies_with_a_length_stream_both_ways));
