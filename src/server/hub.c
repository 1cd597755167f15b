#include "server/hub.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "io/loop.h"
#include "server/instance.h"

struct hub {
    struct server *server;
    pthread_mutex_t lock;
    struct map *people; /* user id as text: struct person */
    struct hub_counts counts;
};

/* Who has streams open. */
struct person {
    unsigned streams;
};

struct hub *hub_new(struct server *server)
{
    struct hub *hub = new0(struct hub);

    hub->server = server;
    hub->people = map_new();
    pthread_mutex_init(&hub->lock, NULL);
    return hub;
}

struct hub *hub_free(struct hub *hub)
{
    struct map_iter it = {0};
    void *p;

    if (!hub)
        return NULL;
    while ((p = map_next(hub->people, &it)))
        free(p);
    map_free(hub->people);
    pthread_mutex_destroy(&hub->lock);
    free(hub);
    return NULL;
}

/* ---- changes ---- */

struct notice {
    struct server_worker *w;
    struct web_change what;
};

static void deliver(void *ud)
{
    struct notice *n = ud;

    if (n->w->web)
        web_changed(n->w->web, &n->what);
    free(n);
}

void hub_changed(struct hub *hub, const struct web_change *what)
{
    struct server *s = hub->server;
    bool anybody;

    pthread_mutex_lock(&hub->lock);
    hub->counts.changes++;
    anybody = hub->counts.streams > 0;
    pthread_mutex_unlock(&hub->lock);
    if (!anybody)
        return; /* who opens one after this reads the new state */
    for (unsigned i = 0; i < s->n_workers; i++) {
        struct notice *n = new0(struct notice);
        n->w = &s->workers[i];
        n->what = *what;
        loop_post(n->w->loop, deliver, n);
    }
}

/* ---- people ---- */

bool hub_stream_take(struct hub *hub, const struct id *user_id)
{
    char key[ID_TEXT_SIZE];
    struct person *p;
    bool ok;

    id_format(user_id, key);
    pthread_mutex_lock(&hub->lock);
    p = map_get(hub->people, key);
    ok = !p || p->streams < HUB_STREAMS_PER_PERSON;
    if (ok && !p) {
        p = new0(struct person);
        map_put(hub->people, key, p);
    }
    if (ok) {
        p->streams++;
        hub->counts.streams++;
    } else {
        hub->counts.streams_refused++;
    }
    pthread_mutex_unlock(&hub->lock);
    return ok;
}

void hub_stream_give(struct hub *hub, const struct id *user_id)
{
    char key[ID_TEXT_SIZE];
    struct person *p;

    id_format(user_id, key);
    pthread_mutex_lock(&hub->lock);
    p = map_get(hub->people, key);
    hub->counts.streams--;
    if (--p->streams == 0)
        free(map_take(hub->people, key));
    pthread_mutex_unlock(&hub->lock);
}

struct hub_counts hub_counts(struct hub *hub)
{
    struct hub_counts counts;

    pthread_mutex_lock(&hub->lock);
    counts = hub->counts;
    pthread_mutex_unlock(&hub->lock);
    return counts;
}
