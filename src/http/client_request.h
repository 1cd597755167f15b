#pragma once
/*
 * One request to a URL, from dialling to the last byte of the answer: for the command line and
 * the agent. No cookies; redirects are returned as they are.
 *
 * The environment's HTTPS_PROXY, HTTP_PROXY (lower case wins, http:// only in lower case when
 * REQUEST_METHOD is set), ALL_PROXY and NO_PROXY are honoured: https and upgrades go through
 * CONNECT, plain http in absolute form.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/span.h"
#include "http/headers.h"

struct client_request;
struct loop;
struct stream;
struct tls_context;

struct client_result {
    unsigned status;
    struct headers headers;
    struct span body;
    struct stream *upgraded; /* after 101: the callee's */
};

/*
 * result: 0 and the answer (borrowed, whatever its status), or negative with the reason in `err`:
 * -ETIMEDOUT, -ECONNREFUSED, -ENOENT (no such host), -EPROTO, -EMSGSIZE (body beyond max_body),
 * ... The request is freed afterwards.
 */
typedef void client_request_done_fn(int result, const struct client_result *answer,
                                    const struct err *err, void *ud);
/* A piece of the body of a 2xx answer has come. May cancel the request. */
typedef void client_request_piece_fn(struct span piece, void *ud);

struct client_request_options {
    const char *method;            /* NULL: GET */
    const char *url;               /* http(s):// or ws(s):// */
    const struct headers *headers; /* besides Host and framing; may be NULL; copied */
    const void *body;              /* copied */
    size_t body_len;
    size_t max_body;         /* of the answer; 0: 8 MiB */
    usec_t timeout;          /* for everything; 0: 30 s */
    struct tls_context *tls; /* referenced; NULL: verified by the system's store */
    const char *proxy;       /* NULL: from the environment; "": none; else an http:// URL */
    const char *upgrade;     /* name of the protocol asked for ("websocket"), or NULL */
    bool head_only;          /* `done` as soon as the answer's head is there, without its body */
    /*
     * For bodies that go on: 2xx ones are told in pieces and not collected, and `timeout` is the
     * longest silence.
     */
    client_request_piece_fn *piece;
    client_request_done_fn *done;
    void *ud;
};

/*
 * 0 and *ret, or -EINVAL with a text for a URL or header that cannot be used. `done` never runs
 * inside this call.
 */
int client_request_start(struct loop *loop, const struct client_request_options *options,
                         struct client_request **ret, struct err *err);
/* No callback afterwards. Returns NULL; accepts NULL. */
struct client_request *client_request_cancel(struct client_request *r);
