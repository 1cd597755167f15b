#pragma once
/*
 * Tickets of bulk lanes (docs/PROTOCOL.md). With a relayed peer session the server gives its
 * client a key, over the connection to the server itself; for each lane the client makes from it
 * two tickets, one for each end, and hands the agent's to the agent through the peer session. The
 * server verifies and joins the two connections that show them. Pure.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "model/id.h"

enum {
    LANE_SECRET_LEN = 32,
    LANE_MAC_LEN = 16,
    LANE_KEY_TEXT_SIZE = 128,
    LANE_TICKET_TEXT_SIZE = 128,
};

/* What a relayed session's lanes are asked for with. */
struct lane_key {
    unsigned worker;   /* of the server, that has the session */
    struct id session; /* a name for it, used for nothing else */
    unsigned char secret[LANE_SECRET_LEN];
};

enum lane_end { LANE_CLIENT = 'c', LANE_AGENT = 'a' };

struct lane_ticket {
    unsigned worker;
    struct id session;
    uint64_t number; /* of the lane, counted by the client; each is good once */
    enum lane_end end;
    unsigned char mac[LANE_MAC_LEN];
};

/* A fresh one. */
struct lane_key lane_key_new(unsigned worker);
/* As the value of the field Adit-Lane-Key. Returns `dst`. */
char *lane_key_format(const struct lane_key *key, char dst[static LANE_KEY_TEXT_SIZE]);
/* 0 or -EINVAL. */
int lane_key_parse(struct span text, struct lane_key *ret);

/* The ticket as it stands in a path. Returns `dst`. */
char *lane_ticket_make(const struct lane_key *key, uint64_t number, enum lane_end end,
                       char dst[static LANE_TICKET_TEXT_SIZE]);
/* What it says, not yet whether that is true. 0 or -EINVAL. */
int lane_ticket_parse(struct span text, struct lane_ticket *ret);
/* Whether it was made with this key, in time that does not depend on the ticket. */
bool lane_ticket_verify(const struct lane_ticket *ticket, const struct lane_key *key);
