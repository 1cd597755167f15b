#pragma once
/*
 * What a connected agent tells of itself: its GET /events, held open as long as it is connected,
 * read line by line into the hub. It is told when somebody looks (PUT /watched), and which apps
 * its template has (PUT /apps), so that it checks their health and does not list their ports.
 */
#include <stdint.h>

#include "model/id.h"

struct agent_feed;
struct server_worker;
struct tunnel_session;

/* Copied. */
struct agent_feed_of {
    uint64_t link_id; /* of the connection that `session` runs on */
    struct id agent_id;
    struct id workspace_id;
    struct id template_id;
};

/* `session` outlives it. Nothing happens inside this call. */
struct agent_feed *agent_feed_new(struct server_worker *w, struct tunnel_session *session,
                                  const struct agent_feed_of *of);
/* Whether somebody looks may have changed. */
void agent_feed_watch(struct agent_feed *f);
/* Its template may have changed: the apps are read and told again. */
void agent_feed_configure(struct agent_feed *f);
/* Returns NULL; accepts NULL. */
struct agent_feed *agent_feed_free(struct agent_feed *f);
