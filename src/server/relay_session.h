#pragma once
/*
 * Peer sessions that a worker relays: the person's WebSocket on one side, a channel to the agent
 * on the other, bytes copied both ways without a look at them.
 */
#include "web/web.h"

struct exchange;
struct server_worker;

/* As web_live.relay: on the worker that has the person's connection. */
void relay_session_open(struct server_worker *w, struct exchange *x, struct web_relay *relay);

/* Ends those that match, as web_live.withdraw says. */
void relay_sessions_withdraw(struct server_worker *w, const struct web_withdrawal *what);
/*
 * A template has a new version: the agents get new grants for the sessions of its workspaces, and
 * end the channels that these no longer allow. Where that fails, the session ends.
 */
void relay_sessions_regrant(struct server_worker *w, const struct id *template_id);
/* Keeps the counter of relayed bytes, and ends those whose grant has run out. */
void relay_sessions_tick(struct server_worker *w);
/* Ends all. */
void relay_sessions_close(struct server_worker *w);
