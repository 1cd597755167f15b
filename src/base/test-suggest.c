#include "base/suggest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void typing_errors_are_one_step_away(void **state)
{
    assert_int_equal(suggest_distance("", ""), 0);
    assert_int_equal(suggest_distance("abc", "abc"), 0);
    assert_int_equal(suggest_distance("abc", "acb"), 1);
    assert_int_equal(suggest_distance("abc", "ab"), 1);
    assert_int_equal(suggest_distance("", "abc"), 3);
    assert_int_equal(suggest_distance("kitten", "sitting"), 3);

    struct suggest s = {0};
    suggest_offer(&s, "lsit", "login");
    suggest_offer(&s, "lsit", "list");
    suggest_offer(&s, "lsit", "logout");
    assert_string_equal(s.best, "list");
    struct suggest none = {0};
    suggest_offer(&none, "frobnicate", "list");
    assert_null(none.best);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(typing_errors_are_one_step_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
