#include <errno.h>
#include <stdlib.h>

#include "api/routes.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "cli/api_client.h"
#include "cli/audit_text.h"

enum { LIMIT_DEFAULT = 100, LIMIT_MAX = 1000000, PATH_MAX_LEN = 1024 };

static struct option option_list[] = {
    {.name = "since",
     .kind = OPTION_VALUE,
     .value = "TIME",
     .help = "Nothing before this: '2h' or '7d' ago, a date (its start, in UTC), or a time such as "
             "2026-01-31T12:34:56Z."},
    {.name = "until", .kind = OPTION_VALUE, .value = "TIME", .help = "Only what was before this."},
    {.name = "user", .kind = OPTION_VALUE, .value = "NAME", .help = "Only what this person did."},
    {.name = "workspace",
     .kind = OPTION_VALUE,
     .value = "[OWNER/]WORKSPACE",
     .help = "Only what happened to this workspace."},
    {.name = "action",
     .kind = OPTION_VALUE,
     .value = "ACTION",
     .help = "Only this action, such as login, share_set or forward_close."},
    {.name = "limit",
     .kind = OPTION_VALUE,
     .value = "N",
     .help = "At most so many events, the newest ones. Default: 100."},
    {.name = "output",
     .letter = 'o',
     .kind = OPTION_VALUE,
     .value = "FORMAT",
     .choices = "text|json|csv",
     .help = "Print a table for people ('text', the default), 'json', or 'csv' for a spreadsheet."},
    {0},
};

static char *action_choices(void)
{
    struct buf all = BUF_INIT(4096);
    for (unsigned i = 0; i < AUDIT_ACTION_COUNT; i++)
        buf_appendf(&all, "%s%s", i ? "|" : "", audit_action_name(i));
    char *text = xstrdup(buf_cstr(&all));
    buf_deinit(&all);
    return text;
}

/* Made once and kept as long as the program runs. */
static const struct option *options_of(void)
{
    for (struct option *o = option_list; o->name; o++)
        if (str_eq(o->name, "action") && !o->choices)
            o->choices = action_choices();
    return option_list;
}

/* ---- what is asked for ---- */

struct question {
    usec_t since, until; /* 0: not given */
    char user[NAME_SIZE];
    struct workspace_ref workspace;
    const char *action;
    uint64_t limit;
};

static int read_moment(struct cli *cli, const char *option, usec_t *ret)
{
    const char *text = args_value(&cli->args, option);
    if (text && audit_text_moment(text, clock_realtime(), ret) < 0)
        return cli_usage(cli,
                         "--%s: '%.40s' is not a time such as 2h, 2026-01-31 or "
                         "2026-01-31T12:34:56Z",
                         option, text);
    return 0;
}

static int read_question(struct cli *cli, struct question *q)
{
    const char *user = args_value(&cli->args, "user");
    const char *workspace = args_value(&cli->args, "workspace");
    struct err err = ERR_INIT;
    *q = (struct question){.action = args_value(&cli->args, "action")};
    int code = read_moment(cli, "since", &q->since);
    if (code == 0)
        code = read_moment(cli, "until", &q->until);
    if (code != 0)
        return code;
    if (q->until && q->until <= q->since)
        return cli_usage(cli, "--until must be after --since");
    if (user && name_parse(NAME_USER, span_of(user), q->user, &err) < 0)
        return cli_usage(cli, "--user: %s", err.text);
    if (workspace && workspace_ref_parse(span_of(workspace), &q->workspace, &err) < 0)
        return cli_usage(cli, "--workspace: %s", err.text);
    if (q->workspace.agent[0])
        return cli_usage(cli, "--workspace: '%.100s' names an agent; leave out '.%s'", workspace,
                         q->workspace.agent);
    if (args_number(&cli->args, "limit", 1, LIMIT_MAX, LIMIT_DEFAULT, &q->limit, &err) < 0)
        return cli_usage_error(cli, &err);
    return 0;
}

/* The path without where to go on from; all values are of characters that need no escapes. */
static int build_path(struct api_client *c, const struct question *q, struct buf *path)
{
    char time[CLOCK_TEXT_LEN];
    const char *owner = q->workspace.owner;
    buf_append_str(path, API_PREFIX "/audit?");
    if (q->since)
        buf_appendf(path, "since=%s&", clock_format(q->since, time));
    if (q->until)
        buf_appendf(path, "until=%s&", clock_format(q->until, time));
    if (q->user[0])
        buf_appendf(path, "user=%s&", q->user);
    if (q->action)
        buf_appendf(path, "action=%s&", q->action);
    if (!q->workspace.workspace[0])
        return 0;
    int code = *owner ? 0 : api_client_username(c, &owner);
    if (code == 0)
        buf_appendf(path, "workspace=%s/%s&", owner, q->workspace.workspace);
    return code;
}

