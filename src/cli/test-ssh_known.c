#include "cli/ssh_known.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

#define KEY_A "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g"
#define KEY_B "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICAfHh0cGxoZGBcWFRQTEhEQDw4NDAsKCQgHBgUEAwIB"

static const struct ssh_known dev = {
    .alias = "adit.dev", .url = "https://a.example", .info = {"anna", KEY_A}};
static const struct ssh_known other = {
    .alias = "adit.ben--dev.gpu", .url = "http://127.0.0.1:7777", .info = {"CORP\\ben", KEY_B}};

static const char hosts[] = "# Written by adit: workspaces that ssh has been to. See "
                            "adit-config-ssh(1).\n"
                            "\n"
                            "Host adit.dev\n"
                            "    # https://a.example " KEY_A "\n"
                            "    HostKeyAlias adit.dev\n"
                            "    User \"anna\"\n"
                            "\n"
                            "Host adit.ben--dev.gpu\n"
                            "    # http://127.0.0.1:7777 " KEY_B "\n"
                            "    HostKeyAlias adit.ben--dev.gpu\n"
                            "    User \"CORP\\\\ben\"\n";
static const char keys[] = "adit.dev " KEY_A "\n"
                           "adit.ben--dev.gpu " KEY_B "\n";

static void the_files_are_what_ssh_reads(void **state)
{
    struct ssh_known_list list = {0};
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(4096);
    assert_true(ssh_known_list_set(&list, &dev));
    assert_true(ssh_known_list_set(&list, &other));
    ssh_known_write_hosts(&list, &text);
    assert_string_equal(buf_cstr(&text), hosts);
    buf_clear(&text);
    ssh_known_write_keys(&list, &text);
    assert_string_equal(buf_cstr(&text), keys);
    ssh_known_list_deinit(&list);
}

static void what_was_written_is_read(void **state)
{
    struct ssh_known_list list;
    ssh_known_read(span_of(hosts), &list);
    assert_int_equal(list.len, 2);
    const struct ssh_known *k = ssh_known_list_find(&list, "adit.ben--dev.gpu");
    assert_non_null(k);
    assert_string_equal(k->url, other.url);
    assert_string_equal(k->info.user, other.info.user);
    assert_string_equal(k->info.host_key, other.info.host_key);
    assert_null(ssh_known_list_find(&list, "adit.de"));
    ssh_known_list_deinit(&list);
}

static void a_change_replaces_and_the_same_changes_nothing(void **state)
{
    struct ssh_known_list list = {0};
    struct ssh_known changed = dev;
    assert_true(ssh_known_list_set(&list, &dev));
    assert_false(ssh_known_list_set(&list, &dev));
    str_copy(changed.info.user, sizeof(changed.info.user), "root");
    assert_true(ssh_known_list_set(&list, &changed));
    assert_int_equal(list.len, 1);
    assert_string_equal(list.items[0].info.user, "root");
    ssh_known_list_deinit(&list);
}

static void when_it_is_full_the_first_is_forgotten(void **state)
{
    struct ssh_known_list list = {0};
    for (int i = 0; i <= SSH_KNOWN_MAX; i++) {
        struct ssh_known k = dev;
        snprintf(k.alias, sizeof(k.alias), "adit.w%d", i);
        ssh_known_list_set(&list, &k);
    }
    assert_int_equal(list.len, SSH_KNOWN_MAX);
    assert_null(ssh_known_list_find(&list, "adit.w0"));
    assert_non_null(ssh_known_list_find(&list, "adit.w1"));
    ssh_known_list_deinit(&list);
}

static void sections_that_are_not_ours_are_left_out(void **state)
{
    static const char *const cases[] = {
        "",
        "Host adit.dev\n    User \"anna\"\n",
        "Host adit.dev\n    # https://a.example " KEY_A "\n",
        "Host dev\n    # https://a.example " KEY_A "\n    User \"anna\"\n",
        "Host adit.dev\n    # https://a.example ssh-rsa AAAA\n    User \"anna\"\n",
        "Host adit.dev\n    # https://a.example " KEY_A "\n    User anna\n",
        "Host adit.dev\n    # https://a.example " KEY_A "\n    User \"an na\"\n",
        "Host adit.dev\n    # https://a.example " KEY_A "\n    User \"\"\n",
        "Host adit.dev\n    # https://a.example " KEY_A "\n    User \"\\\"\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ssh_known_list list;
        ssh_known_read(span_of(cases[i]), &list);
        assert_int_equal(list.len, 0);
        ssh_known_list_deinit(&list);
    }
}

static void accounts_that_mean_more_than_a_name_are_refused(void **state)
{
    static const char *const bad[] = {"",    "-oProxyCommand", "a b", "a\nb", "a\"b",
                                      "a'b", "$(x)",           "%h",  "a\tb", "a;b",
                                      "a\\", "${HOME}"};
    static const char *const good[] = {"root", "anna.b", "svc_1", "a@corp", "CORP\\anna", "a+b-c"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct api_ssh_info info = dev.info;
        str_copy(info.user, sizeof(info.user), bad[i]);
        assert_int_equal(ssh_known_check(&info, NULL), -22);
    }
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct api_ssh_info info = dev.info;
        str_copy(info.user, sizeof(info.user), good[i]);
        assert_int_equal(ssh_known_check(&info, NULL), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_files_are_what_ssh_reads),
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(a_change_replaces_and_the_same_changes_nothing),
        cmocka_unit_test(when_it_is_full_the_first_is_forgotten),
        cmocka_unit_test(sections_that_are_not_ours_are_left_out),
        cmocka_unit_test(accounts_that_mean_more_than_a_name_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
