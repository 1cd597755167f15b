#include <stdlib.h>
#include <string.h>

#include "api/routes.h"
#include "api/user.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "cli/api_client.h"
#include "cli/deletion.h"
#include "cli/item.h"
#include "cli/new_password.h"
#include "cli/table.h"
#include "cli/term.h"
#include "cli/text.h"
#include "model/password.h"
#include "server/password_reset.h"

static int user_path(struct cli *cli, const char *typed, char **ret)
{
    struct err err = ERR_INIT;
    char name[NAME_SIZE];
    if (name_parse(NAME_USER, span_of(typed), name, &err) < 0)
        return cli_usage_error(cli, &err);
    *ret = xasprintf("%s/users/%s", API_PREFIX, name);
    return 0;
}

/* ---- list ---- */

static void print_table(struct output *out, const json_t *users)
{
    struct table *t =
        table_new((const char *const[]){"NAME", "ROLE", "STATE", "EMAIL", "LAST SEEN", NULL});
    size_t i;
    const json_t *u;
    json_array_foreach(users, i, u)
    {
        usec_t seen = item_time(u, "last_seen_at");
        char ago[TEXT_SIZE];
        bool suspended = json_is_true(json_object_get(u, "suspended"));
        table_row(t,
                  (const char *const[]){item_text(u, "name"), item_text(u, "role"),
                                        suspended ? "suspended" : "active", item_text(u, "email"),
                                        text_ago(seen, clock_realtime(), ago)});
    }
    table_print(t, out);
    table_free(t);
}

static int run_list(struct cli *cli)
{
    return api_client_show_list(cli, API_PREFIX "/users", "users", print_table);
}

static const struct command cmd_list_users = {
    .name = "list",
    .summary = "List the users",
    .traits = COMMAND_API | COMMAND_OUTPUT,
    .run = run_list,
};

/* ---- create ---- */

static const struct option create_options[] = {
    {.name = "role",
     .kind = OPTION_VALUE,
     .value = "ROLE",
     .choices = "member|auditor|owner",
     .help = "What the user is: member (the default), auditor (may read records and lists) or "
             "owner (administrator)."},
    {.name = "email", .kind = OPTION_VALUE, .value = "ADDRESS", .help = "The user's address."},
    {.name = "display-name",
     .kind = OPTION_VALUE,
     .value = "TEXT",
     .help = "The name to show to people."},
    PASSWORD_STDIN_OPTION,
    {0},
};

/* Sends a change and prints `done` (a format with the user's name), or the answer as JSON. */
static int send_change(struct cli *cli, const char *method, const char *path,
                       const struct api_type *type, const void *message, const char *done)
{
    struct api_client client;
    struct buf body = BUF_INIT(API_JSON_MAX_LEN);
    int code = api_client_open(&client, cli);
    if (code != 0)
        return code;
    api_client_name_missing(&client, path, xasprintf("there is no user '%s'", cli->args.words[0]));
    code = api_client_call(&client, method, path, type, message, &body);
    if (code == 0 && !cli->out.json)
        output_line(&cli->out, "%s", done);
    if (code == 0 && cli->out.json) {
        json_t *answer = json_loadb((const char *)buf_data(&body), body.len, 0, NULL);
        json_t *fallback = json_object();
        output_json(&cli->out, answer ? answer : fallback);
        json_decref(fallback);
        json_decref(answer);
    }
    buf_deinit(&body);
    api_client_close(&client);
    return code;
}

static bool copy_option(struct cli *cli, const char *name, char *dst, size_t size)
{
    const char *value = args_value(&cli->args, name);
    return !value || str_copy(dst, size, value);
}

static int run_create(struct cli *cli)
{
    struct api_user_create user = {.role = ROLE_MEMBER};
    struct err err = ERR_INIT;
    const char *role = args_value(&cli->args, "role");
    if (name_parse(NAME_USER, span_of(cli->args.words[0]), user.name, &err) < 0)
        return cli_usage_error(cli, &err);
    if (role)
        role_parse(span_of(role), &user.role);
    if (!copy_option(cli, "email", user.email, sizeof(user.email)) ||
        !copy_option(cli, "display-name", user.display_name, sizeof(user.display_name)))
        return cli_usage(cli, "--email or --display-name is too long");
    int code = new_password_read(cli, "New password: ", user.password);
    if (code != 0)
        return code;
    _cleanup_free_ char *done = xasprintf("User %s (%s) created.", user.name, role_name(user.role));
    code = send_change(cli, "POST", API_PREFIX "/users", &api_user_create_type, &user, done);
    explicit_bzero(&user, sizeof(user));
    return code;
}

static const struct command cmd_create_user = {
    .name = "create",
    .words = "NAME",
    .summary = "Make a user",
    .examples = "adit users create anna --email anna@example.com\n"
                "adit users create bot --password-stdin < password.txt",
    .traits = COMMAND_API | COMMAND_OUTPUT,
    .min_words = 1,
    .max_words = 1,
    .options = create_options,
    .run = run_create,
};

/* ---- delete ---- */

