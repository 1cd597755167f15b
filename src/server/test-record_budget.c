#include "server/record_budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

static const usec_t start = 1000 * USEC_PER_SEC;

static struct id id_number(unsigned n)
{
    struct id id = {0};

    id.bytes[0] = (unsigned char)(n >> 8);
    id.bytes[1] = (unsigned char)n;
    id.bytes[15] = 1;
    return id;
}

static void a_burst_passes_and_then_the_rate_holds(void **state)
{
    struct record_budget *b = record_budget_new();
    struct id one = id_number(1), other = id_number(2);

    (void)state;
    for (int i = 0; i < RECORD_BURST / 1000; i++)
        assert_int_equal(record_budget_take(b, &one, 1000, start), 0);
    assert_int_equal(record_budget_take(b, &one, RECORD_RATE, start), USEC_PER_SEC);
    assert_int_equal(record_budget_take(b, &other, 1000, start), 0);
    /* Who waits as told goes on at the rate, and never faster. */
    assert_int_equal(record_budget_take(b, &one, RECORD_RATE, start + USEC_PER_SEC), USEC_PER_SEC);
    record_budget_free(b);
}

static void silence_refills_up_to_the_burst_and_no_further(void **state)
{
    struct record_budget *b = record_budget_new();
    struct id one = id_number(1);

    (void)state;
    record_budget_take(b, &one, RECORD_BURST, start);
    assert_int_equal(record_budget_take(b, &one, RECORD_BURST, start + USEC_PER_DAY), 0);
    assert_true(record_budget_take(b, &one, 1, start + USEC_PER_DAY) > 0);
    record_budget_free(b);
}

static void many_agents_do_not_push_out_one_that_waits(void **state)
{
    struct record_budget *b = record_budget_new();
    struct id greedy = id_number(0);

    (void)state;
    assert_true(record_budget_take(b, &greedy, RECORD_BURST + RECORD_RATE, start) > 0);
    for (unsigned i = 1; i <= 2 * RECORD_BUDGET_AGENTS; i++) {
        struct id one = id_number(i);
        assert_int_equal(record_budget_take(b, &one, 1, start), 0);
    }
    assert_true(record_budget_take(b, &greedy, 1, start) > 0);
    record_budget_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_passes_and_then_the_rate_holds),
        cmocka_unit_test(silence_refills_up_to_the_burst_and_no_further),
        cmocka_unit_test(many_agents_do_not_push_out_one_that_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
