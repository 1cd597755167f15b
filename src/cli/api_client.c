#include "cli/api_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/error.h"
#include "api/routes.h"
#include "api/user.h"
#include "base/arena.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "cli/credentials.h"
#include "cli/spinner.h"
#include "cli/workspace_missing.h"
#include "http/client_request.h"
#include "io/loop.h"
#include "io/tls.h"
#include "model/id.h"

struct api_call {
    struct api_client *client;
    struct client_request *request;
    api_answered_fn *answered;
    api_piece_fn *piece; /* NULL: the body is collected */
    void *ud;
};

/* ---- which deployment, which log-in ---- */

int api_client_open_url(struct api_client *c, struct cli *cli, const char *url)
{
    struct err err = ERR_INIT;
    *c = (struct api_client){.cli = cli};
    if (credentials_url(url, &c->url, &err) < 0)
        return cli_usage_error(cli, &err);
    struct tls_client_options tls = {.ca_file = args_value(&cli->args, "ca-file")};
    if (tls_context_client(&tls, &c->tls, &err) < 0) {
        api_client_close(c);
        return cli_failure(cli, &err);
    }
    c->loop = loop_new();
    return 0;
}

static int not_logged_in(struct cli *cli, const char *url)
{
    if (url)
        output_error(&cli->out, "not logged in to %s", url);
    else
        output_error(&cli->out, "not logged in");
    output_hint(&cli->out, "log in with: adit login %s", url ? url : "URL");
    return EXIT_CODE_NOT_ALLOWED;
}

/* Without a log-in there is none. */
static void take_token(struct api_client *c, const struct credentials *known)
{
    const char *from_env = getenv("ADIT_TOKEN");
    if (from_env && *from_env) {
        c->token = secret_new(from_env, strlen(from_env));
        c->token_from_env = true;
        return;
    }
    const struct credential *found = credentials_find(known, c->url);
    if (!found)
        return;
    c->token = secret_new(found->token->text, found->token->len);
    c->username = found->username[0] ? xstrdup(found->username) : NULL;
}

int api_client_open_anyhow(struct api_client *c, struct cli *cli)
{
    struct credentials known;
    struct err err = ERR_INIT;
    *c = (struct api_client){.cli = cli};
    if (credentials_load(&known, &err) < 0)
        return cli_failure(cli, &err);
    const char *url = args_value(&cli->args, "url");
    if (!url)
        url = known.current;
    int code = url ? api_client_open_url(c, cli, url) : not_logged_in(cli, NULL);
    if (code == 0)
        take_token(c, &known);
    credentials_deinit(&known);
    return code;
}

int api_client_open(struct api_client *c, struct cli *cli)
{
    int code = api_client_open_anyhow(c, cli);
    if (code == 0 && !c->token) {
        code = not_logged_in(cli, c->url);
        api_client_close(c);
    }
    return code;
}

static void set_about(struct api_client *c, const char *path, char *missing)
{
    free(c->about_path);
    free(c->missing);
    c->about_path = path ? xstrdup(path) : NULL;
    c->missing = missing;
}

void api_client_name_missing(struct api_client *c, const char *path, char *missing)
{
    set_about(c, path, missing);
}

void api_client_close(struct api_client *c)
{
    free(c->url);
    free(c->username);
    set_about(c, NULL, NULL);
    secret_free(c->token);
    tls_context_unref(c->tls);
    if (c->loop)
        loop_free(c->loop);
    *c = (struct api_client){0};
}

/* ---- one call ---- */

/* Sentences of the API stand as parts of lines here: without a full stop behind the last. */
static void append_sentence(struct buf *text, const char *sentence)
{
    struct span s = span_of(sentence);
    if (text->len > 0)
        buf_append_str(text, ". ");
    buf_append(text, s.p, span_ends(s, ".") ? s.len - 1 : s.len);
}

/*
 * "MESSAGE. DETAIL" of an error body, or in their place what is wrong with its fields, of several
 * as "FIELD: MESSAGE; ..."; the bare status if the body is none of ours.
 */
