#pragma once
/*
 * Answered requests by route and status, for /metrics. One set serves all workers: relaxed
 * atomics, read from any thread.
 */
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "api/routes.h"

enum { WEB_ROUTE_PAGES = API_ROUTE_COUNT, WEB_ROUTE_NONE, WEB_ROUTE_COUNT, WEB_STATUS_COUNT = 24 };

struct web_counters {
    atomic_uint_fast64_t answered[WEB_ROUTE_COUNT][WEB_STATUS_COUNT];
};

void web_counters_add(struct web_counters *c, unsigned route, unsigned status);

/* One count; false past the last. Those that are 0 are left out by the reader. */
struct web_count {
    const char *route; /* operation id, "page", or "none" for what matched no route */
    unsigned status;   /* 0: any other */
    uint64_t n;
};
bool web_counters_get(struct web_counters *c, size_t index, struct web_count *ret);
