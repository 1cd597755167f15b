#pragma once
/*
 * The agent's own TCP port, which faces strangers. A connection has a few seconds to ask for the
 * name of a peer that the server has announced (direct_connect.h) and to show that peer's key;
 * before that it is counted, in all and by address, and nothing of the agent is shown to it.
 */
#include <stdint.h>

#include "base/clock.h"
#include "io/tls.h"
#include "model/id.h"

struct addr;
struct direct_acceptor;
struct loop;
struct peer_acceptor;
struct stream;

/* A connection of another protocol than adit/1: `tls` is the callee's. */
typedef void direct_accepted_fn(struct stream *tls, const struct id *peer, const struct addr *from,
                                void *ud);

/* What is spoken behind the handshake, by ALPN. The context has to offer it too. */
struct direct_protocol {
    const char *alpn;
    direct_accepted_fn *accepted;
    void *ud;
};

struct direct_acceptor_options {
    struct tls_context *tls;     /* from tls_context_peer(); referenced */
    struct peer_acceptor *peers; /* gets those that speak adit/1; borrowed */
    unsigned max_strangers;      /* connections whose handshake is not over; 0: 64 */
    unsigned max_per_address;    /* of them, an IPv6 /64 as one; 0: 16 */
    usec_t timeout;              /* of the handshake; 0: 5 s */
};

struct direct_acceptor *direct_acceptor_new(struct loop *loop,
                                            const struct direct_acceptor_options *options);
/* Beside adit/1. `protocol` is borrowed. At most 4. */
void direct_acceptor_add(struct direct_acceptor *a, const struct direct_protocol *protocol);
/*
 * Takes over an accepted connection. When the ceiling is reached, the oldest that has not asked
 * for a name yet makes room; where there is none, the new one is closed.
 */
void direct_acceptor_take(struct direct_acceptor *a, struct stream *s, const struct addr *from);

struct direct_counts {
    unsigned strangers; /* now */
    uint64_t accepted;  /* showed the right key */
    uint64_t refused;   /* asked for nobody who is expected, or had another key */
    uint64_t timed_out;
    uint64_t pushed_out; /* closed at the ceiling */
};
struct direct_counts direct_acceptor_counts(const struct direct_acceptor *a);
/* Ends the handshakes; what was handed over goes on. Returns NULL; accepts NULL. */
struct direct_acceptor *direct_acceptor_free(struct direct_acceptor *a);
