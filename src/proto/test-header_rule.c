#include "proto/header_rule.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"

static void tokens_and_values_are_checked(void **state)
{
    assert_true(header_token_valid(SPAN("X-Forwarded-For")));
    assert_true(header_token_valid(SPAN("!#$%&'*+-.^_`|~09azAZ")));
    assert_false(header_token_valid(SPAN("")));
    assert_false(header_token_valid(SPAN("a b")));
    assert_false(header_token_valid(SPAN("a:")));
    assert_false(header_token_valid(SPAN("a\0")));
    assert_false(header_token_valid(SPAN("\xc3\xa4")));

    assert_true(header_value_valid(SPAN("")));
    assert_true(header_value_valid(SPAN("a \t b\xc3\xa4")));
    assert_false(header_value_valid(SPAN(" a")));
    assert_false(header_value_valid(SPAN("a\t")));
    assert_false(header_value_valid(SPAN("a\rb")));
    assert_false(header_value_valid(SPAN("a\nb")));
    assert_false(header_value_valid(SPAN("a\0b")));
    assert_false(header_value_valid(SPAN("a\x7f")));
    assert_true(header_value_valid(SPAN("\x80\xff~!\t\x80\xff~")));
    for (size_t at = 0; at < 70; at++)
        for (int c = 0; c < 256; c++) {
            char text[72];
            memset(text, 'a', sizeof(text));
            text[at + 1] = (char)c;
            assert_int_equal(header_value_valid(span_from(text, 71)),
                             (c >= ' ' && c != 0x7f && (at < 69 || c != ' ')) ||
                                 (c == '\t' && at < 69));
        }
}

static void list_elements_are_taken_one_by_one(void **state)
{
    static const struct {
        const char *list, *expected;
    } rows[] = {
        {"a, b", "[a][b]"},
        {"a", "[a]"},
        {"", ""},
        {" , ,a,,\tb ,", "[a][b]"},
        {"\"a,b\", c", "[\"a,b\"][c]"},
        {"\"a\\\",b\", c", "[\"a\\\",b\"][c]"},
        {"\"open, c", "[\"open, c]"},
        {"a\\, b", "[a\\][b]"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(buf_deinit) struct buf out = BUF_INIT(100);
        struct span rest = span_of(rows[i].list), element;
        while (header_list_next(&rest, &element))
            buf_appendf(&out, "[" SPAN_FMT "]", SPAN_ARG(element));
        assert_string_equal(buf_cstr(&out), rows[i].expected);
    }
}

static void a_list_is_searched_without_case(void **state)
{
    assert_true(header_list_has(SPAN("keep-alive, Upgrade"), "upgrade"));
    assert_false(header_list_has(SPAN("keep-alive, Upgrades"), "upgrade"));
    assert_false(header_list_has(SPAN("\"x, upgrade\""), "upgrade"));
}

static void connection_fields_are_hop_by_hop(void **state)
{
    assert_true(header_is_hop_by_hop(SPAN("Connection")));
    assert_true(header_is_hop_by_hop(SPAN("transfer-encoding")));
    assert_true(header_is_hop_by_hop(SPAN("TE")));
    assert_false(header_is_hop_by_hop(SPAN("Host")));
    assert_false(header_is_hop_by_hop(SPAN("Content-Length")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_and_values_are_checked),
        cmocka_unit_test(list_elements_are_taken_one_by_one),
        cmocka_unit_test(a_list_is_searched_without_case),
        cmocka_unit_test(connection_fields_are_hop_by_hop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
