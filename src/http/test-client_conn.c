/* Conversations with a client connection: what it sends, and what it makes of answers. */
#include "http/client_conn.h"

#include "base/arena.h"
#include "http/test_help.h"

struct fixture {
    struct loop *loop;
    struct far_end server;
    struct client_conn *conn;
    struct client_call *call;
    struct arena arena;
    struct headers headers;
    struct client_conn_options options;
    struct buf seen;  /* head, interim answers, body, trailers as text */
    ssize_t body_end; /* what ended the body */
    bool head_seen, hold_body, closed;
};

static void conn_closed(struct client_conn *c, void *ud)
{
    struct fixture *f = ud;
    f->closed = true;
    f->conn = client_conn_free(f->conn);
}

static void note_fields(struct buf *seen, const struct headers *h)
{
    for (size_t i = 0; i < h->len; i++)
        buf_appendf(seen, SPAN_FMT "=" SPAN_FMT ";", SPAN_ARG(h->list[i].name),
                    SPAN_ARG(h->list[i].value));
}

static void note_interim(struct client_call *call, unsigned status, const struct headers *fields,
                         void *ud)
{
    struct fixture *f = ud;
    buf_appendf(&f->seen, "[%u ", status);
    note_fields(&f->seen, fields);
    buf_append_str(&f->seen, "]");
}

static void note_head(struct client_call *call, int result, void *ud)
{
    struct fixture *f = ud;
    f->head_seen = true;
    if (result < 0) {
        buf_appendf(&f->seen, "failed %d", result);
        return;
    }
    const struct client_response *r = client_call_response(call);
    buf_appendf(&f->seen, "%u " SPAN_FMT " %d|", r->status, SPAN_ARG(r->reason), (int)r->length);
    note_fields(&f->seen, &r->headers);
    buf_append_str(&f->seen, "|");
    if (!f->hold_body)
        client_call_want(call, STREAM_READ);
}

static void note_body(struct client_call *call, unsigned events, void *ud)
{
    struct fixture *f = ud;
    char data[1000];
    ssize_t n;
    if (!(events & STREAM_READ))
        return;
    while ((n = client_call_recv(call, data, sizeof(data))) > 0)
        buf_append(&f->seen, data, (size_t)n);
    f->body_end = n;
    if (n == -EAGAIN)
        return;
    client_call_want(call, 0);
    if (n == 0 && client_call_trailers(call)->len > 0) {
        buf_append_str(&f->seen, "|");
        note_fields(&f->seen, client_call_trailers(call));
    }
}

static void setup(struct fixture *f)
{
    *f = (struct fixture){.loop = loop_new(), .body_end = 1};
    buf_init(&f->seen, 4 << 20);
    arena_init(&f->arena, 65536);
}

static void connect_pair(struct fixture *f, size_t capacity)
{
    struct stream *ends[2];
    stream_pair(f->loop, capacity, ends);
    far_end_init(&f->server, f->loop, ends[1]);
    f->options.closed = conn_closed;
    f->options.ud = f;
    f->closed = f->head_seen = false;
    f->conn = client_conn_new(f->loop, ends[0], &f->options);
}

static void start_call(struct fixture *f, const char *method, int64_t body_length)
{
    headers_init(&f->headers, &f->arena, 0, 0);
    headers_add(&f->headers, "Host", "a");
    if (str_eq(method, "UPGRADE")) {
        method = "GET";
        headers_add(&f->headers, "Connection", "upgrade");
        headers_add(&f->headers, "Upgrade", "x");
    }
    const struct client_call_options options = {
        .method = span_of(method),
        .target = SPAN("/p?q"),
        .headers = &f->headers,
        .body_length = body_length,
        .head = note_head,
        .interim = note_interim,
        .ready = note_body,
        .ud = f,
    };
    buf_clear(&f->seen);
    f->body_end = 1;
    f->head_seen = false;
    assert_int_equal(client_conn_call(f->conn, &options, &f->call), 0);
}

static void disconnect(struct fixture *f)
{
    f->call = client_call_free(f->call);
    f->conn = client_conn_free(f->conn);
    far_end_deinit(&f->server);
    settle(f->loop);
}

static void teardown(struct fixture *f)
{
    disconnect(f);
    buf_deinit(&f->seen);
    arena_deinit(&f->arena);
    loop_free(f->loop);
}

