#pragma once
/*
 * The agent's own API towards its server: GET /info (who this is), GET /ports (TCP listeners),
 * GET /events (JSON lines, held open: the ports, again whenever they change).
 */

struct channel_request;
struct loop;
struct server_api;
struct tls_identity;

/* `identity` is borrowed. */
struct server_api *server_api_new(struct loop *loop, const struct tls_identity *identity);
/* Takes over a request of the server's session and answers it. */
void server_api_handle(struct server_api *a, struct channel_request *rq);
/* Returns NULL; accepts NULL. */
struct server_api *server_api_free(struct server_api *a);
