/*
 * Lanes from the wish to the move: the CLI's and the agent's side on one session in memory, their
 * lanes over real TCP and TLS, by a small server that joins them, or directly.
 */
#include "tunnel/lane_client.h"
#include "tunnel/lane_server.h"

#include <fcntl.h>

#include "io/addr.h"
#include "io/listener.h"
#include "io/relay.h"
#include "tunnel/direct_acceptor.h"
#include "tunnel/lane_stream.h"
#include "tunnel/test_tunnel_scene.h"

enum { MEBIBYTE = 1 << 20, ENDS_MAX = 16, HEAD_MAX = 1024 };

struct key {
    struct tls_identity *id;
    struct tls_context *tls;
    struct tls_pin pin;
};

/* A connection of the small server. */
struct end {
    struct scene *scene;
    struct stream *s;
    char head[HEAD_MAX + 1];
    size_t len;
    bool asked;
};

struct scene {
    struct tunnel_scene tunnel;
    struct key cli, agent, thief;
    struct id peer;
    struct lane_server *server; /* NULL: the agent knows of no lanes */
    struct lane_client *client;
    struct opening opening;
    struct talker near, far;
    bool far_is_there;
    int n_moved, n_wishes;
    int n_asked; /* outcomes told */
    bool asked_moved;

    struct listener *listener;
    char url[64];
    bool direct, refuse, steal;
    struct end ends[ENDS_MAX];
    int n_ends;
    struct relay *relays[ENDS_MAX];
    int n_relays;
    struct stream *shaking[ENDS_MAX]; /* TLS as who answers */
    int n_shaking;
    struct lane_key lane_key;
};

static void key_make(struct key *k)
{
    k->id = tls_identity_new();
    tls_identity_pin(k->id, &k->pin);
    assert_int_equal(tls_context_peer(k->id, &k->tls, NULL), 0);
}

static void key_drop(struct key *k)
{
    tls_context_unref(k->tls);
    tls_identity_free(k->id);
}

/* ---- the agent ---- */

static void requested(struct tunnel_session *session, struct channel_request *rq, void *ud)
{
    struct scene *sc = container_of(ud, struct scene, tunnel);
    if (channel_request_info(rq)->kind == CHANNEL_TCP) {
        sc->far =
            (struct talker){.s = lane_stream_wrap(channel_accept(rq)), .to_send = sc->far.to_send};
        sc->far_is_there = true;
        talker_start(&sc->far);
        return;
    }
    assert_string_equal(channel_request_info(rq)->path, "/lanes");
    sc->n_wishes++;
    if (sc->server)
        lane_server_answer(sc->server, rq, &sc->peer, &sc->cli.pin);
    else
        channel_answer(rq, 404, NULL);
}

/* ---- the small server, or the agent's own port ---- */

static void relay_over(struct relay *r, int result, void *ud)
{
    struct scene *sc = ud;
    for (int i = 0; i < sc->n_relays; i++)
        if (sc->relays[i] == r)
            sc->relays[i] = NULL;
}

static void join(struct scene *sc, struct stream *a, struct stream *b)
{
    const struct relay_options options = {.splice = true, .done = relay_over, .ud = sc};
    sc->relays[sc->n_relays++] = relay_new(a, b, &options);
}

static void ignore(struct stream *tls, int result, const struct err *err, void *ud)
{
}

