#pragma once
/*
 * Absolute URLs of the schemes that we speak (RFC 3986, strictly: what is not allowed there is an
 * error, never repaired), percent-encoding, and application/x-www-form-urlencoded queries.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "proto/host.h"

enum { URL_MAX_LEN = 8192 };

enum url_scheme { URL_HTTP, URL_HTTPS, URL_WS, URL_WSS };

struct url {
    enum url_scheme scheme;
    char host[HOST_SIZE]; /* lower case, without brackets */
    uint16_t port;        /* the scheme's own when none was given */
    char *path;           /* owned; starts with '/', still percent-encoded */
    char *query;          /* owned; without the '?', still encoded; NULL: none */
};

/*
 * http, https, ws or wss. User information and fragments are refused, as are spaces, control
 * characters, backslashes, bytes beyond ASCII and broken percent-encodings; in path and query,
 * []{}|^` pass, because browsers send them as they are.
 * 0, or -EINVAL with a text. Free *ret with url_deinit.
 */
int url_parse(struct span text, struct url *ret, struct err *err);
void url_deinit(struct url *url);

/* "http", "https", "ws", "wss"; 80 or 443; whether it runs over TLS. */
const char *url_scheme_name(enum url_scheme scheme);
uint16_t url_scheme_port(enum url_scheme scheme);
bool url_scheme_is_tls(enum url_scheme scheme);

/* Appends the whole URL; the port only if it is not the scheme's own. 0 or -ENOBUFS. */
int url_format(const struct url *url, struct buf *dst);
/* Appends `scheme://host[:port]` (RFC 6454 section 6.2). 0 or -ENOBUFS. */
int url_format_origin(const struct url *url, struct buf *dst);
/* Appends `host[:port]`, the value of a Host header field. 0 or -ENOBUFS. */
int url_format_authority(const struct url *url, struct buf *dst);

/* Appends `text` with all but unreserved characters encoded (RFC 3986 section 2.3). */
int percent_encode(struct span text, struct buf *dst);
/*
 * Decodes into `dst` (size bytes, NUL-terminated). Returns the length; -EINVAL: a broken encoding
 * or a NUL; -ENOBUFS: it does not fit.
 */
ssize_t percent_decode(struct span text, char *dst, size_t size);

/*
 * Takes the next `key=value` from the front of *rest, both still encoded. False at the end.
 * Start with *rest = the query without '?'.
 */
bool query_next(struct span *rest, struct span *ret_key, struct span *ret_value);
/*
 * The decoded value of the first `key` ('+' is a space). Returns the length; -ENOENT: no such
 * key; -EINVAL, -ENOBUFS as percent_decode.
 */
ssize_t query_get(struct span query, const char *key, char *dst, size_t size);
/* Appends `key=value` encoded for a form, after an '&' when dst is not empty. 0 or -ENOBUFS. */
int form_append(struct buf *dst, const char *key, struct span value);
