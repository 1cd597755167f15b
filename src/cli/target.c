#include "cli/target.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/num.h"
#include "proto/app_host.h"

/* "8080", "8443s". */
static bool parse_port(struct span text, struct target *ret)
{
    bool https = span_ends(text, "s");
    uint16_t port;
    if (num_parse_port(span_sub(text, 0, text.len - https), false, &port) < 0)
        return false;
    ret->port = port;
    ret->https = https;
    return true;
}

static bool is_number(struct span text)
{
    uint64_t n;
    if (span_ends(text, "s"))
        text = span_sub(text, 0, text.len - 1);
    return num_parse(text, 0, UINT64_MAX, &n) != -EINVAL;
}

int target_parse(struct cli *cli, struct target *ret)
{
    struct err err = ERR_INIT;
    *ret = (struct target){.port = 0};
    if (workspace_ref_parse(span_of(cli->args.words[0]), &ret->ref, &err) < 0)
        return cli_usage_error(cli, &err);
    if (cli->args.n_words < 2)
        return 0;
    struct span text = span_of(cli->args.words[1]);
    if (is_number(text) && (!parse_port(text, ret) || ret->port < APP_PORT_MIN))
        return cli_usage(cli, "'%.40s' is not a port from 9 to 65535", cli->args.words[1]);
    if (!is_number(text) && name_parse(NAME_SLUG, text, ret->slug, &err) < 0)
        return cli_usage_error(cli, &err);
    return 0;
}

/* NULL: the error has been printed. */
static const struct api_agent *choose(struct cli *cli, const struct api_workspace *ws,
                                      const struct workspace_ref *ref)
{
    _cleanup_(buf_deinit) struct buf names = BUF_INIT(2048);
    for (size_t i = 0; i < ws->n_agents; i++) {
        const char *name = ws->agents[i].agent.name;
        if (ref->agent[0] ? str_eq(ref->agent, name) : ws->n_agents == 1)
            return &ws->agents[i];
        buf_appendf(&names, "%s%s", i ? ", " : "", name);
    }
    if (ref->agent[0])
        output_error(&cli->out, "workspace %s has no agent '%s'", ws->ws.name, ref->agent);
    else
        output_error(&cli->out, "workspace %s has several agents", ws->ws.name);
    output_hint(&cli->out, "name one of %s as %s.AGENT", buf_cstr(&names), ws->ws.name);
    return NULL;
}

int target_agent_find(struct api_client *c, const struct workspace_ref *ref,
                      struct target_agent *ret)
{
    _cleanup_free_ char *path = NULL;
    struct target_agent t = {.path = NULL};
    int code = api_client_workspace_path(c, ref, &path);
    if (code == 0)
        code = api_client_call_typed(c, "GET", path, NULL, NULL, &api_workspace_type, &t.ws);
    if (code != 0)
        return code;
    t.agent = choose(c->cli, &t.ws, ref);
    if (!t.agent) {
        target_agent_deinit(&t);
        return EXIT_CODE_FAILURE;
    }
    t.path = xasprintf("%s/agents/%s", path, t.agent->agent.name);
    *ret = t;
    return 0;
}

void target_agent_deinit(struct target_agent *t)
{
    api_workspace_release(&t->ws);
    free(t->path);
    t->path = NULL;
}

int target_call(struct cli *cli, const struct target *t, target_fn *fn, void *ud)
{
    struct api_client client;
    struct target_agent at;
    int code = api_client_open(&client, cli);
    if (code != 0)
        return code;
    code = target_agent_find(&client, &t->ref, &at);
    if (code == 0) {
        code = fn(&client, t, &at, ud);
        target_agent_deinit(&at);
    }
    api_client_close(&client);
    return code;
}
