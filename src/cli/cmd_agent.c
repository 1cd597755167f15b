#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/span.h"
#include "cli/cli.h"
#include "cli/credentials.h"
#include "cli/secret_file.h"

enum { TOKEN_FILE_MAX_LEN = 4096, ADDRESSES_MAX_LEN = 4096 };

static const struct option options[] = {
    {.name = "url",
     .kind = OPTION_VALUE,
     .value = "URL",
     .env = "ADIT_URL",
     .help = "The server to connect to."},
    {.name = "token-file",
     .kind = OPTION_VALUE,
     .value = "FILE",
     .env = "ADIT_AGENT_TOKEN_FILE",
     .help = "Read the agent token from FILE, which only its owner may read. Otherwise it is in "
             "ADIT_AGENT_TOKEN."},
    {.name = "no-direct",
     .kind = OPTION_FLAG,
     .help = "Listen on no port: people come by the server only."},
    {.name = "direct-port",
     .kind = OPTION_VALUE,
     .value = "PORT",
     .env = "ADIT_DIRECT_PORT",
     .help = "The TCP port on which people's commands may reach this agent directly. Default: any "
             "free one."},
    {.name = "direct-address",
     .kind = OPTION_LIST,
     .value = "ADDR[:PORT]",
     .help = "Tell people this address instead of those of the interfaces, such as where a mapping "
             "leads to that port. Several with commas or by repeating it."},
    {.name = "no-port-probe",
     .kind = OPTION_FLAG,
     .help = "Do not connect to new ports of the workspace to see whether they speak HTTP or TLS."},
    {.name = "log-level",
     .kind = OPTION_VALUE,
     .value = "LEVEL",
     .choices = "debug|info|warn|error",
     .env = "ADIT_LOG_LEVEL",
     .help = "What is worth a line in the log. Default: info."},
    {.name = "log-format",
     .kind = OPTION_VALUE,
     .value = "FORMAT",
     .choices = "text|json",
     .env = "ADIT_LOG_FORMAT",
     .help = "The form of the log, on standard error. Default: text."},
    {0},
};

static int read_token_file(struct cli *cli, const char *path, struct secret **ret)
{
    struct err err = ERR_INIT;
    char *text = NULL;
    size_t len = 0;
    if (secret_file_read(path, TOKEN_FILE_MAX_LEN, &text, &len, &err) < 0)
        return cli_failure(cli, &err);
    struct span token = span_from(text, strcspn(text, "\r\n"));
    *ret = secret_new(token.p, token.len);
    explicit_bzero(text, len);
    free(text);
    return 0;
}

static int read_token(struct cli *cli, struct secret **ret)
{
    const char *file = args_value(&cli->args, "token-file");
    const char *token = getenv("ADIT_AGENT_TOKEN");
    if (file)
        return read_token_file(cli, file, ret);
    if (!token || !*token)
        return cli_usage(cli, "no agent token: set ADIT_AGENT_TOKEN or give --token-file FILE");
    *ret = secret_new(token, strlen(token));
    /* What the agent starts need not see it. */
    unsetenv("ADIT_AGENT_TOKEN");
    return 0;
}

static void set_up_log(struct cli *cli)
{
    const char *level = args_value(&cli->args, "log-level");
    enum log_level least = LOG_INFO;
    if (level)
        log_level_parse(level, &least);
    log_setup(least, str_eq(args_value(&cli->args, "log-format"), "json") ? LOG_FORMAT_JSON
                                                                          : LOG_FORMAT_TEXT);
}

/* The list as one text. */
static void read_addresses(struct cli *cli, struct buf *out)
{
    for (size_t i = 0; i < cli->args.n_uses; i++) {
        const struct option_use *use = &cli->args.uses[i];
        if (str_eq(use->option->name, "direct-address"))
            buf_appendf(out, "%s%s", out->len ? "," : "", use->value);
    }
}

static int run_agent(struct cli *cli, const char *url, const struct secret *token)
{
    struct err err = ERR_INIT;
    uint64_t port = 0;
    _cleanup_(buf_deinit) struct buf addresses = BUF_INIT(ADDRESSES_MAX_LEN);
    if (args_number(&cli->args, "direct-port", 1, 65535, 0, &port, &err) < 0)
        return cli_usage_error(cli, &err);
    read_addresses(cli, &addresses);
    const struct agent_config config = {.server_url = url,
                                        .token = token,
                                        .no_port_probe = args_has(&cli->args, "no-port-probe"),
                                        .no_direct = args_has(&cli->args, "no-direct"),
                                        .direct_port = (uint16_t)port,
                                        .direct_addrs =
                                            addresses.len ? buf_cstr(&addresses) : NULL};
    return agent_run(&config, &err) == AGENT_EXIT_SIGNAL ? EXIT_CODE_OK : cli_failure(cli, &err);
}

static int run(struct cli *cli)
{
    const char *typed = args_value(&cli->args, "url");
    struct err err = ERR_INIT;
    struct secret *token = NULL;
    char *url = NULL;
    if (!typed)
        return cli_usage(cli, "which server? give --url URL or set ADIT_URL");
    if (credentials_url(typed, &url, &err) < 0)
        return cli_usage_error(cli, &err);
    int code = read_token(cli, &token);
    if (code == 0) {
        set_up_log(cli);
        code = run_agent(cli, url, token);
    }
    secret_free(token);
    free(url);
    return code;
}

const struct command cmd_agent = {
    .name = "agent",
    .summary = "Run in a workspace: lets its ports be reached",
    .about =
        "Dials out to the server and stays connected, for ever; needs no root and no open port. "
        "It listens on one of its own, for people's commands that can reach it: they are faster "
        "then, and others learn nothing there. "
        "'adit create' prints the command with the token that this agent needs. It runs as you, "
        "and reaches what you can reach; the template's policy says what may be forwarded.",
    .examples = "ADIT_AGENT_TOKEN=... adit agent --url https://adit.example.com\n"
                "adit agent --url https://adit.example.com --token-file agent-token",
    .options = options,
    .run = run,
};
