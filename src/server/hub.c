#include "server/hub.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "io/loop.h"
#include "server/agent_conn.h"
#include "server/instance.h"

struct hub {
    struct server *server;
    pthread_mutex_t lock;
    struct map *people; /* user id as text: struct person */
    struct map *agents; /* agent id as text: struct agent_state */
    struct hub_counts counts;
};

/* Who has streams open. */
struct person {
    unsigned streams;
};

/* Which agents are looked at, and what is known of those that are connected. */
struct agent_state {
    unsigned watchers;
    char *parts[WEB_AGENT_PARTS]; /* NULL: not known */
};

struct hub *hub_new(struct server *server)
{
    struct hub *hub = new0(struct hub);

    hub->server = server;
    hub->people = map_new();
    hub->agents = map_new();
    pthread_mutex_init(&hub->lock, NULL);
    return hub;
}

static void forget(struct agent_state *a)
{
    for (size_t i = 0; i < WEB_AGENT_PARTS; i++) {
        free(a->parts[i]);
        a->parts[i] = NULL;
    }
}

struct hub *hub_free(struct hub *hub)
{
    struct map_iter it = {0}, of_agents = {0};
    struct agent_state *a;
    void *p;

    if (!hub)
        return NULL;
    while ((p = map_next(hub->people, &it)))
        free(p);
    map_free(hub->people);
    while ((a = map_next(hub->agents, &of_agents))) {
        forget(a);
        free(a);
    }
    map_free(hub->agents);
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

/* ---- agents: all with the lock held ---- */

static struct agent_state *agent_of(struct hub *hub, const struct id *agent_id, bool make)
{
    char key[ID_TEXT_SIZE];
    struct agent_state *a = map_get(hub->agents, id_format(agent_id, key));

    if (!a && make) {
        a = new0(struct agent_state);
        map_put(hub->agents, key, a);
    }
    return a;
}

/* Nothing is kept of agents that nobody looks at and that have told nothing. */
static void drop_if_empty(struct hub *hub, const struct id *agent_id, struct agent_state *a)
{
    char key[ID_TEXT_SIZE];

    for (size_t i = 0; i < WEB_AGENT_PARTS; i++)
        if (a->parts[i])
            return;
    if (a->watchers == 0)
        free(map_take(hub->agents, id_format(agent_id, key)));
}

void hub_agent_put(struct hub *hub, const struct id *agent_id, enum web_agent_part part,
                   struct span json)
{
    struct agent_state *a;

    pthread_mutex_lock(&hub->lock);
    a = agent_of(hub, agent_id, true);
    free(a->parts[part]);
    a->parts[part] = span_dup(json);
    pthread_mutex_unlock(&hub->lock);
}

bool hub_agent_get(struct hub *hub, const struct id *agent_id, enum web_agent_part part,
                   struct buf *out)
{
    const struct agent_state *a;
    bool known;

    pthread_mutex_lock(&hub->lock);
    a = agent_of(hub, agent_id, false);
    known = a && a->parts[part] && buf_append_str(out, a->parts[part]) == 0;
    pthread_mutex_unlock(&hub->lock);
    return known;
}

void hub_agent_forget(struct hub *hub, const struct id *agent_id)
{
    struct agent_state *a;

    pthread_mutex_lock(&hub->lock);
    a = agent_of(hub, agent_id, false);
    if (a) {
        forget(a);
        drop_if_empty(hub, agent_id, a);
    }
    pthread_mutex_unlock(&hub->lock);
}

struct watch_errand {
    struct server_worker *w;
    struct id agent_id;
};

static void watch_there(void *ud)
{
    struct watch_errand *e = ud;

    agent_conns_watch(e->w, &e->agent_id);
    free(e);
}

/* An agent that comes in this moment asks hub_agent_watched() itself. */
static void tell_holder(struct hub *hub, const struct id *agent_id)
{
    struct watch_errand *e;
    struct presence p;

    if (!registry_get(hub->server->registry, agent_id, &p))
        return;
    e = new0(struct watch_errand);
    e->w = &hub->server->workers[p.worker];
    e->agent_id = *agent_id;
    loop_post(e->w->loop, watch_there, e);
}

void hub_agent_watch(struct hub *hub, const struct id *agent_id, bool on)
{
    struct agent_state *a;
    bool edge;

    pthread_mutex_lock(&hub->lock);
    a = agent_of(hub, agent_id, true);
    edge = on ? a->watchers++ == 0 : --a->watchers == 0;
    drop_if_empty(hub, agent_id, a);
    pthread_mutex_unlock(&hub->lock);
    if (edge)
        tell_holder(hub, agent_id);
}

bool hub_agent_watched(struct hub *hub, const struct id *agent_id)
{
    const struct agent_state *a;
    bool watched;

    pthread_mutex_lock(&hub->lock);
    a = agent_of(hub, agent_id, false);
    watched = a && a->watchers > 0;
    pthread_mutex_unlock(&hub->lock);
    return watched;
}

struct hub_counts hub_counts(struct hub *hub)
{
    struct hub_counts counts;

    pthread_mutex_lock(&hub->lock);
    counts = hub->counts;
    pthread_mutex_unlock(&hub->lock);
    return counts;
}
