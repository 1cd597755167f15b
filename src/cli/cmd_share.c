#include <stdlib.h>

#include "api/share.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/num.h"
#include "cli/share_text.h"
#include "cli/target.h"

enum { EXPIRES_MAX_SEC = 366 * 86400 };

/* The share of an app is its template's. */
static int refuse_slug(struct cli *cli, const struct target *t)
{
    output_error(&cli->out, "'%s' is an app: how it is shared stands in the workspace's template",
                 t->slug);
    output_hint(&cli->out, "share the port behind it: adit %s %s PORT", cli->path,
                cli->args.words[0]);
    return EXIT_CODE_USAGE;
}

static int parse(struct cli *cli, struct target *ret)
{
    int code = target_parse(cli, ret);
    return code == 0 && !ret->port ? refuse_slug(cli, ret) : code;
}

/* ---- share ---- */

static const struct option share_options[] = {
    {.name = "level",
     .letter = 'l',
     .kind = OPTION_VALUE,
     .value = "LEVEL",
     .choices = "owner|users|authenticated|public",
     .help = "Who may open it: 'owner' (you only), 'users' (the people named by --with), "
             "'authenticated' (everyone who can log in) or 'public' (anybody, without log-in)."},
    {.name = "with",
     .kind = OPTION_LIST,
     .value = "NAME[,NAME...]",
     .help = "Share it with these people; means --level users."},
    {.name = "protocol",
     .kind = OPTION_VALUE,
     .value = "PROTOCOL",
     .choices = "http|https",
     .help = "What the app behind the port speaks. Default: http, or https for PORTs."},
    {.name = "expires",
     .kind = OPTION_VALUE,
     .value = "TIME",
     .help = "End the share by itself after this time: 30m, 2h, 7d. Default: it stays."},
    {0},
};

/* Adds the names of one --with. */
static int add_people(struct cli *cli, const char *value, struct text_list *users)
{
    struct span rest = span_of(value), piece;
    struct err err = ERR_INIT;
    char name[NAME_SIZE];
    while (span_split(&rest, ',', &piece)) {
        if (name_parse(NAME_USER, span_trim(piece), name, &err) < 0) {
            err_wrap(&err, "--with");
            return cli_usage_error(cli, &err);
        }
        if (text_list_add(users, span_of(name), PORT_SHARE_USERS_MAX) < 0)
            return cli_usage(cli, "--with: %d people at most", PORT_SHARE_USERS_MAX);
    }
    return 0;
}

static int read_people(struct cli *cli, struct text_list *users)
{
    for (size_t i = 0; i < cli->args.n_uses; i++) {
        const struct option_use *use = &cli->args.uses[i];
        int code = str_eq(use->option->name, "with") ? add_people(cli, use->value, users) : 0;
        if (code != 0)
            return code;
    }
    return 0;
}

static int read_request(struct cli *cli, const struct target *t, struct api_share_put *ret)
{
    const char *level = args_value(&cli->args, "level");
    const char *protocol = args_value(&cli->args, "protocol");
    const char *expires = args_value(&cli->args, "expires");
    int code = read_people(cli, &ret->users);
    if (code != 0)
        return code;
    ret->level = SHARE_USERS;
    if (level)
        share_level_parse(span_of(level), &ret->level);
    if (!level && ret->users.len == 0)
        return cli_usage(cli, "with whom? give --level LEVEL or --with NAME");
    if (ret->level == SHARE_USERS && ret->users.len == 0)
        return cli_usage(cli, "--level users needs the people: --with NAME");
    if (ret->level != SHARE_USERS && ret->users.len > 0)
        return cli_usage(cli, "--with goes with --level users only");
    ret->protocol = t->https ? SHARE_HTTPS : SHARE_HTTP;
    if (protocol)
        share_protocol_parse(span_of(protocol), &ret->protocol);
    if (expires && (num_parse_duration(span_of(expires), EXPIRES_MAX_SEC, &ret->expires_in) < 0 ||
                    ret->expires_in == 0))
        return cli_usage(cli, "--expires: '%.40s' is not a time such as 30m or 2h (366d at most)",
                         expires);
    return 0;
}

