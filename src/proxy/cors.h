#pragma once
/*
 * CORS in the behaviour `simple` (DESIGN section 8; Fetch standard, "CORS protocol"): the proxy
 * answers for the app. Whether an origin is allowed is decided elsewhere; here is what is said.
 */
#include <stdbool.h>

#include "base/span.h"

struct headers;

/* What a request says; borrowed from its fields. */
struct cors {
    bool present;   /* there is an Origin field */
    bool preflight; /* and it is a question about another request */
    struct span origin;
    struct span method; /* of a preflight */
    struct span fields; /* of a preflight; may be empty */
};

struct cors cors_read(struct span method, const struct headers *request);

/* The fields of the answer to a preflight. */
void cors_answer_preflight(const struct cors *cors, bool allowed, struct headers *response);
/*
 * On an app's answer: whatever it says of access control goes, and ours comes in its place. Vary
 * keeps what the app put there.
 */
void cors_answer(const struct cors *cors, bool allowed, struct headers *response);
