#pragma once
/* What /metrics says, in the text format of Prometheus (exposition format 0.0.4). */
#include <stdatomic.h>

#include "base/buf.h"
#include "model/audit.h"

struct server;

/* Of one worker; written by its thread, read by any. */
struct worker_metrics {
    atomic_uint_fast64_t connections_accepted;
    atomic_uint_fast64_t tls_failed;
    atomic_uint_fast64_t relays_opened;
    atomic_uint_fast64_t relays_failed;
    atomic_uint_fast64_t relays;        /* now */
    atomic_uint_fast64_t relayed_bytes; /* both directions; at most a second old */
    atomic_uint_fast64_t lanes_opened;
    atomic_uint_fast64_t lanes_refused;
    atomic_uint_fast64_t lanes;      /* now */
    atomic_uint_fast64_t lane_bytes; /* as relayed_bytes */
    atomic_uint_fast64_t agents_refused;
    atomic_uint_fast64_t agents_replaced;
    atomic_uint_fast64_t direct_accepted;
    atomic_uint_fast64_t direct_refused;
    /* Forwarded connections that have ended, as the agents recorded them, by enum audit_carrier. */
    atomic_uint_fast64_t forwards[AUDIT_CARRIER_COUNT];
    atomic_uint_fast64_t forward_bytes[AUDIT_CARRIER_COUNT];
};

#define METRIC_ADD(metrics, name, n)                                                               \
    atomic_fetch_add_explicit(&(metrics)->name, (n), memory_order_relaxed)

/* Appends all. 0 or -ENOBUFS. From any worker's thread. */
int metrics_write(struct server *server, struct buf *out);
