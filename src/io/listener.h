#pragma once
/* Listening sockets (TCP, Unix). Accepted connections come as streams. */
#include <stdbool.h>

#include "base/err.h"
#include "io/addr.h"

struct loop;
struct stream;
struct listener;

/*
 * A connection was accepted; `s` is the callee's. `peer` is borrowed. When descriptors run out,
 * accepting pauses for a moment instead of spinning.
 */
typedef void listener_accepted_fn(struct listener *l, struct stream *s, const struct addr *peer,
                                  void *ud);

struct listener_options {
    bool reuse_port;    /* several listeners share the port (one a worker) */
    bool unlink_stale;  /* Unix: remove a socket file on which nobody listens */
    unsigned unix_mode; /* Unix: permission bits; 0: 0600 */
    bool paused;        /* bound and listening, but not accepting until listener_resume() */
    listener_accepted_fn *accepted;
    void *ud;
};

/*
 * Binds and listens. IPv6 sockets are v6-only. Errors: -EADDRINUSE, -EACCES, -EADDRNOTAVAIL, ...
 * with a text that names the address.
 */
int listener_open(struct loop *loop, const struct addr *addr,
                  const struct listener_options *options, struct listener **ret, struct err *err);
/* As bound: with port 0 resolved. */
const struct addr *listener_addr(const struct listener *l);
void listener_pause(struct listener *l);
void listener_resume(struct listener *l);
/* Closes; a Unix socket file that it made is removed. Returns NULL; accepts NULL. */
struct listener *listener_close(struct listener *l);
