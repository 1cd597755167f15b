/*
 * Peers: handshakes with pinned keys, the acceptor on the agent's side, and the whole way from the
 * server's announcement to bytes on a channel between CLI and agent that the server only relays.
 */
#include "tunnel/test_tunnel_scene.h"

#include "io/relay.h"
#include "io/tls.h"
#include "tunnel/peer.h"
#include "tunnel/peer_acceptor.h"
#include "tunnel/server_link.h"

/* A key pair with its context and pin. */
struct key {
    struct tls_identity *id;
    struct tls_context *tls;
    struct tls_pin pin;
};

static void key_make(struct key *k)
{
    k->id = tls_identity_new();
    assert_non_null(k->id);
    tls_identity_pin(k->id, &k->pin);
    assert_int_equal(tls_context_peer(k->id, &k->tls, NULL), 0);
}

static void key_drop(struct key *k)
{
    tls_context_unref(k->tls);
    tls_identity_free(k->id);
}

/* ---- handshakes ---- */

struct shake {
    int n, result;
    struct tunnel_session *session;
    bool ended;
    int end_reason;
};

static void session_over(struct tunnel_session *s, int reason, const struct err *err, void *ud)
{
    struct shake *h = ud;
    h->ended = true;
    h->end_reason = reason;
}

static void shaken(struct tunnel_session *session, int result, const struct err *err, void *ud)
{
    struct shake *h = ud;
    h->n++;
    h->result = result;
    h->session = session;
    assert_true((result == 0) == (session != NULL));
    if (result == 0)
        tunnel_session_set_owner(session, NULL, session_over, h);
    else
        assert_true(err && err->text[0]);
}

struct handshake_scene {
    struct loop *loop;
    struct key cli, agent, other;
    struct stream *wire[2];
    struct shake near, far;
};

static void handshake_open(struct handshake_scene *sc)
{
    *sc = (struct handshake_scene){.loop = loop_new()};
    key_make(&sc->cli);
    key_make(&sc->agent);
    key_make(&sc->other);
    stream_pair(sc->loop, 16384, sc->wire);
}

static void handshake_close(struct handshake_scene *sc)
{
    tunnel_session_free(sc->near.session);
    tunnel_session_free(sc->far.session);
    loop_free(sc->loop);
    key_drop(&sc->cli);
    key_drop(&sc->agent);
    key_drop(&sc->other);
}

static void start_both(struct handshake_scene *sc, struct tls_pin expected_by_cli,
                       struct tls_pin expected_by_agent)
{
    const struct peer_options near = {.tls = sc->cli.tls,
                                      .pin = expected_by_cli,
                                      .role = H2_CLIENT,
                                      .done = shaken,
                                      .ud = &sc->near};
    const struct peer_options far = {.tls = sc->agent.tls,
                                     .pin = expected_by_agent,
                                     .role = H2_SERVER,
                                     .done = shaken,
                                     .ud = &sc->far};
    peer_start(sc->loop, sc->wire[0], &near);
    peer_start(sc->loop, sc->wire[1], &far);
}

static void the_right_keys_make_a_session(void **state)
{
    struct handshake_scene sc;
    handshake_open(&sc);
    start_both(&sc, sc.agent.pin, sc.cli.pin);
    TURN_UNTIL(sc.loop, sc.near.n && sc.far.n);
    assert_int_equal(sc.near.result, 0);
    assert_int_equal(sc.far.result, 0);
    struct opening o = {0};
    const struct channel_target target = {CHANNEL_TCP, "localhost", 1};
    const struct channel_open_options options = opening_options(&o, false);
    tunnel_session_open(sc.near.session, &target, &options);
    TURN_UNTIL(sc.loop, o.n_opened);
    assert_int_equal(o.result, DIAL_UNSUPPORTED); /* nobody serves at the far end */
    handshake_close(&sc);
}

static void the_cli_rejects_another_agents_key(void **state)
{
    struct handshake_scene sc;
    handshake_open(&sc);
    start_both(&sc, sc.other.pin, sc.cli.pin);
    TURN_UNTIL(sc.loop, sc.near.n && sc.far.n);
    assert_true(sc.near.result < 0);
    assert_null(sc.near.session);
    assert_true(sc.far.result < 0);
    handshake_close(&sc);
}

