#pragma once
/* The URLs of a server, as configured or made from where it listens. */
#include <stdbool.h>

#include "io/addr.h"

/*
 * The access URL for a server that listens on `addr`: a listener on every address is reached by
 * loopback. The caller frees it.
 */
char *urls_access(const struct addr *addr, bool tls);
/* "*.localhost" with the port of `access_url` when that is on this machine; else NULL. */
char *urls_wildcard(const char *access_url);
