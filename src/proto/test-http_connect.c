#include "proto/http_connect.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/span.h"

/* Shows the first 1, 2, ... bytes of `in`, until there is an answer. */
static int converse(struct http_connect *h, struct span in, size_t step, size_t *ret_used,
                    struct buf *head)
{
    http_connect_init(h);
    for (size_t n = step;; n += step) {
        size_t upto = n < in.len ? n : in.len;
        int r = http_connect_feed(h, in.p, upto, ret_used, head);
        if (r != 0 || upto == in.len)
            return r;
    }
}

static void connect_names_its_target(void **state)
{
    static const struct {
        struct span in;
        const char *host;
        uint16_t port;
        size_t left;
    } rows[] = {
        {SPAN("CONNECT a:443 HTTP/1.1\r\n\r\n"), "a", 443, 0},
        {SPAN("CONNECT A.Example:443 HTTP/1.0\r\nHost: x\r\n\r\n"), "a.example", 443, 0},
        {SPAN("CONNECT [::1]:1 HTTP/1.1\r\nProxy-Authorization: x\r\n\r\n\26\3"), "::1", 1, 2},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t step = 1; step <= rows[i].in.len; step++) {
            _cleanup_(buf_deinit) struct buf head = BUF_INIT(1000);
            struct http_connect h;
            size_t used;
            assert_int_equal(converse(&h, rows[i].in, step, &used, &head), 1);
            assert_true(h.tunnel);
            assert_string_equal(h.host, rows[i].host);
            assert_int_equal(h.port, rows[i].port);
            assert_int_equal(used, rows[i].in.len - rows[i].left);
            assert_int_equal(head.len, 0);
        }
    }
}

static void plain_requests_are_rewritten_for_the_target(void **state)
{
    static const struct {
        struct span in;
        const char *host;
        uint16_t port;
        const char *head;
    } rows[] = {
        {SPAN("GET http://A.example/x?y=1 HTTP/1.1\r\nHost: other\r\nAccept: *\r\n\r\n"),
         "a.example", 80,
         "GET /x?y=1 HTTP/1.1\r\nHost: a.example\r\nAccept: *\r\nConnection: close\r\n\r\n"},
        {SPAN("GET http://[::1]:81 HTTP/1.0\r\n\r\n"), "::1", 81,
         "GET / HTTP/1.0\r\nHost: [::1]:81\r\nConnection: close\r\n\r\n"},
        {SPAN("POST http://a:8080/ HTTP/1.1\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\n"
              "Keep-Alive: 5\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: Basic eA==\r\n"
              "TE: trailers\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\nX:\r\n\r\n5\r\n"),
         "a", 8080,
         "POST / HTTP/1.1\r\nHost: a:8080\r\nTransfer-Encoding: chunked\r\nX: \r\n"
         "Connection: close\r\n\r\n"},
        {SPAN("PUT http://a/ HTTP/1.1\r\nConnection: Content-Length\r\nContent-Length: 3\r\n\r\n"),
         "a", 80, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close\r\n\r\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t step = 1; step <= rows[i].in.len; step++) {
            _cleanup_(buf_deinit) struct buf head = BUF_INIT(1000);
            struct http_connect h;
            size_t used;
            assert_int_equal(converse(&h, rows[i].in, step, &used, &head), 1);
            assert_false(h.tunnel);
            assert_string_equal(h.host, rows[i].host);
            assert_int_equal(h.port, rows[i].port);
            assert_string_equal(buf_cstr(&head), rows[i].head);
        }
    }
}

static void wrong_requests_are_refused(void **state)
{
    static const struct {
        struct span in;
        int status;
    } rows[] = {
        {SPAN("\r\n\r\n"), 400},
        {SPAN("GET\r\n\r\n"), 400},
        {SPAN("GET / HTTP/1.1\r\n\r\n"), 400},
        {SPAN("GET * HTTP/1.1\r\n\r\n"), 400},
        {SPAN("GET https://a/ HTTP/1.1\r\n\r\n"), 400},
        {SPAN("GET http://u@a/ HTTP/1.1\r\n\r\n"), 400},
        {SPAN("GET http://a/  HTTP/1.1\r\n\r\n"), 400},
        {SPAN("GET  http://a/ HTTP/1.1\r\n\r\n"), 400},
        {SPAN("GET http://a/ HTTP/1.1 \r\n\r\n"), 400},
        {SPAN("GET http://a/ FTP/1.1\r\n\r\n"), 400},
        {SPAN("GET http://a/ HTTP/2.0\r\n\r\n"), 505},
        {SPAN("GET http://a/ HTTP/1.2\r\n\r\n"), 505},
        {SPAN("G(T http://a/ HTTP/1.1\r\n\r\n"), 400},
        {SPAN("TRACE http://a/ HTTP/1.1\r\n\r\n"), 405},
        {SPAN("CONNECT a HTTP/1.1\r\n\r\n"), 400},
        {SPAN("CONNECT a:0 HTTP/1.1\r\n\r\n"), 400},
        {SPAN("CONNECT http://a:80/ HTTP/1.1\r\n\r\n"), 400},
        {SPAN("CONNECT a:80 HTTP/1.1\r\nA : b\r\n\r\n"), 400},
        {SPAN("CONNECT a:80 HTTP/1.1\r\nA\r\n\r\n"), 400},
        {SPAN("CONNECT a:80 HTTP/1.1\r\nA: b\r\n c\r\n\r\n"), 400},
        {SPAN("CONNECT a:80 HTTP/1.1\r\nA: b\nC: d\r\n\r\n"), 400},
        {SPAN("CONNECT a:80 HTTP/1.1\r\nA: b\rC: d\r\n\r\n"), 400},
        {SPAN("CONNECT a:80 HTTP/1.1\r\nA: b\0c\r\n\r\n"), 400},
        {SPAN("CONNECT a:80 HTTP/1.1\r\n: b\r\n\r\n"), 400},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(buf_deinit) struct buf head = BUF_INIT(1000), reply = BUF_INIT(1000);
        struct http_connect h;
        size_t used;
        int r = converse(&h, rows[i].in, 1, &used, &head);
        if (r != -EPROTO || h.status != rows[i].status)
            fail_msg("%s: %d %d", rows[i].in.p, r, h.status);
        assert_int_equal(head.len, 0);
        assert_int_equal(http_connect_refuse(&h, &reply), 0);
        assert_non_null(strstr(buf_cstr(&reply), "\r\nConnection: close\r\n"));
    }
}

