#include "model/scope.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"

#define A32 "abcdefghijklmnopqrstuvwxyz012345"

static void every_scope_survives_a_round_trip(void **state)
{
    static const struct {
        const char *text, *expected;
    } rows[] = {
        {"all", "all"},
        {"ALL", "all"},
        {"application-connect", "application-connect"},
        {"workspace:dev", "workspace:dev"},
        {"workspace:Bob/Dev", "workspace:bob/dev"},
        {"workspace:" A32 "/" A32, "workspace:" A32 "/" A32},
        {"", NULL},
        {"none", NULL},
        {"workspace", NULL},
        {"workspace:", NULL},
        {"workspace:a.b", NULL},
        {"workspace:a b", NULL},
        {"all:x", NULL},
        {"workspaces:dev", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct token_scope scope;
        struct err err = ERR_INIT;
        int r = token_scope_parse(span_of(rows[i].text), &scope, &err);
        if (!rows[i].expected) {
            assert_int_equal(r, -EINVAL);
            assert_true(err.text[0]);
            continue;
        }
        char text[TOKEN_SCOPE_SIZE];
        assert_int_equal(r, 0);
        assert_string_equal(token_scope_format(&scope, text), rows[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_scope_survives_a_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
