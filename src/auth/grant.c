#include "auth/grant.h"

#include "auth/right.h"

struct grant grant_make(const struct identity *who, const struct workspace *ws,
                        const struct agent *agent, const struct forward_policy *policy, usec_t now,
                        usec_t life)
{
    const struct right_object what = {
        .owner_id = ws->owner_id, .owner = ws->owner_name, .workspace = ws->name};
    struct grant grant = {
        .user_id = who->user_id,
        .workspace_id = ws->id,
        .agent_id = agent->id,
        .forwarding = forward_policy_copy(policy),
        .ssh = right_check(who, RIGHT_SSH, &what) == RIGHT_YES,
        .expires_at = now + life,
    };
    str_copy(grant.user, sizeof(grant.user), who->user);
    if (who->expires_at != 0 && who->expires_at < grant.expires_at)
        grant.expires_at = who->expires_at;
    return grant;
}
