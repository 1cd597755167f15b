#pragma once
/* The fields of requests on their way to an app, and of its answers (RFC 9110 section 7.6). */
#include <stdbool.h>

#include "base/span.h"

struct cookie_names;
struct headers;

/* Of whom a request comes, as far as the deployment's trusted proxies tell. */
struct rewrite_client {
    const char *ip;    /* of the person */
    const char *peer;  /* of the connection; the same without a proxy in between */
    bool trusted;      /* the peer is a proxy that is believed */
    bool tls;          /* the connection is */
    struct span host;  /* the Host field */
    const char *user;  /* for X-Adit-User; empty or NULL: not sent */
    const char *email; /* for X-Adit-Email; likewise */
    bool upgrade;      /* the request asks for another protocol, and may */
};

/*
 * Fills `to` with what the app gets. Left out: what concerns this connection only, what speaks of
 * framing, our cookies and credentials, and forwarding fields, which are built anew; each also with
 * `_` in the place of `-`, since many apps see no difference. 0 or -ENOBUFS.
 */
int rewrite_request(const struct headers *from, const struct rewrite_client *client,
                    const struct cookie_names *ours, struct headers *to);
/* The same for a request's trailers, which some apps mix with its fields. No cookies are left. */
int rewrite_trailers(const struct headers *from, struct headers *to);

struct rewrite_answer {
    bool upgrade; /* of a 101 */
    bool by_path; /* of an app that shares its origin with the dashboard */
    const struct cookie_names *ours;
};

/*
 * Fills `to` with what the person gets of an answer's head (or trailers): without what concerns
 * the app's connection, without cookies under our names, without what a browser would take to be
 * about more than this app, or a proxy in front of us for an order. 0 or -ENOBUFS.
 */
int rewrite_response(const struct headers *from, const struct rewrite_answer *answer,
                     struct headers *to);

/* Whether a request asks to become something that may be passed on: any but HTTP/2 in the clear. */
bool rewrite_may_upgrade(const struct headers *request);
/* Whether a Set-Cookie field would set one of our cookies, as browsers read it. */
bool rewrite_sets_ours(struct span set_cookie, const struct cookie_names *ours);
