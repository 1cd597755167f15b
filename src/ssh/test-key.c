#include "ssh/key.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/mem.h"

static void the_same_secret_gives_the_same_key(void **state)
{
    struct ssh_key *a = ssh_key_derive(SPAN("token"), "host key");
    struct ssh_key *b = ssh_key_derive(SPAN("token"), "host key");
    struct ssh_key *c = ssh_key_derive(SPAN("token2"), "host key");
    struct ssh_key *d = ssh_key_derive(SPAN("token"), "other key");
    assert_memory_equal(ssh_key_public(a), ssh_key_public(b), SSH_KEY_LEN);
    assert_memory_not_equal(ssh_key_public(a), ssh_key_public(c), SSH_KEY_LEN);
    assert_memory_not_equal(ssh_key_public(a), ssh_key_public(d), SSH_KEY_LEN);
    ssh_key_free(a);
    ssh_key_free(b);
    ssh_key_free(c);
    ssh_key_free(d);
}

static void a_public_line_is_read_back(void **state)
{
    char line[SSH_KEY_LINE_SIZE];
    struct ssh_public_key back;
    struct ssh_key *key = ssh_key_generate();
    ssh_public_key_line(ssh_key_public(key), line);
    assert_int_equal(ssh_public_key_parse(span_of(line), &back), 0);
    assert_memory_equal(&back, ssh_key_public(key), SSH_KEY_LEN);
    ssh_key_free(key);
}

static void only_the_exact_form_is_a_public_key(void **state)
{
#define GOOD "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
    static const char *const bad[] = {
        "",
        "ssh-ed25519",
        "ssh-ed25519 ",
        GOOD " me@here",
        GOOD "\n",
        " " GOOD,
        "command=\"x\" " GOOD,
        "ssh-rsa     AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJ",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE4AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9G\nJl",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GK==",
    };
    struct ssh_public_key key;
    assert_int_equal(ssh_public_key_parse(SPAN(GOOD), &key), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (ssh_public_key_parse(span_of(bad[i]), &key) != -EINVAL)
            fail_msg("taken: %s", bad[i]);
}

/* What ssh-keygen reads out of the private file must be the public line. */
static void openssh_reads_the_private_file(void **state)
{
    static const char *const comments[] = {"", "a", "adit on a \n long-named machine", "123456789"};
    char folder[] = "/tmp/test-key.XXXXXX", line[SSH_KEY_LINE_SIZE], got[256] = "";
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < sizeof(comments) / sizeof(comments[0]); i++) {
        struct ssh_key *key = ssh_key_generate();
        struct buf text = BUF_INIT(SSH_KEY_FILE_MAX);
        char *path = xasprintf("%s/key", folder);
        char *command = xasprintf("chmod 600 %s && ssh-keygen -y -f %s", path, path);
        assert_int_equal(ssh_key_file(key, comments[i], &text), 0);
        FILE *f = fopen(path, "we");
        assert_non_null(f);
        assert_int_equal(fwrite(buf_data(&text), 1, text.len, f), text.len);
        fclose(f);
        FILE *p = popen(command, "re");
        assert_non_null(p);
        assert_non_null(fgets(got, sizeof(got), p));
        assert_int_equal(pclose(p), 0);
        ssh_public_key_line(ssh_key_public(key), line);
        assert_memory_equal(got, line, strlen(line));
        unlink(path);
        free(path);
        free(command);
        buf_wipe(&text);
        ssh_key_free(key);
    }
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_secret_gives_the_same_key),
        cmocka_unit_test(a_public_line_is_read_back),
        cmocka_unit_test(only_the_exact_form_is_a_public_key),
        cmocka_unit_test(openssh_reads_the_private_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
