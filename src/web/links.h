#pragma once
/* URLs at which a browser opens ports and apps of a workspace. */
#include <stdbool.h>
#include <stdint.h>

#include "model/template.h"
#include "model/workspace.h"

struct web;

/* Where the port or app is. Borrowed. */
struct link_place {
    const struct workspace *ws;
    const struct agent *agent;
    bool without_agent; /* the URL finds the agent without its name: it needs no name */
};

/*
 * The long form, or the short one where that is too long for a host name. `https`: the port itself
 * speaks HTTPS. NULL: the deployment has no wildcard URL, or the port is below 9. The caller
 * frees it.
 */
char *link_port(const struct web *web, const struct link_place *place, uint16_t port, bool https);
/* The same for an app; one that is not on a subdomain is at a path of the access URL. */
char *link_app(const struct web *web, const struct link_place *place, const struct app *app);
