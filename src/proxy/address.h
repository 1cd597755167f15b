#pragma once
/* What an app request is addressed to, by its host name or by its path (DESIGN section 8). Pure. */
#include <stdbool.h>

#include "auth/ticket.h"
#include "base/span.h"
#include "proto/app_url.h"

enum address_kind {
    ADDRESS_OTHER,        /* not an app's: the dashboard, the API */
    ADDRESS_APP,          /* *ret is filled */
    ADDRESS_BAD_HOST,     /* below the wildcard, but no app's name */
    ADDRESS_BAD_PATH,     /* "/@..." that names nothing */
    ADDRESS_PORT_BY_PATH, /* ports have no path form */
    ADDRESS_NO_SLASH,     /* a path form that ends with the slug: *ret is filled */
};

struct address {
    bool by_path;
    struct app_host app;
    char site[HOST_SIZE];        /* host name in lower case, without port and final dot */
    char base[TICKET_BASE_SIZE]; /* "/", or the path form's head as it came, with a final slash */
    struct span path;            /* for the app: starts with a slash; borrowed */
};

/*
 * `site` NULL: the deployment has no wildcard. `access_host`: the host name of the access URL,
 * which is never an app's. `host`: the Host field's value; `path`: as it came, still encoded.
 */
enum address_kind address_of(const struct app_site *site, const char *access_host, struct span host,
                             struct span path, struct address *ret);
