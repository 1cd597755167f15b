#include "api/codec.h"

#include <errno.h>

#include "api/news.h"
#include "api/peer.h"
#include "api/workspace.h"
#include "base/cleanup.h"
#include "base/num.h"
#include "base/text.h"
#include "model/audit.h"
#include "model/password.h"
#include "model/role.h"
#include "model/scope.h"
#include "model/user.h"

enum { DURATION_MAX_SEC = 366 * 86400 };

static int write_chars(const struct api_field *f, const void *src, struct buf *out)
{
    return buf_append_str(out, src);
}

#define NAME_CODEC(kind_text, kind)                                                                \
    static int read_##kind_text(const struct api_field *f, struct span text, void *dst,            \
                                struct err *err)                                                   \
    {                                                                                              \
        return name_parse(kind, text, dst, err);                                                   \
    }                                                                                              \
    const struct api_codec api_codec_##kind_text = {                                               \
        .read = read_##kind_text, .write = write_chars, .is_text = true}

NAME_CODEC(user_name, NAME_USER);
NAME_CODEC(workspace_name, NAME_WORKSPACE);
NAME_CODEC(template_name, NAME_TEMPLATE);
NAME_CODEC(agent_name, NAME_AGENT);
NAME_CODEC(slug, NAME_SLUG);

static int read_email(const struct api_field *f, struct span text, void *dst, struct err *err)
{
    return text.len ? email_parse(text, dst, err) : 0;
}
const struct api_codec api_codec_email = {
    .read = read_email, .write = write_chars, .is_text = true};

static int read_text(const struct api_field *f, struct span text, void *dst, struct err *err)
{
    return display_text_parse("text", text, f->size - 1, dst, err);
}
const struct api_codec api_codec_text = {.read = read_text, .write = write_chars, .is_text = true};

static int read_raw(const struct api_field *f, struct span text, void *dst, struct err *err)
{
    if (!str_copy_span(dst, f->size, text))
        return err_set(err, -EINVAL, "is longer than %zu bytes", f->size - 1);
    return 0;
}
const struct api_codec api_codec_raw = {.read = read_raw, .write = write_chars, .is_text = true};

static int read_secret(const struct api_field *f, struct span text, void *dst, struct err *err)
{
    if (text.len == 0)
        return err_set(err, -EINVAL, "must not be empty");
    if (text.len >= f->size)
        return err_set(err, -EINVAL, "is longer than %zu bytes", f->size - 1);
    str_copy_span(dst, f->size, text);
    return 0;
}
const struct api_codec api_codec_secret = {
    .read = read_secret, .write = write_chars, .is_text = true};

static int read_new_password(const struct api_field *f, struct span text, void *dst,
                             struct err *err)
{
    int r = password_check(text, err);
    return r ? r : read_secret(f, text, dst, err);
}
const struct api_codec api_codec_new_password = {
    .read = read_new_password, .write = write_chars, .is_text = true};

static int read_id(const struct api_field *f, struct span text, void *dst, struct err *err)
{
    return id_parse(text, dst) < 0 ? err_set(err, -EINVAL, "is not an id") : 0;
}
static int write_id(const struct api_field *f, const void *src, struct buf *out)
{
    char text[ID_TEXT_SIZE];
    return buf_append_str(out, id_format(src, text));
}
const struct api_codec api_codec_id = {.read = read_id, .write = write_id};

static int read_time(const struct api_field *f, struct span text, void *dst, struct err *err)
{
    char copy[CLOCK_TEXT_LEN];
    if (!str_copy_span(copy, sizeof(copy), text) || clock_parse(copy, dst) < 0)
        return err_set(err, -EINVAL, "is not a time such as 2026-01-31T12:34:56Z");
    return 0;
}
static int write_time(const struct api_field *f, const void *src, struct buf *out)
{
    char text[CLOCK_TEXT_LEN];
    return buf_append_str(out, clock_format(*(const usec_t *)src, text));
}
const struct api_codec api_codec_time = {.read = read_time, .write = write_time};

static int read_duration(const struct api_field *f, struct span text, void *dst, struct err *err)
{
    uint64_t sec;
    if (num_parse_duration(text, DURATION_MAX_SEC, &sec) < 0 || sec == 0)
        return err_set(err, -EINVAL, "is not a duration such as 10s, 2m or 1h");
    *(usec_t *)dst = (usec_t)sec * USEC_PER_SEC;
    return 0;
}
static int write_duration(const struct api_field *f, const void *src, struct buf *out)
{
    return buf_appendf(out, "%llds", (long long)(*(const usec_t *)src / USEC_PER_SEC));
}
const struct api_codec api_codec_duration = {.read = read_duration, .write = write_duration};

