#pragma once
/*
 * The TCP ports that something listens on, in this network namespace, with the process where the
 * system lets us see it (Linux: /proc).
 */
#include "api/peer.h"
#include "base/span.h"

/* One listening socket of /proc/net/tcp or tcp6. */
struct listening_socket {
    uint16_t port;
    char address[64];
    unsigned long inode;
};

/*
 * Reads the next listening socket of such a file's text; *rest is what follows it. False at the
 * end. Lines of other states, and lines that do not parse, are passed over. Pure.
 */
bool ports_next(struct span *rest, struct listening_socket *ret);

/*
 * All of them, ordered by port, one entry a port (a wildcard address wins over loopback). Bounded
 * to PORTS_MAX. Release with api_ports_release().
 */
enum { PORTS_MAX = 4096 };
void ports_list(struct api_ports *ret);
