#pragma once
/*
 * URLs of apps: which of them are ours, and the way back to one after a log-in, which never leads
 * anywhere else.
 */
#include "base/buf.h"
#include "proto/app_host.h"
#include "proto/url.h"

/* Where this deployment's apps are. */
struct app_site {
    struct app_pattern pattern;
    enum url_scheme scheme; /* of the access URL: URL_HTTP or URL_HTTPS */
    uint16_t access_port;   /* of the access URL */
};

/* 0, or -EINVAL with a text. `wildcard` as for app_pattern_parse(). */
int app_site_parse(struct span wildcard, struct span access_url, struct app_site *ret,
                   struct err *err);

/*
 * Takes a URL apart that is to lead to an app: http or https in any case, a host name under the
 * wildcard that names an app, and the port that the wildcard has (or, when it has none, the
 * scheme's own or the access URL's). ret_url->scheme is that of the deployment, whatever the text
 * says. 0, or -EINVAL for everything else. Free *ret_url with url_deinit().
 */
int app_url_parse(const struct app_site *site, struct span text, struct url *ret_url,
                  struct app_host *ret_app);

/* The same for the value of an Origin field (RFC 6454), whose scheme must be the deployment's. */
int app_origin_parse(const struct app_site *site, struct span text, struct url *ret_url,
                     struct app_host *ret_app);

/*
 * Appends the URL of an app, "https://8080--dev--anna.apps.example.com/": with the wildcard's port,
 * or, when it has none, the access URL's. Errors as app_host_format().
 */
int app_url_format(const struct app_site *site, const struct app_host *app, struct buf *dst);

/*
 * Appends a Location for `path` and `query` (may be empty, without '?'), both as they came, that
 * stays on the same origin: "//host" and "/\host" mean another host to a browser, so such a path
 * is written behind "/.". 0; -EINVAL: no path, or characters that no URL has; -ENOBUFS.
 */
int same_origin_location(struct span path, struct span query, struct buf *dst);

/* Appends `query` without its parameters named `name`. 0 or -ENOBUFS. */
int query_remove(struct span query, const char *name, struct buf *dst);
