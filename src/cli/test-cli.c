/* Whole runs of the program that need no server: what is printed where, and the exit code. */
#include "cli/cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/span.h"

struct run {
    int code;
    char *out, *err;
};

static struct run run_line(const char *line)
{
    char text[1024], *argv[64];
    int argc = 0;
    struct run r = {0};
    size_t out_len, err_len, used = 0;
    struct span rest = span_of(line), word;
    while (*line && span_split(&rest, ' ', &word)) {
        argv[argc++] = text + used;
        assert_true(str_copy_span(text + used, sizeof(text) - used, word));
        used += word.len + 1;
    }
    struct cli cli = {0};
    cli.out.out = open_memstream(&r.out, &out_len);
    cli.out.err = open_memstream(&r.err, &err_len);
    r.code = cli_run(&cli, argc, argv);
    args_deinit(&cli.args);
    fclose(cli.out.out);
    fclose(cli.out.err);
    return r;
}

static void run_end(struct run *r)
{
    free(r->out);
    free(r->err);
}

#define DRY "port-forward dev --dry-run --output json "

static void a_dry_run_prints_one_object_a_forward(void **state)
{
    static const struct {
        const char *line, *expected;
    } cases[] = {
        {DRY "--tcp 8080",
         "{\"network\":\"tcp\",\"bind\":null,\"local\":8080,\"host\":\"127.0.0.1\",\"remote\":"
         "8080}\n"},
        {"port-forward dev 8080:80 9000-9001 --udp 53 --dry-run",
         "localhost:8080 -> 127.0.0.1:80\n"
         "localhost:9000 -> 127.0.0.1:9000\n"
         "localhost:9001 -> 127.0.0.1:9001\n"
         "localhost:53 -> 127.0.0.1:53 (UDP)\n"},
        {DRY "--udp 127.0.0.1:53:dns:5353",
         "{\"network\":\"udp\",\"bind\":\"127.0.0.1\",\"local\":53,\"host\":\"dns\",\"remote\":"
         "5353}\n"},
        {DRY "-L /tmp/a:/run/b",
         "{\"network\":\"unix\",\"bind\":null,\"local\":\"/tmp/a\",\"host\":null,\"remote\":"
         "\"/run/b\"}\n"},
        {DRY "-D 1080", "{\"network\":\"tcp\",\"bind\":null,\"local\":1080,\"host\":null,"
                        "\"remote\":null}\n"},
        {DRY "-R 0:localhost:3000 --tcp [::1]:65535:1",
         "{\"network\":\"tcp\",\"bind\":null,\"local\":0,\"host\":\"localhost\",\"remote\":3000}\n"
         "{\"network\":\"tcp\",\"bind\":\"::1\",\"local\":65535,\"host\":\"127.0.0.1\",\"remote\":"
         "1}\n"},
        {"port-forward dev --dry-run --tcp 8080:db:80 -R 0:localhost:3000",
         "localhost:8080 -> db:80\n"
         "workspace localhost:(any port) -> here localhost:3000\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct run r = run_line(cases[i].line);
        assert_string_equal(r.err, "");
        assert_string_equal(r.out, cases[i].expected);
        assert_int_equal(r.code, EXIT_CODE_OK);
        run_end(&r);
    }
}

static void wrong_lines_exit_with_2_and_say_why(void **state)
{
    static const struct {
        const char *line, *error;
    } cases[] = {
        {"", ""},
        {"frobnicate", "unknown command 'frobnicate'\n"},
        {"prot-forward dev", "unknown command 'prot-forward': did you mean 'port-forward'?\n"},
        {"tunnel dev", "unknown command 'tunnel': did you mean 'port-forward'?\n"},
        {"users ls", "users: unknown command 'ls': did you mean 'list'?\n"},
        {"help prot-forward", "hint: 'adit help' lists the commands\n"},
        {"help users lsit", "hint: 'adit users --help' explains it\n"},
        {"users lsit", "users: unknown command 'lsit': did you mean 'list'?\n"},
        {"users", ""},
        {"--frob", "unknown option '--frob' before a command\n"},
        {"whoami extra", "whoami takes no arguments, but 'extra' was given\n"},
        {"show", "something is missing: adit show [OWNER/]WORKSPACE\n"},
        {"show a b", "'b' is too much: adit show [OWNER/]WORKSPACE\n"},
        {"completion tcsh", "'tcsh' is not a known shell: bash, zsh or fish\n"},
        {"port-forward dev", "nothing to forward"},
        {"port-forward dev --dry-run --tcp 80-70", "80-70"},
        {"port-forward dev 80 --dry-run --tcp 80", "--tcp"},
        {"port-forward dev web --dry-run", "\"web\" is not a port"},
        {"port-forward dev --dry-run --tcp 80 --tcp 80", "--tcp"},
        {"port-forward DEV_ --dry-run --tcp 80", "DEV_"},
        {"port-forward dev --wait=0 --dry-run --tcp 80", "--wait: '0' is not a number"},
        {"delete dev", "--yes"},
        {"agent", "which server?"},
        {"share dev 8080", "with whom? give --level LEVEL or --with NAME"},
        {"share dev 8080 --level users", "--level users needs the people: --with NAME"},
        {"share dev 8080 --level public --with anna", "--with goes with --level users only"},
        {"share dev 8080 --level all", "--level"},
        {"share dev 8080 --with anna,B_", "--with: "},
        {"share dev 8080 --with anna,,b", "--with: "},
        {"share dev 8080 --level owner --expires 2", "--expires: '2' is not a time"},
        {"share dev 8080 --level owner --expires 0s", "--expires: '0s' is not a time"},
        {"share dev 8080 --level owner --expires 367d", "--expires: '367d' is not a time"},
        {"share dev 8 --level owner", "'8' is not a port from 9 to 65535"},
        {"share dev 65536s --level owner", "'65536s' is not a port"},
        {"share dev lab --level owner --protocol https", "--protocol goes with a port"},
        {"share dev a--b --level owner", "a--b"},
        {"share dev lab --level users", "--level users needs the people: --with NAME"},
        {"share DEV_ 8080 --level owner", "DEV_"},
        {"unshare dev la_b", "la_b"},
        {"unshare dev", "something is missing: adit unshare"},
        {"open dev", "something is missing: adit open"},
        {"open dev 99999999999999999999", "is not a port from 9 to 65535"},
        {"open dev a--b", "a--b"},
        {"templates push Not_a_name x.yaml", "Not_a_name"},
        {"templates push gpu", "something is missing: adit templates push NAME FILE"},
        {"templates delete gpu", "--yes"},
        {"audit --since yesterday", "--since: 'yesterday' is not a time such as 2h"},
        {"audit --until 2026-02-30", "--until: '2026-02-30' is not a time"},
        {"audit --since 1h --until 2h", "--until must be after --since"},
        {"audit --user B_", "--user: "},
        {"audit --workspace dev.main", "names an agent"},
        {"audit --action frobnicate", "--action: there is no 'frobnicate'; --help lists them"},
        {"audit --action forward_clsoe", "did you mean 'forward_close'?"},
        {"audit --limit 0", "--limit"},
        {"audit --output xml", "--output: 'xml' is not one of: text json csv"},
    };
    unsetenv("ADIT_URL");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct run r = run_line(cases[i].line);
        assert_int_equal(r.code, EXIT_CODE_USAGE);
        assert_string_equal(r.out, "");
        assert_non_null(strstr(r.err, cases[i].error));
        run_end(&r);
    }
}