struct answer {
    const char *method, *bytes;
    const char *seen;
    ssize_t body_end; /* 1: no body was read at all */
    bool end;         /* the server ends the connection behind the bytes */
    bool reusable;
};

static const struct answer answers[] = {
    {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "200 OK 5|Content-Length=5;|hello",
     0, false, true},
    {"GET", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "200  0|Content-Length=0;|", 0, false,
     true},
    {"GET",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n"
     "5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nX: 1\r\nY: 2\r\n\r\n",
     "200 OK -1|Transfer-Encoding=chunked;Trailer=X;|hello!|X=1;Y=2;", 0, false, true},
    {"GET", "HTTP/1.1 200 OK\r\n\r\nuntil the end", "200 OK -1||until the end", 0, true, false},
    {"GET", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", "200 OK 1|Content-Length=1;|x", 0,
     false, false},
    {"GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
     "200 OK 1|Connection=close;Content-Length=1;|x", 0, false, false},
    {"GET",
     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"
     "HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n",
     "[100 ][103 Link=a;]204 No Content 0|Content-Length=9;|", 0, false, true},
    {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
     "304 Not Modified 0|Content-Length=9;|", 0, false, true},
    {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "200 OK 0|Content-Length=9;|", 0,
     false, true},
    {"HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
     "200 OK 0|Transfer-Encoding=chunked;|", 0, false, true},
    {"GET", "HTTP/1.1 999 Odd \xe9\r\nContent-Length: 0\r\n\r\n",
     "999 Odd \xe9 0|Content-Length=0;|", 0, false, true},
    /* Cut short. */
    {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", "200 OK 5|Content-Length=5;|hel",
     -EPROTO, true, false},
    {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
     "200 OK -1|Transfer-Encoding=chunked;|hello", -EPROTO, true, false},
    {"GET", "", "failed -104", 1, true, false},
    {"GET", "HTTP/1.1 200 OK\r\nContent-", "failed -71", 1, true, false},
    /* Two readings, or none. */
    {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", "failed -71",
     1, false, false},
    {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     "failed -71", 1, false, false},
    {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "failed -71", 1,
     false, false},
    {"GET", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "failed -71", 1,
     false, false},
    {"GET", "HTTP/1.1 200 OK\nContent-Length: 0\n\n", "failed -71", 1, false, false},
    {"GET", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n", "failed -71", 1, false,
     false},
    {"GET", "HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 0\r\n\r\n", "failed -71", 1, false, false},
    {"GET", "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n", "failed -71", 1, false, false},
    {"GET", "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n", "failed -71", 1, false, false},
    {"GET", "HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n", "failed -71", 1, false, false},
    {"GET", "HTTP/2 200 OK\r\nContent-Length: 0\r\n\r\n", "failed -71", 1, false, false},
    {"GET", "HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n", "failed -71", 1, false, false},
    {"GET", "HTTP/1.1 200 O\x01K\r\nContent-Length: 0\r\n\r\n", "failed -71", 1, false, false},
    {"GET", "garbage", "failed -71", 1, true, false},
    {"GET", "\x15\x03\x01", "failed -71", 1, false, false},
    {"GET", "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
     "failed -71", 1, false, false},
    {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n",
     "200 OK -1|Transfer-Encoding=chunked;|", -EPROTO, false, false},
    {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n",
     "200 OK -1|Transfer-Encoding=chunked;|hello", -EPROTO, false, false},
};

static void answers_are_read_strictly(void **state)
{
    struct fixture f;
    setup(&f);
    for (size_t i = 0; i < ARRAY_LEN(answers) * 2; i++) {
        const struct answer *a = &answers[i / 2];
        connect_pair(&f, 1 << 20);
        start_call(&f, a->method, 0);
        settle(f.loop);
        far_say(&f.server, a->bytes, i % 2);
        if (a->end)
            stream_shutdown(f.server.s);
        settle(f.loop);
        if (!str_eq(buf_cstr(&f.seen), a->seen) || f.body_end != a->body_end)
            fail_msg("answer %zu: %s, body ends with %zd", i / 2, buf_cstr(&f.seen), f.body_end);
        f.call = client_call_free(f.call);
        if (f.conn && client_conn_is_idle(f.conn) != a->reusable)
            fail_msg("answer %zu: reusable or not", i / 2);
        disconnect(&f);
    }
    teardown(&f);
}

