#include "cli/options.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/span.h"

static const struct option own[] = {
    {.name = "tcp", .letter = 'p', .kind = OPTION_LIST, .value = "SPEC"},
    {.name = "L", .letter = 'L', .kind = OPTION_LIST, .value = "SPEC"},
    {.name = "auto-port", .letter = 'a', .kind = OPTION_FLAG},
    {.name = "verbose", .letter = 'v', .kind = OPTION_FLAG},
    {.name = "wait", .kind = OPTION_OPTIONAL, .value = "SECONDS"},
    {0},
};
static const struct option common[] = {
    {.name = "output",
     .letter = 'o',
     .kind = OPTION_VALUE,
     .value = "FORMAT",
     .choices = "text|json",
     .env = "ADIT_TEST_OUTPUT"},
    {.name = "url", .kind = OPTION_VALUE, .value = "URL", .env = "ADIT_TEST_URL"},
    {0},
};

/* Space-separated words as argv. */
static int parse(struct args *a, const char *line, char *text, size_t size, struct err *err)
{
    char *argv[32];
    int argc = 0;
    struct span rest = span_of(line), word;
    size_t used = 0;
    *a = (struct args){0};
    args_add_table(a, own);
    args_add_table(a, common);
    while (*line && span_split(&rest, ' ', &word)) {
        argv[argc++] = text + used;
        assert_true(str_copy_span(text + used, size - used, word));
        used += word.len + 1;
    }
    return args_parse(a, argc, argv, err);
}

/* "tcp=80 auto-port | word word": the uses in order, then the words. */
static void describe(const struct args *a, struct buf *out)
{
    for (size_t i = 0; i < a->n_uses; i++)
        buf_appendf(out, "%s%s%s ", a->uses[i].option->name, a->uses[i].value ? "=" : "",
                    a->uses[i].value ? a->uses[i].value : "");
    buf_append_str(out, "|");
    for (size_t i = 0; i < a->n_words; i++)
        buf_appendf(out, " %s", a->words[i]);
}

static void options_and_words_are_told_apart(void **state)
{
    static const struct {
        const char *line, *expected;
    } cases[] = {
        {"", "|"},
        {"dev", "| dev"},
        {"--tcp 80 dev", "tcp=80 | dev"},
        {"dev --tcp=80", "tcp=80 | dev"},
        {"--tcp= dev", "tcp= | dev"},
        {"-p 80 -p81 -p=82", "tcp=80 tcp=81 tcp=82 |"},
        {"-av", "auto-port verbose |"},
        {"-avp80", "auto-port verbose tcp=80 |"},
        {"-L 1:h:2 -p 3 -L4:h:5", "L=1:h:2 tcp=3 L=4:h:5 |"},
        {"--wait dev", "wait | dev"},
        {"--wait=5 dev", "wait=5 | dev"},
        {"a -- --tcp -v", "| a --tcp -v"},
        {"- dev", "| - dev"},
        {"--tcp - dev", "tcp=- | dev"},
        {"-o json --output text", "output=json output=text |"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct args a;
        struct err err = ERR_INIT;
        char text[256];
        _cleanup_(buf_deinit) struct buf got = BUF_INIT(512);
        assert_int_equal(parse(&a, cases[i].line, text, sizeof(text), &err), 0);
        describe(&a, &got);
        assert_string_equal(buf_cstr(&got), cases[i].expected);
        args_deinit(&a);
    }
}

static void wrong_options_are_named_with_a_reason(void **state)
{
    static const struct {
        const char *line;
        int code;
        const char *text;
    } cases[] = {
        {"--tpc 80", -ENOENT, "unknown option '--tpc': did you mean '--tcp'?"},
        {"--outptu=json", -ENOENT, "unknown option '--outptu': did you mean '--output'?"},
        {"--quux", -ENOENT, "unknown option '--quux'"},
        {"--L 1", -ENOENT, "unknown option '--L'"},
        {"-x", -ENOENT, "unknown option '-x'"},
        {"-vx", -ENOENT, "unknown option '-x'"},
        {"--tcp", -EINVAL, "--tcp needs a value: --tcp SPEC"},
        {"-p", -EINVAL, "-p needs a value: -p SPEC"},
        {"-p --auto-port", -EINVAL, "-p needs a value, but '--auto-port' follows"},
        {"--auto-port=yes", -EINVAL, "--auto-port takes no value"},
        {"-o xml", -EINVAL, "--output: 'xml' is not one of: text json"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct args a;
        struct err err = ERR_INIT;
        char text[256];
        assert_int_equal(parse(&a, cases[i].line, text, sizeof(text), &err), cases[i].code);
        assert_string_equal(err.text, cases[i].text);
        args_deinit(&a);
    }
}

static void the_environment_stands_in_for_what_is_not_given(void **state)
{
    struct args a;
    struct err err = ERR_INIT;
    char text[256];
    setenv("ADIT_TEST_URL", "https://env", 1);
    setenv("ADIT_TEST_OUTPUT", "json", 1);
    assert_int_equal(parse(&a, "", text, sizeof(text), &err), 0);
    assert_string_equal(args_value(&a, "url"), "https://env");
    assert_string_equal(args_value(&a, "output"), "json");
    args_deinit(&a);

    assert_int_equal(parse(&a, "--url https://given", text, sizeof(text), &err), 0);
    assert_string_equal(args_value(&a, "url"), "https://given");
    args_deinit(&a);

    setenv("ADIT_TEST_OUTPUT", "xml", 1);
    assert_int_equal(parse(&a, "", text, sizeof(text), &err), -EINVAL);
    assert_string_equal(err.text, "ADIT_TEST_OUTPUT: 'xml' is not one of: text json");
    args_deinit(&a);

    setenv("ADIT_TEST_OUTPUT", "", 1);
    assert_int_equal(parse(&a, "", text, sizeof(text), &err), 0);
    assert_null(args_value(&a, "output"));
    args_deinit(&a);
    unsetenv("ADIT_TEST_OUTPUT");
    unsetenv("ADIT_TEST_URL");
}

static void numbers_are_checked_for_their_range(void **state)
{
    struct args a;
    struct err err = ERR_INIT;
    char text[256];
    uint64_t n = 0;
    assert_int_equal(parse(&a, "--wait=15", text, sizeof(text), &err), 0);
    assert_int_equal(args_number(&a, "wait", 1, 60, 30, &n, &err), 0);
    assert_int_equal(n, 15);
    assert_int_equal(args_number(&a, "wait", 20, 60, 30, &n, &err), -EINVAL);
    assert_string_equal(err.text, "--wait: '15' is not a number from 20 to 60");
    args_deinit(&a);
    assert_int_equal(parse(&a, "--wait", text, sizeof(text), &err), 0);
    assert_int_equal(args_number(&a, "wait", 1, 60, 30, &n, &err), 0);
    assert_int_equal(n, 30);
    args_deinit(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_and_words_are_told_apart),
        cmocka_unit_test(wrong_options_are_named_with_a_reason),
        cmocka_unit_test(the_environment_stands_in_for_what_is_not_given),
        cmocka_unit_test(numbers_are_checked_for_their_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
