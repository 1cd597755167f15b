#include "ssh/sshd_config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/span.h"

#define EVERY_PORT_OF_LOOPBACK "localhost:* 127.0.0.1:* [::1]:*"

static void set_rules(struct text_list *list, const char *rules)
{
    struct span rest = span_of(rules), rule;
    text_list_deinit(list);
    while (rules[0] && span_split(&rest, ',', &rule))
        text_list_add(list, rule, POLICY_RULES_MAX);
}

/* Its lines, with a newline before the first one. */
static int write_config(const struct forward_policy *policy, struct buf *text, struct err *err)
{
    struct ssh_grant grant = ssh_grant_make(policy);
    const struct sshd_config config = {
        .user = "anna",
        .host_key_file = "/tmp/a b/host_key",
        .authorized_keys_file = "/tmp/a b/authorized_keys",
        .grant = &grant,
    };
    buf_clear(text);
    buf_append_byte(text, '\n');
    int r = sshd_config_write(&config, text, err);
    ssh_grant_deinit(&grant);
    return r;
}

static void check_line(const struct forward_policy *policy, const char *expected)
{
    struct buf text = BUF_INIT(SSHD_CONFIG_MAX);
    struct err err = ERR_INIT;
    char *line = xasprintf("\n%s\n", expected);
    if (write_config(policy, &text, &err) < 0)
        fail_msg("%s: %s", expected, err.text);
    if (!strstr(buf_cstr(&text), line))
        fail_msg("no line \"%s\" in:%s", expected, buf_cstr(&text));
    free(line);
    buf_deinit(&text);
}

static void paths_and_the_user_are_quoted(void **state)
{
    struct forward_policy policy;
    forward_policy_init(&policy);
    check_line(&policy, "HostKey \"/tmp/a b/host_key\"");
    check_line(&policy, "AuthorizedKeysFile \"/tmp/a b/authorized_keys\"");
    check_line(&policy, "AllowUsers \"anna\"");
    forward_policy_deinit(&policy);
}

static void a_path_that_cannot_be_quoted_is_an_error(void **state)
{
    static const char *const bad[] = {"/a\"b", "/a\nPermitTunnel yes", "/a%h", "/a\\b"};
    struct forward_policy policy;
    forward_policy_init(&policy);
    struct ssh_grant grant = ssh_grant_make(&policy);
    for (size_t i = 0; i < 4; i++) {
        struct buf text = BUF_INIT(SSHD_CONFIG_MAX);
        struct err err = ERR_INIT;
        const struct sshd_config config = {
            .user = "a", .host_key_file = "/k", .authorized_keys_file = bad[i], .grant = &grant};
        assert_int_equal(sshd_config_write(&config, &text, &err), -EINVAL);
        buf_deinit(&text);
    }
    ssh_grant_deinit(&grant);
    forward_policy_deinit(&policy);
}

