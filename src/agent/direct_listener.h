#pragma once
/*
 * The agent's own TCP port: listens on it, tells peers by which addresses it may be reached, and
 * hands what comes to a direct acceptor.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct channel_request;
struct direct_acceptor;
struct direct_listener;
struct loop;
struct peer_acceptor;
struct tls_context;

struct direct_listener_options {
    struct tls_context *tls;     /* from tls_context_peer(); referenced */
    struct peer_acceptor *peers; /* borrowed */
    uint16_t port;               /* 0: any */
    /*
     * Numeric addresses to announce instead of those of the interfaces, "ADDR[:PORT],...": where
     * a mapping leads here, or the only ones that shall be tried. NULL: the interfaces'.
     */
    const char *addresses;
};

/* Listens on all addresses, IPv4 and IPv6. Negative with a text when it cannot. */
int direct_listener_new(struct loop *loop, const struct direct_listener_options *options,
                        struct direct_listener **ret, struct err *err);
/* Of IPv4, or of IPv6 where there is no IPv4. */
uint16_t direct_listener_port(const struct direct_listener *l);
/* For further protocols on the port (direct_acceptor_add()), and its counters. */
struct direct_acceptor *direct_listener_acceptor(struct direct_listener *l);
/*
 * Takes over GET /candidates: lines of tunnel/candidates.h, at once and when they have changed.
 */
void direct_listener_answer(struct direct_listener *l, struct channel_request *rq);
/* Peers that came stay. Returns NULL; accepts NULL. */
struct direct_listener *direct_listener_free(struct direct_listener *l);
