#include "ssh/ssh_grant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/span.h"

static void set_rules(struct text_list *list, const char *rules)
{
    struct span rest = span_of(rules), rule;
    text_list_deinit(list);
    while (rules[0] && span_split(&rest, ',', &rule))
        text_list_add(list, rule, POLICY_RULES_MAX);
}

static struct ssh_grant grant_of(const char *open, const char *listen)
{
    struct forward_policy policy;
    forward_policy_init(&policy);
    set_rules(&policy.permit_open, open);
    set_rules(&policy.permit_listen, listen);
    struct ssh_grant g = ssh_grant_make(&policy);
    forward_policy_deinit(&policy);
    return g;
}

static const char *joined(const struct text_list *list, char dst[static 4096])
{
    dst[0] = '\0';
    for (size_t i = 0; i < list->len; i++)
        snprintf(dst + strlen(dst), 4096 - strlen(dst), "%s%s", i ? " " : "", list->items[i]);
    return dst;
}

static void a_rule_that_sshd_cannot_say_is_left_out_and_the_others_stay(void **state)
{
    static const struct {
        const char *rules, *entries, *left_out;
    } cases[] = {
        {"*.corp:443", "", "*.corp:443"},
        {"10.0.*:80", "", "10.0.*:80"},
        {"localhost:1-65535", "", "localhost:1-65535"},
        {"a:1,b:2,c*:3", "a:1 b:2", "c*:3"},
        {"a:1-65,b:2", "b:2", "a:1-65"},
        {"nonsense,b:2", "b:2", ""},
        {"*.corp:443,*:*", "*:*", ""},
        {"db:*", "db:*", ""},
        {"*:443", "*:443", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[4096];
        struct forward_policy policy;
        forward_policy_init(&policy);
        policy.public_listen = true;
        set_rules(&policy.permit_open, cases[i].rules);
        set_rules(&policy.permit_listen, cases[i].rules);
        struct ssh_grant g = ssh_grant_make(&policy);
        assert_string_equal(joined(&g.open.entries, text), cases[i].entries);
        assert_string_equal(joined(&g.open.left_out, text), cases[i].left_out);
        assert_string_equal(joined(&g.listen.left_out, text), cases[i].left_out);
        assert_int_equal(g.open.any, strstr(cases[i].rules, "*:*") != NULL);
        assert_int_equal(g.listen.any, g.open.any);
        ssh_grant_deinit(&g);
        forward_policy_deinit(&policy);
    }
}

static void patterns_of_loopback_listeners_are_written_out(void **state)
{
    static const struct {
        const char *rule, *entries, *left_out;
    } cases[] = {
        {"*:*", "localhost:* 127.0.0.1:* [::1]:*", ""},
        {"local*:80", "localhost:80", ""},
        {"127.*:80", "127.0.0.1:80", ""},
        {"*.corp:80", "", ""},
        {"0.0.0.0:80", "", ""},
        {"127.*:1-65", "", "127.*:1-65"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[4096];
        struct ssh_grant g = grant_of("*:*", cases[i].rule);
        assert_string_equal(joined(&g.listen.entries, text), cases[i].entries);
        assert_string_equal(joined(&g.listen.left_out, text), cases[i].left_out);
        assert_false(g.listen.any);
        ssh_grant_deinit(&g);
    }
}

static void a_rule_that_does_not_fit_any_more_is_left_out_whole(void **state)
{
    struct forward_policy policy;
    char rule[64];
    forward_policy_init(&policy);
    set_rules(&policy.permit_open, "first:1");
    for (int i = 0; i < 16; i++) {
        snprintf(rule, sizeof(rule), "host%d:1000-1063", i);
        text_list_add(&policy.permit_open, span_of(rule), POLICY_RULES_MAX);
    }
    struct ssh_grant g = ssh_grant_make(&policy);
    assert_int_equal(g.open.entries.len, 1 + 15 * 64);
    assert_int_equal(g.open.left_out.len, 1);
    assert_string_equal(g.open.left_out.items[0], "host15:1000-1063");
    ssh_grant_deinit(&g);
    forward_policy_deinit(&policy);
}

static void unix_sockets_need_both_directions_and_no_list_of_targets(void **state)
{
    for (int i = 0; i < 16; i++) {
        struct forward_policy policy;
        forward_policy_init(&policy);
        policy.local = i & 1;
        policy.remote = i & 2;
        policy.unix_sockets = i & 4;
        set_rules(&policy.permit_open, i & 8 ? "a:1,*:*" : "*:1,localhost:*");
        set_rules(&policy.permit_listen, "*.corp:1");
        struct ssh_grant g = ssh_grant_make(&policy);
        assert_int_equal(g.unix_sockets, i == 15);
        ssh_grant_deinit(&g);
        forward_policy_deinit(&policy);
    }
}

static void a_notice_names_the_rules_and_the_way_out(void **state)
{
    struct buf text = BUF_INIT(SSH_NOTICE_MAX);
    struct ssh_grant g = grant_of("localhost:*", "localhost:*");
    assert_int_equal(ssh_grant_notice(&g, &text), 0);
    assert_int_equal(text.len, 0);
    ssh_grant_deinit(&g);

    g = grant_of("*.corp:443,a:1,b*:1,c*:1,d*:1,e*:1,f*:1", "localhost:1-65535");
    assert_int_equal(ssh_grant_notice(&g, &text), 0);
    assert_string_equal(
        buf_cstr(&text),
        "adit: SSH cannot enforce the rules \"*.corp:443\", \"b*:1\", \"c*:1\", \"d*:1\" and 2 "
        "more of this workspace's template (forwarding.permit_open): forwarding to what it allows "
        "is refused here. Use adit port-forward for it, where the agent checks each connection.\n"
        "adit: SSH cannot enforce the rule \"localhost:1-65535\" of this workspace's template "
        "(forwarding.permit_listen): listening on what it allows is refused here. Use adit "
        "port-forward for it, where the agent checks each connection.\n");
    ssh_grant_deinit(&g);
    buf_deinit(&text);
}

/* With the rules in one of the two lists and nothing else that could make a difference. */
static struct ssh_grant grant_of_list(bool listen, const char *rules)
{
    struct forward_policy policy;
    forward_policy_init(&policy);
    policy.public_listen = true;
    policy.unix_sockets = false;
    set_rules(listen ? &policy.permit_listen : &policy.permit_open, rules);
    struct ssh_grant g = ssh_grant_make(&policy);
    forward_policy_deinit(&policy);
    return g;
}

static void a_grant_covers_what_it_allows(void **state)
{
    static const struct {
        const char *grant, *other;
        bool covers;
    } cases[] = {
        {"*:*", "*:*", true},
        {"*:*", "db:5432", true},
        {"db:5432", "*:*", false},
        {"db:5432", "db:5432", true},
        {"db:5432,web:80", "db:5432", true},
        {"db:5432", "db:5432,web:80", false},
        {"db:*", "db:5432", true},
        {"db:5432", "db:*", false},
        {"db:*", "web:5432", false},
        {"db:*", "*:*", false},
        {"*:443", "web:443", true},
        {"*:443", "web:80", false},
        {"*:443", "*:*", false},
        {"web:80-90", "web:82-84", true},
        {"web:82-84", "web:80-90", false},
        {"localhost:*", "[::1]:80", true},
        {"localhost:80", "[::1]:80,127.0.0.1:80", true},
        {"[::1]:80", "localhost:80", false},
        {"[::1]:80", "[::2]:80", false},
        {"", "", true},
        {"a:1", "", true},
        {"", "a:1", false},
        {"", "*:*", false},
        {"*.corp:1", "*.corp:1", true}, /* neither allows it over SSH */
        {"a:1", "*.corp:1", true},
    };
    for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
        size_t n = i / 2;
        struct ssh_grant g = grant_of_list(i % 2, cases[n].grant);
        struct ssh_grant other = grant_of_list(i % 2, cases[n].other);
        if (ssh_grant_covers(&g, &other) != cases[n].covers)
            fail_msg("\"%s\" over \"%s\"", cases[n].grant, cases[n].other);
        ssh_grant_deinit(&g);
        ssh_grant_deinit(&other);
    }
}

/* Lists that allow nothing, so that it is the switch alone that makes the difference. */
static struct ssh_grant grant_of_switches(unsigned on)
{
    return (struct ssh_grant){.local = on & 1,
                              .remote = on & 2,
                              .public_listen = on & 4,
                              .unix_sockets = on & 8,
                              .agent_forwarding = on & 16};
}

static void each_switch_counts_by_itself(void **state)
{
    for (unsigned i = 0; i < 32 * 32; i++) {
        unsigned now = i / 32, before = i % 32;
        struct ssh_grant g = grant_of_switches(now), other = grant_of_switches(before);
        if (ssh_grant_covers(&g, &other) != ((before & ~now) == 0))
            fail_msg("switches 0x%x over 0x%x", now, before);
    }
}

static void each_switch_of_the_policy_is_one_of_the_grant(void **state)
{
    for (unsigned on = 0; on < 32; on++) {
        struct forward_policy policy;
        forward_policy_init(&policy);
        policy.local = on & 1;
        policy.remote = on & 2;
        policy.public_listen = on & 4;
        policy.unix_sockets = on & 8;
        policy.agent_forwarding = on & 16;
        struct ssh_grant g = ssh_grant_make(&policy);
        assert_int_equal(g.local, (on & 1) != 0);
        assert_int_equal(g.remote, (on & 2) != 0);
        assert_int_equal(g.public_listen, (on & 4) != 0);
        assert_int_equal(g.unix_sockets, (on & 11) == 11);
        assert_int_equal(g.agent_forwarding, (on & 16) != 0);
        ssh_grant_deinit(&g);
        forward_policy_deinit(&policy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rule_that_sshd_cannot_say_is_left_out_and_the_others_stay),
        cmocka_unit_test(patterns_of_loopback_listeners_are_written_out),
        cmocka_unit_test(a_rule_that_does_not_fit_any_more_is_left_out_whole),
        cmocka_unit_test(unix_sockets_need_both_directions_and_no_list_of_targets),
        cmocka_unit_test(a_notice_names_the_rules_and_the_way_out),
        cmocka_unit_test(a_grant_covers_what_it_allows),
        cmocka_unit_test(each_switch_counts_by_itself),
        cmocka_unit_test(each_switch_of_the_policy_is_one_of_the_grant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
