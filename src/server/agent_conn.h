#pragma once
/*
 * Agents that are connected to a worker: from the WebSocket handshake over the question who it is
 * (GET /info on its own API) to the entry in the registry, and back.
 */
#include <stdint.h>

#include "io/tls.h"
#include "web/web.h"

struct agent_conn;
struct agent_records;
struct exchange;
struct server_link;
struct server_worker;

/* As web_live.agent_connect, on the worker that has the connection. */
void agent_conn_start(struct server_worker *w, struct exchange *x, const struct workspace *ws,
                      const struct agent *agent, uint64_t withdrawals);

/* The connection with this number if it is here and in use, else NULL. */
struct agent_conn *agent_conn_find(struct server_worker *w, uint64_t link_id);
struct server_link *agent_conn_link(struct agent_conn *a);
const struct tls_pin *agent_conn_pin(const struct agent_conn *a);
/* NULL: none are fetched. */
struct agent_records *agent_conn_records(struct agent_conn *a);
/* Requests under way on it, to be told when it ends (agent_request.h). */
struct list *agent_conn_requests(struct agent_conn *a);

/* Ends those that match, as web_live.withdraw says. */
void agent_conns_withdraw(struct server_worker *w, const struct web_withdrawal *what);
/* Whether somebody looks at this agent may have changed. */
void agent_conns_watch(struct server_worker *w, const struct id *agent_id);
/* Agents of workspaces of this template are told its apps again. */
void agent_conns_reconfigure(struct server_worker *w, const struct id *template_id);
/* Refreshes the registry's "last seen". */
void agent_conns_seen(struct server_worker *w);
/* No new channels; those that are open go on. */
void agent_conns_drain(struct server_worker *w);
/* Ends all. */
void agent_conns_close(struct server_worker *w);
