/* Conversations with a server connection: lines in, lines out; at once and byte by byte. */
#include "http/server_conn.h"

#include "http/exchange.h"
#include "http/test_help.h"

struct fixture {
    struct loop *loop;
    struct far_end client;
    struct server_conn *conn;
    struct server_conn_options options;
    struct buf seen; /* what the handler has to tell */
    bool closed;
    struct exchange *held; /* kept by a handler that answers later */
    struct stream *upgraded;
    int n_gone, gone_reason;
    int n_requests;
};

static void conn_closed(struct server_conn *c, void *ud)
{
    struct fixture *f = ud;
    f->closed = true;
    f->conn = NULL;
}

static void echo_body(struct exchange *x, int result, struct span body, void *ud)
{
    struct fixture *f = ud;
    if (result < 0) {
        exchange_respond(x, exchange_status_of(result), "bad body\n", 9);
        return;
    }
    for (size_t i = 0; i < exchange_trailers(x)->len; i++) {
        const struct header *t = &exchange_trailers(x)->list[i];
        buf_appendf(&f->seen, "trailer " SPAN_FMT "=" SPAN_FMT "\n", SPAN_ARG(t->name),
                    SPAN_ARG(t->value));
    }
    buf_appendf(&f->seen, "body " SPAN_FMT "\n", SPAN_ARG(body));
    exchange_respond(x, 200, body.p, body.len);
}

static void count_gone(struct exchange *x, int reason, void *ud)
{
    struct fixture *f = ud;
    f->n_gone++;
    f->gone_reason = reason;
}

static void got_stream(struct stream *s, int result, void *ud)
{
    struct fixture *f = ud;
    f->upgraded = s;
}

static void send_streamed(struct exchange *x, int64_t length)
{
    struct headers trailers;
    headers_init(&trailers, &x->arena, 0, 0);
    headers_add(&trailers, "X-Sum", "7");
    headers_set(&x->response, "Content-Type", "text/plain");
    exchange_start(x, 200, length);
    exchange_send_bytes(x, "hello ", 6);
    exchange_send_bytes(x, "world", 5);
    exchange_end(x, &trailers);
}

static const char embedded[100000] = "a file in the program";

static void handle(struct exchange *x, void *ud)
{
    struct fixture *f = ud;
    f->n_requests++;
    buf_appendf(&f->seen, SPAN_FMT " " SPAN_FMT " q=" SPAN_FMT " host=" SPAN_FMT "\n",
                SPAN_ARG(x->method), SPAN_ARG(x->path), SPAN_ARG(x->query), SPAN_ARG(x->host));
    if (span_is(x->path, "/echo")) {
        exchange_read_all(x, 100, echo_body, f);
    } else if (span_is(x->path, "/hold")) {
        f->held = x;
        exchange_set_callbacks(x, NULL, count_gone, f);
    } else if (span_is(x->path, "/chunked")) {
        send_streamed(x, BODY_UNKNOWN);
    } else if (span_is(x->path, "/length")) {
        send_streamed(x, 11);
    } else if (span_is(x->path, "/short")) {
        send_streamed(x, 12);
    } else if (span_is(x->path, "/static")) {
        exchange_respond_static(x, 200, embedded, sizeof(embedded));
    } else if (span_is(x->path, "/204")) {
        exchange_respond(x, 204, NULL, 0);
    } else if (span_is(x->path, "/304")) {
        exchange_start(x, 304, 999);
        exchange_send_bytes(x, "dropped", 7);
        exchange_end(x, NULL);
    } else if (span_is(x->path, "/early")) {
        headers_add(&x->response, "Link", "</a.css>");
        exchange_inform(x, 103, &x->response);
        exchange_respond(x, 200, "late", 4);
    } else if (span_is(x->path, "/upgrade") && exchange_wants_upgrade(x)) {
        headers_add(&x->response, "Connection", "Upgrade");
        headers_add(&x->response, "Upgrade", "x");
        assert_int_equal(exchange_upgrade(x, 101, got_stream, f), 0);
    } else if (span_is(x->method, "CONNECT")) {
        assert_int_equal(exchange_upgrade(x, 200, got_stream, f), 0);
    } else {
        exchange_respond(x, 200, "ok\n", 3);
    }
}

