#include "proto/app_host.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"

#define ALIAS "0123456789abv"
#define A32   "abcdefghijklmnopqrstuvwxyz012345"

static struct app_pattern pattern_of(const char *text)
{
    struct app_pattern pattern = {.port = 0};
    assert_int_equal(app_pattern_parse(span_of(text), &pattern, NULL), 0);
    return pattern;
}

static void patterns_are_checked(void **state)
{
    static const struct {
        const char *text, *suffix, *domain; /* suffix NULL: refused */
        uint16_t port;
    } rows[] = {
        {"*.apps.example.com", "", "apps.example.com", 0},
        {"*.Apps.Example.com.:8443", "", "apps.example.com", 8443},
        {"*--apps.example.com", "--apps", "example.com", 0},
        {"*.localhost", "", "localhost", 0},
        {"*-1234567890abcde.x", "-1234567890abcde", "x", 0},
        {"*-1234567890abcdef.x", NULL, NULL, 0},
        {"", NULL, NULL, 0},
        {"*", NULL, NULL, 0},
        {"*.", NULL, NULL, 0},
        {"apps.example.com", NULL, NULL, 0},
        {"x*.example.com", NULL, NULL, 0},
        {"a.*.example.com", NULL, NULL, 0},
        {"*.*.example.com", NULL, NULL, 0},
        {"**.example.com", NULL, NULL, 0},
        {"*-.example.com", NULL, NULL, 0},
        {"*_a.example.com", NULL, NULL, 0},
        {"https://*.example.com", NULL, NULL, 0},
        {"*.example.com/", NULL, NULL, 0},
        {"*.example.com:0", NULL, NULL, 0},
        {"*.example.com:x", NULL, NULL, 0},
        {"*.127.0.0.1", NULL, NULL, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct app_pattern p;
        int r = app_pattern_parse(span_of(rows[i].text), &p, NULL);
        assert_int_equal(r, rows[i].suffix ? 0 : -EINVAL);
        if (r < 0)
            continue;
        assert_string_equal(p.suffix, rows[i].suffix);
        assert_string_equal(p.domain, rows[i].domain);
        assert_int_equal(p.port, rows[i].port);
    }
}

/* prefix|port|s|slug|alias|agent|workspace|user of a host name that is an app's. */
static const struct {
    const char *label;
    struct app_host app;
} labels[] = {
    {"8080--ws--ann", {.port = 8080, .workspace = "ws", .user = "ann"}},
    {"8080s--ws--ann", {.port = 8080, .https = true, .workspace = "ws", .user = "ann"}},
    {"9--ws--ann", {.port = 9, .workspace = "ws", .user = "ann"}},
    {"65535--ws--ann", {.port = 65535, .workspace = "ws", .user = "ann"}},
    {"jupyter--ws--ann", {.slug = "jupyter", .workspace = "ws", .user = "ann"}},
    {"s--ws--ann", {.slug = "s", .workspace = "ws", .user = "ann"}},
    {"a-b--gpu-1--w-s--a-nn",
     {.slug = "a-b", .agent = "gpu-1", .workspace = "w-s", .user = "a-nn"}},
    {"8080--main--ws--ann", {.port = 8080, .agent = "main", .workspace = "ws", .user = "ann"}},
    {"x---8080--ws--ann", {.prefix = "x", .port = 8080, .workspace = "ws", .user = "ann"}},
    {"x-y--z---8080--ws--ann",
     {.prefix = "x-y--z", .port = 8080, .workspace = "ws", .user = "ann"}},
    {"x----8080--ws--ann", {.prefix = "x-", .port = 8080, .workspace = "ws", .user = "ann"}},
    {"8080--" ALIAS, {.port = 8080, .alias = ALIAS}},
    {"8080s--" ALIAS, {.port = 8080, .https = true, .alias = ALIAS}},
    {"lab--" ALIAS, {.slug = "lab", .alias = ALIAS}},
    {"p---lab--" ALIAS, {.prefix = "p", .slug = "lab", .alias = ALIAS}},
    {A32 "--" ALIAS, {.slug = A32, .alias = ALIAS}},
};

static void every_label_survives_a_round_trip(void **state)
{
    static const char *const patterns[] = {"*.apps.example.com", "*--x.example.com:8443",
                                           "*.localhost"};
    for (size_t k = 0; k < ARRAY_LEN(patterns); k++) {
        struct app_pattern pattern = pattern_of(patterns[k]);
        for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
            _cleanup_(buf_deinit) struct buf host = BUF_INIT(300), expected = BUF_INIT(300);
            struct app_host app;
            assert_int_equal(app_host_format(&pattern, &labels[i].app, &host), 0);
            buf_appendf(&expected, "%s%s", labels[i].label, patterns[k] + 1);
            assert_string_equal(buf_cstr(&host), buf_cstr(&expected));
            assert_int_equal(app_host_parse(&pattern, span_of(buf_cstr(&host)), &app),
                             APP_HOST_MATCH);
            assert_string_equal(app.prefix, labels[i].app.prefix);
            assert_int_equal(app.port, labels[i].app.port);
            assert_int_equal(app.https, labels[i].app.https);
            assert_string_equal(app.slug, labels[i].app.slug);
            assert_string_equal(app.alias, labels[i].app.alias);
            assert_string_equal(app.agent, labels[i].app.agent);
            assert_string_equal(app.workspace, labels[i].app.workspace);
            assert_string_equal(app.user, labels[i].app.user);
        }
    }
}

