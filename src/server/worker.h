#pragma once
/* One worker of the server: its start, its housekeeping, and the steps of its end. */
#include <stdbool.h>

#include "web/web.h"

struct server;
struct server_worker;

/* On the main thread; `index` is its place in server->workers. Listens only once told to. */
void server_worker_start(struct server *server, unsigned index);
/* On its thread: opens the listeners for all addresses of the server. 0 or negative with a text. */
int server_worker_listen(struct server_worker *w, struct err *err);

/* ---- the end, in this order, on its thread ---- */

/* No new work; what runs goes on. */
void server_worker_drain(struct server_worker *w);
/* Whether something is still going on that draining waits for. */
bool server_worker_busy(const struct server_worker *w);
/* Ends everything that is still going on. */
void server_worker_close(struct server_worker *w);
/* After server_worker_close(): whether answers of the store or of other workers are on their way.
 */
bool server_worker_waits(const struct server_worker *w);
/* On the main thread: ends the thread and frees all. */
void server_worker_stop(struct server_worker *w);