/* Both ends have come: they are joined, or meet one who has neither of the keys. */
static void pair_up(struct scene *sc)
{
    static const char answer[] =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: adit-lane\r\n\r\n";
    struct stream *both[2] = {NULL, NULL};
    int n = 0;
    for (int i = 0; i < sc->n_ends; i++)
        if (sc->ends[i].asked && sc->ends[i].s && n < 2) {
            both[n++] = sc->ends[i].s;
            sc->ends[i].s = NULL;
        }
    assert_int_equal(n, 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(stream_send_bytes(both[i], answer, strlen(answer)), strlen(answer));
    if (!sc->steal) {
        join(sc, both[0], both[1]);
        return;
    }
    for (int i = 0; i < 2; i++) {
        const struct tls_start_options options = {.server = i == 0,
                                                  .pin = i == 0 ? &sc->cli.pin : &sc->agent.pin,
                                                  .peer_alpn = "adit-lane/1",
                                                  .done = ignore};
        sc->shaking[sc->n_shaking++] = tls_start(sc->thief.tls, both[i], &options);
    }
}

static void head_came(struct stream *s, unsigned events, void *ud)
{
    struct end *e = ud;
    struct scene *sc = e->scene;
    int n_asked = 0;
    ssize_t n = stream_recv(s, e->head + e->len, 1);
    while (n > 0 && e->len < HEAD_MAX - 1 && !strstr(e->head, "\r\n\r\n"))
        n = stream_recv(s, e->head + ++e->len, 1);
    if (n <= 0 && n != -EAGAIN) {
        e->s = stream_free(e->s);
        return;
    }
    if (!strstr(e->head, "\r\n\r\n") || e->asked)
        return;
    stream_want(s, 0);
    /* Whoever looks at open ports of this machine may come by. */
    if (!strstr(e->head, "GET /prefix/api/v1/lanes/")) {
        e->s = stream_free(e->s);
        return;
    }
    assert_non_null(strstr(e->head, "Upgrade: adit-lane\r\n"));
    e->asked = true;
    if (sc->refuse) {
        stream_send_bytes(s, "HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n", 38);
        e->s = stream_free(e->s);
        return;
    }
    for (int i = 0; i < sc->n_ends; i++)
        n_asked += sc->ends[i].asked && sc->ends[i].s;
    if (n_asked == 2)
        pair_up(sc);
}

static void came_directly(struct stream *tls, int result, const struct err *err, void *ud)
{
    struct scene *sc = ud;
    const struct direct_protocol *protocol = lane_server_protocol(sc->server);
    for (int i = 0; i < sc->n_shaking; i++)
        if (sc->shaking[i] == tls)
            sc->shaking[i] = NULL;
    if (result < 0)
        stream_free(tls);
    else
        protocol->accepted(tls, &sc->peer, NULL, protocol->ud);
}

static void accepted(struct listener *l, struct stream *s, const struct addr *peer, void *ud)
{
    struct scene *sc = ud;
    if (sc->n_ends == ENDS_MAX || sc->n_shaking == ENDS_MAX) {
        stream_free(s);
        return;
    }
    if (sc->direct) {
        const struct tls_start_options options = {
            .server = true, .pin = &sc->cli.pin, .done = came_directly, .ud = sc};
        sc->shaking[sc->n_shaking++] = tls_start(sc->agent.tls, s, &options);
        return;
    }
    struct end *e = &sc->ends[sc->n_ends++];
    *e = (struct end){.scene = sc, .s = s};
    stream_set_ready(s, head_came, e);
    stream_want(s, STREAM_READ);
}

/* ---- the CLI ---- */

static bool find_way(struct tunnel_session *session, struct lane_way *ret, void *ud)
{
    struct scene *sc = ud;
    assert_ptr_equal(session, sc->tunnel.client);
    *ret = (struct lane_way){.pin = sc->agent.pin,
                             .direct = sc->direct,
                             .addr = *listener_addr(sc->listener),
                             .server_url = sc->url,
                             .key = sc->lane_key};
    return true;
}

static void moved(void *ud)
{
    ((struct scene *)ud)->n_moved++;
}

static void scene_open(struct scene *sc, uint64_t from_near, uint64_t from_far)
{
    const struct channel_target target = {CHANNEL_TCP, "localhost", 1};
    const struct listener_options listen = {.accepted = accepted, .ud = sc};
    struct addr here;
    key_make(&sc->cli);
    key_make(&sc->agent);
    key_make(&sc->thief);
    sc->peer = id_new();
    sc->lane_key = lane_key_new(0);
    tunnel_scene_open(&sc->tunnel);
    tunnel_session_set_owner(sc->tunnel.server, requested, tunnel_scene_ended, &sc->tunnel);
    tunnel_session_allow_lanes(sc->tunnel.server);
    assert_int_equal(addr_from_ip("127.0.0.1", 0, &here), 0);
    assert_int_equal(listener_open(sc->tunnel.loop, &here, &listen, &sc->listener, NULL), 0);
    snprintf(sc->url, sizeof(sc->url), "https://127.0.0.1:%u/prefix/",
             addr_port(listener_addr(sc->listener)));
    const struct lane_client_options client = {.tls = sc->cli.tls, .way = find_way, .ud = sc};
    sc->client = lane_client_new(sc->tunnel.loop, &client);
    sc->far.to_send = from_far;
    open_target(&sc->tunnel, &sc->opening, &target, false);
    TURN_UNTIL(sc->tunnel.loop, sc->opening.n_opened && sc->far_is_there);
    sc->near = (struct talker){.s = lane_client_wrap(sc->client, sc->opening.channel, moved, sc),
                               .to_send = from_near};
    talker_start(&sc->near);
}

static void serve_lanes(struct scene *sc, size_t max)
{
    const struct lane_server_options options = {
        .tls = sc->agent.tls, .server_url = sc->url, .max_lanes = max};
    sc->server = lane_server_new(sc->tunnel.loop, &options);
}

static void scene_close(struct scene *sc)
{
    sc->near.s = stream_free(sc->near.s);
    sc->far.s = stream_free(sc->far.s);
    lane_client_free(sc->client);
    lane_server_free(sc->server);
    listener_close(sc->listener);
    for (int i = 0; i < sc->n_ends; i++)
        stream_free(sc->ends[i].s);
    for (int i = 0; i < sc->n_relays; i++)
        relay_free(sc->relays[i]);
    for (int i = 0; i < sc->n_shaking; i++)
        stream_free(sc->shaking[i]);
    tunnel_scene_close(&sc->tunnel);
    key_drop(&sc->cli);
    key_drop(&sc->agent);
    key_drop(&sc->thief);
}

static void expect_all(struct scene *sc)
{
    TURN_UNTIL(sc->tunnel.loop, talker_done(&sc->near) && talker_done(&sc->far));
    assert_int_equal(sc->near.failure, 0);
    assert_int_equal(sc->far.failure, 0);
    assert_int_equal(sc->near.received, sc->far.to_send);
    assert_int_equal(sc->far.received, sc->near.to_send);
}

/* ---- tests ---- */

static void a_heavy_channel_gets_a_lane_and_all_its_bytes(void **state)
{
    for (int direct = 0; direct < 2; direct++)
        for (int up = 0; up < 2; up++) {
            struct scene sc = {.direct = direct};
            scene_open(&sc, up ? 48 * MEBIBYTE : 1000, up ? 1000 : 48 * MEBIBYTE);
            serve_lanes(&sc, 0);
            expect_all(&sc);
            assert_int_equal(sc.n_moved, 1);
            assert_int_equal(sc.n_wishes, 1);
            assert_int_equal(sc.n_relays, !direct);
            scene_close(&sc);
        }
}

static void asked(bool moved, void *ud)
{
    struct scene *sc = ud;
    sc->n_asked++;
    sc->asked_moved = moved;
}

static void one_that_is_asked_for_comes_before_any_byte(void **state)
{
    for (int direct = 0; direct < 2; direct++) {
        struct scene sc = {.direct = direct};
        scene_open(&sc, 0, 0);
        serve_lanes(&sc, 0);
        assert_true(lane_client_ask(sc.client, sc.near.s, asked, &sc));
        assert_int_equal(sc.n_asked, 0);
        TURN_UNTIL(sc.tunnel.loop, sc.n_asked && sc.far_is_there);
        assert_true(sc.asked_moved);
        assert_int_equal(sc.n_moved, 1);
        expect_all(&sc);
        scene_close(&sc);
    }
}

static void who_asked_for_one_hears_that_there_is_none(void **state)
{
    struct scene sc = {.refuse = true};
    scene_open(&sc, 1000, 0);
    serve_lanes(&sc, 0);
    assert_true(lane_client_ask(sc.client, sc.near.s, asked, &sc));
    TURN_UNTIL(sc.tunnel.loop, sc.n_asked);
    assert_false(sc.asked_moved);
    assert_false(lane_client_ask(sc.client, sc.near.s, asked, &sc)); /* so soon */
    expect_all(&sc);
    assert_int_equal(sc.n_asked, 1);
    scene_close(&sc);
}

static void an_agent_that_knows_of_none_leaves_it_where_it_is(void **state)
{
    struct scene sc = {0};
    scene_open(&sc, 0, 24 * MEBIBYTE);
    expect_all(&sc);
    assert_int_equal(sc.n_moved, 0);
    assert_int_equal(sc.n_wishes, 1); /* it is not asked for again soon */
    scene_close(&sc);
}

static void a_server_that_joins_none_leaves_it_where_it_is(void **state)
{
    struct scene sc = {.refuse = true};
    scene_open(&sc, 24 * MEBIBYTE, 0);
    serve_lanes(&sc, 0);
    expect_all(&sc);
    assert_int_equal(sc.n_moved, 0);
    assert_int_equal(sc.n_wishes, 1);
    scene_close(&sc);
}

static void whoever_stole_the_tickets_gets_nothing(void **state)
{
    struct scene sc = {.steal = true};
    scene_open(&sc, 24 * MEBIBYTE, 24 * MEBIBYTE);
    serve_lanes(&sc, 0);
    expect_all(&sc);
    assert_int_equal(sc.n_moved, 0);
    assert_int_equal(sc.n_shaking, 2);
    char byte;
    for (int i = 0; i < 2; i++) {
        ssize_t n;
        do {
            loop_turn(sc.tunnel.loop, false);
            n = stream_recv(sc.shaking[i], &byte, 1);
        } while (n == -EAGAIN);
        assert_true(n < 0);
    }
    scene_close(&sc);
}

static void a_right_key_with_another_token_moves_nothing(void **state)
{
    struct scene sc = {.direct = true};
    struct stream *wire[2], *tls[2];
    struct id token = id_new();
    int n = 0;
    scene_open(&sc, 1000, 1000);
    serve_lanes(&sc, 0);
    socket_streams(sc.tunnel.loop, wire);
    for (int i = 0; i < 2; i++) {
        const struct tls_start_options options = {.server = i == 1,
                                                  .pin = i == 1 ? &sc.cli.pin : &sc.agent.pin,
                                                  .peer_alpn = "adit-lane/1",
                                                  .done = ignore};
        tls[i] = tls_start(i == 1 ? sc.agent.tls : sc.cli.tls, wire[i], &options);
    }
    TURN_UNTIL(sc.tunnel.loop, *tls_alpn(tls[0]) && *tls_alpn(tls[1]));
    const struct direct_protocol *protocol = lane_server_protocol(sc.server);
    protocol->accepted(tls[1], &sc.peer, NULL, protocol->ud);
    assert_int_equal(stream_send_bytes(tls[0], token.bytes, ID_LEN), ID_LEN);
    char byte;
    do {
        loop_turn(sc.tunnel.loop, false);
        n = (int)stream_recv(tls[0], &byte, 1);
    } while (n == -EAGAIN);
    assert_true(n < 0);
    stream_free(tls[0]);
    expect_all(&sc);
    scene_close(&sc);
}

/* A wish for a channel that has one already, or for none, or that is broken. */
static void wish_answered(int status, const char *body, size_t len, void *ud)
{
    *(int *)ud = status;
}

static void broken_wishes_are_refused(void **state)
{
    static const struct {
        const char *json;
        int status;
    } table[] = {
        {"{", 400},
        {"{\"channel\":1}", 400},
        {"{\"channel\":0,\"token\":\"0123456789abcdef0123456789abcdef\"}", 400},
        {"{\"channel\":1,\"token\":\"short\"}", 400},
        {"{\"channel\":1,\"token\":\"0123456789abcdef0123456789abcdef\",\"ticket\":\"x\"}", 400},
        {"{\"channel\":99,\"token\":\"0123456789abcdef0123456789abcdef\"}", 404},
        {"{\"channel\":1,\"token\":\"0123456789abcdef0123456789abcdef\"}", 202},
        {"{\"channel\":1,\"token\":\"0123456789abcdef0123456789abcdef\"}", 503},
    };
    struct scene sc = {.direct = true};
    scene_open(&sc, 1000, 1000);
    serve_lanes(&sc, 1);
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        int status = 0;
        tunnel_session_call(sc.tunnel.client, "POST", "/lanes", table[i].json, wish_answered,
                            &status);
        TURN_UNTIL(sc.tunnel.loop, status);
        assert_int_equal(status, table[i].status);
    }
    expect_all(&sc);
    scene_close(&sc);
}

