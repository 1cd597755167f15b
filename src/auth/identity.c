#include "auth/identity.h"

#include "base/span.h"

struct identity identity_of(const struct token *token, const struct user *user)
{
    struct identity who = {
        .user_id = user->id,
        .role = user->role,
        .token_id = token->id,
        .parent_id = token->parent_id,
        .kind = token->kind,
        .scope = token->scope,
        .expires_at = token->expires_at,
    };
    str_copy(who.user, sizeof(who.user), user->name);
    str_copy(who.email, sizeof(who.email), user->email);
    if (who.scope.kind == SCOPE_WORKSPACE && !who.scope.owner[0])
        str_copy(who.scope.owner, sizeof(who.scope.owner), user->name);
    return who;
}
