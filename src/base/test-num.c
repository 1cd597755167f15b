#include "base/num.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"

static void decimals_are_read_within_their_range(void **state)
{
    static const struct {
        const char *text;
        uint64_t min, max;
        int r;
        uint64_t value;
    } rows[] = {
        {"0", 0, 10, 0, 0},
        {"10", 0, 10, 0, 10},
        {"007", 0, 10, 0, 7},
        {"11", 0, 10, -ERANGE, 0},
        {"4", 5, 10, -ERANGE, 0},
        {"18446744073709551615", 0, UINT64_MAX, 0, UINT64_MAX},
        {"18446744073709551616", 0, UINT64_MAX, -ERANGE, 0},
        {"99999999999999999999999999", 0, UINT64_MAX, -ERANGE, 0},
        {"18446744073709551616x", 0, UINT64_MAX, -EINVAL, 0},
        {"", 0, 10, -EINVAL, 0},
        {" 1", 0, 10, -EINVAL, 0},
        {"1 ", 0, 10, -EINVAL, 0},
        {"+1", 0, 10, -EINVAL, 0},
        {"-1", 0, 10, -EINVAL, 0},
        {"0x1", 0, 10, -EINVAL, 0},
        {"1.0", 0, 10, -EINVAL, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t value = 4711;
        int r = num_parse(span_of(rows[i].text), rows[i].min, rows[i].max, &value);
        assert_int_equal(r, rows[i].r);
        assert_int_equal(value, r == 0 ? rows[i].value : 4711);
    }
}

static void hexadecimals_have_up_to_sixteen_digits(void **state)
{
    uint64_t v = 0;
    assert_int_equal(num_parse_hex(SPAN("ff"), 255, &v), 0);
    assert_int_equal(v, 255);
    assert_int_equal(num_parse_hex(SPAN("Ff"), 254, &v), -ERANGE);
    assert_int_equal(num_parse_hex(SPAN("ffffffffffffffff"), UINT64_MAX, &v), 0);
    assert_true(v == UINT64_MAX);
    assert_int_equal(num_parse_hex(SPAN("00000000000000001"), UINT64_MAX, &v), -EINVAL);
    assert_int_equal(num_parse_hex(SPAN(""), 255, &v), -EINVAL);
    assert_int_equal(num_parse_hex(SPAN("0x1"), 255, &v), -EINVAL);
    assert_int_equal(num_parse_hex(SPAN("g"), 255, &v), -EINVAL);
}

static void ports_are_1_to_65535(void **state)
{
    uint16_t port = 0;
    assert_int_equal(num_parse_port(SPAN("1"), false, &port), 0);
    assert_int_equal(num_parse_port(SPAN("65535"), false, &port), 0);
    assert_int_equal(port, 65535);
    assert_int_equal(num_parse_port(SPAN("65536"), false, &port), -ERANGE);
    assert_int_equal(num_parse_port(SPAN("0"), false, &port), -ERANGE);
    assert_int_equal(num_parse_port(SPAN("0"), true, &port), 0);
    assert_int_equal(port, 0);
}

static void durations_need_a_unit(void **state)
{
    static const struct {
        const char *text;
        int r;
        uint64_t sec;
    } rows[] = {
        {"90s", 0, 90},
        {"15m", 0, 900},
        {"2h", 0, 7200},
        {"7d", 0, 604800},
        {"0s", 0, 0},
        {"8d", -ERANGE, 0},
        {"605000s", -ERANGE, 0},
        {"99999999999999999999d", -ERANGE, 0},
        {"", -EINVAL, 0},
        {"s", -EINVAL, 0},
        {"90", -EINVAL, 0},
        {"1w", -EINVAL, 0},
        {"-1s", -EINVAL, 0},
        {"1 s", -EINVAL, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t sec = 0;
        assert_int_equal(num_parse_duration(span_of(rows[i].text), 604800, &sec), rows[i].r);
        assert_int_equal(sec, rows[i].sec);
    }
}

static void numbers_become_digits_and_back(void **state)
{
    static const struct {
        uint64_t n;
        const char *text;
    } rows[] = {
        {0, "0"}, {9, "9"}, {10, "10"}, {65535, "65535"}, {UINT64_MAX, "18446744073709551615"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char room[NUM_TEXT_SIZE];
        struct span text = num_format(rows[i].n, room);
        assert_true(span_is(text, rows[i].text));
        assert_true(text.p >= room && text.p + text.len == room + sizeof(room));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_become_digits_and_back),
        cmocka_unit_test(decimals_are_read_within_their_range),
        cmocka_unit_test(hexadecimals_have_up_to_sixteen_digits),
        cmocka_unit_test(ports_are_1_to_65535),
        cmocka_unit_test(durations_need_a_unit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
