#pragma once
/* Whom an app or a port is shared with. The levels are ordered: a higher one opens it to more. */
#include "base/span.h"

enum share_level {
    SHARE_OWNER,         /* the workspace's owner only */
    SHARE_USERS,         /* people who are named */
    SHARE_AUTHENTICATED, /* everyone who can log in */
    SHARE_PUBLIC,        /* the world */
};

/* "owner", "users", "authenticated", "public". */
const char *share_level_name(enum share_level level);
/* Letters of either case. 0 or -EINVAL. */
int share_level_parse(struct span text, enum share_level *ret);

/* What an app speaks behind its port. */
enum share_protocol { SHARE_HTTP, SHARE_HTTPS };

/* "http", "https". */
const char *share_protocol_name(enum share_protocol protocol);
int share_protocol_parse(struct span text, enum share_protocol *ret);
