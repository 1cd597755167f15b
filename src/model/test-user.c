#include "model/password.h"
#include "model/user.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"

#define A64 "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-_"

static void email_addresses_are_checked(void **state)
{
    static const struct {
        const char *text;
        const char *expected; /* NULL: refused */
    } rows[] = {
        {"a@b", "a@b"},
        {"Ann.Other+x@Example.COM", "Ann.Other+x@example.com"},
        {A64 "@example.com", A64 "@example.com"},
        {"x" A64 "@example.com", NULL},
        {"", NULL},
        {"a", NULL},
        {"@b", NULL},
        {"a@", NULL},
        {"a@b@c", NULL},
        {".a@b", NULL},
        {"a.@b", NULL},
        {"a..b@c", NULL},
        {"a b@c", NULL},
        {"a@b..c", NULL},
        {"a@-b", NULL},
        {"a@b-", NULL},
        {"a@b\n", NULL},
        {"a\x1b@b", NULL},
        {"a@" A64, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char email[EMAIL_SIZE];
        int r = email_parse(span_of(rows[i].text), email, NULL);
        assert_int_equal(r, rows[i].expected ? 0 : -EINVAL);
        if (r == 0)
            assert_string_equal(email, rows[i].expected);
    }
}

static void an_email_address_has_a_ceiling(void **state)
{
    char text[300] = "a@", email[EMAIL_SIZE];
    for (size_t i = 2; i < 254; i++)
        text[i] = i % 50 == 49 ? '.' : 'x';
    assert_int_equal(email_parse(span_from(text, 254), email, NULL), 0);
    text[254] = 'x';
    assert_int_equal(email_parse(span_from(text, 255), email, NULL), -EINVAL);
}

static void display_texts_are_trimmed_and_bounded(void **state)
{
    char text[9] = "";
    struct err err = ERR_INIT;
    assert_int_equal(display_text_parse("name", SPAN("  \xc3\x84nne "), 8, text, NULL), 0);
    assert_string_equal(text, "\xc3\x84nne");
    assert_int_equal(display_text_parse("name", SPAN("12345678"), 8, text, NULL), 0);
    assert_int_equal(display_text_parse("name", SPAN("123456789"), 8, text, &err), -EINVAL);
    assert_string_equal(err.text, "the name is longer than 8 bytes");
    assert_int_equal(display_text_parse("name", SPAN("a\033b"), 8, text, NULL), -EINVAL);
    assert_int_equal(display_text_parse("name", SPAN("a\xffz"), 8, text, NULL), -EINVAL);
    assert_int_equal(display_text_parse("name", SPAN("a\xc2\x9bz"), 8, text, NULL), -EINVAL);
}

static void passwords_are_checked(void **state)
{
    static const char a129[] = A64 A64 "x";
    static const struct {
        struct span text;
        int expected;
    } rows[] = {
        {SPAN("correct horse"), 0},
        {SPAN("12345678"), 0},
        {SPAN("1234567"), -EINVAL},
        {SPAN(""), -EINVAL},
        {SPAN("\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f"), -EINVAL}, /* 8 bytes, but 4 characters */
        {SPAN("aaaaaaaaaaaa"), -EINVAL},
        {SPAN("12345678\0abc"), -EINVAL},
        {SPAN("12345678\n"), -EINVAL},
        {SPAN("1234567890\xff"), -EINVAL},
        {{a129, 128}, 0},
        {{a129, 129}, -EINVAL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(password_check(rows[i].text, NULL), rows[i].expected);
}

static void the_error_does_not_show_the_password(void **state)
{
    struct err err = ERR_INIT;
    assert_int_equal(password_check(SPAN("hunter2"), &err), -EINVAL);
    assert_null(strstr(err.text, "hunter2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(email_addresses_are_checked),
        cmocka_unit_test(an_email_address_has_a_ceiling),
        cmocka_unit_test(display_texts_are_trimmed_and_bounded),
        cmocka_unit_test(passwords_are_checked),
        cmocka_unit_test(the_error_does_not_show_the_password),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
