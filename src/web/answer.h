#pragma once
/*
 * Answers in the API's forms. Each ends the exchange (http/exchange.h), and sets the fields that
 * every answer carries: no-store, nosniff, no framing, no referrer, a policy that forbids all.
 */
#include "api/type.h"

struct exchange;

/* Sets the fields of every API answer. Done by all below. */
void answer_set_fields(struct exchange *x);

/* `msg` as JSON. Too large a message answers 500. Returns the status that was sent. */
unsigned answer_message(struct exchange *x, unsigned status, const struct api_type *type,
                        const void *msg);
unsigned answer_empty(struct exchange *x); /* 204 */
/* An error; `detail` may be NULL. With 401 the WWW-Authenticate field is set (RFC 9110 11.6.1). */
unsigned answer_error(struct exchange *x, unsigned status, const char *message, const char *detail);
/* A message that was refused: 400. */
unsigned answer_problem(struct exchange *x, const struct api_problem *problem);
/* An error about one member of the message. */
unsigned answer_field(struct exchange *x, unsigned status, const char *field, const char *message);
/* The one text of everything that does not exist, or must look so: 404. */
unsigned answer_not_found(struct exchange *x);
/*
 * 503 with Retry-After and `Adit-Reason: REASON`, by which a program tells what passes by itself:
 * "agent-away", "agent-lost", "draining", "busy", "rights-changed".
 */
unsigned answer_retry(struct exchange *x, const char *reason, unsigned after_sec,
                      const char *message);
