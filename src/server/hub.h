#pragma once
/*
 * What joins agents and shares with the people who look at them: a change that happens on one
 * worker is told on all (web_changed()), and the streams of events are counted by person. From
 * any thread.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"
#include "model/id.h"
#include "web/web.h"

struct hub;
struct server;

/* Streams of events that one person may have open at once: tabs, and commands with --watch. */
enum { HUB_STREAMS_PER_PERSON = 32 };

struct hub *hub_new(struct server *server);
/* Returns NULL; accepts NULL. */
struct hub *hub_free(struct hub *hub);

/* Tells every worker's web/. */
void hub_changed(struct hub *hub, const struct web_change *what);

/* A place for one more stream of this person; false: refused, and counted. */
bool hub_stream_take(struct hub *hub, const struct id *user_id);
void hub_stream_give(struct hub *hub, const struct id *user_id);

/*
 * What is known of a connected agent: the last state of each part that it told, as JSON. `json` is
 * copied. Those who look are told by hub_changed(), which is the caller's to call.
 */
void hub_agent_put(struct hub *hub, const struct id *agent_id, enum web_agent_part part,
                   struct span json);
/* Appends the state. False: it is not known. */
bool hub_agent_get(struct hub *hub, const struct id *agent_id, enum web_agent_part part,
                   struct buf *out);
/* It has gone: nothing is known any more. */
void hub_agent_forget(struct hub *hub, const struct id *agent_id);
/*
 * One more, or one less, who looks at an agent. The agent's worker is told of the first and the
 * last (agent_conns_watch()).
 */
void hub_agent_watch(struct hub *hub, const struct id *agent_id, bool on);
bool hub_agent_watched(struct hub *hub, const struct id *agent_id);

struct hub_counts {
    uint64_t streams; /* now */
    uint64_t streams_refused;
    uint64_t changes;
};
struct hub_counts hub_counts(struct hub *hub);
