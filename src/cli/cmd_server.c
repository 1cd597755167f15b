/* The server names its settings in a table of its own; help and completion are made from that. */
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "server/config.h"
#include "server/server.h"

enum { SETTINGS_MAX = 64 };

static const struct option config_option = {
    .name = "config",
    .kind = OPTION_VALUE,
    .value = "FILE",
    .env = "ADIT_CONFIG",
    .help = "Read settings from this YAML file.",
};

static struct option option_of(const struct setting *s)
{
    const char *help = s->def ? xasprintf("%s Default: %s. Key: %s.", s->help, s->def, s->key)
                              : xasprintf("%s Key: %s.", s->help, s->key);
    return (struct option){
        .name = s->flag,
        .kind = setting_is_list(s) ? OPTION_LIST : OPTION_VALUE,
        .value = s->arg,
        .choices = s->kind == SETTING_LOG_LEVEL    ? "debug|info|warn|error"
                   : s->kind == SETTING_LOG_FORMAT ? "text|json"
                                                   : NULL,
        .env = s->env,
        .help = help,
    };
}

/* Made once and kept as long as the program runs. */
static const struct option *options_of(void)
{
    static struct option table[SETTINGS_MAX];
    size_t n = 0;
    const struct setting *settings = server_settings(&n);
    if (table[0].name)
        return table;
    table[0] = config_option;
    for (size_t i = 0; i < n && i + 2 < SETTINGS_MAX; i++)
        table[i + 1] = option_of(&settings[i]);
    return table;
}

static int run_raw(struct cli *cli, int argc, char *const *argv)
{
    struct server_config *config = NULL;
    struct err err = ERR_INIT;
    int r = server_config_load(argc, argv, getenv, &config, &err);
    if (r == -EINVAL)
        return cli_usage_error(cli, &err);
    if (r < 0)
        return cli_failure(cli, &err);
    r = server_run(config, &err);
    server_config_free(config);
    return r < 0 ? cli_failure(cli, &err) : EXIT_CODE_OK;
}

const struct command cmd_server = {
    .name = "server",
    .words = "[OPTIONS]",
    .summary = "Run the server of a deployment",
    .about =
        "Control plane and relay in one process: the API, the accounts, and the meeting point of "
        "agents and people. What is forwarded passes through it encrypted; it cannot read it.\n"
        "Every setting has a flag, an environment variable (in brackets) and a key in the YAML "
        "file of --config; the first of these that is given counts. SIGTERM and SIGINT stop it in "
        "order, a second one at once; SIGHUP reads the certificate again.",
    .examples = "adit server                                     # http://127.0.0.1:7777\n"
                "adit server --listen '*:443' --access-url https://adit.example.com \\\n"
                "    --tls-cert chain.pem --tls-key key.pem\n"
                "adit server --config /etc/adit/server.yaml",
    .options_of = options_of,
    .run_raw = run_raw,
};
