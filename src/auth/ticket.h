#pragma once
/*
 * A ticket lets an app's requests pass without the store: a JWT (RFC 7519, HS256, with a key id)
 * in a cookie of the app's host, for TICKET_LIFE. It names who was let through, by what, to what,
 * for which host and path, and the withdrawals that had been heard of (auth/withdrawal.h).
 */
#include <stdbool.h>

#include "auth/withdrawal.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/span.h"
#include "model/template.h"
#include "model/user.h"
#include "proto/host.h"

struct key_ring;

#define TICKET_LIFE (60 * USEC_PER_SEC)
#define TICKET_KEYS "ticket" /* purpose of its key ring */

enum { TICKET_MAX_LEN = 3800, TICKET_BASE_SIZE = 160, TICKET_HOME_SIZE = 512 };

struct ticket {
    /* Its request: exactly these. */
    bool by_path;                /* on the access host */
    char site[HOST_SIZE];        /* host name in lower case, without port */
    char base[TICKET_BASE_SIZE]; /* "/", or "/@user/workspace/apps/slug/" */

    struct withdrawal_subject subject; /* zero ids: nobody was logged in */
    uint64_t epoch;                    /* of the withdrawal log */
    uint64_t generation;               /* its count */
    struct id owner_id;
    bool everyone; /* it is public: nobody's being logged in lets anybody in */

    /* For the headers that tell the app who it is; empty: it is not told. */
    char user[NAME_SIZE];
    char email[EMAIL_SIZE];

    /* What the agent reaches. */
    char host[HOST_SIZE];
    uint16_t port;
    bool tls;
    char home[TICKET_HOME_SIZE]; /* where "/" leads; empty: nowhere else */
    enum cors_behavior cors;

    usec_t right_ends_at; /* of the share or session; 0: open. Both since 1970 UTC, as seconds */
    usec_t expires_at;    /* of the ticket */
};

/* Appends the text. 0; -ENOKEY: there is no key yet; -ENOBUFS: it would be too long. */
int ticket_sign(struct key_ring *keys, const struct ticket *ticket, struct buf *dst);
/*
 * 0; -EACCES: not a ticket of ours, or not any more at `now` (1970 UTC). Whether it is for a
 * request, and not withdrawn, is asked separately.
 */
int ticket_read(struct key_ring *keys, struct span text, usec_t now, struct ticket *ret);
