#include "api/share.h"

#include <stdint.h>

#include "api/codec.h"

enum {
    TEXT_MAX_LEN = 2048,
    LIST_MAX = 2 * SHARES_MAX,
    PORTS_MAX = 4096,
    EXPIRES_MAX_SEC = 366 * 86400,
    PAGE_MAX = 1000,
};

static const struct api_field share_fields[] = {
    API_F_NUMBER(struct api_share, share.port, "port", 1, 65535, API_NULL),
    API_F_TEXT(struct api_share, share.slug, "slug", slug, API_NULL),
    API_F_TEXT(struct api_share, share.level, "level", share_level, API_REQ),
    API_F_TEXT(struct api_share, share.protocol, "protocol", share_protocol, API_REQ),
    API_F_STRINGS(struct api_share, share.users, "users", SHARE_USERS_MAX, API_REQ),
    API_F_TEXT(struct api_share, share.expires_at, "expires_at", time, API_NULL),
    API_F_BOOL(struct api_share, missing, "missing", API_OPT),
    API_F_STRING(struct api_share, url, "url", TEXT_MAX_LEN, API_NULL),
};
API_TYPE(api_share_type, struct api_share, "Share", share_fields);

static const struct api_field shares_fields[] = {
    API_F_TEXT(struct api_shares, max_level, "max_level", share_level, API_REQ),
    API_F_LIST(struct api_shares, shares, n_shares, "shares", api_share_type, LIST_MAX, API_REQ),
};
API_TYPE(api_shares_type, struct api_shares, "Shares", shares_fields);

static const struct api_field share_put_fields[] = {
    API_F_TEXT(struct api_share_put, level, "level", share_level, API_REQ),
    API_F_TEXT(struct api_share_put, protocol, "protocol", share_protocol, API_ABSENT),
    API_F_STRINGS(struct api_share_put, users, "users", SHARE_USERS_MAX, API_ABSENT),
    API_F_NUMBER(struct api_share_put, expires_in, "expires_in", 1, EXPIRES_MAX_SEC, API_ABSENT),
};
API_TYPE(api_share_put_type, struct api_share_put, "SharePut", share_put_fields);

static const struct api_field shared_port_fields[] = {
    API_F_NUMBER(struct api_shared_port, port.port, "port", 1, 65535, API_REQ),
    API_F_BOOL(struct api_shared_port, listening, "listening", API_REQ),
    API_F_TEXT(struct api_shared_port, port.address, "address", text, API_OPT),
    API_F_TEXT(struct api_shared_port, port.process, "process", text, API_OPT),
    API_F_NUMBER(struct api_shared_port, port.pid, "pid", 0, UINT32_MAX, API_NULL),
    API_F_TEXT(struct api_shared_port, port.speaks, "speaks", port_speaks, API_REQ),
    API_F_TEXT(struct api_shared_port, port.forwarded_by, "forwarded_by", user_name, API_NULL),
    API_F_STRING(struct api_shared_port, url, "url", TEXT_MAX_LEN, API_NULL),
    API_F_OBJECT(struct api_shared_port, share, "share", api_share_type, API_NULL),
};
API_TYPE(api_shared_port_type, struct api_shared_port, "Port", shared_port_fields);

static const struct api_field shared_ports_fields[] = {
    API_F_LIST(struct api_shared_ports, ports, n_ports, "ports", api_shared_port_type,
               PORTS_MAX + LIST_MAX, API_REQ),
    API_F_TEXT(struct api_shared_ports, status, "status", agent_status, API_OPT),
    API_F_TEXT(struct api_shared_ports, last_seen_at, "last_seen_at", time, API_NULL),
};
API_TYPE(api_shared_ports_type, struct api_shared_ports, "Ports", shared_ports_fields);

static const struct api_field app_fields[] = {
    API_F_TEXT(struct api_app, slug, "slug", slug, API_REQ),
    API_F_TEXT(struct api_app, agent, "agent", agent_name, API_REQ),
    API_F_STRING(struct api_app, display_name, "display_name", TEXT_MAX_LEN, API_NULL),
    API_F_STRING(struct api_app, icon, "icon", TEXT_MAX_LEN, API_NULL),
    API_F_STRING(struct api_app, url, "url", TEXT_MAX_LEN, API_NULL),
    API_F_BOOL(struct api_app, subdomain, "subdomain", API_REQ),
    API_F_TEXT(struct api_app, share, "share", share_level, API_REQ),
    API_F_NUMBER(struct api_app, order, "order", INT32_MIN, INT32_MAX, .flags = API_SIGNED),
    API_F_TEXT(struct api_app, health, "health", health, API_OPT),
    API_F_OBJECT(struct api_app, own, "own", api_share_type, API_NULL),
};
API_TYPE(api_app_type, struct api_app, "WorkspaceApp", app_fields);

static const struct api_field apps_fields[] = {
    API_F_LIST(struct api_apps, apps, n_apps, "apps", api_app_type, TEMPLATE_APPS_MAX + LIST_MAX,
               API_REQ),
};
API_TYPE(api_apps_type, struct api_apps, "WorkspaceApps", apps_fields);

static const struct api_field shared_target_fields[] = {
    API_F_TEXT(struct api_shared_target, workspace_id, "workspace_id", id, API_REQ),
    API_F_TEXT(struct api_shared_target, owner, "owner", user_name, API_REQ),
    API_F_TEXT(struct api_shared_target, workspace, "workspace", workspace_name, API_REQ),
    API_F_TEXT(struct api_shared_target, agent, "agent", agent_name, API_REQ),
    API_F_NUMBER(struct api_shared_target, port, "port", 1, 65535, API_NULL),
    API_F_TEXT(struct api_shared_target, slug, "slug", slug, API_NULL),
    API_F_STRING(struct api_shared_target, display_name, "display_name", TEXT_MAX_LEN, API_NULL),
    API_F_TEXT(struct api_shared_target, level, "level", share_level, API_REQ),
    API_F_TEXT(struct api_shared_target, expires_at, "expires_at", time, API_NULL),
    API_F_TEXT(struct api_shared_target, status, "status", agent_status, API_REQ),
    API_F_BOOL(struct api_shared_target, listening, "listening", API_OPT),
    API_F_TEXT(struct api_shared_target, health, "health", health, API_OPT),
    API_F_STRING(struct api_shared_target, url, "url", TEXT_MAX_LEN, API_REQ),
};
API_TYPE(api_shared_target_type, struct api_shared_target, "SharedTarget", shared_target_fields);

static const struct api_field shared_fields[] = {
    API_F_LIST(struct api_shared, shared, n_shared, "shared", api_shared_target_type, PAGE_MAX,
               API_REQ),
    API_F_TEXT(struct api_shared, next, "next", id, API_NULL),
};
API_TYPE(api_shared_type, struct api_shared, "Shared", shared_fields);
