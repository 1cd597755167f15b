#include "cli/cli.h"
#include "cli/help.h"

#include "base/span.h"

static int run(struct cli *cli)
{
    const struct command *const *table = commands;
    const struct command *c = NULL;
    char path[64] = "";
    for (size_t i = 0; i < cli->args.n_words; i++) {
        const char *word = cli->args.words[i];
        const struct command *found = table ? command_find(table, word) : NULL;
        if (!found) {
            const char *meant = table ? command_suggest(table, word) : NULL;
            str_copy(cli->path, sizeof(cli->path), path); /* the hint is about what is known */
            return cli_usage(cli,
                             meant ? "unknown command '%.60s': did you mean '%s'?"
                                   : "unknown command '%.60s'",
                             word, meant);
        }
        size_t used = span_of(path).len;
        snprintf(path + used, sizeof(path) - used, "%s%s", used ? " " : "", found->name);
        c = found;
        table = c->subcommands;
    }
    if (c)
        help_print_command(&cli->out, cli->out.out, c, path);
    else
        help_print_overview(&cli->out, cli->out.out);
    return EXIT_CODE_OK;
}

const struct command cmd_help = {
    .name = "help",
    .words = "[COMMAND...]",
    .summary = "Explain a command, or list them all",
    .examples = "adit help port-forward\nadit help users create",
    .max_words = WORDS_ANY,
    .traits = COMMAND_COMMAND,
    .run = run,
};
