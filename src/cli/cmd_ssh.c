/*
 * `adit ssh ws ...` asks the agent for the account and the host key over a session that is pinned,
 * then becomes the system's ssh. That one gets this program as its ProxyCommand (--stdio) and, so
 * that the host key needs no file and no question, as its KnownHostsCommand (--known-host).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/span.h"
#include "cli/cli.h"
#include "cli/ssh_key_pair.h"
#include "cli/ssh_link.h"
#include "model/workspace_ref.h"

enum { SSH_ARGS_MAX = 64, COMMAND_MAX_LEN = 16 * 1024 };

static const struct option options[] = {
    {.name = "stdio",
     .kind = OPTION_FLAG,
     .help = "Carry an SSH connection over standard input and output: for ssh's ProxyCommand."},
    {.name = "known-host",
     .kind = OPTION_VALUE,
     .value = "LINE",
     .help = "Print LINE and end: for ssh's KnownHostsCommand."},
    {0},
};

/* How many of the words are adit's: up to the workspace. */
static int own_words(int argc, char *const *argv)
{
    static const char *const with_value[] = {"--url", "--ca-file", "--known-host"};
    for (int i = 0; i < argc; i++) {
        if (argv[i][0] != '-')
            return i + 1;
        for (size_t j = 0; j < ARRAY_LEN(with_value); j++)
            if (str_eq(argv[i], with_value[j])) {
                i++;
                break;
            }
    }
    return argc;
}

/* A word for ssh's ProxyCommand, which expands `%` and then goes through the user's shell. */
static void append_word(struct buf *dst, const char *word)
{
    buf_append_str(dst, dst->len ? " '" : "'");
    for (; *word; word++) {
        if (*word == '\'')
            buf_append_str(dst, "'\\''");
        else if (*word == '%')
            buf_append_str(dst, "%%");
        else
            buf_append_byte(dst, (unsigned char)*word);
    }
    buf_append_byte(dst, '\'');
}

static int own_path(char ret[static 4096], struct err *err)
{
    ssize_t n = readlink("/proc/self/exe", ret, 4095);
    if (n < 0)
        return err_sys(err, -errno, "where this program is cannot be found out");
    ret[n] = '\0';
    return 0;
}

struct ssh_run {
    char exe[4096];
    char alias[WORKSPACE_REF_SIZE + 8]; /* the host's name for ssh: "adit.ws" */
    char *key_path;
    char key_line[SSH_KEY_LINE_SIZE];
    struct api_ssh_info info;
    char *argv[SSH_ARGS_MAX];
    size_t argc;
};

static void add_option(struct ssh_run *r, const char *name, const char *value)
{
    r->argv[r->argc++] = xstrdup("-o");
    r->argv[r->argc++] = xasprintf("%s=%s", name, value);
}

static void add_commands(struct cli *cli, struct ssh_run *r)
{
    _cleanup_(buf_deinit) struct buf proxy = BUF_INIT(COMMAND_MAX_LEN);
    _cleanup_(buf_deinit) struct buf known = BUF_INIT(COMMAND_MAX_LEN);
    _cleanup_free_ char *line = xasprintf("%s %s", r->alias, r->info.host_key);
    static const char *const passed_on[] = {"url", "ca-file"};
    append_word(&proxy, r->exe);
    append_word(&proxy, "ssh");
    append_word(&proxy, "--stdio");
    for (size_t i = 0; i < ARRAY_LEN(passed_on); i++) {
        const char *value = args_value(&cli->args, passed_on[i]);
        _cleanup_free_ char *word = xasprintf("--%s=%s", passed_on[i], value ? value : "");
        if (value)
            append_word(&proxy, word);
    }
    append_word(&proxy, cli->args.words[0]);
    append_word(&known, r->exe);
    append_word(&known, "ssh");
    append_word(&known, "--known-host");
    append_word(&known, line);
    add_option(r, "ProxyCommand", buf_cstr(&proxy));
    add_option(r, "KnownHostsCommand", buf_cstr(&known));
}

/* These come first, and the first value counts: the user's files and options cannot undo them. */
static void add_options(struct cli *cli, struct ssh_run *r)
{
    _cleanup_free_ char *quoted = xasprintf("\"%s\"", r->key_path);
    r->argv[r->argc++] = xstrdup("ssh");
    add_commands(cli, r);
    add_option(r, "HostKeyAlias", r->alias);
    add_option(r, "StrictHostKeyChecking", "yes");
    add_option(r, "UserKnownHostsFile", "/dev/null");
    add_option(r, "GlobalKnownHostsFile", "/dev/null");
    add_option(r, "UpdateHostKeys", "no");
    add_option(r, "CheckHostIP", "no");
    add_option(r, "User", r->info.user);
    add_option(r, "IdentityFile", quoted);
    add_option(r, "IdentitiesOnly", "yes");
    add_option(r, "PreferredAuthentications", "publickey");
    /* What is inside is encrypted once more; the quickest key exchange is good enough. */
    add_option(r, "KexAlgorithms", "^curve25519-sha256");
    r->argv[r->argc++] = xstrdup(r->alias);
}

