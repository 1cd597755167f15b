/*
 * Reads the configuration file of ssh, changes it as text (ssh_section.h), and writes it in one
 * step, or not at all. What stands in the section comes from ssh_settings.h.
 */
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/cpu.h"
#include "base/mem.h"
#include "base/span.h"
#include "cli/cli.h"
#include "cli/own_path.h"
#include "cli/ssh_key_pair.h"
#include "cli/ssh_known.h"
#include "cli/ssh_section.h"
#include "cli/ssh_settings.h"
#include "cli/text_diff.h"
#include "cli/user_file.h"

enum { FILE_MAX_LEN = 1024 * 1024, SECTION_MAX_LEN = 64 * 1024 };

static const struct option options[] = {
    {.name = "ssh-config-file",
     .kind = OPTION_VALUE,
     .value = "FILE",
     .help = "The file to change. Default: ~/.ssh/config."},
    {.name = "dry-run",
     .kind = OPTION_FLAG,
     .help = "Print what would change, as a diff, and change nothing."},
    {.name = "remove", .kind = OPTION_FLAG, .help = "Take the section out again."},
    {0},
};

/* ---- which file ---- */

/* ssh itself does not look at HOME. */
static void warn_of_other_home(struct cli *cli, const char *home)
{
    const struct passwd *pw = getpwuid(geteuid());
    if (pw && !str_eq(pw->pw_dir, home))
        output_warning(
            &cli->out,
            "HOME is %s, but ssh looks in %s: give it the file with ssh -F %s/.ssh/config", home,
            pw->pw_dir, home);
}

/* `make`: its folder too. The caller frees *ret. */
static int config_path(struct cli *cli, bool make, char **ret, struct err *err)
{
    const char *given = args_value(&cli->args, "ssh-config-file");
    const char *home = getenv("HOME");
    if (given) {
        *ret = xstrdup(given);
        return 0;
    }
    if (!home || !*home)
        return err_set(err, -ENOENT, "HOME is not set: name the file with --ssh-config-file");
    warn_of_other_home(cli, home);
    _cleanup_free_ char *folder = xasprintf("%s/.ssh", home);
    if (make && mkdir(folder, 0700) < 0 && errno != EEXIST)
        return err_sys(err, -errno, "%s cannot be made", folder);
    *ret = xasprintf("%s/config", folder);
    return 0;
}

/* ---- what is to be in it ---- */

/* The file that ssh is to find wherever it is started. The caller frees *ret; NULL: not given. */
static int absolute(const char *path, char **ret, struct err *err)
{
    *ret = path ? realpath(path, NULL) : NULL;
    return path && !*ret ? err_sys(err, -errno, "%s", path) : 0;
}

static int write_section(struct cli *cli, struct buf *dst, struct err *err)
{
    _cleanup_free_ char *exe = NULL;
    _cleanup_free_ char *ca_file = NULL;
    _cleanup_free_ char *key_file = NULL;
    _cleanup_free_ char *hosts_file = NULL;
    _cleanup_free_ char *known_hosts_file = NULL;
    const char *config_home = getenv("XDG_CONFIG_HOME");
    int r = own_path(&exe, err);
    if (r == 0)
        r = absolute(args_value(&cli->args, "ca-file"), &ca_file, err);
    if (r == 0)
        r = ssh_key_pair_path(&key_file, err);
    if (r == 0)
        r = ssh_known_paths(&hosts_file, &known_hosts_file, err);
    if (r < 0)
        return r;
    const struct ssh_setup setup = {
        .exe = exe,
        .config_home = config_home && config_home[0] == '/' ? config_home : NULL,
        .url = args_value(&cli->args, "url"),
        .ca_file = ca_file,
        .key_file = key_file,
        .hosts_file = hosts_file,
        .known_hosts_file = known_hosts_file,
        .aes = cpu_has_aes(),
    };
    r = ssh_setup_check(&setup, err);
    if (r == 0)
        ssh_settings_section(&setup, dst);
    return r;
}

