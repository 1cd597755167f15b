/*
 * `adit ssh ws ...` becomes the system's ssh, which gets this program as its ProxyCommand
 * (--stdio). What ssh has to know before it connects, the account, is kept from the time before
 * (ssh_known.h), or asked for when there was none; --stdio keeps it right, and puts the host key
 * where ssh looks for it before the first byte passes. So each ssh costs one connection.
 *
 * What config-ssh writes works the same way: there --prepare is what asks, where nothing is kept.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/cpu.h"
#include "base/mem.h"
#include "base/span.h"
#include "cli/cli.h"
#include "cli/credentials.h"
#include "cli/own_path.h"
#include "cli/ssh_alias.h"
#include "cli/ssh_args.h"
#include "cli/ssh_key_pair.h"
#include "cli/ssh_known.h"
#include "cli/ssh_link.h"
#include "cli/ssh_settings.h"
#include "model/workspace_ref.h"

enum {
    OPTIONS_MAX = 128, /* words that ssh gets beside the person's */
    SSH_FAILED = 255,  /* what ssh itself exits with when it does not come to the command */
    WAIT_SEC = 60,
    WAIT_MAX_SEC = 24 * 60 * 60,
};

static const struct option options[] = {
    {.name = "wait",
     .kind = OPTION_OPTIONAL,
     .value = "SECONDS",
     .help = "While the server or the agent is away, try for SECONDS (60) and not just once."},
    {.name = "no-direct",
     .kind = OPTION_FLAG,
     .help = "Use the server's relay only. Default: directly to the agent where it can be "
             "reached."},
    {.name = "stdio",
     .kind = OPTION_FLAG,
     .help = "Carry an SSH connection over standard input and output: for ssh's ProxyCommand."},
    {.name = "prepare",
     .kind = OPTION_FLAG,
     .help = "Ask for what ssh has to know of a workspace, unless that is known: for "
             "config-ssh's section."},
    {.name = "host",
     .kind = OPTION_VALUE,
     .value = "ALIAS",
     .help = "With --stdio and --prepare: the workspace as ssh calls it, adit.WORKSPACE, "
             "instead of WORKSPACE."},
    {0},
};

/*
 * Set for ssh by `adit ssh` to the alias that it has prepared: a section of config-ssh applies as
 * well, and may be for another deployment.
 */
static const char prepared_variable[] = "ADIT_SSH_PREPARED";

/* The command line, taken apart. */
struct ssh_words {
    int own;         /* adit's words, up to the workspace, without those of `before` */
    char **own_argv; /* likewise */
    char **before;   /* ssh's options in front of the workspace */
    int n_before;
    char *const *behind; /* what stands behind it */
    int n_behind;
};

struct ssh_run {
    char alias[SSH_ALIAS_SIZE];
    char *exe, *key_file, *hosts_file, *known_hosts_file;
    struct api_ssh_info info;
    char **argv; /* for ssh: pieces are owned up to `argc`, ended by NULL */
    size_t argc;
};

/* Fills *ret, whose arrays have room for argc words. Neither --help nor wrong words are seen. */
static void take_apart(int argc, char *const *argv, struct ssh_words *ret)
{
    static const char *const with_value[] = {"--url", "--ca-file", "--host"};
    int i = 0;
    while (i < argc) {
        int n =
            argv[i][0] == '-' && argv[i][1] != '-' ? ssh_args_option_words(argc - i, argv + i) : 0;
        for (int j = 0; j < n; j++)
            ret->before[ret->n_before++] = argv[i++];
        if (n > 0)
            continue;
        char *word = argv[i++];
        ret->own_argv[ret->own++] = word;
        if (word[0] != '-')
            break;
        for (size_t j = 0; j < ARRAY_LEN(with_value) && i < argc; j++)
            if (str_eq(word, with_value[j])) {
                ret->own_argv[ret->own++] = argv[i++];
                break;
            }
    }
    ret->behind = argv + i;
    ret->n_behind = argc - i;
}

/* ---- becoming ssh ---- */

struct add_settings {
    struct ssh_run *run;
    bool preferences;
};

static void add_words(struct ssh_run *r, int n, char *const *words)
{
    for (int i = 0; i < n; i++)
        r->argv[r->argc++] = xstrdup(words[i]);
}

static void add_option(struct ssh_run *r, const char *name, const char *value)
{
    r->argv[r->argc++] = xstrdup("-o");
    r->argv[r->argc++] = xasprintf("%s=%s", name, value);
}

static void add_setting(const char *name, const char *value, bool preference, void *ud)
{
    struct add_settings *add = ud;
    if (preference == add->preferences)
        add_option(add->run, name, value);
}

