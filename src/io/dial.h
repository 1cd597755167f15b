#pragma once
/*
 * Connecting to a host and port, or a Unix socket: name resolution off the loop's thread, then the
 * addresses in turn, the next one started 250 ms after the one before (RFC 8305), the first that
 * answers wins. The target 127.0.0.1 falls back to ::1, and `localhost` tries both.
 */
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"

struct loop;
struct stream;
struct dial;

enum dial_outcome {
    DIAL_OUTCOME_OK,
    DIAL_OUTCOME_REFUSED, /* nothing listens there */
    DIAL_OUTCOME_TIMED_OUT,
    DIAL_OUTCOME_NO_NAME,     /* the name does not resolve */
    DIAL_OUTCOME_UNREACHABLE, /* no route, network down */
    DIAL_OUTCOME_FAILED,      /* anything else: see the text */
};

/* `s` is the callee's, NULL unless DIAL_OUTCOME_OK. The dial is freed afterwards. */
typedef void dial_done_fn(enum dial_outcome outcome, struct stream *s, const struct err *err,
                          void *ud);

struct dial_options {
    usec_t timeout; /* for everything; 0: 10 s */
    dial_done_fn *done;
    void *ud;
};

/* `host`: a name or numeric address without brackets. `done` never runs inside this call. */
struct dial *dial_tcp(struct loop *loop, const char *host, uint16_t port,
                      const struct dial_options *options);
struct dial *dial_unix(struct loop *loop, const char *path, const struct dial_options *options);
/* No callback afterwards. Returns NULL; accepts NULL. */
struct dial *dial_cancel(struct dial *d);
