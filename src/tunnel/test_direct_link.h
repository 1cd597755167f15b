#pragma once
/* The command line of a direct scene: a peer link through the scene's server. For tests only. */
#include "tunnel/test_direct_scene.h"

static inline void scene_relayed(struct stream *channel, enum dial_result result,
                                 const char *reason, void *ud)
{
    struct direct_scene *sc = ud;
    struct err err = ERR_INIT;
    sc->opening = NULL;
    err_set(&err, -ECONNRESET, "%s", reason);
    sc->opened(result == DIAL_OK ? CARRIER_OPENED : CARRIER_FAILED, channel, &sc->agent_pin, &err,
               sc->opened_ud);
}

static inline void *scene_start(struct loop *loop, carrier_opened_fn *opened, void *opened_ud,
                                void *ud)
{
    struct direct_scene *sc = ud;
    const struct channel_open_options options = {.opened = scene_relayed, .ud = sc};
    sc->opened = opened;
    sc->opened_ud = opened_ud;
    sc->opening = server_link_open_peer(sc->link, &sc->peer, &sc->cli_pin, "{}", &options);
    return sc;
}

static inline void scene_cancel(void *attempt, void *ud)
{
    struct direct_scene *sc = ud;
    if (sc->opening)
        sc->opening = channel_open_cancel(sc->opening);
}

static inline void scene_link_changed(struct peer_link *l, const struct link_status *status,
                                      void *ud)
{
    ((struct direct_scene *)ud)->connected = status->state == LINK_CONNECTED;
}

static inline void scene_path_changed(struct peer_link *l, const struct peer_path *path, void *ud)
{
    struct direct_scene *sc = ud;
    sc->path = *path;
    sc->n_paths++;
}

static inline void scene_link(struct direct_scene *sc, struct peer_link_options options)
{
    options.opener =
        (struct carrier_opener){.start = scene_start, .cancel = scene_cancel, .ud = sc};
    options.tls = sc->cli;
    options.changed = scene_link_changed;
    options.path_changed = scene_path_changed;
    options.ud = sc;
    sc->peer_link = peer_link_new(sc->loop, &options);
}
