#include "base/span.h"
#include "cli/cli.h"
#include "cli/completion.h"

static int run(struct cli *cli)
{
    const char *shell = cli->args.words[0];
    if (str_eq(shell, "bash"))
        completion_print_bash(cli->out.out);
    else if (str_eq(shell, "zsh"))
        completion_print_zsh(cli->out.out);
    else if (str_eq(shell, "fish"))
        completion_print_fish(cli->out.out);
    else
        return cli_usage(cli, "'%.40s' is not a known shell: bash, zsh or fish", shell);
    return EXIT_CODE_OK;
}

const struct command cmd_completion = {
    .name = "completion",
    .words = "bash|zsh|fish",
    .summary = "Print a completion script for a shell",
    .about = "The script completes commands, options and their values, and the names of your "
             "workspaces while you are logged in.",
    .examples = "eval \"$(adit completion bash)\"            # now, or in ~/.bashrc\n"
                "adit completion zsh > \"${fpath[1]}/_adit\" # once\n"
                "adit completion fish > ~/.config/fish/completions/adit.fish",
    .min_words = 1,
    .max_words = 1,
    .run = run,
};
