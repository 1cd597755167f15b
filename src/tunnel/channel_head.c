#include "tunnel/channel_head.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/span.h"
#include "proto/connect_listen.h"
#include "proto/connect_udp.h"
#include "proto/connect_unix.h"
#include "proto/proxy_status.h"

static const char peer_field[] = "adit-peer";
const char channel_ssh_key_field[] = "adit-ssh-key";
const char channel_lane_first_field[] = "adit-lane-first";
static const char agent_authority[] = "agent";
static const char speed_down[] = "/speedtest/down", speed_up[] = "/speedtest/up";

static int write_listen(const struct channel_target *target, struct buf *path)
{
    struct listen_request req = {.port = target->port};
    if (target->path) {
        if (!unix_path_valid(span_of(target->path)))
            return -EINVAL;
        str_copy(req.path, sizeof(req.path), target->path);
    } else if (target->host && !str_copy(req.bind, sizeof(req.bind), target->host)) {
        return -EINVAL;
    }
    return listen_request_format(&req, path);
}

/* The path of an extended CONNECT, and its :protocol. */
static int write_extended(const struct channel_target *target, struct buf *path,
                          const char **ret_protocol)
{
    switch (target->kind) {
    case CHANNEL_UDP:
        *ret_protocol = "connect-udp";
        return connect_udp_format(target->host, target->port, path);
    case CHANNEL_UNIX:
        *ret_protocol = "connect-unix";
        return connect_unix_format(target->path, path);
    case CHANNEL_SSH:
        *ret_protocol = "ssh";
        return buf_append_str(path, "/ssh");
    case CHANNEL_PEER:
        *ret_protocol = "peer";
        return buf_append_str(path, "/peer");
    case CHANNEL_LISTEN:
        *ret_protocol = "listen";
        return write_listen(target, path);
    case CHANNEL_ACCEPT:
        *ret_protocol = "accept";
        return accept_request_format(&target->id, path);
    case CHANNEL_SPEEDTEST:
        *ret_protocol = "speedtest";
        return buf_append_str(path, target->down ? speed_down : speed_up);
    case CHANNEL_TCP:
    case CHANNEL_REQUEST:
        break;
    }
    return -EINVAL;
}

static bool target_complete(const struct channel_target *t)
{
    switch (t->kind) {
    case CHANNEL_TCP:
    case CHANNEL_UDP:
        return t->host && t->port && host_kind_of(span_of(t->host)) != HOST_INVALID;
    case CHANNEL_UNIX:
        return t->path != NULL;
    case CHANNEL_SSH:
        return t->ssh_key != NULL;
    default:
        return true;
    }
}

int channel_head_write(const struct channel_target *target, struct channel_head *ret)
{
    if (!target_complete(target))
        return -EINVAL;
    *ret = (struct channel_head){.head.method = "CONNECT", .head.fields = ret->fields};
    if (target->kind == CHANNEL_TCP) {
        ret->head.authority = hostport_format(target->host, target->port, ret->authority);
        if (target->tls)
            ret->fields[ret->head.n_fields++] = (struct h2_field){"adit-tls", "1"};
        return 0;
    }
    _cleanup_(buf_deinit) struct buf path = BUF_INIT(CHANNEL_PATH_SIZE - 1);
    if (write_extended(target, &path, &ret->head.protocol) < 0)
        return -EINVAL;
    str_copy(ret->path, sizeof(ret->path), buf_cstr(&path));
    ret->head.scheme = "https";
    ret->head.authority = agent_authority;
    ret->head.path = ret->path;
    if (target->kind == CHANNEL_UDP)
        ret->fields[ret->head.n_fields++] = (struct h2_field){"capsule-protocol", "?1"};
    if (target->kind == CHANNEL_PEER)
        ret->fields[ret->head.n_fields++] =
            (struct h2_field){peer_field, id_format(&target->id, ret->id)};
    if (target->kind == CHANNEL_SSH)
        ret->fields[ret->head.n_fields++] =
            (struct h2_field){channel_ssh_key_field, target->ssh_key};
    if (target->kind == CHANNEL_SSH && target->lane_first)
        ret->fields[ret->head.n_fields++] = (struct h2_field){channel_lane_first_field, "1"};
    return 0;
}

