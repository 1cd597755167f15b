#include "web/counters.h"

#include "base/cleanup.h"

/* What this server answers with; the last place collects the rest. */
static const unsigned short statuses[] = {101, 200, 201, 204, 303, 400, 401, 403, 404, 405, 408,
                                          409, 413, 415, 421, 426, 429, 431, 500, 502, 503, 504};

_Static_assert(ARRAY_LEN(statuses) < WEB_STATUS_COUNT, "a place is left for the rest");

static size_t place_of(unsigned status)
{
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
        if (statuses[i] == status)
            return i;
    return ARRAY_LEN(statuses);
}

void web_counters_add(struct web_counters *c, unsigned route, unsigned status)
{
    atomic_fetch_add_explicit(&c->answered[route][place_of(status)], 1, memory_order_relaxed);
}

bool web_counters_get(struct web_counters *c, size_t index, struct web_count *ret)
{
    size_t route = index / (ARRAY_LEN(statuses) + 1), place = index % (ARRAY_LEN(statuses) + 1);

    if (route >= WEB_ROUTE_COUNT)
        return false;
    ret->route = route == WEB_ROUTE_PAGES  ? "page"
                 : route == WEB_ROUTE_NONE ? "none"
                                           : api_routes[route].operation_id;
    ret->status = place < ARRAY_LEN(statuses) ? statuses[place] : 0;
    ret->n = atomic_load_explicit(&c->answered[route][place], memory_order_relaxed);
    return true;
}
