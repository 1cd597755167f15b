#include "auth/limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

static struct limit *limit_of(unsigned burst, usec_t refill, size_t max)
{
    return limit_new(&(struct limit_options){.burst = burst, .refill = refill, .max_entries = max});
}

static void a_burst_passes_and_the_next_waits(void **state)
{
    struct limit *l = limit_of(3, 100, 10);
    for (int i = 0; i < 3; i++)
        assert_int_equal(limit_take(l, "a", 1000), 0);
    assert_int_equal(limit_take(l, "a", 1000), 100);
    assert_int_equal(limit_take(l, "a", 1040), 60);
    assert_int_equal(limit_take(l, "b", 1040), 0);
    assert_int_equal(limit_take(l, "a", 1100), 0);
    assert_int_equal(limit_take(l, "a", 1100), 100);
    assert_int_equal(limit_refused(l), 3);
    limit_free(l);
}

static void a_rest_fills_the_bucket_and_no_more(void **state)
{
    struct limit *l = limit_of(3, 100, 10);
    assert_int_equal(limit_take(l, "a", 0), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(limit_take(l, "a", 1000000), 0);
    assert_int_equal(limit_take(l, "a", 1000000), 100);
    limit_free(l);
}

static void a_success_starts_afresh(void **state)
{
    struct limit *l = limit_of(2, 100, 10);
    limit_take(l, "a", 0);
    limit_take(l, "a", 0);
    limit_reset(l, "a");
    limit_reset(l, "unknown");
    assert_int_equal(limit_len(l), 0);
    assert_int_equal(limit_take(l, "a", 0), 0);
    assert_int_equal(limit_take(l, "a", 0), 0);
    assert_int_equal(limit_take(l, "a", 0), 100);
    limit_free(l);
}

static void what_is_given_back_can_be_taken_once(void **state)
{
    struct limit *l = limit_of(2, 100, 10);
    limit_take(l, "a", 0);
    limit_take(l, "a", 0);
    limit_give_back(l, "a");
    limit_give_back(l, "unknown");
    assert_int_equal(limit_len(l), 1);
    assert_int_equal(limit_take(l, "a", 0), 0);
    assert_int_equal(limit_take(l, "a", 0), 100);
    /* No more than full. */
    for (int i = 0; i < 5; i++)
        limit_give_back(l, "a");
    assert_int_equal(limit_take(l, "a", 0), 0);
    assert_int_equal(limit_take(l, "a", 0), 0);
    assert_int_equal(limit_take(l, "a", 0), 100);
    limit_free(l);
}

static void made_up_names_do_not_push_out_the_one_under_attack(void **state)
{
    struct limit *l = limit_of(5, 1000000, 20);
    for (int i = 0; i < 5; i++)
        assert_int_equal(limit_take(l, "victim", 0), 0);
    assert_true(limit_take(l, "victim", 0) > 0);
    for (int i = 0; i < 10000; i++) {
        char name[16];
        snprintf(name, sizeof(name), "n%d", i);
        limit_take(l, name, 1);
        assert_true(limit_len(l) <= 20);
    }
    assert_true(limit_take(l, "victim", 1) > 0);
    limit_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_passes_and_the_next_waits),
        cmocka_unit_test(a_rest_fills_the_bucket_and_no_more),
        cmocka_unit_test(a_success_starts_afresh),
        cmocka_unit_test(what_is_given_back_can_be_taken_once),
        cmocka_unit_test(made_up_names_do_not_push_out_the_one_under_attack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