static void the_agent_rejects_another_clis_key(void **state)
{
    struct handshake_scene sc;
    handshake_open(&sc);
    start_both(&sc, sc.agent.pin, sc.other.pin);
    TURN_UNTIL(sc.loop, sc.far.n && sc.near.n);
    assert_true(sc.far.result < 0);
    assert_null(sc.far.session);
    /* In TLS 1.3 the client's handshake may succeed before it is refused. */
    if (sc.near.result == 0)
        TURN_UNTIL(sc.loop, sc.near.ended);
    handshake_close(&sc);
}

static void a_silent_peer_times_out(void **state)
{
    struct handshake_scene sc;
    handshake_open(&sc);
    for (int server = 0; server < 2; server++) {
        struct stream *wire[2];
        stream_pair(sc.loop, 16384, wire);
        struct shake h = {0};
        const struct peer_options options = {.tls = sc.cli.tls,
                                             .pin = sc.agent.pin,
                                             .role = server ? H2_SERVER : H2_CLIENT,
                                             .timeout = 20 * USEC_PER_MSEC,
                                             .done = shaken,
                                             .ud = &h};
        peer_start(sc.loop, wire[0], &options);
        TURN_UNTIL(sc.loop, h.n);
        assert_int_equal(h.result, -ETIMEDOUT);
        stream_free(wire[1]);
    }
    stream_free(sc.wire[0]);
    stream_free(sc.wire[1]);
    handshake_close(&sc);
}

