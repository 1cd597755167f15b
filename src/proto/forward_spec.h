#pragma once
/*
 * What a person asks `adit port-forward` for:
 *
 *   --tcp, --udp  [ADDR:]LOCAL[-END][:[HOST:]REMOTE[-END]], lists with commas
 *   -L            [ADDR:]PORT:HOST:PORT, any side a Unix socket path, as `ssh -L`
 *   -R            the same with the listener in the workspace; port 0: any; a port alone: SOCKS
 *   -D            [ADDR:]PORT
 *
 * ADDR is a dotted IPv4 address, a bracketed IPv6 address, `localhost` or `*` (for -L, -R and -D
 * also empty, which is `*`). HOST is a name, an IPv4 address or a bracketed IPv6 address. A field
 * of -L or -R with a '/' in it is a path; there "\:" stands for a colon.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum forward_flag {
    FORWARD_FLAG_TCP,
    FORWARD_FLAG_UDP,
    FORWARD_FLAG_L,
    FORWARD_FLAG_R,
    FORWARD_FLAG_D,
};

enum forward_kind {
    FORWARD_LOCAL,          /* the listener is here, the target is seen from the workspace */
    FORWARD_REMOTE,         /* the listener is in the workspace, the target is seen from here */
    FORWARD_DYNAMIC,        /* the listener is here and speaks SOCKS and HTTP CONNECT */
    FORWARD_REMOTE_DYNAMIC, /* the same with the listener in the workspace */
};

enum forward_network {
    FORWARD_NET_TCP,
    FORWARD_NET_UDP,
    FORWARD_NET_UNIX, /* streams; the listener, the target or both are Unix sockets */
};

/* One listener and its target; ranges and lists are taken apart. */
struct forward {
    enum forward_network network;
    enum forward_kind kind;
    /* The listener. */
    char *bind;          /* without brackets; NULL: none given, that is 127.0.0.1 and ::1 */
    uint16_t local_port; /* 0 with local_path, or for -R: any */
    char *local_path;    /* NULL: a port */
    /* The target; none for the dynamic kinds. */
    char *host;           /* without brackets; NULL with remote_path */
    uint16_t remote_port; /* 0 with remote_path */
    char *remote_path;    /* NULL: a port */
};

enum {
    FORWARD_SET_MAX = 4096,     /* forwards of one command */
    FORWARD_PATH_MAX_LEN = 107, /* sun_path without its NUL */
};

struct forward_set {
    struct forward *items; /* in the order in which they were given */
    size_t len;
};

#define FORWARD_SET_INIT                                                                           \
    {                                                                                              \
        NULL, 0                                                                                    \
    }

void forward_set_deinit(struct forward_set *set);

/*
 * Adds what `spec` stands for. 0; on an error nothing is added and the text names the flag, the
 * spec and the reason:
 *     --tcp "8080-8070:90": the range runs backwards
 * -EINVAL: the spec is wrong; -EEXIST: two listeners would share an address and port (a wildcard
 * and no ADDR at all include others); -E2BIG: more than FORWARD_SET_MAX forwards.
 */
int forward_set_add(struct forward_set *set, enum forward_flag flag, const char *spec,
                    struct err *err);

/* "tcp", "udp", "unix". */
const char *forward_network_name(enum forward_network network);
/* "local", "remote", "dynamic", "remote-dynamic". */
const char *forward_kind_name(enum forward_kind kind);
