#pragma once
/* Every message, for the tests and the fuzzer of this folder. */
#include "api/audit.h"
#include "api/error.h"
#include "api/news.h"
#include "api/peer.h"
#include "api/share.h"
#include "api/user.h"
#include "api/workspace.h"

static const struct api_type *const all_types[] = {
    &api_error_type,
    &api_buildinfo_type,
    &api_setup_status_type,
    &api_setup_request_type,
    &api_login_request_type,
    &api_user_type,
    &api_login_response_type,
    &api_token_type,
    &api_me_type,
    &api_password_request_type,
    &api_users_type,
    &api_user_create_type,
    &api_user_update_type,
    &api_tokens_type,
    &api_token_create_type,
    &api_token_created_type,
    &api_agent_type,
    &api_workspace_type,
    &api_workspaces_type,
    &api_agent_name_type,
    &api_workspace_create_type,
    &api_agent_token_type,
    &api_workspace_created_type,
    &api_template_type,
    &api_template_put_type,
    &api_templates_type,
    &api_agent_info_type,
    &api_grant_type,
    &api_peer_type,
    &api_ssh_info_type,
    &api_direct_counts_type,
    &api_port_type,
    &api_ports_type,
    &api_share_type,
    &api_shares_type,
    &api_share_put_type,
    &api_shared_port_type,
    &api_shared_ports_type,
    &api_app_type,
    &api_apps_type,
    &api_audit_event_type,
    &api_audit_type,
    &api_agent_record_type,
    &api_app_health_type,
    &api_app_check_type,
    &api_app_checks_type,
    &api_watched_type,
    &api_forward_type,
    &api_forwards_type,
    &api_news_type,
};
