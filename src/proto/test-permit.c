#include "proto/permit.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"

static void rules_match_their_targets_only(void **state)
{
    static const struct {
        const char *rule, *host;
        uint16_t port;
        bool expected;
    } rows[] = {
        {"localhost:*", "localhost", 80, true},
        {"localhost:*", "LOCALHOST.", 80, true},
        {"localhost:*", "127.0.0.1", 80, true},
        {"localhost:*", "::1", 80, true},
        {"localhost:*", "0:0::1", 80, true},
        {"localhost:*", "::ffff:127.0.0.1", 80, true},
        {"localhost:*", "", 0, true},
        {"localhost:*", "127.0.0.2", 80, false},
        {"localhost:*", "0.0.0.0", 80, false},
        {"localhost:*", "*", 80, false},
        {"localhost:*", "localhost.evil.example", 80, false},
        {"LocalHost:80", "127.0.0.1", 80, true},
        {"localhost:80", "127.0.0.1", 81, false},
        {"localhost:80", "localhost", 0, false},
        {"127.0.0.1:*", "localhost", 80, false},
        {"db.internal:5432", "db.internal", 5432, true},
        {"db.internal:5432", "DB.Internal.", 5432, true},
        {"db.internal:5432", "db.internal", 5433, false},
        {"db.internal:5432", "xdb.internal", 5432, false},
        {"db.internal:5432", "db.internal.example", 5432, false},
        {"*.corp:443", "a.corp", 443, true},
        {"*.corp:443", "a.b.corp", 443, true},
        {"*.corp:443", "corp", 443, false},
        {"*.corp:443", "a.corp.example", 443, false},
        {"*.corp:443", "acorp", 443, false},
        {"web-*.corp:80", "web-12.corp", 80, true},
        {"web-*.corp:80", "db-12.corp", 80, false},
        {"a*b*c:1", "aXbYbZc", 1, true},
        {"a*b*c:1", "aXcYb", 1, false},
        {"*:*", "anything.example", 65535, true},
        {"*:*", "10.1.2.3", 1, true},
        {"*:*", "fd00::1", 1, true},
        {"*:*", "*", 0, true},
        {"*:8000-8100", "x", 7999, false},
        {"*:8000-8100", "x", 8000, true},
        {"*:8000-8100", "x", 8100, true},
        {"*:8000-8100", "x", 8101, false},
        {"10.0.*:80", "10.0.3.4", 80, true},
        {"10.0.*:80", "10.1.3.4", 80, false},
        {"10.0.*:80", "10.0.evil.example", 80, false},
        {"*.1:80", "x.y", 80, false},
        {"[fd00::1]:22", "fd00:0::1", 22, true},
        {"[fd00::1]:22", "fd00::2", 22, false},
        {"[fd00:*]:22", "fd00::2", 22, true},
        {"[fd00:*]:22", "fd01::2", 22, false},
        {"0.0.0.0:*", "0.0.0.0", 80, true},
        {"*.corp:*", "127.1", 80, false},
        {"*:*", "127.1", 80, false},
        {"*:*", "a b", 80, false},
        {"*:*", "-x", 80, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct permit_rule rule;
        assert_int_equal(permit_rule_parse(span_of(rows[i].rule), &rule, NULL), 0);
        if (permit_rule_matches(&rule, span_of(rows[i].host), rows[i].port) != rows[i].expected)
            fail_msg("%s: %s %u", rows[i].rule, rows[i].host, rows[i].port);
    }
}

static void wrong_rules_are_refused(void **state)
{
    static const char *const rows[] = {
        "",       "localhost", "80",       ":80",       "a:",     "a:0",    "a:65536",    "a:80-",
        "a:-80",  "a:90-80",   "a:80-x",   "a:**",      "a b:80", "a/b:80", "::1:80",     "[::1:80",
        "[a]:80", "::*:80",    "127.1:80", "a:80-90-9", "[*:80",  "a:8 0",  "\xc3\xa4:1", "*/*:80",
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct permit_rule rule;
        struct err err = ERR_INIT;
        if (permit_rule_parse(span_of(rows[i]), &rule, &err) != -EINVAL)
            fail_msg("%s", rows[i]);
        assert_true(err.text[0]);
    }
}

static void no_rules_permit_nothing(void **state)
{
    char a[] = "a:1", broken[] = "nonsense", b[] = "b:2";
    char *rules[] = {a, broken, b};
    assert_false(permit_any(NULL, 0, SPAN("a"), 1));
    assert_true(permit_any(rules, 3, SPAN("a"), 1));
    assert_true(permit_any(rules, 3, SPAN("b"), 2));
    assert_false(permit_any(rules, 3, SPAN("a"), 2));
}

static void a_hostile_pattern_ends_soon(void **state)
{
    struct permit_rule rule;
    char text[HOST_SIZE];
    memset(text, 'a', 60);
    text[60] = '\0';
    assert_int_equal(
        permit_rule_parse(SPAN("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b:1"), &rule, NULL), 0);
    assert_false(permit_rule_matches(&rule, span_of(text), 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_match_their_targets_only),
        cmocka_unit_test(wrong_rules_are_refused),
        cmocka_unit_test(no_rules_permit_nothing),
        cmocka_unit_test(a_hostile_pattern_ends_soon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
