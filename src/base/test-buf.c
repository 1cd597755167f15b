#include "base/buf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <cmocka.h>

static void appended_bytes_come_out_in_order(void **state)
{
    struct buf b = BUF_INIT(100);
    assert_int_equal(buf_append_str(&b, "hello "), 0);
    assert_int_equal(buf_appendf(&b, "%s %d", "world", 7), 0);
    buf_consume(&b, 6);
    assert_string_equal(buf_cstr(&b), "world 7");
    buf_deinit(&b);
}

static void append_past_the_ceiling_changes_nothing(void **state)
{
    struct buf b = BUF_INIT(4);
    assert_int_equal(buf_append_str(&b, "abc"), 0);
    assert_int_equal(buf_append_str(&b, "de"), -ENOBUFS);
    assert_int_equal(b.len, 3);
    assert_int_equal(buf_append_str(&b, "d"), 0);
    assert_null(buf_reserve(&b, 1));
    assert_string_equal(buf_cstr(&b), "abcd");
    buf_deinit(&b);
}

/* Whether the text fits the room at hand, wants more, or meets the ceiling. */
static void formatted_text_is_appended_whole_or_not_at_all(void **state)
{
    for (int len = 0; len <= 200; len++) {
        struct buf b = BUF_INIT(150);
        assert_int_equal(buf_append_str(&b, "_abc"), 0);
        buf_consume(&b, 1);
        const char *before = buf_cstr(&b);
        bool fits = len <= 147;
        assert_int_equal(buf_appendf(&b, "%0*d", len, 7), fits ? 0 : -ENOBUFS);
        assert_int_equal(b.len, fits ? 3 + (len ? len : 1) : 3);
        if (!fits)
            assert_string_equal(before, "abc");
        assert_int_equal(buf_data(&b)[0], 'a');
        assert_int_equal(buf_data(&b)[b.len - 1], fits ? '7' : 'c');
        buf_deinit(&b);
    }
}

static void an_empty_text_is_appended_to_an_empty_buffer(void **state)
{
    struct buf b = BUF_INIT(4);
    assert_int_equal(buf_appendf(&b, "%s", ""), 0);
    assert_int_equal(b.len, 0);
    assert_string_equal(buf_cstr(&b), "");
    buf_deinit(&b);
}

static void room_at_the_head_is_used_again(void **state)
{
    struct buf b = BUF_INIT(128);
    unsigned char next_in = 0, next_out = 0;
    for (int i = 0; i < 10000; i++) {
        while (buf_room(&b) > 0)
            assert_int_equal(buf_append_byte(&b, next_in++), 0);
        assert_int_equal(buf_data(&b)[0], next_out);
        buf_consume(&b, 37);
        next_out += 37;
    }
    assert_true(b.cap <= 256);
    buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appended_bytes_come_out_in_order),
        cmocka_unit_test(append_past_the_ceiling_changes_nothing),
        cmocka_unit_test(formatted_text_is_appended_whole_or_not_at_all),
        cmocka_unit_test(an_empty_text_is_appended_to_an_empty_buffer),
        cmocka_unit_test(room_at_the_head_is_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
