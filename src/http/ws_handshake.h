#pragma once
/* The opening handshake of WebSocket over HTTP/1.1 (RFC 6455 section 4), version 13. */
#include <stdbool.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/span.h"
#include "http/exchange.h"
#include "http/headers.h"

struct client_result;
struct loop;
struct stream;
struct tls_context;

enum { WS_KEY_SIZE = 25, WS_ACCEPT_SIZE = 29 };

/* A fresh Sec-WebSocket-Key. */
void ws_make_key(char ret_key[static WS_KEY_SIZE]);
/* The Sec-WebSocket-Accept that belongs to a key. */
void ws_accept_of(struct span key, char ret_accept[static WS_ACCEPT_SIZE]);

/*
 * Server: 0 when `x` is a correct handshake that offers `subprotocol` (NULL: any or none).
 * Otherwise the status to answer with: 400, or 426 (Sec-WebSocket-Version, Upgrade and Connection
 * have then been set in x->response). Origin is the caller's to check.
 */
unsigned ws_handshake_check(struct exchange *x, const char *subprotocol);
/*
 * Server, after the check: answers 101 with x->response and the handshake's fields and ends the
 * exchange. What `done` gets is still the bare stream: wrap it by ws_stream_new(). Errors as
 * exchange_upgrade().
 */
int ws_handshake_accept(struct exchange *x, const char *subprotocol, exchange_upgraded_fn *done,
                        void *ud);

/* Client: adds Sec-WebSocket-Key, -Version and -Protocol (if not NULL). 0 or -ENOBUFS. */
int ws_handshake_request(struct headers *fields, const char *key, const char *subprotocol);
/* Client: checks the fields of a 101 answer. 0, or -EPROTO with the reason. */
int ws_handshake_verify(const struct headers *fields, const char *key, const char *subprotocol,
                        struct err *err);

/*
 * result 0: `s` is a byte stream in WebSocket messages (ws_stream.h), the callee's, and `answer`
 * (borrowed) has the fields of the 101. Negative: the reason in `err`, and `answer` is what the
 * server said instead, or NULL when it said nothing.
 */
typedef void ws_dial_done_fn(int result, struct stream *s, const struct client_result *answer,
                             const struct err *err, void *ud);

struct ws_dial_options {
    const char *url;               /* ws(s):// or http(s):// */
    const struct headers *headers; /* besides the handshake's (Authorization, ...); or NULL */
    const char *subprotocol;       /* or NULL */
    usec_t timeout;                /* 0: 30 s */
    struct tls_context *tls;       /* as client_request_options */
    const char *proxy;             /* as client_request_options */
    ws_dial_done_fn *done;
    void *ud;
};

struct ws_dial;

/* Client: dials, through a proxy if the environment says so. Errors as client_request_start(). */
int ws_dial_start(struct loop *loop, const struct ws_dial_options *options, struct ws_dial **ret,
                  struct err *err);
/* No callback afterwards. Returns NULL; accepts NULL. */
struct ws_dial *ws_dial_cancel(struct ws_dial *d);
