#pragma once
/*
 * The CLI's side of bulk lanes: watches the channels of its peer sessions, and for one that moves
 * much data asks the agent for a lane, makes it, and attaches it to the channel. Where that fails
 * the channel stays as it is, and it is a while until the next try.
 */
#include <stdbool.h>

#include "base/clock.h"
#include "io/addr.h"
#include "io/tls.h"
#include "tunnel/lane_ticket.h"

struct lane_client;
struct loop;
struct stream;
struct tunnel_session;

/* How a lane beside a session is reached. */
struct lane_way {
    struct tls_pin pin; /* the agent's */
    bool direct;
    struct addr addr;       /* direct: where the agent answers */
    const char *server_url; /* relayed; borrowed */
    struct lane_key key;    /* relayed: as the server gave it with the session */
};
/* False: there is none. */
typedef bool lane_way_fn(struct tunnel_session *session, struct lane_way *ret, void *ud);

struct lane_client_options {
    struct tls_context *tls; /* from tls_context_peer(), of the sessions' own key; referenced */
    lane_way_fn *way;
    size_t max_lanes;   /* at once; 0: 32 */
    usec_t retry_after; /* of a failure, doubled up to ten times as much; 0: 1 min */
    void *ud;
};

struct lane_client *lane_client_new(struct loop *loop, const struct lane_client_options *options);

/* The channel has moved to a lane. */
typedef void lane_client_moved_fn(void *ud);
/*
 * Wraps a channel that was opened on a session, and gives it a lane when it is worth one. The
 * stream that it gives in its place is to be used and freed instead. `moved` may be NULL; it is not
 * called once the stream is freed.
 */
struct stream *lane_client_wrap(struct lane_client *c, struct stream *channel,
                                lane_client_moved_fn *moved, void *ud);
/* It has moved, or (`moved` false) no lane has come about and it stays on its session. */
typedef void lane_client_asked_fn(bool moved, void *ud);
/*
 * Asks for a lane at once, for a stream that it wrapped. False: there can be none now. `asked` is
 * never called inside this call, nor once the stream or the client is freed.
 */
bool lane_client_ask(struct lane_client *c, struct stream *s, lane_client_asked_fn *asked,
                     void *ud);
/* Streams that it wrapped go on without it. Returns NULL; accepts NULL. */
struct lane_client *lane_client_free(struct lane_client *c);
