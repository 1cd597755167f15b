#include "base/cleanup.h"
#include "base/mem.h"
#include "cli/api_client.h"
#include "cli/deletion.h"

static int delete_workspace(struct api_client *c, const struct workspace_ref *ref)
{
    _cleanup_free_ char *path = NULL;
    _cleanup_(buf_deinit) struct buf body = BUF_INIT(API_JSON_MAX_LEN);
    int code = api_client_workspace_path(c, ref, &path);
    if (code == 0)
        code = api_client_call(c, "DELETE", path, NULL, NULL, &body);
    if (code == 0 && c->cli->out.json) {
        json_t *result = json_pack("{s:s}", "workspace", ref->workspace);
        output_json(&c->cli->out, result);
        json_decref(result);
    } else if (code == 0) {
        output_line(&c->cli->out, "Workspace %s deleted.", ref->workspace);
    }
    return code;
}

static int run(struct cli *cli)
{
    struct api_client client;
    struct workspace_ref ref;
    struct err err = ERR_INIT;
    if (workspace_ref_parse(span_of(cli->args.words[0]), &ref, &err) < 0)
        return cli_usage_error(cli, &err);
    if (ref.agent[0])
        return cli_usage(cli, "a workspace is deleted whole: adit delete %s", ref.workspace);
    _cleanup_free_ char *question = xasprintf("Delete workspace %s%s%s and its agent tokens?",
                                              ref.owner, ref.owner[0] ? "/" : "", ref.workspace);
    int code = deletion_confirm(cli, question);
    if (code == 0)
        code = api_client_open(&client, cli);
    if (code != 0)
        return code;
    code = delete_workspace(&client, &ref);
    api_client_close(&client);
    return code;
}

const struct command cmd_delete = {
    .name = "delete",
    .words = "[OWNER/]WORKSPACE",
    .summary = "Delete a workspace",
    .about = "Its agents are turned away, and forwards into it end. What runs on the machine "
             "itself is not touched.",
    .examples = "adit delete dev\nadit delete dev --yes",
    .traits = COMMAND_API | COMMAND_OUTPUT | COMMAND_WORKSPACE,
    .min_words = 1,
    .max_words = 1,
    .options = deletion_options,
    .run = run,
};
