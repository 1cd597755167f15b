#pragma once
/*
 * A question to an agent's own API, asked on one worker and carried out on the one that has the
 * agent: both ways by a posted call.
 */
#include "base/list.h"
#include "web/web.h"

struct server_worker;

/* As web_live.agent_get. */
void agent_request_get(struct server_worker *w, const struct id *agent_id, const char *path,
                       web_agent_answered_fn *answered, void *ud);
/* The agent's connection ends: its requests (agent_conn_requests()) are answered -ENOTCONN. */
void agent_requests_fail(struct list *requests);
