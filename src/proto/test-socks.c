#include "proto/socks.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"

/* Feeds `in` in pieces of `step` bytes, as a connection would; unused bytes stay. */
static int converse(struct socks *s, struct span in, size_t step, size_t *ret_used,
                    struct buf *reply)
{
    size_t used = 0;
    for (size_t end = step;; end += step) {
        size_t n, upto = end < in.len ? end : in.len;
        int r = socks_feed(s, in.p + used, upto - used, &n, reply);
        used += n;
        *ret_used = used;
        if (r != 0 || upto == in.len)
            return r;
    }
}

#define HELLO   "\5\1\0"
#define CONNECT HELLO "\5\1\0"
#define NAME253                                                                                    \
    "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgg."                              \
    "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgg."                              \
    "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgg."                              \
    "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg."

static void requests_are_read_whole_and_byte_by_byte(void **state)
{
    static const struct {
        struct span in;
        int version;
        enum socks_command command;
        const char *host;
        uint16_t port;
        size_t left; /* bytes behind the request */
    } rows[] = {
        {SPAN("\4\1\0\120\12\0\0\1u\0"), 4, SOCKS_CONNECT, "10.0.0.1", 80, 0},
        {SPAN("\4\1\0\120\12\0\0\1\0GET"), 4, SOCKS_CONNECT, "10.0.0.1", 80, 3},
        {SPAN("\4\1\0\120\0\0\0\1u\0ex.org\0hi"), 4, SOCKS_CONNECT, "ex.org", 80, 2},
        {SPAN("\4\1\377\377\0\0\0\377\0a\0"), 4, SOCKS_CONNECT, "a", 65535, 0},
        {SPAN("\4\1\0\120\0\0\0\0\0"), 4, SOCKS_CONNECT, "0.0.0.0", 80, 0},
        {SPAN(CONNECT "\1\12\0\0\1\0\120"), 5, SOCKS_CONNECT, "10.0.0.1", 80, 0},
        {SPAN(CONNECT "\3\6Ex.org\0\120xyz"), 5, SOCKS_CONNECT, "ex.org", 80, 3},
        {SPAN(CONNECT "\3\3::1\0\120"), 5, SOCKS_CONNECT, "::1", 80, 0},
        {SPAN(CONNECT "\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\377\377"), 5, SOCKS_CONNECT, "::1", 65535,
         0},
        {SPAN(CONNECT "\3\375" NAME253 "\0\1"), 5, SOCKS_CONNECT, NULL, 1, 0},
        {SPAN("\5\3\1\2\0\5\3\0\1\0\0\0\0\0\0"), 5, SOCKS_UDP_ASSOCIATE, "0.0.0.0", 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t step = 1; step <= rows[i].in.len; step++) {
            _cleanup_(buf_deinit) struct buf reply = BUF_INIT(SOCKS_REPLY_MAX);
            struct socks s;
            size_t used;
            socks_init(&s);
            assert_int_equal(converse(&s, rows[i].in, step, &used, &reply), 1);
            assert_int_equal(s.version, rows[i].version);
            assert_int_equal(s.command, rows[i].command);
            if (rows[i].host)
                assert_string_equal(s.host, rows[i].host);
            assert_int_equal(s.port, rows[i].port);
            assert_int_equal(used, rows[i].in.len - rows[i].left);
            if (s.version == 5)
                assert_memory_equal(buf_data(&reply), "\5\0", 2);
            assert_int_equal(reply.len, s.version == 5 ? 2 : 0);
        }
    }
}

static void wrong_requests_are_answered_and_refused(void **state)
{
    static const char long_user[300] = "\4\1\0\120\12\0\0\1uuu";
    char user[300];
    memset(user, 'u', sizeof(user));
    memcpy(user, long_user, 8);
    const struct {
        struct span in, reply;
    } rows[] = {
        {SPAN("\6"), SPAN("")},
        {SPAN("GET / HTTP/1.1"), SPAN("")},
        {SPAN("\5\0"), SPAN("\5\377")},
        {SPAN("\5\1\2"), SPAN("\5\377")},
        {SPAN("\5\2\1\2"), SPAN("\5\377")},
        {SPAN(HELLO "\4"), SPAN("\5\0\5\1\0\1\0\0\0\0\0\0")},
        {SPAN(HELLO "\5\2\0\1\1\1\1\1\0\1"), SPAN("\5\0\5\7\0\1\0\0\0\0\0\0")},
        {SPAN(HELLO "\5\1\0\2"), SPAN("\5\0\5\10\0\1\0\0\0\0\0\0")},
        {SPAN(CONNECT "\3\0\0\120"), SPAN("\5\0\5\4\0\1\0\0\0\0\0\0")},
        {SPAN(CONNECT "\3\3a b\0\120"), SPAN("\5\0\5\4\0\1\0\0\0\0\0\0")},
        {SPAN(CONNECT "\3\3a\0b\0\120"), SPAN("\5\0\5\4\0\1\0\0\0\0\0\0")},
        {SPAN(CONNECT "\3\5"
                      "127.1\0\120"),
         SPAN("\5\0\5\4\0\1\0\0\0\0\0\0")},
        {SPAN(CONNECT "\1\1\1\1\1\0\0"), SPAN("\5\0\5\1\0\1\0\0\0\0\0\0")},
        {SPAN("\4\2\0\120\12\0\0\1\0"), SPAN("\0\133\0\0\0\0\0\0")},
        {SPAN("\4\1\0\0\12\0\0\1\0"), SPAN("\0\133\0\0\0\0\0\0")},
        {SPAN("\4\1\0\120\0\0\0\1\0\0"), SPAN("\0\133\0\0\0\0\0\0")},
        {{user, sizeof(user)}, SPAN("\0\133\0\0\0\0\0\0")},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t step = 1; step <= rows[i].in.len; step++) {
            _cleanup_(buf_deinit) struct buf reply = BUF_INIT(SOCKS_REPLY_MAX);
            struct socks s;
            size_t used;
            socks_init(&s);
            assert_int_equal(converse(&s, rows[i].in, step, &used, &reply), -EPROTO);
            assert_int_equal(reply.len, rows[i].reply.len);
            assert_memory_equal(buf_data(&reply), rows[i].reply.p, reply.len);
            assert_int_equal(socks_feed(&s, "\5\1\0", 3, &used, &reply), -EPROTO);
        }
    }
}

