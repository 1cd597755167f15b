#pragma once
/*
 * UDP datagrams in a byte stream: the capsule protocol (RFC 9297 section 3), DATAGRAM capsules
 * with context 0 (RFC 9298 section 5). Other capsules and contexts are skipped.
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/span.h"

enum {
    UDP_PAYLOAD_MAX = 65507,         /* what fits an IPv4 packet: what we send */
    CAPSULE_UDP_PAYLOAD_MAX = 65527, /* what a peer may send (RFC 9298 section 5) */
    CAPSULE_HEADER_MAX = 1 + 4 + 1,  /* type, length, context id of what we write */
    CAPSULE_MAX_LEN = 1 + 8 + 8 + CAPSULE_UDP_PAYLOAD_MAX + 8, /* a reader's input must hold this */
    CAPSULE_SKIP_MAX = 1 << 20, /* longest capsule of an unknown type that is skipped */
};

struct capsule_reader {
    uint64_t skip; /* bytes still to be thrown away */
};

/*
 * Reads from `data`, all bytes that have come and were not used yet.
 * 1: *ret_payload is a datagram, borrowed from `data`; 0: more bytes are needed (CAPSULE_MAX_LEN
 * of them always suffice); -EPROTO: broken, or beyond a limit.
 * *ret_used bytes are used up, in the first two cases: also with 0, when something was skipped.
 */
int capsule_read(struct capsule_reader *r, const void *data, size_t len, size_t *ret_used,
                 struct span *ret_payload);

/* Writes what goes before a payload of `payload_len` bytes; returns the length of that. */
size_t capsule_udp_header(size_t payload_len, unsigned char dst[static CAPSULE_HEADER_MAX]);
