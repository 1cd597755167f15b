#include "base/arena.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

static void pieces_are_zeroed_aligned_and_apart(void **state)
{
    struct arena a;
    unsigned char *piece[300];
    arena_init(&a, 1 << 20);
    for (size_t i = 0; i < 300; i++) {
        piece[i] = arena_alloc(&a, i + 1);
        assert_non_null(piece[i]);
        assert_int_equal((uintptr_t)piece[i] % alignof(max_align_t), 0);
        for (size_t k = 0; k <= i; k++)
            assert_int_equal(piece[i][k], 0);
        memset(piece[i], (int)i, i + 1);
    }
    for (size_t i = 0; i < 300; i++)
        for (size_t k = 0; k <= i; k++)
            assert_int_equal(piece[i][k], (unsigned char)i);
    arena_deinit(&a);
}

static void the_ceiling_holds(void **state)
{
    struct arena a;
    arena_init(&a, 10000);
    assert_non_null(arena_alloc(&a, 6000));
    assert_null(arena_alloc(&a, 4001));
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_non_null(arena_alloc(&a, 4000));
    assert_null(arena_alloc(&a, 1));
    assert_null(arena_strdup(&a, ""));
    arena_deinit(&a);
    assert_non_null(arena_alloc(&a, 10000));
    arena_deinit(&a);
}

static void texts_are_copied(void **state)
{
    struct arena a;
    arena_init(&a, 1000);
    assert_string_equal(arena_strdup(&a, "abc"), "abc");
    assert_string_equal(arena_span_dup(&a, SPAN_NULL), "");
    assert_string_equal(arena_span_dup(&a, span_sub(SPAN("abcd"), 1, 3)), "bc");
    assert_string_equal(arena_printf(&a, "%s-%d", "x", 7), "x-7");
    assert_null(arena_printf(&a, "%1000d", 1));
    arena_deinit(&a);
}

static void a_block_that_is_used_again_is_zeroed(void **state)
{
    for (int round = 0; round < 40; round++) {
        struct arena a;
        arena_init(&a, 1 << 20);
        for (int i = 0; i < 20; i++) {
            unsigned char *piece = arena_alloc(&a, 1000);
            for (size_t k = 0; k < 1000; k++)
                assert_int_equal(piece[k], 0);
            memset(piece, 0xff, 1000);
        }
        arena_deinit(&a);
    }
    arena_thread_ends();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_that_is_used_again_is_zeroed),
        cmocka_unit_test(pieces_are_zeroed_aligned_and_apart),
        cmocka_unit_test(the_ceiling_holds),
        cmocka_unit_test(texts_are_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
