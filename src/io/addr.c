#include "io/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "base/span.h"

/* "fe80::1%eth0", "fe80::1%2" */
static int parse_scope(const char *scope, uint32_t *ret)
{
    uint64_t n;
    if (num_parse(span_of(scope), 1, UINT32_MAX, &n) == 0)
        *ret = (uint32_t)n;
    else
        *ret = if_nametoindex(scope);
    return *ret ? 0 : -EINVAL;
}

int addr_from_ip(const char *ip, uint16_t port, struct addr *ret)
{
    struct addr a = {0};
    if (inet_pton(AF_INET, ip, &a.in.sin_addr) == 1) {
        a.len = sizeof(a.in);
        a.in.sin_family = AF_INET;
        a.in.sin_port = htons(port);
        *ret = a;
        return 0;
    }
    char text[INET6_ADDRSTRLEN + IF_NAMESIZE];
    if (!str_copy(text, sizeof(text), ip))
        return -EINVAL;
    char *scope = strchr(text, '%');
    if (scope) {
        *scope = '\0';
        if (parse_scope(scope + 1, &a.in6.sin6_scope_id) < 0)
            return -EINVAL;
    }
    if (inet_pton(AF_INET6, text, &a.in6.sin6_addr) != 1)
        return -EINVAL;
    a.len = sizeof(a.in6);
    a.in6.sin6_family = AF_INET6;
    a.in6.sin6_port = htons(port);
    *ret = a;
    return 0;
}

int addr_from_path(const char *path, struct addr *ret)
{
    struct addr a = {0};
    a.un.sun_family = AF_UNIX;
    if (!str_copy(a.un.sun_path, sizeof(a.un.sun_path), path))
        return -ENAMETOOLONG;
    a.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1);
    *ret = a;
    return 0;
}

uint16_t addr_port(const struct addr *a)
{
    if (a->sa.sa_family == AF_INET)
        return ntohs(a->in.sin_port);
    if (a->sa.sa_family == AF_INET6)
        return ntohs(a->in6.sin6_port);
    return 0;
}

void addr_set_port(struct addr *a, uint16_t port)
{
    if (a->sa.sa_family == AF_INET)
        a->in.sin_port = htons(port);
    else if (a->sa.sa_family == AF_INET6)
        a->in6.sin6_port = htons(port);
}

static bool is_v4_loopback(const void *four_bytes)
{
    return *(const unsigned char *)four_bytes == 127;
}

bool addr_is_loopback(const struct addr *a)
{
    if (a->sa.sa_family == AF_INET)
        return is_v4_loopback(&a->in.sin_addr);
    if (a->sa.sa_family == AF_INET6) {
        const struct in6_addr *ip = &a->in6.sin6_addr;
        return IN6_IS_ADDR_LOOPBACK(ip) ||
               (IN6_IS_ADDR_V4MAPPED(ip) && is_v4_loopback(&ip->s6_addr[12]));
    }
    return a->sa.sa_family == AF_UNIX;
}

bool addr_is_any(const struct addr *a)
{
    if (a->sa.sa_family == AF_INET)
        return a->in.sin_addr.s_addr == htonl(INADDR_ANY);
    return a->sa.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&a->in6.sin6_addr);
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
    if (a->sa.sa_family != b->sa.sa_family || addr_port(a) != addr_port(b))
        return false;
    if (a->sa.sa_family == AF_INET)
        return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
    if (a->sa.sa_family == AF_INET6)
        return IN6_ARE_ADDR_EQUAL(&a->in6.sin6_addr, &b->in6.sin6_addr) &&
               a->in6.sin6_scope_id == b->in6.sin6_scope_id;
    return a->len == b->len && memcmp(&a->un, &b->un, a->len) == 0;
}

static char *format_unix(const struct addr *a, char *dst)
{
    size_t head = offsetof(struct sockaddr_un, sun_path);
    size_t len = a->len > head ? a->len - head : 0;
    if (len == 0)
        snprintf(dst, ADDR_TEXT_LEN, "unix");
    else if (a->un.sun_path[0] == '\0') /* Linux: an abstract name */
        snprintf(dst, ADDR_TEXT_LEN, "@%.*s", (int)len - 1, a->un.sun_path + 1);
    else
        snprintf(dst, ADDR_TEXT_LEN, "%.*s", (int)len, a->un.sun_path);
    return dst;
}

/* By hand: every forwarded connection and every request has some, and inet_ntop() uses printf(). */
static void format_v4(const struct in_addr *ip, char *dst)
{
    const unsigned char *bytes = (const unsigned char *)ip;
    for (int i = 0; i < 4; i++) {
        char room[NUM_TEXT_SIZE];
        struct span digits = num_format(bytes[i], room);
        memcpy(dst, digits.p, digits.len);
        dst[digits.len] = i < 3 ? '.' : '\0';
        dst += digits.len + 1;
    }
}

char *addr_format_ip(const struct addr *a, char dst[static ADDR_TEXT_LEN])
{
    if (a->sa.sa_family == AF_INET) {
        format_v4(&a->in.sin_addr, dst);
    } else if (a->sa.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &a->in6.sin6_addr, dst, ADDR_TEXT_LEN);
        size_t n = strlen(dst);
        if (a->in6.sin6_scope_id)
            snprintf(dst + n, ADDR_TEXT_LEN - n, "%%%u", (unsigned)a->in6.sin6_scope_id);
    } else if (a->sa.sa_family == AF_UNIX) {
        format_unix(a, dst);
    } else {
        snprintf(dst, ADDR_TEXT_LEN, "unknown");
    }
    return dst;
}

static void put_port(char *dst, uint16_t port)
{
    char room[NUM_TEXT_SIZE];
    struct span digits = num_format(port, room);
    *dst++ = ':';
    memcpy(dst, digits.p, digits.len);
    dst[digits.len] = '\0';
}

char *addr_format(const struct addr *a, char dst[static ADDR_TEXT_LEN])
{
    char ip[ADDR_TEXT_LEN];
    if (a->sa.sa_family == AF_INET) {
        format_v4(&a->in.sin_addr, dst);
        put_port(dst + strlen(dst), addr_port(a));
        return dst;
    }
    addr_format_ip(a, ip);
    if (a->sa.sa_family == AF_INET6)
        snprintf(dst, ADDR_TEXT_LEN, "[%.64s]:%u", ip, addr_port(a));
    else
        memcpy(dst, ip, ADDR_TEXT_LEN);
    return dst;
}

int addr_of_socket(int fd, struct addr *ret)
{
    struct addr a = {.len = sizeof(a.storage)};
    if (getsockname(fd, &a.sa, &a.len) < 0)
        return -errno;
    *ret = a;
    return 0;
}

int addr_of_peer(int fd, struct addr *ret)
{
    struct addr a = {.len = sizeof(a.storage)};
    if (getpeername(fd, &a.sa, &a.len) < 0)
        return -errno;
    *ret = a;
    return 0;
}
