#pragma once
/*
 * The engine of `adit port-forward`: opens what a forward_set asks for and carries connections and
 * datagrams between local sockets and channels of a session. It prints nothing: what happens is
 * told by events.
 *
 * Listeners on this machine stay open for as long as the forwarder lives, whatever the session
 * does. Connections that are accepted while it is away wait for it, as long as the opener of
 * channels lets them. Listeners in the workspace end with the session and are opened again, on the
 * port that they had, when it is back.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "proto/dial_result.h"
#include "proto/forward_spec.h"

struct channel_open;
struct channel_open_options;
struct channel_target;
struct forwarder;
struct listen_client;
struct listen_client_options;
struct loop;
struct stream;

/* A channel has moved to a bulk lane. */
typedef void forward_lane_fn(void *ud);

/* The way to the workspace: a peer link, or what a test puts in its place. */
struct forward_channels {
    /* As peer_link_open() and channel_open_cancel(). */
    struct channel_open *(*open)(const struct channel_target *target,
                                 const struct channel_open_options *options, void *ud);
    void (*cancel)(struct channel_open *open, void *ud);
    /* As listen_client_new() on the present session; NULL while there is none. */
    struct listen_client *(*listen)(const struct listen_client_options *options, void *ud);
    void (*unlisten)(struct listen_client *l, void *ud);
    /*
     * Takes over a channel that nobody has used yet and gives a stream in its place that moves to
     * a lane when much data passes. `moved` comes before the stream is freed, if at all. NULL:
     * channels stay what they are.
     */
    struct stream *(*lane)(struct stream *channel, forward_lane_fn *moved, void *moved_ud,
                           void *ud);
    void *ud;
};

enum forward_event_kind {
    FORWARD_OPENED,    /* it listens: `address` (and `port`) tell where */
    FORWARD_AWAY,      /* -R: it does not listen any longer, and will again; `text` says why */
    FORWARD_FAILED,    /* -R: it cannot listen; `result` and `text` say why. Tried again if
                          `retrying` */
    FORWARD_ACCEPTED,  /* a connection (for UDP a flow) came: `connection`, `peer`, `target` */
    FORWARD_LANE,      /* it goes on in a lane of its own: `connection`, `peer`, `target` */
    FORWARD_CLOSED,    /* it ended: bytes and duration; `result` if not in order */
    FORWARD_REFUSED,   /* it was turned away: another user's, or too many; `user`, `text` */
    FORWARD_UNREACHED, /* its target could not be reached; `result`, `text` */
    FORWARD_WARNING,   /* `text` */
};

/* All texts are borrowed for the call. Fields that do not apply are zero. */
struct forward_event {
    enum forward_event_kind kind;
    size_t index; /* of the forward in its set */
    const struct forward *forward;
    const char *address; /* "127.0.0.1:8080", a path; of -R as the workspace sees it */
    uint16_t port;
    bool moved;          /* FORWARD_OPENED: the port is not the one that was asked for */
    bool again;          /* FORWARD_OPENED: -R, after a reconnect */
    bool retrying;       /* FORWARD_FAILED */
    uint64_t connection; /* number of the connection, counted over all forwards */
    const char *peer;    /* who connected: "127.0.0.1:40312", "" when not known */
    const char *target;  /* where to: "db.internal:5432", a path */
    const char *user;    /* FORWARD_REFUSED: whose connection it was; NULL: not known */
    enum dial_result result;
    const char *text;  /* a sentence for a person, or NULL */
    uint64_t received; /* FORWARD_CLOSED: bytes that came from the workspace */
    uint64_t sent;     /* and went to it */
    usec_t duration;
};

/* May not free the forwarder. */
typedef void forwarder_event_fn(const struct forward_event *event, void *ud);

struct forwarder_options {
    bool auto_port;         /* take a free port where the one asked for cannot be had */
    bool allow_other_users; /* loopback listeners answer everyone on this machine */
    size_t max_connections; /* over all forwards; 0: 8,192 */
    size_t max_udp_flows;   /* a forward; the one idle longest makes room; 0: 1,024 */
    struct forward_channels channels;
    forwarder_event_fn *event;
    void *ud;
};

/*
 * Opens every local listener, or none: the error of the first that fails is returned, with a text
 * that names the forward, the reason and a free port. `set` is borrowed until forwarder_free().
 * No event inside this call: forwarder_start() tells what was opened.
 */
int forwarder_open(struct loop *loop, const struct forward_set *set,
                   const struct forwarder_options *options, struct forwarder **ret,
                   struct err *err);
/* Sends FORWARD_OPENED and FORWARD_WARNING for the local listeners and begins to accept. */
void forwarder_start(struct forwarder *f);

/* A session is there: opens the listeners in the workspace. */
void forwarder_session_up(struct forwarder *f);
/* The session is gone. Channels fail by themselves. */
void forwarder_session_down(struct forwarder *f, const char *reason);

struct forward_stats {
    size_t open;       /* connections or UDP flows */
    size_t lanes;      /* of them, in a lane of their own */
    uint64_t total;    /* ever carried */
    uint64_t refused;  /* turned away, or without a target */
    uint64_t received; /* bytes from the workspace, open connections included */
    uint64_t sent;
};
void forwarder_stats(const struct forwarder *f, size_t index, struct forward_stats *ret);
/* Where a forward listens now: "127.0.0.1:8080", "" while it does not. Borrowed. */
const char *forwarder_address(const struct forwarder *f, size_t index);

/* Whether every forward listens. */
bool forwarder_is_open(const struct forwarder *f);

/* Closes everything, without events. Returns NULL; accepts NULL. */
struct forwarder *forwarder_free(struct forwarder *f);
