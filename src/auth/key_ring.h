#pragma once
/*
 * Signing keys of one purpose, once a process: kept by the store, rotated daily, and held in
 * memory, so that signing and checking ask nobody. Reading is for any thread; the ring itself
 * works on the loop it was made for.
 */
#include <stdbool.h>

#include "base/clock.h"
#include "base/span.h"
#include "store/key.h"

struct key_ring;
struct loop;
struct store;

enum { KEY_RING_SECRET_LEN = 64 };

/*
 * `purpose` is a literal. `life`: how long what a key signed is believed once the key has
 * retired: the longest life of what is signed.
 */
struct key_ring *key_ring_new(struct store *store, struct loop *loop, const char *purpose,
                              usec_t life);
/* On its loop. Returns NULL; accepts NULL. */
struct key_ring *key_ring_free(struct key_ring *ring);

/* Whether the keys are here: a moment after the start. */
bool key_ring_ready(struct key_ring *ring);
/* The key to sign with. False: the keys are not here. Wipe *ret when it was used. */
bool key_ring_newest(struct key_ring *ring, struct signing_key *ret);
/* The key with this id, unless it has expired at `now` (1970 UTC). */
bool key_ring_find(struct key_ring *ring, struct span kid, usec_t now, struct signing_key *ret);
