#pragma once
/*
 * The same-user rule: a loopback listener of one person on a shared machine answers only that
 * person and root. Decided by the owner of the socket at the other end; what cannot be decided is
 * refused.
 */
#include <stdbool.h>

#include "io/addr.h"

enum { USER_TEXT_SIZE = 64 };

struct same_user_verdict {
    bool allowed;
    bool known;                /* the owner could be found out */
    char user[USER_TEXT_SIZE]; /* the owner's name, or number; "" unless known */
};

/* A TCP connection from `peer` to `local`. Anything not on loopback is allowed. */
struct same_user_verdict same_user_tcp(const struct addr *peer, const struct addr *local);
/* The sender of a datagram from `peer` to a socket at `local`. Likewise. */
struct same_user_verdict same_user_udp(const struct addr *peer, const struct addr *local);
/* The connected Unix socket `fd`. */
struct same_user_verdict same_user_unix(int fd);
/* The verdict on a socket of user `uid` when the command is run by `self`. Pure. */
bool same_user_allows(unsigned uid, unsigned self);
