#pragma once
/*
 * Every route of the server's API, once: web/ registers a handler for each, docs/openapi.yaml
 * describes each, and a test holds the three together.
 */
#include <stdbool.h>
#include <stddef.h>

/* What a request must bring before its handler looks at it. */
enum api_auth {
    API_AUTH_NONE,
    API_AUTH_USER,  /* a session or an API token */
    API_AUTH_AGENT, /* an agent's token */
};

#define API_PREFIX "/api/v1"

/* X(id, method, path, auth, operation id in openapi.yaml) */
#define API_ROUTES(X)                                                                              \
    X(BUILDINFO, "GET", "/buildinfo", NONE, "getBuildinfo")                                        \
    X(SETUP_GET, "GET", "/setup", NONE, "getSetup")                                                \
    X(SETUP, "POST", "/setup", NONE, "postSetup")                                                  \
    X(LOGIN, "POST", "/login", NONE, "login")                                                      \
    X(LOGOUT, "POST", "/logout", USER, "logout")                                                   \
    X(AUTH_REDIRECT, "GET", "/applications/auth-redirect", NONE, "authRedirect")                   \
    X(ME, "GET", "/me", USER, "getMe")                                                             \
    X(ME_PASSWORD, "PUT", "/me/password", USER, "putPassword")                                     \
    X(USERS, "GET", "/users", USER, "listUsers")                                                   \
    X(USER_CREATE, "POST", "/users", USER, "createUser")                                           \
    X(USER, "GET", "/users/{user}", USER, "getUser")                                               \
    X(USER_UPDATE, "PATCH", "/users/{user}", USER, "updateUser")                                   \
    X(USER_DELETE, "DELETE", "/users/{user}", USER, "deleteUser")                                  \
    X(TOKENS, "GET", "/tokens", USER, "listTokens")                                                \
    X(TOKEN_CREATE, "POST", "/tokens", USER, "createToken")                                        \
    X(TOKEN_DELETE, "DELETE", "/tokens/{id}", USER, "deleteToken")                                 \
    X(TEMPLATES, "GET", "/templates", USER, "listTemplates")                                       \
    X(TEMPLATE, "GET", "/templates/{template}", USER, "getTemplate")                               \
    X(TEMPLATE_PUT, "PUT", "/templates/{template}", USER, "putTemplate")                           \
    X(TEMPLATE_DELETE, "DELETE", "/templates/{template}", USER, "deleteTemplate")                  \
    X(WORKSPACES, "GET", "/workspaces", USER, "listWorkspaces")                                    \
    X(WORKSPACE_CREATE, "POST", "/workspaces", USER, "createWorkspace")                            \
    X(WORKSPACE, "GET", "/workspaces/{owner}/{workspace}", USER, "getWorkspace")                   \
    X(WORKSPACE_DELETE, "DELETE", "/workspaces/{owner}/{workspace}", USER, "deleteWorkspace")      \
    X(APPS, "GET", "/workspaces/{owner}/{workspace}/apps", USER, "listApps")                       \
    X(AGENT_TOKEN, "POST", "/workspaces/{owner}/{workspace}/agents/{agent}/token", USER,           \
      "rotateAgentToken")                                                                          \
    X(AGENT_PORTS, "GET", "/workspaces/{owner}/{workspace}/agents/{agent}/ports", USER,            \
      "listPorts")                                                                                 \
    X(AGENT_APPS, "GET", "/workspaces/{owner}/{workspace}/agents/{agent}/apps", USER,              \
      "listAgentApps")                                                                             \
    X(AGENT_FORWARDS, "GET", "/workspaces/{owner}/{workspace}/agents/{agent}/forwards", USER,      \
      "listForwards")                                                                              \
    X(SHARES, "GET", "/workspaces/{owner}/{workspace}/agents/{agent}/shares", USER, "listShares")  \
    X(SHARE_SET, "PUT", "/workspaces/{owner}/{workspace}/agents/{agent}/shares/{target}", USER,    \
      "putShare")                                                                                  \
    X(SHARE_DELETE, "DELETE", "/workspaces/{owner}/{workspace}/agents/{agent}/shares/{target}",    \
      USER, "deleteShare")                                                                         \
    X(SHARED, "GET", "/shared", USER, "listShared")                                                \
    X(EVENTS, "GET", "/events", USER, "streamEvents")                                              \
    X(AUDIT, "GET", "/audit", USER, "listAudit")                                                   \
    X(AGENT_CONNECT, "GET", "/agent/connect", AGENT, "connectAgent")                               \
    X(AGENT_RELAY, "GET", "/agents/{id}/relay", USER, "relay")

enum api_route_id {
#define X(id, method, path, auth, operation) API_ROUTE_##id,
    API_ROUTES(X)
#undef X
        API_ROUTE_COUNT
};

struct api_route {
    const char *method;
    const char *path; /* with API_PREFIX; parameters as {name}, each one path segment */
    enum api_auth auth;
    const char *operation_id;
};

/* Indexed by enum api_route_id. */
extern const struct api_route api_routes[API_ROUTE_COUNT];
