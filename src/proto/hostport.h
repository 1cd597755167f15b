#pragma once
/*
 * `host:port` as in CONNECT (RFC 9110 section 9.3.6) and Host header fields (section 7.2); an
 * IPv6 address stands in brackets. User information, zone identifiers and percent-encoding are
 * refused.
 */
#include <stdint.h>

#include "base/span.h"
#include "proto/host.h"

struct hostport {
    char host[HOST_SIZE]; /* without brackets, in lower case */
    uint16_t port;
};

/* Longest text form, with the NUL. */
enum { HOSTPORT_SIZE = HOST_SIZE + sizeof("[]:65535") };

/*
 * `default_port` is taken when the text has no port (or an empty one, "host:"); 0: a port is
 * required. Ports are 1-65535. 0, or -EINVAL.
 */
int hostport_parse(struct span text, uint16_t default_port, struct hostport *ret);

/* "host:port", "[v6]:port". Returns `dst`. `host` is a valid one without brackets. */
char *hostport_format(const char *host, uint16_t port, char dst[static HOSTPORT_SIZE]);
