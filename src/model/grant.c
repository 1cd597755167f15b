#include "model/grant.h"

void grant_deinit(struct grant *grant)
{
    forward_policy_deinit(&grant->forwarding);
}

struct grant grant_copy(const struct grant *grant)
{
    struct grant copy = *grant;
    copy.forwarding = forward_policy_copy(&grant->forwarding);
    return copy;
}
