#include "auth/key_ring.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/text.h"
#include "io/timer.h"

enum { KEYS_MAX = 8 };

static const usec_t signing_life = USEC_PER_DAY;
static const usec_t retry_interval = 5 * USEC_PER_SEC;
static const usec_t least_interval = USEC_PER_SEC;

struct key_ring {
    struct store *store;
    struct loop *loop;
    const char *purpose;
    usec_t life;
    struct timer timer;
    struct store_op *op;
    pthread_mutex_t lock; /* of what follows */
    struct signing_key keys[KEYS_MAX];
    size_t n_keys;
};

static void keep(struct key_ring *ring, const struct signing_key *keys, size_t n)
{
    pthread_mutex_lock(&ring->lock);
    ring->n_keys = n < KEYS_MAX ? n : KEYS_MAX;
    memcpy(ring->keys, keys, ring->n_keys * sizeof(*keys));
    pthread_mutex_unlock(&ring->lock);
}

static void on_rotated(void *ud, int r, const struct signing_key *keys, size_t n)
{
    struct key_ring *ring = ud;
    ring->op = NULL;
    if (r != STORE_OK || n == 0) {
        if (r != -ECANCELED)
            log_error("signing keys could not be read", LOG_STR("purpose", ring->purpose),
                      LOG_STR("reason", store_result_text(r)));
        timer_start(&ring->timer, retry_interval);
        return;
    }
    keep(ring, keys, n);
    usec_t left = keys[0].retires_at - clock_realtime();
    timer_start(&ring->timer, left > least_interval ? left : least_interval);
}

/* A new key, which the store takes when none signs any more (another server may have been first) */
static void rotate(struct timer *t, void *ud)
{
    struct key_ring *ring = ud;
    struct signing_key key = {.secret_len = KEY_RING_SECRET_LEN};
    unsigned char kid[(KEY_ID_SIZE - 1) / 2];
    rand_bytes(kid, sizeof(kid));
    hex_encode(kid, sizeof(kid), key.kid);
    str_copy(key.purpose, sizeof(key.purpose), ring->purpose);
    rand_bytes(key.secret, key.secret_len);
    key.created_at = clock_realtime();
    key.retires_at = key.created_at + signing_life;
    key.expires_at = key.retires_at + ring->life;
    ring->op = store_key_rotate(ring->store, ring->loop, &key, on_rotated, ring);
    explicit_bzero(&key, sizeof(key));
}

struct key_ring *key_ring_new(struct store *store, struct loop *loop, const char *purpose,
                              usec_t life)
{
    struct key_ring *ring = new0(struct key_ring);
    ring->store = store;
    ring->loop = loop;
    ring->purpose = purpose;
    ring->life = life;
    pthread_mutex_init(&ring->lock, NULL);
    timer_init(&ring->timer, loop, rotate, ring);
    rotate(&ring->timer, ring);
    return ring;
}

struct key_ring *key_ring_free(struct key_ring *ring)
{
    if (!ring)
        return NULL;
    timer_cancel(&ring->timer);
    store_cancel(ring->op);
    pthread_mutex_destroy(&ring->lock);
    explicit_bzero(ring->keys, sizeof(ring->keys));
    free(ring);
    return NULL;
}

bool key_ring_ready(struct key_ring *ring)
{
    pthread_mutex_lock(&ring->lock);
    bool ready = ring->n_keys > 0;
    pthread_mutex_unlock(&ring->lock);
    return ready;
}

bool key_ring_newest(struct key_ring *ring, struct signing_key *ret)
{
    pthread_mutex_lock(&ring->lock);
    bool found = ring->n_keys > 0;
    if (found)
        *ret = ring->keys[0];
    pthread_mutex_unlock(&ring->lock);
    return found;
}

bool key_ring_find(struct key_ring *ring, struct span kid, usec_t now, struct signing_key *ret)
{
    bool found = false;
    pthread_mutex_lock(&ring->lock);
    for (size_t i = 0; i < ring->n_keys && !found; i++) {
        found = span_is(kid, ring->keys[i].kid) && now < ring->keys[i].expires_at;
        if (found)
            *ret = ring->keys[i];
    }
    pthread_mutex_unlock(&ring->lock);
    return found;
}
