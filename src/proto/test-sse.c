#include "proto/sse.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"

struct told {
    char text[512]; /* "NAME=DATA;" of each event */
    bool stop;
};

static bool tell(struct span name, struct span data, void *ud)
{
    struct told *t = ud;
    size_t len = strlen(t->text);
    snprintf(t->text + len, sizeof(t->text) - len, SPAN_FMT "=" SPAN_FMT ";", SPAN_ARG(name),
             SPAN_ARG(data));
    return !t->stop;
}

static const struct {
    const char *bytes, *told;
} table[] = {
    {"event: a\ndata: 1\n\n", "a=1;"},
    {"data: 1\n\n", "message=1;"},
    {"data:1\n\n", "message=1;"},
    {"data:  1\n\n", "message= 1;"},
    {"data: 1\ndata: 2\n\n", "message=1\n2;"},
    {"event: a\r\ndata: 1\r\n\r\n", "a=1;"},
    {"event: a\rdata: 1\r\r", "a=1;"},
    {": keep-alive\n\nevent: a\ndata: 1\n\n", "a=1;"},
    {"retry: 1000\n\ndata: x\n\n", "message=x;"},
    {"event: a\n\ndata: 1\n\n", "message=1;"},
    {"event: a\nevent: b\ndata: 1\n\n", "b=1;"},
    {"data\n\n", "message=;"},
    {"data: 1", ""},
    {"data: 1\n", ""},
    {"id: 7\nother: x\ndata: 1\n\n", "message=1;"},
    {"", ""},
    {"\n\n\n", ""},
};

static void events_are_told_when_they_are_whole_however_the_bytes_come(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        for (size_t step = 1; step <= 64; step *= 2) {
            struct told t = {.stop = false};
            struct sse_reader r;
            struct span all = span_of(table[i].bytes);
            sse_reader_init(&r, 1024);
            for (size_t at = 0; at < all.len; at += step)
                assert_int_equal(sse_reader_feed(&r, span_sub(all, at, at + step), tell, &t), 0);
            assert_string_equal(t.text, table[i].told);
            sse_reader_deinit(&r);
        }
}

static void what_is_longer_than_the_ceiling_ends_the_reading(void **state)
{
    static const char *const inputs[] = {"data: 12345678901234567890\n\n",
                                         "data: 123\ndata: 456\ndata: 7890\ndata: 1234\n\n",
                                         "12345678901234567890"};
    for (size_t i = 0; i < ARRAY_LEN(inputs); i++) {
        struct told t = {.stop = false};
        struct sse_reader r;
        sse_reader_init(&r, 14);
        assert_int_equal(sse_reader_feed(&r, span_of(inputs[i]), tell, &t), -EMSGSIZE);
        assert_int_equal(sse_reader_feed(&r, SPAN("\n\ndata: 1\n\n"), tell, &t), -ECANCELED);
        assert_string_equal(t.text, "");
        sse_reader_deinit(&r);
    }
}

static void who_is_told_may_stop_the_reading(void **state)
{
    struct told t = {.stop = true};
    struct sse_reader r;
    sse_reader_init(&r, 64);
    assert_int_equal(sse_reader_feed(&r, SPAN("data: 1\n\ndata: 2\n\n"), tell, &t), -ECANCELED);
    assert_string_equal(t.text, "message=1;");
    sse_reader_deinit(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_told_when_they_are_whole_however_the_bytes_come),
        cmocka_unit_test(what_is_longer_than_the_ceiling_ends_the_reading),
        cmocka_unit_test(who_is_told_may_stop_the_reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
