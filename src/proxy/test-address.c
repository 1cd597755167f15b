#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "proxy/address.h"

#define WILD "*.apps.example.com"

static struct app_site site_of(const char *wildcard)
{
    struct app_site site;
    assert_int_equal(
        app_site_parse(span_of(wildcard), SPAN("https://adit.example.com"), &site, NULL), 0);
    return site;
}

static enum address_kind kind_of(const char *wildcard, const char *host, const char *path,
                                 struct address *ret)
{
    struct app_site site = site_of(wildcard);
    return address_of(&site, "adit.example.com", span_of(host), span_of(path), ret);
}

static void every_form_of_host_has_its_kind(void **state)
{
    static const char n30[] = "abcdefghijklmnopqrstuvwxyzabcd";
    static const struct {
        const char *host;
        enum address_kind kind;
    } cases[] = {
        {"8080--dev--ada.apps.example.com", ADDRESS_APP},
        {"8080--main--dev--ada.apps.example.com", ADDRESS_APP},
        {"8080s--dev--ada.apps.example.com", ADDRESS_APP},
        {"lab--dev--ada.apps.example.com", ADDRESS_APP},
        {"x---lab--dev--ada.apps.example.com", ADDRESS_APP},
        {"8080--0123456789abc.apps.example.com", ADDRESS_APP},
        {"8080--DEV--Ada.Apps.Example.COM:8443", ADDRESS_APP},
        {"8080--dev--ada.apps.example.com.", ADDRESS_APP},
        {"9--dev--ada.apps.example.com", ADDRESS_APP},
        {"65535--dev--ada.apps.example.com", ADDRESS_APP},
        {"8--dev--ada.apps.example.com", ADDRESS_BAD_HOST},
        {"65536--dev--ada.apps.example.com", ADDRESS_BAD_HOST},
        {"nothing.apps.example.com", ADDRESS_BAD_HOST},
        {"a.8080--dev--ada.apps.example.com", ADDRESS_BAD_HOST},
        {"apps.example.com", ADDRESS_OTHER},
        {"adit.example.com", ADDRESS_OTHER},
        {"8080--dev--ada.apps.example.org", ADDRESS_OTHER},
        {"127.0.0.1:7777", ADDRESS_OTHER},
        {"", ADDRESS_OTHER},
    };
    struct address addr;
    char label[128];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (kind_of(WILD, cases[i].host, "/", &addr) != cases[i].kind)
            fail_msg("%s", cases[i].host);
    snprintf(label, sizeof(label), "a---9--%s--%.24s.apps.example.com", n30, n30); /* 63 */
    assert_int_equal(strcspn(label, "."), 63);
    assert_int_equal(kind_of(WILD, label, "/", &addr), ADDRESS_APP);
    snprintf(label, sizeof(label), "aa---9--%s--%.24s.apps.example.com", n30, n30);
    assert_int_equal(kind_of(WILD, label, "/", &addr), ADDRESS_BAD_HOST);
}

static void the_access_host_is_never_an_app(void **state)
{
    struct address addr;
    assert_int_equal(kind_of("*.example.com", "adit.example.com", "/", &addr), ADDRESS_OTHER);
    assert_int_equal(kind_of("*.example.com", "ADIT.example.com.:8080", "/", &addr), ADDRESS_OTHER);
    assert_int_equal(kind_of("*.example.com", "other.example.com", "/", &addr), ADDRESS_BAD_HOST);
}

static void the_suffix_of_the_pattern_counts(void **state)
{
    struct address addr;
    assert_int_equal(kind_of("*--x.example.com", "9--a--b--x.example.com", "/", &addr),
                     ADDRESS_APP);
    assert_int_equal(kind_of("*--x.example.com", "9--a--b--y.example.com", "/", &addr),
                     ADDRESS_OTHER);
}

static void a_host_form_names_what_the_ticket_is_bound_to(void **state)
{
    struct address addr;
    assert_int_equal(kind_of(WILD, "8080S--DEV--ada.apps.example.com.:80", "/a//b", &addr),
                     ADDRESS_APP);
    assert_string_equal(addr.site, "8080s--dev--ada.apps.example.com");
    assert_string_equal(addr.base, "/");
    assert_true(span_is(addr.path, "/a//b"));
    assert_true(addr.app.https && addr.app.port == 8080 && !addr.by_path);
}

