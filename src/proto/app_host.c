#include "proto/app_host.h"

#include <errno.h>

#include "base/num.h"

static const char separator[] = "--";
static const char prefix_end[] = "---";

static bool is_label_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

static bool all_label_chars(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!is_label_char(text.p[i]))
            return false;
    return true;
}

/* Takes port and final dot off and folds case. False: it is no host name with those. */
static bool fold_host(struct span text, char dst[static HOST_SIZE], uint16_t *ret_port)
{
    ptrdiff_t colon = span_rfind(text, ':');
    *ret_port = 0;
    if (colon >= 0) {
        struct span port = span_sub(text, (size_t)colon + 1, text.len);
        if (port.len > 0 && num_parse_port(port, false, ret_port) < 0)
            return false;
        text.len = (size_t)colon;
    }
    if (span_ends(text, "."))
        text.len--;
    if (text.len > HOST_MAX_LEN || span_find(text, '\0') >= 0)
        return false;
    str_copy_span(dst, HOST_SIZE, text);
    str_lower(dst);
    return true;
}

static const char *parse_pattern(struct span text, struct app_pattern *pattern)
{
    char host[HOST_SIZE];
    if (span_find_str(text, "://") >= 0)
        return "it is a host name, without a scheme";
    if (!fold_host(text, host, &pattern->port))
        return "its port or length is not valid";
    struct span rest = span_of(host);
    ptrdiff_t dot = span_find(rest, '.');
    if (!span_starts(rest, "*") || dot < 0)
        return "it starts with an asterisk and has a dot, as *.apps.example.com";
    struct span suffix = span_sub(rest, 1, (size_t)dot);
    struct span domain = span_sub(rest, (size_t)dot + 1, rest.len);
    if (suffix.len > APP_SUFFIX_MAX_LEN)
        return "what follows the asterisk in its label is longer than 16 characters";
    if (!all_label_chars(suffix) || span_ends(suffix, "-"))
        return "what follows the asterisk is not part of a host name";
    if (host_kind_of(domain) != HOST_NAME)
        return "its domain is not valid";
    str_copy_span(pattern->suffix, sizeof(pattern->suffix), suffix);
    str_copy_span(pattern->domain, sizeof(pattern->domain), domain);
    return NULL;
}

int app_pattern_parse(struct span text, struct app_pattern *ret, struct err *err)
{
    struct app_pattern pattern;
    const char *wrong = parse_pattern(text, &pattern);
    if (wrong)
        return err_set(err, -EINVAL, "wildcard \"%.*s\": %s", text.len < 280 ? (int)text.len : 280,
                       text.len ? text.p : "", wrong);
    *ret = pattern;
    return 0;
}

/* Digits, or digits and "s". What is neither is a slug. */
static bool is_port_text(struct span text)
{
    if (span_ends(text, "s") && text.len > 1)
        text.len--;
    for (size_t i = 0; i < text.len; i++)
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
    return text.len > 0;
}

static bool parse_port_or_slug(struct span text, struct app_host *app)
{
    if (!is_port_text(text))
        return name_parse(NAME_SLUG, text, app->slug, NULL) == 0;
    app->https = span_ends(text, "s");
    if (app->https)
        text.len--;
    uint64_t port;
    /* One spelling for each port: no leading zeros. */
    if (text.p[0] == '0' || num_parse(text, APP_PORT_MIN, 65535, &port) < 0)
        return false;
    app->port = (uint16_t)port;
    return true;
}

/* The last "---" ends the prefix: no name has two hyphens in a row. */
static bool take_prefix(struct span *label, struct app_host *app)
{
    ptrdiff_t at = -1;
    for (size_t i = 0; i + sizeof(prefix_end) - 1 <= label->len; i++)
        if (span_starts(span_sub(*label, i, label->len), prefix_end))
            at = (ptrdiff_t)i;
    if (at < 0)
        return true;
    struct span prefix = span_sub(*label, 0, (size_t)at);
    *label = span_sub(*label, (size_t)at + sizeof(prefix_end) - 1, label->len);
    return prefix.len > 0 && prefix.p[0] != '-' &&
           str_copy_span(app->prefix, sizeof(app->prefix), prefix);
}

enum { PARTS_MAX = 4 };

/* The parts between "--"; 0: too many. */
static size_t split_parts(struct span label, struct span parts[static PARTS_MAX])
{
    size_t n = 0;
    for (;;) {
        ptrdiff_t at = span_find_str(label, separator);
        if (n == PARTS_MAX)
            return 0;
        parts[n++] = span_sub(label, 0, at < 0 ? label.len : (size_t)at);
        if (at < 0)
            return n;
        label = span_sub(label, (size_t)at + sizeof(separator) - 1, label.len);
    }
}

