/* The list of fields. */
#include "http/headers.h"

#include "base/arena.h"
#include "http/test_help.h"

static void expect_list(const struct headers *h, const char *expected)
{
    struct buf text = BUF_INIT(4096);
    size_t bytes = 0;
    for (size_t i = 0; i < h->len; i++) {
        buf_appendf(&text, SPAN_FMT ":" SPAN_FMT ";", SPAN_ARG(h->list[i].name),
                    SPAN_ARG(h->list[i].value));
        bytes += h->list[i].name.len + h->list[i].value.len + 4;
    }
    assert_string_equal(buf_cstr(&text), expected);
    assert_int_equal(h->bytes, bytes);
    buf_deinit(&text);
}

static void fields_keep_their_order_and_spelling(void **state)
{
    struct arena arena;
    struct headers h;
    arena_init(&arena, 65536);
    headers_init(&h, &arena, 0, 0);
    assert_int_equal(headers_add(&h, "X-One", " 1\t"), 0);
    assert_int_equal(headers_add(&h, "cookie", "a"), 0);
    assert_int_equal(headers_add(&h, "COOKIE", "b"), 0);
    assert_int_equal(headers_addf(&h, "Y", "%d-%s", 7, "z"), 0);
    expect_list(&h, "X-One:1;cookie:a;COOKIE:b;Y:7-z;");

    struct span value;
    size_t at = 0;
    assert_true(headers_next(&h, "Cookie", &at, &value) && span_is(value, "a"));
    assert_true(headers_next(&h, "Cookie", &at, &value) && span_is(value, "b"));
    assert_false(headers_next(&h, "Cookie", &at, &value));
    assert_int_equal(headers_count(&h, "cookiE"), 2);
    assert_true(headers_has(&h, "x-one"));
    assert_null(headers_get(&h, "X").p);

    assert_int_equal(headers_set(&h, "Cookie", "c"), 0);
    expect_list(&h, "X-One:1;Cookie:c;Y:7-z;");
    assert_int_equal(headers_set(&h, "New", ""), 0);
    expect_list(&h, "X-One:1;Cookie:c;Y:7-z;New:;");
    assert_non_null(headers_get(&h, "new").p);
    assert_int_equal(headers_remove(&h, "y"), 1);
    assert_int_equal(headers_remove(&h, "y"), 0);
    expect_list(&h, "X-One:1;Cookie:c;New:;");
    arena_deinit(&arena);
}

static void nothing_that_ends_a_line_gets_in(void **state)
{
    struct arena arena;
    struct headers h;
    arena_init(&arena, 65536);
    headers_init(&h, &arena, 0, 0);
    assert_int_equal(headers_add(&h, "X", "a\r\nY: b"), -EINVAL);
    assert_int_equal(headers_add(&h, "X", "a\nb"), -EINVAL);
    assert_int_equal(headers_add_span(&h, SPAN("X"), SPAN("a\0b")), -EINVAL);
    assert_int_equal(headers_add(&h, "X:", "a"), -EINVAL);
    assert_int_equal(headers_add(&h, "X Y", "a"), -EINVAL);
    assert_int_equal(headers_add(&h, "", "a"), -EINVAL);
    assert_int_equal(h.len, 0);
    arena_deinit(&arena);
}

static void the_ceilings_hold(void **state)
{
    struct arena arena;
    struct headers h;
    arena_init(&arena, 65536);
    headers_init(&h, &arena, 20, 3);
    assert_int_equal(headers_add(&h, "A", "1"), 0);
    assert_int_equal(headers_add(&h, "B", "12345678"), 0);
    assert_int_equal(headers_add(&h, "C", "1"), -ENOBUFS);
    assert_int_equal(h.len, 2);
    headers_init(&h, &arena, 0, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(headers_add(&h, "A", "1"), 0);
    assert_int_equal(headers_add(&h, "A", "1"), -ENOBUFS);
    arena_deinit(&arena);
}

static void list_fields_are_searched_by_token(void **state)
{
    struct arena arena;
    struct headers h;
    arena_init(&arena, 65536);
    headers_init(&h, &arena, 0, 0);
    headers_add(&h, "Connection", "keep-alive, Upgrade");
    headers_add(&h, "connection", "X-Own");
    assert_true(headers_has_token(&h, "Connection", "upgrade"));
    assert_true(headers_has_token(&h, "Connection", "x-own"));
    assert_false(headers_has_token(&h, "Connection", "close"));
    assert_false(headers_has_token(&h, "Connection", "keep"));
    arena_deinit(&arena);
}

TEST_MAIN(cmocka_unit_test(fields_keep_their_order_and_spelling),
          cmocka_unit_test(nothing_that_ends_a_line_gets_in), cmocka_unit_test(the_ceilings_hold),
          cmocka_unit_test(list_fields_are_searched_by_token));
