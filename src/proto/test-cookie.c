#include "proto/cookie.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"

static void pairs_are_read_in_order(void **state)
{
    static const struct {
        const char *header, *expected;
    } rows[] = {
        {"a=1; b=2", "[a|1][b|2]"},
        {"a=1;b=2", "[a|1][b|2]"},
        {" a = 1 ;\tb=2;", "[a|1][b|2]"},
        {"a=b=c", "[a|b=c]"},
        {"a=", "[a|]"},
        {"a", ""},
        {"=x; a=1", "[a|1]"},
        {";;a=1;;", "[a|1]"},
        {"a=\"1\"", "[a|\"1\"]"},
        {"", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(buf_deinit) struct buf out = BUF_INIT(200);
        struct span rest = span_of(rows[i].header), name, value;
        while (cookie_next(&rest, &name, &value))
            buf_appendf(&out, "[" SPAN_FMT "|" SPAN_FMT "]", SPAN_ARG(name), SPAN_ARG(value));
        assert_string_equal(buf_cstr(&out), rows[i].expected);
    }
}

static void the_first_of_a_name_is_found(void **state)
{
    struct span value;
    assert_true(cookie_get(SPAN("aa=0; a=1; a=2"), "a", &value));
    assert_true(span_is(value, "1"));
    assert_false(cookie_get(SPAN("A=1"), "a", &value));
}

static void named_cookies_are_removed_and_others_stay(void **state)
{
    static const char *const names[] = {"adit_session", "adit_ticket"};
    static const struct {
        const char *header, *expected;
    } rows[] = {
        {"a=1; adit_session=x; b=2", "a=1; b=2"},
        {"adit_session=x", ""},
        {"adit_session=x; adit_ticket=y; adit_session=z", ""},
        {"adit_session = x; a=\"q\"; flag", "a=\"q\"; flag"},
        {"adit_session; a=1", "a=1"},
        {"adit_sessions=x;a=1", "adit_sessions=x; a=1"},
        {"", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(buf_deinit) struct buf out = BUF_INIT(200);
        assert_int_equal(cookie_remove(span_of(rows[i].header), names, 2, &out), 0);
        assert_string_equal(buf_cstr(&out), rows[i].expected);
    }
}

static void set_cookie_has_safe_defaults(void **state)
{
    _cleanup_(buf_deinit) struct buf out = BUF_INIT(200);
    struct set_cookie c = {.name = "s", .value = "v", .max_age_sec = -1, .secure = true};
    assert_int_equal(set_cookie_format(&c, &out), 0);
    assert_string_equal(buf_cstr(&out), "s=v; Path=/; HttpOnly; Secure; SameSite=Lax");

    buf_clear(&out);
    c = (struct set_cookie){
        .name = "s", .value = "", .path = "/x", .domain = "apps.example", .max_age_sec = 0};
    assert_int_equal(set_cookie_format(&c, &out), 0);
    assert_string_equal(buf_cstr(&out),
                        "s=; Path=/x; Domain=apps.example; Max-Age=0; HttpOnly; SameSite=Lax");
}

static void characters_that_would_break_out_are_refused(void **state)
{
    _cleanup_(buf_deinit) struct buf out = BUF_INIT(200);
    static const struct set_cookie rows[] = {
        {.name = "", .value = "v"},
        {.name = "a b", .value = "v"},
        {.name = "a=", .value = "v"},
        {.name = "a", .value = "v;x"},
        {.name = "a", .value = "v\r\n"},
        {.name = "a", .value = "v w"},
        {.name = "a", .value = "v", .path = "/;x"},
        {.name = "a", .value = "v", .path = "/\n"},
        {.name = "a", .value = "v", .domain = "x; Secure"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(set_cookie_format(&rows[i], &out), -EINVAL);
    assert_int_equal(out.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_are_read_in_order),
        cmocka_unit_test(the_first_of_a_name_is_found),
        cmocka_unit_test(named_cookies_are_removed_and_others_stay),
        cmocka_unit_test(set_cookie_has_safe_defaults),
        cmocka_unit_test(characters_that_would_break_out_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
