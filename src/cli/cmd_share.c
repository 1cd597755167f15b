#include <stdlib.h>

#include "api/share.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/num.h"
#include "cli/share_text.h"
#include "cli/target.h"

enum { EXPIRES_MAX_SEC = 366 * 86400 };

/* ".../shares/8080", ".../shares/lab" */
static char *share_path(const struct target_agent *at, const struct target *t)
{
    return t->port ? xasprintf("%s/shares/%u", at->path, t->port)
                   : xasprintf("%s/shares/%s", at->path, t->slug);
}

/* "Port 8080 of dev", "App lab of dev" */
static char *target_text(const struct target *t)
{
    return t->port ? xasprintf("Port %u of %s", t->port, t->ref.workspace)
                   : xasprintf("App %s of %s", t->slug, t->ref.workspace);
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
     .help = "What is behind the port speaks this. Default: http, or https for PORTs."},
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
        if (text_list_add(users, span_of(name), SHARE_USERS_MAX) < 0)
            return cli_usage(cli, "--with: %d people at most", SHARE_USERS_MAX);
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
    if (protocol && !t->port)
        return cli_usage(cli, "--protocol goes with a port: the template says it of an app");
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
    _cleanup_free_ char *what = target_text(t);
    output_line(&cli->out, "%s is open to %s.", what, people);
    if (s->url)
        output_line(&cli->out, "%s", url);
    else
        output_hint(&cli->out, "the deployment has no wildcard URL, so that no browser gets there");
    if (s->share.level == SHARE_PUBLIC)
        output_warning(&cli->out, "whoever knows the URL can open it, without any log-in");
}

static int put_share(struct api_client *c, const struct target *t, const struct target_agent *at,
                     void *ud)
{
    const struct api_share_put *request = ud;
    struct api_share share;
    _cleanup_free_ char *path = share_path(at, t);
    int code = api_client_call_typed(c, "PUT", path, &api_share_put_type, request, &api_share_type,
                                     &share);
    if (code == 0) {
        report(c->cli, &share, t);
        api_share_release(&share);
    }
    return code;
}

static int run_share(struct cli *cli)
{
    struct target t;
    struct api_share_put request = {.level = SHARE_OWNER};
    int code = target_parse(cli, &t);
    if (code == 0)
        code = read_request(cli, &t, &request);
    if (code == 0)
        code = target_call(cli, &t, put_share, &request);
    text_list_deinit(&request.users);
    return code;
}

const struct command cmd_share = {
    .name = "share",
    .words = "[OWNER/]WORKSPACE[.AGENT] PORT[s]|APP",
    .summary = "Let other people open a port or an app of your workspace in the browser",
    .about = "Without a share, a port's URL opens for you alone, and an app as the template says; "
             "a share may open it to more people or to fewer. It holds until its time is over or "
             "'adit unshare' ends it; giving it again replaces it.\n"
             "The workspace's template says how far ports and apps may be shared. Whoever loses "
             "the right loses at once what they have open.",
    .examples = "adit share dev 8080 --with anna,bob\n"
                "adit share dev lab --level users --with anna\n"
                "adit share dev 3000 --level authenticated --expires 2h\n"
                "adit share dev 8443s --level public    # the app speaks HTTPS",
    .traits = COMMAND_API | COMMAND_OUTPUT | COMMAND_WORKSPACE,
    .min_words = 2,
    .max_words = 2,
    .options = share_options,
    .run = run_share,
};

/* ---- unshare ---- */

static void report_end(struct cli *cli, const struct target *t)
{
    if (cli->out.json) {
        json_t *result = json_pack("{s:s}", "workspace", t->ref.workspace);
        if (t->port)
            json_object_set_new(result, "port", json_integer(t->port));
        else
            json_object_set_new(result, "slug", json_string(t->slug));
        output_json(&cli->out, result);
        json_decref(result);
        return;
    }
    _cleanup_free_ char *what = target_text(t);
    output_line(&cli->out,
                t->port ? "%s is not shared any more." : "%s is open as its template says again.",
                what);
}

static int delete_share(struct api_client *c, const struct target *t, const struct target_agent *at,
                        void *ud)
{
    _cleanup_(buf_deinit) struct buf body = BUF_INIT(API_JSON_MAX_LEN);
    _cleanup_free_ char *path = share_path(at, t);
    int code = api_client_call(c, "DELETE", path, NULL, NULL, &body);
    if (code == 0)
        report_end(c->cli, t);
    return code;
}

static int run_unshare(struct cli *cli)
{
    struct target t;
    int code = target_parse(cli, &t);
    return code == 0 ? target_call(cli, &t, delete_share, NULL) : code;
}

const struct command cmd_unshare = {
    .name = "unshare",
    .words = "[OWNER/]WORKSPACE[.AGENT] PORT|APP",
    .summary = "End the share of a port or an app",
    .about = "A port opens for you alone again, an app as the template says. What others have open "
             "ends at once.",
    .examples = "adit unshare dev 8080\nadit unshare dev lab",
    .traits = COMMAND_API | COMMAND_OUTPUT | COMMAND_WORKSPACE,
    .min_words = 2,
    .max_words = 2,
    .run = run_unshare,
};
