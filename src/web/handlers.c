#include "web/handlers.h"

#include "api/share.h"
#include "api/user.h"
#include "api/workspace.h"

const struct handler web_handlers[API_ROUTE_COUNT] = {
    [API_ROUTE_BUILDINFO] = {.run = buildinfo_get},
    [API_ROUTE_SETUP_GET] = {.run = setup_get},
    [API_ROUTE_SETUP] = {.run = setup_post, .body = &api_setup_request_type},
    [API_ROUTE_LOGIN] = {.run = session_login, .body = &api_login_request_type},
    [API_ROUTE_LOGOUT] = {.run = session_logout},
    [API_ROUTE_AUTH_REDIRECT] = {.run = applications_redirect},
    [API_ROUTE_ME] = {.run = session_me},
    [API_ROUTE_ME_PASSWORD] = {.run = session_password, .body = &api_password_request_type},
    [API_ROUTE_USERS] = {.run = users_list},
    [API_ROUTE_USER_CREATE] = {.run = users_create, .body = &api_user_create_type},
    [API_ROUTE_USER] = {.run = users_get},
    [API_ROUTE_USER_UPDATE] = {.run = users_update, .body = &api_user_update_type},
    [API_ROUTE_USER_DELETE] = {.run = users_delete},
    [API_ROUTE_TOKENS] = {.run = tokens_list},
    [API_ROUTE_TOKEN_CREATE] = {.run = tokens_create, .body = &api_token_create_type},
    [API_ROUTE_TOKEN_DELETE] = {.run = tokens_delete},
    [API_ROUTE_TEMPLATES] = {.run = templates_list},
    [API_ROUTE_TEMPLATE] = {.run = templates_get},
    [API_ROUTE_TEMPLATE_PUT] = {.run = templates_put, .body = &api_template_put_type},
    [API_ROUTE_TEMPLATE_DELETE] = {.run = templates_delete},
    [API_ROUTE_WORKSPACES] = {.run = workspaces_list},
    [API_ROUTE_WORKSPACE_CREATE] = {.run = workspaces_create, .body = &api_workspace_create_type},
    [API_ROUTE_WORKSPACE] = {.run = workspaces_get},
    [API_ROUTE_WORKSPACE_DELETE] = {.run = workspaces_delete},
    [API_ROUTE_APPS] = {.run = apps_list},
    [API_ROUTE_AGENT_APPS] = {.run = apps_list_agent},
    [API_ROUTE_AGENT_TOKEN] = {.run = agents_token},
    [API_ROUTE_AGENT_PORTS] = {.run = agent_ports_list},
    [API_ROUTE_AGENT_FORWARDS] = {.run = agent_forwards_list},
    [API_ROUTE_SHARES] = {.run = shares_list},
    [API_ROUTE_SHARE_SET] = {.run = shares_put, .body = &api_share_put_type},
    [API_ROUTE_SHARE_DELETE] = {.run = shares_delete},
    [API_ROUTE_EVENTS] = {.run = events_open},
    [API_ROUTE_AUDIT] = {.run = audit_list},
    [API_ROUTE_AGENT_CONNECT] = {.run_agent = agents_connect},
    [API_ROUTE_AGENT_RELAY] = {.run = relay_open},
};
