#pragma once
/*
 * What the people behind SSH connections are told, beside SSH itself, which has no words for it:
 * GET /ssh/notices on a session of theirs is held open, and each text is a line of its body.
 */
#include <stddef.h>

struct channel_request;
struct id;
struct ssh_notices;

enum {
    SSH_NOTICE_READERS_MAX = 128,
    SSH_NOTICES_MAX_LEN = 16384, /* that wait for a reader; later lines are dropped */
};

struct ssh_notices *ssh_notices_new(void);
/* Takes over the request. It replaces another one of this peer. */
void ssh_notices_answer(struct ssh_notices *n, const struct id *peer, struct channel_request *rq);
/* One line. A peer that does not ask is not told, and none twice in a row the same. */
void ssh_notices_tell(struct ssh_notices *n, const struct id *peer, const char *text);
/* All has been told: ends what the peer reads, behind it. */
void ssh_notices_end(struct ssh_notices *n, const struct id *peer);
/* Returns NULL; accepts NULL. */
struct ssh_notices *ssh_notices_free(struct ssh_notices *n);
