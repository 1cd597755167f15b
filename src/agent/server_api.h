#pragma once
/*
 * The agent's own API towards its server: GET /info (who this is), GET /ports (TCP listeners),
 * GET /events (JSON lines, held open: the ports, again whenever they change),
 * GET /events?after=N (what is to be put on record, see agent/records.h).
 */

struct channel_request;
struct loop;
struct records;
struct server_api;
struct tls_identity;

/* Both are borrowed. */
struct server_api *server_api_new(struct loop *loop, const struct tls_identity *identity,
                                  struct records *records);
/* The agent has a port of its own for people: GET /info says so. */
void server_api_tell_direct(struct server_api *a);
/* Takes over a request of the server's session and answers it. */
void server_api_handle(struct server_api *a, struct channel_request *rq);
/* Returns NULL; accepts NULL. */
struct server_api *server_api_free(struct server_api *a);
