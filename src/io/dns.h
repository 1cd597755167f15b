#pragma once
/* Name resolution by the system's resolver, on libuv's threads. */
#include <stddef.h>
#include <stdint.h>

#include "io/addr.h"

struct loop;
struct dns_query;

/* result: 0, or -ENOENT (no such name), -EAGAIN (no answer now), -EIO. Addresses are borrowed. */
typedef void dns_done_fn(int result, const struct addr *addrs, size_t n_addrs, void *ud);

/* Stream addresses in the order of RFC 6724. `done` never runs inside this call. */
struct dns_query *dns_resolve(struct loop *loop, const char *host, uint16_t port, dns_done_fn *done,
                              void *ud);
/* No callback afterwards. Returns NULL; accepts NULL. */
struct dns_query *dns_cancel(struct dns_query *q);