static int read_host_port(int result, const struct hostport *hp, struct channel_request_info *ret)
{
    if (result < 0)
        return -EINVAL;
    str_copy(ret->host, sizeof(ret->host), hp->host);
    ret->port = hp->port;
    return 0;
}

static int read_listen(struct span path, struct channel_request_info *ret)
{
    struct listen_request req;
    if (listen_request_parse(path, &req) < 0)
        return -EINVAL;
    str_copy(ret->host, sizeof(ret->host), req.bind);
    str_copy(ret->unix_path, sizeof(ret->unix_path), req.path);
    ret->port = req.port;
    return 0;
}

static int read_peer(const struct h2_head *head, struct channel_request_info *ret)
{
    const char *id = h2_head_get(head, peer_field);
    return id && id_parse(span_of(id), &ret->id) == 0 ? 0 : -EINVAL;
}

static int read_extended(const struct h2_head *head, struct channel_request_info *ret)
{
    struct span path = span_of(head->path);
    struct hostport hp;
    switch (ret->kind) {
    case CHANNEL_UDP:
        return read_host_port(connect_udp_parse(path, &hp), &hp, ret);
    case CHANNEL_UNIX:
        return connect_unix_parse(path, ret->unix_path) < 0 ? -EINVAL : 0;
    case CHANNEL_PEER:
        return read_peer(head, ret);
    case CHANNEL_LISTEN:
        return read_listen(path, ret);
    case CHANNEL_ACCEPT:
        return accept_request_parse(path, &ret->id) < 0 ? -EINVAL : 0;
    case CHANNEL_SPEEDTEST:
        ret->down = span_is(path, speed_down);
        return ret->down || span_is(path, speed_up) ? 0 : -EINVAL;
    default:
        return 0;
    }
}

static const struct {
    const char *protocol;
    enum channel_kind kind;
} protocols[] = {
    {"connect-udp", CHANNEL_UDP},     {"connect-unix", CHANNEL_UNIX}, {"ssh", CHANNEL_SSH},
    {"peer", CHANNEL_PEER},           {"listen", CHANNEL_LISTEN},     {"accept", CHANNEL_ACCEPT},
    {"speedtest", CHANNEL_SPEEDTEST},
};

int channel_head_read(const struct h2_head *head, struct channel_request_info *ret)
{
    struct hostport hp;
    if (!str_eq(head->method, "CONNECT")) {
        ret->kind = CHANNEL_REQUEST;
        return head->path ? 0 : -EINVAL;
    }
    if (!head->protocol) {
        ret->kind = CHANNEL_TCP;
        return read_host_port(hostport_parse(span_of(head->authority), 0, &hp), &hp, ret);
    }
    for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
        if (!str_eq(head->protocol, protocols[i].protocol))
            continue;
        ret->kind = protocols[i].kind;
        return read_extended(head, ret);
    }
    return -EOPNOTSUPP;
}

enum dial_result channel_head_result(const struct h2_head *head, char *reason, size_t reason_size)
{
    struct proxy_status status;
    const char *field = h2_head_get(head, "proxy-status");
    *reason = '\0';
    if (head->status >= 200 && head->status < 300)
        return DIAL_OK;
    if (!field || proxy_status_parse(span_of(field), &status) < 0)
        return proxy_status_from_http((int)head->status);
    str_copy(reason, reason_size, status.details);
    return status.result == DIAL_OK ? DIAL_INTERNAL : status.result;
}

enum dial_result channel_head_failure(const struct stream *channel, int result)
{
    if (result == -EPROTONOSUPPORT)
        return DIAL_UNSUPPORTED;
    if (!h2_of_channel(channel) || result == -ECONNREFUSED)
        return DIAL_UNAVAILABLE;
    return DIAL_CLOSED;
}
