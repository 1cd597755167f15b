#pragma once
/*
 * Credentials of requests: the text of a bearer token or of a session cookie becomes an identity,
 * the text of an agent's token an agent. Each check asks the store, so that what was revoked ends
 * at once.
 */
#include "auth/identity.h"
#include "base/span.h"
#include "model/workspace.h"

struct auth;
struct loop;
struct session_check;

/*
 * r: 0; -EACCES: no such token, expired, or its user is suspended (not told apart); otherwise the
 * store failed. The pointers live until it returns.
 */
typedef void session_checked_fn(void *ud, int r, const struct identity *who);
typedef void session_agent_fn(void *ud, int r, const struct workspace *ws,
                              const struct agent *agent);

/*
 * Never call back inside the call. The handle is valid until the callback starts or
 * session_check_cancel() was called.
 */
struct session_check *session_check(struct auth *auth, struct loop *loop, struct span token,
                                    session_checked_fn *fn, void *ud);
struct session_check *session_check_agent(struct auth *auth, struct loop *loop, struct span token,
                                          session_agent_fn *fn, void *ud);
/* Accepts NULL. */
void session_check_cancel(struct session_check *check);
