/*
 * A head is collected whole, then read twice: every line is held against the grammar here (line
 * ends, names, no folding, versions), and llhttp parses the same bytes in strict mode. Spans are
 * llhttp's; both readings have to agree on the number of fields. What decides where the message
 * ends (Content-Length, Transfer-Encoding) is decided here alone, from the field list, so that
 * leniencies of any llhttp version never count.
 */
#include "http/h1_head.h"

#include <errno.h>
#include <llhttp/llhttp.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/num.h"
#include "http/headers.h"
#include "proto/header_rule.h"
#include "proto/hostport.h"

/* Finds the end of the line at scan->line. 1: *ret_line without CRLF; 0: more bytes are needed;
 * -EPROTO: it ends in something else. */
static int next_line(struct h1_scan *scan, struct span data, struct span *ret_line)
{
    const char *lf = memchr(data.p + scan->searched, '\n', data.len - scan->searched);
    if (!lf) {
        scan->searched = data.len;
        return 0;
    }
    size_t end = (size_t)(lf - data.p);
    if (end == scan->line || data.p[end - 1] != '\r')
        return -EPROTO;
    *ret_line = span_sub(data, scan->line, end - 1);
    scan->line = scan->searched = end + 1;
    return memchr(ret_line->p, '\r', ret_line->len) ? -EPROTO : 1;
}

static enum h1_scan_result scan_fields(struct h1_scan *scan, struct span data,
                                       const struct h1_limits *limits, size_t *ret_len)
{
    for (;;) {
        struct span line = SPAN_NULL;
        int r = next_line(scan, data, &line);
        if (r < 0)
            return H1_SCAN_BAD;
        size_t end = r == 0 ? data.len : scan->line;
        if (end - scan->fields > limits->header_bytes + 2)
            return H1_SCAN_TOO_LARGE;
        if (r == 0)
            return H1_SCAN_MORE;
        if (line.len == 0) {
            *ret_len = scan->line;
            return H1_SCAN_DONE;
        }
        if (++scan->count > limits->header_count)
            return H1_SCAN_TOO_LARGE;
    }
}

enum h1_scan_result h1_scan(struct h1_scan *scan, struct span data, const struct h1_limits *limits,
                            size_t *ret_len)
{
    if (scan->fields == 0) {
        struct span line = SPAN_NULL;
        if (data.len == 0)
            return H1_SCAN_MORE;
        /* TLS, or anything else that is not HTTP, is told so at its first byte. */
        if (!header_token_valid(span_sub(data, 0, 1)))
            return H1_SCAN_BAD;
        int r = next_line(scan, data, &line);
        if (r < 0)
            return H1_SCAN_BAD;
        if ((r == 0 ? data.len : scan->line) > limits->first_line + 2)
            return H1_SCAN_LONG_LINE;
        if (r == 0)
            return H1_SCAN_MORE;
        scan->fields = scan->line;
    }
    return scan_fields(scan, data, limits, ret_len);
}

enum h1_scan_result h1_scan_trailers(struct h1_scan *scan, struct span data,
                                     const struct h1_limits *limits, size_t *ret_len)
{
    return scan_fields(scan, data, limits, ret_len);
}

/* Takes the line before the next CRLF from the front of *rest. The section has been scanned. */
static struct span take_line(struct span *rest)
{
    ptrdiff_t cr = span_find(*rest, '\r');
    size_t len = cr < 0 ? rest->len : (size_t)cr;
    struct span line = span_sub(*rest, 0, len);
    *rest = span_sub(*rest, len + 2, rest->len);
    return line;
}

/* `name: value` with nothing before the name or the colon (RFC 9112 section 5.1). */
static int split_field(struct span line, struct span *ret_name, struct span *ret_value)
{
    ptrdiff_t colon = span_find(line, ':');
    if (colon <= 0)
        return -EPROTO;
    *ret_name = span_sub(line, 0, (size_t)colon);
    *ret_value = span_trim(span_sub(line, (size_t)colon + 1, line.len));
    return header_token_valid(*ret_name) && header_value_valid(*ret_value) ? 0 : -EPROTO;
}

