/* A ring of the last withdrawals; the count is read without the lock, which is all that it takes
 * for a ticket that is younger than the last of them. */
#include "auth/withdrawal.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/rand.h"
#include "base/span.h"

struct withdrawal_log {
    uint64_t epoch;
    atomic_uint_fast64_t count;
    pthread_mutex_t lock;
    struct withdrawal kept[WITHDRAWALS_KEPT]; /* number n at n % WITHDRAWALS_KEPT */
};

static bool id_matches(const struct id *wanted, const struct id *has)
{
    return id_is_zero(wanted) || id_equal(wanted, has);
}

bool withdrawal_hits(const struct withdrawal *w, const struct withdrawal_subject *s)
{
    return id_matches(&w->user_id, &s->user_id) &&
           (id_matches(&w->token_id, &s->token_id) || id_equal(&w->token_id, &s->parent_id)) &&
           id_matches(&w->workspace_id, &s->workspace_id) &&
           id_matches(&w->agent_id, &s->agent_id) && id_matches(&w->template_id, &s->template_id) &&
           (!w->target[0] || str_eq(w->target, s->target));
}

struct withdrawal_log *withdrawal_log_new(void)
{
    struct withdrawal_log *log = new0(struct withdrawal_log);
    log->epoch = rand_u64();
    pthread_mutex_init(&log->lock, NULL);
    return log;
}

struct withdrawal_log *withdrawal_log_free(struct withdrawal_log *log)
{
    if (!log)
        return NULL;
    pthread_mutex_destroy(&log->lock);
    free(log);
    return NULL;
}

uint64_t withdrawal_log_epoch(const struct withdrawal_log *log)
{
    return log->epoch;
}

uint64_t withdrawal_log_count(const struct withdrawal_log *log)
{
    return atomic_load(&log->count);
}

void withdrawal_log_add(struct withdrawal_log *log, const struct withdrawal *w)
{
    pthread_mutex_lock(&log->lock);
    uint64_t n = atomic_load(&log->count);
    log->kept[n % WITHDRAWALS_KEPT] = *w;
    atomic_store(&log->count, n + 1);
    pthread_mutex_unlock(&log->lock);
}

bool withdrawal_log_hit(struct withdrawal_log *log, uint64_t since,
                        const struct withdrawal_subject *subject)
{
    if (atomic_load(&log->count) == since)
        return false;
    pthread_mutex_lock(&log->lock);
    uint64_t count = atomic_load(&log->count);
    bool hit = since > count || count - since > WITHDRAWALS_KEPT;
    for (uint64_t n = since; !hit && n < count; n++)
        hit = withdrawal_hits(&log->kept[n % WITHDRAWALS_KEPT], subject);
    pthread_mutex_unlock(&log->lock);
    return hit;
}