static int become_ssh(struct ssh_run *r, int rest_len, char *const *rest, struct err *err)
{
    char **argv = xcalloc(r->argc + (size_t)rest_len + 1, sizeof(*argv));
    memcpy(argv, r->argv, r->argc * sizeof(*argv));
    memcpy(argv + r->argc, rest, (size_t)rest_len * sizeof(*argv));
    execvp("ssh", argv);
    int error = errno;
    free(argv);
    if (error == ENOENT)
        return err_set(err, -ENOENT, "there is no ssh here: install the package openssh-client");
    return err_sys(err, -error, "ssh");
}

static int run_ssh(struct cli *cli, const struct workspace_ref *ws, int rest_len, char *const *rest)
{
    struct ssh_run r = {0};
    struct err err = ERR_INIT;
    char name[WORKSPACE_REF_SIZE];
    int code = ssh_link_ask(cli, ws, &r.info);
    if (code != 0)
        return code;
    snprintf(r.alias, sizeof(r.alias), "adit.%s", workspace_ref_format(ws, name));
    for (char *p = r.alias; *p; p++)
        if (*p == '/')
            *p = '.';
    if (own_path(r.exe, &err) == 0 && ssh_key_pair_get(&r.key_path, r.key_line, &err) == 0) {
        add_options(cli, &r);
        become_ssh(&r, rest_len, rest, &err);
    }
    for (size_t i = 0; i < r.argc; i++)
        free(r.argv[i]);
    free(r.key_path);
    return cli_failure(cli, &err);
}

static int run_stdio(struct cli *cli, const struct workspace_ref *ws)
{
    struct err err = ERR_INIT;
    char line[SSH_KEY_LINE_SIZE], *path = NULL;
    if (ssh_key_pair_get(&path, line, &err) < 0)
        return cli_failure(cli, &err);
    free(path);
    return ssh_link_carry(cli, ws, line);
}

static int run_raw(struct cli *cli, int argc, char *const *argv)
{
    const struct option *tables[ARGS_TABLES_MAX];
    struct workspace_ref ws;
    struct err err = ERR_INIT;
    int own = own_words(argc, argv);
    size_t n = command_option_tables(cli->command, tables);
    for (size_t i = 0; i < n; i++)
        args_add_table(&cli->args, tables[i]);
    if (args_parse(&cli->args, own, argv, &err) < 0)
        return cli_usage_error(cli, &err);
    const char *known_host = args_value(&cli->args, "known-host");
    if (known_host) {
        output_line(&cli->out, "%s", known_host);
        return EXIT_CODE_OK;
    }
    if (cli->args.n_words == 0)
        return cli_usage(cli, "which workspace? adit ssh %s", cli->command->words);
    if (workspace_ref_parse(span_of(cli->args.words[0]), &ws, &err) < 0)
        return cli_usage_error(cli, &err);
    if (args_has(&cli->args, "stdio"))
        return run_stdio(cli, &ws);
    return run_ssh(cli, &ws, argc - own, argv + own);
}

const struct command cmd_ssh = {
    .name = "ssh",
    .words = "[OWNER/]WORKSPACE[.AGENT] [SSH-OPTION...] [COMMAND...]",
    .summary = "Log in to a workspace with ssh",
    .about =
        "Runs the system's ssh with adit as its way there: all its options work, what stands "
        "behind the workspace is handed to it. There is no password and no question about a host "
        "key: the key pair for logging in is made when it is first needed, and the agent's host "
        "key comes through adit. The workspace needs the package openssh-server, but no running "
        "sshd and no open port.",
    .examples = "adit ssh dev\n"
                "adit ssh dev make -C project test\n"
                "adit ssh dev -L 5432:db.internal:5432 -N\n"
                "adit ssh dev -R 9003:localhost:9003      # a debugger calls back",
    .exits = "4  the workspace was not reached\n"
             "otherwise that of ssh: the command's, or 255",
    .traits = COMMAND_API | COMMAND_WORKSPACE | COMMAND_PASSES_ON,
    .min_words = 1,
    .max_words = WORDS_ANY,
    .options = options,
    .run_raw = run_raw,
};
