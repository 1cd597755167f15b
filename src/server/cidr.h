#pragma once
/* Networks in CIDR form (RFC 4632, RFC 4291). A plain address is a network of one. */
#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"
#include "io/addr.h"

struct cidr {
    unsigned char bits[16]; /* IPv4 as ::ffff:0:0/96 */
    unsigned prefix_len;    /* 0-128, of the above */
};

/* 0, or -EINVAL: not a network, or bits set behind the prefix. */
int cidr_parse(struct span text, struct cidr *ret);
/* IPv4-mapped IPv6 addresses count as the IPv4 address that they hold. */
bool cidr_contains(const struct cidr *c, const struct addr *a);

struct cidr_list {
    struct cidr *items;
    size_t len;
};
bool cidr_list_contains(const struct cidr_list *list, const struct addr *a);
