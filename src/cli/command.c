#include "cli/command.h"

#include "base/suggest.h"

#include "base/span.h"

const struct command *const commands[] = {
    &cmd_login,      &cmd_logout,       &cmd_whoami, &cmd_create,   &cmd_list,      &cmd_show,
    &cmd_delete,     &cmd_port_forward, &cmd_ping,   &cmd_netcheck, &cmd_speedtest, &cmd_ssh,
    &cmd_config_ssh, &cmd_ports,        &cmd_share,  &cmd_unshare,  &cmd_open,      &cmd_users,
    &cmd_tokens,     &cmd_templates,    &cmd_audit,  &cmd_server,   &cmd_agent,     &cmd_completion,
    &cmd_version,    &cmd_help,         NULL,
};

const struct option option_table_common[] = {
    {.name = "help", .letter = 'h', .kind = OPTION_FLAG, .help = "Show this help."},
    {0},
};

const struct option option_table_output[] = {
    {.name = "output",
     .letter = 'o',
     .kind = OPTION_VALUE,
     .value = "FORMAT",
     .choices = "text|json",
     .help = "Print 'text' for people (the default) or 'json' for programs."},
    {0},
};

const struct option option_table_api[] = {
    {.name = "url",
     .kind = OPTION_VALUE,
     .value = "URL",
     .env = "ADIT_URL",
     .help = "The deployment to talk to. Default: the one you logged in to last."},
    {.name = "ca-file",
     .kind = OPTION_VALUE,
     .value = "FILE",
     .env = "ADIT_CA_FILE",
     .help = "Trust the certificates in this PEM file too."},
    {0},
};

static const struct option no_options[] = {{0}};

const struct command *command_find(const struct command *const *table, const char *name)
{
    for (; *table; table++)
        if (str_eq((*table)->name, name))
            return *table;
    return NULL;
}

const char *command_suggest(const struct command *const *table, const char *typed)
{
    struct suggest s = {0};
    for (; *table; table++)
        suggest_offer(&s, typed, (*table)->name);
    return s.best;
}

static const struct option *own_options(const struct command *c)
{
    const struct option *own = c->options_of ? c->options_of() : c->options;
    return own ? own : no_options;
}

size_t command_option_tables(const struct command *c, const struct option *ret[ARGS_TABLES_MAX])
{
    size_t n = 0;
    ret[n++] = own_options(c);
    if (c->traits & COMMAND_API)
        ret[n++] = option_table_api;
    if (c->traits & COMMAND_OUTPUT)
        ret[n++] = option_table_output;
    ret[n++] = option_table_common;
    return n;
}
