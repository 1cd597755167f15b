/* What the agent keeps for the record while the server cannot take it. */
#include "agent/records.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "io/loop.h"
#include "model/audit.h"

static void beyond_its_room_the_oldest_records_are_dropped(void **state)
{
    struct loop *loop = loop_new();
    struct records *records = records_new(loop);
    struct audit_event listener = {.action = AUDIT_LISTEN_OPEN, .result = "ok"};
    struct audit_event connection = {.action = AUDIT_SSH_FORWARD_OPEN, .result = "ok"};
    struct id peer = id_new();
    /* Connections leave some room to the rest. */
    for (int i = 0; i < RECORDS_MAX + 5; i++)
        records_add(records, &peer, &connection);
    assert_int_equal(records_count(records), RECORDS_FREQUENT_MAX);
    for (int i = 0; i < RECORDS_MAX + 5; i++)
        records_add(records, &peer, &listener);
    assert_int_equal(records_count(records), RECORDS_MAX);
    records_free(records);
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beyond_its_room_the_oldest_records_are_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
