#include "proto/html.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"

static void what_has_a_meaning_in_html_is_replaced(void **state)
{
    static const struct {
        const char *text, *expected;
    } rows[] = {
        {"", ""},
        {"plain, ümlaut, it's", "plain, ümlaut, it's"},
        {"<b>", "&lt;b&gt;"},
        {"a & b", "a &amp; b"},
        {"&lt;", "&amp;lt;"},
        {"\" onclick=\"x", "&quot; onclick=&quot;x"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(buf_deinit) struct buf out = BUF_INIT(100);
        assert_int_equal(html_append(&out, rows[i].text), 0);
        assert_string_equal(buf_cstr(&out), rows[i].expected);
    }
}

static void what_does_not_fit_is_an_error(void **state)
{
    _cleanup_(buf_deinit) struct buf out = BUF_INIT(5);
    assert_int_equal(html_append(&out, "ab<"), -ENOBUFS);
    assert_int_equal(html_append(&out, "cde"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_has_a_meaning_in_html_is_replaced),
        cmocka_unit_test(what_does_not_fit_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
