#pragma once
/*
 * Carriers over WebSocket: an https (or http) request to the adit server, upgraded. Honours
 * HTTPS_PROXY / HTTP_PROXY / NO_PROXY.
 */
#include "base/secret.h"
#include "io/tls.h"
#include "model/id.h"
#include "tunnel/carrier.h"
#include "tunnel/lane_ticket.h"

struct ws_carrier;

struct ws_carrier_options {
    const char *server_url;     /* "https://adit.example.com", with an optional path prefix */
    const struct secret *token; /* bearer; copied */
    struct tls_context *tls;    /* from tls_context_client(); referenced */
    const char *user_agent;     /* may be NULL */
};

/* For an agent: /api/v1/agent/connect. Negative with a text for a person when the URL is bad. */
int ws_carrier_for_agent(const struct ws_carrier_options *options, struct ws_carrier **ret,
                         struct err *err);
/* For a CLI: /api/v1/agents/{id}/relay, showing `pin`; its answer carries the agent's pin. */
int ws_carrier_for_peer(const struct ws_carrier_options *options, const struct id *agent,
                        const struct tls_pin *pin, struct ws_carrier **ret, struct err *err);
/*
 * For a CLI: the key for lanes beside the session over the carrier that was opened last. False:
 * the server gave none.
 */
bool ws_carrier_lane_key(const struct ws_carrier *c, struct lane_key *ret);
/* Valid as long as the ws_carrier. */
struct carrier_opener ws_carrier_opener(struct ws_carrier *c);
/* Returns NULL; accepts NULL. Attempts under way must have been cancelled. */
struct ws_carrier *ws_carrier_free(struct ws_carrier *c);

/* The pin as the text of the Adit-Peer-Pin and Adit-Agent-Pin fields (base64url) and back. */
enum { PIN_TEXT_SIZE = 44 };
char *pin_format(const struct tls_pin *pin, char dst[static PIN_TEXT_SIZE]);
int pin_parse(const char *text, struct tls_pin *ret);
