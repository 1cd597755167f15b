#include "web/origin.h"

#include "http/exchange.h"
#include "proto/hostport.h"

static bool only_reads(const struct exchange *x)
{
    return span_is(x->method, "GET") || span_is(x->method, "HEAD") || span_is(x->method, "OPTIONS");
}

/*
 * "http://HOST" or "https://HOST" with the host that the request was sent to: a second way to a
 * server on this machine or network. Only addresses and `localhost`: whoever owns another name may
 * point it at this server and be "the same origin" (DNS rebinding).
 */
static bool is_own_host(const struct exchange *x, struct span origin)
{
    ptrdiff_t colon = span_find_str(origin, "://");
    struct hostport here;
    enum host_kind kind;

    if (colon < 0 || !span_ieq(span_sub(origin, (size_t)colon + 3, origin.len), x->host) ||
        hostport_parse(x->host, 80, &here) < 0)
        return false;
    kind = host_kind_of(span_of(here.host));
    return kind == HOST_IPV4 || kind == HOST_IPV6 || str_eq(here.host, "localhost");
}

enum saying { SAYS_HERE, SAYS_NOTHING, SAYS_ELSEWHERE };

static enum saying says(const struct exchange *x, const char *access_url)
{
    struct span origin = headers_get(&x->headers, "Origin");
    struct span site = headers_get(&x->headers, "Sec-Fetch-Site");
    bool same = site.p && span_is(site, "same-origin");

    if (headers_count(&x->headers, "Origin") > 1 ||
        (origin.p && !span_iis(origin, access_url) && !is_own_host(x, origin)))
        return SAYS_ELSEWHERE;
    if (site.p && !same && !span_is(site, "none"))
        return SAYS_ELSEWHERE;
    return origin.p || same ? SAYS_HERE : SAYS_NOTHING;
}

bool origin_allows(const struct exchange *x, const char *access_url)
{
    return only_reads(x) || says(x, access_url) != SAYS_ELSEWHERE;
}

bool origin_is_here(const struct exchange *x, const char *access_url)
{
    return says(x, access_url) == SAYS_HERE;
}

/* Somebody follows a link: the answer goes to the person, and not to the page that has it. */
static bool is_navigation(const struct exchange *x)
{
    return span_is(headers_get(&x->headers, "Sec-Fetch-Mode"), "navigate");
}

bool origin_allows_cookie(const struct exchange *x, const char *access_url)
{
    if (exchange_wants_upgrade(x))
        return says(x, access_url) == SAYS_HERE;
    if (only_reads(x))
        return says(x, access_url) != SAYS_ELSEWHERE || is_navigation(x);
    return says(x, access_url) == SAYS_HERE && span_is(headers_get(&x->headers, "Adit-Csrf"), "1");
}
