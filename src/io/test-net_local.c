#include "io/net_local.h"

#include "io/test_help.h"

static void the_machine_has_one_name_that_is_not_its_boot_id(void **state)
{
    char once[NET_MACHINE_SIZE], again[NET_MACHINE_SIZE];
    assert_int_equal(net_local_machine(once), 0);
    assert_int_equal(net_local_machine(again), 0);
    assert_string_equal(once, again);
    assert_int_equal(strlen(once), 32);
    assert_int_equal(strspn(once, "0123456789abcdef"), 32);
}

static void loopback_and_link_local_addresses_are_left_out(void **state)
{
    struct addr found[64];
    size_t n = net_local_addrs(found, 64);
    for (size_t i = 0; i < n; i++) {
        assert_false(addr_is_loopback(&found[i]));
        assert_false(addr_is_any(&found[i]));
        assert_int_equal(addr_port(&found[i]), 0);
        if (found[i].sa.sa_family == AF_INET6)
            assert_false(IN6_IS_ADDR_LINKLOCAL(&found[i].in6.sin6_addr));
    }
    assert_int_equal(net_local_addrs(found, 0), 0);
}

static void changed(void *ud)
{
    ++*(int *)ud;
}

static void a_watch_is_quiet_while_nothing_changes(void **state)
{
    struct loop *loop = loop_new();
    int n = 0;
    struct net_watch *w = net_watch_new(loop, changed, &n);
    for (int i = 0; i < 5; i++)
        loop_turn(loop, false);
    assert_null(net_watch_free(w));
    assert_int_equal(n, 0);
    loop_free(loop);
}

TEST_MAIN(cmocka_unit_test(the_machine_has_one_name_that_is_not_its_boot_id),
          cmocka_unit_test(loopback_and_link_local_addresses_are_left_out),
          cmocka_unit_test(a_watch_is_quiet_while_nothing_changes), );
