#pragma once
/*
 * The path of a `connect-udp` request (RFC 9298 section 3), default template:
 * /.well-known/masque/udp/{target_host}/{target_port}/ ; colons of IPv6 addresses are encoded.
 */
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"
#include "proto/hostport.h"

/* Appends the path for a valid host without brackets. 0 or -ENOBUFS. */
int connect_udp_format(const char *host, uint16_t port, struct buf *dst);
/* 0; -ENOENT: another path; -EINVAL: this path with a broken host or port. */
int connect_udp_parse(struct span path, struct hostport *ret);
