#include "tunnel/dial_answer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/cleanup.h"

static void each_end_of_a_dial_has_its_answer(void **state)
{
    static const struct {
        enum dial_outcome outcome;
        int code;
        enum dial_result answer;
    } cases[] = {
        {DIAL_OUTCOME_OK, 0, DIAL_OK},
        {DIAL_OUTCOME_REFUSED, -ECONNREFUSED, DIAL_REFUSED},
        {DIAL_OUTCOME_REFUSED, -ENOENT, DIAL_NOT_FOUND},
        {DIAL_OUTCOME_TIMED_OUT, -ETIMEDOUT, DIAL_TIMEOUT},
        {DIAL_OUTCOME_NO_NAME, -ENOENT, DIAL_NAME_NOT_FOUND},
        {DIAL_OUTCOME_UNREACHABLE, -EHOSTUNREACH, DIAL_UNREACHABLE},
        {DIAL_OUTCOME_FAILED, -EACCES, DIAL_NOT_PERMITTED},
        {DIAL_OUTCOME_FAILED, 0, DIAL_INTERNAL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = {.code = cases[i].code};
        assert_int_equal(dial_answer(cases[i].outcome, &err), cases[i].answer);
    }
    assert_int_equal(dial_answer(DIAL_OUTCOME_REFUSED, NULL), DIAL_REFUSED);
    assert_int_equal(dial_answer(DIAL_OUTCOME_FAILED, NULL), DIAL_INTERNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_end_of_a_dial_has_its_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
