#include "model/template.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/mem.h"

static void the_default_policy_is_loopback_only_for_listeners(void **state)
{
    _cleanup_(template_deinit) struct template t;
    template_init(&t);
    assert_true(t.forwarding.local);
    assert_true(t.forwarding.remote);
    assert_false(t.forwarding.public_listen);
    assert_int_equal(t.forwarding.permit_listen.len, 1);
    assert_string_equal(t.forwarding.permit_listen.items[0], "localhost:*");
    assert_string_equal(t.forwarding.permit_open.items[0], "*:*");
}

static void apps_have_a_ceiling(void **state)
{
    _cleanup_(template_deinit) struct template t;
    template_init(&t);
    struct app app = {.slug = "x"};
    for (int i = 0; i < TEMPLATE_APPS_MAX; i++)
        assert_int_equal(template_add_app(&t, &app), 0);
    assert_int_equal(template_add_app(&t, &app), -ENOBUFS);
    assert_int_equal(t.n_apps, TEMPLATE_APPS_MAX);
}

static void a_policy_differs_in_each_of_its_fields(void **state)
{
    struct forward_policy policies[8];
    for (size_t i = 0; i < ARRAY_LEN(policies); i++)
        forward_policy_init(&policies[i]);
    policies[1].local = false;
    policies[2].remote = false;
    policies[3].public_listen = true;
    policies[4].unix_sockets = false;
    policies[5].agent_forwarding = false;
    assert_int_equal(text_list_add(&policies[6].permit_open, SPAN("a:1"), 2), 0);
    text_list_deinit(&policies[7].permit_listen);
    for (size_t i = 0; i < ARRAY_LEN(policies); i++)
        for (size_t j = 0; j < ARRAY_LEN(policies); j++)
            assert_int_equal(forward_policy_equal(&policies[i], &policies[j]), i == j);
    struct forward_policy copy = forward_policy_copy(&policies[6]);
    assert_true(forward_policy_equal(&copy, &policies[6]));
    forward_policy_deinit(&copy);
    for (size_t i = 0; i < ARRAY_LEN(policies); i++)
        forward_policy_deinit(&policies[i]);
}

static void a_text_list_has_a_ceiling(void **state)
{
    _cleanup_(text_list_deinit) struct text_list list = {0};
    assert_int_equal(text_list_add(&list, SPAN("a"), 2), 0);
    assert_int_equal(text_list_add(&list, SPAN("b"), 2), 0);
    assert_int_equal(text_list_add(&list, SPAN("c"), 2), -ENOBUFS);
    assert_int_equal(list.len, 2);
    assert_string_equal(list.items[1], "b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_policy_is_loopback_only_for_listeners),
        cmocka_unit_test(apps_have_a_ceiling),
        cmocka_unit_test(a_policy_differs_in_each_of_its_fields),
        cmocka_unit_test(a_text_list_has_a_ceiling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
