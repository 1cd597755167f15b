#include "base/rand.h"
#include "base/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void a_secret_holds_any_bytes(void **state)
{
    struct secret *s = secret_new("a\0b", 3);
    assert_int_equal(s->len, 3);
    assert_memory_equal(s->text, "a\0b\0", 4);
    assert_null(secret_free(s));
    assert_null(secret_free(NULL));
    s = secret_new(NULL, 0);
    assert_string_equal(s->text, "");
    secret_free(s);
}

static void equality_looks_at_every_byte(void **state)
{
    char a[64], b[64];
    memset(a, 'x', sizeof(a));
    memset(b, 'x', sizeof(b));
    assert_true(secret_equal(a, 64, b, 64));
    for (size_t i = 0; i < sizeof(b); i++) {
        b[i] ^= 0x40;
        assert_false(secret_equal(a, 64, b, 64));
        b[i] ^= 0x40;
    }
    assert_false(secret_equal(a, 64, b, 63));
    assert_true(secret_equal(NULL, 0, NULL, 0));
}

static void random_numbers_stay_below_their_limit(void **state)
{
    unsigned seen = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t v = rand_below(7);
        assert_true(v < 7);
        seen |= 1U << v;
    }
    assert_int_equal(seen, 0x7f);
    assert_int_equal(rand_below(1), 0);
    assert_true(rand_u64() != rand_u64());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secret_holds_any_bytes),
        cmocka_unit_test(equality_looks_at_every_byte),
        cmocka_unit_test(random_numbers_stay_below_their_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
