#pragma once
/*
 * The agent's side of bulk lanes: a peer asks for one in its session (POST /lanes), the agent goes
 * to the server with the ticket that it got, and holds what comes against the peer's key and the
 * token of the request before the channel moves.
 */
#include <stddef.h>

#include "base/clock.h"
#include "io/tls.h"

struct channel_request;
struct direct_protocol;
struct id;
struct lane_server;
struct loop;

struct lane_server_options {
    struct tls_context *tls; /* from tls_context_peer(); referenced */
    const char *server_url;  /* copied */
    size_t max_lanes;        /* of a session; 0: 32. All sessions together: four times as many */
};

struct lane_server *lane_server_new(struct loop *loop, const struct lane_server_options *options);
/*
 * Answers a request whose path is /lanes. `peer` is whose session it came on, and `pin` its key;
 * the session has to be allowed lanes (tunnel_session_allow_lanes()).
 */
void lane_server_answer(struct lane_server *l, struct channel_request *rq, const struct id *peer,
                        const struct tls_pin *pin);
/* For direct_acceptor_add(): lanes that come to the agent's own port. Lives as long as `l`. */
const struct direct_protocol *lane_server_protocol(const struct lane_server *l);
/* Lanes that run go on; those that are being made end. Returns NULL; accepts NULL. */
struct lane_server *lane_server_free(struct lane_server *l);
