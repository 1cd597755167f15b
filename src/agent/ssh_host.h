#pragma once
/*
 * What all SSH connections of an agent share: its host key, how many there may be, and what is
 * forwarded through them at this moment.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/span.h"
#include "model/id.h"
#include "model/name.h"
#include "ssh/key.h"

struct channel_request;
struct ssh_notices;

enum {
    SSH_CONNECTIONS_MAX = 128,           /* at once, each with an sshd */
    SSH_CONNECTIONS_PER_PERSON_MAX = 32, /* of one user name */
    SSH_STARTING_MAX = 24,               /* that have not logged in yet, of all people */
    SSH_FORWARDS_MAX = 16384,            /* that are listed */
    SSH_FORWARD_PLACE_SIZE = 320,        /* of the texts below, with the NUL */
};

/*
 * A listener in the workspace, or a forwarded connection, that is open over SSH. Texts are never
 * NULL; empty: does not apply, or is not known.
 */
struct ssh_forward {
    struct list link; /* in ssh_host.forwards */
    struct id id;
    char user[NAME_SIZE];
    bool listener;
    bool remote; /* out of the workspace: a listener, or a connection of one */
    char
        *listen; /* "127.0.0.1:9003" or a path: the listener, as bound; of a connection: as asked */
    char *target; /* of a connection into the workspace: "db:5432" or a path */
    char *origin; /* of a connection: who connected, such as "127.0.0.1:53412" */
    usec_t since; /* 1970 UTC */
};

struct ssh_host {
    struct ssh_key *key;
    struct ssh_notices *notices;
    struct list connections; /* of serve_ssh.c */
    size_t n_connections;
    struct list forwards; /* struct ssh_forward, oldest first; at most SSH_FORWARDS_MAX */
    size_t n_forwards;
};

/*
 * The host key follows from the agent's token: it stays the same wherever and as often as the
 * agent starts, and no file holds it. Files that an agent left behind which was killed are removed.
 */
struct ssh_host *ssh_host_new(struct span token);
/* Answers GET /ssh (docs/PROTOCOL.md). */
void ssh_host_answer(const struct ssh_host *host, struct channel_request *rq);
/* Returns NULL; accepts NULL. */
struct ssh_host *ssh_host_free(struct ssh_host *host);
