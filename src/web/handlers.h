#pragma once
/* The handlers, one file a noun, and their table. */
#include "api/routes.h"
#include "web/call.h"

/* Indexed by enum api_route_id. */
extern const struct handler web_handlers[API_ROUTE_COUNT];

/* buildinfo.c */
handler_fn buildinfo_get;
/* setup.c */
handler_fn setup_get, setup_post;
/* session.c */
handler_fn session_login, session_logout, session_me, session_password;
/* applications.c */
handler_fn applications_redirect;
/* users.c */
handler_fn users_list, users_create, users_get, users_update, users_delete;
/* tokens.c */
handler_fn tokens_list, tokens_create, tokens_delete;
/* templates.c */
handler_fn templates_list, templates_get, templates_put, templates_delete;
/* workspaces.c */
handler_fn workspaces_list, workspaces_create, workspaces_get, workspaces_delete;
/* agents.c */
handler_fn agents_token;
agent_handler_fn agents_connect;
/* agent_ports.c */
handler_fn agent_ports_list, agent_forwards_list;
/* shares.c */
handler_fn shares_list, shares_put, shares_delete;
/* shared.c */
handler_fn shared_list;
/* apps.c */
handler_fn apps_list, apps_list_agent;
/* events.c */
handler_fn events_open;
/* audit.c */
handler_fn audit_list;
/* relay.c */
handler_fn relay_open;
