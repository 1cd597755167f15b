#include "agent/feed.h"

#include <errno.h>
#include <stdlib.h>

#include "agent/forwards.h"
#include "agent/health.h"
#include "agent/held_answer.h"
#include "api/news.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/span.h"
#include "io/loop.h"
#include "io/timer.h"
#include "tunnel/channel.h"
#include "tunnel/direct_acceptor.h"

enum { READERS_MAX = 4, LINE_MAX_LEN = 1 << 20 };
enum topic {
    TOPIC_PORTS = 1,
    TOPIC_HEALTH = 2,
    TOPIC_FORWARDS = 4,
    TOPIC_DIRECT = 8,
    TOPIC_ALL = 15
};

static const usec_t watched_interval = USEC_PER_SEC;
static const usec_t idle_interval = 10 * USEC_PER_SEC;

struct feed {
    struct loop *loop;
    struct feed_options o;
    struct ports *ports;
    struct health *health;
    struct list readers;
    size_t n_readers;
    bool watched;
    bool told_forwards; /* those that were told last are in `last_forwards` */
    struct buf last_forwards;
    struct api_direct_counts direct; /* as of the last look */
    struct timer look;
};

struct reader {
    struct list link;
    struct feed *feed;
    struct held_answer answer;
    unsigned stale; /* set of topics */
};

/* ---- lines ---- */

static int write_ports(struct feed *f, struct buf *out)
{
    const struct api_ports *ports = ports_list(f->ports);
    const struct api_news news = {
        .ports = ports->ports,
        .n_ports = ports->n_ports,
        .has_ports = true,
        .unlisted = ports->unlisted,
        .n_unlisted = ports->n_unlisted,
        .has_unlisted = true,
    };
    return api_news_write(&news, out);
}

static int write_health(struct feed *f, struct buf *out)
{
    struct api_news news = {.has_health = true};
    news.health = (struct api_app_health *)(uintptr_t)health_list(f->health, &news.n_health);
    return api_news_write(&news, out);
}

/* Rows whose texts are long may be more than a line holds. */
static int write_forwards(struct feed *f, const struct api_type *type, struct buf *out)
{
    struct api_news news = {.has_forwards = true};
    size_t before = out->len;
    forwards_list(f->o.forwards, f->o.ssh, &news.forwards);
    size_t all = news.forwards.n_forwards;
    int r;
    for (;;) {
        r = api_write(type, type == &api_news_type ? (void *)&news : (void *)&news.forwards, out);
        if (r == 0 || news.forwards.n_forwards == 0)
            break;
        out->len = before;
        news.forwards.n_forwards /= 2;
        news.forwards.more = true;
    }
    news.forwards.n_forwards = all;
    api_forwards_release(&news.forwards);
    return r;
}

static int write_direct(const struct feed *f, struct buf *out)
{
    const struct api_news news = {.has_direct = true, .direct = f->direct};
    return api_news_write(&news, out);
}

static int write_topic(struct feed *f, enum topic topic, struct buf *out)
{
    switch (topic) {
    case TOPIC_PORTS:
        return write_ports(f, out);
    case TOPIC_HEALTH:
        return write_health(f, out);
    case TOPIC_DIRECT:
        return write_direct(f, out);
    default:
        return write_forwards(f, &api_news_type, out);
    }
}

/* ---- readers ---- */

static void reader_end(struct reader *r)
{
    struct feed *f = r->feed;
    list_remove(&r->link);
    held_answer_end(&r->answer);
    free(r);
    if (--f->n_readers == 0) {
        f->watched = false;
        timer_cancel(&f->look);
    }
}

static void reader_gone(void *ud)
{
    reader_end(ud);
}

static void reader_fill(struct buf *out, void *ud)
{
    struct reader *r = ud;
    for (unsigned topic = TOPIC_PORTS; topic < TOPIC_ALL && out->len == 0; topic <<= 1) {
        if (!(r->stale & topic))
            continue;
        r->stale &= ~topic;
        if (write_topic(r->feed, topic, out) < 0 || buf_append_byte(out, '\n') < 0)
            buf_clear(out);
    }
}

static void tell(struct feed *f, enum topic topic)
{
    struct reader *r, *next;
    list_for_each_safe (r, next, &f->readers, link) {
        r->stale |= topic;
        held_answer_flush(&r->answer);
    }
}

/* ---- what happens ---- */

static void ports_changed(void *ud)
{
    tell(ud, TOPIC_PORTS);
}

