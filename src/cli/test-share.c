#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "cli/qr.h"
#include "cli/share_text.h"

static void who_may_open_a_port_is_told_in_words(void **state)
{
    static const struct {
        enum share_level level;
        const char *users, *expected;
    } rows[] = {
        {SHARE_OWNER, NULL, "its owner only"},
        {SHARE_USERS, "anna", "anna"},
        {SHARE_USERS, "anna bob", "anna and bob"},
        {SHARE_USERS, "anna bob cleo", "anna, bob and cleo"},
        {SHARE_USERS, NULL, "nobody any more"},
        {SHARE_AUTHENTICATED, NULL, "everyone who can log in"},
        {SHARE_PUBLIC, NULL, "anybody"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(buf_deinit) struct buf text = BUF_INIT(1000);
        struct share share = {.level = rows[i].level};
        struct span rest = span_of(rows[i].users), name;
        while (rows[i].users && span_split(&rest, ' ', &name))
            text_list_add(&share.users, name, 10);
        share_text_people(&share, &text);
        assert_string_equal(buf_cstr(&text), rows[i].expected);
        text_list_deinit(&share.users);
    }
}

static void when_a_share_ends_is_told_in_words(void **state)
{
    static const struct {
        long long sec;
        const char *expected;
    } rows[] = {
        {-5, ", for another 0 s"},
        {1, ", for another 1 s"},
        {119, ", for another 119 s"},
        {120, ", for another 2 min"},
        {7169, ", for another 119 min"},
        {7170, ", for another 2 h"},
        {7200, ", for another 2 h"},
        {47 * 3600, ", for another 47 h"},
        {48 * 3600 - 9, ", for another 2 days"},
        {7 * 86400 - 9, ", for another 7 days"},
    };
    usec_t now = 1000 * USEC_PER_SEC;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(buf_deinit) struct buf text = BUF_INIT(1000);
        struct share share = {.expires_at = now + rows[i].sec * USEC_PER_SEC};
        share_text_expiry(&share, now, &text);
        assert_string_equal(buf_cstr(&text), rows[i].expected);
    }
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(1000);
    share_text_expiry(&(struct share){.expires_at = 0}, now, &text);
    assert_string_equal(buf_cstr(&text), "");
}

static void an_app_is_open_to_its_effective_level(void **state)
{
    static const struct {
        enum share_level effective, own;
        bool missing;
        usec_t expires_at;
        const char *expected;
    } rows[] = {
        {SHARE_OWNER, 0, false, 0, "its owner only"},
        {SHARE_USERS, SHARE_USERS, false, 0, "anna"},
        {SHARE_AUTHENTICATED, SHARE_PUBLIC, false, 60 * USEC_PER_SEC,
         "everyone who can log in, for another 60 s"},
        {SHARE_OWNER, SHARE_PUBLIC, true, 60 * USEC_PER_SEC, "(not in the template)"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(buf_deinit) struct buf text = BUF_INIT(1000);
        struct api_app app = {.share = rows[i].effective, .own.missing = rows[i].missing};
        app.own.share.level = rows[i].own;
        app.own.share.expires_at = rows[i].expires_at;
        if (rows[i].own == SHARE_USERS)
            text_list_add(&app.own.share.users, SPAN("anna"), 10);
        share_text_app(&app, 0, &text);
        assert_string_equal(buf_cstr(&text), rows[i].expected);
        share_deinit(&app.own.share);
    }
}

/* Columns of each line, and the number of lines; fails when lines differ in width. */
static void measure(const char *text, size_t *ret_columns, size_t *ret_lines)
{
    struct span rest = span_of(text), line;
    *ret_lines = *ret_columns = 0;
    while (span_split(&rest, '\n', &line)) {
        size_t columns = 0;
        for (size_t i = 0; i < line.len; i++)
            columns += ((unsigned char)line.p[i] & 0xc0) != 0x80;
        if (line.len == 0)
            continue;
        if (*ret_lines > 0)
            assert_int_equal(columns, *ret_columns);
        *ret_columns = columns;
        ++*ret_lines;
    }
}

static void a_code_is_square_with_a_light_margin(void **state)
{
    char *text = NULL;
    size_t len, columns, lines;
    FILE *f = open_memstream(&text, &len);
    assert_int_equal(qr_print(f, "https://8080--dev--anna.apps.example.com/", false), 0);
    fclose(f);
    measure(text, &columns, &lines);
    assert_int_equal(columns, 29 + 4); /* version 3: up to 53 bytes, 29 modules */
    assert_int_equal(lines, (29 + 4 + 1) / 2);
    for (size_t i = 0; i < columns; i++) /* the first line is margin above margin */
        assert_memory_equal(text + 3 * i, "\xe2\x96\x88", 3);
    /* The corner pattern begins: two light columns, then seven dark over one dark. */
    const char *second = strchr(text, '\n') + 1;
    assert_memory_equal(second, "\xe2\x96\x88\xe2\x96\x88 \xe2\x96\x84", 10);
    free(text);
}

static void too_long_a_text_has_no_code(void **state)
{
    char text[4000], *out = NULL;
    size_t len;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    FILE *f = open_memstream(&out, &len);
    assert_int_equal(qr_print(f, text, true), -EMSGSIZE);
    fclose(f);
    assert_string_equal(out, "");
    free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_may_open_a_port_is_told_in_words),
        cmocka_unit_test(when_a_share_ends_is_told_in_words),
        cmocka_unit_test(an_app_is_open_to_its_effective_level),
        cmocka_unit_test(a_code_is_square_with_a_light_margin),
        cmocka_unit_test(too_long_a_text_has_no_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