/* The first value counts: the person's options stand between what must be and what may be. */
static void add_all(struct ssh_run *r, const struct ssh_setup *setup, const struct ssh_words *words)
{
    struct add_settings add = {.run = r};
    int n = ssh_args_options(words->n_behind, words->behind);
    static char program[] = "ssh";
    static char *const name[] = {program};
    r->argv =
        xcalloc((size_t)words->n_before + (size_t)words->n_behind + OPTIONS_MAX, sizeof(*r->argv));
    add_words(r, 1, name);
    add_option(r, "HostKeyAlias", r->alias);
    add_option(r, "User", r->info.user);
    ssh_settings(setup, add_setting, &add);
    add_words(r, words->n_before, words->before);
    add_words(r, n, words->behind);
    add.preferences = true;
    ssh_settings(setup, add_setting, &add);
    r->argv[r->argc++] = xstrdup(r->alias);
    add_words(r, words->n_behind - n, words->behind + n);
}

static int become_ssh(struct ssh_run *r, struct err *err)
{
    setenv(prepared_variable, r->alias, 1);
    signal(SIGPIPE, SIG_DFL); /* which ssh would inherit */
    execvp("ssh", r->argv);
    if (errno == ENOENT)
        return err_set(err, -ENOENT, "there is no ssh here: install the package openssh-client");
    return err_sys(err, -errno, "ssh");
}

static int find_files(struct ssh_run *r, struct err *err)
{
    char line[SSH_KEY_LINE_SIZE];
    int result = own_path(&r->exe, err);
    if (result == 0)
        result = ssh_key_pair_get(&r->key_file, line, err);
    if (result == 0)
        result = ssh_known_paths(&r->hosts_file, &r->known_hosts_file, err);
    return result;
}

/* ---- what is known ---- */

static int wait_of(struct cli *cli, uint64_t *ret)
{
    struct err err = ERR_INIT;
    uint64_t wait = 0;
    if (args_number(&cli->args, "wait", 1, WAIT_MAX_SEC, WAIT_SEC, &wait, &err) < 0)
        return cli_usage_error(cli, &err);
    *ret = args_has(&cli->args, "wait") ? wait : 0;
    return 0;
}

/* The deployment that is meant; the caller frees it. NULL: none, or it cannot be told. */
static char *deployment(struct cli *cli)
{
    struct credentials known;
    char *url = NULL;
    if (credentials_load(&known, NULL) < 0)
        return NULL;
    const char *given = args_value(&cli->args, "url");
    if (!given)
        given = known.current;
    if (given && credentials_url(given, &url, NULL) < 0)
        url = NULL;
    credentials_deinit(&known);
    return url;
}

/* Asks where nothing is known. 0, or the error has been printed and the exit code is returned. */
static int make_known(struct cli *cli, const struct ssh_link_options *link,
                      struct api_ssh_info *ret)
{
    _cleanup_free_ char *url = deployment(cli);
    if (url && ssh_known_find(url, link->alias, ret))
        return 0;
    return ssh_link_ask(cli, link, ret);
}

/* ---- the three runs ---- */

static int run_ssh(struct cli *cli, const struct ssh_link_options *link,
                   const struct ssh_words *words)
{
    struct ssh_run r = {0};
    struct err err = ERR_INIT;
    str_copy(r.alias, sizeof(r.alias), link->alias);
    int code = make_known(cli, link, &r.info);
    if (code == 0 && find_files(&r, &err) == 0) {
        const struct ssh_setup setup = {
            .exe = r.exe,
            .url = args_value(&cli->args, "url"),
            .ca_file = args_value(&cli->args, "ca-file"),
            .no_direct = link->no_direct,
            .wait_sec = (unsigned)(link->wait / USEC_PER_SEC),
            .key_file = r.key_file,
            .hosts_file = r.hosts_file,
            .known_hosts_file = r.known_hosts_file,
            .aes = cpu_has_aes(),
        };
        if (ssh_setup_check(&setup, &err) == 0) {
            add_all(&r, &setup, words);
            become_ssh(&r, &err);
        }
    }
    if (err.code)
        cli_failure(cli, &err);
    for (size_t i = 0; i < r.argc; i++)
        free(r.argv[i]);
    free(r.argv);
    free(r.exe);
    free(r.key_file);
    free(r.hosts_file);
    free(r.known_hosts_file);
    return SSH_FAILED;
}

static int run_stdio(struct cli *cli, const struct ssh_link_options *link)
{
    struct err err = ERR_INIT;
    char line[SSH_KEY_LINE_SIZE], *path = NULL;
    if (ssh_key_pair_get(&path, line, &err) < 0)
        return cli_failure(cli, &err);
    free(path);
    return ssh_link_carry(cli, link, line);
}

