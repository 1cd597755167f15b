#include "server/config_values.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/num.h"
#include "proto/app_host.h"
#include "proto/url.h"

static int bad(struct err *err, struct span text, const char *expected)
{
    return err_set(err, -EINVAL, "\"" SPAN_FMT "\" is not %s", SPAN_ARG(text), expected);
}

static void add_listen(struct listen_list *list, const struct addr *addr)
{
    list->items = xrealloc(list->items, (list->len + 1) * sizeof(*list->items));
    list->items[list->len++] = *addr;
}

/* "*" stands for both families; everything else for one address. */
static int parse_listen(struct span text, struct listen_list *list)
{
    ptrdiff_t colon = span_rfind(text, ':');
    char host[64];
    uint16_t port;
    struct addr addr;
    struct span ip;

    if (colon < 0 || num_parse_port(span_sub(text, (size_t)colon + 1, text.len), true, &port) < 0)
        return -EINVAL;
    ip = span_sub(text, 0, (size_t)colon);
    if (span_is(ip, "*")) {
        addr_from_ip("0.0.0.0", port, &addr);
        add_listen(list, &addr);
        addr_from_ip("::", port, &addr);
        add_listen(list, &addr);
        return 0;
    }
    if (span_iis(ip, "localhost"))
        ip = SPAN("127.0.0.1");
    else if (ip.len > 2 && ip.p[0] == '[' && ip.p[ip.len - 1] == ']')
        ip = span_sub(ip, 1, ip.len - 1);
    else if (span_find(ip, ':') >= 0)
        return -EINVAL;
    if (!str_copy_span(host, sizeof(host), ip) || addr_from_ip(host, port, &addr) < 0)
        return -EINVAL;
    add_listen(list, &addr);
    return 0;
}

static int parse_cidr(struct span text, struct cidr_list *list)
{
    struct cidr cidr;
    int r = cidr_parse(text, &cidr);

    if (r < 0)
        return r;
    list->items = xrealloc(list->items, (list->len + 1) * sizeof(*list->items));
    list->items[list->len++] = cidr;
    return 0;
}

int config_parse_size(struct span text, uint64_t min, uint64_t max, uint64_t *ret)
{
    static const struct {
        const char *unit;
        unsigned shift;
    } units[] = {{"KiB", 10}, {"MiB", 20}, {"GiB", 30}};
    unsigned shift = 0;
    uint64_t n;
    int r;

    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (span_ends(text, units[i].unit)) {
            shift = units[i].shift;
            text = span_sub(text, 0, text.len - 3);
            break;
        }
    r = num_parse(text, 0, UINT64_MAX >> shift, &n);
    if (r < 0)
        return r;
    n <<= shift;
    if (n < min || n > max)
        return -ERANGE;
    *ret = n;
    return 0;
}

/* Each text of a list setting may itself hold several, separated by commas. */
static int parse_list(const struct setting *s, const struct text_list *values, void *field,
                      struct err *err)
{
    size_t n = 0;

    for (size_t i = 0; i < values->len; i++) {
        struct span rest = span_of(values->items[i]), piece;
        while (span_split(&rest, ',', &piece)) {
            piece = span_trim(piece);
            if (n++ >= CONFIG_LIST_MAX)
                return err_set(err, -EINVAL, "too many values");
            const char *wanted = NULL;
            if (s->kind == SETTING_LISTEN && parse_listen(piece, field) < 0)
                wanted = "ADDR:PORT, such as 127.0.0.1:7777, [::1]:7777 or *:7777";
            else if (s->kind == SETTING_CIDRS && parse_cidr(piece, field) < 0)
                wanted = "a network, such as 10.0.0.0/8 or 192.168.1.7";
            else if (s->kind == SETTING_FILES &&
                     (piece.len == 0 || text_list_add(field, piece, CONFIG_LIST_MAX) < 0))
                wanted = "a file";
            if (wanted)
                return bad(err, piece, wanted);
        }
    }
    return 0;
}

