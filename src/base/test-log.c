#include "base/log.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/span.h"

static char line[65536];
static int pipe_ends[2], saved_stderr;

/* From here on standard error goes into a pipe. */
static void capture(void)
{
    saved_stderr = dup(STDERR_FILENO);
    assert_int_equal(pipe(pipe_ends), 0);
    dup2(pipe_ends[1], STDERR_FILENO);
    close(pipe_ends[1]);
}

/* Ends that; what was written is in `line`. */
static void captured(void)
{
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    ssize_t n = read(pipe_ends[0], line, sizeof(line) - 1);
    line[n > 0 ? n : 0] = '\0';
    close(pipe_ends[0]);
}

static void text_lines_have_event_and_fields(void **state)
{
    log_setup(LOG_INFO, LOG_FORMAT_TEXT);
    capture();
    log_info("agent connected", LOG_STR("name", "main"), LOG_INT("n", -7),
             LOG_STR("text", "a b\"c"), LOG_STR("none", NULL));
    captured();
    assert_string_equal(line + sizeof("2026-01-31T12:34:56.789Z"),
                        "info  agent connected name=main n=-7 text=\"a b\\\"c\" none=\"\"\n");
}

static void json_lines_are_json(void **state)
{
    log_setup(LOG_INFO, LOG_FORMAT_JSON);
    capture();
    log_warn("x \"y\"", LOG_STR("k", "v\\"), LOG_INT("n", 7));
    captured();
    const char *rest = strchr(line, ',');
    assert_non_null(rest);
    assert_string_equal(rest, ",\"level\":\"warn\",\"event\":\"x \\\"y\\\"\",\"k\":\"v\\\\\","
                              "\"n\":7}\n");
}

static void strangers_cannot_forge_lines_or_reach_the_terminal(void **state)
{
    log_setup(LOG_INFO, LOG_FORMAT_TEXT);
    capture();
    log_info("x", LOG_STR("k", "a\nb\x1b[0m\x7f\xc2\x9b\xff\xc3\xa4"));
    captured();
    assert_non_null(strstr(line, " k=\"a\\u000ab\\u001b[0m\\u007f\\u009b\\ufffd\xc3\xa4\"\n"));
}

static void long_values_are_cut_and_the_line_stays_whole(void **state)
{
    static char value[20000];
    memset(value, '\n', sizeof(value) - 1);
    log_setup(LOG_INFO, LOG_FORMAT_JSON);
    capture();
    log_info("x", LOG_STR("a", "1"), LOG_STR("big", value), LOG_STR("b", "2"));
    captured();
    assert_true(strlen(line) <= 4096);
    assert_true(span_ends(span_of(line), "\"a\":\"1\",\"b\":\"2\"}\n"));

    memset(value, 'v', sizeof(value) - 1);
    capture();
    log_info("x", LOG_STR("big", value), LOG_STR("b", "2"));
    captured();
    assert_non_null(strstr(line, "vvv...\",\"b\":\"2\"}\n"));
    log_setup(LOG_INFO, LOG_FORMAT_TEXT);
    capture();
    log_info("x", LOG_STR("big", value), LOG_STR("b", "2"));
    captured();
    assert_non_null(strstr(line, "vvv...\" b=2\n"));
}

static void lower_levels_are_not_written(void **state)
{
    log_setup(LOG_WARN, LOG_FORMAT_TEXT);
    assert_false(log_enabled(LOG_INFO));
    assert_true(log_enabled(LOG_WARN));
    capture();
    log_info("x");
    log_error("y");
    captured();
    assert_null(strstr(line, "info"));
    assert_non_null(strstr(line, "error y\n"));
}

static void levels_have_names(void **state)
{
    enum log_level level = LOG_WARN;
    assert_int_equal(log_level_parse("debug", &level), 0);
    assert_int_equal(level, LOG_DEBUG);
    assert_int_equal(log_level_parse("loud", &level), -EINVAL);
}

static void a_limit_lets_a_burst_pass_and_counts_the_rest(void **state)
{
    struct log_limit limit = {.burst = 2, .per_usec = USEC_PER_SEC};
    unsigned held = 99;
    usec_t now = 5 * USEC_PER_SEC;
    assert_true(log_limit_pass(&limit, now, &held));
    assert_int_equal(held, 0);
    assert_true(log_limit_pass(&limit, now + 1, &held));
    assert_false(log_limit_pass(&limit, now + 2, &held));
    assert_false(log_limit_pass(&limit, now + USEC_PER_SEC - 1, &held));
    assert_true(log_limit_pass(&limit, now + USEC_PER_SEC, &held));
    assert_int_equal(held, 2);
    assert_true(log_limit_pass(&limit, now + USEC_PER_SEC, &held));
    assert_int_equal(held, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_lines_have_event_and_fields),
        cmocka_unit_test(json_lines_are_json),
        cmocka_unit_test(strangers_cannot_forge_lines_or_reach_the_terminal),
        cmocka_unit_test(long_values_are_cut_and_the_line_stays_whole),
        cmocka_unit_test(lower_levels_are_not_written),
        cmocka_unit_test(levels_have_names),
        cmocka_unit_test(a_limit_lets_a_burst_pass_and_counts_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
