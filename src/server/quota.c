#include "server/quota.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/text.h"

struct quota {
    struct quota_options o;
    pthread_mutex_t lock;
    struct map *by_address; /* key of an address: struct place */
    struct quota_counts counts;
};

struct place {
    unsigned n;
};

enum { KEY_SIZE = HEX_LEN(16) };

/* False for what is not counted by its address. */
static bool key_of(const struct quota *q, const struct addr *a, char key[static KEY_SIZE])
{
    unsigned char bits[16];

    if (cidr_list_contains(q->o.trusted, a))
        return false;
    if (a->sa.sa_family == AF_INET) {
        hex_encode(&a->in.sin_addr, 4, key);
        return true;
    }
    if (a->sa.sa_family != AF_INET6)
        return false;
    memcpy(bits, &a->in6.sin6_addr, 16);
    hex_encode(bits, 8, key);
    return true;
}

struct quota *quota_new(const struct quota_options *options)
{
    struct quota *q = new0(struct quota);

    q->o = *options;
    pthread_mutex_init(&q->lock, NULL);
    q->by_address = map_new();
    return q;
}

struct quota *quota_free(struct quota *q)
{
    struct map_iter it = {0};
    void *place;

    if (!q)
        return NULL;
    while ((place = map_next(q->by_address, &it)))
        free(place);
    map_free(q->by_address);
    pthread_mutex_destroy(&q->lock);
    free(q);
    return NULL;
}

static enum quota_answer take_locked(struct quota *q, const struct addr *peer)
{
    char key[KEY_SIZE];
    struct place *place;

    if (q->counts.connections >= q->o.connections_max) {
        q->counts.refused_full++;
        return QUOTA_FULL;
    }
    if (key_of(q, peer, key)) {
        place = map_get(q->by_address, key);
        if (place && place->n >= q->o.per_address_max) {
            q->counts.refused_address++;
            return QUOTA_ADDRESS_FULL;
        }
        if (!place) {
            place = new0(struct place);
            map_put(q->by_address, key, place);
        }
        place->n++;
    }
    q->counts.connections++;
    return QUOTA_OK;
}

enum quota_answer quota_take(struct quota *q, const struct addr *peer)
{
    enum quota_answer answer;

    pthread_mutex_lock(&q->lock);
    answer = take_locked(q, peer);
    pthread_mutex_unlock(&q->lock);
    return answer;
}

void quota_give(struct quota *q, const struct addr *peer)
{
    char key[KEY_SIZE];
    struct place *place;

    pthread_mutex_lock(&q->lock);
    q->counts.connections--;
    if (key_of(q, peer, key)) {
        place = map_get(q->by_address, key);
        if (place && --place->n == 0)
            free(map_take(q->by_address, key));
    }
    pthread_mutex_unlock(&q->lock);
}

struct quota_counts quota_counts(struct quota *q)
{
    struct quota_counts counts;

    pthread_mutex_lock(&q->lock);
    counts = q->counts;
    pthread_mutex_unlock(&q->lock);
    return counts;
}
