#pragma once
/* Text forms of the members of messages, and macros to write tables with. Within api/ only. */
#include "api/type.h"

/* Names of name.h, by kind. Empty text is no name; absent members stay empty. */
extern const struct api_codec api_codec_user_name;
extern const struct api_codec api_codec_workspace_name;
extern const struct api_codec api_codec_template_name;
extern const struct api_codec api_codec_agent_name;
extern const struct api_codec api_codec_slug;
/* May be empty. */
extern const struct api_codec api_codec_email;
/* UTF-8 without control characters that fits the member; spaces at the ends go. May be empty. */
extern const struct api_codec api_codec_text;
/* Any UTF-8 that fits the member, 1 byte at least. */
extern const struct api_codec api_codec_secret;
/* Any UTF-8 that fits the member, control characters among it. */
extern const struct api_codec api_codec_raw;
/* A password that keeps the rules of model/password.h. */
extern const struct api_codec api_codec_new_password;
extern const struct api_codec api_codec_id;
/* RFC 3339; a usec_t. */
extern const struct api_codec api_codec_time;
/* "10s", "2m"; a usec_t. */
extern const struct api_codec api_codec_duration;
/* 32 bytes as 43 characters of base64url. */
extern const struct api_codec api_codec_pin;
extern const struct api_codec api_codec_alias;
extern const struct api_codec api_codec_role;
extern const struct api_codec api_codec_token_kind;
extern const struct api_codec api_codec_scope;
extern const struct api_codec api_codec_share_level;
extern const struct api_codec api_codec_share_protocol;
extern const struct api_codec api_codec_cors;
extern const struct api_codec api_codec_agent_status;
extern const struct api_codec api_codec_port_speaks;
extern const struct api_codec api_codec_health;
extern const struct api_codec api_codec_audit_action;
extern const struct api_codec api_codec_audit_direction;
extern const struct api_codec api_codec_audit_carrier;

#define API_MEMBER(S, m) .offset = offsetof(S, m), .size = sizeof(((S *)NULL)->m)

/* The common parts of a field; further designators may follow. */
#define API_F_TEXT(S, m, json, codec_, ...)                                                        \
    {                                                                                              \
        .name = json, .kind = API_TEXT, .codec = &api_codec_##codec_, API_MEMBER(S, m),            \
        __VA_ARGS__                                                                                \
    }
#define API_F_STRING(S, m, json, max_, ...)                                                        \
    {                                                                                              \
        .name = json, .kind = API_STRING, .max = max_, API_MEMBER(S, m), __VA_ARGS__               \
    }
#define API_F_BOOL(S, m, json, ...)                                                                \
    {                                                                                              \
        .name = json, .kind = API_BOOL, API_MEMBER(S, m), __VA_ARGS__                              \
    }
#define API_F_NUMBER(S, m, json, min_, max_, ...)                                                  \
    {                                                                                              \
        .name = json, .kind = API_NUMBER, .min = min_, .max = max_, API_MEMBER(S, m), __VA_ARGS__  \
    }
#define API_F_OBJECT(S, m, json, type_, ...)                                                       \
    {                                                                                              \
        .name = json, .kind = API_OBJECT, .type = &type_, API_MEMBER(S, m), __VA_ARGS__            \
    }
#define API_F_LIST(S, m, n, json, type_, max_, ...)                                                \
    {                                                                                              \
        .name = json, .kind = API_LIST, .type = &type_, .max = max_,                               \
        .count_offset = offsetof(S, n), API_MEMBER(S, m), __VA_ARGS__                              \
    }
#define API_F_STRINGS(S, m, json, max_, ...)                                                       \
    {                                                                                              \
        .name = json, .kind = API_STRINGS, .max = max_, API_MEMBER(S, m), __VA_ARGS__              \
    }

#define API_REQ    .flags = API_REQUIRED
#define API_OPT    .flags = 0
#define API_NULL   .flags = API_NULLABLE
#define API_ABSENT .flags = API_OMIT

/* The table `api_NAME_type` of struct S from the array FIELDS. */
#define API_TYPE(x, S, schema, fields_)                                                            \
    const struct api_type x = {                                                                    \
        .name = schema,                                                                            \
        .size = sizeof(S),                                                                         \
        .fields = fields_,                                                                         \
        .n_fields = sizeof(fields_) / sizeof((fields_)[0]),                                        \
    }
