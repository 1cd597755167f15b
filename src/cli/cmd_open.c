#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>

#include "api/routes.h"
#include "api/share.h"
#include "api/user.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/suggest.h"
#include "cli/qr.h"
#include "cli/target.h"
#include "proto/app_url.h"

extern char **environ;

static const struct option options[] = {
    {.name = "print",
     .letter = 'p',
     .kind = OPTION_FLAG,
     .help = "Only print the URL; do not start a browser."},
    {.name = "qr",
     .kind = OPTION_FLAG,
     .help = "Show the URL as a QR code, for the camera of a phone; do not start a browser."},
    {0},
};

/* ---- the URL ---- */

/* Where the deployment's apps are, as the server says. */
static int find_site(struct api_client *c, struct app_site *ret)
{
    struct api_buildinfo info;
    struct err err = ERR_INIT;
    int code = api_client_call_typed(c, "GET", API_PREFIX "/buildinfo", NULL, NULL,
                                     &api_buildinfo_type, &info);
    if (code != 0)
        return code;
    if (!info.wildcard_url || !info.access_url)
        err_set(&err, -ENOENT, "the deployment has no wildcard URL, so that ports have none");
    else
        app_site_parse(span_of(info.wildcard_url), span_of(info.access_url), ret, &err);
    api_buildinfo_release(&info);
    return err.code ? cli_failure(c->cli, &err) : 0;
}

/* Made here from the names, so that it is there while the agent is away, too. */
static int port_url(struct api_client *c, const struct target *t, char **ret)
{
    struct app_host host = {.port = t->port, .https = t->https};
    struct app_site site;
    struct target_agent at;
    _cleanup_(buf_deinit) struct buf url = BUF_INIT(URL_MAX_LEN);
    int code = find_site(c, &site);
    if (code == 0)
        code = target_agent_find(c, &t->ref, &at);
    if (code != 0)
        return code;
    str_copy(host.user, sizeof(host.user), at.ws.ws.owner_name);
    str_copy(host.workspace, sizeof(host.workspace), at.ws.ws.name);
    str_copy(host.alias, sizeof(host.alias), at.agent->agent.alias);
    if (at.ws.n_agents > 1)
        str_copy(host.agent, sizeof(host.agent), at.agent->agent.name);
    target_agent_deinit(&at);
    if (app_url_format(&site, &host, &url) < 0) {
        output_error(&c->cli->out, "the URL cannot be made");
        return EXIT_CODE_FAILURE;
    }
    *ret = xstrndup((const char *)buf_data(&url), url.len);
    return 0;
}

static void print_unknown_app(struct cli *cli, const struct target *t, const struct api_apps *apps)
{
    struct suggest s = {0};
    for (size_t i = 0; i < apps->n_apps; i++)
        suggest_offer(&s, t->slug, apps->apps[i].slug);
    if (s.best)
        output_error(&cli->out, "%s has no app '%s': did you mean '%s'?", t->ref.workspace, t->slug,
                     s.best);
    else
        output_error(&cli->out, "%s has no app '%s'", t->ref.workspace, t->slug);
    if (apps->n_apps == 0)
        output_hint(&cli->out, "its template brings none; open a port by its number");
}

static int app_url(struct api_client *c, const struct target *t, char **ret)
{
    struct api_apps apps;
    _cleanup_free_ char *base = NULL;
    int code = api_client_workspace_path(c, &t->ref, &base);
    if (code != 0)
        return code;
    _cleanup_free_ char *path = t->ref.agent[0] ? xasprintf("%s/agents/%s/apps", base, t->ref.agent)
                                                : xasprintf("%s/apps", base);
    code = api_client_call_typed(c, "GET", path, NULL, NULL, &api_apps_type, &apps);
    if (code != 0)
        return code;
    const struct api_app *found = NULL;
    for (size_t i = 0; i < apps.n_apps && !found; i++)
        if (str_eq(apps.apps[i].slug, t->slug) && !apps.apps[i].own.missing)
            found = &apps.apps[i];
    code = EXIT_CODE_FAILURE;
    if (!found) {
        print_unknown_app(c->cli, t, &apps);
    } else if (!found->url) {
        output_error(&c->cli->out, "the deployment has no wildcard URL, so that this app has none");
    } else {
        *ret = xstrdup(found->url);
        code = 0;
    }
    api_apps_release(&apps);
    return code;
}

/* What is given to a browser must be a URL of the web, whatever the server says. */
static int check_url(struct cli *cli, const char *text)
{
    struct err err = ERR_INIT;
    struct url url;
    bool web = false;
    if (url_parse(span_of(text), &url, &err) == 0) {
        web = url.scheme == URL_HTTP || url.scheme == URL_HTTPS;
        url_deinit(&url);
    }
    if (web)
        return 0;
    output_error(&cli->out, "the server's answer is not understood: its URL is none of the web");
    return EXIT_CODE_FAILURE;
}

/* ---- the browser ---- */

#ifdef __APPLE__
static const char opener[] = "open";
static bool has_desktop(void)
{
    return true;
}
#else
static const char opener[] = "xdg-open";
static bool has_desktop(void)
{
    const char *x11 = getenv("DISPLAY"), *wayland = getenv("WAYLAND_DISPLAY");
    return (x11 && *x11) || (wayland && *wayland);
}
#endif

/* In a session of its own, so that ^C here does not end a browser. */
static bool start_browser(const char *url)
{
    char *argv[] = {(char *)(uintptr_t)opener, (char *)(uintptr_t)url, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    pid_t pid;
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    for (int fd = 0; fd < 3; fd++)
        posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_RDWR, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
    int r = posix_spawnp(&pid, opener, &files, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return r == 0;
}

static int show(struct cli *cli, const char *url)
{
    bool qr = args_has(&cli->args, "qr");
    bool opened = !qr && !args_has(&cli->args, "print") && has_desktop() && start_browser(url);
    if (cli->out.json) {
        json_t *result = json_pack("{s:s, s:b}", "url", url, "opened", opened);
        output_json(&cli->out, result);
        json_decref(result);
        return EXIT_CODE_OK;
    }
    if (qr && qr_print(cli->out.out, url, cli->out.out_colour) < 0) {
        output_error(&cli->out, "the URL is too long for a QR code");
        return EXIT_CODE_FAILURE;
    }
    output_line(&cli->out, "%s", url);
    return EXIT_CODE_OK;
}

static int run(struct cli *cli)
{
    struct api_client client;
    struct target t;
    _cleanup_free_ char *url = NULL;
    int code = target_parse(cli, &t);
    if (code == 0)
        code = api_client_open(&client, cli);
    if (code != 0)
        return code;
    code = t.port ? port_url(&client, &t, &url) : app_url(&client, &t, &url);
    api_client_close(&client);
    if (code == 0)
        code = check_url(cli, url);
    return code == 0 ? show(cli, url) : code;
}

const struct command cmd_open = {
    .name = "open",
    .words = "[OWNER/]WORKSPACE[.AGENT] PORT[s]|APP",
    .summary = "Open a port or an app of a workspace in the browser",
    .about = "Prints the URL and, on a desktop, starts the browser with it. PORTs is a port whose "
             "app speaks HTTPS itself. The browser asks you to log in the first time.",
    .examples = "adit open dev 3000\n"
                "adit open dev lab\n"
                "adit open dev 3000 --qr       # for a phone\n"
                "adit open dev 3000 --print    # for a script",
    .traits = COMMAND_API | COMMAND_OUTPUT | COMMAND_WORKSPACE,
    .min_words = 2,
    .max_words = 2,
    .options = options,
    .run = run,
};
