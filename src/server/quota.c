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
    struct map *by_person;  /* id as text: struct place */
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
    q->by_person = map_new();
    return q;
}

static void free_places(struct map *places)
{
    struct map_iter it = {0};
    void *place;

    while ((place = map_next(places, &it)))
        free(place);
    map_free(places);
}

struct quota *quota_free(struct quota *q)
{
    if (!q)
        return NULL;
    free_places(q->by_address);
    free_places(q->by_person);
    pthread_mutex_destroy(&q->lock);
    free(q);
    return NULL;
}

/* False: there are `max` already. */
static bool take_place(struct map *places, const char *key, unsigned max)
{
    struct place *place = map_get(places, key);

    if (place && place->n >= max)
        return false;
    if (!place) {
        place = new0(struct place);
        map_put(places, key, place);
    }
    place->n++;
    return true;
}

static void give_place(struct map *places, const char *key)
{
    struct place *place = map_get(places, key);

    if (place && --place->n == 0)
        free(map_take(places, key));
}

static enum quota_answer take_locked(struct quota *q, const struct addr *peer)
{
    char key[KEY_SIZE];

    if (q->counts.connections >= q->o.connections_max) {
        q->counts.refused_full++;
        return QUOTA_FULL;
    }
    if (key_of(q, peer, key) && !take_place(q->by_address, key, q->o.per_address_max)) {
        q->counts.refused_address++;
        return QUOTA_ADDRESS_FULL;
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

    pthread_mutex_lock(&q->lock);
    q->counts.connections--;
    if (key_of(q, peer, key))
        give_place(q->by_address, key);
    pthread_mutex_unlock(&q->lock);
}

bool quota_take_person(struct quota *q, const struct id *user_id)
{
    char key[ID_TEXT_SIZE];
    bool taken;

    pthread_mutex_lock(&q->lock);
    taken = take_place(q->by_person, id_format(user_id, key), q->o.per_person_max);
    q->counts.refused_person += !taken;
    pthread_mutex_unlock(&q->lock);
    return taken;
}

void quota_give_person(struct quota *q, const struct id *user_id)
{
    char key[ID_TEXT_SIZE];

    pthread_mutex_lock(&q->lock);
    give_place(q->by_person, id_format(user_id, key));
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
