/*
 * sock_diag(7). For TCP the kernel finds the one socket with this pair of addresses; for UDP it
 * lists all on the port, in both families, because one that is bound to a wildcard address fits
 * too.
 *
 * A thread keeps the socket on which it asks, and tells answers of a question that failed half-way
 * by their number.
 */
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/sock_diag.h"
#include "io/socket_owner_internal.h"

struct asker {
    const struct socket_query *q;
    struct socket_verdict *verdict;
};

static bool is_v4(const unsigned char ip[16])
{
    return IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)ip);
}

static void put_ip(__be32 dst[4], const unsigned char ip[16], int family)
{
    if (family == AF_INET)
        memcpy(dst, ip + 12, 4);
    else
        memcpy(dst, ip, 16);
}

static void get_ip(unsigned char dst[16], const __be32 src[4], int family)
{
    if (family == AF_INET6) {
        memcpy(dst, src, 16);
        return;
    }
    memset(dst, 0, 10);
    memset(dst + 10, 0xff, 2);
    memcpy(dst + 12, src, 4);
}

/* The socket of this thread; -1: there is none. */
static _Thread_local int asking = -1;
static _Thread_local uint32_t last_number;

static struct inet_diag_req_v2 make_question(const struct socket_query *q, int family)
{
    struct inet_diag_req_v2 r = {
        .sdiag_family = (uint8_t)family,
        .sdiag_protocol = (uint8_t)q->protocol,
        .idiag_states = UINT32_MAX,
        .id = {.idiag_sport = htons(q->peer_port),
               .idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}},
    };
    if (q->protocol == IPPROTO_TCP) {
        r.id.idiag_dport = htons(q->local_port);
        put_ip(r.id.idiag_src, q->peer, family);
        put_ip(r.id.idiag_dst, q->local, family);
    }
    return r;
}

static void take_socket(const struct inet_diag_msg *m, size_t len, void *ud)
{
    const struct asker *asker = ud;
    struct socket_found f = {
        .own_port = ntohs(m->id.idiag_sport),
        .other_port = ntohs(m->id.idiag_dport),
        .uid = m->idiag_uid,
        .inode = m->idiag_inode,
    };
    get_ip(f.own, m->id.idiag_src, m->idiag_family);
    get_ip(f.other, m->id.idiag_dst, m->idiag_family);
    int left = (int)(len - sizeof(*m));
    const struct rtattr *a = (const struct rtattr *)((const char *)m + NLMSG_ALIGN(sizeof(*m)));
    for (; RTA_OK(a, left); a = RTA_NEXT(a, left))
        if (a->rta_type == INET_DIAG_SKV6ONLY && RTA_PAYLOAD(a) >= 1)
            f.v6_only = *(const unsigned char *)RTA_DATA(a) != 0;
    socket_verdict_add(asker->verdict, asker->q, &f);
}

static int ask_family(struct asker *a, int family)
{
    struct inet_diag_req_v2 question = make_question(a->q, family);
    int r = sock_diag_ask(asking, &question, a->q->protocol != IPPROTO_TCP, ++last_number,
                          take_socket, a);
    return r == -ENOENT ? 0 : r;
}

static int ask_families(struct asker *a)
{
    bool v4 = is_v4(a->q->peer);
    int r = 0;
    if (a->q->protocol == IPPROTO_TCP)
        return ask_family(a, v4 ? AF_INET : AF_INET6);
    if (v4)
        r = ask_family(a, AF_INET);
    return r < 0 ? r : ask_family(a, AF_INET6);
}

int socket_owner_by_sock_diag(const struct socket_query *q, struct socket_verdict *v)
{
    struct asker asker = {.q = q, .verdict = v};
    if (asking < 0)
        asking = sock_diag_open();
    if (asking < 0)
        return asking;
    int r = ask_families(&asker);
    if (r < 0) {
        close(asking);
        asking = -1;
    }
    return r;
}
