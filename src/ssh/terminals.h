#pragma once
/* The terminals of one connection's sessions, so that something can be said there. */
#include <stdbool.h>
#include <stdint.h>

#include "ssh/sshd_log.h"

struct terminals {
    uint16_t number[SSHD_SESSIONS_MAX]; /* of /dev/pts, plus 1, by the session's id; 0: none */
};

/*
 * A session has begun, or ended (`text` empty): `text` is that of SSHD_SESSION_STARTED, such as
 * "shell on pts/3".
 */
void terminals_session(struct terminals *t, uint64_t id, const char *text);
/* Writes a line to each, as far as they take it at once. Only terminals of our own user. Whether
 * there was one. */
bool terminals_tell(const struct terminals *t, const char *text);
