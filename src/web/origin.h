#pragma once
/*
 * Requests that another site's page made the browser send (CSRF). Programs send neither Origin nor
 * Sec-Fetch-Site and carry their token by hand; browsers send them by themselves, and a page
 * cannot forge them. Apps live on sibling hosts, so "same-site" is as foreign as any other.
 */
#include <stdbool.h>

struct exchange;

/*
 * For every request: false when it changes something (not GET, HEAD, OPTIONS) and says that it
 * comes from another origin than the access URL or the host it was sent to.
 */
bool origin_allows(const struct exchange *x, const char *access_url);
/* For forms of our own pages: they say that they come from here. */
bool origin_is_here(const struct exchange *x, const char *access_url);
/*
 * For requests whose credential is the cookie: what changes something, and an upgrade, must say
 * that it comes from here, and carry `Adit-Csrf: 1`, which no form or link can send; from a
 * WebSocket, which cannot carry fields either, the origin is enough. What reads must not say that
 * it comes from elsewhere, unless somebody follows a link.
 */
bool origin_allows_cookie(const struct exchange *x, const char *access_url);
