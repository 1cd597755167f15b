#include "proto/hostport.h"

#include <errno.h>
#include <string.h>

#include "base/num.h"

/* Takes the host, which an IPv6 address's brackets or the only colon end, from the front. */
static int take_host(struct span *text, struct span *ret_host)
{
    if (span_starts(*text, "[")) {
        ptrdiff_t end = span_find(*text, ']');
        if (end < 0)
            return -EINVAL;
        *ret_host = span_sub(*text, 1, (size_t)end);
        *text = span_sub(*text, (size_t)end + 1, text->len);
        return host_kind_of(*ret_host) == HOST_IPV6 ? 0 : -EINVAL;
    }
    ptrdiff_t colon = span_find(*text, ':');
    size_t end = colon < 0 ? text->len : (size_t)colon;
    *ret_host = span_sub(*text, 0, end);
    *text = span_sub(*text, end, text->len);
    /* A host with a colon in it cannot come this far. */
    return host_kind_of(*ret_host) == HOST_INVALID ? -EINVAL : 0;
}

int hostport_parse(struct span text, uint16_t default_port, struct hostport *ret)
{
    struct span host;
    int r = take_host(&text, &host);
    if (r < 0)
        return r;
    uint16_t port = default_port;
    if (text.len > 0 && text.p[0] != ':')
        return -EINVAL;
    if (text.len > 1 && num_parse_port(span_sub(text, 1, text.len), false, &port) < 0)
        return -EINVAL;
    if (port == 0)
        return -EINVAL;
    str_copy_span(ret->host, sizeof(ret->host), host);
    str_lower(ret->host);
    ret->port = port;
    return 0;
}

/* By hand: each forwarded connection has some of these texts. */
char *hostport_format(const char *host, uint16_t port, char dst[static HOSTPORT_SIZE])
{
    char room[NUM_TEXT_SIZE];
    struct span digits = num_format(port, room);
    size_t len = strnlen(host, HOST_SIZE - 1);
    bool v6 = memchr(host, ':', len) != NULL;
    char *p = dst;
    if (v6)
        *p++ = '[';
    memcpy(p, host, len);
    p += len;
    if (v6)
        *p++ = ']';
    *p++ = ':';
    memcpy(p, digits.p, digits.len);
    p[digits.len] = '\0';
    return dst;
}
