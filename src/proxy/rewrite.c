#include "proxy/rewrite.h"

#include <errno.h>

#include "auth/cookie_names.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "http/headers.h"
#include "proto/cookie.h"
#include "proto/header_rule.h"

enum { COOKIE_MAX_LEN = 32 << 10, OUR_NAME_MAX_LEN = 32 };

/*
 * CGI and what came after it (WSGI, Rack, PHP) write X-Adit-User and X_Adit_User as one and the
 * same variable: so `_` counts as `-`. No name of the tables below is as long as OUR_NAME_MAX_LEN.
 */
static struct span as_apps_read_it(struct span name, char room[static OUR_NAME_MAX_LEN])
{
    if (name.len > OUR_NAME_MAX_LEN || span_find(name, '_') < 0)
        return name;
    for (size_t i = 0; i < name.len; i++)
        room[i] = name.p[i] == '_' ? '-' : name.p[i];
    return span_from(room, name.len);
}

/* Built anew below, or for us alone; `Proxy` is a CGI program's own proxy (CVE-2016-5385). */
static bool is_replaced(struct span name)
{
    return span_iis(name, "content-length") || span_iis(name, "cookie") ||
           span_iis(name, "forwarded") || span_iis(name, "x-forwarded-for") ||
           span_iis(name, "x-forwarded-proto") || span_iis(name, "x-forwarded-host") ||
           span_iis(name, "x-real-ip") || span_iis(name, "x-adit-user") ||
           span_iis(name, "x-adit-email") || span_iis(name, "http2-settings") ||
           span_iis(name, "adit-session-token") || span_iis(name, "proxy");
}

/* Any other X-Forwarded-...: of a proxy in front of us, if there is one. */
static bool is_forwarding(struct span name)
{
    static const char prefix[] = "x-forwarded-";
    return span_iis(span_sub(name, 0, sizeof(prefix) - 1), prefix);
}

static bool is_not_for_apps(struct span name, bool trusted)
{
    char room[OUR_NAME_MAX_LEN];
    struct span plain = as_apps_read_it(name, room);
    return is_replaced(plain) || (!trusted && is_forwarding(plain)) ||
           (plain.p != name.p && header_is_hop_by_hop(plain));
}

/* Whether Connection names it (RFC 9110 section 7.6.1). A request is never without its Host. */
static bool is_named_by_connection(const struct headers *h, const struct header *field)
{
    struct span list, element;
    size_t at = 0;
    if (span_iis(field->name, "Host"))
        return false;
    while (headers_next(h, "Connection", &at, &list))
        while (header_list_next(&list, &element))
            if (span_ieq(element, field->name))
                return true;
    return false;
}

/* `lists`: there is a Connection field. */
static bool is_of_connection(const struct headers *h, bool lists, const struct header *field)
{
    return header_is_hop_by_hop(field->name) || (lists && is_named_by_connection(h, field));
}

static int add_cookies(const struct headers *from, const struct cookie_names *ours,
                       struct headers *to)
{
    struct span field;
    size_t at = 0;
    int r = 0;
    while (r == 0 && headers_next(from, "Cookie", &at, &field)) {
        _cleanup_(buf_deinit) struct buf kept = BUF_INIT(COOKIE_MAX_LEN);
        r = cookie_remove(field, ours->all, ours->n_all, &kept);
        if (r == 0 && kept.len > 0)
            r = headers_add_span(to, SPAN("Cookie"), span_from(buf_data(&kept), kept.len));
    }
    return r;
}

static bool is_scheme(struct span text)
{
    return span_is(text, "http") || span_is(text, "https");
}

static int add_forwarded(const struct headers *from, const struct rewrite_client *c,
                         struct headers *to)
{
    struct span proto = c->trusted ? headers_get(from, "X-Forwarded-Proto") : SPAN_NULL;
    struct span host = c->trusted ? headers_get(from, "X-Forwarded-Host") : SPAN_NULL;
    int r = str_eq(c->ip, c->peer) ? headers_add(to, "X-Forwarded-For", c->ip)
                                   : headers_addf(to, "X-Forwarded-For", "%s, %s", c->ip, c->peer);
    if (!is_scheme(proto))
        proto = c->tls ? SPAN("https") : SPAN("http");
    if (host.len == 0)
        host = c->host;
    if (r == 0)
        r = headers_add_span(to, SPAN("X-Forwarded-Proto"), proto);
    return r == 0 ? headers_add_span(to, SPAN("X-Forwarded-Host"), host) : r;
}

static int add_identity(const struct rewrite_client *c, struct headers *to)
{
    int r = 0;
    if (c->user && *c->user)
        r = headers_add(to, "X-Adit-User", c->user);
    if (r == 0 && c->email && *c->email)
        r = headers_add(to, "X-Adit-Email", c->email);
    return r;
}

