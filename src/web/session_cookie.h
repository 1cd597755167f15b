#pragma once
/*
 * The cookie that holds a browser's session (RFC 6265): HttpOnly, SameSite=Lax, this host only;
 * with an https access URL also Secure and under the name prefix `__Host-`.
 */
#include <stdbool.h>

#include "base/clock.h"
#include "base/span.h"

struct exchange;

/* The token in the request's cookie; borrowed from the request. */
bool session_cookie_find(const struct exchange *x, bool secure, struct span *ret_token);
/* Sets it in the answer; `now` and `expires_at` since 1970 UTC. */
void session_cookie_set(struct exchange *x, bool secure, const char *token, usec_t now,
                        usec_t expires_at);
/* Makes the browser forget it. */
void session_cookie_clear(struct exchange *x, bool secure);
