#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/routes.h"
#include "api/user.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "cli/api_client.h"
#include "cli/credentials.h"
#include "cli/new_password.h"
#include "cli/term.h"
#include "proto/url.h"

enum { PASSWORD_TRIES = 3 };

static const struct option options[] = {
    {.name = "username",
     .letter = 'u',
     .kind = OPTION_VALUE,
     .value = "NAME",
     .help = "The user to log in as. Asked for when it is not given."},
    PASSWORD_STDIN_OPTION,
    {.name = "first-user",
     .kind = OPTION_FLAG,
     .help = "Make the first user of a new deployment, its administrator, and log in."},
    {.name = "email",
     .kind = OPTION_VALUE,
     .value = "ADDRESS",
     .help = "With --first-user: the user's address."},
    {0},
};

static int fail(struct cli *cli, const struct err *err, const char *hint)
{
    output_error(&cli->out, "%s", err->text);
    output_hint(&cli->out, "%s", hint);
    return EXIT_CODE_USAGE;
}

static int ask_username(struct cli *cli, char ret_name[static NAME_SIZE])
{
    struct err err = ERR_INIT;
    _cleanup_free_ char *asked = NULL;
    const char *name = args_value(&cli->args, "username");
    if (!name && term_ask_line("User name: ", &asked, &err) < 0)
        return fail(cli, &err, "give the user by --username NAME");
    if (!name)
        name = asked;
    if (name_parse(NAME_USER, span_of(name), ret_name, &err) < 0)
        return cli_usage_error(cli, &err);
    return 0;
}

/* Without a scheme https is taken, which is not what a server without TLS speaks. */
static void hint_at_http(struct api_client *c, const char *typed)
{
    if (!strstr(typed, "://"))
        output_hint(&c->cli->out, "if it has no TLS: adit login http://%s", typed);
}

/*
 * A deployment without users wants its first; one with users does not. *first_user is set when the
 * person at the terminal agrees to be the first.
 */
static int check_setup(struct api_client *c, bool *first_user, const char *typed)
{
    struct output *out = &c->cli->out;
    struct api_setup_status status;
    int code = api_client_call_typed(c, "GET", API_PREFIX "/setup", NULL, NULL,
                                     &api_setup_status_type, &status);
    if (code != 0)
        hint_at_http(c, typed);
    if (code != 0)
        return code;
    bool needed = status.needed;
    api_setup_status_release(&status);
    if (needed && !*first_user && term_can_ask())
        *first_user = term_confirm("There are no users yet. Be the first, the administrator?");
    if (needed == *first_user)
        return 0;
    output_error(out, needed ? "%s has no users yet" : "%s has its first user already", c->url);
    output_hint(out,
                needed ? "make the first one with: adit login %s --first-user"
                       : "log in with: adit login %s",
                c->url);
    return EXIT_CODE_FAILURE;
}

static void label_session(char dst[static TOKEN_NAME_SIZE])
{
    char host[TOKEN_NAME_SIZE - 8] = "";
    gethostname(host, sizeof(host) - 1);
    snprintf(dst, TOKEN_NAME_SIZE, "adit on %.40s", host[0] ? host : "unknown host");
}

static int send_login(struct api_client *c, const char *name, const char *password, bool first_user,
                      struct api_login_response *ret)
{
    const char *email = args_value(&c->cli->args, "email");
    struct api_login_request login = {0};
    struct api_setup_request setup = {0};
    if (email && !str_copy(setup.email, EMAIL_SIZE, email))
        return cli_usage(c->cli, "--email is too long");
    str_copy(first_user ? setup.password : login.password, API_PASSWORD_SIZE, password);
    str_copy(login.user, sizeof(login.user), name);
    str_copy(setup.name, sizeof(setup.name), name);
    label_session(login.label);
    label_session(setup.label);
    int code = first_user
                   ? api_client_call_typed(c, "POST", API_PREFIX "/setup", &api_setup_request_type,
                                           &setup, &api_login_response_type, ret)
                   : api_client_call_typed(c, "POST", API_PREFIX "/login", &api_login_request_type,
                                           &login, &api_login_response_type, ret);
    explicit_bzero(&login, sizeof(login));
    explicit_bzero(&setup, sizeof(setup));
    return code;
}

