/*
 * The head is looked at only once it is whole: until then each call searches the new bytes for its
 * end, so that a slow sender costs no more than a fast one.
 */
#include "proto/http_connect.h"

#include <errno.h>
#include <string.h>

#include "proto/header_rule.h"
#include "proto/hostport.h"
#include "proto/proxy_status.h"
#include "proto/url.h"

struct request_line {
    struct span method, target, version;
};

void http_connect_init(struct http_connect *h)
{
    *h = (struct http_connect){.status = 400};
}

static int refuse(struct http_connect *h, int status)
{
    h->status = status;
    return -EPROTO;
}

/* Length of the head with its empty line; 0: not all of it is there. */
static size_t find_head_end(struct http_connect *h, struct span data)
{
    static const char end[] = "\r\n\r\n";
    size_t overlap = sizeof(end) - 2;
    size_t from = h->scanned > overlap ? h->scanned - overlap : 0;
    ptrdiff_t at = span_find_str(span_sub(data, from, data.len), end);
    h->scanned = data.len;
    return at < 0 ? 0 : from + (size_t)at + sizeof(end) - 1;
}

/* The line before the next CRLF. False at the end, and for a CR or LF by itself. */
static bool next_line(struct span *rest, struct span *ret_line)
{
    ptrdiff_t end = span_find_str(*rest, "\r\n");
    if (end < 0)
        return false;
    *ret_line = span_sub(*rest, 0, (size_t)end);
    *rest = span_sub(*rest, (size_t)end + 2, rest->len);
    return span_find(*ret_line, '\r') < 0 && span_find(*ret_line, '\n') < 0;
}

static int parse_request_line(struct http_connect *h, struct span line, struct request_line *ret)
{
    if (!span_split(&line, ' ', &ret->method) || !span_split(&line, ' ', &ret->target) || !line.p ||
        !header_token_valid(ret->method))
        return refuse(h, 400);
    ret->version = line;
    if (span_is(line, "HTTP/1.1") || span_is(line, "HTTP/1.0"))
        return 0;
    return refuse(h, span_starts(line, "HTTP/") && span_find(line, ' ') < 0 ? 505 : 400);
}

/* A field line (RFC 9112 section 5); no space before the colon, no folding. */
static bool parse_field(struct span line, struct span *ret_name, struct span *ret_value)
{
    ptrdiff_t colon = span_find(line, ':');
    if (colon < 0)
        return false;
    *ret_name = span_sub(line, 0, (size_t)colon);
    *ret_value = span_trim(span_sub(line, (size_t)colon + 1, line.len));
    return header_token_valid(*ret_name) && header_value_valid(*ret_value);
}

/* Checks all fields; collects what Connection names in `ret_connection`. */
static int check_fields(struct http_connect *h, struct span fields, struct buf *ret_connection)
{
    struct span line, name, value;
    while (next_line(&fields, &line) && line.len) {
        if (!parse_field(line, &name, &value))
            return refuse(h, 400);
        if (!span_iis(name, "connection"))
            continue;
        buf_append_byte(ret_connection, ',');
        if (buf_append(ret_connection, value.p, value.len) < 0)
            return refuse(h, 431);
    }
    return fields.len ? refuse(h, 400) : 0;
}

/*
 * The body passes as it came, so that the fields which frame it stay. Host is written anew from
 * the target (RFC 9112 section 3.2.2).
 */
static bool is_dropped(struct span name, struct span connection)
{
    char text[64];
    if (span_iis(name, "host"))
        return true;
    if (span_iis(name, "transfer-encoding") || span_iis(name, "content-length") ||
        span_iis(name, "trailer"))
        return false;
    if (header_is_hop_by_hop(name))
        return true;
    return str_copy_span(text, sizeof(text), name) && header_list_has(connection, text);
}

static int append_fields(struct span fields, struct span connection, struct buf *head)
{
    struct span line, name, value;
    int r = 0;
    while (next_line(&fields, &line) && line.len) {
        if (!parse_field(line, &name, &value) || is_dropped(name, connection))
            continue;
        r |= buf_append(head, name.p, name.len);
        r |= buf_append_str(head, ": ");
        r |= buf_append(head, value.p, value.len);
        r |= buf_append_str(head, "\r\n");
    }
    return r | buf_append_str(head, "Connection: close\r\n\r\n");
}

