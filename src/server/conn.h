#pragma once
/*
 * HTTP connections of a worker: accepted under the quotas, TLS where it is on, and dispatched to
 * the health page, the metrics, or web/. A connection can move to another worker with its request.
 */
#include <stdbool.h>

struct addr;
struct exchange;
struct listener;
struct server_worker;
struct stream;

/* Before the first connection of a worker. */
void conns_init(struct server_worker *w);

/* A listener_accepted_fn; `ud` is the worker. */
void conn_accepted(struct listener *l, struct stream *s, const struct addr *peer, void *ud);

/* On the new worker's thread; `x` is to be answered. The worker may be closed by then. */
typedef void conn_moved_fn(struct server_worker *w, struct exchange *x, void *ud);
/*
 * Gives the connection of this exchange, which web/ has released, to worker `to`, which may be the
 * one it is on: then `moved` runs within this call, otherwise later, in every case. 0 or the
 * failure (then nothing has happened).
 */
int conn_move(struct server_worker *w, struct exchange *x, struct server_worker *to,
              conn_moved_fn *moved, void *ud);

/* Idle ones close at once, the others after their answer. */
void conns_drain(struct server_worker *w);
/* Closes all at once. Exchanges whose handler still works stay until it has answered. */
void conns_close(struct server_worker *w);