static void read_error(unsigned status, struct span body, struct err *err)
{
    struct api_error e;
    if (api_error_read(body, API_LENIENT, &e, NULL) < 0) {
        err_set(err, -EPROTO, "the server answered with status %u", status);
        return;
    }
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(480);
    bool is_the_field = e.n_fields == 1 && e.message && str_eq(e.message, e.fields[0].message);
    if (e.n_fields == 0 || is_the_field)
        append_sentence(&text, e.message ? e.message : "the server refused");
    if (e.n_fields == 0 && e.detail)
        append_sentence(&text, e.detail);
    for (size_t i = 0; !is_the_field && i < e.n_fields && i < 4; i++)
        buf_appendf(&text, "%s%s: %s", i ? "; " : "", e.fields[i].field, e.fields[i].message);
    err_set(err, status == 404 ? -ENOENT : -EACCES, "%s", buf_cstr(&text));
    api_error_release(&e);
}

static enum api_outcome outcome_of(unsigned status)
{
    if (status / 100 == 2)
        return API_DONE;
    if (status == 401 || status == 403)
        return API_DENIED;
    return status == 429 || status >= 500 ? API_AWAY : API_FAILED;
}

static void on_answer(int result, const struct client_result *answer, const struct err *err,
                      void *ud)
{
    struct api_call *call = ud;
    struct err reason = ERR_INIT;
    enum api_outcome outcome = API_AWAY;
    if (result < 0) {
        err_set(&reason, result, "%s cannot be reached: %s", call->client->url, err->text);
    } else {
        outcome = outcome_of(answer->status);
        if (outcome != API_DONE)
            read_error(answer->status, answer->body, &reason);
        if (answer->status == 401)
            reason.code = -ENOKEY;
    }
    struct api_call done = *call;
    free(call);
    done.answered(outcome, result < 0 ? SPAN_NULL : answer->body, &reason, done.ud);
}

static void add_headers(const struct api_client *c, bool with_body, struct headers *headers)
{
    headers_add(headers, "User-Agent", "adit/" ADIT_VERSION);
    headers_add(headers, "Accept", "application/json");
    if (with_body)
        headers_add(headers, "Content-Type", "application/json");
    if (c->token)
        headers_addf(headers, "Authorization", "Bearer %s", c->token->text);
}

static void on_piece(struct span piece, void *ud)
{
    struct api_call *call = ud;
    call->piece(piece, call->ud);
}

static struct api_call *start_call(const struct api_call *as, const char *method, const char *path,
                                   const void *body, size_t body_len)
{
    struct api_client *c = as->client;
    struct api_call *call = xmemdup(as, sizeof(*as));
    struct err err = ERR_INIT;
    struct arena arena;
    struct headers headers;
    arena_init(&arena, 2 * HEADERS_MAX_BYTES);
    headers_init(&headers, &arena, 0, 0);
    add_headers(c, body_len > 0, &headers);
    _cleanup_free_ char *url = xasprintf("%s%s", c->url, path);
    struct client_request_options options = {
        .method = method,
        .url = url,
        .headers = &headers,
        .body = body,
        .body_len = body_len,
        .max_body = API_JSON_MAX_LEN,
        .timeout = as->piece ? API_STREAM_SILENCE_SEC * USEC_PER_SEC : 0,
        .tls = c->tls,
        .piece = as->piece ? on_piece : NULL,
        .done = on_answer,
        .ud = call,
    };
    int r = client_request_start(c->loop, &options, &call->request, &err);
    arena_deinit(&arena);
    if (r < 0) {
        output_error(&c->cli->out, "%s", err.text);
        free(call);
        return NULL;
    }
    return call;
}

struct api_call *api_call_start(struct api_client *c, const char *method, const char *path,
                                const void *body, size_t body_len, api_answered_fn *answered,
                                void *ud)
{
    const struct api_call call = {.client = c, .answered = answered, .ud = ud};
    return start_call(&call, method, path, body, body_len);
}

struct api_call *api_call_stream(struct api_client *c, const char *path, api_piece_fn *piece,
                                 api_answered_fn *answered, void *ud)
{
    const struct api_call call = {.client = c, .piece = piece, .answered = answered, .ud = ud};
    return start_call(&call, "GET", path, NULL, 0);
}

