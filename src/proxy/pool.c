#include "proxy/pool.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/num.h"
#include "http/client_conn.h"
#include "io/loop.h"
#include "io/stream.h"

static const usec_t idle_limit = 60 * USEC_PER_SEC;

/* One target's connections; lives as long as it has some, idle or in use. */
struct target {
    char key[HOST_SIZE + 64];
    struct list idle; /* last used last */
    unsigned n_idle;
    unsigned n_conns;
};

struct pool {
    struct loop *loop;
    struct map *targets;
    struct list idle; /* of all targets, last used last */
    unsigned n_idle;
};

struct pooled {
    struct pool *pool;
    struct client_conn *conn;
    struct target *target;
    bool idle;
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

/* Made for each request: by hand, as printf() is slow. */
static void key_text(const struct pool_key *key, char dst[static sizeof(((struct target *)0)->key)])
{
    const struct span parts[] = {num_format(key->agent_link, (char[NUM_TEXT_SIZE]){0}), SPAN(" "),
                                 num_format(key->port, (char[NUM_TEXT_SIZE]){0}),
                                 key->tls ? SPAN(" s ") : SPAN(" p "), span_of(key->host)};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        memcpy(dst, parts[i].p, parts[i].len);
        dst += parts[i].len;
    }
    *dst = '\0';
}

static void leave_idle(struct pooled *c)
{
    if (!c->idle)
        return;
    c->idle = false;
    c->target->n_idle--;
    c->pool->n_idle--;
    list_remove(&c->in_target);
    list_remove(&c->in_pool);
}

void pool_drop(struct pooled *c)
{
    if (!c)
        return;
    leave_idle(c);
    if (--c->target->n_conns == 0) {
        map_take(c->pool->targets, c->target->key);
        free(c->target);
    }
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
    if (c->idle)
        pool_drop(c);
}

struct pooled *pool_take(struct pool *p, const struct pool_key *key)
{
    char text[sizeof(((struct target *)0)->key)];
    key_text(key, text);
    struct target *t = map_get(p->targets, text);
    if (!t || list_empty(&t->idle))
        return NULL;
    /* The one that was used last is the one that is least likely to close. */
    struct pooled *c = container_of(t->idle.prev, struct pooled, in_target);
    leave_idle(c);
    return c;
}

static struct target *target_of(struct pool *p, const struct pool_key *key)
{
    char text[sizeof(((struct target *)0)->key)];
    key_text(key, text);
    struct target *t = map_get(p->targets, text);
    if (t)
        return t;
    t = new0(struct target);
    str_copy(t->key, sizeof(t->key), text);
    list_init(&t->idle);
    map_put(p->targets, t->key, t);
    return t;
}

struct pooled *pool_add(struct pool *p, const struct pool_key *key, struct stream *channel)
{
    struct pooled *c = new0(struct pooled);
    struct client_conn_options options = {.closed = on_closed, .ud = c};
    c->pool = p;
    c->target = target_of(p, key);
    c->target->n_conns++;
    list_init(&c->in_target);
    list_init(&c->in_pool);
    c->conn = client_conn_new(p->loop, channel, &options);
    return c;
}

struct client_conn *pooled_conn(struct pooled *c)
{
    return c->conn;
}

void pool_give(struct pooled *c)
{
    struct pool *p = c->pool;
    struct target *t = c->target;
    if (!client_conn_is_idle(c->conn)) {
        pool_drop(c);
        return;
    }
    c->idle = true;
    c->since = loop_now(p->loop);
    list_append(&t->idle, &c->in_target);
    list_append(&p->idle, &c->in_pool);
    t->n_idle++;
    p->n_idle++;
    if (t->n_idle > POOL_IDLE_PER_TARGET)
        pool_drop(container_of(t->idle.next, struct pooled, in_target));
    else if (p->n_idle > POOL_IDLE_MAX)
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