static void check_help(const char *line, const char *name)
{
    struct run r = run_line(line);
    assert_int_equal(r.code, EXIT_CODE_OK);
    assert_string_equal(r.err, "");
    assert_non_null(strstr(r.out, name));
    assert_non_null(strstr(r.out, "Usage:"));
    for (const char *p = r.out, *end; *p; p = end + 1) {
        end = strchr(p, '\n');
        assert_non_null(end);
        if (end - p > 100)
            fail_msg("%s: a line of %d columns: %.*s", line, (int)(end - p), (int)(end - p), p);
    }
    run_end(&r);
}

static void every_command_explains_itself(void **state)
{
    char line[128];
    check_help("help", "port-forward");
    check_help("--help", "Commands:");
    for (const struct command *const *c = commands; *c; c++) {
        snprintf(line, sizeof(line), "%s --help", (*c)->name);
        check_help(line, (*c)->name);
        snprintf(line, sizeof(line), "help %s", (*c)->name);
        check_help(line, "Exit codes:");
        for (const struct command *const *s = (*c)->subcommands; s && *s; s++) {
            snprintf(line, sizeof(line), "%s %s --help", (*c)->name, (*s)->name);
            check_help(line, (*s)->name);
        }
    }
}

static void completion_knows_commands_and_options(void **state)
{
    static const char *const shells[] = {"bash", "zsh", "fish"};
    for (size_t i = 0; i < ARRAY_LEN(shells); i++) {
        char line[64];
        snprintf(line, sizeof(line), "completion %s", shells[i]);
        struct run r = run_line(line);
        assert_int_equal(r.code, EXIT_CODE_OK);
        assert_non_null(strstr(r.out, "port-forward"));
        assert_non_null(strstr(r.out, "auto-port"));
        assert_non_null(strstr(r.out, "forward_close"));
        assert_non_null(strstr(r.out, "reset-password"));
        assert_non_null(strstr(r.out, "wildcard-access-url"));
        run_end(&r);
    }
}

static void not_logged_in_exits_with_3(void **state)
{
    setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
    struct run r = run_line("whoami");
    assert_int_equal(r.code, EXIT_CODE_NOT_ALLOWED);
    assert_string_equal(r.err, "adit: not logged in\nhint: log in with: adit login URL\n");
    run_end(&r);
    r = run_line("port-forward dev --tcp 8080 --url https://adit.example.com");
    assert_int_equal(r.code, EXIT_CODE_NOT_ALLOWED);
    assert_string_equal(r.err, "adit: not logged in to https://adit.example.com\n"
                               "hint: log in with: adit login https://adit.example.com\n");
    run_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dry_run_prints_one_object_a_forward),
        cmocka_unit_test(wrong_lines_exit_with_2_and_say_why),
        cmocka_unit_test(every_command_explains_itself),
        cmocka_unit_test(completion_knows_commands_and_options),
        cmocka_unit_test(not_logged_in_exits_with_3),
    };
    unsetenv("ADIT_TOKEN");
    unsetenv("ADIT_URL");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
