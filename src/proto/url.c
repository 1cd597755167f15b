#include "proto/url.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/num.h"
#include "proto/hostport.h"

static const struct {
    const char *name;
    uint16_t port;
    bool tls;
} schemes[] = {
    [URL_HTTP] = {"http", 80, false},
    [URL_HTTPS] = {"https", 443, true},
    [URL_WS] = {"ws", 80, false},
    [URL_WSS] = {"wss", 443, true},
};

const char *url_scheme_name(enum url_scheme scheme)
{
    return schemes[scheme].name;
}

uint16_t url_scheme_port(enum url_scheme scheme)
{
    return schemes[scheme].port;
}

bool url_scheme_is_tls(enum url_scheme scheme)
{
    return schemes[scheme].tls;
}

void url_deinit(struct url *url)
{
    free(url->path);
    free(url->query);
    *url = (struct url){0};
}

static int parse_scheme(struct span *text, enum url_scheme *ret)
{
    ptrdiff_t end = span_find_str(*text, "://");
    if (end < 0)
        return -EINVAL;
    struct span name = span_sub(*text, 0, (size_t)end);
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        if (span_iis(name, schemes[i].name)) {
            *ret = (enum url_scheme)i;
            *text = span_sub(*text, (size_t)end + 3, text->len);
            return 0;
        }
    }
    return -EINVAL;
}

/*
 * Path and query. Browsers send [ ] { } | ^ ` as they are, so that these pass although RFC 3986
 * wants them encoded.
 */
static bool path_chars_valid(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.p[i];
        uint64_t value;
        if (c <= ' ' || c >= 0x7f || c == '"' || c == '<' || c == '>' || c == '\\' || c == '#')
            return false;
        if (c == '%' &&
            (i + 2 >= text.len || num_parse_hex(span_sub(text, i + 1, i + 3), 0xff, &value) < 0))
            return false;
    }
    return true;
}

static size_t authority_len(struct span text)
{
    size_t n = 0;
    while (n < text.len && text.p[n] != '/' && text.p[n] != '?' && text.p[n] != '#')
        n++;
    return n;
}

/* What is wrong; NULL: nothing, and *ret is filled. */
static const char *parse(struct span text, struct url *ret)
{
    enum url_scheme scheme;
    struct hostport authority;
    if (text.len > URL_MAX_LEN)
        return "it is too long";
    if (parse_scheme(&text, &scheme) < 0)
        return "it does not start with http://, https://, ws:// or wss://";
    size_t n = authority_len(text);
    if (span_find(span_sub(text, 0, n), '@') >= 0)
        return "user information before an @ is not allowed";
    if (hostport_parse(span_sub(text, 0, n), schemes[scheme].port, &authority) < 0)
        return "its host or port is not valid";
    text = span_sub(text, n, text.len);
    if (span_find(text, '#') >= 0)
        return "a fragment (#) is not allowed";
    if (!path_chars_valid(text))
        return "its path has a character that must be encoded";

    ptrdiff_t mark = span_find(text, '?');
    struct span path = span_sub(text, 0, mark < 0 ? text.len : (size_t)mark);
    *ret = (struct url){.scheme = scheme, .port = authority.port};
    str_copy(ret->host, sizeof(ret->host), authority.host);
    ret->path = span_dup(path.len ? path : SPAN("/"));
    if (mark >= 0)
        ret->query = span_dup(span_sub(text, (size_t)mark + 1, text.len));
    return NULL;
}

int url_parse(struct span text, struct url *ret, struct err *err)
{
    const char *wrong = parse(text, ret);
    if (!wrong)
        return 0;
    int shown = text.len < 200 ? (int)text.len : 200;
    return err_set(err, -EINVAL, "\"%.*s\" is not a URL for us: %s", shown, text.len ? text.p : "",
                   wrong);
}

int url_format_authority(const struct url *url, struct buf *dst)
{
    bool v6 = span_find(span_of(url->host), ':') >= 0;
    int r = buf_appendf(dst, v6 ? "[%s]" : "%s", url->host);
    if (r == 0 && url->port != schemes[url->scheme].port)
        r = buf_appendf(dst, ":%u", url->port);
    return r;
}

int url_format_origin(const struct url *url, struct buf *dst)
{
    int r = buf_appendf(dst, "%s://", schemes[url->scheme].name);
    return r < 0 ? r : url_format_authority(url, dst);
}

int url_format(const struct url *url, struct buf *dst)
{
    int r = url_format_origin(url, dst);
    if (r == 0)
        r = buf_append_str(dst, url->path);
    if (r == 0 && url->query)
        r = buf_appendf(dst, "?%s", url->query);
    return r;
}
