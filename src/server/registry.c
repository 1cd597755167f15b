#include "server/registry.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"

struct registry {
    pthread_mutex_t lock;
    struct map *agents; /* id as text: struct presence */
    uint64_t next_link_id;
};

struct registry *registry_new(void)
{
    struct registry *r = new0(struct registry);

    pthread_mutex_init(&r->lock, NULL);
    r->agents = map_new();
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

bool registry_enter(struct registry *r, const struct presence *p, struct presence *ret_replaced)
{
    char key[ID_TEXT_SIZE];
    struct presence *old;

    id_format(&p->agent_id, key);
    pthread_mutex_lock(&r->lock);
    old = map_put(r->agents, key, xmemdup(p, sizeof(*p)));
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
    if (p)
        map_take(r->agents, id_format(agent_id, key));
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

void registry_set_direct(struct registry *r, const struct id *agent_id, uint64_t link_id,
                         uint64_t accepted, uint64_t refused)
{
    struct presence *p;

    pthread_mutex_lock(&r->lock);
    p = find(r, agent_id, link_id);
    if (p) {
        p->has_direct_counts = true;
        p->direct_accepted = accepted;
        p->direct_refused = refused;
    }
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
