#pragma once
/*
 * What a peer's grant allows of a channel. The agent asks this for every channel itself, so that
 * neither the server nor the client has to be believed. Pure.
 */
#include <stdbool.h>

#include "base/clock.h"
#include "base/err.h"
#include "model/grant.h"
#include "proto/dial_result.h"
#include "proto/hostport.h"
#include "tunnel/channel.h"

/* A channel's target, kept as long as the channel is served. */
struct channel_goal {
    enum channel_kind kind;
    char host[HOST_SIZE]; /* LISTEN: the bind address, may be empty */
    uint16_t port;
    char unix_path[108]; /* not empty: a Unix socket */
};

void channel_goal_of(const struct channel_request_info *info, struct channel_goal *ret);

/* "db.internal:5432", "/run/x.sock", "a listener on *:0": for texts. */
enum { GOAL_TEXT_SIZE = HOSTPORT_SIZE + 32 };
char *channel_goal_text(const struct channel_goal *goal, char dst[static GOAL_TEXT_SIZE]);

/*
 * The rule that is against it, such as "forwarding.permit_open" (a constant); NULL: allowed. Of
 * channels that forward.
 */
const char *policy_rule_against(const struct forward_policy *policy,
                                const struct channel_goal *goal);

/*
 * DIAL_OK, or DIAL_FORBIDDEN with a text that names the rule. `now` is real time.
 */
enum dial_result policy_check(const struct grant *grant, const struct channel_goal *goal,
                              usec_t now, struct err *err);
