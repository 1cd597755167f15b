#pragma once
/* Signing keys. The contract that all operations share is in store/store.h. */
#include "store/store.h"

enum { KEY_ID_SIZE = 33, KEY_PURPOSE_SIZE = 33, KEY_SECRET_MAX_LEN = 128 };

/*
 * A key signs from `created_at` on until `retires_at`; what it signed is believed until
 * `expires_at`, when it is removed.
 */
struct signing_key {
    char kid[KEY_ID_SIZE];
    char purpose[KEY_PURPOSE_SIZE]; /* "ticket", "hand-over" … */
    unsigned char secret[KEY_SECRET_MAX_LEN];
    size_t secret_len;
    usec_t created_at;
    usec_t retires_at;
    usec_t expires_at;
};

typedef void store_keys_fn(void *ud, int r, const struct signing_key *keys, size_t n);

/*
 * Adds a key unless one of its purpose still signs at `key->created_at` (two servers rotate at
 * the same time, one wins), removes the expired ones, and answers with the list.
 */
struct store_op *store_key_rotate(struct store *s, struct loop *loop, const struct signing_key *key,
                                  store_keys_fn *fn, void *ud);
