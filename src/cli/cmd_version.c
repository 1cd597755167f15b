#include <jansson.h>

#include "cli/cli.h"
#include "io/tls.h"

static int run(struct cli *cli)
{
    if (!cli->out.json) {
        output_line(&cli->out, "adit %s", ADIT_VERSION);
        output_line(&cli->out, "AES-GCM: %s", tls_aes_gcm());
        return EXIT_CODE_OK;
    }
    json_t *version = json_pack("{s:s, s:s}", "version", ADIT_VERSION, "aes_gcm", tls_aes_gcm());
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
