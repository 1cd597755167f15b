#pragma once
/*
 * One request and its answer on a server connection (server_conn.h).
 *
 * An exchange lives until its handler ends it, exactly once, by exchange_respond(), exchange_end(),
 * exchange_upgrade() or exchange_abort(); afterwards the pointer is gone. If the peer goes away
 * before that, sending fails and `gone` is called, and the exchange still has to be ended.
 *
 *     headers_set(&x->response, "Content-Type", "text/plain");
 *     exchange_respond(x, 200, "hello\n", 6);
 *
 * Bodies move as on a stream (io/stream.h): recv and send do what is possible now or return
 * -EAGAIN; after exchange_want() the `ready` callback says when to try again. Nothing is read from
 * the socket unless the handler reads, so that a slow handler stops the sender.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/arena.h"
#include "base/span.h"
#include "http/headers.h"

struct addr;
struct exchange;
struct server_conn;
struct stream;

enum { EXCHANGE_ARENA_MAX = 256 * 1024 };

/* For handlers to read; only `response` and `ud` are theirs to change. */
struct exchange {
    struct server_conn *conn;
    struct arena arena;      /* memory that ends with the exchange; at most EXCHANGE_ARENA_MAX */
    struct span method;      /* "GET": any token, case-sensitive */
    struct span target;      /* as it came: "/a/b?c", "*", "host:port", "http://h/a?b" */
    struct span path;        /* of origin and absolute form, still encoded; otherwise empty */
    struct span query;       /* behind '?', still encoded; p is NULL when there is no '?' */
    struct span host;        /* value of Host (or what CONNECT names); empty: HTTP/1.0 without */
    unsigned minor;          /* HTTP/1.minor: 0 or 1 */
    struct headers headers;  /* as received */
    struct headers response; /* what the answer will carry; framing fields are added by itself */
    void *ud;                /* the handler's own */
};

const struct addr *exchange_peer(const struct exchange *x);
bool exchange_is_tls(const struct exchange *x);
/* The request asks to leave HTTP: `Connection: upgrade` and an Upgrade field (or is CONNECT). */
bool exchange_wants_upgrade(const struct exchange *x);

/* STREAM_READ and STREAM_WRITE of what was wanted are possible now; level-triggered. */
typedef void exchange_ready_fn(struct exchange *x, unsigned events, void *ud);
/*
 * The peer is gone before the answer was complete. reason 0: it has ended its sending direction
 * (most went away; it may still read the answer); negative: the connection failed. At most once
 * each. May end the exchange.
 */
typedef void exchange_gone_fn(struct exchange *x, int reason, void *ud);

/* Either may be NULL. May be changed at any time. */
void exchange_set_callbacks(struct exchange *x, exchange_ready_fn *ready, exchange_gone_fn *gone,
                            void *ud);
/* Sets (not adds) what the handler waits for: 0 or STREAM_READ | STREAM_WRITE. */
void exchange_want(struct exchange *x, unsigned events);

/*
 * The request's body, decoded. The first read sends 100 (Continue) if the client waits for it.
 * > 0: bytes; 0: the end, trailers are there; -EAGAIN; -EPROTO: broken framing or cut short;
 * -ETIMEDOUT: body_timeout passed; other: the connection failed.
 */
ssize_t exchange_recv(struct exchange *x, void *data, size_t len);
/* The same without a copy: valid until consume or another call on this exchange. */
ssize_t exchange_peek(struct exchange *x, const void **ret_data);
void exchange_consume(struct exchange *x, size_t len);
/* -1: chunked, the length is not known; otherwise all bytes of the body, 0: it has none. */
int64_t exchange_body_length(const struct exchange *x);
/* Trailer fields of the request (RFC 9110 section 6.5); empty until recv has returned 0. */
const struct headers *exchange_trailers(const struct exchange *x);

/*
 * Collects the body. result: 0 and the body (borrowed during the call); -EMSGSIZE: more than
 * `max`; -ETIMEDOUT: not complete within body_timeout; -EPROTO; other: the connection failed.
 * After a failure the handler answers with exchange_status_of(result). Replaces the callbacks
 * set above. Never called inside exchange_read_all(). Ending the exchange cancels it.
 */
typedef void exchange_body_fn(struct exchange *x, int result, struct span body, void *ud);
void exchange_read_all(struct exchange *x, size_t max, exchange_body_fn *done, void *ud);
/* 413, 408 or 400. */
unsigned exchange_status_of(int result);

/* Answers with x->response and these bytes (copied), and ends the exchange. */
void exchange_respond(struct exchange *x, unsigned status, const void *body, size_t len);
/* The same for bytes that live as long as the program (an embedded file): they are not copied. */
void exchange_respond_static(struct exchange *x, unsigned status, const void *body, size_t len);

/* An interim answer, 102-199 but 101, at any time before the final one. 0 or the failure. */
int exchange_inform(struct exchange *x, unsigned status, const struct headers *fields);

/*
 * Sends the head. `length`: bytes of the body, or BODY_UNKNOWN: as long as it turns out (chunked in
 * HTTP/1.1). For answers that have no body (HEAD, 204, 304) what is sent afterwards is
 * dropped; HEAD and 304 still tell `length` if it is >= 0. Framing fields in x->response are
 * dropped. 0; -EINVAL: not a final status; -ENOBUFS; or the failure. End the exchange then.
 */
int exchange_start(struct exchange *x, unsigned status, int64_t length);
/* Bytes of the body taken (>= 1), -EAGAIN, -EMSGSIZE: beyond `length`, or the failure. */
ssize_t exchange_send(struct exchange *x, const struct iovec *iov, int n_iov);
ssize_t exchange_send_bytes(struct exchange *x, const void *data, size_t len);
/*
 * Ends the answer and with it the exchange. trailers: NULL, or fields sent behind a chunked body
 * (dropped otherwise). When bytes of `length` are missing the connection is cut instead, so that
 * the peer notices.
 */
void exchange_end(struct exchange *x, const struct headers *trailers);

/* Cuts the connection: the peer sees an incomplete answer. Ends the exchange. */
void exchange_abort(struct exchange *x);

/*
 * `s`: what follows the head in both directions, bytes already read first; the callee's. NULL
 * when the connection failed before the head was sent (result < 0).
 */
typedef void exchange_upgraded_fn(struct stream *s, int result, void *ud);
/*
 * Leaves HTTP: answers 101 (or 2xx to CONNECT) with x->response, ends the exchange and the
 * connection, and hands over the stream. A request with a body cannot be upgraded: -EINVAL, and
 * the exchange goes on. `done` never runs inside this call.
 */
int exchange_upgrade(struct exchange *x, unsigned status, exchange_upgraded_fn *done, void *ud);
