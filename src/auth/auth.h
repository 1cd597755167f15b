#pragma once
/*
 * What authentication needs, once a process: the store, the attempt limits and the life of
 * sessions. Usable from the loops of all workers.
 */
#include "base/clock.h"

struct auth;
struct store;

/* Zeros stand for the defaults. */
struct auth_options {
    usec_t session_life;         /* from the log-in on; default 7 days */
    unsigned attempts_user;      /* failed log-ins in a row for one name; default 10 */
    usec_t attempts_user_refill; /* default one more each 30 s */
    unsigned attempts_ip;        /* failed log-ins in a row from one address; default 30 */
    usec_t attempts_ip_refill;   /* default one more each 2 s */
};

/* The store outlives it. */
struct auth *auth_new(struct store *store, const struct auth_options *options);
/* No operation may be under way. Returns NULL; accepts NULL. */
struct auth *auth_free(struct auth *auth);
struct store *auth_store(struct auth *auth);
/* Log-in attempts that the limits refused, for /metrics. */
unsigned long auth_refused(struct auth *auth);
