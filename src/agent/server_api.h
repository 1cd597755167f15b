#pragma once
/*
 * The agent's own API towards its server: GET /info (who this is), /ports, /forwards, /events
 * (agent/feed.h) and /events?after=N (agent/records.h); PUT /watched and /apps.
 */

struct channel_request;
struct feed;
struct records;
struct server_api;
struct tls_identity;

/* All are borrowed. */
struct server_api *server_api_new(const struct tls_identity *identity, struct records *records,
                                  struct feed *feed);
/* The agent has a port of its own for people: GET /info says so. */
void server_api_tell_direct(struct server_api *a);
/* Takes over a request of the server's session and answers it. */
void server_api_handle(struct server_api *a, struct channel_request *rq);
/* Returns NULL; accepts NULL. */
struct server_api *server_api_free(struct server_api *a);
