#include "model/audit.h"

#include "model/name_table.h"

static const char *const action_names[] = {
    [AUDIT_LOGIN] = "login",
    [AUDIT_LOGOUT] = "logout",
    [AUDIT_SETUP] = "setup",
    [AUDIT_USER_CREATE] = "user_create",
    [AUDIT_USER_UPDATE] = "user_update",
    [AUDIT_USER_DELETE] = "user_delete",
    [AUDIT_TOKEN_CREATE] = "token_create",
    [AUDIT_TOKEN_DELETE] = "token_delete",
    [AUDIT_TEMPLATE_CREATE] = "template_create",
    [AUDIT_TEMPLATE_UPDATE] = "template_update",
    [AUDIT_TEMPLATE_DELETE] = "template_delete",
    [AUDIT_WORKSPACE_CREATE] = "workspace_create",
    [AUDIT_WORKSPACE_UPDATE] = "workspace_update",
    [AUDIT_WORKSPACE_DELETE] = "workspace_delete",
    [AUDIT_AGENT_CREATE] = "agent_create",
    [AUDIT_AGENT_UPDATE] = "agent_update",
    [AUDIT_AGENT_DELETE] = "agent_delete",
    [AUDIT_AGENT_CONNECT] = "agent_connect",
    [AUDIT_AGENT_DISCONNECT] = "agent_disconnect",
    [AUDIT_SHARE_SET] = "share_set",
    [AUDIT_SHARE_DELETE] = "share_delete",
    [AUDIT_PEER_OPEN] = "peer_open",
    [AUDIT_PEER_CLOSE] = "peer_close",
    [AUDIT_FORWARD_OPEN] = "forward_open",
    [AUDIT_FORWARD_CLOSE] = "forward_close",
    [AUDIT_LISTEN_OPEN] = "listen_open",
    [AUDIT_LISTEN_CLOSE] = "listen_close",
    [AUDIT_SSH_OPEN] = "ssh_open",
    [AUDIT_SSH_CLOSE] = "ssh_close",
    [AUDIT_SSH_EXEC] = "ssh_exec",
    [AUDIT_SSH_EXIT] = "ssh_exit",
    [AUDIT_SSH_LISTEN_ASK] = "ssh_listen_ask",
    [AUDIT_SSH_LISTEN_OPEN] = "ssh_listen_open",
    [AUDIT_SSH_LISTEN_CANCEL] = "ssh_listen_cancel",
    [AUDIT_SSH_LISTEN_CLOSE] = "ssh_listen_close",
    [AUDIT_SSH_FORWARD_OPEN] = "ssh_forward_open",
    [AUDIT_SSH_FORWARD_CLOSE] = "ssh_forward_close",
    [AUDIT_SSH_RAW] = "ssh_raw",
    [AUDIT_RECORDS_LOST] = "records_lost",
};
_Static_assert(ARRAY_LEN(action_names) == AUDIT_ACTION_COUNT, "each action has a name");

static const char *const direction_names[] = {
    [AUDIT_NO_DIRECTION] = "",
    [AUDIT_LOCAL] = "local",
    [AUDIT_REMOTE] = "remote",
};

static const char *const carrier_names[] = {
    [AUDIT_NO_CARRIER] = "",
    [AUDIT_RELAY] = "relay",
    [AUDIT_DIRECT] = "direct",
};

const char *audit_action_name(enum audit_action action)
{
    return action_names[action];
}

int audit_action_parse(struct span text, enum audit_action *ret)
{
    NAME_TABLE_PARSE(action_names, text, ret);
}

const char *audit_direction_name(enum audit_direction direction)
{
    return direction_names[direction];
}

int audit_direction_parse(struct span text, enum audit_direction *ret)
{
    NAME_TABLE_PARSE(direction_names, text, ret);
}

const char *audit_carrier_name(enum audit_carrier carrier)
{
    return carrier_names[carrier];
}

int audit_carrier_parse(struct span text, enum audit_carrier *ret)
{
    NAME_TABLE_PARSE(carrier_names, text, ret);
}
