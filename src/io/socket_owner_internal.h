#pragma once
/* The two ways to ask for a socket's owner. Not for others. */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* IPv4 addresses are v4-mapped here, so that one comparison serves both families. */
struct socket_query {
    int protocol;            /* IPPROTO_TCP or IPPROTO_UDP */
    unsigned char peer[16];  /* the socket's own address */
    unsigned char local[16]; /* its peer, which is us; TCP only */
    uint16_t peer_port;      /* host order */
    uint16_t local_port;
};

/* One socket that was found. */
struct socket_found {
    unsigned char own[16];
    uint16_t own_port;
    unsigned char other[16];
    uint16_t other_port;
    bool v6_only;
    uid_t uid;
    uint64_t inode; /* 0: closed by its owner, whom the kernel has forgotten (it tells uid 0) */
};

/* What the sockets seen so far say together. */
struct socket_verdict {
    bool found;
    bool differs; /* several that fit belong to different users */
    uid_t uid;
};

void socket_verdict_add(struct socket_verdict *v, const struct socket_query *q,
                        const struct socket_found *f);

/* 0 when the question was answered (also by "none"), or why it could not be asked. */
int socket_owner_by_sock_diag(const struct socket_query *q, struct socket_verdict *v);
int socket_owner_by_proc(const struct socket_query *q, struct socket_verdict *v);