static int read_pin(const struct api_field *f, struct span text, void *dst, struct err *err)
{
    if (text.len != API_PIN_TEXT_LEN || base64url_decode(text, dst, f->size) != AGENT_PIN_LEN)
        return err_set(err, -EINVAL, "is not a key's pin (43 characters of base64url)");
    return 0;
}
static int write_pin(const struct api_field *f, const void *src, struct buf *out)
{
    char text[BASE64URL_LEN(AGENT_PIN_LEN)];
    return buf_append_str(out, base64url_encode(src, AGENT_PIN_LEN, text));
}
const struct api_codec api_codec_pin = {.read = read_pin, .write = write_pin};

static int read_alias(const struct api_field *f, struct span text, void *dst, struct err *err)
{
    if (!agent_alias_valid(text))
        return err_set(err, -EINVAL, "is not an alias");
    str_copy_span(dst, f->size, text);
    return 0;
}
const struct api_codec api_codec_alias = {
    .read = read_alias, .write = write_chars, .is_text = true};

static int read_scope(const struct api_field *f, struct span text, void *dst, struct err *err)
{
    return token_scope_parse(text, dst, err);
}
static int write_scope(const struct api_field *f, const void *src, struct buf *out)
{
    char text[TOKEN_SCOPE_SIZE];
    return buf_append_str(out, token_scope_format(src, text));
}
const struct api_codec api_codec_scope = {.read = read_scope, .write = write_scope};

static const char *const status_names[] = {
    [API_AGENT_NEVER] = "never",
    [API_AGENT_CONNECTED] = "connected",
    [API_AGENT_AWAY] = "away",
};

const char *api_agent_status_name(enum api_agent_status status)
{
    return status_names[status];
}

static const char *const speaks_names[] = {
    [API_PORT_UNKNOWN] = "unknown",
    [API_PORT_HTTP] = "http",
    [API_PORT_TLS] = "tls",
    [API_PORT_OTHER] = "other",
};

const char *api_port_speaks_name(enum api_port_speaks speaks)
{
    return speaks_names[speaks];
}

static const char *const health_names[] = {
    [API_HEALTH_UNKNOWN] = "unknown",           [API_HEALTH_DISABLED] = "disabled",
    [API_HEALTH_INITIALIZING] = "initializing", [API_HEALTH_HEALTHY] = "healthy",
    [API_HEALTH_UNHEALTHY] = "unhealthy",
};

const char *api_health_name(enum api_health health)
{
    return health_names[health];
}

static int find_name(const char *const *names, size_t n, struct span text, unsigned *ret)
{
    for (size_t i = 0; i < n; i++) {
        if (span_is(text, names[i])) {
            *ret = (unsigned)i;
            return 0;
        }
    }
    return -EINVAL;
}

static int agent_status_parse(struct span text, enum api_agent_status *ret)
{
    return find_name(status_names, ARRAY_LEN(status_names), text, ret);
}

static int port_speaks_parse(struct span text, enum api_port_speaks *ret)
{
    return find_name(speaks_names, ARRAY_LEN(speaks_names), text, ret);
}

static int health_parse(struct span text, enum api_health *ret)
{
    return find_name(health_names, ARRAY_LEN(health_names), text, ret);
}

/* A codec from a pair of functions on an enum. */
#define ENUM_CODEC(x, type, parse, name, what)                                                     \
    static int read_##x(const struct api_field *f, struct span text, void *dst, struct err *err)   \
    {                                                                                              \
        return parse(text, (type *)dst) < 0 ? err_set(err, -EINVAL, what) : 0;                     \
    }                                                                                              \
    static int write_##x(const struct api_field *f, const void *src, struct buf *out)              \
    {                                                                                              \
        return buf_append_str(out, name(*(const type *)src));                                      \
    }                                                                                              \
    const struct api_codec api_codec_##x = {.read = read_##x, .write = write_##x}

ENUM_CODEC(role, enum role, role_parse, role_name, "must be member, auditor or owner");
ENUM_CODEC(token_kind, enum token_kind, token_kind_parse, token_kind_name,
           "must be session, api or app");
ENUM_CODEC(share_level, enum share_level, share_level_parse, share_level_name,
           "must be owner, users, authenticated or public");
ENUM_CODEC(share_protocol, enum share_protocol, share_protocol_parse, share_protocol_name,
           "must be http or https");
ENUM_CODEC(cors, enum cors_behavior, cors_behavior_parse, cors_behavior_name,
           "must be simple or passthru");
ENUM_CODEC(agent_status, enum api_agent_status, agent_status_parse, api_agent_status_name,
           "must be never, connected or away");
ENUM_CODEC(port_speaks, enum api_port_speaks, port_speaks_parse, api_port_speaks_name,
           "must be unknown, http, tls or other");
ENUM_CODEC(health, enum api_health, health_parse, api_health_name,
           "must be unknown, disabled, initializing, healthy or unhealthy");
ENUM_CODEC(audit_action, enum audit_action, audit_action_parse, audit_action_name,
           "is not an audited action");
ENUM_CODEC(audit_direction, enum audit_direction, audit_direction_parse, audit_direction_name,
           "must be local or remote");
ENUM_CODEC(audit_carrier, enum audit_carrier, audit_carrier_parse, audit_carrier_name,
           "must be relay or direct");
