#pragma once
/*
 * UDP ASSOCIATE (RFC 1928 section 7): a UDP socket beside a SOCKS connection, a flow per target.
 * Only the client of the connection may use it, and only as long as the connection lives.
 */
#include <stdint.h>

#include "base/err.h"
#include "io/addr.h"

struct forward_item;
struct socks_udp;

/*
 * `local` and `client`: the two ends of the SOCKS connection. `client_port`: where the client said
 * it would send from; 0: the first datagram from its address decides.
 */
int socks_udp_new(struct forward_item *item, const struct addr *local, const struct addr *client,
                  uint16_t client_port, struct socks_udp **ret, struct err *err);
/* Where the client is to send to. */
const struct addr *socks_udp_addr(const struct socks_udp *s);
/* Payload so far, seen from this machine. */
void socks_udp_bytes(const struct socks_udp *s, uint64_t *ret_received, uint64_t *ret_sent);
/* Returns NULL; accepts NULL. */
struct socks_udp *socks_udp_free(struct socks_udp *s);
