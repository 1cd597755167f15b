#include "tunnel/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static usec_t most(struct backoff *b, usec_t now)
{
    /* The ceiling shows with a `random` whose remainder is the largest. */
    struct backoff copy = *b;
    usec_t found = 0;
    for (uint64_t r = 0; r <= BACKOFF_MOST_MS; r += 100) {
        copy = *b;
        usec_t wait = backoff_next(&copy, now, r);
        assert_true(wait >= BACKOFF_LEAST_MS * USEC_PER_MSEC);
        if (wait > found)
            found = wait;
    }
    *b = copy;
    return found;
}

static void the_ceiling_stays_low_at_first_and_then_grows_to_its_most(void **state)
{
    struct backoff b;
    backoff_init(&b);
    assert_true(most(&b, 0) <= BACKOFF_FIRST_MS * USEC_PER_MSEC);
    for (int i = 1; i < BACKOFF_QUICK_TRIES; i++)
        assert_true(most(&b, 0) <= BACKOFF_QUICK_MS * USEC_PER_MSEC);
    usec_t before = BACKOFF_QUICK_MS * USEC_PER_MSEC;
    for (int i = 0; i < 3; i++) {
        usec_t now = most(&b, 0);
        assert_true(now > before);
        before = now;
    }
    for (int i = 0; i < 100; i++)
        assert_true(most(&b, 0) <= BACKOFF_MOST_MS * USEC_PER_MSEC);
    assert_true(most(&b, 0) > (BACKOFF_MOST_MS - 200) * USEC_PER_MSEC);
}

static void only_a_stable_connection_starts_the_count_anew(void **state)
{
    struct backoff b;
    backoff_init(&b);
    for (int i = 0; i < 100; i++)
        backoff_next(&b, 0, 0);
    backoff_connected(&b, USEC_PER_SEC);
    backoff_next(&b, 2 * USEC_PER_SEC, 0);
    assert_int_equal(b.failures, 101);
    backoff_connected(&b, USEC_PER_SEC);
    backoff_next(&b, USEC_PER_SEC + BACKOFF_STABLE_MS * USEC_PER_MSEC, 0);
    assert_int_equal(b.failures, 1);
    backoff_next(&b, 0, 0);
    backoff_reset(&b);
    assert_int_equal(b.failures, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ceiling_stays_low_at_first_and_then_grows_to_its_most),
        cmocka_unit_test(only_a_stable_connection_starts_the_count_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