static bool parse_label(struct span label, struct app_host *app)
{
    struct span part[PARTS_MAX];
    if (!all_label_chars(label) || !take_prefix(&label, app))
        return false;
    size_t n = split_parts(label, part);
    if (n < 2 || !parse_port_or_slug(part[0], app))
        return false;
    if (n == 2)
        return agent_alias_valid(part[1]) && str_copy_span(app->alias, sizeof(app->alias), part[1]);
    return (n == 3 || name_parse(NAME_AGENT, part[1], app->agent, NULL) == 0) &&
           name_parse(NAME_WORKSPACE, part[n - 2], app->workspace, NULL) == 0 &&
           name_parse(NAME_USER, part[n - 1], app->user, NULL) == 0;
}

/* The part of `host` before what the pattern's tail matches. False: it does not match. */
static bool take_label(const struct app_pattern *pattern, struct span host, struct span *ret_label)
{
    if (!span_ends(host, pattern->domain))
        return false;
    host.len -= span_of(pattern->domain).len;
    if (!span_ends(host, "."))
        return false;
    host.len--;
    if (!span_ends(host, pattern->suffix))
        return false;
    host.len -= span_of(pattern->suffix).len;
    *ret_label = host;
    return true;
}

enum app_host_match app_host_parse(const struct app_pattern *pattern, struct span host,
                                   struct app_host *ret)
{
    char folded[HOST_SIZE];
    uint16_t port;
    struct span label;
    struct app_host app = {.port = 0};
    if (!fold_host(host, folded, &port) || !take_label(pattern, span_of(folded), &label))
        return APP_HOST_OTHER;
    if (label.len + span_of(pattern->suffix).len > APP_LABEL_MAX_LEN || !parse_label(label, &app))
        return APP_HOST_INVALID;
    *ret = app;
    return APP_HOST_MATCH;
}

static bool prefix_valid(struct span prefix)
{
    return all_label_chars(prefix) && !span_starts(prefix, "-");
}

/* Port or slug, after the prefix. */
static int append_head(const struct app_host *app, struct buf *label)
{
    int r = 0;
    if (app->prefix[0])
        r |= buf_appendf(label, "%s%s", app->prefix, prefix_end);
    if (app->port)
        r |= buf_appendf(label, "%u%s", app->port, app->https ? "s" : "");
    else
        r |= buf_append_str(label, app->slug);
    return r;
}

static int append_long(const struct app_host *app, struct buf *label)
{
    int r = append_head(app, label);
    if (app->agent[0])
        r |= buf_appendf(label, "%s%s", separator, app->agent);
    r |= buf_appendf(label, "%s%s%s%s", separator, app->workspace, separator, app->user);
    return r;
}

static int append_short(const struct app_host *app, struct buf *label)
{
    return append_head(app, label) | buf_appendf(label, "%s%s", separator, app->alias);
}

static bool names_valid(const struct app_host *app)
{
    return (app->port ? app->port >= APP_PORT_MIN : name_valid(NAME_SLUG, span_of(app->slug))) &&
           prefix_valid(span_of(app->prefix)) &&
           (!app->agent[0] || name_valid(NAME_AGENT, span_of(app->agent))) &&
           (!app->workspace[0] || name_valid(NAME_WORKSPACE, span_of(app->workspace))) &&
           (!app->user[0] || name_valid(NAME_USER, span_of(app->user))) &&
           (!app->alias[0] || agent_alias_valid(span_of(app->alias)));
}

int app_host_format(const struct app_pattern *pattern, const struct app_host *app, struct buf *dst)
{
    if (!names_valid(app))
        return -EINVAL;
    /* A label that does not fit its buffer is too long. */
    struct buf label = BUF_INIT(APP_LABEL_MAX_LEN - span_of(pattern->suffix).len);
    int r = app->workspace[0] && app->user[0] ? append_long(app, &label) : -EINVAL;
    if (r != 0) {
        buf_clear(&label);
        r = app->alias[0] ? append_short(app, &label) : -EINVAL;
        if (r != 0 && app->alias[0])
            r = -ENAMETOOLONG;
    }
    size_t before = dst->len;
    if (r == 0)
        r = buf_appendf(dst, "%s%s.%s", buf_cstr(&label), pattern->suffix, pattern->domain);
    if (r == 0 && pattern->port)
        r = buf_appendf(dst, ":%u", pattern->port);
    if (r < 0)
        dst->len = before;
    buf_deinit(&label);
    return r;
}
