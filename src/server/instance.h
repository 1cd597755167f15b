#pragma once
/* The inside of the server, for the files of this folder. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "http/server_conn.h"
#include "io/loop.h"
#include "io/timer.h"
#include "proto/app_url.h"
#include "proxy/proxy.h"
#include "server/accept_gate.h"
#include "server/config.h"
#include "server/metrics.h"
#include "server/quota.h"
#include "server/registry.h"
#include "web/counters.h"

struct audit_file;
struct auth;
struct data_dir;
struct hub;
struct key_ring;
struct listener;
struct loop;
struct map;
struct peer_people;
struct record_budget;
struct server;
struct store;
struct tls_context;
struct web;
struct worker;

/* One thread with one loop. All but `metrics` is touched on that thread only. */
struct server_worker {
    struct server *server;
    unsigned index;
    struct worker *thread;
    struct loop *loop;
    struct web *web;
    struct proxy *proxy;
    struct listener **listeners; /* one for each address of the server */
    struct accept_gate gate;
    struct list conns;          /* struct conn: HTTP connections */
    struct list hellos;         /* struct conn: their TLS handshake is about to begin */
    struct defer hello;         /* begins the next one's */
    struct map *agents;         /* link id: struct agent_conn */
    struct list agents_pending; /* of them: those that have not said who they are */
    struct list relays;         /* struct relay_session */
    struct map *lane_sets;      /* name of its key: struct lane_set */
    struct peer_people *people;
    struct record_budget *records;
    unsigned requests;   /* of agent_request.c, asked for here and not answered */
    struct timer tick;   /* every second */
    usec_t seen_at;      /* monotonic: when presence was last refreshed */
    uint64_t bytes_done; /* of relays that have ended */
    uint64_t lane_bytes_done;
    bool draining;
    bool closed;
    struct worker_metrics metrics;
};

struct server {
    const struct server_config *config;
    struct data_dir *data_dir;
    struct store *store;
    struct audit_file *audit_file; /* NULL: none */
    struct auth *auth;
    struct registry *registry;
    struct hub *hub;
    struct quota *quota;
    struct web_counters web_counters;
    struct http_refusals http_refusals;
    struct loop *main; /* of the thread that called server_run() */

    struct listen_list listen; /* as bound: ports are known */
    char *access_url;
    char *wildcard_url;   /* NULL: none */
    struct app_site apps; /* with a wildcard only */
    struct key_ring *tickets, *hand_overs;
    struct withdrawal_log *withdrawn;
    struct proxy_counters proxy_counters;

    pthread_mutex_t tls_lock;
    struct tls_context *tls; /* NULL: plain HTTP */

    atomic_uint_fast64_t withdrawals;
    atomic_uint lanes; /* of all workers, the waiting ones too */
    struct server_worker *workers;
    unsigned n_workers;
};
