#include "server/quota.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "http/headers.h"
#include "server/client_ip.h"

static struct addr ip(const char *text)
{
    struct addr a;

    assert_int_equal(addr_from_ip(text, 1234, &a), 0);
    return a;
}

static void networks_are_parsed_strictly(void **state)
{
    static const struct {
        const char *text;
        bool ok;
    } table[] = {{"10.0.0.0/8", true},   {"10.0.0.1/8", false}, {"10.0.0.1", true},
                 {"0.0.0.0/0", true},    {"::/0", true},        {"::1", true},
                 {"fd00::/8", true},     {"fd00::1/8", false},  {"10.0.0.0/33", false},
                 {"10.0.0.0/", false},   {"/8", false},         {"", false},
                 {"10.0.0.0/-1", false}, {"10.0.0/8", false},   {"::/129", false},
                 {"10.0.0.0/8 ", false}, {"localhost", false}};
    struct cidr c;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if ((cidr_parse(span_of(table[i].text), &c) >= 0) != table[i].ok)
            fail_msg("%s", table[i].text);
}

static void a_network_holds_its_addresses_and_no_others(void **state)
{
    static const struct {
        const char *net, *address;
        bool in;
    } table[] = {
        {"10.0.0.0/8", "10.255.0.1", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"10.1.2.3", "10.1.2.3", true},
        {"10.1.2.3", "10.1.2.2", false},
        {"10.0.0.0/8", "::ffff:10.1.1.1", true},
        {"::/0", "1.2.3.4", true},
        {"0.0.0.0/0", "::1", false},
        {"fe80::/10", "febf::1", true},
        {"fe80::/10", "fec0::1", false},
    };
    struct cidr c;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct addr a = ip(table[i].address);
        assert_int_equal(cidr_parse(span_of(table[i].net), &c), 0);
        if (cidr_contains(&c, &a) != table[i].in)
            fail_msg("%s in %s", table[i].address, table[i].net);
    }
}

static void an_address_is_full_before_the_others_are(void **state)
{
    struct cidr_list nobody = {0};
    struct quota *q = quota_new(
        &(struct quota_options){.connections_max = 4, .per_address_max = 2, .trusted = &nobody});
    struct addr a = ip("192.0.2.1"), b = ip("192.0.2.2"), c = ip("192.0.2.3");

    (void)state;
    assert_int_equal(quota_take(q, &a), QUOTA_OK);
    assert_int_equal(quota_take(q, &a), QUOTA_OK);
    assert_int_equal(quota_take(q, &a), QUOTA_ADDRESS_FULL);
    assert_int_equal(quota_take(q, &b), QUOTA_OK);
    assert_int_equal(quota_take(q, &b), QUOTA_OK);
    assert_int_equal(quota_take(q, &c), QUOTA_FULL);
    quota_give(q, &a);
    assert_int_equal(quota_take(q, &c), QUOTA_OK);
    assert_int_equal(quota_counts(q).connections, 4);
    assert_int_equal(quota_counts(q).refused_address, 1);
    assert_int_equal(quota_counts(q).refused_full, 1);
    quota_give(q, &a);
    quota_give(q, &b);
    quota_give(q, &b);
    quota_give(q, &c);
    assert_int_equal(quota_counts(q).connections, 0);
    quota_free(q);
}

static void one_ipv6_network_is_one_client(void **state)
{
    struct cidr_list nobody = {0};
    struct quota *q = quota_new(
        &(struct quota_options){.connections_max = 9, .per_address_max = 1, .trusted = &nobody});
    struct addr a = ip("2001:db8::1"), b = ip("2001:db8::2"), c = ip("2001:db8:0:1::1");

    (void)state;
    assert_int_equal(quota_take(q, &a), QUOTA_OK);
    assert_int_equal(quota_take(q, &b), QUOTA_ADDRESS_FULL);
    assert_int_equal(quota_take(q, &c), QUOTA_OK);
    quota_free(q);
}

static void a_trusted_proxy_is_not_counted_by_its_address(void **state)
{
    struct cidr net;
    struct cidr_list trusted = {&net, 1};
    struct quota *q = quota_new(
        &(struct quota_options){.connections_max = 3, .per_address_max = 1, .trusted = &trusted});
    struct addr a = ip("10.0.0.1");

    (void)state;
    assert_int_equal(cidr_parse(SPAN("10.0.0.0/8"), &net), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(quota_take(q, &a), QUOTA_OK);
    assert_int_equal(quota_take(q, &a), QUOTA_FULL);
    quota_free(q);
}

static void the_client_is_found_behind_trusted_proxies_only(void **state)
{
    static const struct {
        const char *peer, *forwarded, *client;
        bool direct;
    } table[] = {
        {"192.0.2.1", NULL, "192.0.2.1", true},
        {"192.0.2.1", "198.51.100.7", "192.0.2.1", false},
        {"10.0.0.1", "198.51.100.7", "198.51.100.7", true},
        {"10.0.0.1", "203.0.113.9, 198.51.100.7", "198.51.100.7", true},
        {"10.0.0.1", "198.51.100.7, 10.0.0.2", "198.51.100.7", true},
        {"10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3", true},
        {"10.0.0.1", "rubbish", "10.0.0.1", true},
        {"10.0.0.1", "198.51.100.7, rubbish", "10.0.0.1", true},
        {"10.0.0.1", "198.51.100.7:5555", "198.51.100.7", true},
        {"10.0.0.1", "[2001:db8::1]:5555", "2001:db8::1", true},
        {"10.0.0.1", "2001:db8::1", "2001:db8::1", true},
        {"10.0.0.1", "", "10.0.0.1", true},
        {"10.0.0.1", NULL, "10.0.0.1", true},
    };
    struct cidr net;
    struct cidr_list trusted = {&net, 1};

    (void)state;
    assert_int_equal(cidr_parse(SPAN("10.0.0.0/8"), &net), 0);
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct arena arena;
        struct headers h;
        struct addr peer = ip(table[i].peer);
        char client[CLIENT_IP_SIZE];
        arena_init(&arena, 65536);
        headers_init(&h, &arena, 0, 0);
        if (table[i].forwarded)
            headers_add(&h, "X-Forwarded-For", table[i].forwarded);
        assert_int_equal(client_ip_of(&peer, &h, &trusted, client), table[i].direct);
        assert_string_equal(client, table[i].client);
        arena_deinit(&arena);
    }
}

static void a_person_has_so_many_sessions_and_nobody_less_for_it(void **state)
{
    struct cidr_list nobody = {0};
    struct quota *q = quota_new(&(struct quota_options){
        .connections_max = 9, .per_address_max = 9, .per_person_max = 2, .trusted = &nobody});
    struct id one = id_new(), other = id_new();

    (void)state;
    assert_true(quota_take_person(q, &one));
    assert_true(quota_take_person(q, &one));
    assert_false(quota_take_person(q, &one));
    assert_true(quota_take_person(q, &other));
    assert_int_equal(quota_counts(q).refused_person, 1);
    quota_give_person(q, &one);
    assert_true(quota_take_person(q, &one));
    assert_false(quota_take_person(q, &one));
    quota_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks_are_parsed_strictly),
        cmocka_unit_test(a_network_holds_its_addresses_and_no_others),
        cmocka_unit_test(an_address_is_full_before_the_others_are),
        cmocka_unit_test(one_ipv6_network_is_one_client),
        cmocka_unit_test(a_trusted_proxy_is_not_counted_by_its_address),
        cmocka_unit_test(a_person_has_so_many_sessions_and_nobody_less_for_it),
        cmocka_unit_test(the_client_is_found_behind_trusted_proxies_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
