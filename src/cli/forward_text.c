#include "cli/forward_text.h"

#include <stdio.h>

#include "base/span.h"
#include "cli/text.h"
#include "proto/hostport.h"

static json_t *port_or_path(const char *path, bool has_port, uint16_t port)
{
    if (path)
        return json_string(path);
    return has_port ? json_integer(port) : json_null();
}

static bool is_dynamic(const struct forward *fw)
{
    return fw->kind == FORWARD_DYNAMIC || fw->kind == FORWARD_REMOTE_DYNAMIC;
}

static bool is_remote(const struct forward *fw)
{
    return fw->kind == FORWARD_REMOTE || fw->kind == FORWARD_REMOTE_DYNAMIC;
}

json_t *forward_text_json(const struct forward *fw)
{
    bool has_target_port = !is_dynamic(fw) && !fw->remote_path;
    return json_pack("{s:s, s:s?, s:o, s:s?, s:o}", "network", forward_network_name(fw->network),
                     "bind", fw->bind, "local", port_or_path(fw->local_path, true, fw->local_port),
                     "host", fw->host, "remote",
                     port_or_path(fw->remote_path, has_target_port, fw->remote_port));
}

static void listener_text(const struct forward *fw, char *dst, size_t size)
{
    char text[HOSTPORT_SIZE];
    if (fw->local_path)
        str_copy(dst, size, fw->local_path);
    else if (fw->local_port == 0)
        snprintf(dst, size, "%s:(any port)", fw->bind ? fw->bind : "localhost");
    else
        str_copy(dst, size,
                 hostport_format(fw->bind ? fw->bind : "localhost", fw->local_port, text));
}

static void target_text(const struct forward *fw, char *dst, size_t size)
{
    char text[HOSTPORT_SIZE];
    if (fw->remote_path)
        str_copy(dst, size, fw->remote_path);
    else if (fw->host)
        str_copy(dst, size, hostport_format(fw->host, fw->remote_port, text));
    else
        str_copy(dst, size, "any target (SOCKS, HTTP proxy)");
}

char *forward_text_line(const struct forward *fw, const char *address,
                        char dst[static FORWARD_TEXT_SIZE])
{
    char listener[320], target[320];
    if (address && *address)
        str_copy(listener, sizeof(listener), address);
    else
        listener_text(fw, listener, sizeof(listener));
    target_text(fw, target, sizeof(target));
    const char *udp = fw->network == FORWARD_NET_UDP ? " (UDP)" : "";
    if (is_remote(fw))
        snprintf(dst, FORWARD_TEXT_SIZE, "workspace %s -> here %s", listener, target);
    else
        snprintf(dst, FORWARD_TEXT_SIZE, "%s -> %s%s", listener, target, udp);
    return dst;
}

/* ---- events ---- */

static const char *const event_names[] = {
    [FORWARD_OPENED] = "listening",
    [FORWARD_AWAY] = "listener_away",
    [FORWARD_FAILED] = "listener_failed",
    [FORWARD_ACCEPTED] = "connection_opened",
    [FORWARD_LANE] = "lane",
    [FORWARD_CLOSED] = "connection_closed",
    [FORWARD_REFUSED] = "connection_refused",
    [FORWARD_UNREACHED] = "connection_failed",
    [FORWARD_WARNING] = "warning",
};

json_t *forward_text_named_event(const char *name, usec_t now)
{
    char when[CLOCK_TEXT_LEN];
    return json_pack("{s:s, s:s}", "time", clock_format(now, when), "event", name);
}

static void add_text(json_t *object, const char *name, const char *text)
{
    if (text && *text)
        json_object_set_new(object, name, json_string(text));
}

static void add_opened(json_t *object, const struct forward_event *e)
{
    json_t *forward = forward_text_json(e->forward);
    json_object_update(object, forward);
    json_decref(forward);
    json_object_set_new(object, "kind", json_string(forward_kind_name(e->forward->kind)));
    add_text(object, "address", e->address);
    if (!e->forward->local_path)
        json_object_set_new(object, "port", json_integer(e->port));
    json_object_set_new(object, "moved", json_boolean(e->moved));
    json_object_set_new(object, "again", json_boolean(e->again));
}

static void add_closed(json_t *object, const struct forward_event *e)
{
    json_object_set_new(object, "received", json_integer((json_int_t)e->received));
    json_object_set_new(object, "sent", json_integer((json_int_t)e->sent));
    json_object_set_new(object, "duration_ms", json_integer(e->duration / USEC_PER_MSEC));
}

