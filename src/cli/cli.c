#include "cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>

#include "base/span.h"
#include "cli/help.h"

static int print_usage_error(struct cli *cli, const char *text)
{
    output_error(&cli->out, "%s", text);
    if (cli->path[0])
        output_hint(&cli->out, "'adit %s --help' explains it", cli->path);
    else
        output_hint(&cli->out, "'adit help' lists the commands");
    return EXIT_CODE_USAGE;
}

int cli_usage_error(struct cli *cli, const struct err *err)
{
    return print_usage_error(cli, err->text);
}

int cli_usage(struct cli *cli, const char *fmt, ...)
{
    struct err err = ERR_INIT;
    va_list ap;
    va_start(ap, fmt);
    err_vset(&err, -EINVAL, fmt, ap);
    va_end(ap);
    return print_usage_error(cli, err.text);
}

int cli_failure(struct cli *cli, const struct err *err)
{
    output_error(&cli->out, "%s", err->text);
    return EXIT_CODE_FAILURE;
}

/* `c` NULL: not known yet. */
static bool asks_for_help(const struct command *c, int argc, char *const *argv)
{
    for (int i = 0; i < argc && !str_eq(argv[i], "--"); i++)
        if (c && (c->traits & COMMAND_PASSES_ON) && argv[i][0] != '-')
            return false;
        else if (str_eq(argv[i], "--help") || str_eq(argv[i], "-h"))
            return true;
    return false;
}

static int unknown_command(struct cli *cli, const struct command *const *table, const char *typed)
{
    const char *meant = command_suggest(table, typed);
    const char *in = cli->path[0] ? cli->path : "";
    if (meant)
        return cli_usage(cli, "%s%sunknown command '%.60s': did you mean '%s'?", in,
                         *in ? ": " : "", typed, meant);
    return cli_usage(cli, "%s%sunknown command '%.60s'", in, *in ? ": " : "", typed);
}

static int check_words(struct cli *cli)
{
    const struct command *c = cli->command;
    size_t n = cli->args.n_words;
    if (n < c->min_words)
        return cli_usage(cli, "something is missing: adit %s %s", cli->path, c->words);
    if (n > c->max_words && c->max_words == 0)
        return cli_usage(cli, "%s takes no arguments, but '%.60s' was given", cli->path,
                         cli->args.words[0]);
    if (n > c->max_words)
        return cli_usage(cli, "'%.60s' is too much: adit %s %s", cli->args.words[c->max_words],
                         cli->path, c->words);
    return 0;
}

static int run_command(struct cli *cli, int argc, char *const *argv)
{
    const struct command *c = cli->command;
    if (asks_for_help(c, argc, argv)) {
        help_print_command(&cli->out, cli->out.out, c, cli->path);
        return EXIT_CODE_OK;
    }
    if (c->run_raw)
        return c->run_raw(cli, argc, argv);

    const struct option *tables[ARGS_TABLES_MAX];
    size_t n = command_option_tables(c, tables);
    for (size_t i = 0; i < n; i++)
        args_add_table(&cli->args, tables[i]);
    struct err err = ERR_INIT;
    if (args_parse(&cli->args, argc, argv, &err) < 0)
        return cli_usage_error(cli, &err);
    if (c->traits & COMMAND_OUTPUT)
        cli->out.json = str_eq(args_value(&cli->args, "output"), "json");
    int r = check_words(cli);
    return r ? r : c->run(cli);
}

int cli_run(struct cli *cli, int argc, char *const *argv)
{
    const struct command *const *table = commands;
    int at = 0;
    if (argc == 0 || str_eq(argv[0], "--help") || str_eq(argv[0], "-h")) {
        help_print_overview(&cli->out, argc ? cli->out.out : cli->out.err);
        return argc ? EXIT_CODE_OK : EXIT_CODE_USAGE;
    }
    static char version_name[] = "version";
    char *const version_argv[] = {version_name, NULL};
    if (str_eq(argv[0], "--version") || str_eq(argv[0], "-V")) {
        argv = version_argv;
        argc = 1;
    }

    while (table) {
        if (at == argc || argv[at][0] == '-') {
            bool help = asks_for_help(NULL, argc - at, argv + at);
            if (!cli->command)
                return cli_usage(cli, "unknown option '%.60s' before a command", argv[at]);
            help_print_command(&cli->out, help ? cli->out.out : cli->out.err, cli->command,
                               cli->path);
            return help ? EXIT_CODE_OK : EXIT_CODE_USAGE;
        }
        const struct command *c = command_find(table, argv[at]);
        if (!c)
            return unknown_command(cli, table, argv[at]);
        size_t used = span_of(cli->path).len;
        snprintf(cli->path + used, sizeof(cli->path) - used, "%s%s", used ? " " : "", c->name);
        cli->command = c;
        table = c->subcommands;
        at++;
    }
    return run_command(cli, argc - at, argv + at);
}

int cli_main(int argc, char *const *argv)
{
    struct cli cli = {0};
    signal(SIGPIPE, SIG_IGN);
    output_init(&cli.out);
    int code = cli_run(&cli, argc > 0 ? argc - 1 : 0, argv + (argc > 0));
    args_deinit(&cli.args);
    /* A full disk or a closed pipe must not look like success. */
    if (fflush(stdout) != 0 && code == EXIT_CODE_OK && errno != EPIPE) {
        output_error(&cli.out, "standard output cannot be written");
        code = EXIT_CODE_FAILURE;
    }
    return code;
}
