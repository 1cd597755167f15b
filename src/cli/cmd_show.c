#include "base/cleanup.h"
#include "base/mem.h"
#include "cli/apps_table.h"
#include "cli/item.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/watch.h"
#include "cli/workspace_view.h"

/* What came to the agent's own port, as far as that is known; "no": it has none for people. */
static const char *direct_text(const json_t *agent, char *dst, size_t size)
{
    const json_t *counts = json_object_get(agent, "direct_connections");
    if (!str_eq(item_text(agent, "status"), "connected"))
        return "";
    if (!counts)
        return json_is_true(json_object_get(agent, "direct")) ? "yes" : "no";
    snprintf(dst, size, "%lld in, %lld refused",
             (long long)json_integer_value(json_object_get(counts, "accepted")),
             (long long)json_integer_value(json_object_get(counts, "refused")));
    return dst;
}

static void print_text(struct output *out, const json_t *w)
{
    char created[TEXT_SIZE];
    size_t i;
    const json_t *agent;
    output_line(out, "%s/%s", item_text(w, "owner"), item_text(w, "name"));
    output_line(out, "template  %s", item_text(w, "template"));
    output_line(out, "created   %s\n", text_date(item_time(w, "created_at"), created));
    struct table *t = table_new((const char *const[]){"AGENT", "STATUS", "LAST SEEN", "DIRECT",
                                                      "HOST", "SYSTEM", "VERSION", NULL});
    json_array_foreach(json_object_get(w, "agents"), i, agent)
    {
        char seen[TEXT_SIZE], system[160], direct[64];
        snprintf(system, sizeof(system), "%s %s", item_text(agent, "os"), item_text(agent, "arch"));
        table_row(t, (const char *const[]){
                         item_text(agent, "name"), item_text(agent, "status"),
                         text_ago(item_time(agent, "last_seen_at"), clock_realtime(), seen),
                         direct_text(agent, direct, sizeof(direct)), item_text(agent, "hostname"),
                         system[0] == ' ' ? "" : system, item_text(agent, "version")});
    }
    table_print(t, out);
    table_free(t);
}

static void print(struct output *out, json_t *workspace, const struct api_apps *apps)
{
    if (!out->json) {
        print_text(out, workspace);
        if (apps->n_apps > 0)
            output_line(out, "%s", "");
        apps_table_print(apps, out);
        return;
    }
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(API_JSON_MAX_LEN);
    if (api_apps_write(apps, &text) < 0)
        return;
    json_t *value = json_loadb((const char *)buf_data(&text), text.len, 0, NULL);
    json_object_set(workspace, "apps", json_object_get(value, "apps"));
    json_decref(value);
    output_json(out, workspace);
}

static int get_apps(struct api_client *c, const struct workspace_ref *ref, struct api_apps *ret)
{
    _cleanup_free_ char *base = NULL;
    int code = api_client_workspace_path(c, ref, &base);
    if (code != 0)
        return code;
    _cleanup_free_ char *path = xasprintf("%s/apps", base);
    return api_client_call_typed(c, "GET", path, NULL, NULL, &api_apps_type, ret);
}

/* ---- --watch ---- */

static const struct option options[] = {WATCH_OPTION, {0}};

static void draw(struct cli *cli, const json_t *state, void *ud)
{
    json_t *workspace = json_object_get(state, "workspace");
    struct api_apps apps;
    if (json_is_true(json_object_get(workspace, "deleted"))) {
        output_line(&cli->out, "the workspace does not exist any longer, or you may not see it");
    } else if (watch_read(state, "apps", &api_apps_type, &apps)) {
        print(&cli->out, workspace, &apps);
        api_apps_release(&apps);
    }
}

static int run_watch(struct api_client *c, const struct workspace_ref *ref)
{
    static const char *const topics[] = {"workspace", "apps", NULL};
    const char *owner = ref->owner;
    int code = *owner ? 0 : api_client_username(c, &owner);
    if (code != 0)
        return code;
    _cleanup_free_ char *name = xasprintf("%s/%s", owner, ref->workspace);
    const struct watch_options watch = {.workspace = name, .topics = topics, .draw = draw};
    return watch_run(c, &watch);
}

static int run_watch_typed(struct cli *cli, struct api_client *c)
{
    struct workspace_ref ref;
    struct err err = ERR_INIT;
    if (workspace_ref_parse(span_of(cli->args.words[0]), &ref, &err) < 0)
        return cli_usage_error(cli, &err);
    return run_watch(c, &ref);
}

static int run(struct cli *cli)
{
    struct api_client client;
    struct workspace_ref ref;
    struct api_apps apps;
    json_t *workspace = NULL;
    int code = api_client_open(&client, cli);
    if (code != 0)
        return code;
    if (args_has(&cli->args, "watch")) {
        code = run_watch_typed(cli, &client);
        api_client_close(&client);
        return code;
    }
    code = workspace_view_get(&client, cli->args.words[0], &ref, &workspace);
    if (code == 0 && (code = get_apps(&client, &ref, &apps)) == 0) {
        print(&cli->out, workspace, &apps);
        api_apps_release(&apps);
    }
    json_decref(workspace);
    api_client_close(&client);
    return code;
}

const struct command cmd_show = {
    .name = "show",
    .words = "[OWNER/]WORKSPACE",
    .summary = "Show a workspace with its agents and apps",
    .examples = "adit show dev\nadit show anna/dev --output json\nadit show dev --watch",
    .traits = COMMAND_API | COMMAND_OUTPUT | COMMAND_WORKSPACE,
    .min_words = 1,
    .max_words = 1,
    .options = options,
    .run = run,
};
