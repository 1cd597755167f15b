#pragma once
/* Two tunnel sessions joined in memory. For test programs only. */
#include "base/span.h"
#include "io/test_help.h"
#include "io/timer.h"
#include "proto/capsule.h"
#include "tunnel/channel.h"
#include "tunnel/session.h"

enum { TUNNEL_SCENE_REQUESTS = 256 };

struct tunnel_scene {
    struct loop *loop;
    struct tunnel_session *client, *server;
    struct stream *wire[2];
    struct tunnel_session_options options; /* limits and the like */

    /* What to do with requests; by default they wait in `rq`. */
    bool accept;
    enum dial_result refuse;
    struct channel_request *rq[TUNNEL_SCENE_REQUESTS];
    int n_rq;
    struct stream *taken[TUNNEL_SCENE_REQUESTS];
    int n_taken;
    char asked[512]; /* the last request, as text */
    int n_cancelled;

    bool client_ended, server_ended;
    int client_reason;
};

static inline void tunnel_scene_cancelled(struct channel_request *rq, void *ud)
{
    struct tunnel_scene *sc = ud;
    sc->n_cancelled++;
    for (int i = 0; i < sc->n_rq; i++)
        if (sc->rq[i] == rq)
            sc->rq[i] = NULL;
    channel_request_free(rq);
}

static inline void tunnel_scene_requested(struct tunnel_session *s, struct channel_request *rq,
                                          void *ud)
{
    struct tunnel_scene *sc = ud;
    const struct channel_request_info *info = channel_request_info(rq);
    char id[ID_TEXT_SIZE] = "-";
    if (!id_is_zero(&info->id))
        id_format(&info->id, id);
    snprintf(sc->asked, sizeof(sc->asked), "%s host=%s port=%u unix=%s id=%s%s",
             channel_kind_name(info->kind), info->host, info->port, info->unix_path, id,
             info->down ? " down" : "");
    assert_true(sc->n_rq < TUNNEL_SCENE_REQUESTS && sc->n_taken < TUNNEL_SCENE_REQUESTS);
    if (sc->refuse) {
        channel_refuse(rq, sc->refuse, "because \"of\" this");
    } else if (sc->accept) {
        sc->taken[sc->n_taken++] = channel_accept(rq);
    } else {
        sc->rq[sc->n_rq++] = rq;
        channel_request_on_cancel(rq, tunnel_scene_cancelled, sc);
    }
}

static inline void tunnel_scene_ended(struct tunnel_session *s, int reason, const struct err *err,
                                      void *ud)
{
    struct tunnel_scene *sc = ud;
    if (s == sc->client) {
        sc->client_ended = true;
        sc->client_reason = reason;
    } else {
        sc->server_ended = true;
    }
}

static inline void tunnel_scene_open(struct tunnel_scene *sc)
{
    sc->loop = loop_new();
    stream_pair(sc->loop, 64 * 1024, sc->wire);
    sc->options.ended = tunnel_scene_ended;
    sc->options.requested = tunnel_scene_requested;
    sc->options.ud = sc;
    sc->options.role = H2_CLIENT;
    sc->client = tunnel_session_new(sc->loop, sc->wire[0], &sc->options);
    sc->options.role = H2_SERVER;
    sc->server = tunnel_session_new(sc->loop, sc->wire[1], &sc->options);
}

static inline void tunnel_scene_close(struct tunnel_scene *sc)
{
    for (int i = 0; i < sc->n_rq; i++)
        channel_request_free(sc->rq[i]);
    for (int i = 0; i < sc->n_taken; i++)
        stream_free(sc->taken[i]);
    tunnel_session_free(sc->client);
    tunnel_session_free(sc->server);
    loop_free(sc->loop);
}

/* What a client knows of an open. */
struct opening {
    struct channel_open *open;
    struct stream *channel;
    enum dial_result result;
    char reason[256];
    int n_opened, n_refused;
};

static inline void opening_opened(struct stream *channel, enum dial_result result,
                                  const char *reason, void *ud)
{
    struct opening *o = ud;
    o->open = NULL;
    o->n_opened++;
    o->channel = channel;
    o->result = result;
    str_copy(o->reason, sizeof(o->reason), reason);
    assert_true((channel != NULL) == (result == DIAL_OK));
}

static inline void opening_refused(struct stream *channel, enum dial_result result,
                                   const char *reason, void *ud)
{
    struct opening *o = ud;
    assert_ptr_equal(channel, o->channel);
    o->n_refused++;
    o->result = result;
    str_copy(o->reason, sizeof(o->reason), reason);
}

static inline struct channel_open_options opening_options(struct opening *o, bool early)
{
    return (struct channel_open_options){
        .early = early, .opened = opening_opened, .refused = opening_refused, .ud = o};
}

static inline void open_target(struct tunnel_scene *sc, struct opening *o,
                               const struct channel_target *target, bool early)
{
    const struct channel_open_options options = opening_options(o, early);
    o->open = tunnel_session_open(sc->client, target, &options);
    assert_int_equal(o->n_opened, 0);
}
