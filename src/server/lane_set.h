#pragma once
/*
 * The bulk lanes of one relayed peer session: connections of its two ends, joined in pairs by
 * their tickets (tunnel/lane_ticket.h) and copied both ways without a look at the bytes. They end
 * with the session.
 */
#include <stdint.h>

#include "model/id.h"
#include "tunnel/lane_ticket.h"

struct exchange;
struct lane_set;
struct server_worker;

/* Lanes that a session, a person or an agent (on one worker), and the server may have at once. */
enum {
    LANES_PER_SESSION = 32,
    LANES_PER_PERSON = 128,
    LANES_PER_AGENT = 128,
    LANES_PER_SERVER = 4096,
};

struct lane_set *lane_set_new(struct server_worker *w, const struct id *user_id,
                              const struct id *agent_id);
/* For the client of the session, and nobody else. */
const struct lane_key *lane_set_key(const struct lane_set *set);
/* Bytes copied, of lanes that have ended too. */
void lane_set_bytes(const struct lane_set *set, uint64_t *ret_to_agent, uint64_t *ret_to_client);
/* Ends all of them at once. Returns NULL; accepts NULL. */
struct lane_set *lane_set_free(struct lane_set *set);

/*
 * Whether a request is for a lane: GET /api/v1/lanes/TICKET with Upgrade: adit-lane. It is the
 * only one that is served in plain HTTP where the server speaks https.
 */
bool lane_is_asked_for(const struct exchange *x);
/* Takes over such a request; it moves to the worker of its session and is answered there. */
void lane_take(struct server_worker *w, struct exchange *x);
