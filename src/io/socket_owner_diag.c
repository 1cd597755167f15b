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
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/socket_owner_internal.h"

struct request {
    struct nlmsghdr header;
    struct inet_diag_req_v2 body;
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

static struct request make_request(const struct socket_query *q, int family)
{
    bool tcp = q->protocol == IPPROTO_TCP;
    struct request r = {
        .header = {.nlmsg_len = sizeof(r),
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_seq = ++last_number,
                   .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | (tcp ? 0 : NLM_F_DUMP))},
        .body = {.sdiag_family = (uint8_t)family,
                 .sdiag_protocol = (uint8_t)q->protocol,
                 .idiag_states = UINT32_MAX,
                 .id = {.idiag_sport = htons(q->peer_port),
                        .idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}}},
    };
    if (tcp) {
        r.body.id.idiag_dport = htons(q->local_port);
        put_ip(r.body.id.idiag_src, q->peer, family);
        put_ip(r.body.id.idiag_dst, q->local, family);
    }
    return r;
}

static void take_socket(const struct nlmsghdr *h, const struct socket_query *q,
                        struct socket_verdict *v)
{
    const struct inet_diag_msg *m = NLMSG_DATA(h);
    struct socket_found f = {
        .own_port = ntohs(m->id.idiag_sport),
        .other_port = ntohs(m->id.idiag_dport),
        .uid = m->idiag_uid,
        .inode = m->idiag_inode,
    };
    get_ip(f.own, m->id.idiag_src, m->idiag_family);
    get_ip(f.other, m->id.idiag_dst, m->idiag_family);
    int left = (int)(h->nlmsg_len - NLMSG_LENGTH(sizeof(*m)));
    const struct rtattr *a = (const struct rtattr *)((const char *)m + NLMSG_ALIGN(sizeof(*m)));
    for (; RTA_OK(a, left); a = RTA_NEXT(a, left))
        if (a->rta_type == INET_DIAG_SKV6ONLY && RTA_PAYLOAD(a) >= 1)
            f.v6_only = *(const unsigned char *)RTA_DATA(a) != 0;
    socket_verdict_add(v, q, &f);
}

/* One piece of the answer: 1 when more follows, 0 at the end, or the error. */
static int take_answer(const unsigned char *data, size_t len, const struct socket_query *q,
                       struct socket_verdict *v)
{
    const struct nlmsghdr *h = (const struct nlmsghdr *)data;
    for (; NLMSG_OK(h, len); h = NLMSG_NEXT(h, len)) {
        if (h->nlmsg_seq != last_number)
            continue;
        if (h->nlmsg_type == NLMSG_DONE)
            return 0;
        if (h->nlmsg_type == NLMSG_ERROR) {
            if (h->nlmsg_len < NLMSG_LENGTH(sizeof(struct nlmsgerr)))
                return -EPROTO;
            int error = ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
            return error == -ENOENT ? 0 : error;
        }
        if (h->nlmsg_type == SOCK_DIAG_BY_FAMILY &&
            h->nlmsg_len >= NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
            take_socket(h, q, v);
        if (!(h->nlmsg_flags & NLM_F_MULTI))
            return 0;
    }
    return 1;
}

static int ask_family(int fd, const struct socket_query *q, int family, struct socket_verdict *v)
{
    struct request request = make_request(q, family);
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    union {
        struct nlmsghdr align;
        unsigned char bytes[16384];
    } answer;
    if (sendto(fd, &request, sizeof(request), 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
        return -errno;
    int r;
    do {
        ssize_t n = recv(fd, answer.bytes, sizeof(answer.bytes), 0);
        if (n < 0)
            return -errno;
        r = take_answer(answer.bytes, (size_t)n, q, v);
    } while (r > 0);
    return r;
}

static int ask_families(const struct socket_query *q, struct socket_verdict *v)
{
    bool v4 = is_v4(q->peer);
    int r = 0;
    if (q->protocol == IPPROTO_TCP)
        return ask_family(asking, q, v4 ? AF_INET : AF_INET6, v);
    if (v4)
        r = ask_family(asking, q, AF_INET, v);
    return r < 0 ? r : ask_family(asking, q, AF_INET6, v);
}

int socket_owner_by_sock_diag(const struct socket_query *q, struct socket_verdict *v)
{
    if (asking < 0)
        asking = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (asking < 0)
        return -errno;
    int r = ask_families(q, v);
    if (r < 0) {
        close(asking);
        asking = -1;
    }
    return r;
}
