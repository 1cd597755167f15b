#include "server/config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "server/config_values.h"
#include "server/urls.h"

DEFINE_CLEANUP(struct server_config *, server_config_free);

/* The environment of a test: NAME, value, NAME, value, NULL. */
static const char *const *test_env;

static char *get_env(const char *name)
{
    for (size_t i = 0; test_env && test_env[i]; i += 2)
        if (str_eq(test_env[i], name))
            return (char *)(uintptr_t)test_env[i + 1];
    return NULL;
}

static const char *const home_only[] = {"HOME", "/h/anna", NULL};

struct scene {
    char file[64];
    struct err err;
};

static int set_up(void **state)
{
    struct scene *s = test_calloc(1, sizeof(*s));
    int fd;

    str_copy(s->file, sizeof(s->file), "/tmp/adit-config-XXXXXX");
    fd = mkstemp(s->file);
    assert_true(fd >= 0);
    close(fd);
    test_env = home_only;
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *s = *state;

    unlink(s->file);
    test_free(s);
    return 0;
}

static void write_file(struct scene *s, const char *text)
{
    FILE *out = fopen(s->file, "w");

    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

/* `args`: up to three, the rest NULL. */
static int load(struct scene *s, const char *const args[4], struct server_config **ret)
{
    int n = 0;

    while (n < 4 && args[n])
        n++;
    s->err = (struct err)ERR_INIT;
    return server_config_load(n, (char *const *)(uintptr_t)args, get_env, ret, &s->err);
}

static void expect_error(struct scene *s, const char *const args[4], const char *text)
{
    struct server_config *c = NULL;

    assert_true(load(s, args, &c) < 0);
    if (!strstr(s->err.text, text))
        fail_msg("\"%s\" does not say \"%s\"", s->err.text, text);
}

static void without_any_setting_the_defaults_hold(void **state)
{
    _cleanup_(server_config_freep) struct server_config *c = NULL;
    char text[ADDR_TEXT_LEN];

    assert_int_equal(load(*state, (const char *const[4]){NULL}, &c), 0);
    assert_int_equal(c->listen.len, 1);
    assert_string_equal(addr_format(&c->listen.items[0], text), "127.0.0.1:7777");
    assert_null(c->access_url);
    assert_true(c->workers >= 1);
    assert_int_equal(c->drain_timeout, 5 * USEC_PER_SEC);
    assert_int_equal(c->body_max, 1 << 20);
    assert_int_equal(c->log_level, LOG_INFO);
    assert_int_equal(c->metrics_from.len, 2);
    assert_string_equal(c->data_dir,
                        geteuid() == 0 ? "/var/lib/adit" : "/h/anna/.local/share/adit");
}

static void a_flag_beats_the_environment_and_that_the_file(void **state)
{
    static const char *const env[] = {"HOME", "/h", "ADIT_WORKERS", "3", "ADIT_LOG_FORMAT",
                                      "json", NULL};
    _cleanup_(server_config_freep) struct server_config *c = NULL;
    struct scene *s = *state;
    char flag[96];

    write_file(s, "workers: 5\nlog_format: text\ndrain_timeout: 7s\n");
    snprintf(flag, sizeof(flag), "--config=%s", s->file);
    test_env = env;
    assert_int_equal(load(s, (const char *const[4]){flag, "--workers", "2"}, &c), 0);
    assert_int_equal(c->workers, 2);
    assert_int_equal(c->log_format, LOG_FORMAT_JSON);
    assert_int_equal(c->drain_timeout, 7 * USEC_PER_SEC);
}

static void listen_is_a_list_in_every_source(void **state)
{
    struct scene *s = *state;
    const char *env[] = {"HOME", "/h", "ADIT_CONFIG", s->file, NULL};
    struct server_config *c = NULL;
    char text[ADDR_TEXT_LEN];

    write_file(s, "listen:\n  - 127.0.0.1:1\n  - \"[::1]:2\"\n");
    test_env = env;
    assert_int_equal(load(s, (const char *const[4]){NULL}, &c), 0);
    assert_int_equal(c->listen.len, 2);
    assert_string_equal(addr_format(&c->listen.items[1], text), "[::1]:2");
    c = server_config_free(c);

    test_env = home_only;
    assert_int_equal(
        load(s, (const char *const[4]){"--listen=localhost:3,*:4", "--listen", "10.0.0.1:0"}, &c),
        0);
    assert_int_equal(c->listen.len, 4);
    assert_string_equal(addr_format(&c->listen.items[0], text), "127.0.0.1:3");
    assert_string_equal(addr_format(&c->listen.items[1], text), "0.0.0.0:4");
    assert_string_equal(addr_format(&c->listen.items[2], text), "[::]:4");
    assert_string_equal(addr_format(&c->listen.items[3], text), "10.0.0.1:0");
    server_config_free(c);
}

static void the_last_of_a_repeated_flag_counts(void **state)
{
    _cleanup_(server_config_freep) struct server_config *c = NULL;

    assert_int_equal(load(*state, (const char *const[4]){"--workers=3", "--workers=4"}, &c), 0);
    assert_int_equal(c->workers, 4);
}

static void what_is_wrong_in_a_flag_is_named_with_the_flag(void **state)
{
    static const struct {
        const char *args[4];
        const char *text;
    } table[] = {
        {{"--workers", "0"}, "--workers: \"0\" is outside 1 to 256"},
        {{"--workers", "x"}, "--workers: \"x\" is not a number"},
        {{"--workers"}, "--workers needs a value"},
        {{"--worker", "1"}, "unknown option \"--worker\": did you mean --workers?"},
        {{"--frobnicate", "1"}, "unknown option \"--frobnicate\""},
        {{"serve"}, "unexpected argument \"serve\""},
        {{"--listen", "7777"}, "--listen: \"7777\" is not ADDR:PORT"},
        {{"--listen", "::1:7777"}, "--listen: \"::1:7777\" is not ADDR:PORT"},
        {{"--listen", "host:7777"}, "is not ADDR:PORT"},
        {{"--listen", "127.0.0.1:65536"}, "is not ADDR:PORT"},
        {{"--access-url", "ftp://x"}, "--access-url"},
        {{"--access-url", "https://x/path"}, "a path is not supported"},
        {{"--wildcard-access-url", "apps.example.com"}, "--wildcard-access-url"},
        {{"--trusted-proxies", "10.0.0.0/33"}, "is not a network"},
        {{"--trusted-proxies", "10.0.0.1/8"}, "is not a network"},
        {{"--drain-timeout", "10"}, "is not a duration"},
        {{"--max-body", "1MB"}, "is not a size"},
        {{"--max-body", "1GiB"}, "is outside"},
        {{"--log-level", "loud"}, "is not a level"},
        {{"--log-format", "xml"}, "is not a format"},
        {{"--data-dir", ""}, "must not be empty"},
        {{"--tls-cert", "/dev/null"}, "--tls-key is missing"},
        {{"--tls-cert=/nowhere/c", "--tls-key=/nowhere/k"}, "cannot read /nowhere/c"},
        {{"--config", "/nowhere/adit.yaml"}, "cannot open /nowhere/adit.yaml"},
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        expect_error(*state, table[i].args, table[i].text);
}

static void what_is_wrong_in_the_environment_is_named_with_its_variable(void **state)
{
    static const char *const env[] = {"HOME", "/h", "ADIT_IDLE_TIMEOUT", "soon", NULL};

    test_env = env;
    expect_error(*state, (const char *const[4]){NULL}, "ADIT_IDLE_TIMEOUT: \"soon\" is not");
}

static void what_is_wrong_in_the_file_is_named_with_its_line(void **state)
{
    static const struct {
        const char *file, *text;
    } table[] = {
        {"workers: 2\nlisten_on: x\n", ":2: unknown setting \"listen_on\""},
        {"lisen: x\n", ":1: unknown setting \"lisen\": did you mean listen?"},
        {"workers: 2\n\nworkers: 3\n", ":3: workers is given twice"},
        {"\n\nworkers: many\n", ":3: workers: \"many\" is not a number"},
        {"workers:\n  nested: 1\n", ":2: a plain value is needed here"},
        {"workers: [1, 2]\n", ":1: workers: is given more than once"},
        {"- workers\n", ":1: settings are needed"},
        {"workers: 1\n---\nworkers: 2\n", "a second document"},
        {"workers: \"unfinished\n", "found unexpected end of stream"},
        {"? [a]\n: b\n", "a setting's name is needed here"},
        {"data_dir: *nobody\n", "a plain value is needed here"},
    };
    struct scene *s = *state;
    char flag[96];

    snprintf(flag, sizeof(flag), "--config=%s", s->file);
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        write_file(s, table[i].file);
        expect_error(s, (const char *const[4]){flag}, table[i].text);
    }
}

static void an_empty_file_sets_nothing(void **state)
{
    static const char *const files[] = {"", "# nothing\n", "---\n", "{}\n"};
    struct scene *s = *state;
    char flag[96];

    snprintf(flag, sizeof(flag), "--config=%s", s->file);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        struct server_config *c = NULL;
        write_file(s, files[i]);
        assert_int_equal(load(s, (const char *const[4]){flag}, &c), 0);
        server_config_free(c);
    }
}

