#pragma once
/*
 * The pages of the access URL that depend on who asks: those of the dashboard, which are shown to
 * who is logged in and lead everybody else to the log-in and back; the log-in and the log-out. The
 * log-in is a plain form, without script. Forms of other sites are refused by where browsers say
 * they come from (web/origin.h); log-in attempts count against the limits of auth/login.h.
 */
#include <stddef.h>

struct exchange;
struct web;

/* Answers the request, now or later. */
typedef void site_fn(struct web *web, struct exchange *x);

struct site_route {
    const char *method;
    const char *path;
    site_fn *run;
};

const struct site_route *site_routes(size_t *ret_n);
