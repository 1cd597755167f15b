#include "http/client_proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/num.h"
#include "proto/hostport.h"

static const char *env_of(client_getenv_fn *env, const char *name)
{
    const char *value = env(name);
    return value && *value ? value : NULL;
}

/* The bytes of an address; returns their number, or 0 when it is none. */
static size_t address_bytes(struct span text, unsigned char dst[static 16])
{
    char copy[64];
    if (!str_copy_span(copy, sizeof(copy), text))
        return 0;
    if (inet_pton(AF_INET, copy, dst) == 1)
        return 4;
    return inet_pton(AF_INET6, copy, dst) == 1 ? 16 : 0;
}

static bool in_block(struct span block, struct span host)
{
    unsigned char net[16], address[16];
    uint64_t bits;
    ptrdiff_t slash = span_find(block, '/');
    size_t len = address_bytes(span_sub(block, 0, (size_t)slash), net);
    if (len == 0 || address_bytes(host, address) != len ||
        num_parse(span_sub(block, (size_t)slash + 1, block.len), 0, len * 8, &bits) < 0)
        return false;
    size_t whole = (size_t)bits / 8;
    unsigned char mask = (unsigned char)(0xff00 >> (bits % 8));
    return memcmp(net, address, whole) == 0 &&
           (bits % 8 == 0 || ((net[whole] ^ address[whole]) & mask) == 0);
}

/* The name itself or one below it; a leading dot or "*." changes nothing. */
static bool name_matches(struct span pattern, struct span host)
{
    if (span_starts(pattern, "*."))
        pattern = span_sub(pattern, 1, pattern.len);
    if (span_starts(pattern, "."))
        pattern = span_sub(pattern, 1, pattern.len);
    if (pattern.len == 0 || pattern.len > host.len)
        return false;
    struct span tail = span_sub(host, host.len - pattern.len, host.len);
    return span_ieq(tail, pattern) &&
           (tail.len == host.len || host.p[host.len - tail.len - 1] == '.');
}

static bool entry_matches(struct span entry, struct span host, uint16_t port)
{
    unsigned char bytes[16];
    if (span_is(entry, "*"))
        return true;
    if (span_find(entry, '/') >= 0)
        return in_block(entry, host);
    /* A last colon starts a port, unless the whole is an IPv6 address. */
    ptrdiff_t colon = span_rfind(entry, ':');
    if (colon >= 0 && !address_bytes(entry, bytes)) {
        uint16_t only;
        struct span text = span_sub(entry, (size_t)colon + 1, entry.len);
        if (num_parse_port(text, false, &only) == 0) {
            if (only != port)
                return false;
            entry = span_sub(entry, 0, (size_t)colon);
        }
    }
    if (span_starts(entry, "[") && span_ends(entry, "]"))
        entry = span_sub(entry, 1, entry.len - 1);
    if (host_kind_of(host) != HOST_NAME)
        return span_ieq(entry, host);
    return name_matches(entry, host);
}

/* Whether a no_proxy list names the host (without brackets) and port. */
static bool is_excluded(const char *list, const char *host, uint16_t port)
{
    struct span rest = span_of(list), entry, word;
    while (span_split(&rest, ',', &entry))
        while (span_split(&entry, ' ', &word)) {
            word = span_trim(word);
            if (word.len > 0 && entry_matches(word, span_of(host), port))
                return true;
        }
    return false;
}

const char *client_proxy_find(const struct url *url, client_getenv_fn *env)
{
    const char *proxy;
    if (host_is_loopback(span_of(url->host)))
        return NULL;
    if (url_scheme_is_tls(url->scheme)) {
        proxy = env_of(env, "https_proxy");
        if (!proxy)
            proxy = env_of(env, "HTTPS_PROXY");
    } else {
        proxy = env_of(env, "http_proxy");
        if (!proxy && !env_of(env, "REQUEST_METHOD"))
            proxy = env_of(env, "HTTP_PROXY");
    }
    if (!proxy)
        proxy = env_of(env, "all_proxy");
    if (!proxy)
        proxy = env_of(env, "ALL_PROXY");
    const char *except = env_of(env, "no_proxy");
    if (!except)
        except = env_of(env, "NO_PROXY");
    if (proxy && except && is_excluded(except, url->host, url->port))
        return NULL;
    return proxy;
}

/* `user[:password]`, percent-encoded, as Basic credentials (RFC 7617). */
static int make_authorization(struct span user, char *dst, size_t size)
{
    char plain[256];
    ssize_t len = percent_decode(user, plain, sizeof(plain));
    if (len < 0)
        return -EINVAL;
    if (!memchr(plain, ':', (size_t)len) && (size_t)len + 1 < sizeof(plain))
        plain[len++] = ':';
    if (size < sizeof("Basic ") + 4 * (((size_t)len + 2) / 3))
        return -EINVAL;
    memcpy(dst, "Basic ", 6);
    EVP_EncodeBlock((unsigned char *)dst + 6, (const unsigned char *)plain, (int)len);
    explicit_bzero(plain, sizeof(plain));
    return 0;
}

int client_proxy_parse(const char *text, struct client_proxy *ret, struct err *err)
{
    struct span rest = span_of(text);
    struct hostport hostport;

    *ret = (struct client_proxy){.authorization = ""};
    ptrdiff_t scheme = span_find_str(rest, "://");
    if (scheme >= 0) {
        if (!span_iis(span_sub(rest, 0, (size_t)scheme), "http"))
            return err_set(err, -EINVAL, "the proxy of the environment is not an http:// one");
        rest = span_sub(rest, (size_t)scheme + 3, rest.len);
    }
    ptrdiff_t slash = span_find(rest, '/');
    if (slash >= 0)
        rest = span_sub(rest, 0, (size_t)slash);
    ptrdiff_t at = span_rfind(rest, '@');
    if (at >= 0) {
        if (make_authorization(span_sub(rest, 0, (size_t)at), ret->authorization,
                               sizeof(ret->authorization)) < 0)
            return err_set(err, -EINVAL, "the proxy's user name cannot be used");
        rest = span_sub(rest, (size_t)at + 1, rest.len);
    }
    if (hostport_parse(rest, 80, &hostport) < 0)
        return err_set(err, -EINVAL, "the proxy \"" SPAN_FMT "\" is not host:port", SPAN_ARG(rest));
    str_copy(ret->host, sizeof(ret->host), hostport.host);
    ret->port = hostport.port;
    return 0;
}