static int run_prepare(struct cli *cli, const struct ssh_link_options *link)
{
    struct err err = ERR_INIT;
    struct api_ssh_info info;
    char line[SSH_KEY_LINE_SIZE], *path = NULL;
    if (str_eq(getenv(prepared_variable), link->alias))
        return EXIT_CODE_OK;
    if (ssh_key_pair_get(&path, line, &err) < 0)
        return cli_failure(cli, &err);
    free(path);
    return make_known(cli, link, &info);
}

/* The workspace, by --host or as the only argument. 0, or the exit code. */
static int read_workspace(struct cli *cli, struct workspace_ref *ret,
                          char alias[static SSH_ALIAS_SIZE])
{
    struct err err = ERR_INIT;
    const char *host = args_value(&cli->args, "host");
    if (!host && cli->args.n_words == 0)
        return cli_usage(cli, "which workspace? adit ssh %s", cli->command->words);
    int r = host ? ssh_alias_parse(span_of(host), ret, &err)
                 : workspace_ref_parse(span_of(cli->args.words[0]), ret, &err);
    if (r < 0)
        return cli_usage_error(cli, &err);
    if (host) /* as it was typed: ssh's Host sections mind the case */
        str_copy(alias, SSH_ALIAS_SIZE, host);
    else
        ssh_alias_format(ret, alias);
    return 0;
}

static int run_words(struct cli *cli, const struct ssh_words *words)
{
    struct workspace_ref ws;
    char alias[SSH_ALIAS_SIZE];
    uint64_t wait = 0;
    int code = read_workspace(cli, &ws, alias);
    if (code == 0)
        code = wait_of(cli, &wait);
    if (code != 0)
        return code;
    struct ssh_link_options link = {.workspace = &ws,
                                    .alias = alias,
                                    .wait = (usec_t)wait * USEC_PER_SEC,
                                    .no_direct = args_has(&cli->args, "no-direct")};
    bool stdio = args_has(&cli->args, "stdio"), prepare = args_has(&cli->args, "prepare");
    if (!stdio && !prepare && args_has(&cli->args, "host"))
        return cli_usage(cli, "--host goes with --stdio and --prepare");
    if (!stdio && !prepare)
        return run_ssh(cli, &link, words);
    if (words->n_before > 0 || words->n_behind > 0)
        return cli_usage(cli, "--stdio and --prepare take no options of ssh and no command");
    if (prepare)
        return run_prepare(cli, &link);
    /* A configuration written by hand has an account and a host key of its own. */
    if (!args_has(&cli->args, "host"))
        link.alias = NULL;
    return run_stdio(cli, &link);
}

static int run_raw(struct cli *cli, int argc, char *const *argv)
{
    const struct option *tables[ARGS_TABLES_MAX];
    struct err err = ERR_INIT;
    _cleanup_free_ char **own = xcalloc((size_t)argc + 1, sizeof(*own));
    _cleanup_free_ char **before = xcalloc((size_t)argc + 1, sizeof(*before));
    struct ssh_words words = {.own_argv = own, .before = before};
    size_t n = command_option_tables(cli->command, tables);
    for (size_t i = 0; i < n; i++)
        args_add_table(&cli->args, tables[i]);
    take_apart(argc, argv, &words);
    if (args_parse(&cli->args, words.own, own, &err) < 0)
        return cli_usage_error(cli, &err);
    return run_words(cli, &words);
}

const struct command cmd_ssh = {
    .name = "ssh",
    .words = "[OWNER/]WORKSPACE[.AGENT] [SSH-OPTION...] [COMMAND...]",
    .summary = "Log in to a workspace with ssh",
    .about =
        "Runs the system's ssh with adit as its way there: all its options work, before or behind "
        "the workspace. There is no password and no question about a host key: the key pair for "
        "logging in is made when it is first needed, and the agent's host key comes through adit. "
        "The workspace needs the package openssh-server, but no running sshd and no open port.\n"
        "'adit config-ssh' sets ssh itself up, for sftp, scp, rsync, git and editors.",
    .examples = "adit ssh dev\n"
                "adit ssh dev make -C project test\n"
                "adit ssh dev -L 5432:db.internal:5432 -N\n"
                "adit ssh dev -R 9003:localhost:9003      # a debugger calls back",
    .exits = "2  the command line is wrong\n"
             "otherwise that of ssh: the command's, or 255 where it did not come to it",
    .traits = COMMAND_API | COMMAND_WORKSPACE | COMMAND_PASSES_ON,
    .min_words = 1,
    .max_words = WORDS_ANY,
    .options = options,
    .run_raw = run_raw,
};