static void other_hosts_and_wrong_labels_are_told_apart(void **state)
{
    static const struct {
        const char *host;
        enum app_host_match expected;
    } rows[] = {
        {"8080--ws--ann.apps.example.com", APP_HOST_MATCH},
        {"8080--WS--Ann.APPS.example.COM", APP_HOST_MATCH},
        {"8080--ws--ann.apps.example.com.", APP_HOST_MATCH},
        {"8080--ws--ann.apps.example.com:8443", APP_HOST_MATCH},
        {"8080--ws--ann.apps.example.com.:8443", APP_HOST_MATCH},
        {"8080--ws--ann.apps.example.com:", APP_HOST_MATCH},
        {"", APP_HOST_OTHER},
        {"apps.example.com", APP_HOST_OTHER},
        {"example.com", APP_HOST_OTHER},
        {"8080--ws--ann.apps.example.org", APP_HOST_OTHER},
        {"8080--ws--annapps.example.com", APP_HOST_OTHER},
        {"8080--ws--ann.xapps.example.com", APP_HOST_OTHER},
        {"127.0.0.1", APP_HOST_OTHER},
        {"[::1]:80", APP_HOST_OTHER},
        {"[::1]", APP_HOST_OTHER},
        {"8080--ws--ann.apps.example.com:x", APP_HOST_OTHER},
        {".apps.example.com", APP_HOST_INVALID},
        {"www.apps.example.com", APP_HOST_INVALID},
        {"a.8080--ws--ann.apps.example.com", APP_HOST_INVALID},
        {"8--ws--ann.apps.example.com", APP_HOST_INVALID},
        {"0--ws--ann.apps.example.com", APP_HOST_INVALID},
        {"65536--ws--ann.apps.example.com", APP_HOST_INVALID},
        {"08080--ws--ann.apps.example.com", APP_HOST_INVALID},
        {"99999999999999999999999--ws--ann.apps.example.com", APP_HOST_INVALID},
        {"8080ss--ws--ann.apps.example.com", APP_HOST_MATCH},
        {"8080--ws.apps.example.com", APP_HOST_INVALID},
        {"8080--0123456789abw.apps.example.com", APP_HOST_INVALID},
        {"8080--0123456789abvv.apps.example.com", APP_HOST_INVALID},
        {"8080--a--b--c--d.apps.example.com", APP_HOST_INVALID},
        {"--ws--ann.apps.example.com", APP_HOST_INVALID},
        {"8080--ws--.apps.example.com", APP_HOST_INVALID},
        {"8080----ann.apps.example.com", APP_HOST_INVALID},
        {"---8080--ws--ann.apps.example.com", APP_HOST_INVALID},
        {"-x---8080--ws--ann.apps.example.com", APP_HOST_INVALID},
        {"8080--ws--ann-.apps.example.com", APP_HOST_INVALID},
        {"8080--w_s--ann.apps.example.com", APP_HOST_INVALID},
        {"8080--ws--ann%2e.apps.example.com", APP_HOST_INVALID},
    };
    struct app_pattern pattern = pattern_of("*.apps.example.com");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct app_host app;
        assert_int_equal(app_host_parse(&pattern, span_of(rows[i].host), &app), rows[i].expected);
    }
}

static void hosts_beside_a_suffix_are_others(void **state)
{
    struct app_pattern pattern = pattern_of("*--apps.example.com");
    struct app_host app;
    assert_int_equal(app_host_parse(&pattern, SPAN("adit.example.com"), &app), APP_HOST_OTHER);
    assert_int_equal(app_host_parse(&pattern, SPAN("apps.example.com"), &app), APP_HOST_OTHER);
    assert_int_equal(app_host_parse(&pattern, SPAN("--apps.example.com"), &app), APP_HOST_INVALID);
    assert_int_equal(app_host_parse(&pattern, SPAN("x--apps.example.com"), &app), APP_HOST_INVALID);
    assert_int_equal(app_host_parse(&pattern, SPAN("8080--w--a--apps.example.com"), &app),
                     APP_HOST_MATCH);
    assert_string_equal(app.user, "a");
}

