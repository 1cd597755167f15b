#include "api/routes.h"
#include "cli/table.h"
#include "cli/watch.h"
#include "cli/workspace_view.h"

static const struct option options[] = {
    {.name = "names",
     .kind = OPTION_FLAG,
     .help = "Print only the names, one a line, as other commands take them."},
    WATCH_OPTION,
    {0},
};

/* "connected", or how many of the agents are. */
static const char *agents_text(const json_t *workspace, char *dst, size_t size)
{
    const json_t *agents = json_object_get(workspace, "agents"), *agent;
    size_t i, connected = 0, n = json_array_size(agents);
    json_array_foreach(agents, i, agent) connected +=
        str_eq(workspace_view_text(agent, "status"), "connected");
    if (n == 1)
        return workspace_view_text(json_array_get(agents, 0), "status");
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
        table_row(t, (const char *const[]){workspace_view_text(w, "name"),
                                           workspace_view_text(w, "owner"),
                                           workspace_view_text(w, "template"),
                                           agents_text(w, agents, sizeof(agents))});
    }
    table_print(t, out);
    table_free(t);
}

static void print_names(struct api_client *c, const json_t *workspaces)
{
    size_t i;
    const json_t *w;
    json_array_foreach(workspaces, i, w)
    {
        const char *owner = workspace_view_text(w, "owner"), *name = workspace_view_text(w, "name");
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

static int run_watch(struct api_client *c)
{
    static const char *const topics[] = {"workspaces", NULL};
    return watch_run(c, &(struct watch_options){.topics = topics, .draw = draw});
}

static int run(struct cli *cli)
{
    struct api_client client;
    json_t *workspaces = NULL;
    if (args_has(&cli->args, "names") && args_has(&cli->args, "watch"))
        return cli_usage(cli, "--names and --watch do not go together");
    int code = api_client_open(&client, cli);
    if (code == 0 && args_has(&cli->args, "watch")) {
        code = run_watch(&client);
        api_client_close(&client);
        return code;
    }
    if (code != 0)
        return code;
    code = api_client_list(&client, API_PREFIX "/workspaces", "workspaces", &workspaces);
    if (code == 0 && args_has(&cli->args, "names"))
        print_names(&client, workspaces);
    else if (code == 0 && cli->out.json)
        output_json(&cli->out, workspaces);
    else if (code == 0)
        print_table(&cli->out, workspaces);
    if (code == 0 && json_array_size(workspaces) == 0 && !cli->out.json)
        output_hint(&cli->out, "make a workspace with: adit create NAME");
    json_decref(workspaces);
    api_client_close(&client);
    return code;
}

const struct command cmd_list = {
    .name = "list",
    .summary = "List the workspaces that you may use",
    .examples = "adit list\nadit list --output json\nadit list --watch",
    .traits = COMMAND_API | COMMAND_OUTPUT,
    .options = options,
    .run = run,
};
