#include "proto/host.h"
#include "proto/hostport.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"

#define L63 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg"

static void hosts_are_told_apart(void **state)
{
    static const struct {
        struct span text;
        enum host_kind kind;
    } rows[] = {
        {SPAN("localhost"), HOST_NAME},
        {SPAN("a"), HOST_NAME},
        {SPAN("a.b-c.d_e"), HOST_NAME},
        {SPAN("example.com."), HOST_NAME},
        {SPAN("1.example"), HOST_NAME},
        {SPAN("0xzz"), HOST_NAME},
        {SPAN(L63 ".x"), HOST_NAME},
        {SPAN(L63 "." L63 "." L63 "."
                  "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeefffffffffff"),
         HOST_NAME},
        {SPAN(L63 "." L63 "." L63 "."
                  "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgg"),
         HOST_INVALID},
        {SPAN(L63 "h.x"), HOST_INVALID},
        {SPAN("127.0.0.1"), HOST_IPV4},
        {SPAN("0.0.0.0"), HOST_IPV4},
        {SPAN("::"), HOST_IPV6},
        {SPAN("fe80::1"), HOST_IPV6},
        {SPAN("::ffff:1.2.3.4"), HOST_IPV6},
        {SPAN(""), HOST_INVALID},
        {SPAN("."), HOST_INVALID},
        {SPAN(".a"), HOST_INVALID},
        {SPAN("a..b"), HOST_INVALID},
        {SPAN("a.."), HOST_INVALID},
        {SPAN("-a"), HOST_INVALID},
        {SPAN("a-"), HOST_INVALID},
        {SPAN("a b"), HOST_INVALID},
        {SPAN("a/b"), HOST_INVALID},
        {SPAN("a%41"), HOST_INVALID},
        {SPAN("a\0b"), HOST_INVALID},
        {SPAN("::1\0"), HOST_INVALID},
        {SPAN("\xc3\xa4"), HOST_INVALID},
        {SPAN("*"), HOST_INVALID},
        {SPAN("127.1"), HOST_INVALID},
        {SPAN("2130706433"), HOST_INVALID},
        {SPAN("0x7f000001"), HOST_INVALID},
        {SPAN("127.0.0.0x1"), HOST_INVALID},
        {SPAN("0x"), HOST_INVALID},
        {SPAN("127.0.0.01"), HOST_INVALID},
        {SPAN("127.0.0.256"), HOST_INVALID},
        {SPAN("127.0.0.1."), HOST_INVALID},
        {SPAN("1.2.3.4.5"), HOST_INVALID},
        {SPAN("[::1]"), HOST_INVALID},
        {SPAN("fe80::1%eth0"), HOST_INVALID},
        {SPAN("1:2"), HOST_INVALID},
        {SPAN(":::"), HOST_INVALID},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(host_kind_of(rows[i].text), rows[i].kind);
}

static void one_host_has_one_normal_form(void **state)
{
    static const char *const rows[][2] = {
        {"Example.COM.", "example.com"},   {"127.0.0.1", "127.0.0.1"}, {"FE80:0:0::1", "fe80::1"},
        {"::FFFF:127.0.0.1", "127.0.0.1"}, {"0:0:0:0:0:0:0:0", "::"},  {"1:0:0:2::", "1:0:0:2::"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char host[HOST_SIZE];
        assert_int_equal(host_normalize(span_of(rows[i][0]), host), 0);
        assert_string_equal(host, rows[i][1]);
    }
    char host[HOST_SIZE];
    assert_int_equal(host_normalize(SPAN("127.1"), host), -EINVAL);
}

static void loopback_is_recognised(void **state)
{
    static const char *const loopback[] = {"localhost",       "LocalHost.",  "a.localhost",
                                           "127.0.0.1",       "127.255.0.9", "::1",
                                           "::ffff:127.0.0.1"};
    static const char *const others[] = {"",    "128.0.0.1",     "0.0.0.0",           "::",
                                         "::2", "localhost.com", "127.0.0.1.example", "xlocalhost"};
    for (size_t i = 0; i < ARRAY_LEN(loopback); i++)
        assert_true(host_is_loopback(span_of(loopback[i])));
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        assert_false(host_is_loopback(span_of(others[i])));
}

static void authorities_are_parsed(void **state)
{
    static const struct {
        const char *text;
        uint16_t default_port;
        const char *expected; /* NULL: refused */
    } rows[] = {
        {"example.com:443", 0, "example.com:443"},
        {"Example.com", 80, "example.com:80"},
        {"example.com:", 80, "example.com:80"},
        {"[::1]:8080", 0, "[::1]:8080"},
        {"[::1]", 80, "[::1]:80"},
        {"127.0.0.1:1", 0, "127.0.0.1:1"},
        {"a:65535", 0, "a:65535"},
        {"a", 0, NULL},
        {"a:", 0, NULL},
        {"a:0", 80, NULL},
        {"a:65536", 80, NULL},
        {"a:-1", 80, NULL},
        {"a:80x", 80, NULL},
        {"a:80:80", 80, NULL},
        {"", 80, NULL},
        {":80", 80, NULL},
        {"::1", 80, NULL},
        {"::1:80", 80, NULL},
        {"[::1", 80, NULL},
        {"[::1]x", 80, NULL},
        {"[::1]80", 80, NULL},
        {"[a]:80", 80, NULL},
        {"[127.0.0.1]:80", 80, NULL},
        {"[]:80", 80, NULL},
        {"u@a:80", 80, NULL},
        {"a/b", 80, NULL},
        {" a", 80, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct hostport hp;
        char text[HOSTPORT_SIZE];
        int r = hostport_parse(span_of(rows[i].text), rows[i].default_port, &hp);
        assert_int_equal(r, rows[i].expected ? 0 : -EINVAL);
        if (r == 0)
            assert_string_equal(hostport_format(hp.host, hp.port, text), rows[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_are_told_apart),
        cmocka_unit_test(one_host_has_one_normal_form),
        cmocka_unit_test(loopback_is_recognised),
        cmocka_unit_test(authorities_are_parsed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