static void start(struct fixture *f, size_t capacity)
{
    struct stream *ends[2];
    stream_pair(f->loop, capacity, ends);
    far_end_init(&f->client, f->loop, ends[1]);
    f->options.handler = handle;
    f->options.closed = conn_closed;
    f->options.ud = f;
    f->closed = false;
    f->conn = server_conn_new(f->loop, ends[0], &f->options);
}

static void stop(struct fixture *f)
{
    if (f->held)
        exchange_abort(f->held);
    f->held = NULL;
    f->conn = server_conn_free(f->conn);
    f->upgraded = stream_free(f->upgraded);
    far_end_deinit(&f->client);
    settle(f->loop);
    buf_clear(&f->seen);
}

static void setup(struct fixture *f)
{
    *f = (struct fixture){.loop = loop_new()};
    buf_init(&f->seen, 1024 * 1024);
}

static void teardown(struct fixture *f)
{
    stop(f);
    buf_deinit(&f->seen);
    loop_free(f->loop);
}

/* Says `request`; compares all that comes back (without Date), and what the handler saw. */
static void expect(struct fixture *f, const char *request, const char *answer, const char *seen,
                   bool closed)
{
    for (size_t piece = 0; piece <= 1; piece++) {
        start(f, 1 << 20);
        far_say(&f->client, request, piece);
        _cleanup_free_ char *text = without_field(far_hear(&f->client), "Date");
        assert_string_equal(text, answer);
        if (seen)
            assert_string_equal(buf_cstr(&f->seen), seen);
        assert_int_equal(f->client.ended, closed);
        stop(f);
    }
}

static void a_request_is_answered_and_the_connection_kept(void **state)
{
    struct fixture f;
    setup(&f);
    expect(&f, "GET /a/b?c=d%20e HTTP/1.1\r\nHost: X.example:80\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n",
           "GET /a/b q=c=d%20e host=X.example:80\n", false);
    expect(&f, "\r\nGET / HTTP/1.1\r\nhost:a\r\nConnection: close\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n",
           "GET / q= host=a\n", true);
    teardown(&f);
}

