#pragma once
/* Workspaces and their agents. */
#include <stdbool.h>

#include "base/clock.h"
#include "base/span.h"
#include "model/id.h"
#include "model/name.h"
#include "model/token.h"

enum {
    AGENT_ALIAS_LEN = 13, /* base32hex of 64 random bits */
    AGENT_ALIAS_SIZE = AGENT_ALIAS_LEN + 1,
    AGENT_PIN_LEN = 32,   /* SHA-256 of the SubjectPublicKeyInfo of its key (io/tls.h) */
    AGENT_INFO_SIZE = 65, /* os, architecture, version and host name, cut to fit */
    WORKSPACE_AGENTS_MAX = 32,
};

struct workspace {
    struct id id;
    struct id owner_id;
    struct id template_id;
    char name[NAME_SIZE];
    char owner_name[NAME_SIZE];
    char template_name[NAME_SIZE];
    usec_t created_at;
};

/* Times are since 1970 UTC; 0: never. */
struct agent {
    struct id id;
    struct id workspace_id;
    char name[NAME_SIZE];
    char alias[AGENT_ALIAS_SIZE]; /* short and unique in the deployment, for host names */
    unsigned char token_hash[TOKEN_HASH_LEN];
    unsigned char pin[AGENT_PIN_LEN]; /* of the key of peer sessions; zeros: none yet */
    char os[AGENT_INFO_SIZE];
    char arch[AGENT_INFO_SIZE];
    char version[AGENT_INFO_SIZE];
    char hostname[AGENT_INFO_SIZE];
    usec_t created_at;
    usec_t connected_at;    /* the last time it came */
    usec_t disconnected_at; /* the last time it went, or was known to be here since it came */
};

/* The name that an agent has when none is given: "main". */
extern const char agent_default_name[];

/* A new random alias. Returns `dst`. */
char *agent_alias_new(char dst[static AGENT_ALIAS_SIZE]);
/* Whether `text` is 13 lower-case base32hex digits. */
bool agent_alias_valid(struct span text);
