/*
 * A session and the opens on it. An open owns its channel until it hands it over: when the answer
 * has come, or (early) at the end of the turn; an early one then stays behind the channel for the
 * answer, until that comes or the channel's new owner frees it.
 */
#include "tunnel/session.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "io/fd_stream.h"
#include "io/loop.h"
#include "io/stream.h"
#include "tunnel/channel_head.h"
#include "tunnel/channel_open.h"
#include "tunnel/channel_request.h"

static const usec_t default_ping_interval = 15 * USEC_PER_SEC;

enum { REASON_SIZE = 256 };

/* ---- opens ---- */

struct session_open {
    struct channel_open head;
    struct stream *channel;
    struct channel_open_options options;
    struct defer soon; /* early: hands the channel over; otherwise: tells a bad target */
    bool handed;
    bool bad_target;
};

static void open_cancel(struct channel_open *head)
{
    struct session_open *o = container_of(head, struct session_open, head);
    defer_cancel(&o->soon);
    stream_free(o->channel);
    free(o);
}

static void finish(struct session_open *o, struct stream *channel, enum dial_result result,
                   const char *reason)
{
    struct channel_open_options options = o->options;
    defer_cancel(&o->soon);
    if (!channel)
        stream_free(o->channel);
    free(o);
    options.opened(channel, result, reason, options.ud);
}

/* An early channel is with its owner already: it fails under his hands. */
static void refuse_handed(struct session_open *o, enum dial_result result, const char *reason)
{
    struct channel_open_options options = o->options;
    struct stream *channel = o->channel;
    free(o);
    h2_fail_channel(channel, dial_result_to_errno(result));
    if (options.refused)
        options.refused(channel, result, reason, options.ud);
}

static void answered(struct stream *channel, int failure, const struct h2_head *head, void *ud)
{
    struct session_open *o = ud;
    char reason[REASON_SIZE] = "";
    enum dial_result result = failure < 0 ? channel_head_failure(channel, failure)
                                          : channel_head_result(head, reason, sizeof(reason));
    h2_on_abandon(channel, NULL, NULL);
    if (o->handed && result == DIAL_OK)
        free(o);
    else if (o->handed)
        refuse_handed(o, result, reason);
    else
        finish(o, result == DIAL_OK ? channel : NULL, result, reason);
}

/* The owner of an early channel freed it before its answer came. */
static void abandoned(void *ud)
{
    free(ud);
}

static void soon_fired(void *ud)
{
    struct session_open *o = ud;
    if (o->bad_target) {
        finish(o, NULL, DIAL_INTERNAL, "such a target cannot be asked for");
        return;
    }
    o->handed = true;
    h2_on_abandon(o->channel, abandoned, o);
    o->options.opened(o->channel, DIAL_OK, "", o->options.ud);
}

static struct channel_open *open_request(struct tunnel_session *s, const struct h2_head *head,
                                         bool end, const struct channel_open_options *options)
{
    struct session_open *o = new0(struct session_open);
    o->head.cancel = open_cancel;
    o->options = *options;
    o->bad_target = head == NULL;
    defer_init(&o->soon, soon_fired, o);
    if (head)
        o->channel = h2_request(s->h2, head, end, answered, o);
    if (!head || options->early)
        defer_schedule(s->loop, &o->soon);
    return &o->head;
}

struct channel_open *tunnel_session_open(struct tunnel_session *s,
                                         const struct channel_target *target,
                                         const struct channel_open_options *options)
{
    struct channel_head head;
    bool good = channel_head_write(target, &head) == 0;
    return open_request(s, good ? &head.head : NULL, false, options);
}

struct channel_open *tunnel_session_get(struct tunnel_session *s, const char *path,
                                        const struct channel_open_options *options)
{
    const struct h2_head head = {
        .method = "GET", .scheme = "https", .authority = "agent", .path = path};
    return open_request(s, &head, true, options);
}

/* ---- the session ---- */

static void requested(struct h2 *h2, struct stream *channel, const struct h2_head *head, void *ud)
{
    channel_request_receive(ud, channel, head);
}

static void ended(struct h2 *h2, int reason, const struct err *err, void *ud)
{
    struct tunnel_session *s = ud;
    if (s->options.ended)
        s->options.ended(s, reason, err, s->options.ud);
}

struct tunnel_session *tunnel_session_new(struct loop *loop, struct stream *carrier,
                                          const struct tunnel_session_options *options)
{
    struct tunnel_session *s = new0(struct tunnel_session);
    s->loop = loop;
    s->options = *options;
    if (s->options.ping_interval == 0)
        s->options.ping_interval = default_ping_interval;
    list_init(&s->requests);
    list_init(&s->listeners);
    list_init(&s->lanes);
    const struct h2_options h2 = {.role = options->role,
                                  .limits = options->limits,
                                  .ping_interval = s->options.ping_interval,
                                  .requested = requested,
                                  .ended = ended,
                                  .ud = s};
    stream_limit_unsent(carrier, CARRIER_UNSENT_MOST);
    s->h2 = h2_new(loop, carrier, &h2);
    return s;
}

struct tunnel_session *tunnel_session_free(struct tunnel_session *s)
{
    if (!s)
        return NULL;
    channel_request_orphan_all(s);
    while (!list_empty(&s->listeners))
        list_remove(s->listeners.next);
    while (!list_empty(&s->lanes))
        list_remove(s->lanes.next);
    h2_free(s->h2);
    free(s);
    return NULL;
}

void tunnel_session_drain(struct tunnel_session *s)
{
    h2_drain(s->h2);
}

void tunnel_session_set_owner(struct tunnel_session *s, tunnel_requested_fn *requested_fn,
                              tunnel_ended_fn *ended_fn, void *ud)
{
    s->options.requested = requested_fn;
    s->options.ended = ended_fn;
    s->options.ud = ud;
}

struct h2 *tunnel_session_h2(struct tunnel_session *s)
{
    return s->h2;
}

struct tunnel_session *tunnel_session_of(const struct stream *channel)
{
    struct h2 *h2 = h2_of_channel(channel);
    return h2 ? h2_owner(h2) : NULL;
}

struct loop *tunnel_session_loop(struct tunnel_session *s)
{
    return s->loop;
}

void tunnel_session_allow_lanes(struct tunnel_session *s)
{
    s->may_lane = true;
}

void tunnel_session_set_context(struct tunnel_session *s, void *context)
{
    s->context = context;
}

void *tunnel_session_context(const struct tunnel_session *s)
{
    return s->context;
}
