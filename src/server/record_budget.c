/*
 * A token bucket for each of the agents that sent something last, as the moment at which the
 * bucket will be full again: what is missing is the way there. Of more agents than there are
 * places for, the one whose bucket is fullest gives its place up.
 */
#include "server/record_budget.h"

#include <stdlib.h>

#include "base/mem.h"

struct bucket {
    struct id agent;
    usec_t full_at;
};

struct record_budget {
    size_t n;
    struct bucket buckets[RECORD_BUDGET_AGENTS];
};

static const usec_t event_cost = USEC_PER_SEC / RECORD_RATE;

struct record_budget *record_budget_new(void)
{
    return new0(struct record_budget);
}

static struct bucket *find(struct record_budget *b, const struct id *agent)
{
    struct bucket *fullest = &b->buckets[0];

    for (size_t i = 0; i < b->n; i++) {
        if (id_equal(&b->buckets[i].agent, agent))
            return &b->buckets[i];
        if (b->buckets[i].full_at < fullest->full_at)
            fullest = &b->buckets[i];
    }
    if (b->n < RECORD_BUDGET_AGENTS)
        fullest = &b->buckets[b->n++];
    *fullest = (struct bucket){.agent = *agent};
    return fullest;
}

usec_t record_budget_take(struct record_budget *b, const struct id *agent, size_t n, usec_t now)
{
    struct bucket *bucket = find(b, agent);
    usec_t missing;

    if (bucket->full_at < now)
        bucket->full_at = now;
    bucket->full_at += (usec_t)n * event_cost;
    missing = bucket->full_at - now;
    return missing > RECORD_BURST * event_cost ? missing - RECORD_BURST * event_cost : 0;
}

struct record_budget *record_budget_free(struct record_budget *b)
{
    free(b);
    return NULL;
}
