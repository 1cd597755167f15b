/*
 * Watchers are told by a call posted to their loop. Such a call may still be on its way when the
 * watcher ends, so a watcher is counted: one for its owner, one for each call under way.
 */
#include "server/registry.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "io/loop.h"

struct registry {
    pthread_mutex_t lock;
    struct map *agents; /* id as text: struct presence */
    struct list watches;
    uint64_t next_link_id;
};

struct registry_watch {
    struct list link;
    struct registry *registry;
    struct loop *loop;
    registry_changed_fn *changed; /* touched on the loop's thread only; NULL: ended */
    void *ud;
    atomic_uint refs;
};

struct notice {
    struct registry_watch *watch;
    struct presence presence;
    bool connected;
};

struct registry *registry_new(void)
{
    struct registry *r = new0(struct registry);

    pthread_mutex_init(&r->lock, NULL);
    r->agents = map_new();
    list_init(&r->watches);
    r->next_link_id = 1;
    return r;
}

struct registry *registry_free(struct registry *r)
{
    struct map_iter it = {0};
    void *p;

    if (!r)
        return NULL;
    while ((p = map_next(r->agents, &it)))
        free(p);
    map_free(r->agents);
    pthread_mutex_destroy(&r->lock);
    free(r);
    return NULL;
}

uint64_t registry_next_link_id(struct registry *r)
{
    uint64_t id;

    pthread_mutex_lock(&r->lock);
    id = r->next_link_id++;
    pthread_mutex_unlock(&r->lock);
    return id;
}

static void watch_unref(struct registry_watch *w)
{
    if (atomic_fetch_sub(&w->refs, 1) == 1)
        free(w);
}

static void deliver(void *ud)
{
    struct notice *n = ud;

    if (n->watch->changed)
        n->watch->changed(&n->presence, n->connected, n->watch->ud);
    watch_unref(n->watch);
    free(n);
}

/* With the lock held, so that watchers see changes in the order in which they happened. */
static void tell(struct registry *r, const struct presence *p, bool connected)
{
    struct registry_watch *w;

    list_for_each (w, &r->watches, link) {
        struct notice *n = new0(struct notice);
        n->watch = w;
        n->presence = *p;
        n->connected = connected;
        atomic_fetch_add(&w->refs, 1);
        loop_post(w->loop, deliver, n);
    }
}

bool registry_enter(struct registry *r, const struct presence *p, struct presence *ret_replaced)
{
    char key[ID_TEXT_SIZE];
    struct presence *old;

    id_format(&p->agent_id, key);
    pthread_mutex_lock(&r->lock);
    old = map_put(r->agents, key, xmemdup(p, sizeof(*p)));
    tell(r, p, true);
    pthread_mutex_unlock(&r->lock);
    if (!old)
        return false;
    *ret_replaced = *old;
    free(old);
    return true;
}

/* With the lock held. */
static struct presence *find(struct registry *r, const struct id *agent_id, uint64_t link_id)
{
    char key[ID_TEXT_SIZE];
    struct presence *p = map_get(r->agents, id_format(agent_id, key));

    return p && p->link_id == link_id ? p : NULL;
}

bool registry_leave(struct registry *r, const struct id *agent_id, uint64_t link_id)
{
    char key[ID_TEXT_SIZE];
    struct presence *p;

    pthread_mutex_lock(&r->lock);
    p = find(r, agent_id, link_id);
    if (p) {
        map_take(r->agents, id_format(agent_id, key));
        tell(r, p, false);
    }
    pthread_mutex_unlock(&r->lock);
    free(p);
    return p != NULL;
}

void registry_seen(struct registry *r, const struct id *agent_id, uint64_t link_id, usec_t now)
{
    struct presence *p;

    pthread_mutex_lock(&r->lock);
    p = find(r, agent_id, link_id);
    if (p)
        p->last_seen_at = now;
    pthread_mutex_unlock(&r->lock);
}

bool registry_get(struct registry *r, const struct id *agent_id, struct presence *ret)
{
    char key[ID_TEXT_SIZE];
    struct presence *p;

    id_format(agent_id, key);
    pthread_mutex_lock(&r->lock);
    p = map_get(r->agents, key);
    if (p)
        *ret = *p;
    pthread_mutex_unlock(&r->lock);
    return p != NULL;
}

size_t registry_len(struct registry *r)
{
    size_t n;

    pthread_mutex_lock(&r->lock);
    n = map_len(r->agents);
    pthread_mutex_unlock(&r->lock);
    return n;
}

struct registry_watch *registry_watch_new(struct registry *r, struct loop *loop,
                                          registry_changed_fn *changed, void *ud)
{
    struct registry_watch *w = new0(struct registry_watch);

    w->registry = r;
    w->loop = loop;
    w->changed = changed;
    w->ud = ud;
    atomic_init(&w->refs, 1);
    pthread_mutex_lock(&r->lock);
    list_append(&r->watches, &w->link);
    pthread_mutex_unlock(&r->lock);
    return w;
}

struct registry_watch *registry_watch_free(struct registry_watch *w)
{
    if (!w)
        return NULL;
    pthread_mutex_lock(&w->registry->lock);
    list_remove(&w->link);
    pthread_mutex_unlock(&w->registry->lock);
    w->changed = NULL;
    watch_unref(w);
    return NULL;
}