static int check_fields(struct span section, size_t *ret_count)
{
    *ret_count = 0;
    while (section.len > 0) {
        struct span name, value, line = take_line(&section);
        if (line.len == 0)
            return section.len == 0 ? 0 : -EPROTO;
        if (split_field(line, &name, &value) < 0)
            return -EPROTO;
        ++*ret_count;
    }
    return -EPROTO;
}

/* What llhttp's callbacks collect. */
struct parse {
    struct h1_head *head;
    struct headers *headers;
    struct span url, method, reason;
    struct span name, value;
    bool complete;
    int error;
};

/* A piece of a token; pieces of one token lie side by side. */
static int extend(struct span *token, const char *at, size_t len)
{
    if (token->p && token->p + token->len != at)
        return HPE_USER;
    if (!token->p)
        token->p = at;
    token->len += len;
    return 0;
}

static int on_method(llhttp_t *p, const char *at, size_t len)
{
    return extend(&((struct parse *)p->data)->method, at, len);
}

static int on_url(llhttp_t *p, const char *at, size_t len)
{
    return extend(&((struct parse *)p->data)->url, at, len);
}

static int on_status(llhttp_t *p, const char *at, size_t len)
{
    return extend(&((struct parse *)p->data)->reason, at, len);
}

static int on_name(llhttp_t *p, const char *at, size_t len)
{
    return extend(&((struct parse *)p->data)->name, at, len);
}

static int on_value(llhttp_t *p, const char *at, size_t len)
{
    return extend(&((struct parse *)p->data)->value, at, len);
}

static int on_field_complete(llhttp_t *p)
{
    struct parse *parse = p->data;
    struct span value = parse->value.p ? parse->value : SPAN("");
    parse->error = headers_add_borrowed(parse->headers, parse->name, value);
    parse->name = parse->value = SPAN_NULL;
    return parse->error < 0 ? HPE_USER : 0;
}

static int on_headers_complete(llhttp_t *p)
{
    ((struct parse *)p->data)->complete = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_method = on_method,
    .on_url = on_url,
    .on_status = on_status,
    .on_header_field = on_name,
    .on_header_value = on_value,
    .on_header_value_complete = on_field_complete,
    .on_headers_complete = on_headers_complete,
};

/* 0; -ENOBUFS: too many or too large fields; -ENOTSUP: an unknown method; -EPROTO. */
static int run_llhttp(llhttp_type_t type, struct span head, struct parse *parse)
{
    llhttp_t parser;
    llhttp_init(&parser, type, &settings);
    parser.data = parse;
    int r = (int)llhttp_execute(&parser, head.p, head.len);
    if (parse->error == -ENOBUFS)
        return -ENOBUFS;
    if (r == HPE_INVALID_METHOD)
        return -ENOTSUP;
    if (r != HPE_PAUSED || !parse->complete || parse->error)
        return -EPROTO;
    parse->head->status = parser.status_code;
    return 0;
}

static bool is_hop_upgrade(const struct headers *h)
{
    return headers_has_token(h, "Connection", "upgrade") && headers_has(h, "Upgrade");
}

static bool keeps_alive(unsigned minor, const struct headers *h)
{
    if (headers_has_token(h, "Connection", "close"))
        return false;
    return minor >= 1 || headers_has_token(h, "Connection", "keep-alive");
}

/*
 * RFC 9112 section 6.3, without its allowances: a length comes once and alone, and the only
 * transfer coding is one `chunked`, which HTTP/1.0 does not have.
 */
static int find_framing(struct h1_head *head, const struct headers *h)
{
    size_t lengths = headers_count(h, "Content-Length");
    size_t codings = headers_count(h, "Transfer-Encoding");

    head->content_length = -1;
    head->framing = H1_NO_BODY;
    if (lengths + codings > 1)
        return -EPROTO;
    if (lengths == 1) {
        uint64_t n;
        if (num_parse(headers_get(h, "Content-Length"), 0, INT64_MAX, &n) < 0)
            return -EPROTO;
        head->content_length = (int64_t)n;
        head->framing = n > 0 ? H1_LENGTH : H1_NO_BODY;
    }
    if (codings == 1) {
        if (head->minor == 0 || !span_iis(headers_get(h, "Transfer-Encoding"), "chunked"))
            return -EPROTO;
        head->framing = H1_CHUNKED;
    }
    return 0;
}