static void health_changed(void *ud)
{
    tell(ud, TOPIC_HEALTH);
}

static void look_at_forwards(struct feed *f)
{
    _cleanup_(buf_deinit) struct buf now = BUF_INIT(LINE_MAX_LEN);
    if (write_forwards(f, &api_forwards_type, &now) < 0)
        return;
    if (f->told_forwards && span_eq(span_from(buf_data(&now), now.len),
                                    span_from(buf_data(&f->last_forwards), f->last_forwards.len)))
        return;
    f->told_forwards = true;
    buf_clear(&f->last_forwards);
    buf_append(&f->last_forwards, buf_data(&now), now.len);
    tell(f, TOPIC_FORWARDS);
}

static void look_at_ports(struct feed *f)
{
    size_t n;
    struct api_port *forwarded =
        forwards_listening(f->o.forwards, f->o.ssh, PORTS_FORWARDED_MAX, &n);
    ports_set_forwarded(f->ports, forwarded, n);
    free(forwarded);
    ports_look(f->ports);
}

static void look_at_direct(struct feed *f)
{
    struct direct_counts now;
    if (!f->o.direct)
        return;
    now = direct_acceptor_counts(f->o.direct);
    uint64_t refused = now.refused + now.timed_out + now.pushed_out;
    if (now.accepted == f->direct.accepted && refused == f->direct.refused)
        return;
    f->direct = (struct api_direct_counts){.accepted = now.accepted, .refused = refused};
    tell(f, TOPIC_DIRECT);
}

static void look(struct feed *f)
{
    look_at_ports(f);
    look_at_direct(f);
    if (f->watched)
        look_at_forwards(f);
}

static void look_again(struct timer *t, void *ud)
{
    struct feed *f = ud;
    timer_start(t, f->watched ? watched_interval : idle_interval);
    look(f);
}

void feed_watch(struct feed *f, bool watched)
{
    if (f->n_readers == 0 || f->watched == watched)
        return;
    f->watched = watched;
    f->told_forwards = false;
    buf_deinit(&f->last_forwards);
    look_again(&f->look, f);
}

void feed_start(struct feed *f, struct channel_request *rq)
{
    if (f->n_readers == READERS_MAX) {
        channel_answer(rq, 503, NULL);
        return;
    }
    struct reader *r = new0(struct reader);
    r->feed = f;
    r->stale = TOPIC_PORTS | TOPIC_HEALTH | (f->o.direct ? TOPIC_DIRECT : 0);
    held_answer_start(&r->answer, rq, "application/jsonl", LINE_MAX_LEN, reader_fill, reader_gone,
                      r);
    list_append(&f->readers, &r->link);
    f->n_readers++;
    timer_start(&f->look, f->watched ? watched_interval : idle_interval);
    look(f);
    if (!list_empty(&f->readers))
        tell(f, 0);
}

void feed_set_apps(struct feed *f, const struct api_app_checks *apps)
{
    uint16_t ports[TEMPLATE_APPS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < apps->n_apps && n < TEMPLATE_APPS_MAX; i++)
        if (apps->apps[i].port)
            ports[n++] = apps->apps[i].port;
    health_set(f->health, apps);
    ports_hide(f->ports, ports, n);
}

int feed_write_ports(struct feed *f, struct buf *out)
{
    look_at_ports(f);
    return api_ports_write(ports_list(f->ports), out);
}

int feed_write_forwards(struct feed *f, struct buf *out)
{
    return write_forwards(f, &api_forwards_type, out);
}

/* ---- life ---- */

struct feed *feed_new(struct loop *loop, const struct feed_options *options)
{
    struct feed *f = new0(struct feed);
    const struct ports_options ports = {
        .no_probe = options->no_port_probe, .changed = ports_changed, .ud = f};
    f->loop = loop;
    f->o = *options;
    list_init(&f->readers);
    buf_init(&f->last_forwards, LINE_MAX_LEN);
    timer_init(&f->look, loop, look_again, f);
    f->ports = ports_new(loop, &ports);
    f->health = health_new(loop, health_changed, f);
    return f;
}

struct feed *feed_free(struct feed *f)
{
    struct reader *r, *next;
    if (!f)
        return NULL;
    list_for_each_safe (r, next, &f->readers, link)
        reader_end(r);
    timer_cancel(&f->look);
    ports_free(f->ports);
    health_free(f->health);
    buf_deinit(&f->last_forwards);
    free(f);
    return NULL;
}
