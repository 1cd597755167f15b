#pragma once
/*
 * The way from a workspace's name to a carrier: asks the API for the agent (once), then opens the
 * relay to it. As a carrier_opener, so that the peer link tries all of it again while a passing
 * reason stands in the way. The key pair that this command shows the agent is made here.
 */
#include "cli/api_client.h"
#include "model/workspace_ref.h"
#include "tunnel/carrier.h"
#include "tunnel/lane_client.h"
#include "tunnel/lane_ticket.h"

struct agent_carrier;
struct peer_link;

/* `api` and `ref` are borrowed. Negative with `err`: there is no TLS to be had. */
int agent_carrier_new(struct api_client *api, const struct workspace_ref *ref,
                      struct agent_carrier **ret, struct err *err);
/* For the sessions on the carrier, and their lanes. Borrowed; valid as long as the carrier. */
struct tls_context *agent_carrier_tls(const struct agent_carrier *a);
/* Valid as long as the agent_carrier. One attempt at a time. */
struct carrier_opener agent_carrier_opener(struct agent_carrier *a);
/* As ws_carrier_lane_key(). */
bool agent_carrier_lane_key(const struct agent_carrier *a, struct lane_key *ret);

/* Which lane a channel takes that was opened on the relay, once there is a direct path too. */
enum lane_choice { LANE_WHERE_IT_IS, LANE_DIRECT_IF_POSSIBLE };
/*
 * For a lane_way_fn: how a lane for a channel of `session` is reached, which is one of `link`,
 * whose carriers are `a`'s. False: there is none now.
 */
bool agent_carrier_lane_way(const struct agent_carrier *a, struct peer_link *link,
                            const struct tunnel_session *session, enum lane_choice choice,
                            struct lane_way *ret);
/* After CARRIER_DENIED: the exit code that fits, and a hint (owned by `a`) or NULL. */
int agent_carrier_exit_code(const struct agent_carrier *a, const char **ret_hint);
/* Attempts under way must have been cancelled. Returns NULL; accepts NULL. */
struct agent_carrier *agent_carrier_free(struct agent_carrier *a);