static int finish(struct span head, struct h1_head *ret, const struct headers *headers)
{
    size_t count;
    struct span section = head;
    take_line(&section);
    if (check_fields(section, &count) < 0 || count != headers->len)
        return -EPROTO;
    ret->keep_alive = keeps_alive(ret->minor, headers);
    ret->upgrade = is_hop_upgrade(headers);
    return find_framing(ret, headers);
}

/* "HTTP/1.0" or "HTTP/1.1". 0; -EPROTO; 505: a version of HTTP, but not one of these. */
static int parse_version(struct span text, unsigned *ret_minor)
{
    if (text.len != 8 || !span_starts(text, "HTTP/") || text.p[6] != '.')
        return -EPROTO;
    if (text.p[5] < '0' || text.p[5] > '9' || text.p[7] < '0' || text.p[7] > '9')
        return -EPROTO;
    if (text.p[5] != '1' || text.p[7] > '1')
        return 505;
    *ret_minor = (unsigned)(text.p[7] - '0');
    return 0;
}

/* Visible ASCII without '#', which is never sent (RFC 9112 section 3.2). */
static bool target_valid(struct span target)
{
    for (size_t i = 0; i < target.len; i++)
        if (target.p[i] <= ' ' || target.p[i] >= 0x7f || target.p[i] == '#')
            return false;
    return target.len > 0;
}

/* `method SP target SP version`. 0, 400 or 505. */
static unsigned check_request_line(struct span line, struct h1_head *ret)
{
    struct span rest = line, version;
    span_split(&rest, ' ', &ret->method);
    if (!span_split(&rest, ' ', &ret->target) || !span_split(&rest, ' ', &version) ||
        version.p + version.len != line.p + line.len)
        return 400;
    if (!header_token_valid(ret->method) || !target_valid(ret->target))
        return 400;
    int r = parse_version(version, &ret->minor);
    return r < 0 ? 400 : (unsigned)r;
}

unsigned h1_parse_request(struct span head, struct h1_head *ret, struct headers *headers)
{
    struct parse parse = {.head = ret, .headers = headers};
    struct span rest = head;

    *ret = (struct h1_head){.content_length = -1};
    unsigned status = check_request_line(take_line(&rest), ret);
    if (status != 0)
        return status;
    int r = run_llhttp(HTTP_REQUEST, head, &parse);
    if (r == -ENOBUFS)
        return 431;
    if (r == -ENOTSUP)
        return 501;
    if (r < 0 || !span_eq(parse.method, ret->method) || !span_eq(parse.url, ret->target))
        return 400;
    return finish(head, ret, headers) < 0 ? 400 : 0;
}

/* `version SP 3digits [SP reason]` (RFC 9112 section 4). */
static int check_status_line(struct span line, struct h1_head *ret)
{
    if (parse_version(span_sub(line, 0, 8), &ret->minor) != 0)
        return -EPROTO;
    if (line.len < 12 || line.p[8] != ' ' || (line.len > 12 && line.p[12] != ' '))
        return -EPROTO;
    uint64_t status;
    if (num_parse(span_sub(line, 9, 12), 100, 999, &status) < 0)
        return -EPROTO;
    ret->status = (unsigned)status;
    ret->reason = span_trim(span_sub(line, 13, line.len));
    return header_value_valid(ret->reason) ? 0 : -EPROTO;
}

