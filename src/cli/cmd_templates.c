#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/error.h"
#include "api/routes.h"
#include "api/workspace.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/api_client.h"
#include "cli/deletion.h"
#include "cli/item.h"
#include "cli/table.h"
#include "cli/text.h"
#include "io/loop.h"
#include "proto/template_yaml.h"

static int template_path(struct cli *cli, char **ret)
{
    struct err err = ERR_INIT;
    char name[NAME_SIZE];
    if (name_parse(NAME_TEMPLATE, span_of(cli->args.words[0]), name, &err) < 0)
        return cli_usage_error(cli, &err);
    *ret = xasprintf("%s/templates/%s", API_PREFIX, name);
    return 0;
}

static void print_json(struct cli *cli, const struct buf *body)
{
    json_t *value = json_loadb((const char *)buf_data(body), body->len, 0, NULL);
    if (value)
        output_json(&cli->out, value);
    json_decref(value);
}

/* ---- list ---- */

static void print_table(struct output *out, const json_t *templates)
{
    struct table *t = table_new(
        (const char *const[]){"NAME", "VERSION", "PORTS SHARED UP TO", "APPS", "CHANGED", NULL});
    size_t i;
    const json_t *item;
    json_array_foreach(templates, i, item)
    {
        const json_t *policy = json_object_get(item, "policy");
        char version[24], apps[24], changed[TEXT_SIZE];
        usec_t when = item_time(item, "updated_at");
        snprintf(version, sizeof(version), "%lld",
                 (long long)json_integer_value(json_object_get(item, "version")));
        snprintf(apps, sizeof(apps), "%zu", json_array_size(json_object_get(policy, "apps")));
        table_row(t, (const char *const[]){item_text(item, "name"), version,
                                           item_text(policy, "max_port_share_level"), apps,
                                           text_ago(when, clock_realtime(), changed)});
    }
    table_print(t, out);
    table_free(t);
}

static int run_list(struct cli *cli)
{
    return api_client_show_list(cli, API_PREFIX "/templates", "templates", print_table);
}

static const struct command cmd_list_templates = {
    .name = "list",
    .summary = "List the templates",
    .traits = COMMAND_API | COMMAND_OUTPUT,
    .run = run_list,
};

/* ---- show ---- */

/* As it was pushed, so that it can be changed and pushed again. */
static void print_yaml(struct output *out, const char *yaml)
{
    struct span rest = span_of(yaml), line;
    while (span_split(&rest, '\n', &line)) {
        _cleanup_free_ char *text = span_dup(line);
        _cleanup_free_ char *printable = output_printable(text);
        if (rest.p || *printable)
            output_line(out, "%s", printable);
    }
}

static int run_show(struct cli *cli)
{
    _cleanup_free_ char *path = NULL;
    _cleanup_(buf_deinit) struct buf body = BUF_INIT(API_JSON_MAX_LEN);
    struct api_client client;
    int code = template_path(cli, &path);
    if (code == 0)
        code = api_client_open(&client, cli);
    if (code != 0)
        return code;
    code = api_client_call(&client, "GET", path, NULL, NULL, &body);
    if (code == 0 && cli->out.json) {
        print_json(cli, &body);
    } else if (code == 0) {
        json_t *value = json_loadb((const char *)buf_data(&body), body.len, 0, NULL);
        print_yaml(&cli->out, item_text(value, "yaml"));
        json_decref(value);
    }
    api_client_close(&client);
    return code;
}

static const struct command cmd_show_template = {
    .name = "show",
    .words = "NAME",
    .summary = "Show a template as it was pushed",
    .examples = "adit templates show default > default.yaml",
    .traits = COMMAND_API | COMMAND_OUTPUT,
    .min_words = 1,
    .max_words = 1,
    .run = run_show,
};

/* ---- push ---- */

/* The whole file, or standard input for "-". */
static int read_file(const char *name, struct buf *ret, struct err *err)
{
    bool is_stdin = str_eq(name, "-");
    FILE *in = is_stdin ? stdin : fopen(name, "re");
    char piece[8192];
    size_t n;
    int r = 0;
    if (!in)
        return err_sys(err, -errno, "%s cannot be opened", name);
    while (r == 0 && (n = fread(piece, 1, sizeof(piece), in)) > 0)
        r = buf_append(ret, piece, n);
    if (r < 0)
        err_set(err, r, "%s is longer than %d KiB", name, TEMPLATE_YAML_MAX_LEN / 1024);
    else if (ferror(in))
        r = err_sys(err, -errno, "%s cannot be read", name);
    else if (memchr(buf_data(ret), '\0', ret->len) ||
             utf8_count(span_from(buf_data(ret), ret->len)) < 0)
        r = err_set(err, -EINVAL, "%s is no text in UTF-8", name);
    if (!is_stdin)
        fclose(in);
    return r;
}

struct push {
    struct api_client *client;
    const char *file;
    struct buf answer;
    bool done;
    int code;
};

/* "FILE:LINE: KEY: REASON", a line each. False: the answer is about something else. */
static bool print_problems(const struct push *p, struct span body)
{
    struct api_error e;
    bool any = false;
    if (api_error_read(body, API_LENIENT, &e, NULL) < 0)
        return false;
    for (size_t i = 0; i < e.n_fields; i++) {
        if (e.fields[i].line == 0)
            continue;
        _cleanup_free_ char *key = output_printable(e.fields[i].field);
        _cleanup_free_ char *reason = output_printable(e.fields[i].message);
        fprintf(p->client->cli->out.err, "%s:%u: %s%s%s\n", p->file, e.fields[i].line, key,
                *key ? ": " : "", reason);
        any = true;
    }
    api_error_release(&e);
    return any;
}

