#include "cli/ssh_settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

static struct ssh_setup plain(void)
{
    return (struct ssh_setup){.exe = "/usr/bin/adit",
                              .key_file = "/h/anna/.config/adit/ssh_key",
                              .hosts_file = "/h/anna/.config/adit/ssh_hosts",
                              .known_hosts_file = "/h/anna/.config/adit/ssh_known_hosts",
                              .aes = true};
}

static void a_plain_section_is_easy_to_read(void **state)
{
    static const char expected[] =
        "Match originalhost \"adit.*,!*'*\" !exec \"/usr/bin/adit ssh --prepare --host '%n'\"\n"
        "    ProxyCommand false\n"
        "Host adit.* \"!*'*\"\n"
        "    Include \"/h/anna/.config/adit/ssh_hosts\"\n"
        "    ProxyCommand /usr/bin/adit ssh --stdio --host '%n'\n"
        "    UserKnownHostsFile \"/h/anna/.config/adit/ssh_known_hosts\"\n"
        "    IdentityFile \"/h/anna/.config/adit/ssh_key\"\n"
        "    HostName %h\n"
        "    Port 22\n"
        "    StrictHostKeyChecking yes\n"
        "    GlobalKnownHostsFile /dev/null\n"
        "    HostKeyAlgorithms ssh-ed25519\n"
        "    UpdateHostKeys no\n"
        "    VerifyHostKeyDNS no\n"
        "    CheckHostIP no\n"
        "    CanonicalizeHostname no\n"
        "    IdentitiesOnly yes\n"
        "    PreferredAuthentications publickey\n"
        "    KexAlgorithms ^curve25519-sha256\n"
        "    Ciphers ^aes128-gcm@openssh.com,aes256-gcm@openssh.com\n"
        "Match all\n";
    _cleanup_(buf_deinit) struct buf dst = BUF_INIT(64 * 1024);
    const struct ssh_setup setup = plain();
    ssh_settings_section(&setup, &dst);
    assert_string_equal(buf_cstr(&dst), expected);
}

static void check(const struct ssh_setup *setup, const char *expected)
{
    _cleanup_(buf_deinit) struct buf dst = BUF_INIT(64 * 1024);
    assert_int_equal(ssh_setup_check(setup, NULL), 0);
    ssh_settings_section(setup, &dst);
    if (!strstr(buf_cstr(&dst), expected))
        fail_msg("%s\nis not in\n%s", expected, buf_cstr(&dst));
}

static void what_is_not_plain_is_quoted_for_each_reader(void **state)
{
    struct ssh_setup s = plain();
    s.exe = "/opt/50% off/adit";
    check(&s, "!exec \"'/opt/50%% off/adit' ssh --prepare --host '%n'\"\n");
    check(&s, "    ProxyCommand '/opt/50%% off/adit' ssh --stdio --host '%n'\n");
    s.exe = "/opt/anna's \"best\"/adit";
    check(&s, "!exec \"printf '/opt/anna\\047s\\040\\042best\\042/adit\\000ssh\\000--prepare\\000"
              "--host\\000%%s\\000' '%n' | xargs -0 nice -n 0\"\n");
    check(&s, "    ProxyCommand '/opt/anna'\\''s \"best\"/adit' ssh --stdio --host '%n'\n");
    s = plain();
    s.url = "https://a.example:8443";
    s.ca_file = "/etc/my ca.pem";
    s.config_home = "/h/an na";
    s.wait_sec = 60;
    s.no_direct = true;
    check(&s, "    ProxyCommand env 'XDG_CONFIG_HOME=/h/an na' /usr/bin/adit ssh --stdio "
              "--wait=60 --no-direct --url https://a.example:8443 --ca-file '/etc/my ca.pem' "
              "--host '%n'\n");
    s.exe = "/opt/a=b/adit";
    check(&s, "XDG_CONFIG_HOME=/h/an na' nice -n 0 /opt/a=b/adit ssh --stdio --wait=60");
    s = plain();
    s.key_file = "/a b/50%/\"c\\d\"";
    s.hosts_file = "/a b/50%/\"c\\d\"/[x]*?$";
    check(&s, "    IdentityFile \"/a b/50%%/\\\"c\\\\d\\\"\"\n");
    check(&s, "    Include \"/a b/50[$-&]/?c?d?/[[]x][*][?][$]\"\n");
}

static void what_cannot_be_written_is_refused(void **state)
{
    struct ssh_setup s = plain();
    struct err err = ERR_INIT;
    s.exe = "/opt/a\nb/adit";
    assert_int_equal(ssh_setup_check(&s, &err), -22);
    assert_non_null(strstr(err.text, "it has control characters"));
    s = plain();
    s.key_file = "/h/${USER}/key";
    assert_int_equal(ssh_setup_check(&s, &err), -22);
    assert_non_null(strstr(err.text, "it takes ${ for a variable"));
}

static void count_preference(const char *name, const char *value, bool preference, void *ud)
{
    size_t *n = ud;
    n[preference]++;
    if (preference)
        assert_true(!strcmp(name, "KexAlgorithms") || !strcmp(name, "Ciphers"));
}

static void only_ways_to_encrypt_are_preferences(void **state)
{
    const struct ssh_setup setup = plain();
    size_t n[2] = {0};
    ssh_settings(&setup, count_preference, n);
    assert_int_equal(n[false], 14);
    assert_int_equal(n[true], 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_section_is_easy_to_read),
        cmocka_unit_test(what_is_not_plain_is_quoted_for_each_reader),
        cmocka_unit_test(what_cannot_be_written_is_refused),
        cmocka_unit_test(only_ways_to_encrypt_are_preferences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
