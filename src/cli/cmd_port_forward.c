#include "base/clock.h"
#include "cli/forward_text.h"
#include "cli/port_forward.h"

enum { WAIT_SEC = 60, WAIT_MAX_SEC = 7 * 86400 };

static const struct option options[] = {
    {.name = "tcp",
     .letter = 'p',
     .kind = OPTION_LIST,
     .value = "SPEC",
     .help = "TCP ports: [ADDR:]LOCAL[-END][:[HOST:]REMOTE[-END]], several with commas."},
    {.name = "udp", .kind = OPTION_LIST, .value = "SPEC", .help = "UDP ports, in the same form."},
    {.name = "L",
     .letter = 'L',
     .kind = OPTION_LIST,
     .value = "SPEC",
     .help = "As 'ssh -L': [ADDR:]PORT:HOST:PORT; a path instead of an address and port is a "
             "Unix socket."},
    {.name = "R",
     .letter = 'R',
     .kind = OPTION_LIST,
     .value = "SPEC",
     .help = "As 'ssh -R': a listener in the workspace, a target seen from here. Port 0 takes any "
             "port and prints it; a port alone is a SOCKS and HTTP proxy."},
    {.name = "D",
     .letter = 'D',
     .kind = OPTION_LIST,
     .value = "SPEC",
     .help = "As 'ssh -D': [ADDR:]PORT, a SOCKS4, SOCKS5 and HTTP proxy into the workspace."},
    {.name = "auto-port",
     .kind = OPTION_FLAG,
     .help = "Where a local port is in use or not allowed, take a free one near it and say so."},
    {.name = "allow-other-users",
     .kind = OPTION_FLAG,
     .help = "Let other users of this machine use the forwards. Default: only you and root."},
    {.name = "no-direct",
     .kind = OPTION_FLAG,
     .help = "Use the server's relay only. Default: connections go to the agent directly where it "
             "can be reached."},
    {.name = "wait",
     .kind = OPTION_OPTIONAL,
     .value = "SECONDS",
     .help = "Give up with exit code 4 if the agent is not reached within SECONDS (60)."},
    {.name = "dry-run",
     .kind = OPTION_FLAG,
     .help = "Print the forwards that would be opened; needs neither log-in nor server."},
    {.name = "verbose",
     .letter = 'v',
     .kind = OPTION_FLAG,
     .help = "A line for every connection too."},
    {0},
};

static const struct {
    const char *option;
    enum forward_flag flag;
} flags[] = {
    {"tcp", FORWARD_FLAG_TCP}, {"udp", FORWARD_FLAG_UDP}, {"L", FORWARD_FLAG_L},
    {"R", FORWARD_FLAG_R},     {"D", FORWARD_FLAG_D},
};

/* The forwards: those behind the workspace, then the options in the order in which they were given.
 */
static int read_forwards(struct cli *cli, struct forward_set *set)
{
    struct err err = ERR_INIT;
    for (size_t i = 1; i < cli->args.n_words; i++)
        if (forward_set_add(set, FORWARD_FLAG_TCP, cli->args.words[i], &err) < 0)
            return cli_usage_error(cli, &err);
    for (size_t i = 0; i < cli->args.n_uses; i++)
        for (size_t j = 0; j < sizeof(flags) / sizeof(flags[0]); j++) {
            const struct option_use *use = &cli->args.uses[i];
            if (str_eq(use->option->name, flags[j].option) &&
                forward_set_add(set, flags[j].flag, use->value, &err) < 0)
                return cli_usage_error(cli, &err);
        }
    if (set->len == 0)
        return cli_usage(cli,
                         "nothing to forward: give a port, or one of --tcp, --udp, -L, -R, -D");
    return 0;
}

static int read_options(struct cli *cli, struct port_forward_options *ret)
{
    struct err err = ERR_INIT;
    uint64_t wait = 0;
    if (workspace_ref_parse(span_of(cli->args.words[0]), &ret->workspace, &err) < 0)
        return cli_usage_error(cli, &err);
    if (args_number(&cli->args, "wait", 1, WAIT_MAX_SEC, WAIT_SEC, &wait, &err) < 0)
        return cli_usage_error(cli, &err);
    ret->wait = args_has(&cli->args, "wait") ? (usec_t)wait * USEC_PER_SEC : 0;
    ret->auto_port = args_has(&cli->args, "auto-port");
    ret->allow_other_users = args_has(&cli->args, "allow-other-users");
    ret->no_direct = args_has(&cli->args, "no-direct");
    ret->verbose = args_has(&cli->args, "verbose");
    return 0;
}

static int dry_run(struct cli *cli, const struct forward_set *set)
{
    for (size_t i = 0; i < set->len; i++) {
        char line[FORWARD_TEXT_SIZE];
        if (cli->out.json) {
            json_t *forward = forward_text_json(&set->items[i]);
            output_json_line(&cli->out, forward);
            json_decref(forward);
        } else {
            output_line(&cli->out, "%s", forward_text_line(&set->items[i], NULL, line));
        }
    }
    return EXIT_CODE_OK;
}

static int run(struct cli *cli)
{
    struct forward_set set = FORWARD_SET_INIT;
    struct port_forward_options run_options = {.set = &set};
    int code = read_options(cli, &run_options);
    if (code == 0)
        code = read_forwards(cli, &set);
    if (code == 0)
        code = args_has(&cli->args, "dry-run") ? dry_run(cli, &set)
                                               : port_forward_run(cli, &run_options);
    forward_set_deinit(&set);
    return code;
}

const struct command cmd_port_forward = {
    .name = "port-forward",
    .words = "[OWNER/]WORKSPACE[.AGENT] [PORT...] [FORWARD...]",
    .summary = "Forward ports from and into a workspace",
    .about =
        "Opens what is asked for and keeps it open until Ctrl-C, which ends it with exit code 0. "
        "The traffic is encrypted from "
        "end to end; the server cannot read it. While the server or the agent is away the "
        "listeners stay open, and all goes on by itself when it is back.\n"
        "PORT, as 8080, 8080:80 or 9000-9009, is what --tcp takes.\n"
        "ADDR is a dotted IPv4 address, an IPv6 address in brackets, 'localhost' or '*' (all "
        "addresses). Without it the listener is on 127.0.0.1 and ::1, and answers only you and "
        "root. HOST is as the workspace sees it; without it, the workspace itself. A listener "
        "takes its own number as the target's port if none is given. Ranges have the same length "
        "on both sides.\n"
        "On a terminal a line for each forward shows connections and bytes; otherwise there are "
        "plain lines, and with --output json one event a line (adit-port-forward(1)).",
    .examples = "adit port-forward dev 8080\n"
                "adit port-forward dev --tcp 8080:80,9000-9009 --udp 5353:53\n"
                "adit port-forward dev -p 15432:db.internal:5432\n"
                "adit port-forward dev -L /tmp/docker.sock:/run/docker.sock\n"
                "adit port-forward dev -R 0:localhost:3000     # prints the port\n"
                "adit port-forward dev -D 1080\n"
                "adit port-forward anna/dev.gpu --tcp 8888 --auto-port",
    .exits = "4  the agent was not reached within --wait",
    .traits = COMMAND_API | COMMAND_OUTPUT | COMMAND_WORKSPACE,
    .min_words = 1,
    .max_words = WORDS_ANY,
    .options = options,
    .run = run,
};
