#include "proto/host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>

/* As a NUL-terminated copy for inet_pton(); false when it is too long or has a NUL in it. */
static bool copy_text(struct span host, char dst[static HOST_SIZE])
{
    return host.len < HOST_SIZE && span_find(host, '\0') < 0 && str_copy_span(dst, HOST_SIZE, host);
}

static bool all_in(struct span text, const char *set)
{
    for (size_t i = 0; i < text.len; i++)
        if (span_find(span_of(set), text.p[i]) < 0)
            return false;
    return true;
}

/*
 * Whether a resolver could take it for an address in one of the old notations: the last label is
 * a decimal or hexadecimal number.
 */
static bool ends_in_number(struct span host)
{
    ptrdiff_t dot = span_rfind(host, '.');
    struct span last = span_sub(host, dot < 0 ? 0 : (size_t)dot + 1, host.len);
    if (last.len == 0)
        return false;
    if (span_starts(last, "0x") || span_starts(last, "0X"))
        return all_in(span_sub(last, 2, last.len), "0123456789abcdefABCDEF");
    return all_in(last, "0123456789");
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

static bool is_name(struct span host)
{
    struct span rest = host, label;
    if (host.len == 0 || host.len > HOST_MAX_LEN)
        return false;
    while (span_split(&rest, '.', &label)) {
        if (label.len == 0 || label.len > 63 || label.p[0] == '-' || label.p[label.len - 1] == '-')
            return false;
        for (size_t i = 0; i < label.len; i++)
            if (!is_name_char(label.p[i]))
                return false;
    }
    return true;
}

enum host_kind host_kind_of(struct span host)
{
    char text[HOST_SIZE];
    unsigned char address[sizeof(struct in6_addr)];
    if (!copy_text(host, text))
        return HOST_INVALID;
    if (span_find(host, ':') >= 0)
        return inet_pton(AF_INET6, text, address) == 1 ? HOST_IPV6 : HOST_INVALID;
    if (inet_pton(AF_INET, text, address) == 1)
        return HOST_IPV4;
    if (host.len && host.p[host.len - 1] == '.')
        host.len--;
    return is_name(host) && !ends_in_number(host) ? HOST_NAME : HOST_INVALID;
}

static void normalize_ipv6(const char *text, char ret_host[static HOST_SIZE])
{
    struct in6_addr address;
    inet_pton(AF_INET6, text, &address);
    if (IN6_IS_ADDR_V4MAPPED(&address))
        inet_ntop(AF_INET, &address.s6_addr[12], ret_host, HOST_SIZE);
    else
        inet_ntop(AF_INET6, &address, ret_host, HOST_SIZE);
}

int host_normalize(struct span host, char ret_host[static HOST_SIZE])
{
    char text[HOST_SIZE];
    enum host_kind kind = host_kind_of(host);
    if (kind == HOST_INVALID)
        return -EINVAL;
    str_copy_span(text, sizeof(text), host);
    if (kind == HOST_IPV6) {
        normalize_ipv6(text, ret_host);
        return 0;
    }
    str_lower(text);
    if (text[host.len - 1] == '.')
        text[host.len - 1] = '\0';
    str_copy(ret_host, HOST_SIZE, text);
    return 0;
}

bool host_is_loopback(struct span host)
{
    char text[HOST_SIZE];
    if (host_normalize(host, text) < 0)
        return false;
    struct span plain = span_of(text);
    if (host_kind_of(plain) == HOST_IPV4)
        return span_starts(plain, "127.");
    return span_is(plain, "localhost") || span_ends(plain, ".localhost") || span_is(plain, "::1");
}
