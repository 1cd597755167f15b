#pragma once
/*
 * An agent with a port of its own, a server that announces peers to it, and carriers through that
 * server. For test programs only.
 */
#include <linux/filter.h>
#include <string.h>

#include "io/addr.h"
#include "io/listener.h"
#include "io/net_local.h"
#include "io/tls.h"
#include "tunnel/candidates.h"
#include "tunnel/direct_acceptor.h"
#include "tunnel/direct_connect.h"
#include "tunnel/peer_acceptor.h"
#include "tunnel/peer_link.h"
#include "tunnel/server_link.h"
#include "tunnel/test_tunnel_scene.h"
#include "tunnel/ws_carrier.h"

enum { SCENE_SESSIONS = 16, SCENE_CHANNELS = 64, SCENE_STREAMS = 8 };

struct scene_session {
    struct tunnel_session *session;
    bool direct;
};

struct direct_scene {
    struct loop *loop;
    struct tls_identity *cli_id, *agent_id;
    struct tls_context *cli, *agent;
    struct tls_pin cli_pin, agent_pin;

    /* The server, as far as there is one. */
    struct server_link *link;
    struct id peer;

    /* The agent. */
    struct tunnel_session *at_agent;
    struct peer_acceptor *peers;
    struct direct_acceptor *acceptor;
    struct listener *listener;
    bool refuse_direct; /* grants say no */
    bool mute;          /* channels are not answered */
    struct candidates candidates;
    struct stream *told[SCENE_STREAMS]; /* bodies of GET /candidates */
    int n_told;
    int last_fd; /* of the connection accepted last on the port */
    struct scene_session sessions[SCENE_SESSIONS];
    struct stream *channels[SCENE_CHANNELS];
    int n_channels, n_direct_channels, n_accepted;

    /* The command line. */
    struct peer_link *peer_link;
    struct peer_path path;
    int n_paths;
    bool connected;
    carrier_opened_fn *opened;
    void *opened_ud;
    struct channel_open *opening;
};

/* ---- the agent ---- */

static inline void scene_tell(struct direct_scene *sc, struct stream *body)
{
    struct buf line = BUF_INIT(CANDIDATES_LINE_MAX);
    candidates_format(&sc->candidates, &line);
    buf_append_byte(&line, '\n');
    stream_send_bytes(body, buf_data(&line), line.len);
    buf_deinit(&line);
}

static inline void scene_answer(struct direct_scene *sc, struct channel_request *rq)
{
    const char *path = channel_request_info(rq)->path;
    if (str_eq(path, "/session")) {
        channel_answer(rq, 200, "{}");
    } else if (str_eq(path, "/candidates") && sc->n_told < SCENE_STREAMS) {
        sc->told[sc->n_told] = channel_accept_body(rq, "application/jsonl");
        scene_tell(sc, sc->told[sc->n_told++]);
    } else {
        channel_answer(rq, 404, NULL);
    }
}

static inline void scene_requested(struct tunnel_session *s, struct channel_request *rq, void *ud)
{
    struct direct_scene *sc = ud;
    if (channel_request_info(rq)->kind == CHANNEL_REQUEST) {
        scene_answer(sc, rq);
        return;
    }
    if (sc->mute)
        return; /* it lives until its session ends */
    assert_true(sc->n_channels < SCENE_CHANNELS);
    for (int i = 0; i < SCENE_SESSIONS; i++)
        if (sc->sessions[i].session == s)
            sc->n_direct_channels += sc->sessions[i].direct;
    sc->channels[sc->n_channels++] = channel_accept(rq);
}

static inline void scene_session_over(struct tunnel_session *s, int reason, const struct err *err,
                                      void *ud)
{
    struct direct_scene *sc = ud;
    for (int i = 0; i < SCENE_SESSIONS; i++)
        if (sc->sessions[i].session == s)
            sc->sessions[i].session = tunnel_session_free(s);
}

static inline void scene_connected(struct tunnel_session *session, const struct id *peer,
                                   const char *grant, const struct addr *from, void *ud)
{
    struct direct_scene *sc = ud;
    tunnel_session_set_owner(session, scene_requested, scene_session_over, sc);
    for (int i = 0; i < SCENE_SESSIONS; i++)
        if (!sc->sessions[i].session) {
            sc->sessions[i] = (struct scene_session){session, from != NULL};
            return;
        }
    fail_msg("too many sessions");
}

