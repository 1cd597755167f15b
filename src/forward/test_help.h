#pragma once
/*
 * What the tests of this folder share: a forwarder on real local sockets whose channels are pairs
 * in memory, the far ends of which the test holds. For test programs only.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/span.h"
#include "forward/forwarder.h"
#include "io/addr.h"
#include "io/stream.h"
#include "io/test_main.h"
#include "io/timer.h"
#include "tunnel/channel.h"
#include "tunnel/listen_client.h"

enum { EVENTS_MAX = 256, CHANNELS_MAX = 256 };

/* A channel that was asked for. */
struct fake_channel {
    struct scene *scene;
    struct timer timer;
    struct channel_open_options options;
    char text[320]; /* "tcp db:5432", "unix /run/x" */
    struct stream *far;
    struct stream *near; /* until it is handed over */
    bool delivered, cancelled;
};

struct scene {
    struct loop *loop;
    struct forward_set set;
    struct forwarder *forwarder;
    struct forwarder_options options;
    enum dial_result answer; /* to the next channels */
    bool hold;               /* channels are not answered */
    struct fake_channel channels[CHANNELS_MAX];
    size_t n_channels;
    /* The reverse listener that was asked for last. */
    struct listen_client_options listen;
    char listen_text[200];
    size_t n_listens;
    bool listening, no_session;
    char events[EVENTS_MAX][400];
    size_t n_events;
};

static inline void fake_deliver(struct timer *t, void *ud)
{
    struct fake_channel *c = ud;
    struct scene *s = c->scene;
    if (s->hold) {
        timer_start(t, USEC_PER_MSEC);
        return;
    }
    c->delivered = true;
    if (s->answer == DIAL_OK || c->options.early) {
        c->options.opened(c->near, DIAL_OK, "", c->options.ud);
        c->near = NULL;
    } else {
        c->options.opened(NULL, s->answer, "as the test says", c->options.ud);
    }
    if (s->answer != DIAL_OK && c->options.early) {
        c->options.refused(NULL, s->answer, "as the test says", c->options.ud);
        c->far = stream_free(c->far);
    }
}

static inline struct channel_open *fake_open(const struct channel_target *target,
                                             const struct channel_open_options *options, void *ud)
{
    struct scene *s = ud;
    assert_true(s->n_channels < CHANNELS_MAX);
    struct fake_channel *c = &s->channels[s->n_channels++];
    struct stream *ends[2];
    *c = (struct fake_channel){.scene = s, .options = *options};
    if (target->kind == CHANNEL_UNIX)
        snprintf(c->text, sizeof(c->text), "unix %s", target->path);
    else
        snprintf(c->text, sizeof(c->text), "%s %s:%u", target->kind == CHANNEL_UDP ? "udp" : "tcp",
                 target->host, target->port);
    stream_pair(s->loop, 65536, ends);
    c->near = ends[0];
    c->far = ends[1];
    timer_init(&c->timer, s->loop, fake_deliver, c);
    timer_start(&c->timer, 0);
    return (struct channel_open *)(void *)c;
}

static inline void fake_cancel(struct channel_open *open, void *ud)
{
    struct fake_channel *c = (struct fake_channel *)(void *)open;
    assert_false(c->delivered);
    c->cancelled = true;
    timer_cancel(&c->timer);
}

static inline struct listen_client *fake_listen(const struct listen_client_options *options,
                                                void *ud)
{
    struct scene *s = ud;
    if (s->no_session)
        return NULL;
    s->listen = *options;
    s->n_listens++;
    s->listening = true;
    snprintf(s->listen_text, sizeof(s->listen_text), "%s %u %s",
             options->bind ? options->bind : "-", options->port,
             options->path ? options->path : "-");
    return (struct listen_client *)(void *)s;
}

static inline void fake_unlisten(struct listen_client *l, void *ud)
{
    struct scene *s = ud;
    assert_ptr_equal(l, s);
    assert_true(s->listening);
    s->listening = false;
}

/* "opened 127.0.0.1:8080", "refused nobody", ...: one line an event. */
static inline void scene_event(const struct forward_event *e, void *ud)
{
    static const char *const names[] = {"opened", "away",    "failed",    "accepted", "lane",
                                        "closed", "refused", "unreached", "warning"};
    struct scene *s = ud;
    assert_true(s->n_events < EVENTS_MAX);
    char *text = s->events[s->n_events++];
    size_t size = sizeof(s->events[0]);
    int n = snprintf(text, size, "%s %zu", names[e->kind], e->index);
    if (e->kind == FORWARD_OPENED)
        snprintf(text + n, size - (size_t)n, " %s%s%s", e->address, e->moved ? " moved" : "",
                 e->again ? " again" : "");
    else if (e->kind == FORWARD_CLOSED)
        snprintf(text + n, size - (size_t)n, " %s in %llu out %llu%s%s", e->target,
                 (unsigned long long)e->received, (unsigned long long)e->sent, e->text ? " " : "",
                 e->text ? e->text : "");
    else if (e->kind == FORWARD_REFUSED)
        snprintf(text + n, size - (size_t)n, " %s: %s", e->user ? e->user : "?", e->text);
    else
        snprintf(text + n, size - (size_t)n, " %s%s%s%s", e->target, e->text ? " " : "",
                 e->text ? e->text : "",
                 e->kind == FORWARD_FAILED && e->retrying ? " retrying" : "");
}

static inline int scene_set_up(void **state)
{
    struct scene *s = new0(struct scene);
    s->loop = loop_new();
    s->options = (struct forwarder_options){
        .channels = {.open = fake_open,
                     .cancel = fake_cancel,
                     .listen = fake_listen,
                     .unlisten = fake_unlisten,
                     .ud = s},
        .event = scene_event,
        .ud = s,
    };
    *state = s;
    return 0;
}

static inline int scene_tear_down(void **state)
{
    struct scene *s = *state;
    forwarder_free(s->forwarder);
    for (size_t i = 0; i < s->n_channels; i++) {
        timer_cancel(&s->channels[i].timer);
        stream_free(s->channels[i].far);
        stream_free(s->channels[i].near);
    }
    forward_set_deinit(&s->set);
    loop_free(s->loop);
    free(s);
    return 0;
}

static inline void scene_add(struct scene *s, enum forward_flag flag, const char *spec)
{
    struct err err = ERR_INIT;
    if (forward_set_add(&s->set, flag, spec, &err) < 0)
        fail_msg("%s", err.text);
}

static inline void scene_open(struct scene *s)
{
    struct err err = ERR_INIT;
    if (forwarder_open(s->loop, &s->set, &s->options, &s->forwarder, &err) < 0)
        fail_msg("%s", err.text);
    forwarder_start(s->forwarder);
}

static inline bool scene_has(const struct scene *s, const char *event)
{
    for (size_t i = 0; i < s->n_events; i++)
        if (strstr(s->events[i], event))
            return true;
    return false;
}
