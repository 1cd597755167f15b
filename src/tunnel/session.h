#pragma once
/*
 * A tunnel session: HTTP/2 on a carrier, with typed channels. Either end may be the HTTP/2 client
 * (the one that asks for channels); on an agent's connection that is the server (DESIGN: the roles
 * turn), on a peer session the CLI.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/err.h"
#include "http/h2.h"
#include "tunnel/channel.h"

struct loop;
struct stream;
struct tunnel_session;

/* Serving end: a request came. Answer it now or later. */
typedef void tunnel_requested_fn(struct tunnel_session *s, struct channel_request *rq, void *ud);
/* The session is over, as h2_ended_fn. Free it then, or later. */
typedef void tunnel_ended_fn(struct tunnel_session *s, int reason, const struct err *err, void *ud);

struct tunnel_session_options {
    enum h2_role role;              /* H2_CLIENT asks for channels, H2_SERVER serves them */
    usec_t ping_interval;           /* 0: 15 s */
    struct h2_limits limits;        /* zeros: defaults */
    tunnel_requested_fn *requested; /* H2_SERVER */
    tunnel_ended_fn *ended;
    void *ud;
};

/* So much of a carrier is given to the kernel ahead at most (stream_limit_unsent()). */
enum { CARRIER_UNSENT_MOST = 128 * 1024 };

/* Takes over `carrier`. No callback inside this call. */
struct tunnel_session *tunnel_session_new(struct loop *loop, struct stream *carrier,
                                          const struct tunnel_session_options *options);
/* Ends it at once; opens under way are told DIAL_UNAVAILABLE; `ended` is not called. */
struct tunnel_session *tunnel_session_free(struct tunnel_session *s);
/* No new channels; `ended` with 0 once the last has closed. */
void tunnel_session_drain(struct tunnel_session *s);
/* Changes what was given in the options: to hand a session from its maker to its user. */
void tunnel_session_set_owner(struct tunnel_session *s, tunnel_requested_fn *requested,
                              tunnel_ended_fn *ended, void *ud);
struct h2 *tunnel_session_h2(struct tunnel_session *s);
struct loop *tunnel_session_loop(struct tunnel_session *s);
/* The session that an open channel belongs to; NULL once that is over. */
struct tunnel_session *tunnel_session_of(const struct stream *channel);
/* Serving end: its channels may move to bulk lanes (lane_stream.h). */
void tunnel_session_allow_lanes(struct tunnel_session *s);
/* A pointer of the owner's, for finding its own state in callbacks. */
void tunnel_session_set_context(struct tunnel_session *s, void *context);
void *tunnel_session_context(const struct tunnel_session *s);

/* Client: asks for a channel (not LISTEN, ACCEPT, REQUEST). */
struct channel_open *tunnel_session_open(struct tunnel_session *s,
                                         const struct channel_target *target,
                                         const struct channel_open_options *options);

/* ---- plain requests (client) ---- */

/* An exchange that is under way. */
struct tunnel_call;

enum { TUNNEL_ANSWER_MAX = 1 << 20 };

/*
 * status: of the answer, or negative when none came. `body` is NUL-terminated and borrowed; at
 * most TUNNEL_ANSWER_MAX bytes (-EMSGSIZE beyond).
 */
typedef void tunnel_answered_fn(int status, const char *body, size_t len, void *ud);

/* `json` NULL: no body. Bounded by 15 s (-ETIMEDOUT). `answered` never runs inside this call. */
struct tunnel_call *tunnel_session_call(struct tunnel_session *s, const char *method,
                                        const char *path, const char *json,
                                        tunnel_answered_fn *answered, void *ud);
struct tunnel_call *tunnel_call_cancel(struct tunnel_call *call);

/* GET of a body that is held open (such as /events): as a channel, whatever its length. */
struct channel_open *tunnel_session_get(struct tunnel_session *s, const char *path,
                                        const struct channel_open_options *options);
