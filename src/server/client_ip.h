#pragma once
/* Who a request comes from when proxies stand in between. */
#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"
#include "io/addr.h"
#include "server/cidr.h"

struct headers;

enum { CLIENT_IP_SIZE = 64 };

/*
 * The address of the client as text: the peer of the connection; if that is a trusted proxy, the
 * last address of X-Forwarded-For that is none, as far as the field can be read. Returns false
 * when the request was passed on by a proxy that is not trusted: then the text is the proxy's.
 */
bool client_ip_of(const struct addr *peer, const struct headers *headers,
                  const struct cidr_list *trusted, char ret_ip[static CLIENT_IP_SIZE]);
