#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "cli/audit_text.h"
#include "cli/csv.h"

static void a_cell_is_quoted_and_never_a_formula(void **state)
{
    static const struct {
        const char *cell, *expected;
    } rows[] = {
        {NULL, "\r\n"},
        {"", "\r\n"},
        {"plain text", "plain text\r\n"},
        {"a,b", "\"a,b\"\r\n"},
        {"say \"hi\"", "\"say \"\"hi\"\"\"\r\n"},
        {" led", "\" led\"\r\n"},
        {"=1+1", "'=1+1\r\n"},
        {"+1", "'+1\r\n"},
        {"-1", "'-1\r\n"},
        {"@SUM(A1)", "'@SUM(A1)\r\n"},
        {" =1", "\"' =1\"\r\n"},
        {"=HYPERLINK(\"x\",1)", "\"'=HYPERLINK(\"\"x\"\",1)\"\r\n"},
        {"a=b", "a=b\r\n"},
        {"two\r\nlines\t\033[1m", "two??lines??[1m\r\n"},
        {"\t=1", "?=1\r\n"},
        {"[::1]:80", "[::1]:80\r\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_free_ char *text = NULL;
        size_t len;
        FILE *f = open_memstream(&text, &len);
        csv_row(f, &rows[i].cell, 1);
        fclose(f);
        assert_string_equal(text, rows[i].expected);
    }
}

static void a_moment_is_a_duration_a_date_or_a_time(void **state)
{
    static const struct {
        const char *text, *expected; /* NULL: refused */
    } rows[] = {
        {"2h", "2026-01-31T10:00:00.000Z"},
        {"1d", "2026-01-30T12:00:00.000Z"},
        {"2026-01-30", "2026-01-30T00:00:00.000Z"},
        {"2026-01-30T01:02:03Z", "2026-01-30T01:02:03.000Z"},
        {"2", NULL},
        {"", NULL},
        {"yesterday", NULL},
        {"2026-02-30", NULL},
        {"2026-01-3", NULL},
        {"99999999999999999999d", NULL},
    };
    usec_t now, got;
    assert_int_equal(clock_parse("2026-01-31T12:00:00Z", &now), 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[CLOCK_TEXT_LEN];
        int r = audit_text_moment(rows[i].text, now, &got);
        if (!rows[i].expected) {
            if (r >= 0)
                fail_msg("'%s' is taken", rows[i].text);
            continue;
        }
        assert_int_equal(r, 0);
        assert_string_equal(clock_format(got, text), rows[i].expected);
    }
}

static struct api_audit_event events[2] = {
    {.event = {.time = 1769862896789000,
               .action = AUDIT_FORWARD_CLOSE,
               .actor = "anna",
               .workspace = "anna/dev",
               .agent = "main",
               .target = "=cmd,1",
               .direction = AUDIT_REMOTE,
               .carrier = AUDIT_DIRECT,
               .bytes_in = 2048,
               .bytes_out = 5,
               .result = "ok",
               .detail = "from here",
               .ip = "192.0.2.1"},
     .duration_ms = 1500},
    {.event = {.time = 1769862896000000, .action = AUDIT_LOGIN, .actor = "bob", .result = "ok"}},
};

static char *shown(void (*show)(const struct api_audit_event *, size_t, struct output *))
{
    char *text = NULL;
    size_t len;
    struct output out = {.out = open_memstream(&text, &len)};
    show(events, ARRAY_LEN(events), &out);
    fclose(out.out);
    return text;
}

static void the_table_shows_who_did_what(void **state)
{
    _cleanup_free_ char *text = shown(audit_text_table);
    assert_string_equal(
        text,
        "TIME (UTC)           PERSON  ACTION         WORKSPACE  TARGET  DIRECTION  PATH    IN    "
        "   OUT  DURATION  RESULT  DETAIL\n"
        "2026-01-31 12:34:56  anna    forward_close  anna/dev   =cmd,1  remote     direct  2.0 KiB"
        "  5 B  1.5 s     ok      from here\n"
        "2026-01-31 12:34:56  bob     login          -          -       -          -       -     "
        "   -    -         ok      -\n");
}

static void the_csv_has_every_member(void **state)
{
    _cleanup_free_ char *text = shown(audit_text_csv);
    assert_string_equal(
        text, "time,action,actor,workspace,agent,target,direction,path,bytes_in,bytes_out,"
              "duration_ms,result,detail,ip,id\r\n"
              "2026-01-31T12:34:56.789Z,forward_close,anna,anna/dev,main,\"'=cmd,1\",remote,direct,"
              "2048,5,1500,ok,from here,192.0.2.1,00000000000000000000000000000000\r\n"
              "2026-01-31T12:34:56.000Z,login,bob,,,,,,0,0,0,ok,,,00000000000000000000000000000000"
              "\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cell_is_quoted_and_never_a_formula),
        cmocka_unit_test(a_moment_is_a_duration_a_date_or_a_time),
        cmocka_unit_test(the_table_shows_who_did_what),
        cmocka_unit_test(the_csv_has_every_member),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
