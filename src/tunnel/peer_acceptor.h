#pragma once
/*
 * The agent's side of peers: the server announces each by POST /peers {"id", "pin", "grant"} and
 * opens a `peer` channel for it; on that channel only the holder of the pinned key gets a session.
 * PUT /peers/{id} replaces the grant, DELETE /peers/{id} ends the peer's session at once.
 */
#include <stddef.h>

#include "base/clock.h"
#include "io/tls.h"
#include "model/id.h"
#include "tunnel/session.h"

struct peer_acceptor;

/*
 * A peer has connected. `grant` is the JSON object as announced last (borrowed). The session is
 * the callee's (it sets its owner; and frees it, also after `peer_withdrawn`). A peer may have
 * several sessions, one after the other or at once (a reconnect).
 */
typedef void peer_connected_fn(struct tunnel_session *session, const struct id *peer,
                               const char *grant, void *ud);
/* The grant of a peer was replaced; channels that it no longer allows have to go. */
typedef void peer_granted_fn(const struct id *peer, const char *grant, void *ud);
/* The peer may not go on: free all of its sessions now. */
typedef void peer_withdrawn_fn(const struct id *peer, void *ud);
/* Whether a grant makes sense: 0, or negative (the announcement is answered with 400). */
typedef int peer_check_grant_fn(const char *grant, struct err *err, void *ud);

struct peer_acceptor_options {
    struct tls_context *tls;          /* from tls_context_peer(); referenced */
    size_t max_peers;                 /* announced at once; 0: 1,024 */
    peer_check_grant_fn *check_grant; /* may be NULL */
    peer_connected_fn *connected;
    peer_granted_fn *granted;
    peer_withdrawn_fn *withdrawn;
    void *ud;
};

struct peer_acceptor *peer_acceptor_new(struct loop *loop,
                                        const struct peer_acceptor_options *options);
/*
 * Offers it a request of the server's session. True: it was for it (CHANNEL_PEER, /peers...) and
 * has been taken over.
 */
bool peer_acceptor_handle(struct peer_acceptor *a, struct channel_request *rq);
/*
 * The server's session is gone: announcements lapse and handshakes end. Sessions of peers that
 * run over its carrier end by themselves.
 */
void peer_acceptor_clear(struct peer_acceptor *a);
/* Returns NULL; accepts NULL. No callback afterwards. */
struct peer_acceptor *peer_acceptor_free(struct peer_acceptor *a);
