#pragma once
/*
 * A CLI's peer session to an agent, kept as long as wanted: carrier, handshake, session, and after
 * a failure the same again with jittered back-off, until the server says that it is not allowed.
 * Opens that come while it is away wait for it, for a bounded time.
 */
#include <stddef.h>

#include "base/clock.h"
#include "http/h2.h"
#include "io/tls.h"
#include "tunnel/carrier.h"
#include "tunnel/channel.h"
#include "tunnel/link_status.h"

struct peer_link;
struct tunnel_session;

/* LINK_DENIED is final: opens fail with DIAL_FORBIDDEN. */
typedef void peer_link_changed_fn(struct peer_link *l, const struct link_status *status, void *ud);

struct peer_link_options {
    struct carrier_opener opener; /* gives the agent's pin with the carrier */
    struct tls_context *tls;      /* from tls_context_peer(); referenced */
    usec_t open_timeout;          /* how long an open waits for a session; 0: 30 s */
    usec_t ping_interval;         /* while channels are open; 0: 5 s (15 s while none is) */
    size_t max_waiting;           /* opens that wait at once; 0: 1,024 (DIAL_LIMIT beyond) */
    struct h2_limits limits;
    peer_link_changed_fn *changed;
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
/* The session while LINK_CONNECTED (for reverse listeners and calls), else NULL. */
struct tunnel_session *peer_link_session(struct peer_link *l);
/* Last measured round trip; 0: not known. */
usec_t peer_link_rtt(const struct peer_link *l);
void peer_link_retry_now(struct peer_link *l);
/* Opens that wait are told DIAL_UNAVAILABLE; channels fail. Returns NULL; accepts NULL. */
struct peer_link *peer_link_free(struct peer_link *l);
