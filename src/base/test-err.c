#include "base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/span.h"
#include "base/text.h"

static void an_error_keeps_code_and_text(void **state)
{
    struct err err = ERR_INIT;
    assert_int_equal(err_set(&err, -EINVAL, "port %d", 7), -EINVAL);
    assert_int_equal(err.code, -EINVAL);
    assert_string_equal(err.text, "port 7");
    assert_int_equal(err_set(NULL, -EINVAL, "x"), -EINVAL);
    assert_int_equal(err_wrap(NULL, "x"), 0);
}

static void context_goes_in_front(void **state)
{
    struct err err = ERR_INIT;
    err_set(&err, -ENOENT, "no file");
    assert_int_equal(err_wrap(&err, "reading %s", "x"), -ENOENT);
    assert_string_equal(err.text, "reading x: no file");
}

static void the_system_text_goes_behind(void **state)
{
    struct err err = ERR_INIT;
    assert_int_equal(err_sys(&err, -ENOENT, "opening x"), -ENOENT);
    assert_string_equal(err.text, "opening x: No such file or directory");
}

static void the_old_text_may_be_an_argument(void **state)
{
    struct err err = ERR_INIT;
    err_set(&err, -EINVAL, "inner");
    err_set(&err, -EINVAL, "outer (%s)", err.text);
    assert_string_equal(err.text, "outer (inner)");
}

static void what_strangers_sent_is_made_harmless(void **state)
{
    struct err err = ERR_INIT;
    err_set(&err, -EINVAL, "name \"%s\"", "a\nb\x1b[0m\xff\xc3\xa4\xc2\x9b");
    assert_string_equal(err.text, "name \"a b?[0m?\xc3\xa4?\"");
}

static void long_texts_are_cut_between_characters(void **state)
{
    struct err err = ERR_INIT;
    char text[2000];
    for (size_t shift = 0; shift < 2; shift++) {
        size_t n = 0;
        if (shift)
            text[n++] = 'x';
        while (n + 2 < sizeof(text)) {
            text[n++] = '\xc3';
            text[n++] = '\xa4';
        }
        text[n] = '\0';
        err_set(&err, -EINVAL, "%s", text);
        assert_true(strlen(err.text) >= sizeof(err.text) - 2);
        assert_true(utf8_count(span_of(err.text)) > 0);
        err_wrap(&err, "%s", text);
        assert_true(utf8_count(span_of(err.text)) > 0);
    }
}

static void codes_have_names(void **state)
{
    assert_string_equal(err_name(-ECONNREFUSED), "ECONNREFUSED");
    assert_string_equal(err_name(EINVAL), "EINVAL");
    assert_string_equal(err_name(-99999), "EUNKNOWN");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_keeps_code_and_text),
        cmocka_unit_test(context_goes_in_front),
        cmocka_unit_test(the_system_text_goes_behind),
        cmocka_unit_test(the_old_text_may_be_an_argument),
        cmocka_unit_test(what_strangers_sent_is_made_harmless),
        cmocka_unit_test(long_texts_are_cut_between_characters),
        cmocka_unit_test(codes_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