static void an_access_url_is_brought_into_one_form(void **state)
{
    _cleanup_(server_config_freep) struct server_config *c = NULL;

    assert_int_equal(
        load(*state, (const char *const[4]){"--access-url", "https://Adit.Example.com:443/"}, &c),
        0);
    assert_string_equal(c->access_url, "https://adit.example.com");
}

static void the_three_names_of_a_setting_are_one_name(void **state)
{
    size_t n;
    const struct setting *table = server_settings(&n);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        char flag[64];
        str_copy(flag, sizeof(flag), table[i].key);
        for (char *p = flag; *p; p++)
            *p = *p == '_' ? '-' : *p;
        assert_string_equal(flag, table[i].flag);
        assert_memory_equal(table[i].env, "ADIT_", 5);
        str_copy(flag, sizeof(flag), table[i].env + 5);
        str_lower(flag);
        assert_string_equal(flag, table[i].key);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(table[i].key, table[j].key);
    }
}

static void sizes_have_units(void **state)
{
    uint64_t n;

    (void)state;
    assert_int_equal(config_parse_size(SPAN("65536"), 0, UINT64_MAX, &n), 0);
    assert_int_equal(n, 65536);
    assert_int_equal(config_parse_size(SPAN("64KiB"), 0, UINT64_MAX, &n), 0);
    assert_int_equal(n, 65536);
    assert_int_equal(config_parse_size(SPAN("3GiB"), 0, UINT64_MAX, &n), 0);
    assert_int_equal(n, 3ull << 30);
    assert_int_equal(config_parse_size(SPAN("18446744073709551615GiB"), 0, UINT64_MAX, &n),
                     -ERANGE);
    assert_int_equal(config_parse_size(SPAN("KiB"), 0, UINT64_MAX, &n), -EINVAL);
}