static void every_result_has_its_reply(void **state)
{
    static const struct {
        enum dial_result result;
        unsigned char code;
    } rows[] = {
        {DIAL_OK, 0},        {DIAL_INTERNAL, 1},    {DIAL_LIMIT, 1},
        {DIAL_FORBIDDEN, 2}, {DIAL_UNREACHABLE, 4}, {DIAL_NAME_NOT_FOUND, 4},
        {DIAL_TIMEOUT, 4},   {DIAL_REFUSED, 5},     {DIAL_UNSUPPORTED, 7},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf reply = BUF_INIT(SOCKS_REPLY_MAX);
        struct socks s = {.version = 5};
        assert_int_equal(socks_reply(&s, rows[i].result, NULL, 0, &reply), 0);
        assert_int_equal(reply.len, 10);
        assert_int_equal(buf_data(&reply)[1], rows[i].code);
        buf_clear(&reply);
        s.version = 4;
        assert_int_equal(socks_reply(&s, rows[i].result, NULL, 0, &reply), 0);
        assert_int_equal(reply.len, 8);
        assert_int_equal(buf_data(&reply)[1], rows[i].code == 0 ? 90 : 91);
        buf_deinit(&reply);
    }
}

static void a_reply_names_the_bound_address(void **state)
{
    _cleanup_(buf_deinit) struct buf reply = BUF_INIT(SOCKS_REPLY_MAX);
    struct socks s = {.version = 5};
    assert_int_equal(socks_reply(&s, DIAL_OK, "127.0.0.1", 258, &reply), 0);
    assert_int_equal(reply.len, 10);
    assert_memory_equal(buf_data(&reply), "\5\0\0\1\177\0\0\1\1\2", 10);
    buf_clear(&reply);
    assert_int_equal(socks_reply(&s, DIAL_OK, "::1", 258, &reply), 0);
    assert_int_equal(reply.len, 22);
    assert_memory_equal(buf_data(&reply), "\5\0\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\1\2", 22);
}

static void datagrams_survive_a_round_trip(void **state)
{
    static const char *const hosts[] = {"10.1.2.3", "fd00::7", "ex.org"};
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        unsigned char packet[SOCKS_HEADER_MAX + 5];
        struct socks_datagram d;
        ssize_t n = socks_datagram_header(hosts[i], 53, packet);
        assert_true(n > 0);
        memset(packet + n, 'h', 5);
        assert_int_equal(socks_datagram_parse(packet, (size_t)n + 5, &d), 0);
        assert_string_equal(d.host, hosts[i]);
        assert_int_equal(d.port, 53);
        assert_true(span_is(d.payload, "hhhhh"));
        assert_int_equal(socks_datagram_parse(packet, (size_t)n, &d), 0);
        assert_int_equal(d.payload.len, 0);
        for (size_t cut = 0; cut < (size_t)n; cut++)
            assert_int_equal(socks_datagram_parse(packet, cut, &d), -EINVAL);
    }
}

static void fragments_and_broken_datagrams_are_refused(void **state)
{
    static const struct span rows[] = {
        SPAN("\0\0\1\1\12\0\0\1\0\120x"), SPAN("\0\1\0\1\12\0\0\1\0\120x"),
        SPAN("\0\0\0\2\12\0\0\1\0\120x"), SPAN("\0\0\0\1\12\0\0\1\0\0x"),
        SPAN("\0\0\0\3\0\0\120x"),        SPAN(""),
    };
    struct socks_datagram d;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(socks_datagram_parse(rows[i].p, rows[i].len, &d), -EINVAL);
    unsigned char header[SOCKS_HEADER_MAX];
    assert_int_equal(socks_datagram_header("a b", 1, header), -EINVAL);
}

static void the_first_byte_tells_the_protocol(void **state)
{
    assert_int_equal(proxy_protocol_of(4), PROXY_SOCKS4);
    assert_int_equal(proxy_protocol_of(5), PROXY_SOCKS5);
    assert_int_equal(proxy_protocol_of('C'), PROXY_HTTP);
    assert_int_equal(proxy_protocol_of('g'), PROXY_HTTP);
    assert_int_equal(proxy_protocol_of(0x16), PROXY_UNKNOWN);
    assert_int_equal(proxy_protocol_of(0), PROXY_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_read_whole_and_byte_by_byte),
        cmocka_unit_test(wrong_requests_are_answered_and_refused),
        cmocka_unit_test(every_result_has_its_reply),
        cmocka_unit_test(a_reply_names_the_bound_address),
        cmocka_unit_test(datagrams_survive_a_round_trip),
        cmocka_unit_test(fragments_and_broken_datagrams_are_refused),
        cmocka_unit_test(the_first_byte_tells_the_protocol),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
