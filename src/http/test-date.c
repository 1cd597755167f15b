/* The Date field's text. */
#include "http/date.h"

#include "http/test_help.h"

static void expect_date(usec_t seconds, const char *expected)
{
    struct span text = http_date(seconds * USEC_PER_SEC);
    assert_int_equal(text.len, strlen(expected));
    assert_memory_equal(text.p, expected, text.len);
}

static void a_date_has_the_fixed_form(void **state)
{
    expect_date(784111777, "Sun, 06 Nov 1994 08:49:37 GMT");
    expect_date(0, "Thu, 01 Jan 1970 00:00:00 GMT");
}

static void each_second_has_its_own(void **state)
{
    expect_date(784111777, "Sun, 06 Nov 1994 08:49:37 GMT");
    expect_date(784111777, "Sun, 06 Nov 1994 08:49:37 GMT");
    expect_date(784111778, "Sun, 06 Nov 1994 08:49:38 GMT");
    expect_date(784111777, "Sun, 06 Nov 1994 08:49:37 GMT");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_date_has_the_fixed_form),
        cmocka_unit_test(each_second_has_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
