#pragma once
/*
 * The one place that answers "may this person do this to that". A table of actions says which
 * roles may do it to what is theirs and to what is others', and which token scopes carry it.
 */
#include "auth/identity.h"
#include "model/share.h"

enum right_action {
    /* about no thing in particular: the object is NULL */
    RIGHT_USER_LIST,
    RIGHT_USER_CREATE,
    RIGHT_TEMPLATE_READ,
    RIGHT_TEMPLATE_WRITE,
    RIGHT_WORKSPACE_LIST_ALL, /* everybody's; a person's own list is RIGHT_WORKSPACE_LIST */
    RIGHT_AUDIT_READ_ALL,
    /* about a user: the object's owner is that user */
    RIGHT_USER_READ,
    RIGHT_USER_PASSWORD, /* change it, knowing the old one */
    RIGHT_USER_PROFILE,  /* display name and email */
    RIGHT_USER_MANAGE,   /* role, suspend, reset the password, delete */
    RIGHT_TOKEN_LIST,
    RIGHT_TOKEN_CREATE,
    RIGHT_TOKEN_DELETE,
    RIGHT_WORKSPACE_LIST,
    RIGHT_WORKSPACE_CREATE,
    RIGHT_SHARED_LIST, /* what others share with them */
    RIGHT_AUDIT_READ,
    /* about a workspace: the object's owner is its owner */
    RIGHT_WORKSPACE_READ, /* it, its agents, its ports and shares */
    RIGHT_WORKSPACE_DELETE,
    RIGHT_AGENT_TOKEN, /* replace an agent's token */
    RIGHT_FORWARD,     /* open a peer session */
    RIGHT_SSH,
    RIGHT_SHARE, /* set and end shares of ports and apps */
    RIGHT_APP,   /* open an app or a port in the browser */
    RIGHT_ACTION_COUNT
};

struct right_object {
    struct id owner_id;
    const char *owner;      /* the owner's name; for scopes and workspaces */
    const char *workspace;  /* NULL: it is no workspace */
    enum share_level level; /* RIGHT_APP: of the app or port, as limited by the template */
    bool named;             /* RIGHT_APP: the caller is among the people it is shared with */
    bool no_administrators; /* RIGHT_APP: not even them: path apps */
};

enum right {
    RIGHT_YES,
    RIGHT_LOG_IN, /* nobody is logged in, and it takes somebody: 401 */
    RIGHT_NO,     /* 403: they may know of it, and may not do this */
    RIGHT_HIDDEN, /* 404: it must look as if it did not exist */
};

/* `who` NULL or nobody: not logged in. `what` NULL: no thing in particular. */
enum right right_check(const struct identity *who, enum right_action action,
                       const struct right_object *what);

/* "user_list" …; for logs, audit and tests. */
const char *right_action_name(enum right_action action);
