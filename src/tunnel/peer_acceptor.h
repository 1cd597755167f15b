#pragma once
/*
 * The agent's side of peers: the server announces each by POST /peers {"id", "pin", "grant"} and
 * opens a `peer` channel for it; on that channel only the holder of the pinned key gets a session.
 * PUT /peers/{id} replaces the grant, DELETE /peers/{id} ends the peer's session at once.
 *
 * An announced peer may also come to the agent's own port (direct_acceptor.h), for as long as it
 * is announced and its grant says so.
 */
#include <stddef.h>

#include "base/clock.h"
#include "io/tls.h"
#include "model/id.h"
#include "tunnel/session.h"

struct addr;
struct peer_acceptor;

/*
 * A peer has connected: relayed, or (`from`) directly from that address. `grant` is the JSON
 * object as announced last (borrowed). The session is the callee's (it sets its owner; and frees
 * it, also after `peer_withdrawn`). A peer may have several sessions, one after the other or at
 * once (a reconnect, a direct one beside the relayed one).
 */
typedef void peer_connected_fn(struct tunnel_session *session, const struct id *peer,
                               const char *grant, const struct addr *from, void *ud);
/*
 * A peer was announced. It may be one that is connected directly already, under another id: after
 * the server was away, or while it reconnects to the server.
 */
typedef void peer_announced_fn(const struct id *peer, const struct tls_pin *pin, const char *grant,
                               void *ud);
/* The grant of a peer was replaced; channels that it no longer allows have to go. */
typedef void peer_granted_fn(const struct id *peer, const char *grant, void *ud);
/* The peer may not go on: free all of its sessions now. */
typedef void peer_withdrawn_fn(const struct id *peer, void *ud);
/* Whether a grant makes sense: 0, or negative (the announcement is answered with 400). */
typedef int peer_check_grant_fn(const char *grant, struct err *err, void *ud);
/* Whether a grant lets its peer come directly. */
typedef bool peer_grants_direct_fn(const char *grant, void *ud);

struct peer_acceptor_options {
    struct tls_context *tls;          /* from tls_context_peer(); referenced */
    size_t max_peers;                 /* announced at once; 0: 1,024 */
    peer_check_grant_fn *check_grant; /* may be NULL */
    peer_grants_direct_fn *direct;    /* NULL: nobody comes directly */
    peer_announced_fn *announced;     /* may be NULL */
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
 * Who asks for `name` (direct_name()) on the agent's own port: true with id and key, when such a
 * peer is announced and may come directly.
 */
bool peer_acceptor_expects(struct peer_acceptor *a, const char *name, struct id *ret_peer,
                           struct tls_pin *ret_pin);
/* The key of an announced peer; false: it is not announced (any more). */
bool peer_acceptor_pin(const struct peer_acceptor *a, const struct id *peer,
                       struct tls_pin *ret_pin);
/*
 * A peer that was expected has shown its key over `tls`, which is taken over: it gets a session,
 * unless it was withdrawn meanwhile.
 */
void peer_acceptor_admit(struct peer_acceptor *a, const struct id *peer, struct stream *tls,
                         const struct addr *from);
/*
 * The server's session is gone: announcements lapse and handshakes end. Sessions of peers that
 * run over its carrier end by themselves; direct ones are their owner's affair.
 */
void peer_acceptor_clear(struct peer_acceptor *a);
/* Returns NULL; accepts NULL. No callback afterwards. */
struct peer_acceptor *peer_acceptor_free(struct peer_acceptor *a);
