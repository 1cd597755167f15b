#pragma once
/*
 * A host by itself, without port and without brackets: a name, a dotted IPv4 address or an IPv6
 * address (RFC 3986 section 3.2.2). Text that only looks like an address ("127.1", "1.2.3.300",
 * "2130706433") is none of these, so that no resolver gets to guess what it means.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

enum {
    HOST_MAX_LEN = 253, /* RFC 1035 section 2.3.4, without a final dot */
    HOST_SIZE = 256,
};

enum host_kind { HOST_INVALID, HOST_NAME, HOST_IPV4, HOST_IPV6 };

/* Names: letters, digits, '-' and '_' in labels of 1 to 63, one final dot allowed. */
enum host_kind host_kind_of(struct span host);

/*
 * The one spelling of a host that compares by bytes: lower case, no final dot, IPv6 as RFC 5952,
 * IPv4-mapped IPv6 as IPv4. 0, or -EINVAL when it is no host.
 */
int host_normalize(struct span host, char ret_host[static HOST_SIZE]);

/* localhost or a name below it, 127.0.0.0/8, ::1 (and IPv4-mapped forms). */
bool host_is_loopback(struct span host);
