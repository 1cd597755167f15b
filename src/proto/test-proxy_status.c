#include "proto/proxy_status.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"

static void every_result_survives_the_field(void **state)
{
    for (enum dial_result v = DIAL_OK + 1; v < DIAL_RESULT_COUNT; v++) {
        _cleanup_(buf_deinit) struct buf field = BUF_INIT(500);
        struct proxy_status got;
        assert_int_equal(proxy_status_format(v, "db:5432 \"x\" \\", &field), 0);
        assert_int_equal(proxy_status_parse(span_of(buf_cstr(&field)), &got), 0);
        assert_int_equal(got.result, v);
        assert_string_equal(got.details, "db:5432 \"x\" \\");
    }
}

static void every_result_has_names_and_a_status(void **state)
{
    for (enum dial_result v = DIAL_OK; v < DIAL_RESULT_COUNT; v++) {
        assert_true(dial_result_text(v)[0]);
        for (enum dial_result other = DIAL_OK; other < v; other++)
            assert_string_not_equal(dial_result_name(v), dial_result_name(other));
        int status = dial_result_status(v);
        assert_true(v == DIAL_OK ? status == 200 : status >= 400 && status < 600);
        assert_true(v == DIAL_OK ? dial_result_to_errno(v) == 0 : dial_result_to_errno(v) < 0);
    }
}

static void the_field_is_as_rfc_9209_has_it(void **state)
{
    static const struct {
        enum dial_result result;
        const char *details, *expected;
    } rows[] = {
        {DIAL_REFUSED, NULL, "adit; error=connection_refused"},
        {DIAL_REFUSED, "", "adit; error=connection_refused"},
        {DIAL_TIMEOUT, "a:1", "adit; error=connection_timeout; details=\"a:1\""},
        {DIAL_NAME_NOT_FOUND, NULL, "adit; error=dns_error; rcode=\"NXDOMAIN\""},
        {DIAL_NAME_FAILED, NULL, "adit; error=dns_error; rcode=\"SERVFAIL\""},
        {DIAL_FORBIDDEN, "a\nb\xff", "adit; error=http_request_denied; details=\"a?b?\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(buf_deinit) struct buf field = BUF_INIT(500);
        assert_int_equal(proxy_status_format(rows[i].result, rows[i].details, &field), 0);
        assert_string_equal(buf_cstr(&field), rows[i].expected);
    }
}

static void other_peoples_fields_are_understood(void **state)
{
    static const struct {
        const char *value;
        int r;
        enum dial_result result;
        const char *details;
    } rows[] = {
        {"origin, ex.net; error=connection_refused", 0, DIAL_REFUSED, ""},
        {"\"a b\";received-status=503;error=destination_unavailable", 0, DIAL_UNAVAILABLE, ""},
        {"a;x=1.5;y=?1;z=:AA==:;flag;error=dns_timeout , b;error=connection_refused", 0,
         DIAL_NAME_FAILED, ""},
        {"a;error=something_new;details=\"d\"", 0, DIAL_INTERNAL, "d"},
        {"a;error=destination_ip_prohibited", 0, DIAL_FORBIDDEN, ""},
        {"a;error=dns_error", 0, DIAL_NAME_NOT_FOUND, ""},
        {"a", -ENOENT, 0, ""},
        {"a; received-status=200, b", -ENOENT, 0, ""},
        {"", -EINVAL, 0, ""},
        {",", -EINVAL, 0, ""},
        {"a,", -EINVAL, 0, ""},
        {"a;", -EINVAL, 0, ""},
        {"a;=1", -EINVAL, 0, ""},
        {"a;error=", -EINVAL, 0, ""},
        {"a b", -EINVAL, 0, ""},
        {"(a b);error=x", -EINVAL, 0, ""},
        {"a;error=x;details=\"open", -EINVAL, 0, ""},
        {"a;details=\"\x01\"", -EINVAL, 0, ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct proxy_status got;
        int r = proxy_status_parse(span_of(rows[i].value), &got);
        if (r != rows[i].r)
            fail_msg("%s: %d", rows[i].value, r);
        if (r < 0)
            continue;
        assert_int_equal(got.result, rows[i].result);
        assert_string_equal(got.details, rows[i].details);
    }
}

static void long_details_are_cut(void **state)
{
    _cleanup_(buf_deinit) struct buf field = BUF_INIT(2000);
    struct proxy_status got;
    char details[1000];
    memset(details, 'd', sizeof(details));
    details[sizeof(details) - 1] = '\0';
    assert_int_equal(proxy_status_format(DIAL_REFUSED, details, &field), 0);
    assert_int_equal(proxy_status_parse(span_of(buf_cstr(&field)), &got), 0);
    assert_int_equal(strlen(got.details), PROXY_STATUS_DETAILS_SIZE - 1);

    struct buf small = BUF_INIT(20);
    assert_int_equal(proxy_status_format(DIAL_REFUSED, NULL, &small), -ENOBUFS);
    assert_int_equal(small.len, 0);
}

static void errno_codes_become_results(void **state)
{
    static const struct {
        int code;
        enum dial_result expected;
    } rows[] = {
        {0, DIAL_OK},
        {-ECONNREFUSED, DIAL_REFUSED},
        {ECONNREFUSED, DIAL_REFUSED},
        {-ETIMEDOUT, DIAL_TIMEOUT},
        {-EHOSTUNREACH, DIAL_UNREACHABLE},
        {-ENETUNREACH, DIAL_UNREACHABLE},
        {-ENOENT, DIAL_NOT_FOUND},
        {-EMFILE, DIAL_LIMIT},
        {-EADDRINUSE, DIAL_ADDRESS_IN_USE},
        {-EADDRNOTAVAIL, DIAL_ADDRESS_NOT_HERE},
        {-EACCES, DIAL_NOT_PERMITTED},
        {-EXDEV, DIAL_INTERNAL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(dial_result_from_errno(rows[i].code), rows[i].expected);
    assert_int_equal(dial_result_from_dns(-ENOENT), DIAL_NAME_NOT_FOUND);
    assert_int_equal(dial_result_from_dns(-EAGAIN), DIAL_NAME_FAILED);
    assert_int_equal(dial_result_from_dns(0), DIAL_OK);
    assert_int_equal(proxy_status_from_http(200), DIAL_OK);
    assert_int_equal(proxy_status_from_http(403), DIAL_FORBIDDEN);
    assert_int_equal(proxy_status_from_http(504), DIAL_TIMEOUT);
    assert_int_equal(proxy_status_from_http(599), DIAL_INTERNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_result_survives_the_field),
        cmocka_unit_test(every_result_has_names_and_a_status),
        cmocka_unit_test(the_field_is_as_rfc_9209_has_it),
        cmocka_unit_test(other_peoples_fields_are_understood),
        cmocka_unit_test(long_details_are_cut),
        cmocka_unit_test(errno_codes_become_results),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
