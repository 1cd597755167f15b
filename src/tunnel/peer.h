#pragma once
/*
 * A peer session: TLS 1.3 with both keys pinned (io/tls.h) over a carrier, then a tunnel session.
 */
#include "base/clock.h"
#include "base/err.h"
#include "io/tls.h"
#include "tunnel/session.h"

struct peer_handshake;

/*
 * result 0: the session is the callee's (who sets its owner). -ETIMEDOUT: the handshake took too
 * long; -EACCES: the other side has not the pinned key, or refused ours; -EPROTO: it does not
 * speak adit/1; other: the carrier's failure. `err` is borrowed. The handle is gone.
 */
typedef void peer_done_fn(struct tunnel_session *session, int result, const struct err *err,
                          void *ud);

struct peer_options {
    struct tls_context *tls; /* from tls_context_peer(); referenced */
    struct tls_pin pin;      /* the key the other side must have */
    enum h2_role role;       /* H2_CLIENT: the CLI, TLS client; H2_SERVER: the agent */
    usec_t timeout;          /* of the handshake; 0: 15 s */
    usec_t ping_interval;    /* of the session; 0: 15 s */
    struct h2_limits limits;
    peer_done_fn *done;
    void *ud;
};

/* Takes over `carrier`. `done` never runs inside this call. */
struct peer_handshake *peer_start(struct loop *loop, struct stream *carrier,
                                  const struct peer_options *options);
/* No callback afterwards. Returns NULL; accepts NULL. */
struct peer_handshake *peer_cancel(struct peer_handshake *p);
