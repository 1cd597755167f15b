#pragma once
/* Commands: one table says what exists; help, completion and dispatch read it. */
#include <stdbool.h>

#include "cli/options.h"
#include "cli/output.h"

struct cli;

enum {
    COMMAND_API = 1,       /* talks to a deployment: takes --url */
    COMMAND_OUTPUT = 2,    /* takes --output text|json */
    COMMAND_WORKSPACE = 4, /* its first argument is a workspace: for completion */
    COMMAND_COMMAND = 8,   /* its arguments are a command: for completion */
    /* What follows its first word belongs to another program, whose exit code it has. */
    COMMAND_PASSES_ON = 16,
};

enum { WORDS_ANY = 255 };

struct command {
    const char *name;
    const char *words;    /* its arguments as shown in the usage line, "WORKSPACE"; NULL: none */
    const char *summary;  /* one line without a full stop */
    const char *about;    /* paragraphs: what it does and what to know; '\n' between them */
    const char *examples; /* lines "command   # comment", ready to print; NULL: none */
    const char *exits;    /* exit codes beyond the common ones, ready to print; NULL: none */
    unsigned traits;
    unsigned char min_words, max_words;
    const struct option *options;             /* its own; NULL: none */
    const struct option *(*options_of)(void); /* the same, made at run time; NULL: `options` */
    const struct command *const *subcommands; /* ended by NULL; NULL: it does something itself */
    /* Returns the exit code. */
    int (*run)(struct cli *cli);
    /* Instead of `run`, for a command that reads its arguments itself (argv behind its name). */
    int (*run_raw)(struct cli *cli, int argc, char *const *argv);
};

/* All commands, in the order of the help text. */
extern const struct command *const commands[]; /* ended by NULL */

/* The command of that name in `table`, or NULL. */
const struct command *command_find(const struct command *const *table, const char *name);
/* The name closest to what was typed, or NULL. */
const char *command_suggest(const struct command *const *table, const char *typed);
/* Options that the traits add (--url, --output) and --help: for parsing, help and completion. */
extern const struct option option_table_common[];
extern const struct option option_table_output[];
extern const struct option option_table_api[];
/* Tables of a command, its own first. Returns their number (at most ARGS_TABLES_MAX). */
size_t command_option_tables(const struct command *c, const struct option *ret[ARGS_TABLES_MAX]);

/* The commands' descriptions, one in each cmd_*.c. */
extern const struct command cmd_server, cmd_agent, cmd_login, cmd_logout, cmd_whoami, cmd_users,
    cmd_tokens, cmd_create, cmd_list, cmd_show, cmd_delete, cmd_port_forward, cmd_ping,
    cmd_netcheck, cmd_speedtest, cmd_ssh, cmd_config_ssh, cmd_ports, cmd_share, cmd_unshare,
    cmd_open, cmd_password, cmd_templates, cmd_audit, cmd_version, cmd_completion, cmd_help;
