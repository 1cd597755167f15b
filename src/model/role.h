#pragma once
/* What a user is in the deployment. */
#include "base/span.h"

enum role {
    ROLE_MEMBER,  /* owns workspaces */
    ROLE_AUDITOR, /* may also read the audit events and lists of everyone */
    ROLE_OWNER,   /* administrator */
};

/* "member", "auditor", "owner". */
const char *role_name(enum role role);
/* Letters of either case. 0 or -EINVAL. */
int role_parse(struct span text, enum role *ret);
