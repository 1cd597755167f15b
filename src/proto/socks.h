#pragma once
/*
 * The server's side of SOCKS4, SOCKS4a and SOCKS5 (RFC 1928; no authentication), commands CONNECT
 * and UDP ASSOCIATE. A state machine: bytes in, replies and one request out.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/span.h"
#include "proto/dial_result.h"
#include "proto/host.h"

/* Which protocol a connection's first byte belongs to. */
enum proxy_protocol { PROXY_UNKNOWN, PROXY_SOCKS4, PROXY_SOCKS5, PROXY_HTTP };
enum proxy_protocol proxy_protocol_of(unsigned char first_byte);

enum socks_command { SOCKS_CONNECT = 1, SOCKS_UDP_ASSOCIATE = 3 };

enum {
    SOCKS_REPLY_MAX = 64,   /* bytes that one call appends at most */
    SOCKS_HEADER_MAX = 262, /* of a UDP datagram */
};

struct socks {
    enum { SOCKS_ST_START, SOCKS_ST_REQUEST, SOCKS_ST_DONE, SOCKS_ST_FAILED } state;
    int version; /* 4 or 5; 0 while unknown */
    /* Valid once socks_feed() has returned 1. */
    enum socks_command command;
    char host[HOST_SIZE]; /* name or address, without brackets */
    uint16_t port;        /* may be 0 for UDP ASSOCIATE */
};

void socks_init(struct socks *s);

/*
 * Reads from `data`, all bytes that have come and were not used yet. Appends to `reply` what is to
 * be sent now.
 * 0: more bytes are needed; 1: the request is complete; -EPROTO: to be closed once `reply` is
 * sent. *ret_used bytes were used in each case; what follows a complete request is the stream's.
 */
int socks_feed(struct socks *s, const void *data, size_t len, size_t *ret_used, struct buf *reply);

/*
 * Appends the answer to the request. With DIAL_OK, `bound` and `port` say what the server uses for
 * it (for UDP ASSOCIATE: where to send datagrams); NULL: 0.0.0.0. 0 or -ENOBUFS.
 */
int socks_reply(const struct socks *s, enum dial_result result, const char *bound, uint16_t port,
                struct buf *reply);

/* A datagram of UDP ASSOCIATE (RFC 1928 section 7). */
struct socks_datagram {
    char host[HOST_SIZE];
    uint16_t port;
    struct span payload; /* borrowed from the input */
};
/* 0, or -EINVAL: malformed, a fragment (FRAG is not 0), or no valid target. */
int socks_datagram_parse(const void *data, size_t len, struct socks_datagram *ret);
/* Writes the header that goes before a payload from `host`; returns its length, or -EINVAL. */
ssize_t socks_datagram_header(const char *host, uint16_t port,
                              unsigned char dst[static SOCKS_HEADER_MAX]);
