#pragma once
/* What all SSH connections of an agent share: its host key, and how many there may be. */
#include <stddef.h>

#include "base/span.h"
#include "ssh/key.h"

struct channel_request;

enum { SSH_CONNECTIONS_MAX = 128 }; /* at once, each with an sshd */

struct ssh_host {
    struct ssh_key *key;
    size_t n_connections;
};

/*
 * The host key follows from the agent's token: it stays the same wherever and as often as the
 * agent starts, and no file holds it.
 */
struct ssh_host *ssh_host_new(struct span token);
/* Answers GET /ssh (docs/PROTOCOL.md). */
void ssh_host_answer(const struct ssh_host *host, struct channel_request *rq);
/* Returns NULL; accepts NULL. */
struct ssh_host *ssh_host_free(struct ssh_host *host);
