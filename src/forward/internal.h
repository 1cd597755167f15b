#pragma once
/* What the files of this folder share. Nothing outside includes it. */
#include "base/list.h"
#include "forward/bind.h"
#include "forward/forwarder.h"
#include "io/timer.h"

struct connection;
struct listener;
struct remote_forward;
struct stream;
struct udp_forward;

/* One forward of the set. */
struct forward_item {
    struct forwarder *forwarder;
    size_t index;
    const struct forward *forward;
    struct listener *listeners[BIND_ADDRS_MAX]; /* TCP and Unix */
    size_t n_listeners;
    struct udp_forward *udp;             /* --udp */
    struct remote_forward *remote;       /* -R */
    uint16_t port;                       /* bound; of -R the last one that was bound */
    char address[ADDR_TEXT_LEN];         /* bound; "" while it does not listen */
    char warning[BIND_REACH_SIZE + 160]; /* to be told by forwarder_start(); "": none */
    bool moved;

    struct list connections;
    size_t n_open;
    uint64_t total, refused;
    uint64_t received, sent; /* of connections that have ended */
};

struct forwarder {
    struct loop *loop;
    struct forwarder_options options;
    const struct forward_set *set;
    struct forward_item *items;
    size_t n_items;
    size_t n_connections; /* streams, over all items */
    uint64_t last_connection;
    bool started;
};

/* Sends an event of `item`; index, forward and address are filled in. */
void forward_item_event(const struct forward_item *item, struct forward_event event);

/*
 * The second, best-effort address is taken by another program: FORWARD_WARNING will say that
 * `localhost` may lead there.
 */
void forward_item_warn_shadowed(struct forward_item *item, const struct addr *taken);

/* local.c: opens the TCP or Unix listeners of an item, paused. */
int local_forward_open(struct forward_item *item, uint16_t port, struct err *err);
void local_forward_start(struct forward_item *item);
void local_forward_close(struct forward_item *item);

/* udp.c: opens the UDP sockets of an item. */
int udp_forward_open(struct forward_item *item, uint16_t port, struct err *err);
void udp_forward_start(struct udp_forward *u);
/* Adds what the flows that are open have carried. */
void udp_forward_add_stats(const struct udp_forward *u, struct forward_stats *stats);
struct udp_forward *udp_forward_free(struct udp_forward *u);

/* remote.c */
struct remote_forward *remote_forward_new(struct forward_item *item);
void remote_forward_session_up(struct remote_forward *r);
void remote_forward_session_down(struct remote_forward *r, const char *reason);
struct remote_forward *remote_forward_free(struct remote_forward *r);
