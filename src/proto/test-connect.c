#include "proto/connect_listen.h"
#include "proto/connect_udp.h"
#include "proto/connect_unix.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"

#define UDP  "/.well-known/masque/udp/"
#define UNIX "/.well-known/masque/unix/"
#define ID   "00112233445566778899aabbccddeeff"

static void udp_paths_survive_a_round_trip(void **state)
{
    static const char *const rows[][2] = {
        {"192.0.2.6", UDP "192.0.2.6/443/"},
        {"target.example.com", UDP "target.example.com/443/"},
        {"2001:db8::42", UDP "2001%3Adb8%3A%3A42/443/"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(buf_deinit) struct buf path = BUF_INIT(500);
        struct hostport target;
        assert_int_equal(connect_udp_format(rows[i][0], 443, &path), 0);
        assert_string_equal(buf_cstr(&path), rows[i][1]);
        assert_int_equal(connect_udp_parse(span_of(rows[i][1]), &target), 0);
        assert_string_equal(target.host, rows[i][0]);
        assert_int_equal(target.port, 443);
    }
}

static void wrong_udp_paths_are_refused(void **state)
{
    static const struct {
        const char *path;
        int expected;
    } rows[] = {
        {"/x", -ENOENT},
        {"", -ENOENT},
        {UDP, -EINVAL},
        {UDP "a/1", -EINVAL},
        {UDP "a/1/x", -EINVAL},
        {UDP "a/1//", -EINVAL},
        {UDP "/1/", -EINVAL},
        {UDP "a/0/", -EINVAL},
        {UDP "a/65536/", -EINVAL},
        {UDP "a//", -EINVAL},
        {UDP "a%2/1/", -EINVAL},
        {UDP "a%00/1/", -EINVAL},
        {UDP "a%2Fb/1/", -EINVAL},
        {UDP "[::1]/1/", -EINVAL},
        {UDP "a b/1/", -EINVAL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct hostport target;
        assert_int_equal(connect_udp_parse(span_of(rows[i].path), &target), rows[i].expected);
    }
}

static void unix_paths_survive_a_round_trip(void **state)
{
    static const char *const rows[][2] = {
        {"/run/x.sock", UNIX "%2Frun%2Fx.sock/"},
        {"rel", UNIX "rel/"},
        {"/a b%/\xc3\xa4", UNIX "%2Fa%20b%25%2F%C3%A4/"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(buf_deinit) struct buf path = BUF_INIT(500);
        char got[UNIX_PATH_SIZE];
        assert_int_equal(connect_unix_format(rows[i][0], &path), 0);
        assert_string_equal(buf_cstr(&path), rows[i][1]);
        assert_int_equal(connect_unix_parse(span_of(rows[i][1]), got), 0);
        assert_string_equal(got, rows[i][0]);
    }
}

static void wrong_unix_paths_are_refused(void **state)
{
    char path[400] = UNIX, got[UNIX_PATH_SIZE];
    size_t start = strlen(path);
    memset(path + start, 'x', UNIX_PATH_MAX_LEN + 1);
    str_copy(path + start + UNIX_PATH_MAX_LEN, 2, "/");
    assert_int_equal(connect_unix_parse(span_of(path), got), 0);
    str_copy(path + start + UNIX_PATH_MAX_LEN, 3, "x/");
    assert_int_equal(connect_unix_parse(span_of(path), got), -EINVAL);

    assert_int_equal(connect_unix_parse(SPAN("/other/"), got), -ENOENT);
    assert_int_equal(connect_unix_parse(SPAN(UNIX), got), -EINVAL);
    assert_int_equal(connect_unix_parse(SPAN(UNIX "/"), got), -EINVAL);
    assert_int_equal(connect_unix_parse(SPAN(UNIX "a"), got), -EINVAL);
    assert_int_equal(connect_unix_parse(SPAN(UNIX "a/b/"), got), -EINVAL);
    assert_int_equal(connect_unix_parse(SPAN(UNIX "a%00b/"), got), -EINVAL);
    assert_int_equal(connect_unix_parse(SPAN(UNIX "a%0Ab/"), got), -EINVAL);

    struct buf out = BUF_INIT(100);
    assert_int_equal(connect_unix_format("", &out), -EINVAL);
    assert_int_equal(connect_unix_format("a\nb", &out), -EINVAL);
    assert_int_equal(out.len, 0);
}

static void listen_requests_survive_a_round_trip(void **state)
{
    static const struct {
        struct listen_request req;
        const char *path;
    } rows[] = {
        {{.port = 0}, "/listen?network=tcp&port=0"},
        {{.bind = "*", .port = 65535}, "/listen?network=tcp&bind=%2A&port=65535"},
        {{.bind = "localhost", .port = 1}, "/listen?network=tcp&bind=localhost&port=1"},
        {{.bind = "::1", .port = 80}, "/listen?network=tcp&bind=%3A%3A1&port=80"},
        {{.bind = "10.0.0.1", .port = 80}, "/listen?network=tcp&bind=10.0.0.1&port=80"},
        {{.path = "/run/x y"}, "/listen?network=unix&path=%2Frun%2Fx%20y"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(buf_deinit) struct buf path = BUF_INIT(500);
        struct listen_request got;
        assert_int_equal(listen_request_format(&rows[i].req, &path), 0);
        assert_string_equal(buf_cstr(&path), rows[i].path);
        assert_int_equal(listen_request_parse(span_of(rows[i].path), &got), 0);
        assert_string_equal(got.bind, rows[i].req.bind);
        assert_string_equal(got.path, rows[i].req.path);
        assert_int_equal(got.port, rows[i].req.port);
    }
}

static void wrong_listen_requests_are_refused(void **state)
{
    static const struct {
        const char *path;
        int expected;
    } rows[] = {
        {"/", -ENOENT},
        {"/listener?network=tcp&port=1", -ENOENT},
        {"/listen", -EINVAL},
        {"/listen?", -EINVAL},
        {"/listen?port=1", -EINVAL},
        {"/listen?network=sctp&port=1", -EINVAL},
        {"/listen?network=tcp", -EINVAL},
        {"/listen?network=tcp&port=65536", -EINVAL},
        {"/listen?network=tcp&port=x", -EINVAL},
        {"/listen?network=tcp&port=1&bind=", -EINVAL},
        {"/listen?network=tcp&port=1&bind=example.com", -EINVAL},
        {"/listen?network=tcp&port=1&bind=127.1", -EINVAL},
        {"/listen?network=tcp&port=1&bind=%zz", -EINVAL},
        {"/listen?network=unix", -EINVAL},
        {"/listen?network=unix&path=", -EINVAL},
        {"/listen?network=unix&path=%00", -EINVAL},
        {"/listen?network=unix&path=a%0a", -EINVAL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct listen_request got;
        assert_int_equal(listen_request_parse(span_of(rows[i].path), &got), rows[i].expected);
    }
}

static void accept_requests_survive_a_round_trip(void **state)
{
    _cleanup_(buf_deinit) struct buf path = BUF_INIT(500);
    struct id id, got;
    assert_int_equal(id_parse(SPAN(ID), &id), 0);
    assert_int_equal(accept_request_format(&id, &path), 0);
    assert_string_equal(buf_cstr(&path), "/accept?id=" ID);
    assert_int_equal(accept_request_parse(span_of(buf_cstr(&path)), &got), 0);
    assert_true(id_equal(&id, &got));
    assert_int_equal(accept_request_parse(SPAN("/accept?id=12"), &got), -EINVAL);
    assert_int_equal(accept_request_parse(SPAN("/accept?x=" ID), &got), -EINVAL);
    assert_int_equal(accept_request_parse(SPAN("/accept?id=" ID "0"), &got), -EINVAL);
    assert_int_equal(accept_request_parse(SPAN("/accepted?id=" ID), &got), -ENOENT);
}

static void announcements_are_read_line_by_line(void **state)
{
    static const char lines[] = "bound 8080\nfuture thing\naccepted " ID " [::1]:99\n"
                                "accepted " ID " -\nwithdrawn " ID "\n";
    size_t len = sizeof(lines) - 1;
    for (size_t step = 1; step <= len; step++) {
        _cleanup_(buf_deinit) struct buf again = BUF_INIT(500);
        size_t used = 0;
        for (size_t upto = step;; upto += step) {
            if (upto > len)
                upto = len;
            struct listen_event event;
            size_t n;
            while (listen_event_next(lines + used, upto - used, &n, &event) == 1) {
                used += n;
                assert_int_equal(listen_event_format(&event, &again), 0);
            }
            used += n;
            if (upto == len)
                break;
        }
        assert_int_equal(used, len);
        assert_string_equal(buf_cstr(&again), "bound 8080\naccepted " ID " [::1]:99\naccepted " ID
                                              " -\nwithdrawn " ID "\n");
    }
}

static void broken_announcements_are_refused(void **state)
{
    static const char *const rows[] = {
        "bound\n",
        "bound x\n",
        "bound 65536\n",
        "bound 1 2\n",
        "accepted\n",
        "accepted " ID "\n",
        "accepted " ID " a\n",
        "accepted x a:1\n",
        "accepted " ID " \n",
        "withdrawn\n",
        "accepted " ID " a:1 x\n",
        "withdrawn " ID " \n",
    };
    struct listen_event event;
    size_t used;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(listen_event_next(rows[i], strlen(rows[i]), &used, &event), -EPROTO);

    char line[LISTEN_LINE_MAX + 1];
    memset(line, 'x', sizeof(line));
    assert_int_equal(listen_event_next(line, LISTEN_LINE_MAX - 1, &used, &event), 0);
    assert_int_equal(listen_event_next(line, LISTEN_LINE_MAX, &used, &event), -EPROTO);
    line[LISTEN_LINE_MAX] = '\n';
    assert_int_equal(listen_event_next(line, LISTEN_LINE_MAX + 1, &used, &event), -EPROTO);
    line[LISTEN_LINE_MAX - 1] = '\n';
    assert_int_equal(listen_event_next(line, LISTEN_LINE_MAX, &used, &event), 0);
    assert_int_equal(used, LISTEN_LINE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(udp_paths_survive_a_round_trip),
        cmocka_unit_test(wrong_udp_paths_are_refused),
        cmocka_unit_test(unix_paths_survive_a_round_trip),
        cmocka_unit_test(wrong_unix_paths_are_refused),
        cmocka_unit_test(listen_requests_survive_a_round_trip),
        cmocka_unit_test(wrong_listen_requests_are_refused),
        cmocka_unit_test(accept_requests_survive_a_round_trip),
        cmocka_unit_test(announcements_are_read_line_by_line),
        cmocka_unit_test(broken_announcements_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
