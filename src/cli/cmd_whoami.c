#include "api/routes.h"
#include "api/user.h"
#include "cli/api_client.h"
#include "cli/text.h"

static void print(struct api_client *c, const struct api_me *me)
{
    struct output *out = &c->cli->out;
    char scope[TOKEN_SCOPE_SIZE], expires[TEXT_SIZE];
    token_scope_format(&me->token.scope, scope);
    text_date(me->token.expires_at, expires);
    if (!out->json) {
        output_line(out, "%s (%s) at %s", me->user.name, role_name(me->user.role), c->url);
        if (me->token.scope.kind != SCOPE_ALL)
            output_line(out, "with a token for %s only", scope);
        return;
    }
    json_t *result =
        json_pack("{s:s, s:s, s:s, s:s, s:s}", "url", c->url, "user", me->user.name, "role",
                  role_name(me->user.role), "scope", scope, "expires", expires);
    output_json(out, result);
    json_decref(result);
}

static int run(struct cli *cli)
{
    struct api_client client;
    struct api_me me;
    int code = api_client_open(&client, cli);
    if (code != 0)
        return code;
    code = api_client_call_typed(&client, "GET", API_PREFIX "/me", NULL, NULL, &api_me_type, &me);
    if (code == 0) {
        print(&client, &me);
        api_me_release(&me);
    }
    api_client_close(&client);
    return code;
}

const struct command cmd_whoami = {
    .name = "whoami",
    .summary = "Show who you are logged in as, and where",
    .examples = "adit whoami\nadit whoami --output json",
    .traits = COMMAND_API | COMMAND_OUTPUT,
    .run = run,
};