/* ---- asking ---- */

static void take(struct api_audit *all, struct api_audit *piece)
{
    size_t n = all->n_events + piece->n_events;
    all->events = xrealloc(all->events, (n ? n : 1) * sizeof(*all->events));
    for (size_t i = 0; i < piece->n_events; i++)
        all->events[all->n_events++] = piece->events[i];
    str_copy(all->next, sizeof(all->next), piece->next);
}

/* All pieces up to the limit. Release *all in any case. */
static int fetch(struct api_client *c, const struct question *q, struct api_audit *all)
{
    _cleanup_(buf_deinit) struct buf base = BUF_INIT(PATH_MAX_LEN);
    int code = build_path(c, q, &base);
    while (code == 0) {
        struct api_audit piece;
        uint64_t left = q->limit - all->n_events;
        unsigned limit = left < API_AUDIT_PIECE_MAX ? (unsigned)left : API_AUDIT_PIECE_MAX;
        _cleanup_free_ char *path = xasprintf("%slimit=%u%s%s", buf_cstr(&base), limit,
                                              all->next[0] ? "&after=" : "", all->next);
        code = api_client_call_typed(c, "GET", path, NULL, NULL, &api_audit_type, &piece);
        if (code != 0)
            break;
        take(all, &piece);
        api_audit_release(&piece);
        if (!all->next[0] || all->n_events >= q->limit)
            break;
    }
    return code;
}

static void print_json(struct output *out, const struct api_audit *all)
{
    json_t *list = json_array();
    for (size_t i = 0; i < all->n_events; i++) {
        _cleanup_(buf_deinit) struct buf text = BUF_INIT(API_JSON_MAX_LEN);
        if (api_audit_event_write(&all->events[i], &text) == 0)
            json_array_append_new(list,
                                  json_loadb((const char *)buf_data(&text), text.len, 0, NULL));
    }
    output_json(out, list);
    json_decref(list);
}

static void print(struct cli *cli, const struct question *q, const struct api_audit *all)
{
    const char *format = args_value(&cli->args, "output");
    if (cli->out.json) {
        print_json(&cli->out, all);
    } else if (str_eq(format ? format : "", "csv")) {
        audit_text_csv(all->events, all->n_events, &cli->out);
    } else {
        audit_text_table(all->events, all->n_events, &cli->out);
        if (all->n_events == 0)
            output_hint(&cli->out, "nothing on record matches that you may see");
    }
    if (all->next[0])
        output_hint(&cli->out, "there is more: --limit %llu shows the newest ones only",
                    (unsigned long long)q->limit);
}

static int run(struct cli *cli)
{
    struct api_client client;
    struct question q;
    struct api_audit all = {0};
    const char *format = args_value(&cli->args, "output");
    cli->out.json = format && str_eq(format, "json");
    int code = read_question(cli, &q);
    if (code == 0)
        code = api_client_open(&client, cli);
    if (code != 0)
        return code;
    code = fetch(&client, &q, &all);
    if (code == 0)
        print(cli, &q, &all);
    api_audit_release(&all);
    api_client_close(&client);
    return code;
}

const struct command cmd_audit = {
    .name = "audit",
    .summary = "Read the record of who did what",
    .about = "Newest first: log-ins, changes to users, tokens, templates, workspaces and shares, "
             "agents that come and go, and what people do in workspaces. Nobody can change it.\n"
             "Administrators and auditors see everything; others what they did themselves and what "
             "happened in their own workspaces.\n"
             "IN is what went from the person into the workspace, OUT what came back. PATH says "
             "whether it went through the server ('relay') or not ('direct').",
    .examples = "adit audit --since 2h\n"
                "adit audit --workspace dev --action peer_close\n"
                "adit audit --user anna --since 2026-01-01 --until 2026-02-01\n"
                "adit audit --since 30d --limit 100000 --output csv > audit.csv",
    .traits = COMMAND_API,
    .options_of = options_of,
    .run = run,
};
