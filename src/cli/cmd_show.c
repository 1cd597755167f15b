#include "cli/table.h"
#include "cli/text.h"
#include "cli/workspace_view.h"

static usec_t time_of(const json_t *item, const char *member)
{
    usec_t when = 0;
    clock_parse(workspace_view_text(item, member), &when);
    return when;
}

static void print_text(struct output *out, const json_t *w)
{
    char created[TEXT_SIZE];
    size_t i;
    const json_t *agent;
    output_line(out, "%s/%s", workspace_view_text(w, "owner"), workspace_view_text(w, "name"));
    output_line(out, "template  %s", workspace_view_text(w, "template"));
    output_line(out, "created   %s\n", text_date(time_of(w, "created_at"), created));
    struct table *t = table_new(
        (const char *const[]){"AGENT", "STATUS", "LAST SEEN", "HOST", "SYSTEM", "VERSION", NULL});
    json_array_foreach(json_object_get(w, "agents"), i, agent)
    {
        char seen[TEXT_SIZE], system[160];
        snprintf(system, sizeof(system), "%s %s", workspace_view_text(agent, "os"),
                 workspace_view_text(agent, "arch"));
        table_row(t, (const char *const[]){
                         workspace_view_text(agent, "name"), workspace_view_text(agent, "status"),
                         text_ago(time_of(agent, "last_seen_at"), clock_realtime(), seen),
                         workspace_view_text(agent, "hostname"), system[0] == ' ' ? "" : system,
                         workspace_view_text(agent, "version")});
    }
    table_print(t, out);
    table_free(t);
}

static int run(struct cli *cli)
{
    struct api_client client;
    struct workspace_ref ref;
    json_t *workspace = NULL;
    int code = api_client_open(&client, cli);
    if (code != 0)
        return code;
    code = workspace_view_get(&client, cli->args.words[0], &ref, &workspace);
    if (code == 0 && cli->out.json)
        output_json(&cli->out, workspace);
    else if (code == 0)
        print_text(&cli->out, workspace);
    json_decref(workspace);
    api_client_close(&client);
    return code;
}

const struct command cmd_show = {
    .name = "show",
    .words = "[OWNER/]WORKSPACE",
    .summary = "Show a workspace and its agents",
    .examples = "adit show dev\nadit show anna/dev --output json",
    .traits = COMMAND_API | COMMAND_OUTPUT | COMMAND_WORKSPACE,
    .min_words = 1,
    .max_words = 1,
    .run = run,
};
