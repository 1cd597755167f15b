#include "api/routes.h"
#include "cli/api_client.h"
#include "cli/credentials.h"

static int forget(struct cli *cli, const char *url)
{
    struct credentials known;
    struct err err = ERR_INIT;
    int r = credentials_load(&known, &err);
    if (r == 0 && credentials_remove(&known, url) == 0)
        r = credentials_save(&known, &err);
    credentials_deinit(&known);
    return r < 0 ? cli_failure(cli, &err) : EXIT_CODE_OK;
}

static int run(struct cli *cli)
{
    struct api_client client;
    int code = api_client_open(&client, cli);
    if (code != 0)
        return code;
    struct buf body = BUF_INIT(API_JSON_MAX_LEN);
    /* The log-in is forgotten here even if the server cannot be told. */
    int told = api_client_call(&client, "POST", API_PREFIX "/logout", NULL, NULL, &body);
    buf_deinit(&body);
    code = forget(cli, client.url);
    if (code == 0 && told != 0 && told != EXIT_CODE_NOT_ALLOWED) {
        output_warning(&cli->out, "forgotten here, but the server keeps the session until it ends");
        code = EXIT_CODE_FAILURE;
    }
    if (code == 0 && !cli->out.json)
        output_line(&cli->out, "Logged out of %s.", client.url);
    if (code == 0 && cli->out.json) {
        json_t *result = json_pack("{s:s}", "url", client.url);
        output_json(&cli->out, result);
        json_decref(result);
    }
    api_client_close(&client);
    return code;
}

const struct command cmd_logout = {
    .name = "logout",
    .summary = "End the log-in to a deployment",
    .about = "Ends the session on the server and forgets it here. API tokens go on.",
    .examples = "adit logout\nadit logout --url https://adit.example.com",
    .traits = COMMAND_API | COMMAND_OUTPUT,
    .run = run,
};
