#include <stdlib.h>
#include <string.h>

#include "api/routes.h"
#include "api/user.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/num.h"
#include "cli/api_client.h"
#include "cli/item.h"
#include "cli/secret_file.h"
#include "cli/table.h"
#include "cli/text.h"

/* ---- list ---- */

static void print_table(struct output *out, const json_t *tokens)
{
    struct table *t = table_new(
        (const char *const[]){"ID", "NAME", "KIND", "SCOPE", "LAST USED", "EXPIRES", NULL});
    size_t i;
    const json_t *token;
    json_array_foreach(tokens, i, token)
    {
        char used[TEXT_SIZE], expires[TEXT_SIZE];
        text_ago(item_time(token, "last_used_at"), clock_realtime(), used);
        text_date(item_time(token, "expires_at"), expires);
        table_row(t, (const char *const[]){item_text(token, "id"), item_text(token, "name"),
                                           item_text(token, "kind"), item_text(token, "scope"),
                                           used, expires});
    }
    table_print(t, out);
    table_free(t);
}

static int run_list(struct cli *cli)
{
    return api_client_show_list(cli, API_PREFIX "/tokens", "tokens", print_table);
}

static const struct command cmd_list_tokens = {
    .name = "list",
    .summary = "List your sessions and API tokens",
    .traits = COMMAND_API | COMMAND_OUTPUT,
    .run = run_list,
};

/* ---- create ---- */

static const struct option create_options[] = {
    {.name = "scope",
     .kind = OPTION_VALUE,
     .value = "SCOPE",
     .help = "What the token may be used for: 'all' (the default), 'application-connect' or "
             "'workspace:[OWNER/]NAME'."},
    {.name = "expires-in",
     .kind = OPTION_VALUE,
     .value = "TIME",
     .help = "How long it is valid: 12h, 30d. Default: until it is revoked."},
    {.name = "token-file",
     .kind = OPTION_VALUE,
     .value = "FILE",
     .help = "Write the token to FILE (mode 0600) instead of showing it."},
    {0},
};

static int read_request(struct cli *cli, struct api_token_create *ret)
{
    struct err err = ERR_INIT;
    const char *scope = args_value(&cli->args, "scope");
    const char *expires = args_value(&cli->args, "expires-in");
    *ret = (struct api_token_create){0};
    if (display_text_parse("token name", span_of(cli->args.words[0]), TOKEN_NAME_MAX_LEN, ret->name,
                           &err) < 0)
        return cli_usage_error(cli, &err);
    if (scope && token_scope_parse(span_of(scope), &ret->scope, &err) < 0)
        return cli_usage_error(cli, &err);
    if (expires && num_parse_duration(span_of(expires), 10ull * 366 * 86400, &ret->expires_in) < 0)
        return cli_usage(cli, "--expires-in: '%.40s' is not a time such as 12h or 30d", expires);
    return 0;
}

static int report(struct cli *cli, const struct api_token_created *made)
{
    char id[ID_TEXT_SIZE];
    const char *file = args_value(&cli->args, "token-file");
    struct err err = ERR_INIT;
    id_format(&made->info.id, id);
    if (file) {
        _cleanup_free_ char *line = xasprintf("%s\n", made->token);
        int r = secret_file_write(file, line, strlen(line), &err);
        explicit_bzero(line, strlen(line));
        if (r < 0)
            return cli_failure(cli, &err);
    }
    if (cli->out.json) {
        json_t *result = json_pack("{s:s, s:s, s:s*, s:s*}", "id", id, "name", made->info.name,
                                   "token", file ? NULL : made->token, "token_file", file);
        output_json(&cli->out, result);
        json_decref(result);
    } else if (file) {
        output_line(&cli->out, "Token '%s' written to %s.", made->info.name, file);
    } else {
        output_line(&cli->out, "%s", made->token);
    }
    if (!cli->out.json && !file)
        output_hint(&cli->out, "this is the only time the token is shown");
    return EXIT_CODE_OK;
}

