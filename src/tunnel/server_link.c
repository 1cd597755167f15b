#include "tunnel/server_link.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "tunnel/channel_open.h"
#include "tunnel/ws_carrier.h"

struct server_link {
    struct server_link_options options;
    struct tunnel_session *session;
};

static void session_ended(struct tunnel_session *s, int reason, const struct err *err, void *ud)
{
    struct server_link *l = ud;
    l->options.ended(l, reason, err, l->options.ud);
}

struct server_link *server_link_new(struct loop *loop, struct stream *carrier,
                                    const struct server_link_options *options)
{
    struct server_link *l = new0(struct server_link);
    l->options = *options;
    const struct tunnel_session_options session = {.role = H2_CLIENT,
                                                   .ping_interval = options->ping_interval,
                                                   .limits = options->limits,
                                                   .ended = session_ended,
                                                   .ud = l};
    l->session = tunnel_session_new(loop, carrier, &session);
    return l;
}

struct tunnel_session *server_link_session(struct server_link *l)
{
    return l->session;
}

struct server_link *server_link_free(struct server_link *l)
{
    if (!l)
        return NULL;
    tunnel_session_free(l->session);
    free(l);
    return NULL;
}

/* ---- peers ---- */

/* First the announcement (`call`), then the channel (`inner`). */
struct peer_open {
    struct channel_open head;
    struct server_link *link;
    struct id peer;
    struct tunnel_call *call;
    struct channel_open *inner;
    struct channel_open_options options;
};

static void peer_open_cancel(struct channel_open *head)
{
    struct peer_open *o = container_of(head, struct peer_open, head);
    if (o->call)
        tunnel_call_cancel(o->call);
    if (o->inner)
        channel_open_cancel(o->inner);
    free(o);
}

static void finish(struct peer_open *o, struct stream *channel, enum dial_result result,
                   const char *reason)
{
    struct channel_open_options options = o->options;
    free(o);
    options.opened(channel, result, reason, options.ud);
}

static void channel_opened(struct stream *channel, enum dial_result result, const char *reason,
                           void *ud)
{
    finish(ud, channel, result, reason);
}

static void peer_announced(int status, const char *body, size_t len, void *ud)
{
    struct peer_open *o = ud;
    o->call = NULL;
    if (status != 200) {
        bool answered = status > 0;
        finish(o, NULL, answered ? DIAL_INTERNAL : DIAL_UNAVAILABLE,
               answered ? body : "the agent's connection was lost");
        return;
    }
    const struct channel_target target = {.kind = CHANNEL_PEER, .id = o->peer};
    const struct channel_open_options options = {.opened = channel_opened, .ud = o};
    o->inner = tunnel_session_open(o->link->session, &target, &options);
}

static char *announcement(const struct id *peer, const struct tls_pin *pin, const char *grant)
{
    char id[ID_TEXT_SIZE], key[PIN_TEXT_SIZE];
    return xasprintf("{\"id\":\"%s\",\"pin\":\"%s\",\"grant\":%s}", id_format(peer, id),
                     pin_format(pin, key), grant);
}

struct channel_open *server_link_open_peer(struct server_link *l, const struct id *peer,
                                           const struct tls_pin *pin, const char *grant,
                                           const struct channel_open_options *options)
{
    struct peer_open *o = new0(struct peer_open);
    *o = (struct peer_open){
        .head.cancel = peer_open_cancel, .link = l, .peer = *peer, .options = *options};
    char *json = announcement(peer, pin, grant);
    o->call = tunnel_session_call(l->session, "POST", "/peers", json, peer_announced, o);
    free(json);
    return &o->head;
}

static char *peer_path(const struct id *peer)
{
    char id[ID_TEXT_SIZE];
    return xasprintf("/peers/%s", id_format(peer, id));
}

struct tunnel_call *server_link_grant_peer(struct server_link *l, const struct id *peer,
                                           const char *grant, tunnel_answered_fn *answered,
                                           void *ud)
{
    char *path = peer_path(peer);
    char *json = xasprintf("{\"grant\":%s}", grant);
    struct tunnel_call *call = tunnel_session_call(l->session, "PUT", path, json, answered, ud);
    free(path);
    free(json);
    return call;
}

static void nobody_waits(int status, const char *body, size_t len, void *ud)
{
}

void server_link_withdraw_peer(struct server_link *l, const struct id *peer)
{
    char *path = peer_path(peer);
    tunnel_session_call(l->session, "DELETE", path, NULL, nobody_waits, NULL);
    free(path);
}
