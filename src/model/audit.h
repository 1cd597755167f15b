#pragma once
/* What is recorded: who did what to what, and how it ended. One event is one row and one line. */
#include <stdint.h>

#include "base/clock.h"
#include "base/span.h"
#include "model/id.h"
#include "model/name.h"

enum audit_action {
    AUDIT_LOGIN,
    AUDIT_LOGOUT,
    AUDIT_SETUP, /* the first user was made */
    AUDIT_USER_CREATE,
    AUDIT_USER_UPDATE,
    AUDIT_USER_DELETE,
    AUDIT_TOKEN_CREATE,
    AUDIT_TOKEN_DELETE,
    AUDIT_TEMPLATE_CREATE,
    AUDIT_TEMPLATE_UPDATE,
    AUDIT_TEMPLATE_DELETE,
    AUDIT_WORKSPACE_CREATE,
    AUDIT_WORKSPACE_UPDATE,
    AUDIT_WORKSPACE_DELETE,
    AUDIT_AGENT_CREATE,
    AUDIT_AGENT_UPDATE,
    AUDIT_AGENT_DELETE,
    AUDIT_AGENT_CONNECT,
    AUDIT_AGENT_DISCONNECT,
    AUDIT_SHARE_SET,
    AUDIT_SHARE_DELETE,
    AUDIT_PEER_OPEN, /* a peer session to an agent */
    AUDIT_PEER_CLOSE,
    AUDIT_FORWARD_OPEN,
    AUDIT_FORWARD_CLOSE,
    AUDIT_LISTEN_OPEN,
    AUDIT_LISTEN_CLOSE,
    AUDIT_SSH_OPEN, /* an SSH connection logged in, or was refused */
    AUDIT_SSH_CLOSE,
    AUDIT_SSH_EXEC, /* a session began in it: target tells what runs */
    AUDIT_SSH_EXIT,
    AUDIT_SSH_LISTEN_ASK,
    AUDIT_SSH_LISTEN_OPEN, /* bound, or refused */
    AUDIT_SSH_LISTEN_CANCEL,
    AUDIT_SSH_LISTEN_CLOSE,
    AUDIT_SSH_FORWARD_OPEN, /* a connection through it, or one that was refused */
    AUDIT_SSH_FORWARD_CLOSE,
    AUDIT_SSH_RAW,      /* a line of sshd's log that was not understood */
    AUDIT_RECORDS_LOST, /* an agent had no room for as many events as the target says */
    AUDIT_ACTION_COUNT
};

enum audit_direction {
    AUDIT_NO_DIRECTION,
    AUDIT_LOCAL,  /* into the workspace */
    AUDIT_REMOTE, /* out of the workspace */
};

enum audit_carrier { AUDIT_NO_CARRIER, AUDIT_RELAY, AUDIT_DIRECT, AUDIT_CARRIER_COUNT };

enum {
    AUDIT_TARGET_SIZE = 320, /* host:port, a path, or the name of what was changed; cut to fit */
    AUDIT_RESULT_SIZE = 64,
    AUDIT_DETAIL_SIZE = 96,
    AUDIT_IP_SIZE = 64,
};

/* Fixed size, nothing owned. An empty text is one that the event does not have. */
struct audit_event {
    struct id id;
    usec_t time; /* since 1970 UTC */
    enum audit_action action;
    struct id actor_id;
    char actor[NAME_SIZE];         /* user name */
    char workspace[2 * NAME_SIZE]; /* owner/name */
    char agent[NAME_SIZE];
    char target[AUDIT_TARGET_SIZE];
    enum audit_direction direction;
    enum audit_carrier carrier;
    uint64_t bytes_in;              /* from the person into the workspace */
    uint64_t bytes_out;             /* from the workspace to the person */
    usec_t duration;                /* of what a *_CLOSE event ends */
    char result[AUDIT_RESULT_SIZE]; /* "ok", or the reason in a word or two */
    char detail[AUDIT_DETAIL_SIZE]; /* for people: the originator, the rule that refused it */
    char ip[AUDIT_IP_SIZE];         /* where the person came from */
};

/* "login", "user_create", "forward_open", ...; "", "local", "remote"; "", "relay", "direct". */
const char *audit_action_name(enum audit_action action);
int audit_action_parse(struct span text, enum audit_action *ret);
const char *audit_direction_name(enum audit_direction direction);
int audit_direction_parse(struct span text, enum audit_direction *ret);
const char *audit_carrier_name(enum audit_carrier carrier);
int audit_carrier_parse(struct span text, enum audit_carrier *ret);
