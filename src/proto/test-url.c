#include "proto/url.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"

static void urls_survive_a_round_trip(void **state)
{
    static const char *const rows[][2] = {
        {"http://a", "http://a/"},
        {"HTTPS://Example.COM/", "https://example.com/"},
        {"https://a:443/x", "https://a/x"},
        {"https://a:8443/x/y?z=1&w=%20", "https://a:8443/x/y?z=1&w=%20"},
        {"http://a?q", "http://a/?q"},
        {"http://a/?", "http://a/?"},
        {"ws://[::1]:80/s", "ws://[::1]/s"},
        {"wss://127.0.0.1:9/", "wss://127.0.0.1:9/"},
        {"http://a:/x", "http://a/x"},
        {"http://a/b;c=d/@:!$&'()*+,~-._", "http://a/b;c=d/@:!$&'()*+,~-._"},
        {"http://a/?x[]=1&y=a|b", "http://a/?x[]=1&y=a|b"},
        {"http://a//b", "http://a//b"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(url_deinit) struct url url = {0};
        _cleanup_(buf_deinit) struct buf out = BUF_INIT(1000);
        assert_int_equal(url_parse(span_of(rows[i][0]), &url, NULL), 0);
        assert_int_equal(url_format(&url, &out), 0);
        assert_string_equal(buf_cstr(&out), rows[i][1]);
    }
}

static void the_parts_are_taken_apart(void **state)
{
    _cleanup_(url_deinit) struct url url = {0};
    _cleanup_(buf_deinit) struct buf out = BUF_INIT(1000);
    assert_int_equal(url_parse(SPAN("wss://[FE80::1]:8443/a/b?c=d?e"), &url, NULL), 0);
    assert_int_equal(url.scheme, URL_WSS);
    assert_true(url_scheme_is_tls(url.scheme));
    assert_string_equal(url.host, "fe80::1");
    assert_int_equal(url.port, 8443);
    assert_string_equal(url.path, "/a/b");
    assert_string_equal(url.query, "c=d?e");
    assert_int_equal(url_format_origin(&url, &out), 0);
    assert_string_equal(buf_cstr(&out), "wss://[fe80::1]:8443");
}

static void wrong_urls_are_refused(void **state)
{
    static const struct span rows[] = {
        SPAN(""),
        SPAN("a"),
        SPAN("/x"),
        SPAN("//a/x"),
        SPAN("ftp://a/"),
        SPAN("http:/a"),
        SPAN("http://"),
        SPAN("http:///x"),
        SPAN("http://u@a/"),
        SPAN("http://u:p@a/"),
        SPAN("http://a/#f"),
        SPAN("http://a#f"),
        SPAN("http://a/ b"),
        SPAN("http://a/\\b"),
        SPAN("http://a\\b/"),
        SPAN("http://a/\n"),
        SPAN("http://a/\0"),
        SPAN("http://a/\xc3\xa4"),
        SPAN("http://a/%"),
        SPAN("http://a/%4"),
        SPAN("http://a/%4g"),
        SPAN("http://a/\"x"),
        SPAN("http://a/<x>"),
        SPAN("http://a:0/"),
        SPAN("http://a:70000/"),
        SPAN("http://127.1/"),
        SPAN(" http://a/"),
        SPAN("javascript://a/"),
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct url url;
        struct err err = ERR_INIT;
        assert_int_equal(url_parse(rows[i], &url, &err), -EINVAL);
        assert_non_null(strstr(err.text, "is not a URL for us"));
    }
}

static void a_url_has_a_ceiling(void **state)
{
    static char text[URL_MAX_LEN + 2] = "http://a/";
    struct url url;
    memset(text + 9, 'x', URL_MAX_LEN + 1 - 9);
    assert_int_equal(url_parse(span_from(text, URL_MAX_LEN), &url, NULL), 0);
    url_deinit(&url);
    assert_int_equal(url_parse(span_from(text, URL_MAX_LEN + 1), &url, NULL), -EINVAL);
}

static void percent_encoding_survives_a_round_trip(void **state)
{
    _cleanup_(buf_deinit) struct buf out = BUF_INIT(2000);
    char all[256], back[256];
    for (int i = 1; i < 256; i++)
        all[i - 1] = (char)i;
    assert_int_equal(percent_encode(span_from(all, 255), &out), 0);
    assert_int_equal(percent_decode(span_of(buf_cstr(&out)), back, sizeof(back)), 255);
    assert_memory_equal(back, all, 255);
    assert_non_null(strstr(buf_cstr(&out), "%2F0123456789%3A"));
    assert_non_null(strstr(buf_cstr(&out), "%7D~%7F"));
}

static void broken_encodings_are_refused(void **state)
{
    char dst[4];
    assert_int_equal(percent_decode(SPAN("%"), dst, sizeof(dst)), -EINVAL);
    assert_int_equal(percent_decode(SPAN("%4"), dst, sizeof(dst)), -EINVAL);
    assert_int_equal(percent_decode(SPAN("%4x"), dst, sizeof(dst)), -EINVAL);
    assert_int_equal(percent_decode(SPAN("%+1"), dst, sizeof(dst)), -EINVAL);
    assert_int_equal(percent_decode(SPAN("%00"), dst, sizeof(dst)), -EINVAL);
    assert_int_equal(percent_decode(SPAN("a\0"), dst, sizeof(dst)), -EINVAL);
    assert_int_equal(percent_decode(SPAN("abc"), dst, sizeof(dst)), 3);
    assert_int_equal(percent_decode(SPAN("abcd"), dst, sizeof(dst)), -ENOBUFS);
    assert_int_equal(percent_decode(SPAN(""), dst, 0), -ENOBUFS);
    assert_int_equal(percent_decode(SPAN("a+b"), dst, sizeof(dst)), 3);
    assert_string_equal(dst, "a+b");
}

static void query_values_are_found_and_decoded(void **state)
{
    static const struct span query = SPAN("a=1&&b=x+y%26z&c&=d&a=2&e%31=f&bad=%zz");
    char value[16];
    assert_int_equal(query_get(query, "a", value, sizeof(value)), 1);
    assert_string_equal(value, "1");
    assert_int_equal(query_get(query, "b", value, sizeof(value)), 5);
    assert_string_equal(value, "x y&z");
    assert_int_equal(query_get(query, "c", value, sizeof(value)), 0);
    assert_int_equal(query_get(query, "e1", value, sizeof(value)), 1);
    assert_int_equal(query_get(query, "bad", value, sizeof(value)), -EINVAL);
    assert_int_equal(query_get(query, "none", value, sizeof(value)), -ENOENT);
    assert_int_equal(query_get(SPAN(""), "a", value, sizeof(value)), -ENOENT);
    assert_int_equal(query_get(query, "b", value, 5), -ENOBUFS);
}

static void forms_are_built(void **state)
{
    _cleanup_(buf_deinit) struct buf form = BUF_INIT(40);
    assert_int_equal(form_append(&form, "a", SPAN("x y&z")), 0);
    assert_int_equal(form_append(&form, "b", SPAN("")), 0);
    assert_string_equal(buf_cstr(&form), "a=x%20y%26z&b=");
    assert_int_equal(form_append(&form, "c", SPAN("0123456789012345678901234567890")), -ENOBUFS);
    assert_string_equal(buf_cstr(&form), "a=x%20y%26z&b=");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_survive_a_round_trip),
        cmocka_unit_test(the_parts_are_taken_apart),
        cmocka_unit_test(wrong_urls_are_refused),
        cmocka_unit_test(a_url_has_a_ceiling),
        cmocka_unit_test(percent_encoding_survives_a_round_trip),
        cmocka_unit_test(broken_encodings_are_refused),
        cmocka_unit_test(query_values_are_found_and_decoded),
        cmocka_unit_test(forms_are_built),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
