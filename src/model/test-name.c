#include "model/name.h"
#include "model/workspace_ref.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"

#define A32 "abcdefghijklmnopqrstuvwxyz012345"

static void names_are_folded_and_checked(void **state)
{
    static const struct {
        enum name_kind kind;
        const char *text;
        const char *expected; /* NULL: refused */
    } rows[] = {
        {NAME_USER, "alice", "alice"},   {NAME_USER, "Alice", "alice"},
        {NAME_USER, "a", "a"},           {NAME_USER, "0", "0"},
        {NAME_USER, "a-b-c", "a-b-c"},   {NAME_USER, A32, A32},
        {NAME_USER, A32 "6", NULL},      {NAME_USER, A32 A32 A32, NULL},
        {NAME_USER, "", NULL},           {NAME_USER, "-a", NULL},
        {NAME_USER, "a-", NULL},         {NAME_USER, "-", NULL},
        {NAME_USER, "a--b", NULL},       {NAME_USER, "a_b", NULL},
        {NAME_USER, "a.b", NULL},        {NAME_USER, "a b", NULL},
        {NAME_USER, "\xc3\xa4", NULL},   {NAME_WORKSPACE, "8080", "8080"},
        {NAME_AGENT, "8080s", "8080s"},  {NAME_SLUG, "8080", NULL},
        {NAME_SLUG, "8080s", NULL},      {NAME_SLUG, "8080S", NULL},
        {NAME_SLUG, "0", NULL},          {NAME_SLUG, "s", "s"},
        {NAME_SLUG, "8080ss", "8080ss"}, {NAME_SLUG, "8080t", "8080t"},
        {NAME_SLUG, "x8080", "x8080"},   {NAME_SLUG, "80-80", "80-80"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char name[NAME_SIZE] = "untouched";
        struct err err = ERR_INIT;
        int r = name_parse(rows[i].kind, span_of(rows[i].text), name, &err);
        if (rows[i].expected) {
            assert_int_equal(r, 0);
            assert_string_equal(name, rows[i].expected);
            assert_true(name_valid(rows[i].kind, span_of(name)));
        } else {
            assert_int_equal(r, -EINVAL);
            assert_string_equal(name, "untouched");
            assert_true(err.text[0]);
        }
    }
}

static void a_nul_inside_is_no_name(void **state)
{
    char name[NAME_SIZE];
    assert_int_equal(name_parse(NAME_USER, SPAN("ab\0cd"), name, NULL), -EINVAL);
}

static void the_error_says_what_is_wrong(void **state)
{
    char name[NAME_SIZE];
    struct err err = ERR_INIT;
    name_parse(NAME_USER, SPAN("Foo--Bar"), name, &err);
    assert_string_equal(err.text, "user name \"Foo--Bar\": it has two hyphens in a row");
}

static void stored_names_are_lower_case(void **state)
{
    assert_false(name_valid(NAME_USER, SPAN("Alice")));
    assert_true(name_valid(NAME_USER, SPAN("alice")));
}

static void workspace_references_have_three_parts(void **state)
{
    static const struct {
        const char *text, *owner, *workspace, *agent;
    } rows[] = {
        {"ws", "", "ws", ""},        {"Bob/WS", "bob", "ws", ""},
        {"ws.gpu", "", "ws", "gpu"}, {"bob/ws.gpu", "bob", "ws", "gpu"},
        {"", NULL, NULL, NULL},      {"/ws", NULL, NULL, NULL},
        {"bob/", NULL, NULL, NULL},  {"ws.", NULL, NULL, NULL},
        {".gpu", NULL, NULL, NULL},  {"a/b/c", NULL, NULL, NULL},
        {"a.b.c", NULL, NULL, NULL}, {"a.b/c", NULL, NULL, NULL},
        {"a b", NULL, NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct workspace_ref ref;
        struct err err = ERR_INIT;
        int r = workspace_ref_parse(span_of(rows[i].text), &ref, &err);
        if (!rows[i].workspace) {
            assert_int_equal(r, -EINVAL);
            continue;
        }
        assert_int_equal(r, 0);
        assert_string_equal(ref.owner, rows[i].owner);
        assert_string_equal(ref.workspace, rows[i].workspace);
        assert_string_equal(ref.agent, rows[i].agent);

        char text[WORKSPACE_REF_SIZE];
        struct workspace_ref again;
        workspace_ref_format(&ref, text);
        assert_int_equal(workspace_ref_parse(span_of(text), &again, NULL), 0);
        assert_memory_equal(&again, &ref, sizeof(ref));
    }
}

static void the_longest_reference_fits(void **state)
{
    struct workspace_ref ref;
    char text[WORKSPACE_REF_SIZE];
    assert_int_equal(workspace_ref_parse(SPAN(A32 "/" A32 "." A32), &ref, NULL), 0);
    assert_string_equal(workspace_ref_format(&ref, text), A32 "/" A32 "." A32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_folded_and_checked),
        cmocka_unit_test(a_nul_inside_is_no_name),
        cmocka_unit_test(the_error_says_what_is_wrong),
        cmocka_unit_test(stored_names_are_lower_case),
        cmocka_unit_test(workspace_references_have_three_parts),
        cmocka_unit_test(the_longest_reference_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
