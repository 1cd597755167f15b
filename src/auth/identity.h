#pragma once
/* Who asks, and with what. */
#include "model/token.h"
#include "model/user.h"

/* All zeros: nobody, a person who is not logged in. */
struct identity {
    struct id user_id;
    char user[NAME_SIZE];
    char email[EMAIL_SIZE];
    enum role role;
    struct id token_id;  /* the credential */
    struct id parent_id; /* TOKEN_APP: the session behind it */
    enum token_kind kind;
    struct token_scope scope; /* the owner is always filled in */
    usec_t expires_at;        /* since 1970 UTC; 0: never */
};

static inline bool identity_is_somebody(const struct identity *who)
{
    return !id_is_zero(&who->user_id);
}

/* From a token and its user as the store knows them. */
struct identity identity_of(const struct token *token, const struct user *user);
