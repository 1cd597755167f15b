#pragma once
/*
 * Which handler answers a method and a path. Routes are a constant table:
 *
 *     {"GET", "/api/v1/workspaces/{owner}/{name}", get_workspace},
 *     {"GET", "/assets/{path...}", get_asset},
 *
 * Paths are split at '/' before anything is decoded; then each segment is percent-decoded by
 * itself, so that %2F is a slash inside a name and never a separator. Literal segments compare by
 * bytes after decoding and win over parameters. `{name}` takes one segment that is not empty;
 * `{name...}`, only at the end, takes the rest (also an empty one), still encoded. Nothing is
 * repaired: empty segments and a final slash count. A segment "." or "..", encoded or not, and a
 * broken encoding, NUL or control character make a path bad. GET routes answer HEAD as well.
 */
#include <stddef.h>

#include "base/span.h"
#include "http/headers.h"

struct exchange;
struct router;

enum { ROUTE_MAX_PARAMS = 6, ROUTE_MAX_SEGMENTS = 16, ROUTE_MAX_PATH = 4096 };

struct route_param {
    const char *name;
    const char *value; /* decoded, NUL-terminated, in the exchange's arena */
};

struct route_params {
    size_t len;
    struct route_param list[ROUTE_MAX_PARAMS];
};

typedef void route_fn(struct exchange *x, const struct route_params *params, void *ud);

struct route {
    const char *method;
    const char *pattern;
    route_fn *handler;
    const void *data; /* the owner's: rights, limits, ... */
};

/* The value of a parameter of the route's pattern; NULL when it has none of that name. */
const char *route_param(const struct route_params *params, const char *name);

/* Borrows the table. Aborts on a malformed or repeated pattern. Immutable, for any thread. */
struct router *router_new(const struct route *routes, size_t n_routes);
/* Returns NULL; accepts NULL. */
struct router *router_free(struct router *r);
/* The table, for tests that compare it with the API's description. */
const struct route *router_routes(const struct router *r, size_t *ret_len);

enum route_result {
    ROUTE_FOUND,
    ROUTE_NOT_FOUND,          /* 404 */
    ROUTE_METHOD_NOT_ALLOWED, /* 405; `Allow` has been set in x->response */
    ROUTE_BAD_PATH,           /* 400 */
};

/* Finds the route for x->method and x->path. *ret_route and *ret_params on ROUTE_FOUND only. */
enum route_result router_match(const struct router *r, struct exchange *x,
                               const struct route **ret_route, struct route_params *ret_params);
