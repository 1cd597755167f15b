#pragma once
/*
 * What takes a log-in from the access host to an app's host: one use, HAND_OVER_LIFE, sealed with
 * AES-256-GCM under a rotating key, so that it is nobody's to read or to make. It carries the text
 * of an app token that is not in the store yet: whoever brings it first makes the token, and since
 * the store takes the same token only once, on whatever server, nobody brings it twice.
 */
#include "auth/token.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/span.h"
#include "model/id.h"
#include "proto/host.h"

struct key_ring;

#define HAND_OVER_LIFE  (60 * USEC_PER_SEC)
#define HAND_OVER_KEYS  "hand-over"      /* purpose of its key ring */
#define HAND_OVER_QUERY "adit_hand_over" /* name in the query of the app's URL */

enum { HAND_OVER_MAX_LEN = 1024 };

/* Times are since 1970 UTC. */
struct hand_over {
    char site[HOST_SIZE]; /* the app's host: lower case, without port */
    struct id user_id;
    struct id session_id;        /* the session behind it */
    usec_t session_expires_at;   /* 0: never */
    usec_t expires_at;           /* of the hand-over */
    char token[TOKEN_TEXT_SIZE]; /* the app token to be */
};

/* Appends the text, fit for a query as it is. 0; -ENOKEY: there is no key yet; -ENOBUFS. */
int hand_over_seal(struct key_ring *keys, const struct hand_over *h, struct buf *dst);
/* 0; -EACCES: not made by us, or too old at `now`. Wipe *ret when it was used. */
int hand_over_open(struct key_ring *keys, struct span text, usec_t now, struct hand_over *ret);