static void the_short_form_is_taken_beyond_63_characters(void **state)
{
    /* 4 + 2 + 23 + 2 + 32 = 63 */
    struct app_host app = {.port = 8080, .user = A32, .alias = ALIAS};
    struct app_pattern pattern = pattern_of("*.x");
    _cleanup_(buf_deinit) struct buf host = BUF_INIT(300);
    str_copy(app.workspace, sizeof(app.workspace), "abcdefghijklmnopqrstuvw");
    assert_int_equal(app_host_format(&pattern, &app, &host), 0);
    assert_string_equal(buf_cstr(&host), "8080--abcdefghijklmnopqrstuvw--" A32 ".x");
    assert_int_equal(app_host_parse(&pattern, span_of(buf_cstr(&host)), &app), APP_HOST_MATCH);

    str_copy(app.alias, sizeof(app.alias), ALIAS);
    str_copy(app.workspace, sizeof(app.workspace), "abcdefghijklmnopqrstuvwx");
    buf_clear(&host);
    assert_int_equal(app_host_format(&pattern, &app, &host), 0);
    assert_string_equal(buf_cstr(&host), "8080--" ALIAS ".x");

    /* Without an alias there is no name for it. */
    app.alias[0] = '\0';
    assert_int_equal(app_host_format(&pattern, &app, &host), -EINVAL);
}

static void a_suffix_counts_as_part_of_the_label(void **state)
{
    struct app_host app = {.port = 8080, .user = A32, .alias = ALIAS};
    struct app_pattern pattern = pattern_of("*-y.x");
    _cleanup_(buf_deinit) struct buf host = BUF_INIT(300);
    str_copy(app.workspace, sizeof(app.workspace), "abcdefghijklmnopqrstu");
    assert_int_equal(app_host_format(&pattern, &app, &host), 0);
    assert_string_equal(buf_cstr(&host), "8080--abcdefghijklmnopqrstu--" A32 "-y.x");
    str_copy(app.workspace, sizeof(app.workspace), "abcdefghijklmnopqrstuv");
    buf_clear(&host);
    assert_int_equal(app_host_format(&pattern, &app, &host), 0);
    assert_string_equal(buf_cstr(&host), "8080--" ALIAS "-y.x");
    assert_int_equal(
        app_host_parse(&pattern, SPAN("8080--abcdefghijklmnopqrstuv--" A32 "-y.x"), &app),
        APP_HOST_INVALID);
}

static void every_short_form_without_prefix_fits(void **state)
{
    struct app_host app = {.slug = A32, .alias = ALIAS};
    struct app_pattern pattern = pattern_of("*-1234567890abcde.x");
    _cleanup_(buf_deinit) struct buf host = BUF_INIT(300);
    assert_int_equal(app_host_format(&pattern, &app, &host), 0);
    str_copy(app.prefix, sizeof(app.prefix), "p");
    assert_int_equal(app_host_format(&pattern, &app, &host), -ENAMETOOLONG);
}

static void what_is_no_app_gets_no_name(void **state)
{
    static const struct app_host rows[] = {
        {.workspace = "ws", .user = "ann"},
        {.port = 8, .workspace = "ws", .user = "ann"},
        {.slug = "8080", .workspace = "ws", .user = "ann"},
        {.slug = "Lab", .workspace = "ws", .user = "ann"},
        {.port = 8080, .workspace = "ws"},
        {.port = 8080},
        {.port = 8080, .alias = "short"},
        {.port = 8080, .workspace = "w--s", .user = "ann"},
        {.port = 8080, .workspace = "ws", .user = "ann", .prefix = "-x"},
        {.port = 8080, .workspace = "ws", .user = "ann", .prefix = "a.b"},
    };
    struct app_pattern pattern = pattern_of("*.x");
    _cleanup_(buf_deinit) struct buf host = BUF_INIT(300);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(app_host_format(&pattern, &rows[i], &host), -EINVAL);
    assert_int_equal(host.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_are_checked),
        cmocka_unit_test(every_label_survives_a_round_trip),
        cmocka_unit_test(other_hosts_and_wrong_labels_are_told_apart),
        cmocka_unit_test(hosts_beside_a_suffix_are_others),
        cmocka_unit_test(the_short_form_is_taken_beyond_63_characters),
        cmocka_unit_test(a_suffix_counts_as_part_of_the_label),
        cmocka_unit_test(every_short_form_without_prefix_fits),
        cmocka_unit_test(what_is_no_app_gets_no_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
