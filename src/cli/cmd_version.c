#include <jansson.h>

#include "cli/cli.h"

static int run(struct cli *cli)
{
    if (!cli->out.json) {
        output_line(&cli->out, "adit %s", ADIT_VERSION);
        return EXIT_CODE_OK;
    }
    json_t *version = json_pack("{s:s}", "version", ADIT_VERSION);
    output_json(&cli->out, version);
    json_decref(version);
    return EXIT_CODE_OK;
}

const struct command cmd_version = {
    .name = "version",
    .summary = "Print the version",
    .traits = COMMAND_OUTPUT,
    .run = run,
};
