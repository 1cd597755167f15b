#include "tunnel/backoff.h"

void backoff_init(struct backoff *b)
{
    *b = (struct backoff){0};
}

void backoff_connected(struct backoff *b, usec_t now)
{
    b->up_since = now;
}

static uint64_t ceiling_ms(unsigned failures)
{
    uint64_t ceiling = BACKOFF_FIRST_MS;
    uint64_t most = failures < BACKOFF_QUICK_TRIES ? BACKOFF_QUICK_MS : BACKOFF_MOST_MS;
    unsigned doublings = failures < BACKOFF_QUICK_TRIES ? failures : failures - BACKOFF_QUICK_TRIES;
    if (failures >= BACKOFF_QUICK_TRIES)
        ceiling = 2 * BACKOFF_QUICK_MS;
    for (unsigned i = 0; i < doublings && ceiling < most; i++)
        ceiling *= 2;
    return ceiling < most ? ceiling : most;
}

usec_t backoff_next(struct backoff *b, usec_t now, uint64_t random)
{
    if (b->up_since && now - b->up_since >= BACKOFF_STABLE_MS * USEC_PER_MSEC)
        b->failures = 0;
    b->up_since = 0;
    uint64_t span = ceiling_ms(b->failures) - BACKOFF_LEAST_MS;
    if (b->failures < UINT32_MAX)
        b->failures++;
    return (usec_t)(BACKOFF_LEAST_MS + random % (span + 1)) * USEC_PER_MSEC;
}

void backoff_reset(struct backoff *b)
{
    b->failures = 0;
}