static int run_delete(struct cli *cli)
{
    _cleanup_free_ char *path = NULL;
    int code = user_path(cli, cli->args.words[0], &path);
    if (code != 0)
        return code;
    _cleanup_free_ char *question =
        xasprintf("Delete user %s with all workspaces and tokens?", cli->args.words[0]);
    code = deletion_confirm(cli, question);
    if (code != 0)
        return code;
    _cleanup_free_ char *done = xasprintf("User %s deleted.", cli->args.words[0]);
    return send_change(cli, "DELETE", path, NULL, NULL, done);
}

static const struct command cmd_delete_user = {
    .name = "delete",
    .words = "NAME",
    .summary = "Delete a user",
    .about = "Ends the user's sessions and forwards, and deletes the workspaces and tokens.",
    .traits = COMMAND_API | COMMAND_OUTPUT,
    .min_words = 1,
    .max_words = 1,
    .options = deletion_options,
    .run = run_delete,
};

/* ---- changes ---- */

static int update(struct cli *cli, const struct api_user_update *change, const char *what)
{
    _cleanup_free_ char *path = NULL;
    int code = user_path(cli, cli->args.words[0], &path);
    if (code != 0)
        return code;
    _cleanup_free_ char *done = xasprintf("User %s: %s.", cli->args.words[0], what);
    return send_change(cli, "PATCH", path, &api_user_update_type, change, done);
}

static int run_set_role(struct cli *cli)
{
    struct api_user_update change = {.has_role = true};
    if (role_parse(span_of(cli->args.words[1]), &change.role) < 0)
        return cli_usage(cli, "'%.40s' is not a role: member, auditor or owner",
                         cli->args.words[1]);
    return update(cli, &change, role_name(change.role));
}

static const struct command cmd_set_role = {
    .name = "set-role",
    .words = "NAME member|auditor|owner",
    .summary = "Change what a user is",
    .traits = COMMAND_API | COMMAND_OUTPUT,
    .min_words = 2,
    .max_words = 2,
    .run = run_set_role,
};

static const struct option password_options[] = {
    PASSWORD_STDIN_OPTION,
    {.name = "data-dir",
     .kind = OPTION_VALUE,
     .value = "DIR",
     .help = "On the server's machine, while the server is stopped: work on its data folder in "
             "place of the API, for an administrator whom nobody else can help."},
    {0},
};

/* Without the API. */
static int reset_in_store(struct cli *cli, const char *data_dir, const char *password)
{
    struct err err = ERR_INIT;
    char name[NAME_SIZE];
    if (name_parse(NAME_USER, span_of(cli->args.words[0]), name, &err) < 0)
        return cli_usage_error(cli, &err);
    if (password_check(span_of(password), &err) < 0 ||
        server_password_reset(data_dir, name, span_of(password), &err) < 0)
        return cli_failure(cli, &err);
    if (!cli->out.json) {
        output_line(&cli->out, "User %s: password set, sessions ended.", name);
        return EXIT_CODE_OK;
    }
    json_t *answer = json_pack("{s:s}", "name", name);
    output_json(&cli->out, answer);
    json_decref(answer);
    return EXIT_CODE_OK;
}

static int run_reset_password(struct cli *cli)
{
    struct api_user_update change = {.has_password = true};
    const char *data_dir = args_value(&cli->args, "data-dir");
    int code = new_password_read(cli, "New password: ", change.password);
    if (code == 0)
        code = data_dir ? reset_in_store(cli, data_dir, change.password)
                        : update(cli, &change, "password set, sessions ended");
    explicit_bzero(&change, sizeof(change));
    return code;
}

static const struct command cmd_reset_password = {
    .name = "reset-password",
    .words = "NAME",
    .summary = "Give a user a new password",
    .about = "The user's sessions end; API tokens go on.",
    .examples = "adit users reset-password anna\n"
                "adit users reset-password root --data-dir /var/lib/adit   # the server is stopped",
    .traits = COMMAND_API | COMMAND_OUTPUT,
    .min_words = 1,
    .max_words = 1,
    .options = password_options,
    .run = run_reset_password,
};

static int run_suspend(struct cli *cli)
{
    struct api_user_update change = {.has_suspended = true, .suspended = true};
    return update(cli, &change, "suspended");
}

static const struct command cmd_suspend = {
    .name = "suspend",
    .words = "NAME",
    .summary = "Lock a user out without deleting anything",
    .traits = COMMAND_API | COMMAND_OUTPUT,
    .min_words = 1,
    .max_words = 1,
    .run = run_suspend,
};

static int run_resume(struct cli *cli)
{
    struct api_user_update change = {.has_suspended = true};
    return update(cli, &change, "active again");
}

static const struct command cmd_resume = {
    .name = "resume",
    .words = "NAME",
    .summary = "Let a suspended user in again",
    .traits = COMMAND_API | COMMAND_OUTPUT,
    .min_words = 1,
    .max_words = 1,
    .run = run_resume,
};

static const struct command *const subcommands[] = {
    &cmd_list_users,     &cmd_create_user, &cmd_delete_user, &cmd_set_role,
    &cmd_reset_password, &cmd_suspend,     &cmd_resume,      NULL,
};

const struct command cmd_users = {
    .name = "users",
    .summary = "Manage the users of a deployment (administrators)",
    .examples = "adit users list\nadit users create anna\nadit users set-role anna auditor",
    .subcommands = subcommands,
};
