#include "api/share.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "cli/apps_table.h"
#include "cli/share_text.h"
#include "cli/table.h"
#include "cli/target.h"
#include "cli/text.h"
#include "cli/watch.h"

/* Which process has it, or whose forward. `buf` holds what is made. */
static const char *served_by(const struct api_shared_ports *ports, const struct api_shared_port *p,
                             char *buf, size_t size)
{
    if (ports->status != API_AGENT_CONNECTED)
        return "(agent away)";
    if (!p->listening)
        return "(not listening)";
    if (!p->port.forwarded_by[0])
        return p->port.process;
    snprintf(buf, size, "forwarded by %s (-R)", p->port.forwarded_by);
    return buf;
}

static void add_row(struct table *t, const struct api_shared_ports *ports,
                    const struct api_shared_port *p)
{
    _cleanup_(buf_deinit) struct buf shared = BUF_INIT(16384);
    char number[8], by[NAME_SIZE + 32];
    snprintf(number, sizeof(number), "%u", p->port.port);
    if (p->share.share.port) {
        share_text_people(&p->share.share, &shared);
        share_text_expiry(&p->share.share, clock_realtime(), &shared);
    }
    const char *speaks =
        p->port.speaks == API_PORT_UNKNOWN ? "" : api_port_speaks_name(p->port.speaks);
    table_row(t, (const char *const[]){number, served_by(ports, p, by, sizeof(by)), speaks,
                                       buf_cstr(&shared), p->url});
}

static void print_table(struct cli *cli, const struct api_shared_ports *ports)
{
    struct table *t =
        table_new((const char *const[]){"PORT", "PROCESS", "SPEAKS", "SHARED WITH", "URL", NULL});
    for (size_t i = 0; i < ports->n_ports; i++)
        add_row(t, ports, &ports->ports[i]);
    table_print(t, &cli->out);
    table_free(t);
}

/* Also beside JSON, whose list does not say why it is short. */
static void print_hint(struct cli *cli, const struct api_shared_ports *ports)
{
    char since[TEXT_SIZE], ago[TEXT_SIZE];
    if (ports->status == API_AGENT_NEVER)
        output_hint(&cli->out, "the agent has never been connected; only what is shared is listed");
    else if (ports->status == API_AGENT_AWAY)
        output_hint(&cli->out, "the agent is away since %s (%s); only what is shared is listed",
                    text_moment(ports->last_seen_at, since),
                    text_ago(ports->last_seen_at, clock_realtime(), ago));
    else if (ports->n_ports == 0 && !cli->out.json)
        output_hint(&cli->out, "nothing listens there: start a server in the workspace");
}

static void print_json(struct cli *cli, const struct api_shared_ports *ports)
{
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(API_JSON_MAX_LEN);
    if (api_shared_ports_write(ports, &text) < 0)
        return;
    json_t *value = json_loadb((const char *)buf_data(&text), text.len, 0, NULL);
    output_json(&cli->out, json_object_get(value, "ports"));
    json_decref(value);
}

/* What people read has the apps, too; scripts have them from `adit show`. */
static int print_apps(struct api_client *c, const struct target_agent *at)
{
    struct api_apps apps;
    _cleanup_free_ char *path = xasprintf("%s/apps", at->path);
    int code = api_client_call_typed(c, "GET", path, NULL, NULL, &api_apps_type, &apps);
    if (code != 0)
        return code;
    if (apps.n_apps > 0)
        output_line(&c->cli->out, "%s", "");
    apps_table_print(&apps, &c->cli->out);
    api_apps_release(&apps);
    return 0;
}

/* ---- --watch ---- */

static const struct option options[] = {WATCH_OPTION, {0}};

static void draw(struct cli *cli, const json_t *state, void *ud)
{
    struct api_shared_ports ports;
    struct api_apps apps;
    if (!watch_read(state, "ports", &api_shared_ports_type, &ports))
        return;
    print_table(cli, &ports);
    print_hint(cli, &ports);
    api_shared_ports_release(&ports);
    if (!watch_read(state, "apps", &api_apps_type, &apps))
        return;
    if (apps.n_apps > 0)
        output_line(&cli->out, "%s", "");
    apps_table_print(&apps, &cli->out);
    api_apps_release(&apps);
}

static int run_watch(struct api_client *c, const struct target_agent *at)
{
    static const char *const topics[] = {"ports", "apps", NULL};
    _cleanup_free_ char *name = xasprintf("%s/%s", at->ws.ws.owner_name, at->ws.ws.name);
    const struct watch_options watch = {
        .workspace = name, .agent = at->agent->agent.name, .topics = topics, .draw = draw};
    return watch_run(c, &watch);
}

static int run_once(struct api_client *c, const struct target_agent *at)
{
    struct api_shared_ports ports;
    _cleanup_free_ char *path = xasprintf("%s/ports", at->path);
    int code = api_client_call_typed(c, "GET", path, NULL, NULL, &api_shared_ports_type, &ports);
    if (code != 0)
        return code;
    if (c->cli->out.json)
        print_json(c->cli, &ports);
    else
        print_table(c->cli, &ports);
    print_hint(c->cli, &ports);
    api_shared_ports_release(&ports);
    return c->cli->out.json ? 0 : print_apps(c, at);
}

static int show(struct api_client *c, const struct target *t, const struct target_agent *at,
                void *ud)
{
    return args_has(&c->cli->args, "watch") ? run_watch(c, at) : run_once(c, at);
}

static int run(struct cli *cli)
{
    struct target t;
    int code = target_parse(cli, &t);
    return code == 0 ? target_call(cli, &t, show, NULL) : code;
}

const struct command cmd_ports = {
    .name = "ports",
    .words = "[OWNER/]WORKSPACE[.AGENT]",
    .summary = "List the open and the shared ports of a workspace, and its apps",
    .about = "The agent looks which TCP ports are open, which process has them, and whether they "
             "speak HTTP or TLS. Each has a URL, which opens for you alone until the port is "
             "shared: 'adit share'. The apps of the template come behind them; with --output json "
             "they are in 'adit show'. While the agent is away what is shared is listed all the "
             "same.",
    .examples = "adit ports dev\nadit ports dev --output json\nadit ports dev --watch",
    .traits = COMMAND_API | COMMAND_OUTPUT | COMMAND_WORKSPACE,
    .min_words = 1,
    .max_words = 1,
    .options = options,
    .run = run,
};
