#include "base/clock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"

static void times_survive_a_round_trip(void **state)
{
    static const struct {
        const char *text;
        usec_t time;
    } rows[] = {
        {"1970-01-01T00:00:00.000Z", 0},
        {"1970-01-01T00:00:00.001Z", 1000},
        {"2001-09-09T01:46:40.000Z", 1000000000 * USEC_PER_SEC},
        {"2024-02-29T23:59:59.999Z", 1709251199 * USEC_PER_SEC + 999000},
        {"2038-01-19T03:14:08.000Z", 2147483648 * USEC_PER_SEC},
        {"9999-12-31T23:59:59.999Z", 253402300799 * USEC_PER_SEC + 999000},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[CLOCK_TEXT_LEN];
        usec_t time = -1;
        assert_string_equal(clock_format(rows[i].time, text), rows[i].text);
        assert_int_equal(clock_parse(rows[i].text, &time), 0);
        assert_true(time == rows[i].time);
    }
}

static void the_fraction_is_optional_and_of_any_length(void **state)
{
    usec_t time = -1;
    assert_int_equal(clock_parse("1970-01-01T00:00:01Z", &time), 0);
    assert_int_equal(time, 1000000);
    assert_int_equal(clock_parse("1970-01-01T00:00:01.5Z", &time), 0);
    assert_int_equal(time, 1500000);
    assert_int_equal(clock_parse("1970-01-01T00:00:01.123456789Z", &time), 0);
    assert_int_equal(time, 1123456);
}

static void what_is_no_time_is_refused(void **state)
{
    static const char *const rows[] = {
        "",
        "Z",
        "1970-01-01",
        "1970-01-01T00:00:00",
        "1970-01-01T00:00:00z",
        "1970-01-01T00:00:00.Z",
        "1970-01-01T00:00:00Zx",
        "1970-01-01T00:00:00+00:00",
        "1970-01-01 00:00:00Z",
        "1970-1-01T00:00:00Z",
        "1970- 1-01T00:00:00Z",
        "0070-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "2023-02-29T00:00:00Z",
        "2023-00-01T00:00:00Z",
        "2023-13-01T00:00:00Z",
        "2023-01-00T00:00:00Z",
        "2023-01-32T00:00:00Z",
        "2023-01-01T24:00:00Z",
        "2023-01-01T00:60:00Z",
        "2023-01-01T00:00:60Z",
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        usec_t time = 42;
        assert_int_equal(clock_parse(rows[i], &time), -EINVAL);
        assert_int_equal(time, 42);
    }
}

static void a_time_beyond_four_digit_years_is_moved(void **state)
{
    char text[CLOCK_TEXT_LEN];
    assert_string_equal(clock_format(-1, text), "1970-01-01T00:00:00.000Z");
    assert_string_equal(clock_format(INT64_MIN, text), "1970-01-01T00:00:00.000Z");
    assert_string_equal(clock_format(INT64_MAX, text), "9999-12-31T23:59:59.999Z");
}

static void the_monotonic_clock_never_goes_back(void **state)
{
    usec_t last = clock_monotonic();
    for (int i = 0; i < 1000; i++) {
        usec_t now = clock_monotonic();
        assert_true(now >= last);
        last = now;
    }
    assert_true(clock_realtime() > 1600000000 * USEC_PER_SEC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_survive_a_round_trip),
        cmocka_unit_test(the_fraction_is_optional_and_of_any_length),
        cmocka_unit_test(what_is_no_time_is_refused),
        cmocka_unit_test(a_time_beyond_four_digit_years_is_moved),
        cmocka_unit_test(the_monotonic_clock_never_goes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
