#include "api/news.h"

#include "api/codec.h"

enum {
    PORTS_MAX = 4096,
    URL_MAX = 4200, /* an origin and a path, each of 2,048 bytes at most */
    INTERVAL_MAX_SEC = 86400,
};

static const struct api_field app_health_fields[] = {
    API_F_TEXT(struct api_app_health, slug, "slug", slug, API_REQ),
    API_F_TEXT(struct api_app_health, health, "health", health, API_REQ),
};
API_TYPE(api_app_health_type, struct api_app_health, "AppHealth", app_health_fields);

static const struct api_field app_check_fields[] = {
    API_F_TEXT(struct api_app_check, slug, "slug", slug, API_REQ),
    API_F_NUMBER(struct api_app_check, port, "port", 1, 65535, API_NULL),
    API_F_STRING(struct api_app_check, url, "url", URL_MAX, API_NULL),
    API_F_TEXT(struct api_app_check, interval, "interval", duration, API_ABSENT),
    API_F_NUMBER(struct api_app_check, threshold, "threshold", 1, 1000, API_ABSENT),
};
API_TYPE(api_app_check_type, struct api_app_check, "AppCheck", app_check_fields);

static const struct api_field app_checks_fields[] = {
    API_F_LIST(struct api_app_checks, apps, n_apps, "apps", api_app_check_type, TEMPLATE_APPS_MAX,
               API_REQ),
};
API_TYPE(api_app_checks_type, struct api_app_checks, "AppChecks", app_checks_fields);

static const struct api_field watched_fields[] = {
    API_F_BOOL(struct api_watched, watched, "watched", API_REQ),
};
API_TYPE(api_watched_type, struct api_watched, "Watched", watched_fields);

static const struct api_field forward_fields[] = {
    API_F_TEXT(struct api_forward, id, "id", id, API_REQ),
    API_F_TEXT(struct api_forward, user, "user", user_name, API_REQ),
    API_F_TEXT(struct api_forward, kind, "kind", text, API_REQ),
    API_F_TEXT(struct api_forward, direction, "direction", audit_direction, API_NULL),
    API_F_TEXT(struct api_forward, listen, "listen", raw, API_NULL),
    API_F_TEXT(struct api_forward, target, "target", raw, API_NULL),
    API_F_TEXT(struct api_forward, origin, "origin", raw, API_NULL),
    API_F_TEXT(struct api_forward, path, "path", text, API_REQ),
    API_F_TEXT(struct api_forward, since, "since", time, API_REQ),
    API_F_NUMBER(struct api_forward, connections, "connections", 0, INT32_MAX, API_REQ),
    API_F_NUMBER(struct api_forward, bytes_in, "bytes_in", 0, INT64_MAX, API_OPT,
                 .has_offset = offsetof(struct api_forward, has_bytes)),
    API_F_NUMBER(struct api_forward, bytes_out, "bytes_out", 0, INT64_MAX, API_OPT,
                 .has_offset = offsetof(struct api_forward, has_bytes)),
};
API_TYPE(api_forward_type, struct api_forward, "Forward", forward_fields);

static const struct api_field forwards_fields[] = {
    API_F_LIST(struct api_forwards, forwards, n_forwards, "forwards", api_forward_type,
               API_FORWARDS_MAX, API_REQ),
    API_F_BOOL(struct api_forwards, more, "more", API_OPT),
};
API_TYPE(api_forwards_type, struct api_forwards, "Forwards", forwards_fields);

static const struct api_field news_fields[] = {
    API_F_LIST(struct api_news, ports, n_ports, "ports", api_port_type, PORTS_MAX, API_OPT,
               .has_offset = offsetof(struct api_news, has_ports)),
    API_F_LIST(struct api_news, unlisted, n_unlisted, "unlisted", api_port_type, PORTS_MAX, API_OPT,
               .has_offset = offsetof(struct api_news, has_unlisted)),
    API_F_LIST(struct api_news, health, n_health, "health", api_app_health_type, TEMPLATE_APPS_MAX,
               API_OPT, .has_offset = offsetof(struct api_news, has_health)),
    API_F_OBJECT(struct api_news, forwards, "forwards", api_forwards_type, API_OPT,
                 .has_offset = offsetof(struct api_news, has_forwards)),
    API_F_OBJECT(struct api_news, direct, "direct", api_direct_counts_type, API_OPT,
                 .has_offset = offsetof(struct api_news, has_direct)),
};
API_TYPE(api_news_type, struct api_news, "News", news_fields);