/* What the agent does with a session by itself; `direct`: those only. */
static inline void scene_end_sessions(struct direct_scene *sc, bool direct)
{
    for (int i = 0; i < SCENE_SESSIONS; i++)
        if (sc->sessions[i].session && sc->sessions[i].direct == direct)
            sc->sessions[i].session = tunnel_session_free(sc->sessions[i].session);
}

static inline int scene_sessions(const struct direct_scene *sc, bool direct)
{
    int n = 0;
    for (int i = 0; i < SCENE_SESSIONS; i++)
        n += sc->sessions[i].session && sc->sessions[i].direct == direct;
    return n;
}

static inline void scene_withdrawn(const struct id *peer, void *ud)
{
    scene_end_sessions(ud, true);
    scene_end_sessions(ud, false);
}

static inline bool scene_grants_direct(const char *grant, void *ud)
{
    return !((struct direct_scene *)ud)->refuse_direct;
}

static inline void scene_agent_requested(struct tunnel_session *s, struct channel_request *rq,
                                         void *ud)
{
    struct direct_scene *sc = ud;
    if (!peer_acceptor_handle(sc->peers, rq))
        channel_answer(rq, 404, NULL);
}

static inline void scene_accepted(struct listener *l, struct stream *s, const struct addr *from,
                                  void *ud)
{
    struct direct_scene *sc = ud;
    sc->n_accepted++;
    sc->last_fd = stream_fd(s);
    direct_acceptor_take(sc->acceptor, s, from);
}

/* Nothing that comes on the connection is seen any more, and nothing tells the other end. */
static inline void scene_cut(struct direct_scene *sc)
{
    struct sock_filter drop = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog program = {.len = 1, .filter = &drop};
    assert_int_equal(
        setsockopt(sc->last_fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)), 0);
}

static inline struct addr scene_address(const struct direct_scene *sc)
{
    return *listener_addr(sc->listener);
}

static inline void scene_open(struct direct_scene *sc,
                              const struct direct_acceptor_options *acceptor)
{
    struct stream *wire[2];
    struct addr any;
    *sc = (struct direct_scene){.loop = loop_new(), .peer = id_new()};
    sc->cli_id = tls_identity_new();
    sc->agent_id = tls_identity_new();
    tls_identity_pin(sc->cli_id, &sc->cli_pin);
    tls_identity_pin(sc->agent_id, &sc->agent_pin);
    assert_int_equal(tls_context_peer(sc->cli_id, &sc->cli, NULL), 0);
    assert_int_equal(tls_context_peer(sc->agent_id, &sc->agent, NULL), 0);

    stream_pair(sc->loop, 65536, wire);
    const struct server_link_options link = {.ud = sc};
    sc->link = server_link_new(sc->loop, wire[0], &link);
    const struct tunnel_session_options at_agent = {
        .role = H2_SERVER, .requested = scene_agent_requested, .ud = sc};
    sc->at_agent = tunnel_session_new(sc->loop, wire[1], &at_agent);
    const struct peer_acceptor_options peers = {.tls = sc->agent,
                                                .direct = scene_grants_direct,
                                                .connected = scene_connected,
                                                .withdrawn = scene_withdrawn,
                                                .ud = sc};
    sc->peers = peer_acceptor_new(sc->loop, &peers);

    struct direct_acceptor_options options =
        acceptor ? *acceptor : (struct direct_acceptor_options){0};
    options.tls = sc->agent;
    options.peers = sc->peers;
    sc->acceptor = direct_acceptor_new(sc->loop, &options);
    const struct listener_options listener = {.accepted = scene_accepted, .ud = sc};
    assert_int_equal(addr_from_ip("127.0.0.1", 0, &any), 0);
    assert_int_equal(listener_open(sc->loop, &any, &listener, &sc->listener, NULL), 0);
    assert_int_equal(net_local_machine(sc->candidates.machine), 0);
    struct addr here = scene_address(sc);
    candidates_add(&sc->candidates, &here);
}

static inline void scene_close(struct direct_scene *sc)
{
    peer_link_free(sc->peer_link);
    listener_close(sc->listener);
    direct_acceptor_free(sc->acceptor);
    peer_acceptor_free(sc->peers);
    for (int i = 0; i < sc->n_channels; i++)
        stream_free(sc->channels[i]);
    for (int i = 0; i < sc->n_told; i++)
        stream_free(sc->told[i]);
    scene_end_sessions(sc, true);
    scene_end_sessions(sc, false);
    tunnel_session_free(sc->at_agent);
    server_link_free(sc->link);
    loop_free(sc->loop);
    tls_context_unref(sc->cli);
    tls_context_unref(sc->agent);
    tls_identity_free(sc->cli_id);
    tls_identity_free(sc->agent_id);
}
