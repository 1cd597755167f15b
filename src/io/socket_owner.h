#pragma once
/*
 * Who owns the other end of a loopback connection: by sock_diag (Linux, netlink), so that a
 * listener on a shared machine can tell its user from others. No privilege is needed.
 */
#include <sys/types.h>

#include "io/addr.h"

/*
 * TCP: the socket whose local address is `peer` and whose peer is `local`.
 * 0; -ENOENT: no such socket (it has gone, or lives in another network namespace); other: the
 * question could not be asked, or (-ENOTUNIQ) several users have a socket that fits.
 */
int socket_owner_tcp(const struct addr *peer, const struct addr *local, uid_t *ret_uid);
/* UDP: the socket bound to `peer` (also through a wildcard address). */
int socket_owner_udp(const struct addr *peer, uid_t *ret_uid);
/* Unix sockets: by SO_PEERCRED. */
int socket_owner_unix(int fd, uid_t *ret_uid);
