#include "cli/deletion.h"

#include "cli/term.h"

const struct option deletion_options[] = {
    {.name = "yes", .letter = 'y', .kind = OPTION_FLAG, .help = "Do not ask."},
    {0},
};

int deletion_confirm(struct cli *cli, const char *question)
{
    if (args_has(&cli->args, "yes"))
        return 0;
    if (!term_can_ask())
        return cli_usage(cli, "deleting needs --yes when there is no terminal to ask on");
    return term_confirm(question) ? 0 : EXIT_CODE_FAILURE;
}
