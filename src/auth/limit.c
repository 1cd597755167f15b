/*
 * A bucket is one number (the generic cell rate algorithm): the time at which it will be full
 * again. An attempt moves it on by one refill; it is refused when that would put it further ahead
 * than the burst allows.
 *
 * The table is bounded. When it is full, a hand goes round over a few entries and the fullest of
 * them is forgotten, so that names made up by a stranger push out each other and not the bucket of
 * the name that is under attack.
 */
#include "auth/limit.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"

enum { LOOK_AT = 32 };

struct entry {
    struct list link;
    usec_t full_at;
    char *key;
};

struct limit {
    struct limit_options options;
    pthread_mutex_t lock;
    struct map *by_key;
    struct list entries; /* in the order in which the hand will come by */
    unsigned long refused;
};

struct limit *limit_new(const struct limit_options *options)
{
    struct limit *limit = new0(struct limit);
    limit->options = *options;
    limit->by_key = map_new();
    pthread_mutex_init(&limit->lock, NULL);
    list_init(&limit->entries);
    return limit;
}

static void forget(struct limit *limit, struct entry *e)
{
    map_take(limit->by_key, e->key);
    list_remove(&e->link);
    free(e->key);
    free(e);
}

struct limit *limit_free(struct limit *limit)
{
    if (!limit)
        return NULL;
    struct entry *e, *next;
    list_for_each_safe (e, next, &limit->entries, link)
        forget(limit, e);
    map_free(limit->by_key);
    pthread_mutex_destroy(&limit->lock);
    free(limit);
    return NULL;
}

static void make_room(struct limit *limit, usec_t now)
{
    struct entry *fullest = NULL;
    if (map_len(limit->by_key) < limit->options.max_entries)
        return;
    for (int i = 0; i < LOOK_AT; i++) {
        struct entry *e = list_first(&limit->entries, struct entry, link);
        if (!fullest || e->full_at < fullest->full_at)
            fullest = e;
        list_remove(&e->link);
        list_append(&limit->entries, &e->link);
        if (fullest->full_at <= now)
            break;
    }
    forget(limit, fullest);
}

static struct entry *find_or_add(struct limit *limit, const char *key, usec_t now)
{
    struct entry *e = map_get(limit->by_key, key);
    if (e)
        return e;
    make_room(limit, now);
    e = new0(struct entry);
    e->full_at = now;
    e->key = xstrdup(key);
    list_append(&limit->entries, &e->link);
    map_put(limit->by_key, key, e);
    return e;
}

usec_t limit_take(struct limit *limit, const char *key, usec_t now)
{
    const struct limit_options *o = &limit->options;
    pthread_mutex_lock(&limit->lock);
    struct entry *e = find_or_add(limit, key, now);
    usec_t full_at = e->full_at > now ? e->full_at : now;
    usec_t wait = full_at - (usec_t)(o->burst - 1) * o->refill - now;
    if (wait <= 0)
        e->full_at = full_at + o->refill;
    else
        limit->refused++;
    pthread_mutex_unlock(&limit->lock);
    return wait > 0 ? wait : 0;
}

void limit_give_back(struct limit *limit, const char *key)
{
    pthread_mutex_lock(&limit->lock);
    struct entry *e = map_get(limit->by_key, key);
    if (e)
        e->full_at -= limit->options.refill;
    pthread_mutex_unlock(&limit->lock);
}

void limit_reset(struct limit *limit, const char *key)
{
    pthread_mutex_lock(&limit->lock);
    struct entry *e = map_get(limit->by_key, key);
    if (e)
        forget(limit, e);
    pthread_mutex_unlock(&limit->lock);
}

size_t limit_len(struct limit *limit)
{
    pthread_mutex_lock(&limit->lock);
    size_t n = map_len(limit->by_key);
    pthread_mutex_unlock(&limit->lock);
    return n;
}

unsigned long limit_refused(struct limit *limit)
{
    pthread_mutex_lock(&limit->lock);
    unsigned long n = limit->refused;
    pthread_mutex_unlock(&limit->lock);
    return n;
}
