#include "server/urls.h"

#include "base/mem.h"
#include "proto/hostport.h"
#include "proto/url.h"

char *urls_access(const struct addr *addr, bool tls)
{
    const char *scheme = tls ? "https" : "http";
    char ip[ADDR_TEXT_LEN], authority[HOSTPORT_SIZE];
    uint16_t port = addr_port(addr);

    addr_format_ip(addr, ip);
    if (addr_is_any(addr))
        str_copy(ip, sizeof(ip), addr->sa.sa_family == AF_INET6 ? "::1" : "127.0.0.1");
    hostport_format(ip, port, authority);
    return xasprintf("%s://%s", scheme, authority);
}

char *urls_wildcard(const char *access_url)
{
    char *wildcard = NULL;
    struct url url;

    if (url_parse(span_of(access_url), &url, NULL) < 0)
        return NULL;
    if (host_is_loopback(span_of(url.host)))
        wildcard = url.port == url_scheme_port(url.scheme) ? xstrdup("*.localhost")
                                                           : xasprintf("*.localhost:%u", url.port);
    url_deinit(&url);
    return wildcard;
}
