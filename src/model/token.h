#pragma once
/* A credential of a user: made at log-in or for a program. Only a hash of its text is kept. */
#include <stdbool.h>

#include "base/clock.h"
#include "model/id.h"
#include "model/scope.h"

enum {
    TOKEN_HASH_LEN = 32,     /* SHA-256 */
    TOKEN_NAME_MAX_LEN = 64, /* bytes */
    TOKEN_NAME_SIZE = TOKEN_NAME_MAX_LEN + 1,
};

enum token_kind {
    TOKEN_SESSION, /* made by a log-in in the browser or of the command line */
    TOKEN_API,     /* made on request, for programs */
    TOKEN_APP,     /* an app host's share of a session; ends with that session */
};

/* Times are since 1970 UTC; 0: never. */
struct token {
    struct id id;
    struct id user_id;
    struct id parent_id; /* TOKEN_APP: the session that it ends with; otherwise zero */
    enum token_kind kind;
    char name[TOKEN_NAME_SIZE]; /* what its user calls it; text, not a name of name.h */
    struct token_scope scope;
    unsigned char hash[TOKEN_HASH_LEN];
    usec_t created_at;
    usec_t expires_at;
    usec_t last_used_at;
};

/* "session", "api", "app". */
const char *token_kind_name(enum token_kind kind);
int token_kind_parse(struct span text, enum token_kind *ret);

/* Whether it has expired at `now`. */
bool token_expired(const struct token *token, usec_t now);
