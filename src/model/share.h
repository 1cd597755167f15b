#pragma once
/* Whom an app or a port is shared with. The levels are ordered: a higher one opens it to more. */
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/span.h"
#include "model/id.h"
#include "model/name.h"
#include "model/text_list.h"

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

enum {
    SHARES_MAX = 256, /* of a workspace */
    SHARE_USERS_MAX = 256,
    SHARE_TARGET_SIZE = 40, /* "8080", or an app's slug */
};

/* A port or an app of an agent that the workspace's owner shares. */
struct share {
    struct id agent_id;
    uint16_t port;        /* 0: the app `slug` */
    char slug[NAME_SIZE]; /* "": the port */
    enum share_level level;
    enum share_protocol protocol; /* of a port; an app's is in its URL, and this is http */
    usec_t expires_at;            /* since 1970 UTC; 0: never */
    struct text_list users;       /* names of the people, with SHARE_USERS */
    /*
     * One more with each change, also across the share's end and its return: a ticket that names
     * an older one is void.
     */
    int64_t generation;
};

/* Frees what it owns. */
void share_deinit(struct share *share);
/* The one word for what is shared: a slug is never a number. */
void share_target(const struct share *share, char ret[static SHARE_TARGET_SIZE]);
/* Sets port or slug. 0, or -EINVAL: neither a port (1 to 65535) nor a slug, and nothing is set. */
int share_set_target(struct share *share, struct span target);
/* Whether it still counts at `now` (since 1970 UTC). */
bool share_counts(const struct share *share, usec_t now);
