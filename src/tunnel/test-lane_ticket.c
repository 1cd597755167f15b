/* Tickets: what is made is understood and verified, and nothing else is. */
#include "tunnel/lane_ticket.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static void a_key_survives_its_text(void **state)
{
    struct lane_key key = lane_key_new(7), again;
    char text[LANE_KEY_TEXT_SIZE];
    assert_int_equal(lane_key_parse(span_of(lane_key_format(&key, text)), &again), 0);
    assert_int_equal(again.worker, 7);
    assert_true(id_equal(&again.session, &key.session));
    assert_memory_equal(again.secret, key.secret, LANE_SECRET_LEN);
}

static void tickets_of_a_key_are_verified_by_it(void **state)
{
    static const uint64_t numbers[] = {0, 1, 99, UINT64_MAX};
    struct lane_key key = lane_key_new(65535), other = lane_key_new(65535);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct lane_ticket t;
        char text[LANE_TICKET_TEXT_SIZE];
        lane_ticket_make(&key, numbers[i], LANE_AGENT, text);
        assert_int_equal(lane_ticket_parse(span_of(text), &t), 0);
        assert_int_equal(t.worker, 65535);
        assert_true(t.number == numbers[i]);
        assert_int_equal(t.end, LANE_AGENT);
        assert_true(lane_ticket_verify(&t, &key));
        assert_false(lane_ticket_verify(&t, &other));
        other.session = key.session;
        assert_false(lane_ticket_verify(&t, &other));
    }
}

static void a_changed_ticket_is_not_verified(void **state)
{
    struct lane_key key = lane_key_new(1);
    struct lane_ticket t;
    char text[LANE_TICKET_TEXT_SIZE];
    lane_ticket_make(&key, 5, LANE_CLIENT, text);
    for (size_t i = 0; text[i]; i++) {
        char was = text[i];
        for (const char *with = "0123456789abcdef."; *with; with++) {
            text[i] = *with;
            if (*with != was && lane_ticket_parse(span_of(text), &t) == 0)
                assert_false(lane_ticket_verify(&t, &key));
        }
        text[i] = was;
    }
    assert_int_equal(lane_ticket_parse(span_of(text), &t), 0);
    t.end = LANE_AGENT;
    assert_false(lane_ticket_verify(&t, &key));
}

static void broken_texts_are_refused(void **state)
{
#define SESSION "0123456789abcdef0123456789abcdef"
    static const char *const bad[] = {
        "",
        "....",
        "1." SESSION ".1.c",
        "1." SESSION ".1.c." SESSION ".",
        "1." SESSION ".1.c." SESSION ".x",
        "1." SESSION ".1.x." SESSION,
        "1." SESSION ".1.cc." SESSION,
        "1." SESSION ".-1.c." SESSION,
        "1." SESSION ".18446744073709551616.c." SESSION,
        "65536." SESSION ".1.c." SESSION,
        "1.short.1.c." SESSION,
        "1." SESSION ".1.c.abcd",
        "1." SESSION ".1.c." SESSION "00",
    };
    struct lane_ticket t;
    struct lane_key key;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(lane_ticket_parse(span_of(bad[i]), &t), -EINVAL);
        assert_int_equal(lane_key_parse(span_of(bad[i]), &key), -EINVAL);
    }
    assert_int_equal(lane_key_parse(SPAN("1." SESSION ".short"), &key), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_survives_its_text),
        cmocka_unit_test(tickets_of_a_key_are_verified_by_it),
        cmocka_unit_test(a_changed_ticket_is_not_verified),
        cmocka_unit_test(broken_texts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
