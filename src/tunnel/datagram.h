#pragma once
/*
 * Datagrams over a connect-udp channel (RFC 9298, capsules of RFC 9297). Either end. What the
 * channel does not take at once waits in a short queue that drops its oldest, so that stale
 * datagrams never pile up.
 */
#include <stddef.h>
#include <stdint.h>

struct stream;
struct datagram_channel;

/* `data` is borrowed. */
typedef void datagram_received_fn(struct datagram_channel *d, const void *data, size_t len,
                                  void *ud);
/* The channel is over: 0 in order, else its failure. Free it then, or later. */
typedef void datagram_ended_fn(struct datagram_channel *d, int reason, void *ud);

struct datagram_options {
    size_t queue_max_len; /* bytes that wait for the channel; 0: 256 KiB */
    datagram_received_fn *received;
    datagram_ended_fn *ended;
    void *ud;
};

struct datagram_stats {
    uint64_t sent, received;             /* datagrams */
    uint64_t sent_bytes, received_bytes; /* of payload */
    uint64_t dropped;                    /* at the head of the full queue */
};

/* Takes over an accepted or opened CHANNEL_UDP stream. No callback inside this call. */
struct datagram_channel *datagram_new(struct stream *channel,
                                      const struct datagram_options *options);
/* One datagram of 0 to 65,507 bytes. 0; -EMSGSIZE; or the channel's failure. */
int datagram_send(struct datagram_channel *d, const void *data, size_t len);
const struct datagram_stats *datagram_get_stats(const struct datagram_channel *d);
/* Returns NULL; accepts NULL. Also inside its callbacks. */
struct datagram_channel *datagram_free(struct datagram_channel *d);