static int write_head(const struct request_line *line, const struct url *url, struct span fields,
                      struct span connection, struct buf *head)
{
    size_t before = head->len;
    int r = buf_append(head, line->method.p, line->method.len);
    r |= buf_appendf(head, " %s", url->path);
    if (url->query)
        r |= buf_appendf(head, "?%s", url->query);
    r |= buf_append_byte(head, ' ');
    r |= buf_append(head, line->version.p, line->version.len);
    r |= buf_append_str(head, "\r\nHost: ");
    r |= url_format_authority(url, head);
    r |= buf_append_str(head, "\r\n");
    r |= append_fields(fields, connection, head);
    if (r != 0) {
        head->len = before;
        return -ENOBUFS;
    }
    return 0;
}

static int read_absolute(struct http_connect *h, const struct request_line *line,
                         struct span fields, struct span connection, struct buf *head)
{
    struct url url;
    if (span_is(line->method, "TRACE"))
        return refuse(h, 405);
    if (url_parse(line->target, &url, NULL) < 0)
        return refuse(h, 400);
    int r =
        url.scheme == URL_HTTP ? write_head(line, &url, fields, connection, head) : refuse(h, 400);
    str_copy(h->host, sizeof(h->host), url.host);
    h->port = url.port;
    url_deinit(&url);
    return r;
}

static int read_request(struct http_connect *h, struct span whole, struct buf *head)
{
    struct span first;
    struct request_line line;
    if (!next_line(&whole, &first))
        return refuse(h, 400);
    struct buf connection = BUF_INIT(HTTP_CONNECT_HEAD_MAX);
    int r = parse_request_line(h, first, &line);
    if (r == 0)
        r = check_fields(h, whole, &connection);
    if (r == 0 && span_is(line.method, "CONNECT")) {
        struct hostport target;
        h->tunnel = true;
        r = hostport_parse(line.target, 0, &target) < 0 ? refuse(h, 400) : 0;
        if (r == 0) {
            str_copy(h->host, sizeof(h->host), target.host);
            h->port = target.port;
        }
    } else if (r == 0) {
        struct span names = span_from(buf_data(&connection), connection.len);
        r = read_absolute(h, &line, whole, names, head);
    }
    buf_deinit(&connection);
    return r;
}

int http_connect_feed(struct http_connect *h, const void *data, size_t len, size_t *ret_used,
                      struct buf *head)
{
    struct span input = span_from(data, len < HTTP_CONNECT_HEAD_MAX ? len : HTTP_CONNECT_HEAD_MAX);
    *ret_used = 0;
    size_t head_len = find_head_end(h, input);
    if (head_len == 0)
        return len >= HTTP_CONNECT_HEAD_MAX ? refuse(h, 431) : 0;
    int r = read_request(h, span_sub(input, 0, head_len), head);
    if (r < 0)
        return r;
    *ret_used = head_len;
    return 1;
}

static const char *reason_phrase(int status)
{
    switch (status) {
    case 400:
        return "Bad Request";
    case 403:
        return "Forbidden";
    case 405:
        return "Method Not Allowed";
    case 409:
        return "Conflict";
    case 431:
        return "Request Header Fields Too Large";
    case 501:
        return "Not Implemented";
    case 502:
        return "Bad Gateway";
    case 503:
        return "Service Unavailable";
    case 504:
        return "Gateway Timeout";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return "Internal Server Error";
    }
}

static int append_answer(struct buf *reply, int status, const char *extra, const char *text)
{
    return buf_appendf(reply,
                       "HTTP/1.1 %d %s\r\n%sContent-Type: text/plain; charset=utf-8\r\n"
                       "Content-Length: %zu\r\nConnection: close\r\n\r\n%s\n",
                       status, reason_phrase(status), extra, strlen(text) + 1, text);
}

int http_connect_reply(const struct http_connect *h, enum dial_result result, const char *details,
                       struct buf *reply)
{
    if (result == DIAL_OK)
        return h->tunnel ? buf_append_str(reply, "HTTP/1.1 200 Connection established\r\n\r\n") : 0;
    struct buf field = BUF_INIT(1024);
    buf_append_str(&field, "Proxy-Status: ");
    proxy_status_format(result, details, &field);
    buf_append_str(&field, "\r\n");
    char text[256], target[HOSTPORT_SIZE];
    hostport_format(h->host, h->port, target);
    snprintf(text, sizeof(text), "adit: %.*s: %s", 160, target, dial_result_text(result));
    int r = append_answer(reply, dial_result_status(result), buf_cstr(&field), text);
    buf_deinit(&field);
    return r;
}

int http_connect_refuse(const struct http_connect *h, struct buf *reply)
{
    const char *extra = h->status == 405 ? "Allow: CONNECT, GET, HEAD, POST, PUT, DELETE\r\n" : "";
    return append_answer(reply, h->status, extra,
                         "adit: this is a proxy for CONNECT and http:// requests");
}