static void report(struct cli *cli, const struct api_share *s, const struct target *t)
{
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(16384), json = BUF_INIT(65536);
    if (cli->out.json) {
        if (api_share_write(s, &json) < 0)
            return;
        json_t *value = json_loadb((const char *)buf_data(&json), json.len, 0, NULL);
        output_json(&cli->out, value);
        json_decref(value);
        return;
    }
    share_text_people(&s->share, &text);
    share_text_expiry(&s->share, clock_realtime(), &text);
    _cleanup_free_ char *people = output_printable(buf_cstr(&text));
    _cleanup_free_ char *url = output_printable(s->url);
    output_line(&cli->out, "Port %u of %s is open to %s.", s->share.port, t->ref.workspace, people);
    if (s->url)
        output_line(&cli->out, "%s", url);
    else
        output_hint(&cli->out, "the deployment has no wildcard URL, so that no browser gets there");
    if (s->share.level == SHARE_PUBLIC)
        output_warning(&cli->out, "whoever knows the URL can open it, without any log-in");
}

static int run_share(struct cli *cli)
{
    struct api_client client;
    struct target t;
    struct target_agent at;
    struct api_share share;
    struct api_share_put request = {.level = SHARE_OWNER};
    int code = parse(cli, &t);
    if (code == 0)
        code = read_request(cli, &t, &request);
    if (code == 0 && (code = api_client_open(&client, cli)) == 0) {
        code = target_agent_find(&client, &t.ref, &at);
        if (code == 0) {
            _cleanup_free_ char *path = xasprintf("%s/shares/%u", at.path, t.port);
            code = api_client_call_typed(&client, "PUT", path, &api_share_put_type, &request,
                                         &api_share_type, &share);
            target_agent_deinit(&at);
            if (code == 0) {
                report(cli, &share, &t);
                api_share_release(&share);
            }
        }
        api_client_close(&client);
    }
    text_list_deinit(&request.users);
    return code;
}

const struct command cmd_share = {
    .name = "share",
    .words = "[OWNER/]WORKSPACE[.AGENT] PORT[s]",
    .summary = "Let other people open a port of your workspace in the browser",
    .about = "Without a share, a port's URL opens for you alone. A share holds until its time is "
             "over or 'adit unshare' ends it; giving it again replaces it.\n"
             "The workspace's template says how far ports may be shared. Whoever loses the right "
             "loses at once what they have open. How an app of the template is shared stands in "
             "the template.",
    .examples = "adit share dev 8080 --with anna,bob\n"
                "adit share dev 3000 --level authenticated --expires 2h\n"
                "adit share dev 8443s --level public    # the app speaks HTTPS",
    .traits = COMMAND_API | COMMAND_OUTPUT | COMMAND_WORKSPACE,
    .min_words = 2,
    .max_words = 2,
    .options = share_options,
    .run = run_share,
};

/* ---- unshare ---- */

static int run_unshare(struct cli *cli)
{
    _cleanup_(buf_deinit) struct buf body = BUF_INIT(API_JSON_MAX_LEN);
    struct api_client client;
    struct target t;
    struct target_agent at;
    int code = parse(cli, &t);
    if (code == 0)
        code = api_client_open(&client, cli);
    if (code != 0)
        return code;
    code = target_agent_find(&client, &t.ref, &at);
    if (code == 0) {
        _cleanup_free_ char *path = xasprintf("%s/shares/%u", at.path, t.port);
        code = api_client_call(&client, "DELETE", path, NULL, NULL, &body);
        target_agent_deinit(&at);
    }
    if (code == 0 && cli->out.json) {
        json_t *result = json_pack("{s:s, s:i}", "workspace", t.ref.workspace, "port", t.port);
        output_json(&cli->out, result);
        json_decref(result);
    } else if (code == 0) {
        output_line(&cli->out, "Port %u of %s is not shared any more.", t.port, t.ref.workspace);
    }
    api_client_close(&client);
    return code;
}

const struct command cmd_unshare = {
    .name = "unshare",
    .words = "[OWNER/]WORKSPACE[.AGENT] PORT",
    .summary = "End the share of a port",
    .about = "The port opens for you alone again. What others have open ends at once.",
    .examples = "adit unshare dev 8080",
    .traits = COMMAND_API | COMMAND_OUTPUT | COMMAND_WORKSPACE,
    .min_words = 2,
    .max_words = 2,
    .run = run_unshare,
};