/* What our own connection to the app has to say. */
static int add_connection(const struct headers *from, const struct rewrite_client *c,
                          struct headers *to)
{
    struct span field;
    size_t at = 0;
    int r;
    if (c->upgrade) {
        r = headers_add(to, "Connection", "Upgrade");
        while (r == 0 && headers_next(from, "Upgrade", &at, &field))
            r = headers_add_span(to, SPAN("Upgrade"), field);
        return r;
    }
    if (!headers_has_token(from, "TE", "trailers"))
        return 0;
    r = headers_add(to, "TE", "trailers");
    return r == 0 ? headers_add(to, "Connection", "TE") : r;
}

int rewrite_request(const struct headers *from, const struct rewrite_client *client,
                    const struct cookie_names *ours, struct headers *to)
{
    bool lists = headers_has(from, "Connection");
    int r = 0;
    for (size_t i = 0; i < from->len && r == 0; i++) {
        const struct header *field = &from->list[i];
        if (span_iis(field->name, "Trailer") || (!is_of_connection(from, lists, field) &&
                                                 !is_not_for_apps(field->name, client->trusted)))
            r = headers_add_borrowed(to, field->name, field->value);
    }
    if (r == 0)
        r = add_cookies(from, ours, to);
    if (r == 0)
        r = add_forwarded(from, client, to);
    if (r == 0)
        r = add_identity(client, to);
    return r == 0 ? add_connection(from, client, to) : r;
}

int rewrite_trailers(const struct headers *from, struct headers *to)
{
    int r = 0;
    for (size_t i = 0; i < from->len && r == 0; i++) {
        const struct header *field = &from->list[i];
        if (!header_is_hop_by_hop(field->name) && !is_not_for_apps(field->name, false))
            r = headers_add_borrowed(to, field->name, field->value);
    }
    return r;
}

/*
 * Browsers store "=name=x" and "name" as a cookie without a name and send it back as "name=x": so
 * what counts is the text in front of the first attribute, empty name or not.
 */
bool rewrite_sets_ours(struct span set_cookie, const struct cookie_names *ours)
{
    ptrdiff_t end = span_find(set_cookie, ';');
    struct span pair = span_trim(span_sub(set_cookie, 0, end < 0 ? set_cookie.len : (size_t)end));
    while (pair.len > 0 && (pair.p[0] == '=' || pair.p[0] == ' ' || pair.p[0] == '\t'))
        pair = span_sub(pair, 1, pair.len);
    ptrdiff_t eq = span_find(pair, '=');
    struct span name = span_trim(span_sub(pair, 0, eq < 0 ? pair.len : (size_t)eq));
    return cookie_name_is_one_of(name, ours->all, ours->n_all);
}

/* A browser clears cookies of the whole site, those of its neighbours and ours included. */
static bool clears_cookies(struct span list)
{
    struct span element;
    while (header_list_next(&list, &element))
        if (span_is(element, "\"cookies\"") || span_is(element, "\"*\""))
            return true;
    return false;
}

/* What reaches beyond the app: the site, the way to us, files of a proxy in front of us. */
static bool reaches_further(const struct header *field)
{
    struct span name = field->name;
    return span_iis(name, "alt-svc") || span_iis(name, "x-accel-redirect") ||
           span_iis(name, "x-sendfile") || span_iis(name, "x-lighttpd-send-file") ||
           span_iis(name, "x-reproxy-url") ||
           (span_iis(name, "clear-site-data") && clears_cookies(field->value));
}

/* What browsers keep for a whole origin. */
static bool is_of_origin(struct span name)
{
    return span_iis(name, "service-worker-allowed") || span_iis(name, "clear-site-data") ||
           span_iis(name, "strict-transport-security") || span_iis(name, "nel") ||
           span_iis(name, "report-to") || span_iis(name, "public-key-pins") ||
           span_iis(name, "public-key-pins-report-only");
}

int rewrite_response(const struct headers *from, const struct rewrite_answer *answer,
                     struct headers *to)
{
    bool lists = headers_has(from, "Connection");
    int r = 0;
    for (size_t i = 0; i < from->len && r == 0; i++) {
        const struct header *field = &from->list[i];
        bool keep = span_iis(field->name, "Trailer") ||
                    (answer->upgrade && span_iis(field->name, "Upgrade")) ||
                    !is_of_connection(from, lists, field);
        if (span_iis(field->name, "Content-Length") || reaches_further(field) ||
            (answer->by_path && is_of_origin(field->name)) ||
            (span_iis(field->name, "Set-Cookie") && rewrite_sets_ours(field->value, answer->ours)))
            keep = false;
        if (keep)
            r = headers_add_span(to, field->name, field->value);
    }
    return r == 0 && answer->upgrade ? headers_add(to, "Connection", "Upgrade") : r;
}

bool rewrite_may_upgrade(const struct headers *request)
{
    return headers_has(request, "Upgrade") && !headers_has_token(request, "Upgrade", "h2c");
}
