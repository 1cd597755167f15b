#pragma once
/*
 * App requests, for one loop: from a host name or path to the workspace, the right, and the stream
 * to the app, both ways (DESIGN section 8). What it needs of the live server it asks through struct
 * proxy_live, which the server fills.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "auth/withdrawal.h"
#include "model/audit.h"
#include "proto/app_url.h"
#include "tunnel/channel.h"

struct auth;
struct exchange;
struct key_ring;
struct loop;
struct proxy;
struct withdrawal_log;

/* Of whom a request comes. */
struct proxy_client {
    char ip[AUDIT_IP_SIZE];   /* the person's, trusted proxies looked through */
    char peer[AUDIT_IP_SIZE]; /* the connection's other end */
    bool trusted;             /* which is a trusted proxy */
};

/*
 * The request is where its agent is, and so is `there`. link: number of the agent's connection;
 * 0: it is gone by now.
 */
typedef void proxy_moved_fn(struct proxy *there, struct exchange *x, uint64_t link, void *ud);

/* All are called on the proxy's loop, with the `live_ud` of its options. */
struct proxy_live {
    void (*client)(void *ud, const struct exchange *x, struct proxy_client *ret);
    /* Whether the agent is connected. */
    bool (*presence)(void *ud, const struct id *agent_id);
    /*
     * Brings the exchange (not answered, nothing of its body read) to the worker that has the
     * agent; `moved` runs within the call when that is this one, and in every case otherwise.
     * -ENOTCONN: the agent is away; other failures: it cannot be moved. Nothing has happened then.
     */
    int (*move)(void *ud, struct exchange *x, const struct id *agent_id, proxy_moved_fn *moved,
                void *moved_ud);
    /* A channel to an agent of this worker. NULL: that connection is gone. */
    struct channel_open *(*open)(void *ud, uint64_t link, const struct channel_target *target,
                                 const struct channel_open_options *options);
};

/* For /metrics; one set for all workers, relaxed. */
struct proxy_counters {
    atomic_uint_fast64_t requests;     /* to apps, answered or not */
    atomic_uint_fast64_t tickets_used; /* requests that a ticket let through */
    atomic_uint_fast64_t tickets_issued;
    atomic_uint_fast64_t upgrades;
    atomic_uint_fast64_t connections;         /* to apps, opened */
    atomic_uint_fast64_t refused;             /* too many waited for the store */
    atomic_uint_fast64_t withdrawn;           /* requests that ended because a right did */
    atomic_uint_fast64_t bytes_in, bytes_out; /* of bodies and upgraded streams */
};

struct proxy_options {
    struct loop *loop;
    struct auth *auth;
    const char *access_url;      /* borrowed, as all that follows */
    const struct app_site *site; /* NULL: there is no wildcard */
    struct key_ring *tickets;
    struct key_ring *hand_overs;
    struct withdrawal_log *withdrawals;
    bool path_apps;                  /* not --disable-path-apps */
    bool path_app_sharing;           /* --dangerous-allow-path-app-sharing */
    bool path_app_site_owner_access; /* --dangerous-allow-path-app-site-owner-access */
    unsigned asking_max;             /* requests that wait for the store at once; 0: 2,048 */
    struct proxy_counters *counters;
    const struct proxy_live *live;
    void *live_ud;
};

struct proxy *proxy_new(const struct proxy_options *options);
/* proxy_in_flight() is 0. Returns NULL; accepts NULL. */
struct proxy *proxy_free(struct proxy *p);

/* Takes a request that is for an app, and answers it now or later; false: it is for none. */
bool proxy_handle(struct proxy *p, struct exchange *x);

/* Ends what was let through by a right that is gone; the log has it already. */
void proxy_withdraw(struct proxy *p, const struct withdrawal *what);
/* Once a second: ends what has run out, closes idle connections to apps. */
void proxy_tick(struct proxy *p);
/* Requests and upgraded streams that go on. */
unsigned proxy_in_flight(const struct proxy *p);
/* Ends all of them, as far as they do not wait for the store; those end by themselves. */
void proxy_close(struct proxy *p);
