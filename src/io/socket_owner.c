/*
 * The kernel is asked by sock_diag(7) about the socket at the other end. Where that is not
 * there (a module that cannot be loaded, which looks like "no such socket", or a sandbox),
 * /proc/net says the same more slowly. It is not asked once sock_diag has found a socket.
 *
 * A socket that its process has closed while data is under way has no owner any more; the kernel
 * then tells uid 0. Whoever connects, sends and closes at once must not pass for root, so a
 * socket without an inode counts as gone.
 */
#include "io/socket_owner.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "io/socket_owner_internal.h"

static const unsigned char mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static int to_bytes(const struct addr *a, unsigned char dst[16], uint16_t *ret_port)
{
    *ret_port = addr_port(a);
    if (a->sa.sa_family == AF_INET) {
        memcpy(dst, mapped_prefix, sizeof(mapped_prefix));
        memcpy(dst + 12, &a->in.sin_addr, 4);
        return 0;
    }
    if (a->sa.sa_family == AF_INET6) {
        memcpy(dst, &a->in6.sin6_addr, 16);
        return 0;
    }
    return -EAFNOSUPPORT;
}

static bool is_mapped(const unsigned char ip[16])
{
    return memcmp(ip, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

/* 0.0.0.0 takes IPv4, :: takes both unless it was told not to. */
static bool is_wildcard_for(const struct socket_found *f, const unsigned char ip[16])
{
    static const unsigned char any[16];
    if (is_mapped(f->own))
        return is_mapped(ip) && memcmp(f->own + 12, any, 4) == 0;
    return memcmp(f->own, any, 16) == 0 && !(f->v6_only && is_mapped(ip));
}

static bool fits(const struct socket_query *q, const struct socket_found *f)
{
    if (f->own_port != q->peer_port || f->inode == 0)
        return false;
    bool exact = memcmp(f->own, q->peer, 16) == 0;
    if (q->protocol == IPPROTO_UDP)
        return exact || is_wildcard_for(f, q->peer);
    return exact && f->other_port == q->local_port && memcmp(f->other, q->local, 16) == 0;
}

void socket_verdict_add(struct socket_verdict *v, const struct socket_query *q,
                        const struct socket_found *f)
{
    if (!fits(q, f))
        return;
    v->differs = v->differs || (v->found && v->uid != f->uid);
    v->found = true;
    v->uid = f->uid;
}

static int ask(const struct socket_query *q, uid_t *ret_uid)
{
    static atomic_bool works[2]; /* for TCP, for UDP */
    atomic_bool *diag_works = &works[q->protocol == IPPROTO_UDP];
    struct socket_verdict v = {0};
    int r = socket_owner_by_sock_diag(q, &v);
    if (v.found)
        atomic_store(diag_works, true);
    else if (!atomic_load(diag_works))
        r = socket_owner_by_proc(q, &v) == 0 ? 0 : r;
    if (r < 0)
        return r;
    if (!v.found)
        return -ENOENT;
    /* Sockets of several users share the port: any of them may have sent it. */
    if (v.differs)
        return -ENOTUNIQ;
    *ret_uid = v.uid;
    return 0;
}

int socket_owner_tcp(const struct addr *peer, const struct addr *local, uid_t *ret_uid)
{
    struct socket_query q = {.protocol = IPPROTO_TCP};
    int r = to_bytes(peer, q.peer, &q.peer_port);
    if (r == 0)
        r = to_bytes(local, q.local, &q.local_port);
    return r < 0 ? r : ask(&q, ret_uid);
}

int socket_owner_udp(const struct addr *peer, uid_t *ret_uid)
{
    struct socket_query q = {.protocol = IPPROTO_UDP};
    int r = to_bytes(peer, q.peer, &q.peer_port);
    return r < 0 ? r : ask(&q, ret_uid);
}

int socket_owner_unix(int fd, uid_t *ret_uid)
{
    struct ucred cred;
    socklen_t len = sizeof(cred);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
        return -errno;
    *ret_uid = cred.uid;
    return 0;
}
