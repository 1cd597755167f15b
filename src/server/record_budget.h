#pragma once
/*
 * How fast agents may add to the audit record: RECORD_BURST events at once, then RECORD_RATE a
 * second each. An agent that has used its part up is asked later, not less: what it cannot keep
 * meanwhile it drops and counts. One for each worker; a connection that ends does not refill it.
 */
#include <stddef.h>

#include "base/clock.h"
#include "model/id.h"

enum { RECORD_BURST = 50000, RECORD_RATE = 200, RECORD_BUDGET_AGENTS = 4096 };

struct record_budget;

struct record_budget *record_budget_new(void);
/*
 * `n` events of the agent were taken at `now` (monotonic). Returns after how long the next may be
 * asked for; 0: at once.
 */
usec_t record_budget_take(struct record_budget *b, const struct id *agent, size_t n, usec_t now);
/* Returns NULL; accepts NULL. */
struct record_budget *record_budget_free(struct record_budget *b);
