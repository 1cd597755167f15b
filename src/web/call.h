#pragma once
/*
 * One API request on its way through: route found, origin checked, caller known, message read,
 * then the handler. A handler ends its call exactly once by one of the functions that say so; the
 * pointer is gone afterwards. Work that waits for the store keeps the call as its `ud`.
 */
#include <stdint.h>

#include "api/type.h"
#include "auth/identity.h"
#include "auth/right.h"
#include "http/router.h"
#include "model/audit.h"
#include "model/workspace.h"
#include "store/store.h"
#include "web/web.h"

struct handler;

/* An inner call has ended. `json`: the answer's body, borrowed; empty unless status is 2xx. */
typedef void call_ended_fn(unsigned status, struct span json, void *ud);

struct call {
    struct web *web;
    struct exchange *x; /* NULL: an inner call (call_inner_start()) */
    struct arena *arena;
    struct span query;
    const struct handler *handler;
    unsigned route; /* enum api_route_id */
    struct route_params params;
    struct identity who; /* zeros: nobody (routes that need nobody) */
    bool by_cookie;      /* the credential came as the session cookie */
    char ip[AUDIT_IP_SIZE];
    void *msg;                /* the request's message, by handler->body; NULL: none */
    void *state;              /* the handler's own; in the exchange's arena */
    uint64_t withdrawals;     /* web_live.withdrawals() before the caller's rights were read */
    struct call_inner *inner; /* of an inner call */
};

typedef void handler_fn(struct call *c);
/* Routes of agents: `ws` and `agent` are valid during the call. */
typedef void agent_handler_fn(struct call *c, const struct workspace *ws,
                              const struct agent *agent);

struct handler {
    handler_fn *run;
    agent_handler_fn *run_agent; /* API_AUTH_AGENT, in place of `run` */
    const struct api_type *body; /* the message it takes; NULL: none, and a body is refused */
};

/* Starts a call for the route; `params` is copied. */
void call_start(struct web *web, struct exchange *x, unsigned route, const struct handler *handler,
                const struct route_params *params);

/*
 * Runs the handler of a route that only reads, for a caller whose rights it checks as ever, and
 * gives the answer to `ended` instead of a connection; never inside this call. `params` and
 * `query` are copied. The pointer is good until
 * `ended` runs or call_abandon().
 */
struct call *call_inner_start(struct web *web, unsigned route, const struct identity *who,
                              const struct route_params *params, struct span query,
                              call_ended_fn *ended, void *ud);
/* The work goes on, but nobody is told. Accepts NULL; returns NULL. */
struct call *call_abandon(struct call *c);

/* ---- for handlers ---- */

struct store *call_store(const struct call *c);
struct loop *call_loop(const struct call *c);
const char *call_param(const struct call *c, const char *name);
/* A parameter that is the id of something; false: it cannot be one (then nothing has ended). */
bool call_param_id(const struct call *c, const char *name, struct id *ret);
/* `after` and `limit` (1-1000) of the query. False: they were wrong, and the call has ended. */
bool call_page(struct call *c, struct store_page *ret);
/* Zeroed memory that ends with the exchange (or the inner call); also kept as c->state. */
void *call_state(struct call *c, size_t size);
/* Overwrites the first `size` bytes of c->state, which were a secret. */
void call_wipe_state(struct call *c, size_t size);

/* True: the caller may. Otherwise the call has ended with 401, 403 or 404. */
bool call_may(struct call *c, enum right_action action, const struct right_object *what);

/* An audit event about this call's caller. */
struct audit_event call_event(const struct call *c, enum audit_action action, const char *target);
/* Records call_event() with the result "ok". */
void call_record(struct call *c, enum audit_action action, const char *target);
/* The same about a workspace, "owner/name", which is also the target. */
void call_record_workspace(struct call *c, enum audit_action action, const char *workspace);

/* ---- these end the call ---- */

void call_answer(struct call *c, unsigned status, const struct api_type *type, const void *msg);
void call_done(struct call *c); /* 204 */
void call_fail(struct call *c, unsigned status, const char *message, const char *detail);
/* One member of the message is wrong, or in conflict with what is there. */
void call_fail_field(struct call *c, unsigned status, const char *field, const char *message);
void call_problem(struct call *c, const struct api_problem *problem);
void call_not_found(struct call *c);
void call_retry(struct call *c, const char *reason, unsigned after_sec, const char *message);
/*
 * By the result of the store or of auth/: STORE_NOT_FOUND 404, STORE_EXISTS, STORE_IN_USE and
 * STORE_LAST_OWNER 409, negative 503. For every result that the handler does not treat itself.
 */
void call_store_failed(struct call *c, int r);
/* Ends the call without an answer and returns its exchange: somebody else answers it. */
struct exchange *call_release(struct call *c);