static void urls_come_from_the_listener(void **state)
{
    static const struct {
        const char *ip;
        uint16_t port;
        bool tls;
        const char *access, *wildcard;
    } table[] = {
        {"127.0.0.1", 7777, false, "http://127.0.0.1:7777", "*.localhost:7777"},
        {"0.0.0.0", 80, false, "http://127.0.0.1:80", "*.localhost"},
        {"::1", 8443, true, "https://[::1]:8443", "*.localhost:8443"},
        {"10.1.2.3", 443, true, "https://10.1.2.3:443", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        _cleanup_free_ char *access = NULL, *wildcard = NULL;
        struct addr a;
        addr_from_ip(table[i].ip, table[i].port, &a);
        access = urls_access(&a, table[i].tls);
        assert_string_equal(access, table[i].access);
        wildcard = urls_wildcard(access);
        if (table[i].wildcard)
            assert_string_equal(wildcard, table[i].wildcard);
        else
            assert_null(wildcard);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        T(without_any_setting_the_defaults_hold),
        T(a_flag_beats_the_environment_and_that_the_file),
        T(listen_is_a_list_in_every_source),
        T(the_last_of_a_repeated_flag_counts),
        T(what_is_wrong_in_a_flag_is_named_with_the_flag),
        T(what_is_wrong_in_the_environment_is_named_with_its_variable),
        T(what_is_wrong_in_the_file_is_named_with_its_line),
        T(an_empty_file_sets_nothing),
        T(an_access_url_is_brought_into_one_form),
        T(the_three_names_of_a_setting_are_one_name),
        T(sizes_have_units),
        T(urls_come_from_the_listener),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
