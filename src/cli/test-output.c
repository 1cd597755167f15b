#include "cli/output.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "cli/table.h"
#include "cli/text.h"

struct capture {
    struct output out;
    char *text, *errors;
    size_t text_len, errors_len;
};

static void capture_start(struct capture *c)
{
    *c = (struct capture){0};
    c->out.out = open_memstream(&c->text, &c->text_len);
    c->out.err = open_memstream(&c->errors, &c->errors_len);
}

static void capture_end(struct capture *c)
{
    fclose(c->out.out);
    fclose(c->out.err);
    free(c->text);
    free(c->errors);
}

static void columns_are_aligned_by_what_is_seen(void **state)
{
    struct capture c;
    capture_start(&c);
    struct table *t = table_new((const char *const[]){"NAME", "OWNER", "AGENT", NULL});
    table_row(t, (const char *const[]){"dev", "anna", "connected"});
    table_row(t, (const char *const[]){"long-workspace", "", NULL});
    table_row(t, (const char *const[]){"g\xc3\xa4ste", "bob", "away"});
    table_print(t, &c.out);
    table_free(t);
    fflush(c.out.out);
    assert_string_equal(c.text, "NAME            OWNER  AGENT\n"
                                "dev             anna   connected\n"
                                "long-workspace  -      -\n"
                                "g\xc3\xa4ste           bob    away\n");
    capture_end(&c);
}

static void a_table_is_folded_to_the_width_of_the_terminal(void **state)
{
    static const struct {
        unsigned width;
        const char *expected;
    } cases[] = {
        {0, "PORT  PROCESS  SPEAKS  URL\n"
            "80    nginx    -       http://a.example/\n"
            "9000  -        -       -\n"},
        {41, "PORT  PROCESS  SPEAKS  URL\n"
             "80    nginx    -       http://a.example/\n"
             "9000  -        -       -\n"},
        {39, "PORT  PROCESS  URL\n"
             "80    nginx    http://a.example/\n"
             "9000  -        -\n"},
        {31, "PORT  PROCESS\n"
             "    URL\n"
             "80    nginx\n"
             "    http://a.example/\n"
             "9000  -\n"},
        {1, "PORT\n"
            "    PROCESS\n"
            "    URL\n"
            "80\n"
            "    nginx\n"
            "    http://a.example/\n"
            "9000\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct capture c;
        capture_start(&c);
        struct table *t =
            table_new((const char *const[]){"PORT", "PROCESS", "SPEAKS", "URL", NULL});
        table_row(t, (const char *const[]){"80", "nginx", "", "http://a.example/"});
        table_row(t, (const char *const[]){"9000", "", "", ""});
        table_print_within(t, &c.out, cases[i].width);
        table_free(t);
        fflush(c.out.out);
        assert_string_equal(c.text, cases[i].expected);
        capture_end(&c);
    }
}

static void nothing_from_outside_controls_the_terminal(void **state)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"plain", "plain"},
        {"\033[31mred\033[0m", "?[31mred?[0m"},
        {"a\nb\tc\x7f", "a?b?c?"},
        {"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
        {"\xc2\x9b"
         "31m",
         "??31m"},
        {"\xff\xc3", "??"},
        {"\xe2\x80\xae"
         "cba",
         "???cba"},
        {NULL, ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        _cleanup_free_ char *got = output_printable(cases[i].text);
        assert_string_equal(got, cases[i].expected);
    }
}

static void lines_and_json_control_no_terminal_either(void **state)
{
    struct capture c;
    capture_start(&c);
    output_line(&c.out, "%s/%s", "\033]0;x\007", "a\nb");
    json_t *value = json_pack("{s:s}", "n\x7f", "\033\xc2\x9b\xe2\x80\xae\xc3\xa9");
    output_json_line(&c.out, value);
    fflush(c.out.out);
    assert_string_equal(c.text, "?]0;x?/a\nb\n"
                                "{\"n\\u007F\":\"\\u001B\\u009B\\u202E\xc3\xa9\"}\n");
    json_t *again = json_loads(strchr(c.text, '{'), 0, NULL);
    assert_true(json_equal(again, value));
    json_decref(again);
    json_decref(value);
    capture_end(&c);
}

static void errors_are_one_line_and_a_hint(void **state)
{
    struct capture c;
    capture_start(&c);
    output_error(&c.out, "no such %s", "thing\nwith lines");
    output_hint(&c.out, "try again");
    output_warning(&c.out, "careful");
    assert_string_equal(c.errors, "adit: no such thing?with lines\n"
                                  "hint: try again\n"
                                  "adit: warning: careful\n");
    capture_end(&c);
}

static void colours_need_a_terminal(void **state)
{
    struct output o;
    setenv("TERM", "xterm", 1);
    unsetenv("NO_COLOR");
    output_init(&o);
    /* The tests' own output may be a terminal or not: no colour is right only for the latter. */
    assert_int_equal(o.out_colour, isatty(1));
    setenv("NO_COLOR", "1", 1);
    output_init(&o);
    assert_false(o.out_colour);
    unsetenv("NO_COLOR");
    setenv("TERM", "dumb", 1);
    output_init(&o);
    assert_false(o.out_colour);
    assert_string_equal(output_style(false, STYLE_RED), "");
    assert_string_equal(output_style(true, STYLE_RED), "\033[31m");
}

static void amounts_are_written_for_people(void **state)
{
    char text[TEXT_SIZE];
    assert_string_equal(text_bytes(0, text), "0 B");
    assert_string_equal(text_bytes(1023, text), "1023 B");
    assert_string_equal(text_bytes(1536, text), "1.5 KiB");
    assert_string_equal(text_bytes(100.0 * 1024 * 1024, text), "100 MiB");
    assert_string_equal(text_duration(450, text), "0.5 ms");
    assert_string_equal(text_duration(12 * USEC_PER_MSEC, text), "12 ms");
    assert_string_equal(text_duration(1500 * USEC_PER_MSEC, text), "1.5 s");
    assert_string_equal(text_ago(0, 5, text), "never");
    assert_string_equal(text_ago(USEC_PER_DAY, USEC_PER_DAY + 3 * USEC_PER_SEC, text), "just now");
    assert_string_equal(text_ago(USEC_PER_SEC, 601 * USEC_PER_SEC, text), "10 min ago");
    assert_string_equal(text_ago(1, 5 * USEC_PER_HOUR, text), "4 h ago");
    assert_string_equal(text_date(0, text), "never");
    assert_string_equal(text_date(USEC_PER_DAY, text), "1970-01-02");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_aligned_by_what_is_seen),
        cmocka_unit_test(a_table_is_folded_to_the_width_of_the_terminal),
        cmocka_unit_test(nothing_from_outside_controls_the_terminal),
        cmocka_unit_test(lines_and_json_control_no_terminal_either),
        cmocka_unit_test(errors_are_one_line_and_a_hint),
        cmocka_unit_test(colours_need_a_terminal),
        cmocka_unit_test(amounts_are_written_for_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
