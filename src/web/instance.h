#pragma once
/* The inside of struct web, for the files of this folder. */
#include "base/list.h"
#include "base/log.h"
#include "proto/app_url.h"
#include "web/web.h"

struct router;

struct web {
    struct web_options o;
    bool secure; /* the access URL is https: cookies are Secure */
    struct router *router;
    struct route *routes;       /* the router's table */
    size_t n_fixed;             /* of them: the API's and the fixed pages */
    size_t n_files;             /* and, behind those, the files of the dashboard */
    struct log_limit store_log; /* of failures of the store */
    unsigned in_flight;
    struct list streams; /* struct event_stream */
};
