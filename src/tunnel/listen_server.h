#pragma once
/*
 * The serving end of reverse listeners: the protocol without the sockets. The caller opens the
 * listening socket for a CHANNEL_LISTEN request, makes a listen_server of the request, and offers
 * it every accepted connection; those are announced and wait until the other end takes them by a
 * CHANNEL_ACCEPT request, which the caller passes to listen_server_take().
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "model/id.h"

struct channel_request;
struct stream;
struct tunnel_session;
struct listen_server;

/*
 * The other end takes a connection, by a request on the session `taker`: `connection` (as offered)
 * and `channel` (accepted) are the callee's, to be joined.
 */
typedef void listen_server_taken_fn(struct listen_server *l, struct stream *connection,
                                    struct stream *channel, struct tunnel_session *taker, void *ud);
/* The other end closed the listener, or the session ended. Close the socket, free it. */
typedef void listen_server_closed_fn(struct listen_server *l, void *ud);

struct listen_server_options {
    size_t max_waiting;  /* offered and not yet taken; 0: 128 */
    usec_t take_timeout; /* 0: 15 s */
    listen_server_taken_fn *taken;
    listen_server_closed_fn *closed;
    void *ud;
};

/* Accepts the request and tells the bound port. No callback inside this call. */
struct listen_server *listen_server_new(struct channel_request *rq, uint16_t bound_port,
                                        const struct listen_server_options *options);
/*
 * Takes over `connection` and announces it. 0; -EBUSY: too many wait (pause the listener; the
 * connection was closed). `originator`: "host:port", or NULL.
 */
int listen_server_offer(struct listen_server *l, struct stream *connection, const char *originator);
/* Whether a listener of the session offers this connection. */
bool listen_server_offers(struct tunnel_session *s, const struct id *connection);
/*
 * Answers a CHANNEL_ACCEPT request: finds the connection that waits under its id among all
 * listeners of the session `of` (the request's, or another one of the same peer), and reports it
 * as taken; or refuses.
 */
void listen_server_take(struct channel_request *rq, struct tunnel_session *of);
/* Ends the listen channel and what waits. Returns NULL; accepts NULL. Not inside `taken`. */
struct listen_server *listen_server_free(struct listen_server *l);
