#include "proto/proxy_status.h"

#include <errno.h>

#include "base/cleanup.h"

/*
 * Error types of RFC 9209 section 2.3; the last four are our own, because the registered ones do
 * not tell why a listener could not be opened. Several types may stand for one result: the first
 * is the one that is sent.
 */
static const struct {
    const char *type;
    enum dial_result result;
} types[] = {
    {"connection_refused", DIAL_REFUSED},
    {"connection_timeout", DIAL_TIMEOUT},
    {"connection_read_timeout", DIAL_TIMEOUT},
    {"connection_write_timeout", DIAL_TIMEOUT},
    {"dns_error", DIAL_NAME_NOT_FOUND}, /* rcode tells it from DIAL_NAME_FAILED */
    {"dns_timeout", DIAL_NAME_FAILED},
    {"destination_ip_unroutable", DIAL_UNREACHABLE},
    {"destination_not_found", DIAL_NOT_FOUND},
    {"http_request_denied", DIAL_FORBIDDEN},
    {"destination_ip_prohibited", DIAL_FORBIDDEN},
    {"connection_limit_reached", DIAL_LIMIT},
    {"connection_terminated", DIAL_CLOSED},
    {"destination_unavailable", DIAL_UNAVAILABLE},
    {"tls_protocol_error", DIAL_TLS_FAILED},
    {"tls_certificate_error", DIAL_TLS_FAILED},
    {"tls_alert_received", DIAL_TLS_FAILED},
    {"proxy_internal_error", DIAL_INTERNAL},
    {"proxy_configuration_error", DIAL_INTERNAL},
    {"channel_unsupported", DIAL_UNSUPPORTED},
    {"listen_address_in_use", DIAL_ADDRESS_IN_USE},
    {"listen_address_not_here", DIAL_ADDRESS_NOT_HERE},
    {"system_not_permitted", DIAL_NOT_PERMITTED},
};

static const char *type_of(enum dial_result result)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (types[i].result == result)
            return types[i].type;
    return "proxy_internal_error";
}

/* A quoted string (RFC 8941 section 3.3.3). */
static int append_string(struct buf *dst, const char *text)
{
    int r = buf_append_byte(dst, '"');
    for (size_t i = 0; i < PROXY_STATUS_DETAILS_SIZE - 1 && text[i]; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\')
            r |= buf_append_byte(dst, '\\');
        r |= buf_append_byte(dst, c < ' ' || c >= 0x7f ? '?' : c);
    }
    return r | buf_append_byte(dst, '"');
}

int proxy_status_format(enum dial_result result, const char *details, struct buf *dst)
{
    size_t before = dst->len;
    bool name_failed = result == DIAL_NAME_FAILED;
    int r = buf_appendf(dst, "adit; error=%s", name_failed ? "dns_error" : type_of(result));
    if (name_failed || result == DIAL_NAME_NOT_FOUND)
        r |= buf_append_str(dst, name_failed ? "; rcode=\"SERVFAIL\"" : "; rcode=\"NXDOMAIN\"");
    if (details && details[0]) {
        r |= buf_append_str(dst, "; details=");
        r |= append_string(dst, details);
    }
    if (r != 0) {
        dst->len = before;
        return -ENOBUFS;
    }
    return 0;
}

/* A parser of RFC 8941 items: what is left, and whether something was wrong. */
struct parser {
    struct span rest;
    bool failed;
};

static char peek(const struct parser *p)
{
    return p->rest.len ? p->rest.p[0] : '\0';
}

static void advance(struct parser *p, size_t n)
{
    p->rest = span_sub(p->rest, n, p->rest.len);
}

static void skip_space(struct parser *p, bool tabs)
{
    while (peek(p) == ' ' || (tabs && peek(p) == '\t'))
        advance(p, 1);
}

/* Reads a string into `dst`, cut to fit. */
static void read_string(struct parser *p, char *dst, size_t size)
{
    size_t n = 0;
    for (advance(p, 1); peek(p) != '"'; advance(p, 1)) {
        if (peek(p) == '\\')
            advance(p, 1);
        unsigned char c = (unsigned char)peek(p);
        if (c < ' ' || c >= 0x7f) {
            p->failed = true;
            return;
        }
        if (n + 1 < size)
            dst[n++] = (char)c;
    }
    advance(p, 1);
    dst[n] = '\0';
}

