#include "cli/command.h"

#include "base/cleanup.h"
#include "base/span.h"
#include "base/suggest.h"

const struct command *const commands[] = {
    &cmd_login,     &cmd_logout,    &cmd_whoami, &cmd_password,     &cmd_create,
    &cmd_list,      &cmd_show,      &cmd_delete, &cmd_port_forward, &cmd_ping,
    &cmd_netcheck,  &cmd_speedtest, &cmd_ssh,    &cmd_config_ssh,   &cmd_ports,
    &cmd_share,     &cmd_unshare,   &cmd_open,   &cmd_users,        &cmd_tokens,
    &cmd_templates, &cmd_audit,     &cmd_server, &cmd_agent,        &cmd_completion,
    &cmd_version,   &cmd_help,      NULL,
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

/* What other programs call it. */
static const struct {
    const char *typed, *ours;
} other_words[] = {
    {"ls", "list"},
    {"ps", "list"},
    {"rm", "delete"},
    {"remove", "delete"},
    {"add", "create"},
    {"new", "create"},
    {"up", "server"},
    {"serve", "server"},
    {"forward", "port-forward"},
    {"fwd", "port-forward"},
    {"pf", "port-forward"},
    {"port-fwd", "port-forward"},
    {"tunnel", "port-forward"},
    {"proxy", "port-forward"},
    {"expose", "share"},
    {"shell", "ssh"},
    {"status", "whoami"},
    {"passwd", "password"},
    {"log", "audit"},
    {"logs", "audit"},
};

const char *command_suggest(const struct command *const *table, const char *typed)
{
    struct suggest s = {0};
    for (size_t i = 0; i < ARRAY_LEN(other_words); i++)
        if (str_eq(typed, other_words[i].typed) && command_find(table, other_words[i].ours))
            return other_words[i].ours;
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
