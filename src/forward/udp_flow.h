#pragma once
/*
 * One UDP flow: datagrams between a local sender and one target, over a connect-udp channel. What
 * comes before the channel is open waits in a short queue that drops its oldest.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/list.h"
#include "forward/bind.h"
#include "forward/reach.h"
#include "proto/hostport.h"

struct datagram_channel;
struct forward_item;
struct udp_flow;

/* A datagram came from the target; borrowed. */
typedef void udp_flow_received_fn(struct udp_flow *flow, const void *data, size_t len, void *ud);

struct udp_flow {
    struct list link; /* for the owner */
    void *owner;      /* likewise: `ud` of `received` */
    struct addr peer; /* the local sender; set by the owner before anything is sent back */

    struct forward_item *item;
    uint64_t number;
    usec_t since, last_used;
    char peer_text[ADDR_TEXT_LEN];
    char target[HOSTPORT_SIZE];
    udp_flow_received_fn *received;
    struct reach reach;
    struct datagram_channel *channel; /* NULL until it is open, and when it has ended */
    struct list waiting;
    size_t waiting_len;
    enum dial_result refused;
    char reason[160];
    bool dead;    /* its channel has ended or was refused; kept for a moment to drop what comes */
    bool blocked; /* of another user: never had a channel */
};

/* Opens the channel to host:port; FORWARD_ACCEPTED is sent. */
struct udp_flow *udp_flow_new(struct forward_item *item, const struct addr *peer, const char *host,
                              uint16_t port, udp_flow_received_fn *received, void *owner);
/* One that only drops what it is given: for senders that were turned away. */
struct udp_flow *udp_flow_new_blocked(struct forward_item *item, const struct addr *peer,
                                      void *owner);
void udp_flow_send(struct udp_flow *flow, const void *data, size_t len);
/* Bytes of payload so far. */
void udp_flow_bytes(const struct udp_flow *flow, uint64_t *ret_received, uint64_t *ret_sent);
/* How long it may still rest before it ends, given its idle limit; <= 0: it is over. */
usec_t udp_flow_left(const struct udp_flow *flow, usec_t idle_limit, usec_t now);
/* Ends it; FORWARD_CLOSED is sent if `tell`. Takes it out of the owner's list. Returns NULL. */
struct udp_flow *udp_flow_free(struct udp_flow *flow, bool tell);

/* The idle limit of flows to a port: 30 s for DNS, otherwise 2 min. */
usec_t udp_flow_idle_limit(uint16_t remote_port);
