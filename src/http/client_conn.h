#pragma once
/*
 * The client's end of an HTTP/1.1 connection (RFC 9112) over any stream: one call after another.
 * Answers are as hostile as requests: limits and framing checks are those of server_conn.h, and
 * what could be read in two ways fails the call with -EPROTO.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/clock.h"
#include "base/span.h"
#include "http/headers.h"

struct client_call;
struct client_conn;
struct loop;
struct stream;

/* The peer closed or failed while no call ran: to be freed. May free it. */
typedef void client_conn_closed_fn(struct client_conn *c, void *ud);

/* Every 0 means the default named beside it. */
struct client_conn_options {
    size_t max_header_bytes;       /* 32 KiB with the status line */
    size_t max_header_count;       /* 100 */
    usec_t head_timeout;           /* from the request's last byte to the final head; 0: for ever */
    usec_t idle_timeout;           /* without a byte of a body that is waited for; 0: for ever */
    client_conn_closed_fn *closed; /* may be NULL */
    void *ud;
};

/* Takes over the stream. Options are copied. */
struct client_conn *client_conn_new(struct loop *loop, struct stream *s,
                                    const struct client_conn_options *options);
/* Closes at once and frees a running call, without callbacks. Returns NULL; accepts NULL. */
struct client_conn *client_conn_free(struct client_conn *c);
/* No call runs, the last one ended in order, and the peer keeps the connection open. */
bool client_conn_is_idle(const struct client_conn *c);

/*
 * result 0: the head of the final answer is complete (client_call_response()). Negative: there
 * will be none: -EPROTO, -ETIMEDOUT, -ECONNRESET (the peer closed before the first byte of an
 * answer: on a connection used before, a call without a body may be tried again on a fresh one),
 * or the failure. The call still has to be freed. May free the call.
 */
typedef void client_head_fn(struct client_call *call, int result, void *ud);
/* An interim answer (1xx but 101). The fields live until it returns. */
typedef void client_interim_fn(struct client_call *call, unsigned status,
                               const struct headers *fields, void *ud);
/* As stream_ready_fn. */
typedef void client_ready_fn(struct client_call *call, unsigned events, void *ud);

struct client_call_options {
    struct span method;
    struct span target; /* sent as it is */
    /*
     * Sent in order with their spelling, Host among them. Content-Length and Transfer-Encoding
     * are left out and set by `body_length`. Borrowed for the call only.
     */
    const struct headers *headers;
    /* 0: no body (and no field about it); BODY_UNKNOWN: chunked; otherwise its bytes. */
    int64_t body_length;
    bool send_zero_length; /* with body_length 0: say `Content-Length: 0` */

    client_head_fn *head;
    client_interim_fn *interim; /* may be NULL */
    client_ready_fn *ready;     /* may be NULL */
    void *ud;
};

/*
 * Starts a call on an idle connection and sends its head. *ret is owned by the caller, who frees
 * it before the connection. 0; -EINVAL: method, target or fields that cannot be sent; -EBUSY: not
 * idle. Callbacks never run inside this call.
 */
int client_conn_call(struct client_conn *c, const struct client_call_options *options,
                     struct client_call **ret);
/*
 * Ends the call. If both bodies are complete the connection is idle again; otherwise it is
 * broken and only to be freed. Returns NULL; accepts NULL.
 */
struct client_call *client_call_free(struct client_call *call);

struct client_response {
    unsigned status;
    struct span reason;
    unsigned minor;         /* HTTP/1.minor */
    struct headers headers; /* as received */
    int64_t length;         /* of the body: BODY_UNKNOWN, or its bytes (0: none) */
    int64_t content_length; /* as the field says, also for HEAD and 304; -1: no such field */
};
/* Valid from `head` until client_call_free(). */
const struct client_response *client_call_response(const struct client_call *call);

/*
 * Bytes of the request's body: >= 1 taken, -EAGAIN, -EMSGSIZE: beyond body_length, or the failure.
 * A server may answer and close before it has read all: after a failure here (-EPIPE) the answer
 * may still come, and `head` is called in any case.
 */
ssize_t client_call_send(struct client_call *call, const struct iovec *iov, int n_iov);
ssize_t client_call_send_bytes(struct client_call *call, const void *data, size_t len);
/* Ends the request's body; trailers may be NULL. 0; -EINVAL: bytes of body_length are missing. */
int client_call_end(struct client_call *call, const struct headers *trailers);

/* Bytes of the answer's body, after `head`: > 0, 0 at its end, -EAGAIN, -EPROTO, failure. */
ssize_t client_call_recv(struct client_call *call, void *data, size_t len);
/* Without a copy: valid until consume or another call. */
ssize_t client_call_peek(struct client_call *call, const void **ret_data);
void client_call_consume(struct client_call *call, size_t len);
/* Empty until recv has returned 0. */
const struct headers *client_call_trailers(const struct client_call *call);

/* Sets what is waited for: 0 or STREAM_READ | STREAM_WRITE. Before `head` no READ is reported. */
void client_call_want(struct client_call *call, unsigned events);

/*
 * After a 101 answer (or 2xx to CONNECT): takes the stream out, bytes already read first. The
 * call and the (now empty) connection are freed by their owner as usual.
 */
struct stream *client_call_upgrade(struct client_call *call);