static void bytes_that_are_not_tls_fail_the_handshake(void **state)
{
    struct handshake_scene sc;
    struct shake h = {0};
    handshake_open(&sc);
    const struct peer_options options = {
        .tls = sc.agent.tls, .pin = sc.cli.pin, .role = H2_SERVER, .done = shaken, .ud = &h};
    peer_start(sc.loop, sc.wire[1], &options);
    stream_send_bytes(sc.wire[0], "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 28);
    TURN_UNTIL(sc.loop, h.n);
    assert_true(h.result < 0);
    stream_free(sc.wire[0]);
    handshake_close(&sc);
}

static void a_cancelled_handshake_never_calls_back(void **state)
{
    struct handshake_scene sc;
    struct shake h = {0};
    handshake_open(&sc);
    const struct peer_options options = {
        .tls = sc.cli.tls, .pin = sc.agent.pin, .role = H2_CLIENT, .done = shaken, .ud = &h};
    struct peer_handshake *p = peer_start(sc.loop, sc.wire[0], &options);
    loop_turn(sc.loop, false);
    assert_null(peer_cancel(p));
    for (int i = 0; i < 10; i++)
        loop_turn(sc.loop, false);
    assert_int_equal(h.n, 0);
    stream_free(sc.wire[1]);
    handshake_close(&sc);
}

/* ---- server, agent and CLI ---- */

struct relayed_scene {
    struct loop *loop;
    struct key cli, agent, other;
    struct server_link *link;        /* server */
    struct tunnel_session *at_agent; /* agent's end of it */
    struct peer_acceptor *acceptor;
    bool link_ended;

    struct tunnel_session *peer; /* agent's end of the peer session */
    char grant[128];
    int n_connected, n_granted, n_withdrawn;
    bool peer_ended;

    struct shake cli_shake;
    struct relay *relay;
    uint64_t relayed;
};

static void agent_requested(struct tunnel_session *s, struct channel_request *rq, void *ud)
{
    struct relayed_scene *sc = ud;
    if (!peer_acceptor_handle(sc->acceptor, rq))
        channel_answer(rq, 404, NULL);
}

static void peer_requested(struct tunnel_session *s, struct channel_request *rq, void *ud)
{
    struct relayed_scene *sc = ud;
    const char secret[] = "plaintext marker";
    struct stream *channel = channel_accept(rq);
    stream_send_bytes(channel, secret, sizeof(secret) - 1);
    stream_shutdown(channel);
    stream_free(channel);
    (void)sc;
}

static void peer_over(struct tunnel_session *s, int reason, const struct err *err, void *ud)
{
    struct relayed_scene *sc = ud;
    sc->peer_ended = true;
    sc->peer = tunnel_session_free(s);
}

static void connected(struct tunnel_session *session, const struct id *peer, const char *grant,
                      const struct addr *from, void *ud)
{
    struct relayed_scene *sc = ud;
    sc->n_connected++;
    str_copy(sc->grant, sizeof(sc->grant), grant);
    sc->peer = session;
    tunnel_session_set_owner(session, peer_requested, peer_over, sc);
}

static void granted(const struct id *peer, const char *grant, void *ud)
{
    struct relayed_scene *sc = ud;
    sc->n_granted++;
    str_copy(sc->grant, sizeof(sc->grant), grant);
}

static void withdrawn(const struct id *peer, void *ud)
{
    struct relayed_scene *sc = ud;
    sc->n_withdrawn++;
    sc->peer = tunnel_session_free(sc->peer);
}

static void link_over(struct server_link *l, int reason, const struct err *err, void *ud)
{
    ((struct relayed_scene *)ud)->link_ended = true;
}

static void relayed_open(struct relayed_scene *sc)
{
    struct stream *wire[2];
    *sc = (struct relayed_scene){.loop = loop_new()};
    key_make(&sc->cli);
    key_make(&sc->agent);
    key_make(&sc->other);
    stream_pair(sc->loop, 65536, wire);
    const struct server_link_options link = {.ended = link_over, .ud = sc};
    sc->link = server_link_new(sc->loop, wire[0], &link);
    const struct tunnel_session_options agent = {
        .role = H2_SERVER, .requested = agent_requested, .ud = sc};
    sc->at_agent = tunnel_session_new(sc->loop, wire[1], &agent);
    const struct peer_acceptor_options acceptor = {.tls = sc->agent.tls,
                                                   .connected = connected,
                                                   .granted = granted,
                                                   .withdrawn = withdrawn,
                                                   .ud = sc};
    sc->acceptor = peer_acceptor_new(sc->loop, &acceptor);
}

static void relayed_close(struct relayed_scene *sc)
{
    tunnel_session_free(sc->cli_shake.session);
    relay_free(sc->relay);
    peer_acceptor_free(sc->acceptor);
    tunnel_session_free(sc->peer);
    tunnel_session_free(sc->at_agent);
    server_link_free(sc->link);
    loop_free(sc->loop);
    key_drop(&sc->cli);
    key_drop(&sc->agent);
    key_drop(&sc->other);
}

static void relay_over(struct relay *r, int result, void *ud)
{
    struct relayed_scene *sc = ud;
    sc->relay = NULL;
}

/* What the server does for a CLI with `key`; the CLI's handshake begins. */
static void connect_cli(struct relayed_scene *sc, const struct id *peer,
                        const struct key *announced, const struct key *shown)
{
    struct opening o = {0};
    struct stream *wire[2];
    const struct channel_open_options options = opening_options(&o, false);
    server_link_open_peer(sc->link, peer, &announced->pin, "{\"local\":true}", &options);
    TURN_UNTIL(sc->loop, o.n_opened);
    assert_int_equal(o.result, DIAL_OK);
    stream_pair(sc->loop, 65536, wire);
    const struct relay_options relay = {.done = relay_over, .ud = sc};
    sc->relay = relay_new(wire[0], o.channel, &relay);
    const struct peer_options peer_options = {.tls = shown->tls,
                                              .pin = sc->agent.pin,
                                              .role = H2_CLIENT,
                                              .done = shaken,
                                              .ud = &sc->cli_shake};
    peer_start(sc->loop, wire[1], &peer_options);
    TURN_UNTIL(sc->loop, sc->cli_shake.n);
}

static void an_announced_peer_gets_a_session_through_the_relay(void **state)
{
    struct relayed_scene sc;
    struct opening o = {0};
    char got[32];
    ssize_t n = -EAGAIN;
    const struct id peer = id_new();
    relayed_open(&sc);
    connect_cli(&sc, &peer, &sc.cli, &sc.cli);
    assert_int_equal(sc.cli_shake.result, 0);
    TURN_UNTIL(sc.loop, sc.n_connected == 1);
    assert_string_equal(sc.grant, "{\"local\":true}");
    const struct channel_target target = {CHANNEL_TCP, "localhost", 5432};
    const struct channel_open_options options = opening_options(&o, true);
    tunnel_session_open(sc.cli_shake.session, &target, &options);
    TURN_UNTIL(sc.loop, o.n_opened);
    TURN_UNTIL(sc.loop, (n = stream_recv(o.channel, got, sizeof(got))) != -EAGAIN);
    assert_int_equal(n, 16);
    assert_memory_equal(got, "plaintext marker", 16);
    stream_free(o.channel);
    relayed_close(&sc);
}

static void a_peer_with_another_key_gets_nothing(void **state)
{
    struct relayed_scene sc;
    const struct id peer = id_new();
    relayed_open(&sc);
    connect_cli(&sc, &peer, &sc.cli, &sc.other);
    if (sc.cli_shake.result == 0)
        TURN_UNTIL(sc.loop, sc.cli_shake.ended);
    TURN_UNTIL(sc.loop, !sc.relay);
    assert_int_equal(sc.n_connected, 0);
    relayed_close(&sc);
}

static void a_peer_that_was_not_announced_is_refused(void **state)
{
    struct relayed_scene sc;
    struct opening o = {0};
    relayed_open(&sc);
    const struct channel_target target = {.kind = CHANNEL_PEER, .id = id_new()};
    const struct channel_open_options options = opening_options(&o, false);
    tunnel_session_open(server_link_session(sc.link), &target, &options);
    TURN_UNTIL(sc.loop, o.n_opened);
    assert_int_equal(o.result, DIAL_FORBIDDEN);
    relayed_close(&sc);
}

static void note_status(int status, const char *body, size_t len, void *ud)
{
    *(int *)ud = status;
}

static void a_grant_is_replaced_and_a_peer_withdrawn(void **state)
{
    struct relayed_scene sc;
    int status = 0;
    const struct id peer = id_new();
    relayed_open(&sc);
    connect_cli(&sc, &peer, &sc.cli, &sc.cli);
    TURN_UNTIL(sc.loop, sc.n_connected == 1);
    server_link_grant_peer(sc.link, &peer, "{\"local\":false}", note_status, &status);
    TURN_UNTIL(sc.loop, status);
    assert_int_equal(status, 200);
    assert_int_equal(sc.n_granted, 1);
    assert_string_equal(sc.grant, "{\"local\":false}");
    server_link_withdraw_peer(sc.link, &peer);
    TURN_UNTIL(sc.loop, sc.n_withdrawn == 1 && sc.cli_shake.ended);
    status = 0;
    server_link_grant_peer(sc.link, &peer, "{}", note_status, &status);
    TURN_UNTIL(sc.loop, status);
    assert_int_equal(status, 404);
    relayed_close(&sc);
}

static void broken_announcements_are_answered_with_400(void **state)
{
    static const char *const bodies[] = {
        "",
        "{",
        "[]",
        "{}",
        "{\"id\":\"x\",\"pin\":\"y\",\"grant\":{}}",
        "{\"id\":\"00112233445566778899aabbccddeeff\",\"pin\":\"AAAA\",\"grant\":{}}",
        ("{\"id\":\"00112233445566778899aabbccddeeff\",\"grant\":1,"
         "\"pin\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}"),
    };
    struct relayed_scene sc;
    relayed_open(&sc);
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        int status = 0;
        tunnel_session_call(server_link_session(sc.link), "POST", "/peers", bodies[i], note_status,
                            &status);
        TURN_UNTIL(sc.loop, status);
        assert_int_equal(status, 400);
    }
    relayed_close(&sc);
}

TEST_MAIN(cmocka_unit_test(the_right_keys_make_a_session),
          cmocka_unit_test(the_cli_rejects_another_agents_key),
          cmocka_unit_test(the_agent_rejects_another_clis_key),
          cmocka_unit_test(a_silent_peer_times_out),
          cmocka_unit_test(bytes_that_are_not_tls_fail_the_handshake),
          cmocka_unit_test(a_cancelled_handshake_never_calls_back),
          cmocka_unit_test(an_announced_peer_gets_a_session_through_the_relay),
          cmocka_unit_test(a_peer_with_another_key_gets_nothing),
          cmocka_unit_test(a_peer_that_was_not_announced_is_refused),
          cmocka_unit_test(a_grant_is_replaced_and_a_peer_withdrawn),
          cmocka_unit_test(broken_announcements_are_answered_with_400), );