/* A person may mistype a password; a program has one answer. */
static int ask_and_send(struct api_client *c, const char *name, bool first_user,
                        struct api_login_response *ret)
{
    struct cli *cli = c->cli;
    char password[API_PASSWORD_SIZE] = "";
    int tries = first_user || args_has(&cli->args, "password-stdin") ? 1 : PASSWORD_TRIES;
    int code = EXIT_CODE_NOT_ALLOWED;
    for (; tries > 0 && code == EXIT_CODE_NOT_ALLOWED; tries--) {
        code = first_user ? new_password_read(cli, "Password: ", password)
                          : old_password_read(cli, "Password: ", password);
        if (code == 0)
            code = send_login(c, name, password, first_user, ret);
    }
    explicit_bzero(password, sizeof(password));
    return code;
}

static int keep(struct api_client *c, const struct api_login_response *answer)
{
    struct err err = ERR_INIT;
    struct credentials known;
    if (credentials_load(&known, &err) < 0)
        return cli_failure(c->cli, &err);
    struct secret *token = secret_new(answer->token, strlen(answer->token));
    int r = credentials_set(&known, c->url, answer->user.name, token, &err);
    if (r == 0)
        r = credentials_save(&known, &err);
    secret_free(token);
    credentials_deinit(&known);
    return r < 0 ? cli_failure(c->cli, &err) : 0;
}

static void report(struct api_client *c, const struct user *user)
{
    struct output *out = &c->cli->out;
    if (!out->json) {
        output_line(out, "Logged in to %s as %s (%s).", c->url, user->name, role_name(user->role));
        return;
    }
    json_t *result = json_pack("{s:s, s:s, s:s}", "url", c->url, "user", user->name, "role",
                               role_name(user->role));
    output_json(out, result);
    json_decref(result);
}

static void warn_cleartext(struct api_client *c)
{
    struct url url;
    if (url_parse(span_of(c->url), &url, NULL) < 0)
        return;
    if (url.scheme == URL_HTTP && !host_is_loopback(span_of(url.host)))
        output_warning(&c->cli->out, "%s is not encrypted: the password can be read on the way",
                       c->url);
    url_deinit(&url);
}

static int log_in(struct api_client *c, const char *typed)
{
    struct cli *cli = c->cli;
    bool first_user = args_has(&cli->args, "first-user");
    char name[NAME_SIZE];
    warn_cleartext(c);
    int code = check_setup(c, &first_user, typed);
    if (code == 0)
        code = ask_username(cli, name);
    if (code != 0)
        return code;

    struct api_login_response answer = {0};
    code = ask_and_send(c, name, first_user, &answer);
    if (code != 0)
        return code;
    code = keep(c, &answer);
    if (code == 0)
        report(c, &answer.user);
    api_login_response_release(&answer);
    return code;
}

static int run(struct cli *cli)
{
    struct credentials known = {0};
    struct err err = ERR_INIT;
    const char *url = cli->args.n_words ? cli->args.words[0] : args_value(&cli->args, "url");
    if (!url && credentials_load(&known, &err) < 0)
        return cli_failure(cli, &err);
    if (!url)
        url = known.current;

    if (!url) {
        credentials_deinit(&known);
        return cli_usage(cli, "which deployment? adit login URL");
    }
    struct api_client client = {0};
    int code = api_client_open_url(&client, cli, url);
    if (code == 0) {
        code = log_in(&client, url);
        api_client_close(&client);
    }
    credentials_deinit(&known);
    return code;
}

const struct command cmd_login = {
    .name = "login",
    .words = "[URL]",
    .summary = "Log in to a deployment",
    .about = "The log-in is kept in $XDG_CONFIG_HOME/adit (else ~/.config/adit), readable by you "
             "only. You can be logged in to several deployments; the last one is the current one, "
             "and --url or ADIT_URL chooses another.\n"
             "Programs do without a log-in: they set ADIT_URL and ADIT_TOKEN, an API token made by "
             "'adit tokens create'.",
    .examples = "adit login https://adit.example.com\n"
                "adit login adit.example.com --username anna --password-stdin < password.txt\n"
                "adit login http://localhost:8080 --first-user   # a new deployment",
    .traits = COMMAND_API | COMMAND_OUTPUT,
    .max_words = 1,
    .options = options,
    .run = run,
};
