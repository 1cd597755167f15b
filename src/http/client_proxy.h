#pragma once
/*
 * Which HTTP proxy the environment names for a URL, in the way of curl and Go: https_proxy and
 * http_proxy by scheme, then all_proxy, each in lower or upper case (HTTP_PROXY in upper case is
 * not believed under CGI, where a client sets it by a `Proxy:` field); no_proxy lists what is
 * reached directly: `*`, names with all that is below them, addresses, CIDR blocks, each with a
 * port or without. Loopback is always reached directly.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "proto/host.h"
#include "proto/url.h"

/* As getenv(3). */
typedef const char *client_getenv_fn(const char *name);

/* The value that counts for `url`, or NULL: no proxy. Borrowed from the environment. */
const char *client_proxy_find(const struct url *url, client_getenv_fn *env);

struct client_proxy {
    char host[HOST_SIZE];
    uint16_t port;
    char authorization[512]; /* value of Proxy-Authorization, or "" */
};

/* `[http://][user[:password]@]host[:port][/]`; the port is 80 if none. 0, or -EINVAL. */
int client_proxy_parse(const char *text, struct client_proxy *ret, struct err *err);
