#pragma once
/* Messages about workspaces, agents and templates. */
#include "api/peer.h"
#include "api/type.h"
#include "model/template.h"
#include "model/token.h"
#include "model/workspace.h"

enum api_agent_status {
    API_AGENT_NEVER, /* it has not come yet */
    API_AGENT_CONNECTED,
    API_AGENT_AWAY,
};
/* "never", "connected", "away". */
const char *api_agent_status_name(enum api_agent_status status);

/* The record's pin is written as base64url. */
struct api_agent {
    struct agent agent;
    enum api_agent_status status;
    usec_t last_seen_at;    /* now, while it is connected */
    bool direct;            /* connected, and people may reach it without the relay if they can */
    bool has_direct_counts; /* it has told them */
    struct api_direct_counts direct_counts;
};
API_MESSAGE(agent);

struct api_workspace {
    struct workspace ws;
    struct api_agent *agents;
    size_t n_agents;
};
API_MESSAGE(workspace);

/* GET /workspaces */
struct api_workspaces {
    struct api_workspace *workspaces;
    size_t n_workspaces;
    struct id next; /* zero: that was all */
};
API_MESSAGE(workspaces);

struct api_agent_name {
    char name[NAME_SIZE];
};
API_MESSAGE(agent_name);

/* POST /workspaces */
struct api_workspace_create {
    char name[NAME_SIZE];
    char owner[NAME_SIZE];         /* empty: the caller */
    char template_name[NAME_SIZE]; /* JSON "template"; empty: "default" */
    struct api_agent_name *agents; /* none: one named "main" */
    size_t n_agents;
};
API_MESSAGE(workspace_create);

/* POST …/agents/{agent}/token, and a part of the next one. */
struct api_agent_token {
    char agent[NAME_SIZE];
    char token[64];
};
API_MESSAGE(agent_token);

/* Answer to POST /workspaces: the only time the tokens are shown. */
struct api_workspace_created {
    struct api_workspace workspace;
    struct api_agent_token *tokens;
    size_t n_tokens;
};
API_MESSAGE(workspace_created);

/* A template in lists; `yaml` only in GET /templates/{name}. */
struct api_template {
    struct id id;
    char name[NAME_SIZE];
    int64_t version;
    char *yaml; /* may be NULL */
    struct template policy;
    usec_t created_at;
    usec_t updated_at;
};
API_MESSAGE(template);

/* PUT /templates/{name} */
struct api_template_put {
    char *yaml; /* as proto/template_yaml.h has it */
};
API_MESSAGE(template_put);

/* GET /templates */
struct api_templates {
    struct api_template *templates;
    size_t n_templates;
    struct id next;
};
API_MESSAGE(templates);

/*
 * A template's policy as the store keeps it: levels, forwarding rules, CORS, apps. The rest of the
 * struct (id, name, times) is not in it.
 */
int api_policy_read(struct span json, struct template *ret, struct err *err);
int api_policy_write(const struct template *policy, struct buf *out);
