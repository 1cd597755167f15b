#pragma once
/*
 * Hash maps from a string or a 64-bit id to a pointer. Keys are copied; values are the caller's.
 * The hash is SipHash-2-4 under a random key, so that a stranger who picks the keys cannot make
 * them collide.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map;

struct map *map_new(void);
/* Frees the map, not the values. Returns NULL; accepts NULL. */
struct map *map_free(struct map *m);

size_t map_len(const struct map *m);

/* Sets the value (not NULL) of a key; returns the one that was there before, or NULL. */
void *map_put(struct map *m, const char *key, void *value);
void *map_get(const struct map *m, const char *key);
/* Removes the key; returns its value, or NULL. */
void *map_take(struct map *m, const char *key);

/* The same for numeric keys. One map holds either strings or numbers, never both. */
void *map_put_id(struct map *m, uint64_t key, void *value);
void *map_get_id(const struct map *m, uint64_t key);
void *map_take_id(struct map *m, uint64_t key);

/*
 * Visits all entries in no particular order:
 *     struct map_iter it = {0};
 *     while ((value = map_next(m, &it))) ...
 * The entry just returned may be taken out during the visit; no other change is allowed.
 */
struct map_iter {
    size_t bucket;
    void *entry;
};
void *map_next(const struct map *m, struct map_iter *it);
