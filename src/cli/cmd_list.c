#include "api/routes.h"
#include "base/cleanup.h"
#include "cli/item.h"
#include "cli/share_text.h"
#include "cli/table.h"
#include "cli/watch.h"
#include "cli/workspace_view.h"
#include "model/name.h"

static const struct option options[] = {
    {.name = "names",
     .kind = OPTION_FLAG,
     .help = "Print only the names, one a line, as other commands take them."},
    {.name = "shared",
     .kind = OPTION_FLAG,
     .help = "List the ports and apps that other people share with you instead."},
    WATCH_OPTION,
    {0},
};

/* "connected", or how many of the agents are. */
static const char *agents_text(const json_t *workspace, char *dst, size_t size)
{
    const json_t *agents = json_object_get(workspace, "agents"), *agent;
    size_t i, connected = 0, n = json_array_size(agents);
    json_array_foreach(agents, i, agent) connected +=
        str_eq(item_text(agent, "status"), "connected");
    if (n == 1)
        return item_text(json_array_get(agents, 0), "status");
    snprintf(dst, size, "%zu of %zu connected", connected, n);
    return dst;
}

static void print_table(struct output *out, const json_t *workspaces)
{
    struct table *t = table_new((const char *const[]){"NAME", "OWNER", "TEMPLATE", "AGENT", NULL});
    size_t i;
    const json_t *w;
    json_array_foreach(workspaces, i, w)
    {
        char agents[48];
        table_row(t, (const char *const[]){item_text(w, "name"), item_text(w, "owner"),
                                           item_text(w, "template"),
                                           agents_text(w, agents, sizeof(agents))});
    }
    table_print(t, out);
    table_free(t);
}

/*
 * For completion: bash expands what it completes from, $(...) included, so that nothing but a name
 * may stand here, whatever the server says.
 */
static void print_names(struct api_client *c, const json_t *workspaces)
{
    size_t i;
    const json_t *w;
    json_array_foreach(workspaces, i, w)
    {
        const char *owner = item_text(w, "owner"), *name = item_text(w, "name");
        if (!name_valid(NAME_USER, span_of(owner)) || !name_valid(NAME_WORKSPACE, span_of(name)))
            continue;
        if (c->username && str_eq(owner, c->username))
            output_line(&c->cli->out, "%s", name);
        else
            output_line(&c->cli->out, "%s/%s", owner, name);
    }
}

static void draw(struct cli *cli, const json_t *state, void *ud)
{
    print_table(&cli->out, json_object_get(json_object_get(state, "workspaces"), "workspaces"));
}

/* ---- what others share ---- */

/* "bob/dev", with the agent where it is not the one that needs no name. */
static const char *place_text(const json_t *item, char *dst, size_t size)
{
    const char *agent = item_text(item, "agent");
    bool named = !str_eq(agent, agent_default_name);
    snprintf(dst, size, "%s/%s%s%s", item_text(item, "owner"), item_text(item, "workspace"),
             named ? "." : "", named ? agent : "");
    return dst;
}

/* Of a port whether it is open; of an app its health, where that is known. */
static const char *state_text(const json_t *item)
{
    const char *status = item_text(item, "status");
    const char *health = item_text(item, "health");
    if (!str_eq(status, "connected"))
        return status;
    if (json_is_integer(json_object_get(item, "port")))
        return json_is_true(json_object_get(item, "listening")) ? "open" : "nothing listens";
    return !*health || str_eq(health, "unknown") || str_eq(health, "disabled") ? status : health;
}

static void append_reach(const json_t *item, struct buf *dst)
{
    struct share share = {.expires_at = 0};
    bool by_name = str_eq(item_text(item, "level"), "users");
    buf_append_str(dst, by_name ? "you by name" : "everyone who can log in");
    if (clock_parse(item_text(item, "expires_at"), &share.expires_at) == 0)
        share_text_expiry(&share, clock_realtime(), dst);
}

static void print_shared(struct output *out, const json_t *shared)
{
    struct table *t =
        table_new((const char *const[]){"NAME", "WORKSPACE", "STATE", "SHARED WITH", "URL", NULL});
    size_t i;
    const json_t *item;
    json_array_foreach(shared, i, item)
    {
        _cleanup_(buf_deinit) struct buf reach = BUF_INIT(128);
        char port[8], place[4 * NAME_SIZE];
        const char *name = item_text(item, "slug");
        if (!*name) {
            snprintf(port, sizeof(port), "%lld",
                     (long long)json_integer_value(json_object_get(item, "port")));
            name = port;
        }
        append_reach(item, &reach);
        table_row(t, (const char *const[]){name, place_text(item, place, sizeof(place)),
                                           state_text(item), buf_cstr(&reach),
                                           item_text(item, "url")});
    }
    table_print(t, out);
    table_free(t);
}

static void draw_shared(struct cli *cli, const json_t *state, void *ud)
{
    print_shared(&cli->out, json_object_get(json_object_get(state, "shared"), "shared"));
}

/* ---- the command ---- */

static int run_watch(struct api_client *c)
{
    static const char *const own[] = {"workspaces", NULL}, *const others[] = {"shared", NULL};
    bool shared = args_has(&c->cli->args, "shared");
    const struct watch_options watch = {.topics = shared ? others : own,
                                        .draw = shared ? draw_shared : draw};
    return watch_run(c, &watch);
}

static int run_shared(struct api_client *c)
{
    json_t *shared = NULL;
    int code = api_client_list(c, API_PREFIX "/shared", "shared", &shared);
    if (code == 0 && c->cli->out.json)
        output_json(&c->cli->out, shared);
    else if (code == 0)
        print_shared(&c->cli->out, shared);
    if (code == 0 && json_array_size(shared) == 0 && !c->cli->out.json)
        output_hint(&c->cli->out, "nobody shares a port or an app with you at the moment");
    json_decref(shared);
    return code;
}

static int run_own(struct api_client *c)
{
    json_t *workspaces = NULL;
    int code = api_client_list(c, API_PREFIX "/workspaces", "workspaces", &workspaces);
    if (code == 0 && args_has(&c->cli->args, "names"))
        print_names(c, workspaces);
    else if (code == 0 && c->cli->out.json)
        output_json(&c->cli->out, workspaces);
    else if (code == 0)
        print_table(&c->cli->out, workspaces);
    if (code == 0 && json_array_size(workspaces) == 0 && !c->cli->out.json)
        output_hint(&c->cli->out, "make a workspace with: adit create NAME");
    json_decref(workspaces);
    return code;
}

static int run(struct cli *cli)
{
    struct api_client client;
    bool watch = args_has(&cli->args, "watch"), shared = args_has(&cli->args, "shared");
    if (args_has(&cli->args, "names") && (watch || shared))
        return cli_usage(cli, "--names and %s do not go together", watch ? "--watch" : "--shared");
    int code = api_client_open(&client, cli);
    if (code != 0)
        return code;
    code = watch ? run_watch(&client) : shared ? run_shared(&client) : run_own(&client);
    api_client_close(&client);
    return code;
}

const struct command cmd_list = {
    .name = "list",
    .summary = "List the workspaces that you may use, or what others share with you",
    .about = "With --shared: ports and apps of other people's workspaces that you may open now, "
             "because they are shared with you by name or with everyone who can log in. What "
             "anybody may open without a log-in is not listed.",
    .examples = "adit list\nadit list --output json\nadit list --watch\nadit list --shared",
    .traits = COMMAND_API | COMMAND_OUTPUT,
    .options = options,
    .run = run,
};
