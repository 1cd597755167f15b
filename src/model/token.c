#include "model/token.h"

#include "model/name_table.h"

static const char *const kind_names[] = {
    [TOKEN_SESSION] = "session",
    [TOKEN_API] = "api",
    [TOKEN_APP] = "app",
};

const char *token_kind_name(enum token_kind kind)
{
    return kind_names[kind];
}

int token_kind_parse(struct span text, enum token_kind *ret)
{
    NAME_TABLE_PARSE(kind_names, text, ret);
}

bool token_expired(const struct token *token, usec_t now)
{
    return token->expires_at != 0 && now >= token->expires_at;
}