static int run_create(struct cli *cli)
{
    struct api_client client;
    struct api_token_create request;
    struct api_token_created made;
    int code = read_request(cli, &request);
    if (code == 0)
        code = api_client_open(&client, cli);
    if (code != 0)
        return code;
    code = api_client_call_typed(&client, "POST", API_PREFIX "/tokens", &api_token_create_type,
                                 &request, &api_token_created_type, &made);
    if (code == 0) {
        code = report(cli, &made);
        api_token_created_release(&made);
    }
    api_client_close(&client);
    return code;
}

static const struct command cmd_create_token = {
    .name = "create",
    .words = "NAME",
    .summary = "Make an API token for a program",
    .about = "The token is shown once; only a hash of it is kept. A program uses it by setting "
             "ADIT_URL and ADIT_TOKEN.",
    .examples = "adit tokens create ci --expires-in 30d --token-file token\n"
                "ADIT_TOKEN=$(cat token) adit list\n"
                "adit tokens create laptop --scope workspace:dev",
    .traits = COMMAND_API | COMMAND_OUTPUT,
    .min_words = 1,
    .max_words = 1,
    .options = create_options,
    .run = run_create,
};

/* ---- revoke ---- */

/* The id of the token that was named by id or by name. */
static int find_token(struct api_client *c, const char *typed, char ret_id[static ID_TEXT_SIZE])
{
    struct id id;
    if (id_parse(span_of(typed), &id) == 0) {
        id_format(&id, ret_id);
        return 0;
    }
    json_t *tokens = NULL;
    int code = api_client_list(c, API_PREFIX "/tokens", "tokens", &tokens);
    if (code != 0)
        return code;
    size_t i, found = 0;
    const json_t *token;
    json_array_foreach(tokens, i, token) if (str_eq(item_text(token, "name"), typed))
    {
        str_copy(ret_id, ID_TEXT_SIZE, item_text(token, "id"));
        found++;
    }
    json_decref(tokens);
    if (found == 1)
        return 0;
    output_error(&c->cli->out, found ? "several tokens are named '%.64s'" : "no token '%.64s'",
                 typed);
    output_hint(&c->cli->out, "'adit tokens list' shows their ids");
    return EXIT_CODE_FAILURE;
}

static int run_revoke(struct cli *cli)
{
    struct api_client client;
    char id[ID_TEXT_SIZE];
    struct buf body = BUF_INIT(API_JSON_MAX_LEN);
    int code = api_client_open(&client, cli);
    if (code != 0)
        return code;
    code = find_token(&client, cli->args.words[0], id);
    if (code == 0) {
        _cleanup_free_ char *path = xasprintf("%s/tokens/%s", API_PREFIX, id);
        code = api_client_call(&client, "DELETE", path, NULL, NULL, &body);
    }
    if (code == 0 && cli->out.json) {
        json_t *result = json_pack("{s:s}", "id", id);
        output_json(&cli->out, result);
        json_decref(result);
    } else if (code == 0) {
        output_line(&cli->out, "Token %s revoked.", cli->args.words[0]);
    }
    buf_deinit(&body);
    api_client_close(&client);
    return code;
}

static const struct command cmd_revoke_token = {
    .name = "revoke",
    .words = "ID|NAME",
    .summary = "Make a token invalid at once",
    .traits = COMMAND_API | COMMAND_OUTPUT,
    .min_words = 1,
    .max_words = 1,
    .run = run_revoke,
};

static const struct command *const subcommands[] = {
    &cmd_list_tokens,
    &cmd_create_token,
    &cmd_revoke_token,
    NULL,
};

const struct command cmd_tokens = {
    .name = "tokens",
    .summary = "Manage your API tokens and sessions",
    .examples = "adit tokens create ci --expires-in 30d\nadit tokens list\nadit tokens revoke ci",
    .subcommands = subcommands,
};
