#pragma once
/*
 * Calls of the deployment's API from a command: find the deployment and the log-in, ask, and turn
 * what goes wrong into one line and an exit code.
 */
#include <stdbool.h>

#include "api/type.h"
#include "base/buf.h"
#include "base/secret.h"
#include "cli/cli.h"
#include "model/name.h"
#include "model/workspace_ref.h"

struct loop;
struct tls_context;

struct api_client {
    struct cli *cli;
    struct loop *loop;
    char *url;            /* origin */
    char *username;       /* of the log-in; NULL: not known yet */
    struct secret *token; /* NULL: none */
    bool token_from_env;
    struct tls_context *tls;
    /* A 404 of just this path is told as `missing`, or as the workspace that is not there. */
    char *about_path;
    char *missing; /* NULL: `about` */
    struct workspace_ref about;
};

/*
 * The deployment of --url, ADIT_URL or the current log-in, with the token of ADIT_TOKEN or the
 * log-in. 0; otherwise the error has been printed and the exit code is returned.
 */
int api_client_open(struct api_client *c, struct cli *cli);
/* The same also for who is not logged in: `token` is NULL then. */
int api_client_open_anyhow(struct api_client *c, struct cli *cli);
/* As above for a given URL and without a token: for logging in. */
int api_client_open_url(struct api_client *c, struct cli *cli, const char *url);
void api_client_close(struct api_client *c);

/*
 * Asks and waits, with a spinner. `request` (NULL: none) is a message of type `request_type`. The
 * answer's body is in *ret_body (given with a ceiling of API_JSON_MAX_LEN).
 * 0; otherwise the error has been printed and the exit code is returned.
 */
int api_client_call(struct api_client *c, const char *method, const char *path,
                    const struct api_type *request_type, const void *request, struct buf *ret_body);
/* The same with the answer read into `ret` (release it with api_release). */
int api_client_call_typed(struct api_client *c, const char *method, const char *path,
                          const struct api_type *request_type, const void *request,
                          const struct api_type *answer_type, void *ret);
/* GET of a list: all its pages, as one array of the items in `member`. Decref *ret. */
int api_client_list(struct api_client *c, const char *path, const char *member, json_t **ret);

/* The items that a list command shows, as a table. */
typedef void api_client_print_fn(struct output *out, const json_t *items);
/* A whole command that shows such a list: by `print`, or as JSON. Returns the exit code. */
int api_client_show_list(struct cli *cli, const char *path, const char *member,
                         api_client_print_fn *print);

/* The name of the user of the token; asks the server where it is not known. */
int api_client_username(struct api_client *c, const char **ret);
/* What there is to say where the token is not valid. The caller frees *ret_hint. */
void api_client_invalid(const struct api_client *c, struct err *err, char **ret_hint);

/*
 * `missing`, which is taken: what a call of this path says if there is no such thing. Counts
 * instead of what counted before.
 */
void api_client_name_missing(struct api_client *c, const char *path, char *missing);
/*
 * "/api/v1/workspaces/OWNER/NAME" of a reference, the owner filled in. The caller frees *ret. A
 * call of just this path names the workspace if there is none, and another one that may be meant.
 */
int api_client_workspace_path(struct api_client *c, const struct workspace_ref *ref, char **ret);

/* ---- for commands that have their own loop to run ---- */

enum api_outcome {
    API_DONE,
    API_AWAY,   /* the server cannot be reached or is not well: trying again makes sense */
    API_DENIED, /* 401, 403 */
    API_FAILED, /* any other answer that is no success, 404 among them */
};
/* `body` and `err` are borrowed. */
typedef void api_answered_fn(enum api_outcome outcome, struct span body, const struct err *err,
                             void *ud);
struct api_call;
struct api_call *api_call_start(struct api_client *c, const char *method, const char *path,
                                const void *body, size_t body_len, api_answered_fn *answered,
                                void *ud);
/* A piece of the body has come; borrowed. May cancel the call. */
typedef void api_piece_fn(struct span piece, void *ud);
/*
 * GET of what goes on, such as events: its body is told in pieces. `answered` says how it ended;
 * after API_STREAM_SILENCE_SEC without a byte: API_AWAY.
 */
enum { API_STREAM_SILENCE_SEC = 45 };
struct api_call *api_call_stream(struct api_client *c, const char *path, api_piece_fn *piece,
                                 api_answered_fn *answered, void *ud);
/* No callback afterwards. Returns NULL; accepts NULL. */
struct api_call *api_call_cancel(struct api_call *call);
/* Prints the error of an outcome, with a hint. Returns the exit code. */
int api_outcome_print(struct api_client *c, enum api_outcome outcome, const struct err *err);
