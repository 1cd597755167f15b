#include "proxy/pool.h"

#include <stdlib.h>

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "http/client_conn.h"
#include "io/loop.h"
#include "io/stream.h"

static const usec_t idle_limit = 60 * USEC_PER_SEC;

/* All idle connections of one target; lives as long as it has some. */
struct target {
    char key[HOST_SIZE + 64];
    struct list idle; /* last used last */
    unsigned n;
};

struct pool {
    struct loop *loop;
    struct map *targets;
    struct list idle; /* of all targets, last used last */
    unsigned n;
};

struct pooled {
    struct pool *pool;
    struct client_conn *conn;
    struct pool_key key;
    struct target *target; /* NULL: in use */
    struct list in_target, in_pool;
    usec_t since;
};

struct pool *pool_new(struct loop *loop)
{
    struct pool *p = new0(struct pool);
    p->loop = loop;
    p->targets = map_new();
    list_init(&p->idle);
    return p;
}

static void key_text(const struct pool_key *key, char *dst, size_t size)
{
    snprintf(dst, size, "%llu %u %c %s", (unsigned long long)key->agent_link, key->port,
             key->tls ? 's' : 'p', key->host);
}

static void leave_idle(struct pooled *c)
{
    struct target *t = c->target;
    if (!t)
        return;
    c->target = NULL;
    c->pool->n--;
    list_remove(&c->in_target);
    list_remove(&c->in_pool);
    if (--t->n > 0)
        return;
    map_take(c->pool->targets, t->key);
    free(t);
}

void pool_drop(struct pooled *c)
{
    if (!c)
        return;
    leave_idle(c);
    client_conn_free(c->conn);
    free(c);
}

struct pool *pool_free(struct pool *p)
{
    struct pooled *c, *next;
    if (!p)
        return NULL;
    list_for_each_safe (c, next, &p->idle, in_pool)
        pool_drop(c);
    map_free(p->targets);
    free(p);
    return NULL;
}

/* Only while it is idle: in use, its call fails instead. */
static void on_closed(struct client_conn *conn, void *ud)
{
    struct pooled *c = ud;
    if (c->target)
        pool_drop(c);
}

struct pooled *pool_take(struct pool *p, const struct pool_key *key)
{
    char text[sizeof(((struct target *)0)->key)];
    key_text(key, text, sizeof(text));
    struct target *t = map_get(p->targets, text);
    if (!t)
        return NULL;
    /* The one that was used last is the one that is least likely to close. */
    struct pooled *c = container_of(t->idle.prev, struct pooled, in_target);
    leave_idle(c);
    return c;
}

struct pooled *pool_add(struct pool *p, const struct pool_key *key, struct stream *channel)
{
    struct pooled *c = new0(struct pooled);
    struct client_conn_options options = {.closed = on_closed, .ud = c};
    c->pool = p;
    c->key = *key;
    list_init(&c->in_target);
    list_init(&c->in_pool);
    c->conn = client_conn_new(p->loop, channel, &options);
    return c;
}

struct client_conn *pooled_conn(struct pooled *c)
{
    return c->conn;
}

static struct target *target_of(struct pool *p, const struct pool_key *key)
{
    char text[sizeof(((struct target *)0)->key)];
    key_text(key, text, sizeof(text));
    struct target *t = map_get(p->targets, text);
    if (t)
        return t;
    t = new0(struct target);
    str_copy(t->key, sizeof(t->key), text);
    list_init(&t->idle);
    map_put(p->targets, t->key, t);
    return t;
}

void pool_give(struct pooled *c)
{
    struct pool *p = c->pool;
    if (!client_conn_is_idle(c->conn)) {
        pool_drop(c);
        return;
    }
    struct target *t = target_of(p, &c->key);
    c->target = t;
    c->since = loop_now(p->loop);
    list_append(&t->idle, &c->in_target);
    list_append(&p->idle, &c->in_pool);
    t->n++;
    p->n++;
    if (t->n > POOL_IDLE_PER_TARGET)
        pool_drop(container_of(t->idle.next, struct pooled, in_target));
    else if (p->n > POOL_IDLE_MAX)
        pool_drop(container_of(p->idle.next, struct pooled, in_pool));
}

void pool_sweep(struct pool *p, usec_t now)
{
    while (!list_empty(&p->idle)) {
        struct pooled *oldest = container_of(p->idle.next, struct pooled, in_pool);
        if (now - oldest->since < idle_limit)
            return;
        pool_drop(oldest);
    }
}
