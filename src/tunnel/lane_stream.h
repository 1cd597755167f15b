#pragma once
/*
 * A channel that can move to a bulk lane while it runs (docs/PROTOCOL.md, "Bulk lanes"): a stream
 * around the channel, which its owner uses as he would the channel itself. Once a lane is attached,
 * each direction goes on there behind the bytes that the channel had taken; no byte is lost,
 * doubled or reordered, half-close and back-pressure are kept. The channel stays open below,
 * without further bytes: when its session ends, or it is reset before its peer has moved, the
 * stream fails.
 */
#include <stdbool.h>
#include <stdint.h>

#include "io/stream.h"

struct tunnel_session;

/* Both directions have moved. */
typedef void lane_moved_fn(struct stream *s, void *ud);
/* The lane that was attached is of no use, and nothing had moved: all stays on the channel. */
typedef void lane_lost_fn(struct stream *s, void *ud);
/* The stream is being freed by its owner: forget it. */
typedef void lane_freed_fn(struct stream *s, void *ud);
/* Many bytes pass: a lane would do. Called again after as many, while there is none. */
typedef void lane_busy_fn(struct stream *s, void *ud);

/* Any may be NULL. */
struct lane_stream_watch {
    lane_busy_fn *busy;
    lane_moved_fn *moved;
    lane_lost_fn *lost;
    lane_freed_fn *freed;
    void *ud;
};

/* What "many" is: so much in one direction, no slower than a mebibyte a second. */
enum { LANE_BUSY_BYTES = 4 << 20, LANE_BUSY_SEC = 4 };

/* Takes over a channel of an HTTP/2 session that nobody has read from or written to. */
struct stream *lane_stream_new(struct stream *channel);
/* The same where tunnel_session_allow_lanes() was said; otherwise the channel as it is. */
struct stream *lane_stream_wrap(struct stream *channel);
/* The one around the channel with this number (h2_channel_id()), or NULL. */
struct stream *lane_stream_find(struct tunnel_session *session, uint32_t id);
void lane_stream_watch(struct stream *s, const struct lane_stream_watch *watch);
/* The channel below, for asking about it. */
struct stream *lane_stream_channel(const struct stream *s);
/* Whether a lane is attached, of use or not yet known to be. */
bool lane_stream_has_lane(const struct stream *s);

/*
 * What passes is protected by itself, and its ends know each other from the session (SSH): on a
 * lane it leaves TLS, which has told by then whose lane it is. Both ends say so, before attaching.
 */
void lane_stream_leave_tls(struct stream *s);
/* Gives the lane up: if nothing has moved, as if it had been lost; otherwise the stream fails. */
void lane_stream_drop(struct stream *s);
/*
 * Takes over a lane: a stream that ends its directions one by one, whose other end belongs to the
 * channel's other end (from tls_start(), if TLS is to be left). `first`: this side moves at once
 * and says so (the agent, who knows by then that the lane is good); the other one moves when it
 * hears that. The failure of a lane becomes the stream's once this side has moved.
 */
void lane_stream_attach(struct stream *s, struct stream *lane, bool first);