struct api_call *api_call_cancel(struct api_call *call)
{
    if (!call)
        return NULL;
    client_request_cancel(call->request);
    free(call);
    return NULL;
}

void api_client_invalid(const struct api_client *c, struct err *err, char **ret_hint)
{
    err_set(err, -ENOKEY, "the %s %s is not valid, or not any longer",
            c->token_from_env ? "token in ADIT_TOKEN for" : "log-in to", c->url);
    *ret_hint = c->token_from_env ? xstrdup("make one where you are logged in: adit tokens create")
                                  : xasprintf("log in with: adit login %s", c->url);
}

int api_outcome_print(struct api_client *c, enum api_outcome outcome, const struct err *err)
{
    struct output *out = &c->cli->out;
    if (outcome == API_DENIED && err->code == -ENOKEY && c->token) {
        struct err invalid = ERR_INIT;
        _cleanup_free_ char *hint = NULL;
        api_client_invalid(c, &invalid, &hint);
        output_error(out, "%s", invalid.text);
        output_hint(out, "%s", hint);
        return EXIT_CODE_NOT_ALLOWED;
    }
    output_error(out, "%s", err->text);
    return outcome == API_DENIED ? EXIT_CODE_NOT_ALLOWED : EXIT_CODE_FAILURE;
}

/* ---- calls that wait ---- */

struct waiting {
    struct buf *body;
    enum api_outcome outcome;
    struct err err; /* unless API_DONE */
    bool done;
};

static void on_waited(enum api_outcome outcome, struct span body, const struct err *err, void *ud)
{
    struct waiting *w = ud;
    w->done = true;
    w->outcome = outcome;
    if (outcome != API_DONE) {
        w->err = *err;
    } else if (buf_append(w->body, body.p, body.len) < 0) {
        w->outcome = API_FAILED;
        err_set(&w->err, -EMSGSIZE, "the server's answer is too large");
    }
}

/* `w` has the outcome; or the error has been printed and the exit code is returned. */
static int wait_for_answer(struct api_client *c, const char *method, const char *path,
                           const struct buf *request, struct waiting *w)
{
    struct spinner spinner;
    if (!api_call_start(c, method, path, request ? buf_data(request) : NULL,
                        request ? request->len : 0, on_waited, w))
        return EXIT_CODE_FAILURE;
    spinner_start(&spinner, c->loop, &c->cli->out, "waiting for the server");
    while (!w->done)
        loop_turn(c->loop, true);
    spinner_stop(&spinner);
    return 0;
}

/* Of a workspace with what the name may have been meant for. */
static int print_missing(struct api_client *c)
{
    if (c->missing) {
        output_error(&c->cli->out, "%s", c->missing);
        return EXIT_CODE_FAILURE;
    }
    _cleanup_(buf_deinit) struct buf body = BUF_INIT(API_JSON_MAX_LEN);
    struct waiting w = {.body = &body};
    struct err missing = ERR_INIT;
    int code = wait_for_answer(c, "GET", API_PREFIX "/workspaces", NULL, &w);
    if (code != 0)
        return code;
    workspace_missing_error(&c->about, &missing);
    _cleanup_free_ char *hint = workspace_missing_hint(
        &c->about, c->username ? c->username : "",
        w.outcome == API_DONE ? span_from(buf_data(&body), body.len) : SPAN_NULL);
    output_error(&c->cli->out, "%s", missing.text);
    output_hint(&c->cli->out, "%s", hint);
    return EXIT_CODE_FAILURE;
}

static int call_raw(struct api_client *c, const char *method, const char *path,
                    const struct buf *request, struct buf *ret_body)
{
    struct waiting w = {.body = ret_body};
    int code = wait_for_answer(c, method, path, request, &w);
    if (code != 0 || w.outcome == API_DONE)
        return code;
    if (w.outcome == API_FAILED && w.err.code == -ENOENT && c->about_path &&
        str_eq(path, c->about_path))
        return print_missing(c);
    return api_outcome_print(c, w.outcome, &w.err);
}

