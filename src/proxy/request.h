#pragma once
/*
 * One app request on its way, and the inside of struct proxy. Within proxy/ only.
 *
 *     START -> (RESOLVE ->) MOVE -> OPEN -> SEND -> ANSWER -> (freed)
 *                                                `-> UPGRADE -> RELAY -> (freed)
 *
 * In START, RESOLVE and MOVE the request is in nobody's list: the store or another worker has it,
 * and it comes back by itself. From OPEN on it is in the list of its worker's proxy.
 */
#include "auth/cookie_names.h"
#include "auth/identity.h"
#include "auth/ticket_memo.h"
#include "base/arena.h"
#include "base/list.h"
#include "base/log.h"
#include "io/timer.h"
#include "model/workspace.h"
#include "proxy/address.h"
#include "proxy/cors.h"
#include "proxy/pages.h"
#include "proxy/pool.h"
#include "proxy/proxy.h"
#include "proxy/situation.h"

struct owners;

struct proxy {
    struct proxy_options o;
    bool secure; /* the access URL is https */
    char access_host[HOST_SIZE];
    struct cookie_names cookies;
    struct owners *owners;
    struct pool *pool;
    struct ticket_memo *memo;
    struct address last; /* of `last_host`: requests come in rows */
    char last_host[HOST_SIZE];
    struct list requests;   /* from OPEN on */
    unsigned in_flight;     /* with those before */
    unsigned asking;        /* of them: those that wait for the store */
    struct log_limit limit; /* of failures of the store */
    bool closed;
};

enum request_state {
    REQUEST_START,
    REQUEST_RESOLVE,
    REQUEST_MOVE,
    REQUEST_OPEN,
    REQUEST_SEND,
    REQUEST_ANSWER,
    REQUEST_UPGRADE,
    REQUEST_RELAY,
    REQUEST_ENDED, /* in UPGRADE, while the HTTP layer still has our callback */
};

enum {
    CREDENTIALS_MAX = 4,
    RESOLVE_TRIES_MAX = 3,
    ASKING_MAX = 2048,
};

struct app_request {
    struct list link;
    struct arena arena;  /* its own memory */
    struct proxy *proxy; /* of the worker that it is on */
    struct exchange *x;  /* NULL once it has ended */
    enum request_state state;
    unsigned tries;
    bool asks; /* is counted in `asking` */
    struct address addr;
    struct situation_asker asker;
    struct proxy_client client;
    struct cors cors;
    bool upgrade;        /* asks for another protocol */
    bool preflight;      /* is being answered as one */
    bool preflight_done; /* ... and is passed on instead */
    bool origin_allowed;

    /* What was decided: read from the ticket, or filled by resolve.c. */
    struct ticket ticket;
    bool ticketed; /* by a ticket: no new one is due */

    /* RESOLVE */
    struct span credentials[CREDENTIALS_MAX];
    unsigned n_credentials, next_credential;
    struct identity who;
    struct workspace ws;
    struct agent agent;
    enum share_level max_level;     /* of a share, by the template */
    enum share_level default_level; /* without a share */
    usec_t now;                     /* 1970 UTC, at the start */

    /* OPEN and later (transfer.c) */
    uint64_t agent_link;
    struct channel_open *open;
    struct pooled *conn;
    struct client_call *call;
    bool reused;     /* the connection had been used before */
    bool body_read;  /* something of the request's body was */
    bool body_waits; /* for the app's 100 (Continue) */
    bool body_done;
    bool body_stopped;       /* the app takes no more now */
    bool answer_stopped;     /* the person takes no more now */
    bool half_gone;          /* the person sends no more */
    bool progress;           /* something moved since the timer was started */
    struct timer timer;      /* of body_waits; of a person who has half left */
    struct stream *upgraded; /* UPGRADE: the app's end */
    struct relay *relay;
};

/* ---- steps, each of which goes on to the next or ends the request ---- */

/* access.c: parse, hand-over, preflight, ticket; then resolve or move. */
void access_start(struct app_request *q);
/* resolve.c: session, workspace, agent, app or share, right. */
void resolve_start(struct app_request *q);
/* access.c: the origin, then the agent, then away to it. */
void access_granted(struct app_request *q);
/* trade.c: a log-in comes from the access host. */
void trade_start(struct app_request *q, struct span value);
/* transfer.c: on the agent's worker. */
void transfer_start(struct app_request *q);

/* ---- ends ---- */

/* The request is answered, or its exchange handed on: frees it. */
void request_free(struct app_request *q);
/* Before the store is asked: false when too many do already, and the request has been answered. */
bool request_may_ask(struct app_request *q);
/* The store has answered all. */
void request_has_asked(struct app_request *q);
/* Answers with a page. */
void request_page(struct app_request *q, const struct page *page);
/* Answers by the result of the store or of auth/: 503, or 404. */
void request_store_failed(struct app_request *q, int r);
/* Answers somebody who has to log in: a redirect or 401. */
void request_log_in(struct app_request *q);
/* Adds the CORS fields and the ticket to an answer that is the app's or about it. */
void request_add_fields(struct app_request *q);
/* Ends it at once, in OPEN and later. */
void transfer_end(struct app_request *q);

void request_set_state(struct app_request *q, enum request_state state);
#define PROXY_COUNT(q, name, n)                                                                    \
    atomic_fetch_add_explicit(&(q)->proxy->o.counters->name, (n), memory_order_relaxed)
