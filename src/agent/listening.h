#pragma once
/*
 * The TCP sockets that listen in this network namespace. Linux: by sock_diag(7), which looks at
 * listening sockets only; where that is not to be had, by /proc/net/tcp and tcp6.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/span.h"

struct listening_socket {
    uint64_t key; /* of this socket alone, as long as the system runs */
    uint64_t inode;
    uint16_t port;
    char address[64];
    bool wildcard;
    uid_t uid;
    int backlog; /* connections that may wait; -1: not known */
};

typedef void listening_fn(const struct listening_socket *s, void *ud);

/* Calls `each` for each of them. 0, or negative: they cannot be had. */
int listening_each(listening_fn *each, void *ud);

/*
 * Reads the next listening socket of a text such as /proc/net/tcp; *rest is what follows it. False
 * at the end. Lines of other states, and lines that do not parse, are passed over. Pure.
 */
bool listening_next(struct span *rest, struct listening_socket *ret);