int api_client_call(struct api_client *c, const char *method, const char *path,
                    const struct api_type *request_type, const void *request, struct buf *ret_body)
{
    struct buf json = BUF_INIT(API_JSON_MAX_LEN);
    int code = EXIT_CODE_FAILURE;
    if (request && api_write(request_type, request, &json) < 0)
        output_error(&c->cli->out, "the request is too large");
    else
        code = call_raw(c, method, path, request ? &json : NULL, ret_body);
    buf_wipe(&json);
    return code;
}

int api_client_call_typed(struct api_client *c, const char *method, const char *path,
                          const struct api_type *request_type, const void *request,
                          const struct api_type *answer_type, void *ret)
{
    struct buf body = BUF_INIT(API_JSON_MAX_LEN);
    struct api_problem problem;
    int code = api_client_call(c, method, path, request_type, request, &body);
    struct span text = span_from(buf_data(&body), body.len);
    if (code == 0 && api_read(answer_type, text, API_LENIENT, ret, &problem) < 0) {
        output_error(&c->cli->out, "the server's answer is not understood: %s", problem.message);
        code = EXIT_CODE_FAILURE;
    }
    buf_wipe(&body);
    return code;
}

/* Adds one page's items to `all`; *ret_next: the id to go on from, "" at the end. */
static int take_page(const struct buf *body, const char *member, json_t *all,
                     char ret_next[static ID_TEXT_SIZE])
{
    json_t *page = json_loadb((const char *)buf_data(body), body->len, 0, NULL);
    json_t *items = json_object_get(page, member);
    const char *next = json_string_value(json_object_get(page, "next"));
    int r = json_is_array(items) ? json_array_extend(all, items) : -1;
    str_copy(ret_next, ID_TEXT_SIZE, next ? next : "");
    json_decref(page);
    return r;
}

int api_client_list(struct api_client *c, const char *path, const char *member, json_t **ret)
{
    char next[ID_TEXT_SIZE] = "";
    json_t *all = json_array();
    int code = EXIT_CODE_OK;
    do {
        _cleanup_(buf_deinit) struct buf body = BUF_INIT(API_JSON_MAX_LEN);
        _cleanup_free_ char *page_path =
            *next ? xasprintf("%s?after=%s", path, next) : xstrdup(path);
        code = api_client_call(c, "GET", page_path, NULL, NULL, &body);
        if (code == 0 && take_page(&body, member, all, next) < 0) {
            output_error(&c->cli->out, "the server's answer is not understood");
            code = EXIT_CODE_FAILURE;
        }
    } while (code == 0 && *next);
    if (code != 0) {
        json_decref(all);
        return code;
    }
    *ret = all;
    return 0;
}

int api_client_show_list(struct cli *cli, const char *path, const char *member,
                         api_client_print_fn *print)
{
    struct api_client client;
    json_t *items = NULL;
    int code = api_client_open(&client, cli);
    if (code != 0)
        return code;
    code = api_client_list(&client, path, member, &items);
    if (code == 0 && cli->out.json)
        output_json(&cli->out, items);
    else if (code == 0)
        print(&cli->out, items);
    json_decref(items);
    api_client_close(&client);
    return code;
}

int api_client_username(struct api_client *c, const char **ret)
{
    if (!c->username) {
        struct api_me me;
        int code = api_client_call_typed(c, "GET", API_PREFIX "/me", NULL, NULL, &api_me_type, &me);
        if (code != 0)
            return code;
        c->username = xstrdup(me.user.name);
        api_me_release(&me);
    }
    *ret = c->username;
    return 0;
}

int api_client_workspace_path(struct api_client *c, const struct workspace_ref *ref, char **ret)
{
    const char *owner = ref->owner;
    int code = *owner ? 0 : api_client_username(c, &owner);
    if (code != 0)
        return code;
    *ret = xasprintf("%s/workspaces/%s/%s", API_PREFIX, owner, ref->workspace);
    set_about(c, *ret, NULL);
    c->about = *ref;
    return 0;
}
