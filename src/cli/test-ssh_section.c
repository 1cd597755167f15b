#include "cli/ssh_section.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

#define START                                                                                      \
    "# >>> adit >>> This section is written by `adit config-ssh`, which overwrites it.\n"          \
    "# Workspaces as adit.WORKSPACE, adit.WORKSPACE.AGENT, adit.OWNER--WORKSPACE[.AGENT].\n"       \
    "# Keep it above sections for all hosts: of several values ssh takes the first.\n"
#define END "# <<< adit <<<\n"

static char *put(const char *text, const char *body)
{
    _cleanup_(buf_deinit) struct buf dst = BUF_INIT(64 * 1024);
    struct err err = ERR_INIT;
    if (ssh_section_put(span_of(text), span_of(body), &dst, &err) < 0)
        fail_msg("%s", err.text);
    return span_dup(span_from(buf_data(&dst), dst.len));
}

static char *removed(const char *text)
{
    _cleanup_(buf_deinit) struct buf dst = BUF_INIT(64 * 1024);
    struct err err = ERR_INIT;
    if (ssh_section_remove(span_of(text), &dst, &err) < 0)
        fail_msg("%s", err.text);
    return span_dup(span_from(buf_data(&dst), dst.len));
}

static void a_new_section_stands_at_the_top(void **state)
{
    _cleanup_free_ char *into_nothing = put("", "new\n");
    _cleanup_free_ char *into_a_file = put("Host *\n  User anna", "new\n");
    assert_string_equal(into_nothing, START "new\n" END);
    assert_string_equal(into_a_file, START "new\n" END "\nHost *\n  User anna");
}

static void a_section_is_replaced_where_it_is(void **state)
{
    _cleanup_free_ char *text =
        put("# mine\n\n# >>> adit >>> as it was in another version\nold\n# <<< adit <<<\nHost *\n",
            "new\n");
    assert_string_equal(text, "# mine\n\n" START "new\n" END "Host *\n");
    _cleanup_free_ char *again = put(text, "new\n");
    assert_string_equal(again, text);
}

static void a_removed_section_leaves_the_file_as_it_was(void **state)
{
    static const char *const cases[] = {
        "", "\n", "\n\nHost *\n", "Host *\n  User a", "a\r\nb\r\n", "# comment\n\n"};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_free_ char *with = put(cases[i], "body\n");
        _cleanup_free_ char *without = removed(with);
        _cleanup_free_ char *untouched = removed(cases[i]);
        assert_string_equal(without, cases[i]);
        assert_string_equal(untouched, cases[i]);
    }
}

static void line_ends_of_other_systems_are_no_hindrance(void **state)
{
    _cleanup_free_ char *text =
        put("a\r\n# >>> adit >>>\r\nold\r\n# <<< adit <<<\r\nb\r\n", "new\n");
    assert_string_equal(text, "a\r\n" START "new\n" END "b\r\n");
}

static void a_damaged_section_is_left_alone_and_named(void **state)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"a\n# >>> adit >>> x\nb\n", "begins in line 2 and has no end line"},
        {"a\nb\n# <<< adit <<<\nc", "ends in line 3 and does not begin before that"},
        {"# <<< adit <<<\n# >>> adit >>>\n", "ends in line 1 and does not begin before that"},
        {"# >>> adit >>>\n# <<< adit <<<\n# >>> adit >>>\n# <<< adit <<<\n",
         "is there twice (the second begins in line 3)"},
        {"# >>> adit >>>\n# <<< adit <<<\n# <<< adit <<<", "(the second ends in line 3)"},
        {"# >>> adit >>>\n# >>> adit >>>\n# <<< adit <<<\n", "(the second begins in line 2)"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_(buf_deinit) struct buf dst = BUF_INIT(64 * 1024);
        struct err err = ERR_INIT;
        struct span text = span_of(cases[i].text);
        assert_int_equal(ssh_section_put(text, SPAN("new\n"), &dst, &err), -22);
        assert_non_null(strstr(err.text, cases[i].error));
        assert_int_equal(ssh_section_remove(text, &dst, &err), -22);
        assert_int_equal(dst.len, 0);
    }
}

static void what_stands_before_the_section_and_counts_is_found(void **state)
{
    static const struct {
        const char *before;
        size_t line; /* 0: nothing */
    } cases[] = {
        {"", 0},
        {"# User anna\n", 0},
        {"ServerAliveInterval 10\nHost *\n  ForwardAgent yes\n", 0},
        {"User anna\n", 1},
        {"Host *\n\tUser anna\n", 2},
        {"Host=*\n\tUser=anna\n", 2},
        {"host adit.*\nproxyjump bastion\n", 2},
        {"Host \"adit.*\"\n  Port 2222\n", 2},
        {"Host a*.x\n  Port 2222\n", 2},
        {"Host * !adit.*\n  User anna\n", 0},
        {"Host work *.example.com\n  User anna\n", 0},
        {"Host adit.dev\n  User anna\n", 0},
        {"Host work\n  Port 1\nHost *\n  IdentityFile x\n  Include y\n", 5},
        {"Match all\n  User anna\n", 2},
        {"Match host work\n  User anna\n", 0},
        {"Match host *.example.com,adit.* user x\n  User anna\n", 2},
        {"Match host *,!adit.*\n  User anna\n", 0},
        {"Match exec \"true\"\n  User anna\n", 2},
        {"Include other\n", 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[512];
        struct span line;
        snprintf(text, sizeof(text), "%s" START "x\n" END "User late\n", cases[i].before);
        assert_int_equal(ssh_section_shadowed(span_of(text), &line), cases[i].line);
    }
}

static void the_line_is_shown_without_its_indent(void **state)
{
    struct span line;
    assert_int_equal(ssh_section_shadowed(SPAN("Host *\n\tUser anna \n" START END), &line), 2);
    assert_true(span_is(line, "User anna"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_section_stands_at_the_top),
        cmocka_unit_test(a_section_is_replaced_where_it_is),
        cmocka_unit_test(a_removed_section_leaves_the_file_as_it_was),
        cmocka_unit_test(line_ends_of_other_systems_are_no_hindrance),
        cmocka_unit_test(a_damaged_section_is_left_alone_and_named),
        cmocka_unit_test(what_stands_before_the_section_and_counts_is_found),
        cmocka_unit_test(the_line_is_shown_without_its_indent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
