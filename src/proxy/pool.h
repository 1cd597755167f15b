#pragma once
/*
 * Kept connections to apps, of one worker: by agent connection, host, port and protocol, so that
 * none is ever used for another agent or target. A connection belongs to the pool only while it is
 * idle, and is dropped when the app closes it or after a while.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "proto/hostport.h"

struct client_conn;
struct loop;
struct pool;
struct pooled;
struct stream;

enum { POOL_IDLE_PER_TARGET = 32, POOL_IDLE_MAX = 1024 };

struct pool_key {
    uint64_t agent_link; /* number of the agent's connection; never used again */
    char host[HOST_SIZE];
    uint16_t port;
    bool tls;
};

struct pool *pool_new(struct loop *loop);
/* Those that are in use must have come back. Returns NULL; accepts NULL. */
struct pool *pool_free(struct pool *p);

/* An idle connection to the target, or NULL. */
struct pooled *pool_take(struct pool *p, const struct pool_key *key);
/* A new one over a channel, which it takes over; in use. */
struct pooled *pool_add(struct pool *p, const struct pool_key *key, struct stream *channel);
struct client_conn *pooled_conn(struct pooled *c);
/* Back from use; kept if it is idle, closed otherwise. */
void pool_give(struct pooled *c);
/* Closes it. Accepts NULL. */
void pool_drop(struct pooled *c);

/* Drops what has been idle for too long; once a second or so. */
void pool_sweep(struct pool *p, usec_t now);
