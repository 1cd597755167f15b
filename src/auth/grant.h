#pragma once
/* From a template's policy and an identity to what an agent lets that person's session do. */
#include "auth/identity.h"
#include "model/grant.h"
#include "model/workspace.h"

/*
 * The caller has asked right_check() for RIGHT_FORWARD. `life` is from `now` (1970 UTC); the grant
 * never outlives the caller's token. The result owns its rules: grant_deinit().
 */
struct grant grant_make(const struct identity *who, const struct workspace *ws,
                        const struct agent *agent, const struct forward_policy *policy, usec_t now,
                        usec_t life);
