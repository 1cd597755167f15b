#include "proto/connect_listen.h"

#include <errno.h>
#include <stdio.h>

#include "base/num.h"
#include "proto/url.h"

static const char listen_path[] = "/listen";
static const char accept_path[] = "/accept";

/* Splits "PATH?QUERY"; -ENOENT when it is another path. */
static int take_query(struct span path, const char *expected, struct span *ret_query)
{
    ptrdiff_t mark = span_find(path, '?');
    if (mark < 0 || !span_is(span_sub(path, 0, (size_t)mark), expected))
        return span_is(path, expected) ? -EINVAL : -ENOENT;
    *ret_query = span_sub(path, (size_t)mark + 1, path.len);
    return 0;
}

int listen_request_format(const struct listen_request *req, struct buf *dst)
{
    struct buf query = BUF_INIT(URL_MAX_LEN);
    int r = form_append(&query, "network", req->path[0] ? SPAN("unix") : SPAN("tcp"));
    if (req->path[0]) {
        r |= form_append(&query, "path", span_of(req->path));
    } else {
        char port[8];
        snprintf(port, sizeof(port), "%u", req->port);
        if (req->bind[0])
            r |= form_append(&query, "bind", span_of(req->bind));
        r |= form_append(&query, "port", span_of(port));
    }
    if (r == 0)
        r = buf_appendf(dst, "%s?%s", listen_path, buf_cstr(&query));
    buf_deinit(&query);
    return r == 0 ? 0 : -ENOBUFS;
}

static bool bind_valid(const char *bind)
{
    enum host_kind kind = host_kind_of(span_of(bind));
    return kind == HOST_IPV4 || kind == HOST_IPV6 || str_eq(bind, "localhost") || str_eq(bind, "*");
}

static int parse_unix(struct span query, struct listen_request *req)
{
    ssize_t n = query_get(query, "path", req->path, sizeof(req->path));
    return n >= 0 && unix_path_valid(span_of(req->path)) ? 0 : -EINVAL;
}

static int parse_tcp(struct span query, struct listen_request *req)
{
    char port[8];
    if (query_get(query, "port", port, sizeof(port)) < 0 ||
        num_parse_port(span_of(port), true, &req->port) < 0)
        return -EINVAL;
    ssize_t n = query_get(query, "bind", req->bind, sizeof(req->bind));
    if (n == -ENOENT)
        return 0;
    return n > 0 && bind_valid(req->bind) ? 0 : -EINVAL;
}

int listen_request_parse(struct span path, struct listen_request *ret)
{
    struct span query;
    struct listen_request req = {.port = 0};
    char network[8];
    int r = take_query(path, listen_path, &query);
    if (r < 0)
        return r;
    if (query_get(query, "network", network, sizeof(network)) < 0)
        return -EINVAL;
    if (str_eq(network, "unix"))
        r = parse_unix(query, &req);
    else
        r = str_eq(network, "tcp") ? parse_tcp(query, &req) : -EINVAL;
    if (r == 0)
        *ret = req;
    return r;
}

int accept_request_format(const struct id *id, struct buf *dst)
{
    char text[ID_TEXT_SIZE];
    return buf_appendf(dst, "%s?id=%s", accept_path, id_format(id, text));
}

int accept_request_parse(struct span path, struct id *ret)
{
    struct span query;
    char text[ID_TEXT_SIZE];
    int r = take_query(path, accept_path, &query);
    if (r < 0)
        return r;
    if (query_get(query, "id", text, sizeof(text)) < 0)
        return -EINVAL;
    return id_parse(span_of(text), ret);
}

int listen_event_format(const struct listen_event *event, struct buf *dst)
{
    char id[ID_TEXT_SIZE];
    switch (event->kind) {
    case LISTEN_BOUND:
        return buf_appendf(dst, "bound %u\n", event->port);
    case LISTEN_ACCEPTED:
        return buf_appendf(dst, "accepted %s %s\n", id_format(&event->id, id),
                           event->originator[0] ? event->originator : "-");
    case LISTEN_WITHDRAWN:
        return buf_appendf(dst, "withdrawn %s\n", id_format(&event->id, id));
    }
    return -EINVAL;
}

static int parse_accepted(struct span rest, struct listen_event *event)
{
    struct span id, originator;
    struct hostport checked;
    if (!span_split(&rest, ' ', &id) || !span_split(&rest, ' ', &originator) || rest.p ||
        id_parse(id, &event->id) < 0)
        return -EPROTO;
    event->kind = LISTEN_ACCEPTED;
    event->originator[0] = '\0';
    if (span_is(originator, "-"))
        return 1;
    if (hostport_parse(originator, 0, &checked) < 0)
        return -EPROTO;
    hostport_format(checked.host, checked.port, event->originator);
    return 1;
}

/* 1: an event; 0: a kind that is not known. */
static int parse_line(struct span line, struct listen_event *event)
{
    struct span kind;
    span_split(&line, ' ', &kind);
    *event = (struct listen_event){.kind = LISTEN_BOUND};
    if (span_is(kind, "bound"))
        return num_parse_port(line, true, &event->port) < 0 ? -EPROTO : 1;
    if (span_is(kind, "accepted"))
        return parse_accepted(line, event);
    if (span_is(kind, "withdrawn")) {
        event->kind = LISTEN_WITHDRAWN;
        return id_parse(line, &event->id) < 0 ? -EPROTO : 1;
    }
    return 0;
}

int listen_event_next(const void *data, size_t len, size_t *ret_used, struct listen_event *ret)
{
    struct span rest = span_from(data, len);
    *ret_used = 0;
    for (;;) {
        ptrdiff_t end = span_find(rest, '\n');
        if ((end < 0 && rest.len >= LISTEN_LINE_MAX) || end >= LISTEN_LINE_MAX)
            return -EPROTO;
        if (end < 0)
            return 0;
        struct listen_event event;
        int r = parse_line(span_sub(rest, 0, (size_t)end), &event);
        if (r < 0)
            return r;
        rest = span_sub(rest, (size_t)end + 1, rest.len);
        *ret_used = len - rest.len;
        if (r == 1) {
            *ret = event;
            return 1;
        }
    }
}