static void put(char *dst, struct span text)
{
    memcpy(dst, text.p, text.len);
}

static void a_head_has_a_ceiling(void **state)
{
    static char in[HTTP_CONNECT_HEAD_MAX + 100] = "CONNECT a:80 HTTP/1.1\r\nX: ";
    _cleanup_(buf_deinit) struct buf head = BUF_INIT(1000);
    struct http_connect h;
    size_t used, start = strlen(in);
    memset(in + start, 'x', sizeof(in) - start);
    put(in + HTTP_CONNECT_HEAD_MAX - 4, SPAN("\r\n\r\n"));
    http_connect_init(&h);
    assert_int_equal(http_connect_feed(&h, in, HTTP_CONNECT_HEAD_MAX - 1, &used, &head), 0);
    assert_int_equal(http_connect_feed(&h, in, sizeof(in), &used, &head), 1);
    assert_int_equal(used, HTTP_CONNECT_HEAD_MAX);

    put(in + HTTP_CONNECT_HEAD_MAX - 4, SPAN("x\r\n\r\n"));
    http_connect_init(&h);
    assert_int_equal(http_connect_feed(&h, in, sizeof(in), &used, &head), -EPROTO);
    assert_int_equal(h.status, 431);
}

static void a_rewritten_head_that_does_not_fit_is_an_error(void **state)
{
    _cleanup_(buf_deinit) struct buf head = BUF_INIT(20);
    struct http_connect h;
    size_t used;
    assert_int_equal(converse(&h, SPAN("GET http://a/ HTTP/1.1\r\n\r\n"), 100, &used, &head),
                     -ENOBUFS);
    assert_int_equal(head.len, 0);
}

static void answers_tell_how_the_dial_ended(void **state)
{
    _cleanup_(buf_deinit) struct buf reply = BUF_INIT(2000);
    struct http_connect h = {.tunnel = true, .host = "db", .port = 5432};
    assert_int_equal(http_connect_reply(&h, DIAL_OK, NULL, &reply), 0);
    assert_string_equal(buf_cstr(&reply), "HTTP/1.1 200 Connection established\r\n\r\n");
    buf_clear(&reply);
    assert_int_equal(http_connect_reply(&h, DIAL_REFUSED, "x", &reply), 0);
    assert_string_equal(buf_cstr(&reply),
                        "HTTP/1.1 502 Bad Gateway\r\n"
                        "Proxy-Status: adit; error=connection_refused; details=\"x\"\r\n"
                        "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 34\r\n"
                        "Connection: close\r\n\r\nadit: db:5432: connection refused\n");
    static const struct {
        enum dial_result result;
        const char *line;
    } rows[] = {
        {DIAL_FORBIDDEN, "HTTP/1.1 403 "},
        {DIAL_TIMEOUT, "HTTP/1.1 504 "},
        {DIAL_UNAVAILABLE, "HTTP/1.1 503 "},
        {DIAL_NAME_NOT_FOUND, "HTTP/1.1 502 "},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        buf_clear(&reply);
        assert_int_equal(http_connect_reply(&h, rows[i].result, NULL, &reply), 0);
        assert_ptr_equal(strstr(buf_cstr(&reply), rows[i].line), buf_cstr(&reply));
    }
    buf_clear(&reply);
    h.tunnel = false;
    assert_int_equal(http_connect_reply(&h, DIAL_OK, NULL, &reply), 0);
    assert_int_equal(reply.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connect_names_its_target),
        cmocka_unit_test(plain_requests_are_rewritten_for_the_target),
        cmocka_unit_test(wrong_requests_are_refused),
        cmocka_unit_test(a_head_has_a_ceiling),
        cmocka_unit_test(a_rewritten_head_that_does_not_fit_is_an_error),
        cmocka_unit_test(answers_tell_how_the_dial_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
