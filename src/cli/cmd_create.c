#include <stdlib.h>
#include <string.h>

#include "api/routes.h"
#include "api/workspace.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "cli/api_client.h"
#include "cli/secret_file.h"

static const struct option options[] = {
    {.name = "template",
     .letter = 't',
     .kind = OPTION_VALUE,
     .value = "NAME",
     .help = "The template whose policy and apps it gets. Default: 'default'."},
    {.name = "agent",
     .kind = OPTION_LIST,
     .value = "NAME",
     .help = "The name of an agent, for a workspace of several machines. Default: one, 'main'."},
    {.name = "token-file",
     .kind = OPTION_VALUE,
     .value = "FILE",
     .help = "Write the agent token to FILE (mode 0600) instead of showing it. With one agent."},
    {0},
};

static void release_agents(struct api_agent_name **agents)
{
    free(*agents);
}

static int read_agents(struct cli *cli, struct api_workspace_create *request)
{
    struct err err = ERR_INIT;
    for (size_t i = 0; i < cli->args.n_uses; i++) {
        const struct option_use *use = &cli->args.uses[i];
        if (!str_eq(use->option->name, "agent"))
            continue;
        if (request->n_agents == WORKSPACE_AGENTS_MAX)
            return cli_usage(cli, "a workspace has at most %d agents", WORKSPACE_AGENTS_MAX);
        char *name = request->agents[request->n_agents++].name;
        if (name_parse(NAME_AGENT, span_of(use->value), name, &err) < 0)
            return cli_usage_error(cli, &err);
    }
    if (request->n_agents > 1 && args_has(&cli->args, "token-file"))
        return cli_usage(cli, "--token-file holds the token of one agent");
    return 0;
}

static int read_request(struct cli *cli, struct api_workspace_create *request)
{
    struct err err = ERR_INIT;
    struct workspace_ref ref;
    const char *template = args_value(&cli->args, "template");
    if (workspace_ref_parse(span_of(cli->args.words[0]), &ref, &err) < 0)
        return cli_usage_error(cli, &err);
    if (ref.agent[0])
        return cli_usage(cli, "name the agent by --agent %s", ref.agent);
    str_copy(request->name, sizeof(request->name), ref.workspace);
    str_copy(request->owner, sizeof(request->owner), ref.owner);
    if (template && name_parse(NAME_TEMPLATE, span_of(template), request->template_name, &err) < 0)
        return cli_usage_error(cli, &err);
    return read_agents(cli, request);
}

static char *command_for(const struct api_client *c, const char *token, const char *file)
{
    if (file)
        return xasprintf("adit agent --url %s --token-file %s", c->url, file);
    return xasprintf("ADIT_AGENT_TOKEN=%s adit agent --url %s", token, c->url);
}

static int write_token(struct cli *cli, const char *file, const char *token)
{
    struct err err = ERR_INIT;
    char *line = xasprintf("%s\n", token);
    int r = secret_file_write(file, line, strlen(line), &err);
    explicit_bzero(line, strlen(line));
    free(line);
    return r < 0 ? cli_failure(cli, &err) : 0;
}

static void print_text(struct api_client *c, const struct api_workspace_created *made,
                       const char *file)
{
    struct output *out = &c->cli->out;
    const struct workspace *ws = &made->workspace.ws;
    output_line(out, "Workspace %s/%s created.", ws->owner_name, ws->name);
    output_line(out, made->n_tokens > 1 ? "Run in it, one command for each agent:" : "Run in it:");
    for (size_t i = 0; i < made->n_tokens; i++) {
        _cleanup_free_ char *command = command_for(c, made->tokens[i].token, file);
        if (made->n_tokens > 1)
            output_line(out, "\n  # %s", made->tokens[i].agent);
        else
            output_line(out, "%s", "");
        output_line(out, "  %s", command);
    }
    if (!file)
        output_line(out, "\nThis is the only time the agent token is shown.");
}

static void print_json(struct api_client *c, const struct api_workspace_created *made,
                       const char *file)
{
    const struct workspace *ws = &made->workspace.ws;
    json_t *tokens = json_array();
    for (size_t i = 0; i < made->n_tokens; i++) {
        _cleanup_free_ char *command = command_for(c, made->tokens[i].token, file);
        json_array_append_new(tokens,
                              json_pack("{s:s, s:s?, s:s}", "agent", made->tokens[i].agent, "token",
                                        file ? NULL : made->tokens[i].token, "command", command));
    }
    const json_t *first = json_array_get(tokens, 0);
    json_t *result = json_pack("{s:{s:s, s:s, s:s}, s:s?, s:s?, s:s?, s:o}", "workspace", "name",
                               ws->name, "owner", ws->owner_name, "template", ws->template_name,
                               "agent_token", json_string_value(json_object_get(first, "token")),
                               "command", json_string_value(json_object_get(first, "command")),
                               "token_file", file, "tokens", tokens);
    output_json(&c->cli->out, result);
    json_decref(result);
}

static int create(struct api_client *c, const struct api_workspace_create *request)
{
    struct api_workspace_created made;
    const char *file = args_value(&c->cli->args, "token-file");
    int code =
        api_client_call_typed(c, "POST", API_PREFIX "/workspaces", &api_workspace_create_type,
                              request, &api_workspace_created_type, &made);
    if (code != 0)
        return code;
    if (file && made.n_tokens > 0)
        code = write_token(c->cli, file, made.tokens[0].token);
    if (code == 0 && c->cli->out.json)
        print_json(c, &made, file);
    else if (code == 0)
        print_text(c, &made, file);
    api_workspace_created_release(&made);
    return code;
}

static int run(struct cli *cli)
{
    _cleanup_(release_agents) struct api_agent_name *agents =
        xcalloc(WORKSPACE_AGENTS_MAX, sizeof(*agents));
    struct api_workspace_create request = {.agents = agents};
    struct api_client client;
    int code = read_request(cli, &request);
    if (code == 0)
        code = api_client_open(&client, cli);
    if (code != 0)
        return code;
    code = create(&client, &request);
    api_client_close(&client);
    return code;
}

const struct command cmd_create = {
    .name = "create",
    .words = "NAME",
    .summary = "Make a workspace",
    .about = "Prints the one command to run in the workspace: it starts the agent, which dials "
             "out to the server and needs no open port. The agent token in it is shown once.",
    .examples = "adit create dev\n"
                "adit create dev --token-file agent-token     # nothing secret on the screen\n"
                "adit create cluster --agent login --agent gpu",
    .traits = COMMAND_API | COMMAND_OUTPUT,
    .min_words = 1,
    .max_words = 1,
    .options = options,
    .run = run,
};
