#pragma once
/*
 * Attempt limits: a token bucket a key (a user name, an IP address), in memory that is bounded:
 * when the table is full, the bucket that is nearest to full is forgotten. Usable from any thread.
 */
#include <stddef.h>

#include "base/clock.h"

struct limit;

struct limit_options {
    unsigned burst; /* attempts in a row */
    usec_t refill;  /* one more attempt each */
    size_t max_entries;
};

struct limit *limit_new(const struct limit_options *options);
/* Returns NULL; accepts NULL. */
struct limit *limit_free(struct limit *limit);

/*
 * Takes one attempt. 0: allowed; otherwise how long to wait until the next one is (nothing was
 * taken). `now` is monotonic.
 */
usec_t limit_take(struct limit *limit, const char *key, usec_t now);
/* The attempt was a success: what it took is given back; a key without a bucket is full as it is.
 */
void limit_give_back(struct limit *limit, const char *key);
/* The key starts afresh. */
void limit_reset(struct limit *limit, const char *key);
/* Keys held now; attempts refused since the start. */
size_t limit_len(struct limit *limit);
unsigned long limit_refused(struct limit *limit);
