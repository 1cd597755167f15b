#include "api/user.h"

#include "api/codec.h"

enum { EXPIRES_IN_MAX_SEC = 10 * 366 * 86400, URL_MAX_LEN = 2048, LIST_MAX = 1000 };

static const struct api_field buildinfo_fields[] = {
    API_F_TEXT(struct api_buildinfo, version, "version", text, API_REQ),
    API_F_TEXT(struct api_buildinfo, protocol, "protocol", text, API_REQ),
    API_F_STRING(struct api_buildinfo, access_url, "access_url", URL_MAX_LEN, API_NULL),
    API_F_STRING(struct api_buildinfo, wildcard_url, "wildcard_url", URL_MAX_LEN, API_NULL),
};
API_TYPE(api_buildinfo_type, struct api_buildinfo, "Buildinfo", buildinfo_fields);

static const struct api_field setup_status_fields[] = {
    API_F_BOOL(struct api_setup_status, needed, "needed", API_REQ),
};
API_TYPE(api_setup_status_type, struct api_setup_status, "SetupStatus", setup_status_fields);

static const struct api_field setup_request_fields[] = {
    API_F_TEXT(struct api_setup_request, name, "name", user_name, API_REQ),
    API_F_TEXT(struct api_setup_request, password, "password", new_password, API_REQ),
    API_F_TEXT(struct api_setup_request, display_name, "display_name", text, API_ABSENT),
    API_F_TEXT(struct api_setup_request, email, "email", email, API_ABSENT),
    API_F_TEXT(struct api_setup_request, label, "label", text, API_ABSENT),
};
API_TYPE(api_setup_request_type, struct api_setup_request, "SetupRequest", setup_request_fields);

/* The name is text here: what is no name is a wrong log-in, not a wrong request. */
static const struct api_field login_request_fields[] = {
    API_F_TEXT(struct api_login_request, user, "user", secret, API_REQ),
    API_F_TEXT(struct api_login_request, password, "password", secret, API_REQ),
    API_F_TEXT(struct api_login_request, label, "label", text, API_ABSENT),
};
API_TYPE(api_login_request_type, struct api_login_request, "LoginRequest", login_request_fields);

static const struct api_field user_fields[] = {
    API_F_TEXT(struct api_user, user.id, "id", id, API_REQ),
    API_F_TEXT(struct api_user, user.name, "name", user_name, API_REQ),
    API_F_TEXT(struct api_user, user.display_name, "display_name", text, API_OPT),
    API_F_TEXT(struct api_user, user.email, "email", email, API_OPT),
    API_F_TEXT(struct api_user, user.role, "role", role, API_REQ),
    API_F_BOOL(struct api_user, user.suspended, "suspended", API_REQ),
    API_F_TEXT(struct api_user, user.created_at, "created_at", time, API_NULL),
    API_F_TEXT(struct api_user, user.last_seen_at, "last_seen_at", time, API_NULL),
};
API_TYPE(api_user_type, struct api_user, "User", user_fields);
_Static_assert(sizeof(struct api_user) == sizeof(struct user), "lists of users hold the record");

static const struct api_field login_response_fields[] = {
    API_F_TEXT(struct api_login_response, token, "token", secret, API_REQ),
    API_F_TEXT(struct api_login_response, expires_at, "expires_at", time, API_NULL),
    API_F_OBJECT(struct api_login_response, user, "user", api_user_type, API_REQ),
};
API_TYPE(api_login_response_type, struct api_login_response, "LoginResponse",
         login_response_fields);

static const struct api_field token_fields[] = {
    API_F_TEXT(struct api_token, token.id, "id", id, API_REQ),
    API_F_TEXT(struct api_token, token.kind, "kind", token_kind, API_REQ),
    API_F_TEXT(struct api_token, token.name, "name", text, API_OPT),
    API_F_TEXT(struct api_token, token.scope, "scope", scope, API_REQ),
    API_F_TEXT(struct api_token, token.created_at, "created_at", time, API_NULL),
    API_F_TEXT(struct api_token, token.expires_at, "expires_at", time, API_NULL),
    API_F_TEXT(struct api_token, token.last_used_at, "last_used_at", time, API_NULL),
};
API_TYPE(api_token_type, struct api_token, "Token", token_fields);
_Static_assert(sizeof(struct api_token) == sizeof(struct token), "lists of tokens hold the record");

static const struct api_field me_fields[] = {
    API_F_OBJECT(struct api_me, user, "user", api_user_type, API_REQ),
    API_F_OBJECT(struct api_me, token, "token", api_token_type, API_REQ),
};
API_TYPE(api_me_type, struct api_me, "Me", me_fields);

static const struct api_field password_request_fields[] = {
    API_F_TEXT(struct api_password_request, old_password, "old_password", secret, API_REQ),
    API_F_TEXT(struct api_password_request, new_password, "new_password", new_password, API_REQ),
};
API_TYPE(api_password_request_type, struct api_password_request, "PasswordRequest",
         password_request_fields);

static const struct api_field users_fields[] = {
    API_F_LIST(struct api_users, users, n_users, "users", api_user_type, LIST_MAX, API_REQ),
    API_F_TEXT(struct api_users, next, "next", id, API_NULL),
};
API_TYPE(api_users_type, struct api_users, "Users", users_fields);

static const struct api_field user_create_fields[] = {
    API_F_TEXT(struct api_user_create, name, "name", user_name, API_REQ),
    API_F_TEXT(struct api_user_create, password, "password", new_password, API_REQ),
    API_F_TEXT(struct api_user_create, display_name, "display_name", text, API_ABSENT),
    API_F_TEXT(struct api_user_create, email, "email", email, API_ABSENT),
    API_F_TEXT(struct api_user_create, role, "role", role, API_OPT),
};
API_TYPE(api_user_create_type, struct api_user_create, "UserCreate", user_create_fields);

#define HAS(m) .has_offset = offsetof(struct api_user_update, has_##m)
static const struct api_field user_update_fields[] = {
    API_F_TEXT(struct api_user_update, role, "role", role, HAS(role)),
    API_F_BOOL(struct api_user_update, suspended, "suspended", HAS(suspended)),
    API_F_TEXT(struct api_user_update, display_name, "display_name", text, HAS(display_name)),
    API_F_TEXT(struct api_user_update, email, "email", email, HAS(email)),
    API_F_TEXT(struct api_user_update, password, "password", new_password, HAS(password)),
};
API_TYPE(api_user_update_type, struct api_user_update, "UserUpdate", user_update_fields);

static const struct api_field tokens_fields[] = {
    API_F_LIST(struct api_tokens, tokens, n_tokens, "tokens", api_token_type, LIST_MAX, API_REQ),
    API_F_TEXT(struct api_tokens, next, "next", id, API_NULL),
};
API_TYPE(api_tokens_type, struct api_tokens, "Tokens", tokens_fields);

static const struct api_field token_create_fields[] = {
    API_F_TEXT(struct api_token_create, name, "name", text, API_REQ),
    API_F_TEXT(struct api_token_create, scope, "scope", scope, API_OPT),
    API_F_NUMBER(struct api_token_create, expires_in, "expires_in", 0, EXPIRES_IN_MAX_SEC,
                 API_ABSENT),
};
API_TYPE(api_token_create_type, struct api_token_create, "TokenCreate", token_create_fields);

static const struct api_field token_created_fields[] = {
    API_F_TEXT(struct api_token_created, token, "token", secret, API_REQ),
    API_F_OBJECT(struct api_token_created, info, "info", api_token_type, API_REQ),
};
API_TYPE(api_token_created_type, struct api_token_created, "TokenCreated", token_created_fields);
