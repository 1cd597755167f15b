#pragma once
/*
 * One stream of events (text/event-stream): the state of what a person looks at, and again
 * whenever it has changed. A topic is a resource; its data is what GET of that resource answers,
 * made by the same handler, so that rights are checked at each telling.
 *
 * Memory is bounded: one event is under way at a time, and what changes meanwhile is only marked.
 * So a slow reader misses states in between, and always gets the newest.
 */
#include <stdbool.h>

#include "auth/identity.h"
#include "model/workspace.h"
#include "web/web.h"

struct exchange;
struct store_workspace;

struct event_stream_options {
    unsigned route; /* enum api_route_id: for the count of answers */
    struct identity who;
    const struct store_workspace *ws; /* NULL: none in particular; not kept */
    bool all;                         /* the list of everybody's workspaces */
};

/* Takes over the exchange, and a place that stream_take() of struct web_live gave. */
void event_stream_start(struct web *web, struct exchange *x,
                        const struct event_stream_options *options);