static void every_answer_carries_a_date(void **state)
{
    struct fixture f;
    setup(&f);
    start(&f, 1 << 20);
    far_say(&f.client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    assert_non_null(strstr(far_hear(&f.client), "\r\nDate: "));
    teardown(&f);
}

static void http_1_0_closes_unless_asked_to_keep_alive(void **state)
{
    struct fixture f;
    setup(&f);
    expect(&f, "GET / HTTP/1.0\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n",
           "GET / q= host=\n", true);
    expect(&f, "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nok\n", NULL,
           false);
    expect(&f, "GET /chunked HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nhello world",
           NULL, true);
    teardown(&f);
}

static void targets_of_all_forms_are_taken_apart(void **state)
{
    struct fixture f;
    setup(&f);
    const char *ok = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";
    expect(&f, "GET http://A.example/x?y HTTP/1.1\r\nHost: a.example:80\r\n\r\n", ok,
           "GET /x q=y host=a.example:80\n", false);
    expect(&f, "GET HTTPS://a.example:443?y HTTP/1.1\r\nHost: a.example\r\n\r\n", ok,
           "GET / q=y host=a.example\n", false);
    expect(&f, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", ok, "OPTIONS  q= host=a\n", false);
    expect(&f, "GET //b/c? HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", ok,
           "GET //b/c q= host=[::1]:8080\n", false);
    teardown(&f);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    struct fixture f;
    setup(&f);
    expect(&f,
           "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\none"
           "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
           "2\r\ntw\r\n1;x=y\r\no\r\n0\r\nT: u\r\n\r\n"
           "GET /3 HTTP/1.1\r\nHost: a\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none"
           "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo"
           "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n",
           "POST /echo q= host=a\nbody one\nPOST /echo q= host=a\ntrailer T=u\nbody two\n"
           "GET /3 q= host=a\n",
           false);
    teardown(&f);
}

static void answers_are_framed_by_length_or_chunks_with_trailers(void **state)
{
    struct fixture f;
    setup(&f);
    expect(&f, "GET /length HTTP/1.1\r\nHost: a\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 11\r\n\r\nhello world",
           NULL, false);
    expect(&f, "GET /chunked HTTP/1.1\r\nHost: a\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
           "6\r\nhello \r\n5\r\nworld\r\n0\r\nX-Sum: 7\r\n\r\n",
           NULL, false);
    expect(&f, "GET /short HTTP/1.1\r\nHost: a\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n\r\nhello world",
           NULL, true);
    teardown(&f);
}

static void head_204_and_304_have_no_body(void **state)
{
    struct fixture f;
    setup(&f);
    expect(&f, "HEAD /length HTTP/1.1\r\nHost: a\r\n\r\nHEAD /chunked HTTP/1.1\r\nHost: a\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 11\r\n\r\n"
           "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n",
           NULL, false);
    expect(
        &f, "GET /204 HTTP/1.1\r\nHost: a\r\n\r\nGET /304 HTTP/1.1\r\nHost: a\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 999\r\n\r\n",
        NULL, false);
    teardown(&f);
}

static void continue_is_sent_only_when_the_body_is_read(void **state)
{
    struct fixture f;
    setup(&f);
    const char *expecting = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                            "Expect: 100-Continue\r\n\r\n";
    start(&f, 1 << 20);
    far_say(&f.client, expecting, 0);
    assert_string_equal(far_hear(&f.client), "HTTP/1.1 100 Continue\r\n\r\n");
    far_forget(&f.client);
    far_say(&f.client, "abc", 0);
    assert_non_null(strstr(far_hear(&f.client), "\r\n\r\nabc"));
    assert_false(f.client.ended);
    stop(&f);

    /* A client that has not waited is not told to go on. */
    start(&f, 1 << 20);
    far_say(&f.client, expecting, 0);
    far_say(&f.client, "abc", 0);
    assert_true(strncmp(far_hear(&f.client), "HTTP/1.1 200 ", 13) == 0);
    stop(&f);

    expect(&f, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n", NULL, true);
    expect(&f,
           "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\nExpect: 100-continue\r\n\r\n",
           "HTTP/1.1 413 Content Too Large\r\nContent-Length: 9\r\nConnection: close\r\n\r\n"
           "bad body\n",
           NULL, true);
    expect(&f, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: tea\r\n\r\n",
           "HTTP/1.1 417 Expectation Failed\r\nContent-Type: text/plain\r\nContent-Length: 19\r\n"
           "Connection: close\r\n\r\nExpectation Failed\n",
           "", true);
    teardown(&f);
}

static void interim_answers_are_sent_before_the_final_one(void **state)
{
    struct fixture f;
    setup(&f);
    expect(&f, "GET /early HTTP/1.1\r\nHost: a\r\n\r\n",
           "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
           "HTTP/1.1 200 OK\r\nLink: </a.css>\r\nContent-Length: 4\r\n\r\nlate",
           NULL, false);
    teardown(&f);
}

static void an_unread_body_is_dropped_before_the_next_request(void **state)
{
    struct fixture f;
    setup(&f);
    expect(
        &f,
        "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 31\r\n\r\n"
        "GET /no HTTP/1.1\r\nHost: a\r\n\r\n\r\n"
        "POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        "GET /3 HTTP/1.1\r\nHost: a\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n",
        "POST /1 q= host=a\nPOST /2 q= host=a\nGET /3 q= host=a\n", false);
    expect(&f, "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\nxxx",
           "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n", NULL, true);
    teardown(&f);
}

static void upgrade_hands_over_the_stream_with_the_bytes_behind_the_head(void **state)
{
    struct fixture f;
    setup(&f);
    for (size_t piece = 0; piece <= 1; piece++) {
        start(&f, 1 << 20);
        far_say(
            &f.client,
            "GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: x, Upgrade\r\nUpgrade: x\r\n\r\nleft",
            piece);
        assert_string_equal(far_hear(&f.client), "HTTP/1.1 101 Switching Protocols\r\n"
                                                 "Connection: Upgrade\r\nUpgrade: x\r\n\r\n");
        assert_true(f.closed);
        assert_non_null(f.upgraded);
        far_say(&f.client, " over", 0);
        char got[16] = "";
        size_t len = 0;
        ssize_t n;
        while ((n = stream_recv(f.upgraded, got + len, sizeof(got) - 1 - len)) > 0)
            len += (size_t)n;
        assert_int_equal(n, -EAGAIN);
        assert_string_equal(got, "left over");
        assert_int_equal(stream_send_bytes(f.upgraded, "hi", 2), 2);
        far_forget(&f.client);
        assert_string_equal(far_hear(&f.client), "hi");
        stop(&f);
    }
    teardown(&f);
}

static void connect_is_refused_unless_wanted(void **state)
{
    struct fixture f;
    setup(&f);
    expect(&f, "CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n",
           "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain\r\nContent-Length: 19\r\n"
           "Allow: GET, HEAD, POST\r\nConnection: close\r\n\r\nMethod Not Allowed\n",
           "", true);
    f.options.allow_connect = true;
    expect(&f, "CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n",
           "CONNECT  q= host=b:443\n", false);
    teardown(&f);
}

/* Each must be answered with this status, never reach the handler, and close. */
static const struct {
    const char *request;
    int status;
} refused[] = {
    /* Two readings of where the body ends. */
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc", 400},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc", 400},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\nabc", 400},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\nabc", 400},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1 2\r\n\r\nabc", 400},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551617\r\n\r\nabc", 400},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: "
     "chunked\r\n\r\n0\r\n\r\n",
     400},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: "
     "3\r\n\r\n0\r\n\r\n",
     400},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
     "chunked\r\n\r\n"
     "0\r\n\r\n",
     400},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n", 400},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0b"
     "chunked\r\n\r\n0\r\n\r\n",
     400},
    {"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
    /* Lines that others would end, join or split elsewhere. */
    {"GET / HTTP/1.1\nHost: a\n\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\r\n\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\tc\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\r\nX\t: b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\r\n: empty\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\r\nX(: b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\r\nX\xc3\xa9: b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\r\nX: a\x01z\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\r\nX: a\x7fz\r\n\r\n", 400},
    /* Hosts. */
    {"GET / HTTP/1.1\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
    {"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400},
    {"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET http://a:81/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    /* Request lines. */
    {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
    {"GET /\tHTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET /#f HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET /\r\nHost: a\r\n\r\n", 400},
    {"GET / http/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400},
    {"GET / ICE/1.0\r\nHost: a\r\n\r\n", 400},
    {"G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
    {"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505},
    {"GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505},
    {"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
    {"get / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
    {"\x16\x03\x01\x02\x00\x01", 400},
    {"\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
};

static void what_can_be_read_in_two_ways_is_refused(void **state)
{
    struct fixture f;
    setup(&f);
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        for (size_t piece = 0; piece <= 1; piece++) {
            char start_of_answer[32];
            start(&f, 1 << 20);
            far_say(&f.client, refused[i].request, piece);
            const char *text = far_hear(&f.client);
            snprintf(start_of_answer, sizeof(start_of_answer), "HTTP/1.1 %d ", refused[i].status);
            if (strncmp(text, start_of_answer, strlen(start_of_answer)) != 0 ||
                !strstr(text, "Connection: close") || !f.client.ended || f.n_requests > 0)
                fail_msg("request %zu (%s): %s", i, refused[i].request, text);
            stop(&f);
        }
    }
    teardown(&f);
}

static void nul_bytes_in_heads_are_refused(void **state)
{
    static const char in_value[] = "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n";
    static const char in_target[] = "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n";
    struct fixture f;
    setup(&f);
    start(&f, 1 << 20);
    far_send(&f.client, in_value, sizeof(in_value) - 1, 0);
    assert_true(strncmp(far_hear(&f.client), "HTTP/1.1 400 ", 13) == 0);
    stop(&f);
    start(&f, 1 << 20);
    far_send(&f.client, in_target, sizeof(in_target) - 1, 1);
    assert_true(strncmp(far_hear(&f.client), "HTTP/1.1 400 ", 13) == 0);
    assert_int_equal(f.n_requests, 0);
    teardown(&f);
}

static const char *const bad_chunks[] = {
    "g\r\n",
    " 3\r\nabc\r\n",
    "3 \r\nabc\r\n",
    "0x3\r\nabc\r\n",
    "-1\r\n",
    "+3\r\nabc\r\n",
    "\r\n",
    "3\nabc\r\n",
    "3\r\nabcd\r\n",
    "3\r\nabc\n",
    "3\r\nabc\rX",
    "3\r\nabX\r\n0\r\n\n",
    "0\r\nX : y\r\n\r\n",
    "0\r\n X: y\r\n\r\n",
    "0\r\nX: a\r\n b\r\n\r\n",
    "10000000000000000\r\n",
    "ffffffffffffffff\r\n",
    "0\r\nContent-Length: 3\r\n\r\n",
    "3\r\nabcX\n0\r\n\r\n",
    "0\r\nHost: b\r\n\r\n",
    "0\r\nno colon\r\n\r\n",
    "3;\x01\r\nabc\r\n",
    "3;a\rb\r\nabc\r\n",
};

static void bad_chunks_end_the_connection_with_400(void **state)
{
    struct fixture f;
    setup(&f);
    for (size_t i = 0; i < ARRAY_LEN(bad_chunks); i++) {
        for (size_t piece = 0; piece <= 1; piece++) {
            start(&f, 1 << 20);
            far_say(&f.client,
                    "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", piece);
            far_say(&f.client, bad_chunks[i], piece);
            far_say(&f.client, "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n", piece);
            const char *text = far_hear(&f.client);
            if (strncmp(text, "HTTP/1.1 400 ", 13) != 0 || !f.client.ended || f.n_requests != 1)
                fail_msg("chunk %zu (%s): %s", i, bad_chunks[i], text);
            f.n_requests = 0;
            stop(&f);
        }
    }
    teardown(&f);
}

/* A request with a long something. The caller frees it. */
static char *with_long(const char *before, size_t n, const char *after)
{
    char *text = xmalloc(strlen(before) + n + strlen(after) + 1);
    size_t len = strlen(before);
    memcpy(text, before, len);
    memset(text + len, 'x', n);
    memcpy(text + len + n, after, strlen(after) + 1);
    return text;
}

static void expect_status(struct fixture *f, const char *request, const char *status)
{
    start(f, 1 << 20);
    far_say(&f->client, request, 0);
    const char *text = far_hear(&f->client);
    if (strncmp(text + 9, status, 3) != 0)
        fail_msg("%.20s, not %s", text, status);
    stop(f);
}

static void heads_have_limits(void **state)
{
    struct fixture f;
    struct http_refusals refusals = {0};
    setup(&f);
    f.options.refusals = &refusals;
    size_t line = 16 * 1024 - strlen("GET / HTTP/1.1");
    _cleanup_free_ char *fits = with_long("GET /", line, " HTTP/1.1\r\nHost: a\r\n\r\n");
    expect_status(&f, fits, "200");
    _cleanup_free_ char *long_line = with_long("GET /", line + 1, " HTTP/1.1\r\nHost: a\r\n\r\n");
    expect_status(&f, long_line, "414");
    _cleanup_free_ char *endless = with_long("GET /", 20000, "");
    expect_status(&f, endless, "414");

    size_t bytes = 32 * 1024 - strlen("Host: a\r\nX: \r\n");
    const char *head = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
    _cleanup_free_ char *full = with_long(head, bytes, "\r\n\r\n");
    expect_status(&f, full, "200");
    _cleanup_free_ char *large = with_long(head, bytes + 1, "\r\n\r\n");
    expect_status(&f, large, "431");
    _cleanup_free_ char *open = with_long(head, 60000, "");
    expect_status(&f, open, "431");

    struct buf many = BUF_INIT(65536);
    buf_append_str(&many, "GET / HTTP/1.1\r\nHost: a\r\n");
    for (int i = 0; i < 99; i++)
        buf_append_str(&many, "X: y\r\n");
    size_t len = many.len;
    buf_append_str(&many, "\r\n");
    expect_status(&f, buf_cstr(&many), "200");
    many.len = len;
    buf_append_str(&many, "X: y\r\n\r\n");
    expect_status(&f, buf_cstr(&many), "431");
    buf_deinit(&many);
    assert_int_equal(refusals.refused[414 - HTTP_REFUSED_FIRST], 2);
    assert_int_equal(refusals.refused[431 - HTTP_REFUSED_FIRST], 3);
    assert_int_equal(refusals.refused[400 - HTTP_REFUSED_FIRST], 0);
    teardown(&f);
}

static void slow_heads_and_idle_connections_time_out(void **state)
{
    struct fixture f;
    setup(&f);
    f.options.header_timeout = 20 * USEC_PER_MSEC;
    f.options.idle_timeout = 20 * USEC_PER_MSEC;
    start(&f, 1 << 20);
    far_say(&f.client, "GET / HT", 0);
    for (far_read(&f.client); !f.client.ended; far_read(&f.client))
        loop_turn(f.loop, true);
    assert_true(strncmp(buf_cstr(&f.client.got), "HTTP/1.1 408 ", 13) == 0);
    stop(&f);

    start(&f, 1 << 20);
    TURN_UNTIL(f.loop, f.closed);
    assert_string_equal(far_hear(&f.client), "");
    stop(&f);

    f.options.body_timeout = 20 * USEC_PER_MSEC;
    f.options.idle_timeout = 0;
    start(&f, 1 << 20);
    far_say(&f.client, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc", 0);
    for (far_read(&f.client); !f.client.ended; far_read(&f.client))
        loop_turn(f.loop, true);
    assert_true(strncmp(buf_cstr(&f.client.got), "HTTP/1.1 408 ", 13) == 0);
    teardown(&f);
}

static void a_peer_that_takes_nothing_is_dropped(void **state)
{
    struct fixture f;
    setup(&f);
    f.options.send_timeout = 20 * USEC_PER_MSEC;
    start(&f, 16);
    far_say(&f.client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 1);
    TURN_UNTIL(f.loop, f.closed);
    teardown(&f);
}

static void the_last_request_says_close(void **state)
{
    struct fixture f;
    setup(&f);
    f.options.max_requests = 2;
    expect(&f, "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1",
           "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"
           "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n",
           NULL, true);
    teardown(&f);
}

static void drain_closes_idle_and_finishes_running(void **state)
{
    struct fixture f;
    setup(&f);
    start(&f, 1 << 20);
    settle(f.loop);
    server_conn_drain(f.conn);
    far_hear(&f.client);
    assert_true(f.client.ended);
    stop(&f);

    start(&f, 1 << 20);
    far_say(&f.client, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    settle(f.loop);
    server_conn_drain(f.conn);
    assert_string_equal(far_hear(&f.client), "");
    assert_false(f.client.ended);
    exchange_respond(f.held, 200, "done", 4);
    f.held = NULL;
    assert_non_null(strstr(far_hear(&f.client), "Connection: close\r\n\r\ndone"));
    assert_true(f.client.ended);
    teardown(&f);
}

static void the_handler_learns_that_the_peer_has_gone(void **state)
{
    struct fixture f;
    setup(&f);
    start(&f, 1 << 20);
    far_say(&f.client, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    settle(f.loop);
    assert_int_equal(f.n_gone, 0);
    stream_shutdown(f.client.s);
    settle(f.loop);
    assert_int_equal(f.n_gone, 1);
    assert_int_equal(f.gone_reason, 0);
    exchange_respond(f.held, 200, "still", 5);
    f.held = NULL;
    assert_non_null(strstr(far_hear(&f.client), "Connection: close\r\n\r\nstill"));
    assert_true(f.closed);
    stop(&f);

    start(&f, 1 << 20);
    far_say(&f.client, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    settle(f.loop);
    f.conn = server_conn_free(f.conn);
    settle(f.loop);
    assert_int_equal(f.n_gone, 2);
    assert_int_equal(f.gone_reason, -ECANCELED);
    assert_int_equal(exchange_start(f.held, 200, 0), -ECANCELED);
    exchange_end(f.held, NULL);
    f.held = NULL;
    teardown(&f);
}

static void drip(struct exchange *x, unsigned events, void *ud)
{
    size_t *sent = ud;
    static const char block[8192];
    ssize_t n;
    while ((n = exchange_send_bytes(x, block, sizeof(block))) > 0)
        *sent += (size_t)n;
    assert_int_equal(n, -EAGAIN);
}

static void a_slow_reader_stops_the_sender(void **state)
{
    struct fixture f;
    size_t sent = 0;
    setup(&f);
    start(&f, 10000);
    far_say(&f.client, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    settle(f.loop);
    assert_int_equal(exchange_start(f.held, 200, BODY_UNKNOWN), 0);
    exchange_set_callbacks(f.held, drip, NULL, &sent);
    exchange_want(f.held, STREAM_WRITE);
    settle(f.loop);
    settle(f.loop);
    size_t before = sent;
    assert_in_range(before, 8192, 50000);
    settle(f.loop);
    assert_int_equal(sent, before);
    far_read(&f.client);
    settle(f.loop);
    assert_true(sent > before);
    teardown(&f);
}

static void embedded_files_are_sent_without_a_copy(void **state)
{
    struct fixture f;
    setup(&f);
    start(&f, 10000);
    far_say(&f.client, "GET /static HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    far_say(&f.client, "HEAD /static HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    far_say(&f.client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    for (int i = 0; i < 20; i++)
        far_hear(&f.client);
    const char *body = strstr(buf_cstr(&f.client.got), "\r\n\r\n") + 4;
    assert_memory_equal(body, embedded, sizeof(embedded));
    assert_int_equal(strncmp(body + sizeof(embedded), "HTTP/1.1 200 OK\r\n", 17), 0);
    const char *end = (const char *)buf_data(&f.client.got) + f.client.got.len - 7;
    assert_memory_equal(end, "\r\n\r\nok\n", 7);
    teardown(&f);
}

static void a_slow_handler_stops_the_client(void **state)
{
    struct fixture f;
    static char block[100000];
    setup(&f);
    start(&f, 10000);
    far_say(&f.client, "POST /hold HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n", 0);
    settle(f.loop);
    size_t taken = 0;
    for (int i = 0; i < 50; i++) {
        ssize_t n = stream_send_bytes(f.client.s, block, sizeof(block) - taken);
        taken += n > 0 ? (size_t)n : 0;
        settle(f.loop);
    }
    assert_in_range(taken, 10000, 20000);

    char data[3000];
    size_t got = 0;
    ssize_t n;
    while ((n = exchange_recv(f.held, data, sizeof(data))) > 0)
        got += (size_t)n;
    assert_int_equal(n, -EAGAIN);
    assert_int_equal(got, taken);
    teardown(&f);
}

static void count_ready(struct exchange *x, unsigned events, void *ud)
{
    char data[100];
    ++*(int *)ud;
    assert_int_equal(exchange_recv(x, data, sizeof(data)), -EAGAIN);
}

static void waiting_for_a_body_costs_nothing(void **state)
{
    struct fixture f;
    int n_ready = 0;
    setup(&f);
    start(&f, 10000);
    far_say(&f.client, "POST /hold HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5", 0);
    settle(f.loop);
    exchange_set_callbacks(f.held, count_ready, NULL, &n_ready);
    exchange_want(f.held, STREAM_READ);
    settle(f.loop);
    assert_in_range(n_ready, 0, 2);
    teardown(&f);
}

static void a_pair_in_memory_cannot_change_its_loop(void **state)
{
    struct fixture f;
    setup(&f);
    start(&f, 1 << 20);
    assert_int_equal(server_conn_detach(f.conn), -ENOTSUP); /* a pair cannot */
    far_say(&f.client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    assert_non_null(strstr(far_hear(&f.client), "ok\n"));
    teardown(&f);
}

TEST_MAIN(cmocka_unit_test(a_request_is_answered_and_the_connection_kept),
          cmocka_unit_test(every_answer_carries_a_date),
          cmocka_unit_test(http_1_0_closes_unless_asked_to_keep_alive),
          cmocka_unit_test(targets_of_all_forms_are_taken_apart),
          cmocka_unit_test(pipelined_requests_are_answered_in_order),
          cmocka_unit_test(answers_are_framed_by_length_or_chunks_with_trailers),
          cmocka_unit_test(head_204_and_304_have_no_body),
          cmocka_unit_test(continue_is_sent_only_when_the_body_is_read),
          cmocka_unit_test(interim_answers_are_sent_before_the_final_one),
          cmocka_unit_test(an_unread_body_is_dropped_before_the_next_request),
          cmocka_unit_test(upgrade_hands_over_the_stream_with_the_bytes_behind_the_head),
          cmocka_unit_test(connect_is_refused_unless_wanted),
          cmocka_unit_test(what_can_be_read_in_two_ways_is_refused),
          cmocka_unit_test(nul_bytes_in_heads_are_refused),
          cmocka_unit_test(bad_chunks_end_the_connection_with_400),
          cmocka_unit_test(heads_have_limits),
          cmocka_unit_test(slow_heads_and_idle_connections_time_out),
          cmocka_unit_test(a_peer_that_takes_nothing_is_dropped),
          cmocka_unit_test(the_last_request_says_close),
          cmocka_unit_test(drain_closes_idle_and_finishes_running),
          cmocka_unit_test(the_handler_learns_that_the_peer_has_gone),
          cmocka_unit_test(a_slow_reader_stops_the_sender),
          cmocka_unit_test(embedded_files_are_sent_without_a_copy),
          cmocka_unit_test(a_slow_handler_stops_the_client),
          cmocka_unit_test(waiting_for_a_body_costs_nothing),
          cmocka_unit_test(a_pair_in_memory_cannot_change_its_loop));
