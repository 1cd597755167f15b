#pragma once
/* Datagram sockets. */
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "io/addr.h"

struct loop;
struct udp;

enum { UDP_PAYLOAD_MAX = 65507 };

/* A datagram came; data and addresses are borrowed. On a connected socket `from` is the peer. */
typedef void udp_received_fn(struct udp *u, const void *data, size_t len, const struct addr *from,
                             void *ud);
/* A connected socket's peer answered with an ICMP error (-ECONNREFUSED, ...). May be NULL. */
typedef void udp_failed_fn(struct udp *u, int error, void *ud);

struct udp_options {
    udp_received_fn *received;
    udp_failed_fn *failed;
    void *ud;
};

/* Bound to `addr` (port 0: any). Socket buffers are made large (7 MiB where allowed). */
int udp_bind(struct loop *loop, const struct addr *addr, const struct udp_options *options,
             struct udp **ret, struct err *err);
/* Connected to `peer` from any port. */
int udp_connect(struct loop *loop, const struct addr *peer, const struct udp_options *options,
                struct udp **ret, struct err *err);
const struct addr *udp_addr(const struct udp *u);
/*
 * Sends one datagram now. What the kernel does not take at once goes to a bounded queue that drops
 * its oldest, so that stale datagrams never pile up. `to` NULL on a connected socket. 0, or
 * -EMSGSIZE and the like.
 */
int udp_send(struct udp *u, const void *data, size_t len, const struct addr *to);
/* Returns NULL; accepts NULL. No callback afterwards, also from inside one. */
struct udp *udp_close(struct udp *u);