static void requests_are_sent_as_given(void **state)
{
    struct fixture f;
    setup(&f);
    connect_pair(&f, 1 << 20);
    start_call(&f, "GET", 0);
    assert_string_equal(far_hear(&f.server), "GET /p?q HTTP/1.1\r\nHost: a\r\n\r\n");
    disconnect(&f);

    far_forget(&f.server);
    connect_pair(&f, 1 << 20);
    start_call(&f, "POST", 5);
    assert_int_equal(client_call_send_bytes(f.call, "hello!", 6), 5);
    assert_int_equal(client_call_send_bytes(f.call, "!", 1), -EMSGSIZE);
    assert_int_equal(client_call_end(f.call, NULL), 0);
    assert_string_equal(far_hear(&f.server),
                        "POST /p?q HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    disconnect(&f);

    connect_pair(&f, 1 << 20);
    start_call(&f, "POST", BODY_UNKNOWN);
    client_call_send_bytes(f.call, "hello", 5);
    struct headers trailers;
    headers_init(&trailers, &f.arena, 0, 0);
    headers_add(&trailers, "T", "u");
    assert_int_equal(client_call_end(f.call, &trailers), 0);
    assert_string_equal(far_hear(&f.server),
                        "POST /p?q HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                        "5\r\nhello\r\n0\r\nT: u\r\n\r\n");
    teardown(&f);
}

static void what_cannot_be_sent_is_refused(void **state)
{
    static const struct {
        struct span method, target;
    } bad[] = {
        {SPAN("G T"), SPAN("/")}, {SPAN(""), SPAN("/")},         {SPAN("GET"), SPAN("/a b")},
        {SPAN("GET"), SPAN("")},  {SPAN("GET"), SPAN("/\r\nX")}, {SPAN("GET"), SPAN("/\xe9")},
    };
    struct fixture f;
    setup(&f);
    connect_pair(&f, 1 << 20);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        const struct client_call_options options = {
            .method = bad[i].method, .target = bad[i].target, .head = note_head, .ud = &f};
        assert_int_equal(client_conn_call(f.conn, &options, &f.call), -EINVAL);
    }
    assert_string_equal(far_hear(&f.server), "");
    assert_true(client_conn_is_idle(f.conn));
    teardown(&f);
}

static void a_connection_serves_one_call_after_another(void **state)
{
    struct fixture f;
    setup(&f);
    connect_pair(&f, 1 << 20);
    for (int i = 0; i < 3; i++) {
        start_call(&f, "GET", 0);
        assert_false(client_conn_is_idle(f.conn));
        settle(f.loop);
        far_say(&f.server, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 0);
        settle(f.loop);
        assert_string_equal(buf_cstr(&f.seen), "200 OK 2|Content-Length=2;|hi");
        f.call = client_call_free(f.call);
        assert_true(client_conn_is_idle(f.conn));
    }
    stream_shutdown(f.server.s);
    settle(f.loop);
    assert_true(f.closed);
    teardown(&f);
}

static void an_idle_connection_that_talks_is_dropped(void **state)
{
    struct fixture f;
    setup(&f);
    connect_pair(&f, 1 << 20);
    settle(f.loop);
    assert_false(f.closed);
    far_say(&f.server, "HTTP/1.1 200 OK\r\n", 0);
    settle(f.loop);
    assert_true(f.closed);
    teardown(&f);
}

static void an_early_answer_is_heard_while_sending(void **state)
{
    struct fixture f;
    static char block[60000];
    setup(&f);
    connect_pair(&f, 10000);
    start_call(&f, "POST", 1000000);
    while (client_call_send_bytes(f.call, block, sizeof(block)) > 0)
        ;
    far_say(&f.server, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig", 0);
    f.server.s = stream_free(f.server.s);
    settle(f.loop);
    assert_string_equal(buf_cstr(&f.seen), "413 Content Too Large 3|Content-Length=3;|big");
    f.call = client_call_free(f.call);
    assert_false(client_conn_is_idle(f.conn));
    teardown(&f);
}

static void upgrade_takes_the_stream_with_what_was_read_too_far(void **state)
{
    struct fixture f;
    char got[10] = "";
    setup(&f);
    connect_pair(&f, 1 << 20);
    start_call(&f, "UPGRADE", 0);
    settle(f.loop);
    far_say(&f.server,
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nrest", 0);
    settle(f.loop);
    struct stream *s = client_call_upgrade(f.call);
    assert_non_null(s);
    assert_int_equal(stream_recv(s, got, sizeof(got)), 4);
    assert_string_equal(got, "rest");
    assert_int_equal(stream_send_bytes(s, "more", 4), 4);
    disconnect(&f);
    stream_free(s);
    teardown(&f);
}

static void connect_makes_a_tunnel_or_not(void **state)
{
    struct fixture f;
    setup(&f);
    connect_pair(&f, 1 << 20);
    start_call(&f, "CONNECT", 0);
    settle(f.loop);
    far_say(&f.server, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nrest", 0);
    settle(f.loop);
    struct stream *s = client_call_upgrade(f.call);
    assert_non_null(s);
    disconnect(&f);
    stream_free(s);

    connect_pair(&f, 1 << 20);
    start_call(&f, "CONNECT", 0);
    settle(f.loop);
    far_say(&f.server, "HTTP/1.1 407 No\r\nContent-Length: 4\r\n\r\nrest", 0);
    settle(f.loop);
    assert_null(client_call_upgrade(f.call));
    assert_string_equal(buf_cstr(&f.seen), "407 No 4|Content-Length=4;|rest");
    teardown(&f);
}

static void a_slow_reader_stops_the_server(void **state)
{
    struct fixture f;
    static char block[100000];
    setup(&f);
    f.hold_body = true;
    connect_pair(&f, 10000);
    start_call(&f, "GET", 0);
    settle(f.loop);
    far_say(&f.server, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", 0);
    size_t taken = 0;
    for (int i = 0; i < 50; i++) {
        settle(f.loop);
        ssize_t n = stream_send_bytes(f.server.s, block, sizeof(block) - taken);
        taken += n > 0 ? (size_t)n : 0;
    }
    assert_in_range(taken, 10000, 20000);
    client_call_want(f.call, STREAM_READ);
    while (taken < sizeof(block)) {
        settle(f.loop);
        ssize_t n = stream_send_bytes(f.server.s, block, sizeof(block) - taken);
        taken += n > 0 ? (size_t)n : 0;
    }
    settle(f.loop);
    assert_int_equal(f.body_end, 0);
    teardown(&f);
}

static void silence_times_out(void **state)
{
    struct fixture f;
    setup(&f);
    f.options.head_timeout = f.options.idle_timeout = 20 * USEC_PER_MSEC;
    connect_pair(&f, 1 << 20);
    start_call(&f, "GET", 0);
    TURN_UNTIL(f.loop, f.head_seen);
    assert_string_equal(buf_cstr(&f.seen), "failed -110");
    disconnect(&f);

    connect_pair(&f, 1 << 20);
    start_call(&f, "GET", 0);
    settle(f.loop);
    far_say(&f.server, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", 0);
    TURN_UNTIL(f.loop, f.body_end == -ETIMEDOUT);
    teardown(&f);
}

static void heads_of_answers_have_limits(void **state)
{
    struct fixture f;
    static char field[40000];
    setup(&f);
    connect_pair(&f, 1 << 20);
    start_call(&f, "GET", 0);
    memset(field, 'x', sizeof(field) - 1);
    far_say(&f.server, "HTTP/1.1 200 OK\r\nX: ", 0);
    far_say(&f.server, field, 0);
    settle(f.loop);
    assert_string_equal(buf_cstr(&f.seen), "failed -71");
    teardown(&f);
}

TEST_MAIN(cmocka_unit_test(answers_are_read_strictly), cmocka_unit_test(requests_are_sent_as_given),
          cmocka_unit_test(what_cannot_be_sent_is_refused),
          cmocka_unit_test(a_connection_serves_one_call_after_another),
          cmocka_unit_test(an_idle_connection_that_talks_is_dropped),
          cmocka_unit_test(an_early_answer_is_heard_while_sending),
          cmocka_unit_test(upgrade_takes_the_stream_with_what_was_read_too_far),
          cmocka_unit_test(connect_makes_a_tunnel_or_not),
          cmocka_unit_test(a_slow_reader_stops_the_server), cmocka_unit_test(silence_times_out),
          cmocka_unit_test(heads_of_answers_have_limits));
