#include "model/scope.h"

#include <errno.h>
#include <stdio.h>

#include "model/workspace_ref.h"

static int parse_workspace(struct span text, struct token_scope *scope, struct err *err)
{
    struct workspace_ref ref;
    int r = workspace_ref_parse(text, &ref, err);
    if (r < 0)
        return r;
    if (ref.agent[0])
        return err_set(err, -EINVAL, "a scope names a workspace, not one of its agents");
    scope->kind = SCOPE_WORKSPACE;
    str_copy(scope->owner, sizeof(scope->owner), ref.owner);
    str_copy(scope->workspace, sizeof(scope->workspace), ref.workspace);
    return 0;
}

int token_scope_parse(struct span text, struct token_scope *ret, struct err *err)
{
    struct token_scope scope = {0};
    ptrdiff_t colon = span_find(text, ':');
    if (span_iis(text, "all")) {
        scope.kind = SCOPE_ALL;
    } else if (span_iis(text, "application-connect")) {
        scope.kind = SCOPE_APPLICATION_CONNECT;
    } else if (colon >= 0 && span_iis(span_sub(text, 0, (size_t)colon), "workspace")) {
        int r = parse_workspace(span_sub(text, (size_t)colon + 1, text.len), &scope, err);
        if (r < 0)
            return r;
    } else {
        int shown = text.len < 64 ? (int)text.len : 64;
        return err_set(err, -EINVAL,
                       "unknown scope \"%.*s\": use all, application-connect or workspace:NAME",
                       shown, text.len ? text.p : "");
    }
    *ret = scope;
    return 0;
}

char *token_scope_format(const struct token_scope *scope, char dst[static TOKEN_SCOPE_SIZE])
{
    switch (scope->kind) {
    case SCOPE_ALL:
        str_copy(dst, TOKEN_SCOPE_SIZE, "all");
        break;
    case SCOPE_APPLICATION_CONNECT:
        str_copy(dst, TOKEN_SCOPE_SIZE, "application-connect");
        break;
    case SCOPE_WORKSPACE:
        snprintf(dst, TOKEN_SCOPE_SIZE, "workspace:%s%s%s", scope->owner,
                 scope->owner[0] ? "/" : "", scope->workspace);
        break;
    }
    return dst;
}
