/*
 * Chained buckets, doubled when there are more entries than buckets. An entry keeps its hash, so
 * that growing does not hash again.
 */
#include "base/map.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rand.h"

struct entry {
    struct entry *next;
    uint64_t hash;
    uint64_t id;
    char *key; /* NULL: a numeric key */
    void *value;
};

struct map {
    struct entry **buckets;
    size_t n_buckets; /* a power of two */
    size_t len;
    uint64_t k0, k1; /* SipHash key */
};

enum { FIRST_BUCKETS = 8 };

static inline uint64_t rotl(uint64_t x, int b)
{
    return x << b | x >> (64 - b);
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[0] = rotl(v[0], 32);
    v[2] += v[3];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[2] = rotl(v[2], 32);
}

static void sip_block(uint64_t v[4], uint64_t block)
{
    v[3] ^= block;
    sip_round(v);
    sip_round(v);
    v[0] ^= block;
}

/* SipHash-2-4 (Aumasson and Bernstein, 2012). */
static uint64_t hash_bytes(const struct map *m, const void *data, size_t len)
{
    uint64_t v[4] = {m->k0 ^ 0x736f6d6570736575ULL, m->k1 ^ 0x646f72616e646f6dULL,
                     m->k0 ^ 0x6c7967656e657261ULL, m->k1 ^ 0x7465646279746573ULL};
    const unsigned char *p = data;
    size_t left = len;
    for (; left >= 8; left -= 8, p += 8) {
        uint64_t block;
        memcpy(&block, p, 8);
        sip_block(v, block);
    }
    uint64_t last = (uint64_t)len << 56;
    for (size_t i = 0; i < left; i++)
        last |= (uint64_t)p[i] << (8 * i);
    sip_block(v, last);
    v[2] ^= 0xff;
    for (int i = 0; i < 4; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct map *map_new(void)
{
    struct map *m = new0(struct map);
    m->n_buckets = FIRST_BUCKETS;
    m->buckets = xcalloc(m->n_buckets, sizeof(*m->buckets));
    m->k0 = rand_u64();
    m->k1 = rand_u64();
    return m;
}

static void entry_free(struct entry *e)
{
    free(e->key);
    free(e);
}

struct map *map_free(struct map *m)
{
    if (!m)
        return NULL;
    for (size_t i = 0; i < m->n_buckets; i++) {
        while (m->buckets[i]) {
            struct entry *e = m->buckets[i];
            m->buckets[i] = e->next;
            entry_free(e);
        }
    }
    free(m->buckets);
    free(m);
    return NULL;
}

size_t map_len(const struct map *m)
{
    return m->len;
}

/* The place that points to the entry, or to the NULL at the end of its chain. */
static struct entry **find(const struct map *m, const char *key, uint64_t id, uint64_t *ret_hash)
{
    uint64_t hash = key ? hash_bytes(m, key, strlen(key)) : hash_bytes(m, &id, sizeof(id));
    struct entry **at = &m->buckets[hash & (m->n_buckets - 1)];
    while (*at && !((*at)->hash == hash && (key ? strcmp((*at)->key, key) == 0 : (*at)->id == id)))
        at = &(*at)->next;
    *ret_hash = hash;
    return at;
}

static void grow(struct map *m)
{
    size_t n = m->n_buckets * 2;
    struct entry **buckets = xcalloc(n, sizeof(*buckets));
    for (size_t i = 0; i < m->n_buckets; i++) {
        while (m->buckets[i]) {
            struct entry *e = m->buckets[i];
            m->buckets[i] = e->next;
            e->next = buckets[e->hash & (n - 1)];
            buckets[e->hash & (n - 1)] = e;
        }
    }
    free(m->buckets);
    m->buckets = buckets;
    m->n_buckets = n;
}

static void *put(struct map *m, const char *key, uint64_t id, void *value)
{
    uint64_t hash;
    struct entry **at = find(m, key, id, &hash);
    if (*at) {
        void *before = (*at)->value;
        (*at)->value = value;
        return before;
    }
    struct entry *e = new0(struct entry);
    *e = (struct entry){.hash = hash, .id = id, .key = key ? xstrdup(key) : NULL, .value = value};
    *at = e;
    if (++m->len > m->n_buckets)
        grow(m);
    return NULL;
}

static void *take(struct map *m, const char *key, uint64_t id)
{
    uint64_t hash;
    struct entry **at = find(m, key, id, &hash);
    struct entry *e = *at;
    if (!e)
        return NULL;
    void *value = e->value;
    *at = e->next;
    entry_free(e);
    m->len--;
    return value;
}

void *map_put(struct map *m, const char *key, void *value)
{
    return put(m, key, 0, value);
}

void *map_get(const struct map *m, const char *key)
{
    uint64_t hash;
    struct entry *e = *find(m, key, 0, &hash);
    return e ? e->value : NULL;
}

void *map_take(struct map *m, const char *key)
{
    return take(m, key, 0);
}

void *map_put_id(struct map *m, uint64_t key, void *value)
{
    return put(m, NULL, key, value);
}

void *map_get_id(const struct map *m, uint64_t key)
{
    uint64_t hash;
    struct entry *e = *find(m, NULL, key, &hash);
    return e ? e->value : NULL;
}

void *map_take_id(struct map *m, uint64_t key)
{
    return take(m, NULL, key);
}

/*
 * `it->entry` is the entry to return next, so that the one returned last may be freed. Buckets
 * before `it->bucket` are done.
 */
void *map_next(const struct map *m, struct map_iter *it)
{
    struct entry *e = it->entry;
    while (!e && it->bucket < m->n_buckets)
        e = m->buckets[it->bucket++];
    it->entry = e ? e->next : NULL;
    return e ? e->value : NULL;
}