static int change(struct cli *cli, struct span before, struct buf *after, struct err *err)
{
    _cleanup_(buf_deinit) struct buf section = BUF_INIT(SECTION_MAX_LEN);
    if (args_has(&cli->args, "remove"))
        return ssh_section_remove(before, after, err);
    int r = write_section(cli, &section, err);
    return r < 0 ? r
                 : ssh_section_put(before, span_from(buf_data(&section), section.len), after, err);
}

/* ---- doing it ---- */

static void warn_of_shadow(struct cli *cli, const char *path, struct span text)
{
    struct span line;
    size_t number = ssh_section_shadowed(text, &line);
    if (number == 0)
        return;
    output_warning(&cli->out,
                   "line %zu of %s, \"" SPAN_FMT "\", stands before adit's section and counts "
                   "instead of it",
                   number, path, line.len < 200 ? (int)line.len : 200, line.p);
    output_hint(&cli->out, "move the section to the top: adit config-ssh --remove; "
                           "adit config-ssh");
}

static void print_diff(struct cli *cli, const char *path, struct span before, struct span after)
{
    _cleanup_(buf_deinit) struct buf diff = BUF_INIT(8 * FILE_MAX_LEN);
    text_diff(before, after, path, &diff);
    fwrite(buf_data(&diff), 1, diff.len, cli->out.out);
}

static void print_done(struct cli *cli, const char *path, bool changed)
{
    if (args_has(&cli->args, "remove"))
        output_line(&cli->out,
                    changed ? "%s: adit's section is removed" : "%s has no section of adit's",
                    path);
    else
        output_line(&cli->out,
                    changed ? "%s is written: ssh adit.WORKSPACE"
                            : "%s is up to date: ssh adit.WORKSPACE",
                    path);
}

static int apply(struct cli *cli, const char *path, const struct user_file *file, struct err *err)
{
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(FILE_MAX_LEN + SECTION_MAX_LEN);
    struct span before = span_from(file->text, file->len);
    int r = change(cli, before, &text, err);
    if (r < 0) {
        err_wrap(err, "%s", path);
        return r;
    }
    struct span after = span_from(buf_data(&text), text.len);
    bool dry_run = args_has(&cli->args, "dry-run"), changed = !span_eq(before, after);
    if (dry_run)
        print_diff(cli, path, before, after);
    else if (changed)
        r = user_file_write(file, after, err);
    if (r == 0 && !dry_run && args_has(&cli->args, "remove"))
        r = ssh_known_forget(err);
    if (r < 0)
        return r;
    if (!dry_run)
        print_done(cli, path, changed);
    warn_of_shadow(cli, path, after);
    return 0;
}

static int run(struct cli *cli)
{
    _cleanup_free_ char *path = NULL;
    struct user_file file = {0};
    struct err err = ERR_INIT;
    bool make = !args_has(&cli->args, "dry-run") && !args_has(&cli->args, "remove");
    int r = config_path(cli, make, &path, &err);
    if (r == 0)
        r = user_file_read(path, FILE_MAX_LEN, &file, &err);
    if (r == 0)
        r = apply(cli, path, &file, &err);
    user_file_deinit(&file);
    return r == 0 ? EXIT_CODE_OK : cli_failure(cli, &err);
}

const struct command cmd_config_ssh = {
    .name = "config-ssh",
    .summary = "Let ssh, scp, rsync, git and editors reach workspaces",
    .about =
        "Writes a section into ~/.ssh/config, after which every workspace is a host for ssh and "
        "for whatever runs it: adit.WORKSPACE, adit.WORKSPACE.AGENT and, for a workspace of "
        "somebody else, adit.OWNER--WORKSPACE. Once is enough: the section is for all workspaces, "
        "those of the future too. What else is in the file stays as it is.\n"
        "Without --url the aliases follow the log-in; with it, they stay with that deployment.",
    .examples = "adit config-ssh --dry-run\n"
                "adit config-ssh\n"
                "ssh adit.dev\n"
                "scp notes.txt adit.dev:          # sftp, rsync and git likewise\n"
                "adit config-ssh --remove",
    .traits = COMMAND_API,
    .options = options,
    .run = run,
};
