#pragma once
/*
 * What an API token may be used for, as far as its user may do it at all: `all`,
 * `application-connect` (opening apps, nothing else) or `workspace:[owner/]NAME` (this workspace
 * only).
 */
#include "base/err.h"
#include "base/span.h"
#include "model/name.h"

enum token_scope_kind { SCOPE_ALL, SCOPE_APPLICATION_CONNECT, SCOPE_WORKSPACE };

struct token_scope {
    enum token_scope_kind kind;
    char owner[NAME_SIZE];     /* SCOPE_WORKSPACE; empty: the token's user */
    char workspace[NAME_SIZE]; /* SCOPE_WORKSPACE */
};

enum { TOKEN_SCOPE_SIZE = sizeof("workspace:") + 2 * NAME_SIZE };

/* 0, or -EINVAL with a text that names the known scopes. */
int token_scope_parse(struct span text, struct token_scope *ret, struct err *err);
/* The text form. Returns `dst`. */
char *token_scope_format(const struct token_scope *scope, char dst[static TOKEN_SCOPE_SIZE]);
