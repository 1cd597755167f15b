#pragma once
/* One stream through a forward: from being accepted to the end of both directions. */
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/list.h"
#include "forward/bind.h"
#include "forward/reach.h"
#include "proto/hostport.h"

struct forward_item;
struct proxy_front;
struct relay;
struct stream;

enum { PEER_TEXT_SIZE = HOSTPORT_SIZE };

struct connection {
    struct list link; /* in its item's connections */
    struct forward_item *item;
    uint64_t number;
    usec_t since;
    char peer[PEER_TEXT_SIZE];
    char target[TARGET_TEXT_SIZE];
    struct stream *client; /* accepted; NULL while the relay or the front has it */
    bool client_is_far;    /* -R: the client is in the workspace */
    bool in_lane;          /* its channel has moved to a lane */
    int client_fd;         /* of the accepted socket, or -1 */
    struct reach reach;
    struct proxy_front *front; /* SOCKS or HTTP, until the target is reached */
    struct relay *relay;
};

/*
 * Takes over an accepted stream and counts it. NULL when there are too many connections: it was
 * refused and closed.
 */
struct connection *connection_new(struct forward_item *item, struct stream *client,
                                  const char *peer, bool client_is_far);
/* Carries it to the target of its forward. */
void connection_to_target(struct connection *c);
/* Lets its client name the target, by SOCKS or HTTP. */
void connection_to_named_target(struct connection *c);

/* Its target (texts copied into `c`) is known: FORWARD_ACCEPTED is sent. */
void connection_announce(struct connection *c, const char *target);
/* Joins the two ends (taken over). */
void connection_relay(struct connection *c, struct stream *client, struct stream *reached);
/* Its target was not reached: FORWARD_UNREACHED is sent. Does not free. */
void connection_unreached(struct connection *c, enum dial_result result, const char *reason);
/* It ended in another way than by its relay: FORWARD_CLOSED is sent, and it is freed. */
void connection_finish(struct connection *c, int result, uint64_t received, uint64_t sent);

/* Bytes so far, seen from this machine. */
void connection_bytes(const struct connection *c, uint64_t *ret_received, uint64_t *ret_sent);
/* Ends it without an event. Returns NULL; accepts NULL. */
struct connection *connection_free(struct connection *c);