static int parse_number(const struct setting *s, struct span text, void *field, struct err *err)
{
    uint64_t n = 0;
    int r;

    if (s->kind == SETTING_SIZE)
        r = config_parse_size(text, s->min, s->max, &n);
    else if (s->kind == SETTING_DURATION)
        r = num_parse_duration(text, s->max, &n);
    else
        r = num_parse(text, s->min, s->max, &n);
    if (r == -ERANGE || (r >= 0 && n < s->min))
        return err_set(err, -EINVAL, "\"" SPAN_FMT "\" is outside %llu to %llu%s", SPAN_ARG(text),
                       (unsigned long long)s->min, (unsigned long long)s->max,
                       s->kind == SETTING_DURATION ? " seconds" : "");
    if (r < 0)
        return bad(err, text,
                   s->kind == SETTING_SIZE       ? "a size, such as 65536, 64KiB or 1MiB"
                   : s->kind == SETTING_DURATION ? "a duration, such as 30s, 5m or 1h"
                                                 : "a number");
    if (s->kind == SETTING_SIZE)
        *(size_t *)field = (size_t)n;
    else if (s->kind == SETTING_DURATION)
        *(usec_t *)field = (usec_t)n * USEC_PER_SEC;
    else
        *(unsigned *)field = (unsigned)n;
    return 0;
}

static int parse_one(const struct setting *s, struct span text, void *field, struct err *err)
{
    enum log_level *level = field;
    enum log_format *format = field;

    switch (s->kind) {
    case SETTING_TEXT:
        if (text.len == 0)
            return err_set(err, -EINVAL, "must not be empty");
        *(char **)field = span_dup(text);
        return 0;
    case SETTING_COUNT:
    case SETTING_SIZE:
    case SETTING_DURATION:
        return parse_number(s, text, field, err);
    case SETTING_SWITCH:
        if (!span_is(text, "true") && !span_is(text, "false"))
            return bad(err, text, "true or false");
        *(bool *)field = span_is(text, "true");
        return 0;
    case SETTING_LOG_LEVEL:
        return log_level_parse(text.p, level) < 0
                   ? bad(err, text, "a level: debug, info, warn or error")
                   : 0;
    case SETTING_LOG_FORMAT:
        if (!span_is(text, "text") && !span_is(text, "json"))
            return bad(err, text, "a format: text or json");
        *format = span_is(text, "json") ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT;
        return 0;
    default:
        return -EINVAL;
    }
}

bool setting_is_list(const struct setting *s)
{
    return s->kind == SETTING_LISTEN || s->kind == SETTING_CIDRS || s->kind == SETTING_FILES;
}

int config_value_parse(const struct setting *s, const struct text_list *values,
                       struct server_config *c, struct err *err)
{
    void *field = (char *)c + s->offset;

    if (setting_is_list(s))
        return parse_list(s, values, field, err);
    if (values->len > 1)
        return err_set(err, -EINVAL, "is given more than once");
    return parse_one(s, span_of(values->items[0]), field, err);
}

int config_check_access_url(char **url, struct err *err)
{
    _cleanup_(buf_deinit) struct buf origin = BUF_INIT(URL_MAX_LEN);
    _cleanup_(url_deinit) struct url u = {0};
    int r = url_parse(span_of(*url), &u, err);

    if (r < 0)
        return err_wrap(err, "--access-url");
    if (u.scheme != URL_HTTP && u.scheme != URL_HTTPS)
        return err_set(err, -EINVAL, "--access-url %s: http or https is needed", *url);
    if (u.query || !str_eq(u.path, "/"))
        return err_set(err, -EINVAL, "--access-url %s: a path is not supported", *url);
    r = url_format_origin(&u, &origin);
    if (r < 0)
        return err_set(err, r, "--access-url %s: too long", *url);
    free(*url);
    *url = xstrdup(buf_cstr(&origin));
    return 0;
}

int config_check_wildcard(const char *pattern, struct err *err)
{
    struct app_pattern p;
    int r = app_pattern_parse(span_of(pattern), &p, err);

    return r < 0 ? err_wrap(err, "--wildcard-access-url") : 0;
}
