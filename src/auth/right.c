/*
 * One row an action. `own` and `others` are sets of roles: who may do it to what is theirs, and to
 * what is somebody else's. Actions about no thing in particular use `own`. `scopes` is the set of
 * token scopes that carry the action at all; a token for one workspace is good for that one only.
 *
 * What is refused is hidden unless the caller may read the thing: then they know of it already.
 */
#include "auth/right.h"

#include "base/cleanup.h"

enum {
    M = 1 << ROLE_MEMBER,
    A = 1 << ROLE_AUDITOR,
    O = 1 << ROLE_OWNER,
    EVERY = M | A | O,
    NOBODY = 0,
};
enum {
    FULL = 1 << SCOPE_ALL,
    APPS = 1 << SCOPE_APPLICATION_CONNECT,
    ONE = 1 << SCOPE_WORKSPACE,
};
enum about { NOTHING, USER, WORKSPACE };

static const struct rule {
    const char *name;
    enum about about;
    unsigned own, others, scopes;
} rules[RIGHT_ACTION_COUNT] = {
    [RIGHT_USER_LIST] = {"user_list", NOTHING, A | O, NOBODY, FULL},
    [RIGHT_USER_CREATE] = {"user_create", NOTHING, O, NOBODY, FULL},
    [RIGHT_TEMPLATE_READ] = {"template_read", NOTHING, EVERY, NOBODY, FULL},
    [RIGHT_TEMPLATE_WRITE] = {"template_write", NOTHING, O, NOBODY, FULL},
    [RIGHT_WORKSPACE_LIST_ALL] = {"workspace_list_all", NOTHING, A | O, NOBODY, FULL},
    [RIGHT_AUDIT_READ_ALL] = {"audit_read_all", NOTHING, A | O, NOBODY, FULL},

    [RIGHT_USER_READ] = {"user_read", USER, EVERY, A | O, FULL},
    [RIGHT_USER_PASSWORD] = {"user_password", USER, EVERY, NOBODY, FULL},
    [RIGHT_USER_PROFILE] = {"user_profile", USER, EVERY, O, FULL},
    [RIGHT_USER_MANAGE] = {"user_manage", USER, O, O, FULL},
    [RIGHT_TOKEN_LIST] = {"token_list", USER, EVERY, O, FULL},
    [RIGHT_TOKEN_CREATE] = {"token_create", USER, EVERY, NOBODY, FULL},
    [RIGHT_TOKEN_DELETE] = {"token_delete", USER, EVERY, O, FULL},
    [RIGHT_WORKSPACE_LIST] = {"workspace_list", USER, EVERY, A | O, FULL},
    [RIGHT_WORKSPACE_CREATE] = {"workspace_create", USER, EVERY, O, FULL},
    [RIGHT_SHARED_LIST] = {"shared_list", USER, EVERY, NOBODY, FULL},
    [RIGHT_AUDIT_READ] = {"audit_read", USER, EVERY, A | O, FULL},

    [RIGHT_WORKSPACE_READ] = {"workspace_read", WORKSPACE, EVERY, A | O, FULL | ONE},
    [RIGHT_WORKSPACE_DELETE] = {"workspace_delete", WORKSPACE, EVERY, O, FULL},
    [RIGHT_AGENT_TOKEN] = {"agent_token", WORKSPACE, EVERY, O, FULL},
    [RIGHT_FORWARD] = {"forward", WORKSPACE, EVERY, NOBODY, FULL | ONE},
    [RIGHT_SSH] = {"ssh", WORKSPACE, EVERY, NOBODY, FULL | ONE},
    [RIGHT_SHARE] = {"share", WORKSPACE, EVERY, NOBODY, FULL | ONE},
    /* Whom it is shared with comes on top of the row. */
    [RIGHT_APP] = {"app", WORKSPACE, EVERY, O, FULL | APPS | ONE},
};

const char *right_action_name(enum right_action action)
{
    return rules[action].name;
}

static bool is_own(const struct identity *who, const struct right_object *what)
{
    return id_equal(&who->user_id, &what->owner_id);
}

/* Whether the credential may be used for this action on this thing. */
static bool scope_carries(const struct token_scope *scope, const struct rule *rule,
                          const struct right_object *what)
{
    if (!(rule->scopes & (1u << scope->kind)))
        return false;
    if (scope->kind != SCOPE_WORKSPACE)
        return true;
    return what && what->owner && what->workspace && str_eq(scope->owner, what->owner) &&
           str_eq(scope->workspace, what->workspace);
}

static bool allowed(const struct identity *who, const struct rule *rule,
                    const struct right_object *what)
{
    bool own = rule->about == NOTHING || (what && is_own(who, what));
    unsigned roles = own ? rule->own : rule->others;
    return (roles & (1u << who->role)) && scope_carries(&who->scope, rule, what);
}

/* An app or a port, beyond its owner: administrators, and the people it is shared with. */
static bool app_allowed(const struct identity *who, const struct right_object *what)
{
    const struct rule *rule = &rules[RIGHT_APP];
    if (!scope_carries(&who->scope, rule, what))
        return false;
    if (is_own(who, what))
        return true;
    if ((rule->others & (1u << who->role)) && !what->no_administrators)
        return true;
    return what->level == SHARE_PUBLIC || what->level == SHARE_AUTHENTICATED ||
           (what->level == SHARE_USERS && what->named);
}

static enum right refusal(const struct identity *who, const struct rule *rule,
                          const struct right_object *what)
{
    switch (rule->about) {
    case NOTHING:
        return RIGHT_NO;
    case USER:
        return allowed(who, &rules[RIGHT_USER_READ], what) ? RIGHT_NO : RIGHT_HIDDEN;
    case WORKSPACE:
        return allowed(who, &rules[RIGHT_WORKSPACE_READ], what) ? RIGHT_NO : RIGHT_HIDDEN;
    }
    return RIGHT_HIDDEN;
}

enum right right_check(const struct identity *who, enum right_action action,
                       const struct right_object *what)
{
    const struct rule *rule = &rules[action];
    if (action == RIGHT_APP && what && what->level == SHARE_PUBLIC)
        return RIGHT_YES;
    if (!who || !identity_is_somebody(who))
        return RIGHT_LOG_IN;
    if (action == RIGHT_APP)
        return what && app_allowed(who, what) ? RIGHT_YES : RIGHT_HIDDEN;
    if (rule->about != NOTHING && !what)
        return RIGHT_HIDDEN;
    return allowed(who, rule, what) ? RIGHT_YES : refusal(who, rule, what);
}
