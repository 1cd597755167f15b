#pragma once
/*
 * A byte stream inside WebSocket binary messages (RFC 6455): the carrier that passes proxies. Where
 * messages begin and end means nothing. Writing makes messages of up to 64 KiB; reading takes any
 * size and fragmentation in pieces, in bounded memory. Pings are answered. A text message or a
 * breach of the framing fails the stream with -EPROTO, after a Close with the status that fits.
 *
 * WebSocket has no half-close: stream_shutdown() sends Close (1000) behind all bytes taken so far,
 * and after a Close in either direction nothing more is sent. The receiver of a Close gets all
 * bytes before it, then 0, and answers it by itself. An end of the stream below without a Close is
 * a cut connection: -ECONNRESET.
 */
#include <stdint.h>

struct stream;

enum ws_role { WS_CLIENT, WS_SERVER }; /* clients mask what they send (section 5.3) */

/* Takes over `next`, a stream whose handshake is done. Can move when `next` can. */
struct stream *ws_stream_new(struct stream *next, enum ws_role role);
/* The status of the Close received; 1005: it had none; 1006: no Close was received. */
uint16_t ws_stream_close_status(const struct stream *s);
