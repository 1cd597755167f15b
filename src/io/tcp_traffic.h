#pragma once
/* What has passed on a TCP connection, whichever process moved it. */
#include <stdbool.h>
#include <stdint.h>

struct tcp_traffic {
    uint64_t received, sent; /* bytes of data, each counted once */
};

/* False: it is no TCP connection. */
bool tcp_traffic_of(int fd, struct tcp_traffic *ret);