static void either_end_may_go_at_any_moment(void **state)
{
    for (int turns = 0; turns < 60; turns++) {
        struct scene sc = {.direct = turns % 2};
        scene_open(&sc, 64 * MEBIBYTE, 64 * MEBIBYTE);
        serve_lanes(&sc, 0);
        TURN_UNTIL(sc.tunnel.loop, sc.n_wishes);
        for (int i = 0; i < turns / 2; i++)
            loop_turn(sc.tunnel.loop, false);
        if (turns % 3 == 0)
            sc.near.s = stream_free(sc.near.s);
        else if (turns % 3 == 1)
            sc.far.s = stream_free(sc.far.s);
        else
            sc.client = lane_client_free(sc.client);
        for (int i = 0; i < 20; i++)
            loop_turn(sc.tunnel.loop, false);
        scene_close(&sc);
    }
}

TEST_MAIN(cmocka_unit_test(a_heavy_channel_gets_a_lane_and_all_its_bytes),
          cmocka_unit_test(one_that_is_asked_for_comes_before_any_byte),
          cmocka_unit_test(who_asked_for_one_hears_that_there_is_none),
          cmocka_unit_test(an_agent_that_knows_of_none_leaves_it_where_it_is),
          cmocka_unit_test(a_server_that_joins_none_leaves_it_where_it_is),
          cmocka_unit_test(whoever_stole_the_tickets_gets_nothing),
          cmocka_unit_test(a_right_key_with_another_token_moves_nothing),
          cmocka_unit_test(broken_wishes_are_refused),
          cmocka_unit_test(either_end_may_go_at_any_moment));
