#include "base/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"

static void comparison_is_by_bytes_and_length(void **state)
{
    assert_true(span_eq(SPAN("ab"), SPAN("ab")));
    assert_false(span_eq(SPAN("ab"), SPAN("abc")));
    assert_false(span_eq(SPAN("a\0b"), SPAN("a\0c")));
    assert_true(span_eq(SPAN_NULL, SPAN("")));
    assert_true(span_ieq(SPAN("aB"), SPAN("Ab")));
    assert_false(span_is(SPAN("aB"), "ab"));
    assert_true(span_iis(SPAN("aB"), "ab"));
    assert_true(span_is(span_of(NULL), ""));
}

static void ends_are_compared(void **state)
{
    assert_true(span_starts(SPAN("abc"), "ab"));
    assert_false(span_starts(SPAN("a"), "ab"));
    assert_true(span_ends(SPAN("abc"), "bc"));
    assert_false(span_ends(SPAN("c"), "bc"));
    assert_true(span_starts(SPAN_NULL, ""));
    assert_true(span_ends(SPAN_NULL, ""));
    assert_false(span_ends(SPAN_NULL, "x"));
}

static void characters_and_texts_are_found(void **state)
{
    assert_int_equal(span_find(SPAN("abcb"), 'b'), 1);
    assert_int_equal(span_rfind(SPAN("abcb"), 'b'), 3);
    assert_int_equal(span_find(SPAN("abcb"), 'x'), -1);
    assert_int_equal(span_find(SPAN_NULL, 'x'), -1);
    assert_int_equal(span_find_str(SPAN("abcb"), "cb"), 2);
    assert_int_equal(span_find_str(SPAN("ab"), "abc"), -1);
    assert_int_equal(span_find(SPAN("a\0b"), 'b'), 2);
}

static void parts_are_cut_to_the_length(void **state)
{
    assert_true(span_is(span_sub(SPAN("abcd"), 1, 3), "bc"));
    assert_true(span_is(span_sub(SPAN("abcd"), 2, 99), "cd"));
    assert_true(span_is(span_sub(SPAN("abcd"), 3, 1), ""));
    assert_true(span_is(span_sub(SPAN("abcd"), 9, 12), ""));
    assert_true(span_is(span_sub(SPAN_NULL, 1, 2), ""));
    assert_true(span_is(span_trim(SPAN(" \ta b\t ")), "a b"));
    assert_true(span_is(span_trim(SPAN(" \t ")), ""));
    assert_true(span_is(span_trim(SPAN("a\n")), "a\n"));
}

static void splitting_gives_every_piece(void **state)
{
    static const char *const rows[][2] = {
        {"a,b", "[a][b]"}, {"a,,b", "[a][][b]"}, {"", "[]"}, {",", "[][]"}, {"a,", "[a][]"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(buf_deinit) struct buf out = BUF_INIT(100);
        struct span rest = span_of(rows[i][0]), piece;
        while (span_split(&rest, ',', &piece))
            buf_appendf(&out, "[" SPAN_FMT "]", SPAN_ARG(piece));
        assert_string_equal(buf_cstr(&out), rows[i][1]);
    }
}

static void copies_are_terminated_and_tell_when_cut(void **state)
{
    char dst[4] = "zzz";
    assert_true(str_copy(dst, sizeof(dst), "abc"));
    assert_string_equal(dst, "abc");
    assert_false(str_copy(dst, sizeof(dst), "defg"));
    assert_string_equal(dst, "def");
    assert_true(str_copy_span(dst, sizeof(dst), SPAN_NULL));
    assert_string_equal(dst, "");
    assert_false(str_copy(dst, 0, "x"));
    _cleanup_free_ char *dup = span_dup(span_sub(SPAN("abcd"), 1, 3));
    assert_string_equal(dup, "bc");
    str_copy(dst, sizeof(dst), "A[Z");
    str_lower(dst);
    assert_string_equal(dst, "a[z");
    assert_true(str_eq(NULL, NULL));
    assert_false(str_eq("a", NULL));
    assert_true(str_eq("a", "a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparison_is_by_bytes_and_length),
        cmocka_unit_test(ends_are_compared),
        cmocka_unit_test(characters_and_texts_are_found),
        cmocka_unit_test(parts_are_cut_to_the_length),
        cmocka_unit_test(splitting_gives_every_piece),
        cmocka_unit_test(copies_are_terminated_and_tell_when_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