static void directions_are_told_apart(void **state)
{
    static const struct {
        bool local, remote, unix_sockets;
        const char *tcp, *streams;
    } cases[] = {
        {true, true, true, "AllowTcpForwarding yes", "AllowStreamLocalForwarding yes"},
        {true, true, false, "AllowTcpForwarding yes", "AllowStreamLocalForwarding no"},
        {true, false, true, "AllowTcpForwarding local", "AllowStreamLocalForwarding no"},
        {false, true, true, "AllowTcpForwarding remote", "AllowStreamLocalForwarding no"},
        {false, false, true, "AllowTcpForwarding no", "AllowStreamLocalForwarding no"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct forward_policy policy;
        forward_policy_init(&policy);
        policy.local = cases[i].local;
        policy.remote = cases[i].remote;
        policy.unix_sockets = cases[i].unix_sockets;
        check_line(&policy, cases[i].tcp);
        check_line(&policy, cases[i].streams);
        if (!policy.local)
            check_line(&policy, "PermitOpen none");
        if (!policy.remote)
            check_line(&policy, "PermitListen none");
        forward_policy_deinit(&policy);
    }
}

static void rules_become_permit_lines(void **state)
{
    static const struct {
        const char *open, *expected;
    } cases[] = {
        {"*:*", "PermitOpen any"},
        {"", "PermitOpen none"},
        {"localhost:*", "PermitOpen " EVERY_PORT_OF_LOOPBACK},
        {"db.internal:5432", "PermitOpen db.internal:5432"},
        {"DB.internal:5432,[2001:db8::1]:80", "PermitOpen db.internal:5432 [2001:db8::1]:80"},
        {"*:443", "PermitOpen *:443"},
        {"10.0.0.1:80-82", "PermitOpen 10.0.0.1:80 10.0.0.1:81 10.0.0.1:82"},
        {"localhost:80", "PermitOpen localhost:80 127.0.0.1:80 [::1]:80"},
        {"db:1,*:*", "PermitOpen any"},
        {"db:*", "PermitOpen db:*"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct forward_policy policy;
        forward_policy_init(&policy);
        set_rules(&policy.permit_open, cases[i].open);
        check_line(&policy, cases[i].expected);
        forward_policy_deinit(&policy);
    }
}

static void without_public_listening_only_loopback_is_permitted(void **state)
{
    static const struct {
        bool public_listen;
        const char *listen, *expected;
    } cases[] = {
        {false, "localhost:*", "PermitListen " EVERY_PORT_OF_LOOPBACK},
        {false, "*:*", "PermitListen " EVERY_PORT_OF_LOOPBACK},
        {false, "0.0.0.0:80", "PermitListen none"},
        {false, "127.0.0.2:80", "PermitListen none"},
        {false, "127.0.0.1:80,10.0.0.1:80", "PermitListen 127.0.0.1:80"},
        {true, "*:*", "PermitListen any"},
        {true, "localhost:*,0.0.0.0:80", "PermitListen " EVERY_PORT_OF_LOOPBACK " 0.0.0.0:80"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct forward_policy policy;
        forward_policy_init(&policy);
        policy.public_listen = cases[i].public_listen;
        set_rules(&policy.permit_listen, cases[i].listen);
        check_line(&policy, cases[i].expected);
        check_line(&policy,
                   policy.public_listen ? "GatewayPorts clientspecified" : "GatewayPorts no");
        forward_policy_deinit(&policy);
    }
}

static void agent_forwarding_is_a_matter_of_the_grant(void **state)
{
    struct forward_policy policy;
    forward_policy_init(&policy);
    policy.agent_forwarding = true;
    check_line(&policy, "AllowAgentForwarding yes");
    policy.agent_forwarding = false;
    check_line(&policy, "AllowAgentForwarding no");
    forward_policy_deinit(&policy);
}

static void what_no_grant_allows_is_off(void **state)
{
    static const char *const lines[] = {
        "AuthenticationMethods publickey",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "HostbasedAuthentication no",
        "PermitEmptyPasswords no",
        "PermitTunnel no",
        "X11Forwarding no",
        "PermitUserEnvironment no",
        "AcceptEnv LANG LC_* COLORTERM",
        "StreamLocalBindMask 0177", /* the socket of a forward is the account's own */
        "StreamLocalBindUnlink yes",
        "MaxSessions 100",
    };
    struct forward_policy policy;
    forward_policy_init(&policy);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        check_line(&policy, lines[i]);
    forward_policy_deinit(&policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_and_the_user_are_quoted),
        cmocka_unit_test(a_path_that_cannot_be_quoted_is_an_error),
        cmocka_unit_test(directions_are_told_apart),
        cmocka_unit_test(rules_become_permit_lines),
        cmocka_unit_test(without_public_listening_only_loopback_is_permitted),
        cmocka_unit_test(agent_forwarding_is_a_matter_of_the_grant),
        cmocka_unit_test(what_no_grant_allows_is_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
