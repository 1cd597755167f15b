#pragma once
/*
 * The server's end of an agent's connection: the upgraded WebSocket as carrier, the server as
 * HTTP/2 client; and the calls by which it makes an agent accept peers.
 */
#include "base/clock.h"
#include "io/tls.h"
#include "model/id.h"
#include "tunnel/session.h"

struct server_link;

/* The agent is gone: free the link. */
typedef void server_link_ended_fn(struct server_link *l, int reason, const struct err *err,
                                  void *ud);

struct server_link_options {
    usec_t ping_interval; /* 0: 15 s */
    struct h2_limits limits;
    server_link_ended_fn *ended;
    void *ud;
};

/* Takes over the carrier. No callback inside this call. */
struct server_link *server_link_new(struct loop *loop, struct stream *carrier,
                                    const struct server_link_options *options);
/* For opening channels to the agent and calling its API. */
struct tunnel_session *server_link_session(struct server_link *l);
/* Returns NULL; accepts NULL. */
struct server_link *server_link_free(struct server_link *l);

/*
 * Announces a peer (POST /peers) and opens its channel: the relay's far end. `grant` is a JSON
 * object's text. Cancel with channel_open_cancel().
 */
struct channel_open *server_link_open_peer(struct server_link *l, const struct id *peer,
                                           const struct tls_pin *pin, const char *grant,
                                           const struct channel_open_options *options);
/* Replaces the grant of a peer (PUT /peers/{id}); `answered` as in tunnel_session_call(). */
struct tunnel_call *server_link_grant_peer(struct server_link *l, const struct id *peer,
                                           const char *grant, tunnel_answered_fn *answered,
                                           void *ud);
/* Withdraws a peer (DELETE /peers/{id}): the agent ends its sessions. Without an answer. */
void server_link_withdraw_peer(struct server_link *l, const struct id *peer);
