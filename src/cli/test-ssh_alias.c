#include "cli/ssh_alias.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

static void an_alias_and_a_reference_are_the_same_thing(void **state)
{
    static const struct {
        const char *alias, *ref;
    } cases[] = {
        {"adit.dev", "dev"},
        {"adit.dev.gpu", "dev.gpu"},
        {"adit.anna--dev", "anna/dev"},
        {"adit.anna--dev.gpu", "anna/dev.gpu"},
        {"adit.a-b--c-d.e-f", "a-b/c-d.e-f"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct workspace_ref ref;
        char text[WORKSPACE_REF_SIZE], alias[SSH_ALIAS_SIZE];
        assert_int_equal(ssh_alias_parse(span_of(cases[i].alias), &ref, NULL), 0);
        assert_string_equal(workspace_ref_format(&ref, text), cases[i].ref);
        assert_string_equal(ssh_alias_format(&ref, alias), cases[i].alias);
    }
}

static void case_does_not_matter(void **state)
{
    struct workspace_ref ref;
    char alias[SSH_ALIAS_SIZE];
    assert_int_equal(ssh_alias_parse(SPAN("Adit.Anna--Dev.GPU"), &ref, NULL), 0);
    assert_string_equal(ssh_alias_format(&ref, alias), "adit.anna--dev.gpu");
}

static void the_longest_names_fit(void **state)
{
    struct workspace_ref ref;
    char alias[SSH_ALIAS_SIZE], name[NAME_SIZE];
    memset(name, 'x', NAME_MAX_LEN);
    name[NAME_MAX_LEN] = '\0';
    memcpy(ref.owner, name, sizeof(name));
    memcpy(ref.workspace, name, sizeof(name));
    memcpy(ref.agent, name, sizeof(name));
    assert_int_equal(strlen(ssh_alias_format(&ref, alias)), 5 + 32 + 2 + 32 + 1 + 32);
}

static void what_is_no_alias_is_refused(void **state)
{
    static const char *const cases[] = {"",           "adit",       "adit.",      "dev",
                                        "adit.--dev", "adit.a--",   "adit.a.b.c", "adit.a--b--c",
                                        "adit.a/b",   "adit.a;b",   "adit.a b",   "adit.dev.",
                                        "adit.$(id)", "adit.a---b", "audit.dev"};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct workspace_ref ref;
        struct err err = ERR_INIT;
        assert_int_equal(ssh_alias_parse(span_of(cases[i]), &ref, &err), -22);
        assert_non_null(strstr(err.text, "is not adit.[OWNER--]WORKSPACE[.AGENT]"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_alias_and_a_reference_are_the_same_thing),
        cmocka_unit_test(case_does_not_matter),
        cmocka_unit_test(the_longest_names_fit),
        cmocka_unit_test(what_is_no_alias_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
