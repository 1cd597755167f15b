#pragma once
/*
 * WebSocket by messages (RFC 6455), on wslay: for small messages; bulk goes by ws_stream.h. Pings
 * are answered, text must be UTF-8, and the received and the queued bytes have a ceiling.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "http/ws_stream.h"

struct loop;
struct stream;
struct websocket;

/* A whole message; borrowed until it returns. May free the websocket. */
typedef void websocket_message_fn(struct websocket *ws, bool text, struct span message, void *ud);
/*
 * The end, once: the status of the peer's Close (1005: none given), or 1006 when the connection
 * broke, 1002, 1007 or 1009 when the peer broke the rules. To be freed; may be freed in here.
 */
typedef void websocket_closed_fn(struct websocket *ws, uint16_t status, void *ud);

struct websocket_options {
    size_t max_message; /* received, bytes; 0: 64 KiB; beyond it the connection closes with 1009 */
    size_t max_queued;  /* bytes not yet taken by the stream; 0: 1 MiB */
    websocket_message_fn *message;
    websocket_closed_fn *closed;
    void *ud;
};

/* Takes over `s`, a stream whose handshake is done. */
struct websocket *websocket_new(struct stream *s, enum ws_role role,
                                const struct websocket_options *options);
/* Closes at once, without a callback. Returns NULL; accepts NULL. */
struct websocket *websocket_free(struct websocket *ws);

/* 0; -ENOBUFS: too much is queued (nothing was sent); -EPIPE: closing or closed. */
int websocket_send(struct websocket *ws, bool text, const void *data, size_t len);
size_t websocket_queued(const struct websocket *ws);
/*
 * Sends Close behind what is queued; `closed` follows when the peer has answered, or after 5 s.
 * `reason` is UTF-8, at most 123 bytes.
 */
void websocket_close(struct websocket *ws, uint16_t status, const char *reason);
