#pragma once
/*
 * A CLI's peer session to an agent, kept as long as wanted: carrier, handshake, session, and after
 * a failure the same again with jittered back-off, until the server says that it is not allowed.
 * Opens that come while it is away wait for it, for a bounded time.
 *
 * The session is relayed by the server. If wanted, a direct one is made beside it (direct_path.h):
 * what is opened while that is up goes there, what is open already stays where it is, and what is
 * opened after it died goes by the relay again. An open that was not answered on a direct session
 * which falls silent is asked once more on the relay.
 */
#include <stddef.h>

#include "base/clock.h"
#include "http/h2.h"
#include "io/addr.h"
#include "io/tls.h"
#include "tunnel/carrier.h"
#include "tunnel/channel.h"
#include "tunnel/link_status.h"

struct peer_link;
struct tunnel_session;

/* LINK_DENIED is final: opens fail with DIAL_FORBIDDEN. */
typedef void peer_link_changed_fn(struct peer_link *l, const struct link_status *status, void *ud);

enum peer_path_kind { PEER_PATH_NONE, PEER_PATH_RELAY, PEER_PATH_DIRECT };

/* Where a channel that is opened now goes. */
struct peer_path {
    enum peer_path_kind kind;
    struct addr addr; /* DIRECT: the agent's address that answers */
    usec_t rtt;       /* last measured; 0: not known */
};

/* The kind or the address is another one now. May not free the link. */
typedef void peer_link_path_changed_fn(struct peer_link *l, const struct peer_path *path, void *ud);

/*
 * Opens do not wait for the direct path any more (`direct_patience`): it is up, or is not coming
 * in time. Follows a LINK_CONNECTED. May not free the link.
 */
typedef void peer_link_settled_fn(struct peer_link *l, void *ud);

struct peer_link_options {
    struct carrier_opener opener; /* gives the agent's pin with the carrier */
    struct tls_context *tls;      /* from tls_context_peer(); referenced */
    usec_t open_timeout;          /* how long an open waits for a session; 0: 30 s */
    usec_t ping_interval;         /* while channels are open; 0: 5 s (15 s while none is) */
    size_t max_waiting;           /* opens that wait at once; 0: 1,024 (DIAL_LIMIT beyond) */
    struct h2_limits limits;
    bool direct;            /* try to reach the agent directly too */
    usec_t direct_patience; /* opens of the first moment wait so long for the direct path; 0: no */
    usec_t direct_retry;    /* as in direct_path_options; 0: defaults */
    usec_t direct_silence;
    peer_link_changed_fn *changed;
    peer_link_path_changed_fn *path_changed; /* may be NULL */
    peer_link_settled_fn *settled;           /* likewise; not called without direct_patience */
    void *ud;
};

/* Starts at once. No callback inside this call. */
struct peer_link *peer_link_new(struct loop *loop, const struct peer_link_options *options);
/*
 * As tunnel_session_open(). While the session is away the open waits; then DIAL_UNAVAILABLE with
 * the reason why the session is away. `early` is honoured while connected only.
 */
struct channel_open *peer_link_open(struct peer_link *l, const struct channel_target *target,
                                    const struct channel_open_options *options);
/* The relayed session while LINK_CONNECTED (for reverse listeners and calls), else NULL. */
struct tunnel_session *peer_link_session(struct peer_link *l);
/* The session that a channel would be opened on now; NULL while there is none. */
struct tunnel_session *peer_link_best_session(struct peer_link *l);
void peer_link_path(struct peer_link *l, struct peer_path *ret);
/* The agent's pin, once LINK_CONNECTED. */
const struct tls_pin *peer_link_agent_pin(const struct peer_link *l);
void peer_link_retry_now(struct peer_link *l);
/* Opens that wait are told DIAL_UNAVAILABLE; channels fail. Returns NULL; accepts NULL. */
struct peer_link *peer_link_free(struct peer_link *l);
