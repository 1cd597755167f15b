#include "cli/ssh_key_pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/mem.h"

static char folder[] = "/tmp/test-pair.XXXXXX";

static int set_up(void **state)
{
    assert_non_null(mkdtemp(folder));
    setenv("XDG_CONFIG_HOME", folder, 1);
    return 0;
}

static int tear_down(void **state)
{
    _cleanup_free_ char *command = xasprintf("rm -r %s", folder);
    return system(command);
}

static void get(char **ret_path, char line[static SSH_KEY_LINE_SIZE])
{
    struct err err = ERR_INIT;
    if (ssh_key_pair_get(ret_path, line, &err) < 0)
        fail_msg("%s", err.text);
}

static void a_pair_is_made_once_and_is_private(void **state)
{
    char first[SSH_KEY_LINE_SIZE], second[SSH_KEY_LINE_SIZE];
    char *path = NULL, *again = NULL;
    struct stat st;
    get(&path, first);
    get(&again, second);
    assert_string_equal(path, again);
    assert_string_equal(first, second);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    free(path);
    free(again);
}

static void a_damaged_public_file_leads_to_a_pair_that_fits(void **state)
{
    char first[SSH_KEY_LINE_SIZE], second[SSH_KEY_LINE_SIZE];
    char *path = NULL, *again = NULL;
    get(&path, first);
    _cleanup_free_ char *public_path = xasprintf("%s.pub", path);
    FILE *f = fopen(public_path, "we");
    assert_non_null(f);
    fputs("damaged\n", f);
    fclose(f);
    get(&again, second);
    assert_string_not_equal(first, second);
    _cleanup_free_ char *command = xasprintf("ssh-keygen -y -f %s | grep -qF '%s'", path, second);
    assert_int_equal(system(command), 0);
    free(path);
    free(again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pair_is_made_once_and_is_private),
        cmocka_unit_test(a_damaged_public_file_leads_to_a_pair_that_fits),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
