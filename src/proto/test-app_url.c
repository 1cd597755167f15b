#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "proto/app_url.h"

static struct app_site site_of(const char *wildcard, const char *access)
{
    struct app_site site;
    struct err err = ERR_INIT;
    if (app_site_parse(span_of(wildcard), span_of(access), &site, &err) < 0)
        fail_msg("%s", err.text);
    return site;
}

static void redirects_lead_to_apps_and_nowhere_else(void **state)
{
    static const struct {
        const char *text;
        const char *url; /* NULL: refused */
    } cases[] = {
        {"https://8080--dev--ada.apps.example.com/", "https://8080--dev--ada.apps.example.com/"},
        {"https://8080--dev--ada.apps.example.com/a%20b?c=d&e=%2F",
         "https://8080--dev--ada.apps.example.com/a%20b?c=d&e=%2F"},
        {"HTTPS://8080--DEV--ada.Apps.Example.com/A", "https://8080--dev--ada.apps.example.com/A"},
        {"http://8080--dev--ada.apps.example.com/x", "https://8080--dev--ada.apps.example.com/x"},
        {"https://8080--dev--ada.apps.example.com:443/",
         "https://8080--dev--ada.apps.example.com/"},
        {"https://8080--dev--ada.apps.example.com", "https://8080--dev--ada.apps.example.com/"},
        {"https://8080--dev--ada.apps.example.com//evil.com/",
         "https://8080--dev--ada.apps.example.com//evil.com/"},
        {"https://evil.com/", NULL},
        {"https://adit.example.com/", NULL},
        {"https://apps.example.com/", NULL},
        {"https://evil.com/.apps.example.com", NULL},
        {"https://8080--dev--ada.apps.example.com.evil.com/", NULL},
        {"https://evilapps.example.com/", NULL},
        {"https://8080--dev--ada.apps.example.com:8443/", NULL},
        {"https://8080--dev--ada.apps.example.com@evil.com/", NULL},
        {"https://ada:x@8080--dev--ada.apps.example.com/", NULL},
        {"https://8080--dev--ada.apps.example.com\\@evil.com/", NULL},
        {"https:\\\\evil.com", NULL},
        {"//8080--dev--ada.apps.example.com/", NULL},
        {"//evil.com/", NULL},
        {"/relative", NULL},
        {"javascript:alert(1)", NULL},
        {"JaVaScRiPt://8080--dev--ada.apps.example.com/%0aalert(1)", NULL},
        {"data:text/html,x", NULL},
        {"wss://8080--dev--ada.apps.example.com/", NULL},
        {"https://8080--dev--ada.apps.example.com/\r\nSet-Cookie: a=b", NULL},
        {"https://8080--dev--ada.apps.example.com/\tx", NULL},
        {" https://8080--dev--ada.apps.example.com/", NULL},
        {"https://8080--dev--ada.apps.example.com/#x", NULL},
        {"https://nothing.apps.example.com/", NULL},
        {"https://7--dev--ada.apps.example.com/", NULL},
        {"", NULL},
    };
    struct app_site site = site_of("*.apps.example.com", "https://adit.example.com");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct url url;
        struct app_host app;
        struct buf text = BUF_INIT(1024);
        int r = app_url_parse(&site, span_of(cases[i].text), &url, &app);
        if ((r == 0) != (cases[i].url != NULL))
            fail_msg("%s: %d", cases[i].text, r);
        if (r == 0) {
            assert_int_equal(url_format(&url, &text), 0);
            assert_string_equal(buf_cstr(&text), cases[i].url);
            url_deinit(&url);
        }
        buf_deinit(&text);
    }
}

static void ports_are_those_of_the_deployment(void **state)
{
    static const struct {
        const char *wildcard, *access, *text;
        bool good;
    } cases[] = {
        {"*.localhost:7777", "http://127.0.0.1:7777", "http://9--a--b.localhost:7777/", true},
        {"*.localhost:7777", "http://127.0.0.1:7777", "http://9--a--b.localhost/", false},
        {"*.localhost:7777", "http://127.0.0.1:7777", "http://9--a--b.localhost:7778/", false},
        {"*.apps.test", "http://127.0.0.1:7777", "http://9--a--b.apps.test:7777/", true},
        {"*.apps.test", "http://127.0.0.1:7777", "http://9--a--b.apps.test/", true},
        {"*.apps.test", "http://127.0.0.1:7777", "http://9--a--b.apps.test:22/", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct app_site site = site_of(cases[i].wildcard, cases[i].access);
        struct url url;
        struct app_host app;
        int r = app_url_parse(&site, span_of(cases[i].text), &url, &app);
        if ((r == 0) != cases[i].good)
            fail_msg("%s", cases[i].text);
        if (r == 0)
            url_deinit(&url);
    }
}

static void origins_are_exact(void **state)
{
    static const struct {
        const char *text;
        bool good;
    } cases[] = {
        {"https://9--a--b.apps.example.com", true},
        {"https://9--a--b.apps.example.com/", false},
        {"http://9--a--b.apps.example.com", false},
        {"https://evil.com", false},
        {"https://9--a--b.apps.example.com.evil.com", false},
        {"null", false},
        {"", false},
        {"https://9--a--b.apps.example.com https://evil.com", false},
    };
    struct app_site site = site_of("*.apps.example.com", "https://adit.example.com");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct url url;
        struct app_host app;
        int r = app_origin_parse(&site, span_of(cases[i].text), &url, &app);
        if ((r == 0) != cases[i].good)
            fail_msg("%s", cases[i].text);
        if (r == 0)
            url_deinit(&url);
    }
}

static void a_location_stays_where_it_is(void **state)
{
    static const struct {
        const char *path, *query, *location; /* NULL: refused */
    } cases[] = {
        {"/", "", "/"},
        {"/a", "b=c", "/a?b=c"},
        {"//evil.com/", "", "/.//evil.com/"},
        {"/\\evil.com/", "x", "/./%5Cevil.com/?x"},
        {"/a//b", "", "/a//b"},
        {"/a\\b", "", "/a%5Cb"},
        {"", "", NULL},
        {"evil", "", NULL},
        {"/a\r\nb", "", NULL},
        {"/\tevil", "", NULL},
        {"/a", "x\ny", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf text = BUF_INIT(256);
        int r = same_origin_location(span_of(cases[i].path), span_of(cases[i].query), &text);
        assert_int_equal(r == 0, cases[i].location != NULL);
        if (r == 0)
            assert_string_equal(buf_cstr(&text), cases[i].location);
        buf_deinit(&text);
    }
}

static void a_parameter_is_removed_and_the_others_stay(void **state)
{
    static const char *const cases[][2] = {
        {"x=1", ""},
        {"a=1&x=2&b=3", "a=1&b=3"},
        {"x", ""},
        {"xx=1", "xx=1"},
        {"a=x", "a=x"},
        {"a&&b", "a&&b"},
        {"x=1&x=2", ""},
        {"", ""},
        {"a=%20&x=2", "a=%20"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf text = BUF_INIT(256);
        assert_int_equal(query_remove(span_of(cases[i][0]), "x", &text), 0);
        assert_string_equal(buf_cstr(&text), cases[i][1]);
        buf_deinit(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(redirects_lead_to_apps_and_nowhere_else),
        cmocka_unit_test(ports_are_those_of_the_deployment),
        cmocka_unit_test(origins_are_exact),
        cmocka_unit_test(a_location_stays_where_it_is),
        cmocka_unit_test(a_parameter_is_removed_and_the_others_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
