#include <string.h>

#include "api/routes.h"
#include "cli/api_client.h"
#include "cli/new_password.h"
#include "cli/term.h"

static const struct option options[] = {
    {.name = "password-stdin",
     .kind = OPTION_FLAG,
     .help = "Read the old password from the first line of standard input, and the new one from "
             "the second, instead of asking."},
    {0},
};

static int send(struct cli *cli, const struct api_password_request *request)
{
    struct api_client client;
    struct buf body = BUF_INIT(API_JSON_MAX_LEN);
    int code = api_client_open(&client, cli);
    if (code != 0)
        return code;
    code = api_client_call(&client, "PUT", API_PREFIX "/me/password", &api_password_request_type,
                           request, &body);
    if (code == 0)
        output_line(&cli->out, "The password is changed. Your other sessions have ended.");
    buf_deinit(&body);
    api_client_close(&client);
    return code;
}

static int run(struct cli *cli)
{
    struct api_password_request request = {0};
    int code = old_password_read(cli, "Old password: ", request.old_password);
    if (code == 0)
        code = new_password_read(cli, "New password: ", request.new_password);
    if (code == 0)
        code = send(cli, &request);
    explicit_bzero(&request, sizeof(request));
    return code;
}

const struct command cmd_password = {
    .name = "password",
    .summary = "Change your own password",
    .about = "Your other sessions end; API tokens go on. For somebody else's password, or a "
             "forgotten one, see 'adit users reset-password'.",
    .examples = "adit password",
    .traits = COMMAND_API,
    .options = options,
    .run = run,
};
