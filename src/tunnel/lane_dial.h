#pragma once
/*
 * A connection to the server that becomes one end of a relayed lane (docs/PROTOCOL.md): plain TCP
 * to the host and port of the server's URL, or to there through the proxy that the environment
 * names for that URL, whatever its scheme. What passes on it is the lane's own TLS.
 */
#include "base/err.h"

struct lane_dial;
struct loop;
struct stream;

/* How long an end waits for the other one, and all that is before it. */
enum { LANE_SET_UP_SEC = 10 };

/* `s`: joined with the other end, the callee's; NULL: it will not come about. The handle is gone.
 */
typedef void lane_dialled_fn(struct stream *s, const struct err *err, void *ud);

/* 0 and *ret, or -EINVAL: the URL is of no use. `dialled` never runs inside this call. */
int lane_dial_start(struct loop *loop, const char *server_url, const char *ticket,
                    lane_dialled_fn *dialled, void *ud, struct lane_dial **ret, struct err *err);
/* No callback afterwards. Returns NULL; accepts NULL. */
struct lane_dial *lane_dial_cancel(struct lane_dial *d);
/* Sets what suits bulk on a connection that a lane runs on. */
void lane_tune(struct stream *connection);
