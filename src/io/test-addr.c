#include "io/addr.h"

#include "io/test_help.h"

static void addresses_are_read_and_written(void **state)
{
    static const struct {
        const char *ip;
        const char *text; /* NULL: refused */
        bool loopback;
        bool any;
    } cases[] = {
        {"127.0.0.1", "127.0.0.1:80", true, false},
        {"127.9.9.9", "127.9.9.9:80", true, false},
        {"128.0.0.1", "128.0.0.1:80", false, false},
        {"0.0.0.0", "0.0.0.0:80", false, true},
        {"::", "[::]:80", false, true},
        {"::1", "[::1]:80", true, false},
        {"::ffff:127.0.0.1", "[::ffff:127.0.0.1]:80", true, false},
        {"::ffff:10.0.0.1", "[::ffff:10.0.0.1]:80", false, false},
        {"2001:DB8::1", "[2001:db8::1]:80", false, false},
        {"fe80::1%1", "[fe80::1%1]:80", false, false},
        {"localhost", NULL},
        {"[::1]", NULL},
        {"127.1", NULL},
        {"", NULL},
        {"::1%", NULL},
        {"::1%no-such-interface", NULL},
        {"1.2.3.4.5", NULL},
        {"11111111111111111111111111111111111111111111111111111111111111111111111111111", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct addr a;
        char text[ADDR_TEXT_LEN];
        int r = addr_from_ip(cases[i].ip, 80, &a);
        assert_int_equal(r, cases[i].text ? 0 : -EINVAL);
        if (r < 0)
            continue;
        assert_string_equal(addr_format(&a, text), cases[i].text);
        assert_int_equal(addr_is_loopback(&a), cases[i].loopback);
        assert_int_equal(addr_is_any(&a), cases[i].any);
        addr_set_port(&a, 65535);
        assert_int_equal(addr_port(&a), 65535);
    }
}

static void a_path_has_a_longest_length(void **state)
{
    struct addr a;
    char text[ADDR_TEXT_LEN], path[109];
    assert_int_equal(addr_from_path("/run/x.sock", &a), 0);
    assert_string_equal(addr_format(&a, text), "/run/x.sock");
    assert_true(addr_is_loopback(&a));
    memset(path, 'x', 108);
    path[108] = '\0';
    assert_int_equal(addr_from_path(path, &a), -ENAMETOOLONG);
    path[107] = '\0';
    assert_int_equal(addr_from_path(path, &a), 0);
    assert_string_equal(addr_format(&a, text), path);
}

static void equality_is_of_address_and_port(void **state)
{
    struct addr a, b;
    addr_from_ip("::1", 1, &a);
    addr_from_ip("::1", 2, &b);
    assert_false(addr_equal(&a, &b));
    addr_set_port(&b, 1);
    assert_true(addr_equal(&a, &b));
    addr_from_ip("127.0.0.1", 1, &b);
    assert_false(addr_equal(&a, &b));
    addr_from_path("/a", &a);
    addr_from_path("/b", &b);
    assert_false(addr_equal(&a, &b));
}

TEST_MAIN(cmocka_unit_test(addresses_are_read_and_written),
          cmocka_unit_test(a_path_has_a_longest_length),
          cmocka_unit_test(equality_is_of_address_and_port));