json_t *forward_text_event_json(const struct forward_event *e, usec_t now)
{
    json_t *object = forward_text_named_event(event_names[e->kind], now);
    json_object_set_new(object, "forward", json_integer((json_int_t)e->index));
    if (e->kind == FORWARD_OPENED)
        add_opened(object, e);
    if (e->connection)
        json_object_set_new(object, "connection", json_integer((json_int_t)e->connection));
    add_text(object, "peer", e->peer);
    add_text(object, "target", e->target);
    add_text(object, "user", e->user);
    if (e->kind == FORWARD_CLOSED)
        add_closed(object, e);
    if (e->kind == FORWARD_FAILED)
        json_object_set_new(object, "retrying", json_boolean(e->retrying));
    if (e->result != DIAL_OK)
        add_text(object, "result", dial_result_name(e->result));
    add_text(object, e->kind == FORWARD_WARNING ? "message" : "reason", e->text);
    return object;
}

static char *opened_line(const struct forward_event *e, char dst[static EVENT_TEXT_SIZE])
{
    char line[FORWARD_TEXT_SIZE], note[64] = "";
    if (e->moved && e->again)
        snprintf(note, sizeof(note), " (the port before was not to be had)");
    else if (e->moved)
        snprintf(note, sizeof(note), " (instead of port %u)", e->forward->local_port);
    snprintf(dst, EVENT_TEXT_SIZE, "Forwarding %s%s%s",
             forward_text_line(e->forward, e->address, line), note,
             e->again && !e->moved ? " again" : "");
    return dst;
}

static char *closed_line(const struct forward_event *e, char dst[static EVENT_TEXT_SIZE])
{
    char received[TEXT_SIZE], sent[TEXT_SIZE], duration[TEXT_SIZE];
    snprintf(dst, EVENT_TEXT_SIZE, "connection %llu to %s closed%s%s: %s received, %s sent in %s",
             (unsigned long long)e->connection, e->target, e->text ? ", " : "",
             e->text ? e->text : "", text_bytes((double)e->received, received),
             text_bytes((double)e->sent, sent), text_duration(e->duration, duration));
    return dst;
}

/* Why a target was not reached; most reasons begin with the target already. */
static char *unreached_line(const struct forward_event *e, char dst[static EVENT_TEXT_SIZE])
{
    const char *target = *e->target ? e->target : "a connection";
    bool named = span_starts(span_of(e->text), target) && e->text[span_of(target).len] == ':';
    snprintf(dst, EVENT_TEXT_SIZE, "%s%s%s", named ? "" : target, named ? "" : ": ", e->text);
    return dst;
}

char *forward_text_event_line(const struct forward_event *e, char dst[static EVENT_TEXT_SIZE])
{
    char line[FORWARD_TEXT_SIZE];
    switch (e->kind) {
    case FORWARD_OPENED:
        return opened_line(e, dst);
    case FORWARD_CLOSED:
        return closed_line(e, dst);
    case FORWARD_AWAY:
        snprintf(dst, EVENT_TEXT_SIZE, "%s does not listen at the moment: %s",
                 forward_text_line(e->forward, NULL, line), e->text ? e->text : "");
        break;
    case FORWARD_FAILED:
        snprintf(dst, EVENT_TEXT_SIZE, "%s cannot listen: %s%s",
                 forward_text_line(e->forward, NULL, line), e->text,
                 e->retrying ? "; still trying" : "");
        break;
    case FORWARD_ACCEPTED:
        snprintf(dst, EVENT_TEXT_SIZE, "connection %llu from %s to %s",
                 (unsigned long long)e->connection, *e->peer ? e->peer : "a local program",
                 e->target);
        break;
    case FORWARD_LANE:
        snprintf(dst, EVENT_TEXT_SIZE, "connection %llu to %s goes on in a lane of its own",
                 (unsigned long long)e->connection, e->target);
        break;
    case FORWARD_REFUSED:
        snprintf(dst, EVENT_TEXT_SIZE, "%s: refused %s%s%s: %s",
                 forward_text_line(e->forward, e->address, line), *e->peer ? e->peer : "a program",
                 e->user ? " of user " : "", e->user ? e->user : "", e->text);
        break;
    case FORWARD_UNREACHED:
        return unreached_line(e, dst);
    case FORWARD_WARNING:
        snprintf(dst, EVENT_TEXT_SIZE, "%s: %s", forward_text_line(e->forward, e->address, line),
                 e->text);
        break;
    }
    return dst;
}
