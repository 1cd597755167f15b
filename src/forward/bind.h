#pragma once
/* From what a forward asks for to addresses, ports and texts. No sockets are kept here. */
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "io/addr.h"
#include "proto/forward_spec.h"

enum { BIND_ADDRS_MAX = 2 };

/* Where a forward listens: the first address must succeed, the second is best effort. */
struct bind_addrs {
    struct addr addrs[BIND_ADDRS_MAX];
    size_t len;
};

/* 0, or -EINVAL for an address or path that cannot be used. */
int bind_addrs_of(const struct forward *forward, uint16_t port, struct bind_addrs *ret,
                  struct err *err);

/* Whether someone on another machine could reach it. */
bool bind_is_public(const struct forward *forward);
/*
 * Who can reach a public listener: "everyone who can reach this machine at 10.0.0.5 (eth0)".
 * Returns `dst`.
 */
enum { BIND_REACH_SIZE = 320 };
char *bind_describe_reach(const struct addr *bound, char dst[static BIND_REACH_SIZE]);

/*
 * A free port for `forward` near the one it asks for (for privileged ports: 8000 above), not
 * wanted by another forward of the set. 0: none found.
 */
uint16_t bind_find_free_port(const struct forward_set *set, const struct forward *forward);

/* "TARGET" of a forward as people write it: "db:5432", "/run/x.sock"; "" for dynamic ones. */
enum { TARGET_TEXT_SIZE = 320 };
char *bind_target_text(const struct forward *forward, char dst[static TARGET_TEXT_SIZE]);