/* Tokens, numbers, booleans and byte sequences: all that ends at a delimiter. */
static void read_word(struct parser *p, char *dst, size_t size)
{
    size_t n = 0;
    while (n < p->rest.len && (unsigned char)p->rest.p[n] > ' ' &&
           (unsigned char)p->rest.p[n] < 0x7f && span_find(SPAN(",;\"()"), p->rest.p[n]) < 0)
        n++;
    p->failed |= n == 0;
    str_copy_span(dst, size, span_sub(p->rest, 0, n));
    advance(p, n);
}

static void read_item(struct parser *p, char *dst, size_t size)
{
    dst[0] = '\0';
    if (peek(p) == '"')
        read_string(p, dst, size);
    else
        read_word(p, dst, size);
}

/* The name of a parameter ends at its "=". */
static void read_key(struct parser *p, char *dst, size_t size)
{
    size_t n = 0;
    while (n < p->rest.len && ((p->rest.p[n] >= 'a' && p->rest.p[n] <= 'z') ||
                               (p->rest.p[n] >= '0' && p->rest.p[n] <= '9') ||
                               (p->rest.p[n] && span_find(SPAN("_-.*"), p->rest.p[n]) >= 0)))
        n++;
    p->failed |= n == 0;
    str_copy_span(dst, size, span_sub(p->rest, 0, n));
    advance(p, n);
}

struct member {
    char error[64];
    char rcode[32];
    char details[PROXY_STATUS_DETAILS_SIZE];
};

static void read_parameter(struct parser *p, struct member *m)
{
    char key[32], value[PROXY_STATUS_DETAILS_SIZE] = "";
    advance(p, 1);
    skip_space(p, false);
    read_key(p, key, sizeof(key));
    if (peek(p) == '=') {
        advance(p, 1);
        read_item(p, value, sizeof(value));
    }
    if (str_eq(key, "error"))
        str_copy(m->error, sizeof(m->error), value);
    else if (str_eq(key, "rcode"))
        str_copy(m->rcode, sizeof(m->rcode), value);
    else if (str_eq(key, "details"))
        str_copy(m->details, sizeof(m->details), value);
}

static void read_member(struct parser *p, struct member *m)
{
    char name[64];
    *m = (struct member){0};
    read_item(p, name, sizeof(name));
    for (;;) {
        skip_space(p, true);
        if (p->failed || peek(p) != ';')
            return;
        read_parameter(p, m);
    }
}

static enum dial_result result_of(const struct member *m)
{
    if (str_eq(m->error, "dns_error"))
        return str_eq(m->rcode, "NXDOMAIN") || !m->rcode[0] ? DIAL_NAME_NOT_FOUND
                                                            : DIAL_NAME_FAILED;
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (str_eq(m->error, types[i].type))
            return types[i].result;
    return DIAL_INTERNAL;
}

int proxy_status_parse(struct span value, struct proxy_status *ret)
{
    struct parser p = {.rest = span_trim(value)};
    struct proxy_status status = {0};
    bool found = false;
    do {
        struct member m;
        skip_space(&p, true);
        read_member(&p, &m);
        if (!p.failed && m.error[0] && !found) {
            found = true;
            status.result = result_of(&m);
            str_copy(status.details, sizeof(status.details), m.details);
        }
        if (p.failed || p.rest.len == 0)
            break;
        p.failed = peek(&p) != ',';
        advance(&p, 1);
    } while (!p.failed);
    if (p.failed)
        return -EINVAL;
    if (!found)
        return -ENOENT;
    *ret = status;
    return 0;
}

enum dial_result proxy_status_from_http(int status)
{
    switch (status) {
    case 401:
    case 403:
        return DIAL_FORBIDDEN;
    case 404:
    case 405:
    case 501:
        return DIAL_UNSUPPORTED;
    case 409:
        return DIAL_ADDRESS_IN_USE;
    case 429:
        return DIAL_LIMIT;
    case 502:
        return DIAL_REFUSED;
    case 503:
        return DIAL_UNAVAILABLE;
    case 504:
        return DIAL_TIMEOUT;
    default:
        return status >= 200 && status < 300 ? DIAL_OK : DIAL_INTERNAL;
    }
}
