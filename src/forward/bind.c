#include "forward/bind.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/span.h"
#include "proto/hostport.h"

enum { PORTS_TRIED = 200, PRIVILEGED_PORTS = 1024, PRIVILEGED_SHIFT = 8000 };

static int add_ip(struct bind_addrs *b, const char *ip, uint16_t port)
{
    return addr_from_ip(ip, port, &b->addrs[b->len++]);
}

int bind_addrs_of(const struct forward *forward, uint16_t port, struct bind_addrs *ret,
                  struct err *err)
{
    *ret = (struct bind_addrs){0};
    int r = 0;
    if (forward->local_path) {
        ret->len = 1;
        r = addr_from_path(forward->local_path, &ret->addrs[0]);
        return r < 0 ? err_sys(err, r, "%s", forward->local_path) : 0;
    }
    if (!forward->bind || str_eq(forward->bind, "localhost")) {
        add_ip(ret, "127.0.0.1", port);
        add_ip(ret, "::1", port);
    } else if (str_eq(forward->bind, "*")) {
        add_ip(ret, "0.0.0.0", port);
        add_ip(ret, "::", port);
    } else {
        r = add_ip(ret, forward->bind, port);
    }
    return r < 0 ? err_set(err, r, "'%s' is not an address", forward->bind) : 0;
}

bool bind_is_public(const struct forward *forward)
{
    if (forward->local_path || !forward->bind || str_eq(forward->bind, "localhost"))
        return false;
    if (str_eq(forward->bind, "*"))
        return true;
    struct addr a;
    return addr_from_ip(forward->bind, 0, &a) < 0 || !addr_is_loopback(&a);
}

static bool to_addr(const struct sockaddr *sa, struct addr *ret)
{
    *ret = (struct addr){0};
    if (sa->sa_family == AF_INET) {
        ret->len = sizeof(ret->in);
        ret->in = *(const struct sockaddr_in *)(const void *)sa;
    } else if (sa->sa_family == AF_INET6) {
        ret->len = sizeof(ret->in6);
        ret->in6 = *(const struct sockaddr_in6 *)(const void *)sa;
    }
    return ret->len > 0;
}

static bool reaches(const struct ifaddrs *i, const struct addr *bound, struct addr *ret)
{
    if (!i->ifa_addr || !(i->ifa_flags & IFF_UP) || !to_addr(i->ifa_addr, ret))
        return false;
    if (addr_is_loopback(ret))
        return false;
    if (ret->sa.sa_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&ret->in6.sin6_addr))
        return false;
    if (addr_is_any(bound))
        return bound->sa.sa_family == AF_INET6 || ret->sa.sa_family == AF_INET;
    struct addr a = *ret, b = *bound;
    addr_set_port(&a, 0);
    addr_set_port(&b, 0);
    return addr_equal(&a, &b);
}

char *bind_describe_reach(const struct addr *bound, char dst[static BIND_REACH_SIZE])
{
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(BIND_REACH_SIZE - 1);
    struct ifaddrs *interfaces = NULL;
    unsigned n = 0;
    buf_append_str(&text, "everyone who can reach this machine");
    if (getifaddrs(&interfaces) == 0) {
        for (const struct ifaddrs *i = interfaces; i && n < 4; i = i->ifa_next) {
            struct addr a;
            char ip[ADDR_TEXT_LEN];
            if (reaches(i, bound, &a))
                buf_appendf(&text, "%s %s (%s)", n++ ? "," : " at", addr_format_ip(&a, ip),
                            i->ifa_name);
        }
        freeifaddrs(interfaces);
    }
    str_copy(dst, BIND_REACH_SIZE, buf_cstr(&text));
    return dst;
}

/* Whether the first address, which must succeed, could be bound right now. */
static bool can_bind(const struct forward *forward, uint16_t port)
{
    struct bind_addrs b;
    if (bind_addrs_of(forward, port, &b, NULL) < 0)
        return false;
    int type = forward->network == FORWARD_NET_UDP ? SOCK_DGRAM : SOCK_STREAM;
    for (size_t i = 0; i < b.len; i++) {
        _cleanup_close_ int fd = socket(b.addrs[i].sa.sa_family, type | SOCK_CLOEXEC, 0);
        if (fd < 0 && i > 0)
            continue;
        if (b.addrs[i].sa.sa_family == AF_INET6)
            setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){1}, sizeof(int));
        if (type == SOCK_STREAM)
            setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
        if (bind(fd, &b.addrs[i].sa, b.addrs[i].len) < 0 && (i == 0 || errno == EADDRINUSE))
            return false;
    }
    return true;
}

static bool is_wanted(const struct forward_set *set, uint16_t port)
{
    for (size_t i = 0; i < set->len; i++)
        if (!set->items[i].local_path && set->items[i].local_port == port)
            return true;
    return false;
}

uint16_t bind_find_free_port(const struct forward_set *set, const struct forward *forward)
{
    uint32_t from = forward->local_port;
    from = from < PRIVILEGED_PORTS ? from + PRIVILEGED_SHIFT : from + 1;
    for (uint32_t i = 0; i < PORTS_TRIED; i++) {
        uint32_t port = from + i;
        if (port > 65535)
            port = port - 65535 + PRIVILEGED_PORTS;
        if (!is_wanted(set, (uint16_t)port) && can_bind(forward, (uint16_t)port))
            return (uint16_t)port;
    }
    return 0;
}

char *bind_target_text(const struct forward *forward, char dst[static TARGET_TEXT_SIZE])
{
    char text[HOSTPORT_SIZE];
    if (forward->remote_path)
        str_copy(dst, TARGET_TEXT_SIZE, forward->remote_path);
    else if (forward->host)
        str_copy(dst, TARGET_TEXT_SIZE, hostport_format(forward->host, forward->remote_port, text));
    else
        dst[0] = 0;
    return dst;
}
