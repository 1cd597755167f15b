#pragma once
/*
 * What an agent has to put on record (forwards, listeners), fetched from its API and stored. Each
 * answer is one batch; asking for what comes after it says that it is stored. Ids are the agent's,
 * so that a batch that is sent twice is stored, and counted, once.
 */
#include "model/audit.h"
#include "model/workspace.h"

struct agent_records;
struct identity;
struct server_worker;
struct tunnel_session;

/* Whose records they are. Copied. */
struct agent_records_of {
    uint64_t link_id; /* of the connection that `session` runs on */
    struct id agent_id;
    struct id owner_id;
    char owner[NAME_SIZE];
    char workspace[2 * NAME_SIZE]; /* owner/name */
    char agent[NAME_SIZE];
};

/* Fetches as long as it is not freed; `session` outlives it. */
struct agent_records *agent_records_new(struct server_worker *w, struct tunnel_session *session,
                                        const struct agent_records_of *of);
/* What has been fetched is still stored. Returns NULL; accepts NULL. */
struct agent_records *agent_records_free(struct agent_records *r);

/* The last people who came to a worker's agents, by peer id: whose record names which peer. */
struct peer_people;
struct peer_people *peer_people_new(void);
void peer_people_add(struct peer_people *p, const struct id *peer, const struct identity *who,
                     const char *ip);
/* Returns NULL; accepts NULL. */
struct peer_people *peer_people_free(struct peer_people *p);
