#include "agent/policy.h"

#include <errno.h>
#include <stdio.h>

#include "proto/permit.h"

void channel_goal_of(const struct channel_request_info *info, struct channel_goal *ret)
{
    *ret = (struct channel_goal){.kind = info->kind, .port = info->port};
    str_copy(ret->host, sizeof(ret->host), info->host);
    str_copy(ret->unix_path, sizeof(ret->unix_path), info->unix_path);
}

char *channel_goal_text(const struct channel_goal *goal, char dst[static GOAL_TEXT_SIZE])
{
    const char *prefix = goal->kind == CHANNEL_LISTEN ? "a listener on " : "";
    if (goal->kind == CHANNEL_SPEEDTEST) {
        str_copy(dst, GOAL_TEXT_SIZE, "speed tests");
    } else if (goal->unix_path[0]) {
        snprintf(dst, GOAL_TEXT_SIZE, "%s%s", prefix, goal->unix_path);
    } else {
        const char *host = goal->host[0] ? goal->host : "localhost";
        bool v6 = span_find(span_of(host), ':') >= 0;
        snprintf(dst, GOAL_TEXT_SIZE, "%s%s%s%s:%u", prefix, v6 ? "[" : "", host, v6 ? "]" : "",
                 goal->port);
    }
    return dst;
}

static enum dial_result forbid(struct err *err, const struct channel_goal *goal, const char *rule)
{
    char text[GOAL_TEXT_SIZE];
    err_set(err, -EACCES, "the workspace's template does not allow %s (%s)",
            channel_goal_text(goal, text), rule);
    return DIAL_FORBIDDEN;
}

static const char *rule_against_open(const struct forward_policy *policy,
                                     const struct channel_goal *goal)
{
    if (!policy->local)
        return "forwarding.local is off";
    if (goal->unix_path[0])
        return policy->unix_sockets ? NULL : "forwarding.unix_sockets is off";
    if (!permit_any(policy->permit_open.items, policy->permit_open.len, span_of(goal->host),
                    goal->port))
        return "forwarding.permit_open";
    return NULL;
}

static const char *rule_against_listen(const struct forward_policy *policy,
                                       const struct channel_goal *goal)
{
    if (!policy->remote)
        return "forwarding.remote is off";
    if (goal->unix_path[0])
        return policy->unix_sockets ? NULL : "forwarding.unix_sockets is off";
    if (!policy->public_listen && goal->host[0] && !host_is_loopback(span_of(goal->host)))
        return "forwarding.public_listen is off";
    if (!permit_any(policy->permit_listen.items, policy->permit_listen.len, span_of(goal->host),
                    goal->port))
        return "forwarding.permit_listen";
    return NULL;
}

const char *policy_rule_against(const struct forward_policy *policy,
                                const struct channel_goal *goal)
{
    switch (goal->kind) {
    case CHANNEL_TCP:
    case CHANNEL_UDP:
    case CHANNEL_UNIX:
        return rule_against_open(policy, goal);
    case CHANNEL_LISTEN:
        return rule_against_listen(policy, goal);
    case CHANNEL_SPEEDTEST:
        return policy->local ? NULL : "forwarding.local is off";
    case CHANNEL_ACCEPT: /* of a listener that was allowed */
        return policy->remote ? NULL : "forwarding.remote is off";
    case CHANNEL_SSH:
    case CHANNEL_PEER:
    case CHANNEL_REQUEST:
        break;
    }
    return "not for peers";
}

enum dial_result policy_check(const struct grant *grant, const struct channel_goal *goal,
                              usec_t now, struct err *err)
{
    const char *rule;
    if (grant->expires_at && now >= grant->expires_at)
        rule = "the grant has expired";
    else if (goal->kind == CHANNEL_SSH)
        rule = grant->ssh ? NULL : "SSH is off";
    else
        rule = policy_rule_against(&grant->forwarding, goal);
    return rule ? forbid(err, goal, rule) : DIAL_OK;
}
