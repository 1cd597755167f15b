#include "cli/credentials.h"

#include <errno.h>
#include <fcntl.h>
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

struct scene {
    char home[64];
    char *dir, *path;
};

static int set_up(void **state)
{
    struct scene *s = new0(struct scene);
    snprintf(s->home, sizeof(s->home), "/tmp/adit-test-XXXXXX");
    assert_non_null(mkdtemp(s->home));
    s->dir = xasprintf("%s/config/adit", s->home);
    s->path = xasprintf("%s/credentials.json", s->dir);
    char *xdg = xasprintf("%s/config", s->home);
    setenv("XDG_CONFIG_HOME", xdg, 1);
    free(xdg);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *s = *state;
    char *config = xasprintf("%s/config", s->home);
    unlink(s->path);
    rmdir(s->dir);
    rmdir(config);
    assert_int_equal(rmdir(s->home), 0);
    free(config);
    free(s->dir);
    free(s->path);
    free(s);
    return 0;
}

static void log_in(const char *url, const char *user, const char *text)
{
    struct credentials c;
    struct err err = ERR_INIT;
    struct secret *token = secret_new(text, strlen(text));
    assert_int_equal(credentials_load(&c, &err), 0);
    assert_int_equal(credentials_set(&c, url, user, token, &err), 0);
    assert_int_equal(credentials_save(&c, &err), 0);
    secret_free(token);
    credentials_deinit(&c);
}

static void no_file_is_no_login(void **state)
{
    struct credentials c;
    struct err err = ERR_INIT;
    assert_int_equal(credentials_load(&c, &err), 0);
    assert_int_equal(c.len, 0);
    assert_null(c.current);
    credentials_deinit(&c);
}

static void logins_are_kept_for_their_owner_only(void **state)
{
    struct scene *s = *state;
    struct stat st;
    struct credentials c;
    struct err err = ERR_INIT;
    log_in("https://one", "anna", "secret-1");
    log_in("https://two", "bob", "secret-2");
    log_in("https://one", "anna", "secret-3");

    assert_int_equal(stat(s->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(s->dir, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);

    assert_int_equal(credentials_load(&c, &err), 0);
    assert_int_equal(c.len, 2);
    assert_string_equal(c.current, "https://one");
    assert_string_equal(credentials_find(&c, "https://one")->token->text, "secret-3");
    assert_string_equal(credentials_find(&c, "https://two")->username, "bob");
    assert_null(credentials_find(&c, "https://three"));
    credentials_deinit(&c);
}

static void logging_out_falls_back_to_another_deployment(void **state)
{
    struct credentials c;
    struct err err = ERR_INIT;
    log_in("https://one", "anna", "secret-1");
    log_in("https://two", "bob", "secret-2");
    assert_int_equal(credentials_load(&c, &err), 0);
    assert_int_equal(credentials_remove(&c, "https://three"), -ENOENT);
    assert_int_equal(credentials_remove(&c, "https://two"), 0);
    assert_string_equal(c.current, "https://one");
    assert_int_equal(credentials_remove(&c, "https://one"), 0);
    assert_null(c.current);
    assert_int_equal(credentials_save(&c, &err), 0);
    credentials_deinit(&c);
    assert_int_equal(credentials_load(&c, &err), 0);
    assert_int_equal(c.len, 0);
    credentials_deinit(&c);
}

static void a_file_that_others_can_read_is_refused(void **state)
{
    struct scene *s = *state;
    struct credentials c;
    struct err err = ERR_INIT;
    log_in("https://one", "anna", "secret-1");
    assert_int_equal(chmod(s->path, 0640), 0);
    assert_int_equal(credentials_load(&c, &err), -EPERM);
    assert_non_null(strstr(err.text, "can be read by others (mode 640)"));
    assert_non_null(strstr(err.text, "chmod 600"));
    assert_null(strstr(err.text, "secret-1"));
}

static void a_damaged_file_is_told(void **state)
{
    static const char *const contents[] = {
        "",
        "{",
        "[]",
        "{\"deployments\": []}",
        "{\"deployments\": {\"https://one\": {\"username\": \"a\"}}}",
        "{\"deployments\": {\"https://one\": {\"token\": 5}}}",
    };
    struct scene *s = *state;
    log_in("https://one", "anna", "secret-1");
    for (size_t i = 0; i < ARRAY_LEN(contents); i++) {
        struct credentials c;
        struct err err = ERR_INIT;
        int fd = open(s->path, O_WRONLY | O_TRUNC);
        assert_int_equal(write(fd, contents[i], strlen(contents[i])), strlen(contents[i]));
        close(fd);
        assert_int_equal(credentials_load(&c, &err), -EINVAL);
        assert_non_null(strstr(err.text, "is damaged"));
        assert_int_equal(c.len, 0);
    }
}

static void urls_are_reduced_to_their_origin(void **state)
{
    static const struct {
        const char *typed, *expected;
    } cases[] = {
        {"https://adit.example.com", "https://adit.example.com"},
        {"https://ADIT.example.com:443/login?x=1", "https://adit.example.com"},
        {"adit.example.com", "https://adit.example.com"},
        {"adit.example.com:8443/", "https://adit.example.com:8443"},
        {"http://127.0.0.1:7777", "http://127.0.0.1:7777"},
        {"ftp://adit.example.com", NULL},
        {"wss://adit.example.com", NULL},
        {"https://", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = ERR_INIT;
        _cleanup_free_ char *got = NULL;
        int r = credentials_url(cases[i].typed, &got, &err);
        if (cases[i].expected) {
            assert_int_equal(r, 0);
            assert_string_equal(got, cases[i].expected);
        } else {
            assert_int_equal(r, -EINVAL);
            assert_true(err.text[0] != 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_file_is_no_login, set_up, tear_down),
        cmocka_unit_test_setup_teardown(logins_are_kept_for_their_owner_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(logging_out_falls_back_to_another_deployment, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_others_can_read_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_damaged_file_is_told, set_up, tear_down),
        cmocka_unit_test(urls_are_reduced_to_their_origin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