static void on_pushed(enum api_outcome outcome, struct span body, const struct err *err, void *ud)
{
    struct push *p = ud;
    p->done = true;
    if (outcome == API_DONE)
        p->code = buf_append(&p->answer, body.p, body.len) < 0 ? EXIT_CODE_FAILURE : EXIT_CODE_OK;
    else if (outcome == API_FAILED && print_problems(p, body))
        p->code = EXIT_CODE_FAILURE;
    else
        p->code = api_outcome_print(p->client, outcome, err);
}

static void report_push(struct cli *cli, const struct buf *answer)
{
    if (cli->out.json) {
        print_json(cli, answer);
        return;
    }
    json_t *value = json_loadb((const char *)buf_data(answer), answer->len, 0, NULL);
    long long version = json_integer_value(json_object_get(value, "version"));
    if (version == 1)
        output_line(&cli->out, "Template %s made.", cli->args.words[0]);
    else
        output_line(&cli->out, "Template %s replaced: version %lld. Its workspaces have it now.",
                    cli->args.words[0], version);
    json_decref(value);
}

static int push(struct api_client *c, const char *path, const char *file, struct buf *yaml)
{
    struct api_template_put request = {.yaml = (char *)(uintptr_t)buf_cstr(yaml)};
    struct push p = {.client = c,
                     .file = str_eq(file, "-") ? "(standard input)" : file,
                     .answer = BUF_INIT(API_JSON_MAX_LEN),
                     .code = EXIT_CODE_FAILURE};
    _cleanup_(buf_deinit) struct buf json = BUF_INIT(API_JSON_MAX_LEN);
    if (api_template_put_write(&request, &json) < 0)
        output_error(&c->cli->out, "%s is too long", p.file);
    else if (api_call_start(c, "PUT", path, buf_data(&json), json.len, on_pushed, &p))
        while (!p.done)
            loop_turn(c->loop, true);
    if (p.code == 0)
        report_push(c->cli, &p.answer);
    buf_deinit(&p.answer);
    return p.code;
}

static int run_push(struct cli *cli)
{
    _cleanup_free_ char *path = NULL;
    _cleanup_(buf_deinit) struct buf yaml = BUF_INIT(TEMPLATE_YAML_MAX_LEN);
    struct api_client client;
    struct err err = ERR_INIT;
    int code = template_path(cli, &path);
    if (code == 0 && read_file(cli->args.words[1], &yaml, &err) < 0)
        code = cli_failure(cli, &err);
    if (code == 0)
        code = api_client_open(&client, cli);
    if (code != 0)
        return code;
    code = push(&client, path, cli->args.words[1], &yaml);
    api_client_close(&client);
    return code;
}

static const struct command cmd_push_template = {
    .name = "push",
    .words = "NAME FILE",
    .summary = "Make or replace a template from a YAML file",
    .about = "The file is taken whole or not at all: everything that is wrong is told with its "
             "line and key. A key that is not there has its default; '-' reads standard input.\n"
             "Workspaces made from the template have the new version at once: forwards and shares "
             "that it no longer allows end.\n"
             "Keys: description; max_port_share_level (owner, users, authenticated, public); "
             "forwarding with local, remote, permit_open, permit_listen, public_listen, "
             "unix_sockets, agent_forwarding; cors (simple, passthru); identity_headers; apps, a "
             "list with slug, url, display_name, icon, subdomain, share, order and healthcheck "
             "(url, interval, threshold).",
    .examples = "adit templates push gpu gpu.yaml\n"
                "adit templates show default | adit templates push copy -",
    .traits = COMMAND_API | COMMAND_OUTPUT,
    .min_words = 2,
    .max_words = 2,
    .run = run_push,
};

/* ---- delete ---- */

static int run_delete(struct cli *cli)
{
    _cleanup_free_ char *path = NULL;
    _cleanup_(buf_deinit) struct buf body = BUF_INIT(API_JSON_MAX_LEN);
    struct api_client client;
    int code = template_path(cli, &path);
    if (code != 0)
        return code;
    _cleanup_free_ char *question = xasprintf("Delete template %s?", cli->args.words[0]);
    code = deletion_confirm(cli, question);
    if (code == 0)
        code = api_client_open(&client, cli);
    if (code != 0)
        return code;
    code = api_client_call(&client, "DELETE", path, NULL, NULL, &body);
    if (code == 0 && cli->out.json) {
        json_t *result = json_pack("{s:s}", "template", cli->args.words[0]);
        output_json(&cli->out, result);
        json_decref(result);
    } else if (code == 0) {
        output_line(&cli->out, "Template %s deleted.", cli->args.words[0]);
    }
    api_client_close(&client);
    return code;
}

static const struct command cmd_delete_template = {
    .name = "delete",
    .words = "NAME",
    .summary = "Delete a template that no workspace is made from",
    .traits = COMMAND_API | COMMAND_OUTPUT,
    .min_words = 1,
    .max_words = 1,
    .options = deletion_options,
    .run = run_delete,
};

static const struct command *const subcommands[] = {
    &cmd_list_templates, &cmd_show_template, &cmd_push_template, &cmd_delete_template, NULL,
};

const struct command cmd_templates = {
    .name = "templates",
    .summary = "Manage what workspaces may do, and which apps they bring",
    .examples = "adit templates list\nadit templates show default > gpu.yaml\n"
                "adit templates push gpu gpu.yaml",
    .subcommands = subcommands,
};
