#pragma once
/* "Did you mean ...?": the closest of some known words. */
#include <stddef.h>

/*
 * The best candidate so far. Start with {0}, offer each known word, then read `best`: the closest
 * one, or NULL when none is near enough to be what was meant.
 */
struct suggest {
    const char *best; /* borrowed from suggest_offer */
    size_t distance;
};

void suggest_offer(struct suggest *s, const char *typed, const char *known);
/* Letters to insert, drop, change or swap with their neighbour to get from a to b (capped at 64).
 */
size_t suggest_distance(const char *a, const char *b);
