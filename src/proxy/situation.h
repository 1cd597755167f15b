#pragma once
/* The table of situations (DESIGN section 8): what a person is told when it is not the app. Pure.
 */
#include <stdbool.h>

#include "auth/right.h"
#include "base/span.h"

struct headers;

/* How a request will take its answer. */
struct situation_asker {
    bool navigation; /* a browser that goes to a page, not a script or a WebSocket */
    bool only_json;  /* the client accepts JSON and no page */
};

struct situation_asker situation_asker_of(struct span method, const struct headers *request,
                                          bool upgrade);

enum situation {
    SITUATION_PROXY,     /* go on to the app */
    SITUATION_LOG_IN,    /* 303 to the log-in */
    SITUATION_REFUSE,    /* 401 */
    SITUATION_NOT_FOUND, /* 404: missing, or not for this person */
    SITUATION_OFFLINE,   /* 502: the agent is away */
};

/*
 * `found`: the workspace, agent, and app are there. `right`: when found. `somebody`: the person
 * is logged in. For a stranger, what is missing and what is not public look the same.
 */
enum situation situation_of(bool found, enum right right, bool somebody, bool agent_here,
                            const struct situation_asker *asker);
