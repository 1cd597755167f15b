#include "base/cleanup.h"
#include "model/audit.h"
#include "model/id.h"
#include "model/role.h"
#include "model/share.h"
#include "model/template.h"
#include "model/token.h"
#include "model/workspace.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

static void ids_survive_a_round_trip(void **state)
{
    struct id id = id_new(), again;
    char text[ID_TEXT_SIZE];
    id_format(&id, text);
    assert_int_equal(strlen(text), 32);
    assert_int_equal(id_parse(span_of(text), &again), 0);
    assert_true(id_equal(&id, &again));
    assert_int_equal(id_parse(SPAN("00112233445566778899AABBCCDDEEFF"), &again), 0);
    assert_string_equal(id_format(&again, text), "00112233445566778899aabbccddeeff");
}

static void what_is_no_id_is_refused(void **state)
{
    struct id id;
    assert_int_equal(id_parse(SPAN(""), &id), -EINVAL);
    assert_int_equal(id_parse(SPAN("00000000000000000000000000000000"), &id), -EINVAL);
    assert_int_equal(id_parse(SPAN("00112233445566778899aabbccddeef"), &id), -EINVAL);
    assert_int_equal(id_parse(SPAN("00112233445566778899aabbccddeeff0"), &id), -EINVAL);
    assert_int_equal(id_parse(SPAN("00112233445566778899aabbccddeefg"), &id), -EINVAL);
    assert_int_equal(id_parse(SPAN("0011223344556677\0899aabbccddeeff"), &id), -EINVAL);
}

static void two_ids_differ(void **state)
{
    struct id a = id_new(), b = id_new();
    assert_false(id_equal(&a, &b));
    assert_false(id_is_zero(&a));
    assert_true(id_is_zero(&(struct id){{0}}));
}

#define ASSERT_NAMED(type, last, name_of, parse)                                                   \
    for (unsigned v = 0; v <= (unsigned)(last); v++) {                                             \
        type back = (type)99;                                                                      \
        assert_int_equal(parse(span_of(name_of((type)v)), &back), 0);                              \
        assert_int_equal(back, v);                                                                 \
        assert_int_equal(parse(SPAN("no such name"), &back), -EINVAL);                             \
    }

static void every_value_has_a_name_of_its_own(void **state)
{
    ASSERT_NAMED(enum role, ROLE_OWNER, role_name, role_parse);
    ASSERT_NAMED(enum share_level, SHARE_PUBLIC, share_level_name, share_level_parse);
    ASSERT_NAMED(enum share_protocol, SHARE_HTTPS, share_protocol_name, share_protocol_parse);
    ASSERT_NAMED(enum token_kind, TOKEN_API, token_kind_name, token_kind_parse);
    ASSERT_NAMED(enum cors_behavior, CORS_PASSTHRU, cors_behavior_name, cors_behavior_parse);
    ASSERT_NAMED(enum audit_action, AUDIT_ACTION_COUNT - 1, audit_action_name, audit_action_parse);
    ASSERT_NAMED(enum audit_direction, AUDIT_REMOTE, audit_direction_name, audit_direction_parse);
    ASSERT_NAMED(enum audit_carrier, AUDIT_DIRECT, audit_carrier_name, audit_carrier_parse);
}

static void share_levels_are_ordered(void **state)
{
    assert_true(SHARE_OWNER < SHARE_USERS);
    assert_true(SHARE_USERS < SHARE_AUTHENTICATED);
    assert_true(SHARE_AUTHENTICATED < SHARE_PUBLIC);
}

static void what_is_shared_is_a_port_or_a_slug(void **state)
{
    static const struct {
        const char *text, *target; /* NULL: neither */
        uint16_t port;
    } rows[] = {
        {"8080", "8080", 8080}, {"65535", "65535", 65535}, {"lab", "lab", 0},
        {"Lab", "lab", 0},      {"7zip", "7zip", 0},       {"65536", NULL, 0},
        {"0", NULL, 0},         {"8080s", NULL, 0},        {"a--b", NULL, 0},
        {"", NULL, 0},          {"8080 ", NULL, 0},        {"-", NULL, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct share share = {.slug = "old"};
        char target[SHARE_TARGET_SIZE];
        int r = share_set_target(&share, span_of(rows[i].text));
        share_target(&share, target);
        assert_int_equal(r, rows[i].target ? 0 : -EINVAL);
        assert_string_equal(target, rows[i].target ? rows[i].target : "old");
        assert_int_equal(share.port, rows[i].port);
    }
}

static void an_app_may_be_shared_as_far_as_ports_or_as_it_is(void **state)
{
    struct template t = {.max_port_share_level = SHARE_USERS};
    struct app app = {.slug = "lab", .share = SHARE_OWNER};
    assert_int_equal(template_max_app_share(&t, &app), SHARE_USERS);
    app.share = SHARE_PUBLIC;
    assert_int_equal(template_max_app_share(&t, &app), SHARE_PUBLIC);
    t.apps = &app;
    t.n_apps = 1;
    assert_ptr_equal(template_find_app(&t, "lab"), &app);
    assert_null(template_find_app(&t, "la"));
}

static void a_token_expires_at_its_time(void **state)
{
    struct token token = {.expires_at = 1000};
    assert_false(token_expired(&token, 999));
    assert_true(token_expired(&token, 1000));
    token.expires_at = 0;
    assert_false(token_expired(&token, INT64_MAX));
}

static void a_new_alias_is_valid(void **state)
{
    char alias[AGENT_ALIAS_SIZE];
    for (int i = 0; i < 100; i++)
        assert_true(agent_alias_valid(span_of(agent_alias_new(alias))));
    assert_false(agent_alias_valid(SPAN("0123456789ab")));
    assert_false(agent_alias_valid(SPAN("0123456789abcd")));
    assert_false(agent_alias_valid(SPAN("0123456789abw")));
    assert_false(agent_alias_valid(SPAN("0123456789abC")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_survive_a_round_trip),
        cmocka_unit_test(what_is_no_id_is_refused),
        cmocka_unit_test(two_ids_differ),
        cmocka_unit_test(every_value_has_a_name_of_its_own),
        cmocka_unit_test(share_levels_are_ordered),
        cmocka_unit_test(what_is_shared_is_a_port_or_a_slug),
        cmocka_unit_test(an_app_may_be_shared_as_far_as_ports_or_as_it_is),
        cmocka_unit_test(a_token_expires_at_its_time),
        cmocka_unit_test(a_new_alias_is_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