/* RFC 9110 section 6.4.1 and RFC 9112 section 6.3. */
static void frame_response(struct h1_head *head, struct span method)
{
    bool tunnel = head->status == 101 || (span_is(method, "CONNECT") && head->status / 100 == 2);
    if (span_is(method, "HEAD") || head->status / 100 == 1 || head->status == 204 ||
        head->status == 304 || tunnel)
        head->framing = H1_NO_BODY;
    else if (head->framing == H1_NO_BODY && head->content_length < 0)
        head->framing = H1_UNTIL_EOF;
    if (head->framing == H1_UNTIL_EOF)
        head->keep_alive = false;
}

int h1_parse_response(struct span head, struct span method, struct h1_head *ret,
                      struct headers *headers)
{
    struct parse parse = {.head = ret, .headers = headers};
    struct span rest = head;

    *ret = (struct h1_head){.content_length = -1};
    if (check_status_line(take_line(&rest), ret) < 0)
        return -EPROTO;
    unsigned status = ret->status;
    if (run_llhttp(HTTP_RESPONSE, head, &parse) < 0 || ret->status != status ||
        finish(head, ret, headers) < 0)
        return -EPROTO;
    frame_response(ret, method);
    return 0;
}

int h1_parse_trailers(struct span section, struct headers *trailers)
{
    static const char *const refused[] = {"Content-Length", "Transfer-Encoding", "Host",
                                          "Connection",     "Upgrade",           "Trailer"};
    size_t count;
    if (check_fields(section, &count) < 0)
        return -EPROTO;
    while (count-- > 0) {
        struct span name, value;
        if (split_field(take_line(&section), &name, &value) < 0 ||
            headers_add_span(trailers, name, value) < 0)
            return -EPROTO;
    }
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        if (headers_has(trailers, refused[i]))
            return -EPROTO;
    return 0;
}

static void split_path(struct span text, struct h1_target *ret)
{
    ptrdiff_t question = span_find(text, '?');
    ret->path = question < 0 ? text : span_sub(text, 0, (size_t)question);
    if (question >= 0)
        ret->query = span_sub(text, (size_t)question + 1, text.len);
}

static bool same_authority(struct span a, struct span b, uint16_t default_port)
{
    struct hostport x, y;
    return hostport_parse(a, default_port, &x) == 0 && hostport_parse(b, default_port, &y) == 0 &&
           strcmp(x.host, y.host) == 0 && x.port == y.port;
}

static bool starts_without_case(struct span text, const char *prefix)
{
    size_t len = strlen(prefix);
    return text.len > len && span_iis(span_sub(text, 0, len), prefix);
}

/* `http://host[:port][/path][?query]` (RFC 9112 section 3.2.2). */
static unsigned parse_absolute(struct span target, struct h1_target *ret)
{
    bool tls = starts_without_case(target, "https://");
    if (!tls && !starts_without_case(target, "http://"))
        return 400;
    struct span rest = span_sub(target, tls ? 8 : 7, target.len);
    size_t end = 0;
    while (end < rest.len && rest.p[end] != '/' && rest.p[end] != '?')
        end++;
    if (!same_authority(span_sub(rest, 0, end), ret->authority, tls ? 443 : 80))
        return 400;
    split_path(span_sub(rest, end, rest.len), ret);
    if (ret->path.len == 0)
        ret->path = SPAN("/");
    return 0;
}

unsigned h1_parse_target(const struct h1_head *head, const struct headers *headers,
                         struct h1_target *ret)
{
    struct hostport host;
    size_t hosts = headers_count(headers, "Host");

    *ret = (struct h1_target){.path = SPAN(""), .authority = SPAN("")};
    if (hosts > 1 || (hosts == 0 && head->minor >= 1))
        return 400;
    if (hosts == 1) {
        ret->authority = headers_get(headers, "Host");
        if (hostport_parse(ret->authority, 80, &host) < 0)
            return 400;
    }
    if (span_is(head->method, "CONNECT")) {
        ret->authority = head->target;
        return hostport_parse(head->target, 0, &host) < 0 ? 400 : 0;
    }
    if (head->target.p[0] == '/') {
        split_path(head->target, ret);
        return 0;
    }
    if (span_is(head->target, "*"))
        return span_is(head->method, "OPTIONS") ? 0 : 400;
    return parse_absolute(head->target, ret);
}
