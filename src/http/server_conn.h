#pragma once
/*
 * The server's end of an HTTP/1.1 or 1.0 connection (RFC 9112) over any stream. It reads one
 * request at a time; the handler is called when a request's head is complete and has passed all
 * checks, and answers through the exchange (exchange.h), at once or later. Pipelined requests wait
 * in the socket and in a bounded buffer until their turn.
 *
 * What could be read in two ways (request smuggling) is answered 400 and the connection closes:
 * repeated or conflicting Content-Length, Content-Length with Transfer-Encoding, any
 * Transfer-Encoding but one `chunked` in HTTP/1.1, obs-fold, bare CR or LF, control characters,
 * space before a colon, bad names, a missing, repeated or invalid Host, an absolute target whose
 * host is not that of Host, bad chunk sizes.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"
#include "io/addr.h"

struct exchange;
struct loop;
struct server_conn;
struct stream;

/*
 * A request has come: `x` is valid until the handler ends it (exchange.h); end each exactly once.
 * Never called inside another function of this header or of exchange.h. The connection may be
 * detached in here.
 */
typedef void exchange_fn(struct exchange *x, void *ud);
/*
 * The connection is over and its stream closed or handed over (upgrade); forget the pointer.
 * Not called after server_conn_free() and not while the connection is detached.
 */
typedef void server_conn_closed_fn(struct server_conn *c, void *ud);

/*
 * How many heads were refused before a handler saw them, by status: refused[400 - 400] …. For any
 * number of connections on any threads.
 */
enum { HTTP_REFUSED_FIRST = 400, HTTP_REFUSED_COUNT = 112 };
struct http_refusals {
    atomic_uint_fast64_t refused[HTTP_REFUSED_COUNT];
};

/* Every 0 means the default named beside it. */
struct server_conn_options {
    size_t max_request_line;        /* 16 KiB, beyond it 414 */
    size_t max_header_bytes;        /* 32 KiB, beyond it 431 */
    size_t max_header_count;        /* 100, beyond it 431 */
    usec_t header_timeout;          /* 10 s from the first byte of a head to its end, then 408 */
    usec_t body_timeout;            /* 30 s without a byte of a body that the handler waits for */
    usec_t send_timeout;            /* 5 min without the peer taking a byte of an answer */
    usec_t idle_timeout;            /* 75 s between requests (and before the first) */
    unsigned max_requests;          /* 10,000 on one connection */
    bool allow_connect;             /* hand CONNECT to the handler; otherwise 405 */
    bool tls;                       /* what lies below is TLS; for exchange_is_tls() */
    struct addr peer;               /* for exchange_peer() */
    struct http_refusals *refusals; /* is counted up; NULL: nothing is. Borrowed */

    exchange_fn *handler;
    server_conn_closed_fn *closed; /* may be NULL */
    void *ud;
};

/* Takes over the stream (TLS: after the handshake). Options are copied. */
struct server_conn *server_conn_new(struct loop *loop, struct stream *s,
                                    const struct server_conn_options *options);
/*
 * Closes at once. A running exchange stays valid until its handler ends it; its `gone` is called
 * with -ECANCELED, not inside this call. Returns NULL; accepts NULL.
 */
struct server_conn *server_conn_free(struct server_conn *c);

/*
 * Finishes the request that is being answered, if any, with `Connection: close`, and then closes;
 * closes at once between requests.
 */
void server_conn_drain(struct server_conn *c);

/*
 * Moves a connection, with its exchange if there is one, to another loop (DESIGN section 12):
 * detach on the old loop's thread, hand the pointers over (loop_post), attach on the new one's,
 * and answer there. Possible while no exchange runs, and in or after the handler (but not inside
 * `ready` or `gone`) as long as the exchange has not been answered and nothing was read of its
 * body. 0; -EBUSY: none of these; -ENOTSUP: the stream cannot move. server_conn_free() of a
 * detached connection frees its exchange too.
 */
int server_conn_detach(struct server_conn *c);
/* Who is told from now on: the callbacks and `ud` of server_conn_options. */
void server_conn_attach(struct server_conn *c, struct loop *loop, exchange_fn *handler,
                        server_conn_closed_fn *closed, void *ud);
