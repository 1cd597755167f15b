#include "proto/app_url.h"

#include <errno.h>

int app_site_parse(struct span wildcard, struct span access_url, struct app_site *ret,
                   struct err *err)
{
    struct app_site site;
    struct url url = {.path = NULL};
    int r = app_pattern_parse(wildcard, &site.pattern, err);
    if (r == 0)
        r = url_parse(access_url, &url, err);
    if (r < 0)
        return r;
    site.scheme = url.scheme;
    site.access_port = url.port;
    url_deinit(&url);
    *ret = site;
    return 0;
}

int app_url_format(const struct app_site *site, const struct app_host *app, struct buf *dst)
{
    int r = buf_appendf(dst, "%s://", url_scheme_name(site->scheme));
    if (r == 0)
        r = app_host_format(&site->pattern, app, dst);
    if (r == 0 && !site->pattern.port && site->access_port != url_scheme_port(site->scheme))
        r = buf_appendf(dst, ":%u", site->access_port);
    return r ? r : buf_append_byte(dst, '/');
}

static bool port_is_ours(const struct app_site *site, const struct url *url)
{
    if (site->pattern.port)
        return url->port == site->pattern.port;
    return url->port == url_scheme_port(site->scheme) || url->port == site->access_port;
}

int app_url_parse(const struct app_site *site, struct span text, struct url *ret_url,
                  struct app_host *ret_app)
{
    struct url url;
    if (text.len > URL_MAX_LEN || url_parse(text, &url, NULL) < 0)
        return -EINVAL;
    bool had_port = url.port != url_scheme_port(url.scheme);
    bool http = url.scheme == URL_HTTP || url.scheme == URL_HTTPS;
    url.scheme = site->scheme;
    if (!had_port)
        url.port = url_scheme_port(site->scheme);
    if (!http || !port_is_ours(site, &url) ||
        app_host_parse(&site->pattern, span_of(url.host), ret_app) != APP_HOST_MATCH) {
        url_deinit(&url);
        return -EINVAL;
    }
    *ret_url = url;
    return 0;
}

int app_origin_parse(const struct app_site *site, struct span text, struct url *ret_url,
                     struct app_host *ret_app)
{
    struct url url;
    int r = url_parse(text, &url, NULL);
    if (r < 0)
        return -EINVAL;
    /* An origin is no more than "scheme://host[:port]". */
    bool plain =
        url.scheme == site->scheme && !url.query && str_eq(url.path, "/") && !span_ends(text, "/");
    url_deinit(&url);
    return plain ? app_url_parse(site, text, ret_url, ret_app) : -EINVAL;
}

static bool location_chars(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.p[i] <= ' ' || (unsigned char)text.p[i] >= 0x7f)
            return false;
    return true;
}

int same_origin_location(struct span path, struct span query, struct buf *dst)
{
    size_t before = dst->len;
    if (!span_starts(path, "/") || !location_chars(path) || !location_chars(query))
        return -EINVAL;
    int r = path.len > 1 && (path.p[1] == '/' || path.p[1] == '\\') ? buf_append_str(dst, "/.") : 0;
    for (size_t i = 0; i < path.len && r == 0; i++)
        r = path.p[i] == '\\' ? buf_append_str(dst, "%5C")
                              : buf_append_byte(dst, (unsigned char)path.p[i]);
    if (r == 0 && query.len > 0)
        r = buf_append_byte(dst, '?') | buf_append(dst, query.p, query.len);
    if (r != 0)
        dst->len = before;
    return r ? -ENOBUFS : 0;
}

int query_remove(struct span query, const char *name, struct buf *dst)
{
    size_t before = dst->len;
    struct span piece;
    while (query.len > 0 && span_split(&query, '&', &piece)) {
        ptrdiff_t eq = span_find(piece, '=');
        if (span_is(span_sub(piece, 0, eq < 0 ? piece.len : (size_t)eq), name))
            continue;
        int r = dst->len > before ? buf_append_byte(dst, '&') : 0;
        if (r == 0)
            r = buf_append(dst, piece.p, piece.len);
        if (r < 0) {
            dst->len = before;
            return r;
        }
    }
    return 0;
}
