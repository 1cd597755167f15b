#include "api/workspace.h"

#include <errno.h>

#include "api/codec.h"
#include "api/policy_type.h"

enum { LIST_MAX = 1000 };

static const struct api_field agent_fields[] = {
    API_F_TEXT(struct api_agent, agent.id, "id", id, API_REQ),
    API_F_TEXT(struct api_agent, agent.name, "name", agent_name, API_REQ),
    API_F_TEXT(struct api_agent, agent.alias, "alias", alias, API_REQ),
    API_F_TEXT(struct api_agent, status, "status", agent_status, API_REQ),
    API_F_BOOL(struct api_agent, direct, "direct", API_OPT),
    API_F_OBJECT(struct api_agent, direct_counts, "direct_connections", api_direct_counts_type,
                 API_OPT, .has_offset = offsetof(struct api_agent, has_direct_counts)),
    API_F_TEXT(struct api_agent, agent.version, "version", text, API_OPT),
    API_F_TEXT(struct api_agent, agent.os, "os", text, API_OPT),
    API_F_TEXT(struct api_agent, agent.arch, "arch", text, API_OPT),
    API_F_TEXT(struct api_agent, agent.hostname, "hostname", text, API_OPT),
    API_F_TEXT(struct api_agent, agent.pin, "pin", pin, API_NULL),
    API_F_TEXT(struct api_agent, agent.created_at, "created_at", time, API_NULL),
    API_F_TEXT(struct api_agent, agent.connected_at, "connected_at", time, API_NULL),
    API_F_TEXT(struct api_agent, last_seen_at, "last_seen_at", time, API_NULL),
};
API_TYPE(api_agent_type, struct api_agent, "Agent", agent_fields);

static const struct api_field workspace_fields[] = {
    API_F_TEXT(struct api_workspace, ws.id, "id", id, API_REQ),
    API_F_TEXT(struct api_workspace, ws.name, "name", workspace_name, API_REQ),
    API_F_TEXT(struct api_workspace, ws.owner_name, "owner", user_name, API_REQ),
    API_F_TEXT(struct api_workspace, ws.owner_id, "owner_id", id, API_REQ),
    API_F_TEXT(struct api_workspace, ws.template_name, "template", template_name, API_REQ),
    API_F_TEXT(struct api_workspace, ws.created_at, "created_at", time, API_NULL),
    API_F_LIST(struct api_workspace, agents, n_agents, "agents", api_agent_type,
               WORKSPACE_AGENTS_MAX, API_REQ),
};
API_TYPE(api_workspace_type, struct api_workspace, "Workspace", workspace_fields);

static const struct api_field workspaces_fields[] = {
    API_F_LIST(struct api_workspaces, workspaces, n_workspaces, "workspaces", api_workspace_type,
               LIST_MAX, API_REQ),
    API_F_TEXT(struct api_workspaces, next, "next", id, API_NULL),
};
API_TYPE(api_workspaces_type, struct api_workspaces, "Workspaces", workspaces_fields);

static const struct api_field agent_name_fields[] = {
    API_F_TEXT(struct api_agent_name, name, "name", agent_name, API_REQ),
};
API_TYPE(api_agent_name_type, struct api_agent_name, "AgentName", agent_name_fields);

static const struct api_field workspace_create_fields[] = {
    API_F_TEXT(struct api_workspace_create, name, "name", workspace_name, API_REQ),
    API_F_TEXT(struct api_workspace_create, owner, "owner", user_name, API_ABSENT),
    API_F_TEXT(struct api_workspace_create, template_name, "template", template_name, API_ABSENT),
    API_F_LIST(struct api_workspace_create, agents, n_agents, "agents", api_agent_name_type,
               WORKSPACE_AGENTS_MAX, API_ABSENT),
};
API_TYPE(api_workspace_create_type, struct api_workspace_create, "WorkspaceCreate",
         workspace_create_fields);

static const struct api_field agent_token_fields[] = {
    API_F_TEXT(struct api_agent_token, agent, "agent", agent_name, API_REQ),
    API_F_TEXT(struct api_agent_token, token, "token", secret, API_REQ),
};
API_TYPE(api_agent_token_type, struct api_agent_token, "AgentToken", agent_token_fields);

static const struct api_field workspace_created_fields[] = {
    API_F_OBJECT(struct api_workspace_created, workspace, "workspace", api_workspace_type, API_REQ),
    API_F_LIST(struct api_workspace_created, tokens, n_tokens, "tokens", api_agent_token_type,
               WORKSPACE_AGENTS_MAX, API_REQ),
};
API_TYPE(api_workspace_created_type, struct api_workspace_created, "WorkspaceCreated",
         workspace_created_fields);

static const struct api_field template_fields[] = {
    API_F_TEXT(struct api_template, id, "id", id, API_REQ),
    API_F_TEXT(struct api_template, name, "name", template_name, API_REQ),
    API_F_NUMBER(struct api_template, version, "version", 1, INT64_MAX, API_REQ),
    API_F_OBJECT(struct api_template, policy, "policy", api_policy_type, API_REQ),
    API_F_STRING(struct api_template, yaml, "yaml", API_JSON_MAX_LEN, API_ABSENT),
    API_F_TEXT(struct api_template, created_at, "created_at", time, API_NULL),
    API_F_TEXT(struct api_template, updated_at, "updated_at", time, API_NULL),
};
API_TYPE(api_template_type, struct api_template, "Template", template_fields);

static const struct api_field template_put_fields[] = {
    API_F_STRING(struct api_template_put, yaml, "yaml", API_JSON_MAX_LEN, API_REQ),
};
API_TYPE(api_template_put_type, struct api_template_put, "TemplatePut", template_put_fields);

static const struct api_field templates_fields[] = {
    API_F_LIST(struct api_templates, templates, n_templates, "templates", api_template_type,
               LIST_MAX, API_REQ),
    API_F_TEXT(struct api_templates, next, "next", id, API_NULL),
};
API_TYPE(api_templates_type, struct api_templates, "Templates", templates_fields);
