/*
 * Changes come by rtnetlink (rtnetlink(7)), whose messages are not read but for their coming: what
 * has changed is looked up by who is told. A burst of them is told once, when it has settled.
 */
#include "io/net_local.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/sha.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"
#include "io/timer.h"
#include "io/watch.h"

enum { ADDRS_MOST = 256, NETLINK_PIECE = 8192 };

static const usec_t settle_delay = 300 * USEC_PER_MSEC;
static const usec_t poll_interval = 30 * USEC_PER_SEC;

/* ---- addresses ---- */

static bool is_useful(const struct addr *a)
{
    if (a->sa.sa_family == AF_INET) {
        uint32_t ip = ntohl(a->in.sin_addr.s_addr);
        return ip >> 24 != 127 && ip >> 24 != 0 && ip >> 16 != 0xa9fe && ip >> 28 < 0xe;
    }
    const struct in6_addr *ip = &a->in6.sin6_addr;
    return !IN6_IS_ADDR_LOOPBACK(ip) && !IN6_IS_ADDR_LINKLOCAL(ip) && !IN6_IS_ADDR_MULTICAST(ip) &&
           !IN6_IS_ADDR_UNSPECIFIED(ip) && !IN6_IS_ADDR_V4MAPPED(ip);
}

static bool read_addr(const struct ifaddrs *i, struct addr *ret)
{
    if (!i->ifa_addr || !(i->ifa_flags & IFF_UP) || (i->ifa_flags & IFF_LOOPBACK))
        return false;
    int family = i->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6)
        return false;
    *ret = (struct addr){.len = family == AF_INET ? sizeof(ret->in) : sizeof(ret->in6)};
    memcpy(&ret->sa, i->ifa_addr, ret->len);
    addr_set_port(ret, 0);
    return is_useful(ret);
}

static size_t pick(const struct addr *from, size_t n, struct addr *dst, size_t max)
{
    const int families[2] = {AF_INET, AF_INET6};
    size_t at[2] = {0, 0}, len = 0;
    while (len < max && (at[0] < n || at[1] < n))
        for (int f = 0; f < 2; f++) {
            while (at[f] < n && from[at[f]].sa.sa_family != families[f])
                at[f]++;
            if (at[f] < n && len < max)
                dst[len++] = from[at[f]++];
        }
    return len;
}

size_t net_local_addrs(struct addr *dst, size_t max)
{
    struct ifaddrs *all;
    if (getifaddrs(&all) < 0)
        return 0;
    struct addr *found = xcalloc(ADDRS_MOST, sizeof(*found));
    size_t n = 0;
    for (const struct ifaddrs *i = all; i && n < ADDRS_MOST; i = i->ifa_next)
        if (read_addr(i, &found[n]))
            n++;
    freeifaddrs(all);
    n = pick(found, n, dst, max);
    free(found);
    return n;
}

/* ---- the machine ---- */

int net_local_machine(char dst[static NET_MACHINE_SIZE])
{
    _cleanup_close_ int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    char text[128] = "";
    struct stat ns;
    unsigned char hash[SHA256_DIGEST_LENGTH];
    ssize_t n = fd < 0 ? -1 : read(fd, text, 64);
    if (n < 32 || stat("/proc/self/ns/net", &ns) < 0)
        return -ENOENT;
    int len = snprintf(text + n, sizeof(text) - (size_t)n, " %llu %llu",
                       (unsigned long long)ns.st_dev, (unsigned long long)ns.st_ino);
    SHA256((const unsigned char *)text, (size_t)n + (size_t)len, hash);
    hex_encode(hash, (NET_MACHINE_SIZE - 1) / 2, dst);
    return 0;
}

/* ---- changes ---- */

struct net_watch {
    net_changed_fn *changed;
    void *ud;
    int fd; /* -1: the kernel does not tell */
    struct watch *watch;
    struct timer settle; /* or, without the kernel, the next look */
};

static int open_netlink(void)
{
    const struct sockaddr_nl groups = {.nl_family = AF_NETLINK,
                                       .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR |
                                                    RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE |
                                                    RTMGRP_IPV6_ROUTE};
    _cleanup_close_ int fd =
        socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&groups, sizeof(groups)) < 0)
        return -1;
    return steal_fd(&fd);
}

static void netlink_ready(unsigned events, void *ud)
{
    struct net_watch *w = ud;
    char piece[NETLINK_PIECE];
    /* ENOBUFS tells that messages were lost: a change like any other. */
    while (recv(w->fd, piece, sizeof(piece), 0) >= 0 || errno == ENOBUFS || errno == EINTR)
        ;
    if (!timer_pending(&w->settle))
        timer_start(&w->settle, settle_delay);
}

static void settled(struct timer *t, void *ud)
{
    struct net_watch *w = ud;
    if (w->fd < 0)
        timer_start(t, poll_interval);
    w->changed(w->ud);
}

struct net_watch *net_watch_new(struct loop *loop, net_changed_fn *changed, void *ud)
{
    struct net_watch *w = new0(struct net_watch);
    w->changed = changed;
    w->ud = ud;
    timer_init(&w->settle, loop, settled, w);
    w->fd = open_netlink();
    if (w->fd < 0) {
        timer_start(&w->settle, poll_interval);
        return w;
    }
    w->watch = watch_new(loop, w->fd, netlink_ready, w);
    watch_want(w->watch, WATCH_READ);
    return w;
}

struct net_watch *net_watch_free(struct net_watch *w)
{
    if (!w)
        return NULL;
    timer_cancel(&w->settle);
    watch_close(w->watch);
    if (w->fd >= 0)
        close(w->fd);
    free(w);
    return NULL;
}