static void paths_are_taken_apart(void **state)
{
    static const struct {
        const char *path;
        enum address_kind kind;
        const char *base, *rest;
    } cases[] = {
        {"/@ada/dev/apps/lab/", ADDRESS_APP, "/@ada/dev/apps/lab/", "/"},
        {"/@ada/dev.main/apps/lab/x/y", ADDRESS_APP, "/@ada/dev.main/apps/lab/", "/x/y"},
        {"/@Ada/DEV/apps/Lab//x", ADDRESS_APP, "/@Ada/DEV/apps/Lab/", "//x"},
        {"/@ada/dev/apps/lab", ADDRESS_NO_SLASH, "/@ada/dev/apps/lab/", ""},
        {"/@ada/dev/apps/8080/", ADDRESS_PORT_BY_PATH, NULL, NULL},
        {"/@ada/dev/apps/8080s/", ADDRESS_PORT_BY_PATH, NULL, NULL},
        {"/@ada/dev/apps/5/", ADDRESS_PORT_BY_PATH, NULL, NULL},
        {"/@ada/dev/apps/", ADDRESS_BAD_PATH, NULL, NULL},
        {"/@ada/dev/app/lab/", ADDRESS_BAD_PATH, NULL, NULL},
        {"/@ada/dev", ADDRESS_BAD_PATH, NULL, NULL},
        {"/@", ADDRESS_BAD_PATH, NULL, NULL},
        {"/@/dev/apps/lab/", ADDRESS_BAD_PATH, NULL, NULL},
        {"/@ada/dev./apps/lab/", ADDRESS_BAD_PATH, NULL, NULL},
        {"/@ada/d%65v/apps/lab/", ADDRESS_BAD_PATH, NULL, NULL},
        {"/@ada/dev/apps/a--b/", ADDRESS_BAD_PATH, NULL, NULL},
        {"/", ADDRESS_OTHER, NULL, NULL},
        {"/api/v1/me", ADDRESS_OTHER, NULL, NULL},
        {"/x/@ada/dev/apps/lab/", ADDRESS_OTHER, NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct address addr;
        if (kind_of(WILD, "adit.example.com", cases[i].path, &addr) != cases[i].kind)
            fail_msg("%s", cases[i].path);
        if (!cases[i].base)
            continue;
        assert_string_equal(addr.base, cases[i].base);
        assert_true(span_is(addr.path, cases[i].rest));
        assert_true(addr.by_path);
        assert_string_equal(addr.app.user, "ada");
        assert_string_equal(addr.app.workspace, "dev");
        assert_string_equal(addr.app.slug, "lab");
    }
}

static void an_app_host_has_no_path_form(void **state)
{
    struct address addr;
    assert_int_equal(kind_of(WILD, "9--a--b.apps.example.com", "/@ada/dev/apps/lab/", &addr),
                     ADDRESS_APP);
    assert_false(addr.by_path);
    assert_int_equal(addr.app.port, 9);
}

static void without_a_wildcard_there_are_paths_only(void **state)
{
    struct address addr;
    assert_int_equal(
        address_of(NULL, "adit.example.com", SPAN("9--a--b.apps.example.com"), SPAN("/"), &addr),
        ADDRESS_OTHER);
    assert_int_equal(address_of(NULL, "adit.example.com", SPAN("adit.example.com"),
                                SPAN("/@ada/dev/apps/lab/"), &addr),
                     ADDRESS_APP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_of_host_has_its_kind),
        cmocka_unit_test(the_access_host_is_never_an_app),
        cmocka_unit_test(the_suffix_of_the_pattern_counts),
        cmocka_unit_test(a_host_form_names_what_the_ticket_is_bound_to),
        cmocka_unit_test(paths_are_taken_apart),
        cmocka_unit_test(an_app_host_has_no_path_form),
        cmocka_unit_test(without_a_wildcard_there_are_paths_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
