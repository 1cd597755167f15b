/* Reverse listeners from both ends, with streams in memory in place of the sockets. */
#include "tunnel/test_tunnel_scene.h"

#include "tunnel/listen_client.h"
#include "tunnel/listen_server.h"

enum { CONNECTIONS = 200 };

struct listen_scene {
    struct tunnel_scene t;
    struct listen_server_options server_options;
    struct listen_client *client;
    struct listen_server *server;
    enum dial_result refuse;
    bool free_in_accepted;

    int n_bound, n_ended, n_closed;
    enum dial_result result;
    uint16_t port;
    char reason[256];

    struct stream *accepted[CONNECTIONS]; /* at the client */
    char originators[CONNECTIONS][64];
    int n_accepted;
    struct stream *inner[CONNECTIONS], *channels[CONNECTIONS]; /* taken, at the server */
    int n_taken;
};

static void bound(struct listen_client *l, enum dial_result result, uint16_t port,
                  const char *reason, void *ud)
{
    struct listen_scene *sc = ud;
    sc->n_bound++;
    sc->result = result;
    sc->port = port;
    str_copy(sc->reason, sizeof(sc->reason), reason);
}

static void accepted(struct listen_client *l, struct stream *connection, const char *originator,
                     void *ud)
{
    struct listen_scene *sc = ud;
    str_copy(sc->originators[sc->n_accepted], 64, originator);
    sc->accepted[sc->n_accepted++] = connection;
    if (sc->free_in_accepted)
        sc->client = listen_client_free(l);
}

static void client_ended(struct listen_client *l, int reason, void *ud)
{
    struct listen_scene *sc = ud;
    sc->n_ended++;
    sc->client = listen_client_free(l);
}

static void taken(struct listen_server *l, struct stream *connection, struct stream *channel,
                  struct tunnel_session *taker, void *ud)
{
    struct listen_scene *sc = ud;
    assert_ptr_equal(taker, sc->t.server);
    sc->inner[sc->n_taken] = connection;
    sc->channels[sc->n_taken++] = channel;
}

static void closed(struct listen_server *l, void *ud)
{
    struct listen_scene *sc = ud;
    sc->n_closed++;
    sc->server = listen_server_free(l);
}

static void serve(struct tunnel_session *s, struct channel_request *rq, void *ud)
{
    struct listen_scene *sc = ud;
    enum channel_kind kind = channel_request_info(rq)->kind;
    if (kind == CHANNEL_ACCEPT)
        listen_server_take(rq, s);
    else if (sc->refuse)
        channel_refuse(rq, sc->refuse, "port 80 of nobody");
    else
        sc->server = listen_server_new(rq, 40123, &sc->server_options);
}

static void scene_open(struct listen_scene *sc)
{
    tunnel_scene_open(&sc->t);
    tunnel_session_set_owner(sc->t.server, serve, NULL, sc);
    sc->server_options.taken = taken;
    sc->server_options.closed = closed;
    sc->server_options.ud = sc;
    const struct listen_client_options options = {.bind = "localhost",
                                                  .port = 0,
                                                  .bound = bound,
                                                  .accepted = accepted,
                                                  .ended = client_ended,
                                                  .ud = sc};
    sc->client = listen_client_new(sc->t.client, &options);
    assert_int_equal(sc->n_bound, 0);
    TURN_UNTIL(sc->t.loop, sc->n_bound);
}

static void scene_close(struct listen_scene *sc)
{
    for (int i = 0; i < CONNECTIONS; i++) {
        stream_free(sc->accepted[i]);
        stream_free(sc->inner[i]);
        stream_free(sc->channels[i]);
    }
    listen_client_free(sc->client);
    listen_server_free(sc->server);
    tunnel_scene_close(&sc->t);
}

/* A connection comes; returns its outer end. */
static struct stream *connect_to(struct listen_scene *sc, const char *originator, int *ret_result)
{
    struct stream *ends[2];
    stream_pair(sc->t.loop, 4096, ends);
    int result = listen_server_offer(sc->server, ends[1], originator);
    if (ret_result)
        *ret_result = result;
    return ends[0];
}

static void a_listener_is_bound_and_names_its_port(void **state)
{
    struct listen_scene sc = {0};
    scene_open(&sc);
    assert_int_equal(sc.result, DIAL_OK);
    assert_int_equal(sc.port, 40123);
    scene_close(&sc);
}

static void a_listener_that_cannot_be_bound_says_why(void **state)
{
    struct listen_scene sc = {.refuse = DIAL_NOT_PERMITTED};
    scene_open(&sc);
    assert_int_equal(sc.result, DIAL_NOT_PERMITTED);
    assert_string_equal(sc.reason, "port 80 of nobody");
    scene_close(&sc);
}

static void each_connection_is_announced_and_taken(void **state)
{
    struct stream *outer[100];
    struct listen_scene sc = {0};
    scene_open(&sc);
    for (int i = 0; i < 100; i++)
        outer[i] = connect_to(&sc, i % 2 ? "[::1]:5000" : NULL, NULL);
    TURN_UNTIL(sc.t.loop, sc.n_accepted == 100 && sc.n_taken == 100);
    for (int i = 0; i < 100; i++) {
        assert_string_equal(sc.originators[i], i % 2 ? "[::1]:5000" : "");
        struct talker near = {.s = sc.accepted[i], .to_send = 3000};
        struct talker far = {.s = sc.channels[i], .to_send = 2000};
        talker_start(&near);
        talker_start(&far);
        TURN_UNTIL(sc.t.loop, talker_done(&near) && talker_done(&far));
        assert_int_equal(near.received, 2000);
        assert_int_equal(far.received, 3000);
        stream_free(outer[i]);
    }
    scene_close(&sc);
}

static void more_than_may_wait_are_turned_away(void **state)
{
    struct listen_scene sc = {.server_options.max_waiting = 3};
    int result = 0;
    scene_open(&sc);
    for (int i = 0; i < 4; i++) {
        struct stream *outer = connect_to(&sc, "1.2.3.4:5", &result);
        assert_int_equal(result, i < 3 ? 0 : -EBUSY);
        stream_free(outer);
    }
    TURN_UNTIL(sc.t.loop, sc.n_taken == 3);
    stream_free(connect_to(&sc, "1.2.3.4:5", &result));
    assert_int_equal(result, 0);
    scene_close(&sc);
}

static void a_connection_that_nobody_takes_is_closed_in_time(void **state)
{
    struct listen_scene sc = {.server_options.take_timeout = 30 * USEC_PER_MSEC};
    char got[4];
    scene_open(&sc);
    /* The client's session does not read any more, so it cannot take. */
    struct stream *carrier = sc.t.wire[0];
    stream_want(carrier, 0);
    struct stream *outer = connect_to(&sc, NULL, NULL);
    TURN_UNTIL(sc.t.loop, stream_recv(outer, got, 4) == 0);
    stream_want(carrier, STREAM_READ);
    for (int i = 0; i < 50; i++)
        loop_turn(sc.t.loop, false);
    assert_int_equal(sc.n_taken, 0);
    for (int i = 0; i < sc.n_accepted; i++)
        assert_true(stream_recv(sc.accepted[i], got, 4) < 0);
    stream_free(outer);
    scene_close(&sc);
}

static void closing_the_listener_leaves_its_connections_alone(void **state)
{
    struct listen_scene sc = {0};
    scene_open(&sc);
    struct stream *outer = connect_to(&sc, NULL, NULL);
    TURN_UNTIL(sc.t.loop, sc.n_accepted == 1 && sc.n_taken == 1);
    sc.client = listen_client_free(sc.client);
    TURN_UNTIL(sc.t.loop, sc.n_closed == 1);
    struct talker near = {.s = sc.accepted[0], .to_send = 300000};
    struct talker far = {.s = sc.channels[0], .to_send = 1};
    talker_start(&near);
    talker_start(&far);
    TURN_UNTIL(sc.t.loop, talker_done(&near) && talker_done(&far));
    assert_int_equal(far.received, 300000);
    stream_free(outer);
    scene_close(&sc);
}

static void the_serving_end_may_end_the_listener(void **state)
{
    struct listen_scene sc = {0};
    scene_open(&sc);
    stream_free(connect_to(&sc, NULL, NULL));
    sc.server = listen_server_free(sc.server);
    TURN_UNTIL(sc.t.loop, sc.n_ended == 1);
    scene_close(&sc);
}

static void both_ends_learn_of_the_end_of_the_session(void **state)
{
    struct listen_scene sc = {0};
    scene_open(&sc);
    stream_free(connect_to(&sc, NULL, NULL));
    sc.t.server = tunnel_session_free(sc.t.server);
    TURN_UNTIL(sc.t.loop, sc.n_ended == 1 && sc.n_closed == 1);
    scene_close(&sc);
}

static void the_client_may_be_freed_inside_accepted(void **state)
{
    struct listen_scene sc = {.free_in_accepted = true};
    scene_open(&sc);
    for (int i = 0; i < 5; i++)
        stream_free(connect_to(&sc, NULL, NULL));
    TURN_UNTIL(sc.t.loop, sc.n_accepted == 1 && sc.n_closed == 1);
    assert_null(sc.client);
    scene_close(&sc);
}

static void an_accept_for_nothing_is_refused(void **state)
{
    struct listen_scene sc = {0};
    struct opening o = {0};
    scene_open(&sc);
    const struct channel_target target = {CHANNEL_ACCEPT, .id = id_new()};
    open_target(&sc.t, &o, &target, false);
    TURN_UNTIL(sc.t.loop, o.n_opened);
    assert_int_equal(o.result, DIAL_CLOSED);
    scene_close(&sc);
}

TEST_MAIN(cmocka_unit_test(a_listener_is_bound_and_names_its_port),
          cmocka_unit_test(a_listener_that_cannot_be_bound_says_why),
          cmocka_unit_test(each_connection_is_announced_and_taken),
          cmocka_unit_test(more_than_may_wait_are_turned_away),
          cmocka_unit_test(a_connection_that_nobody_takes_is_closed_in_time),
          cmocka_unit_test(closing_the_listener_leaves_its_connections_alone),
          cmocka_unit_test(the_serving_end_may_end_the_listener),
          cmocka_unit_test(both_ends_learn_of_the_end_of_the_session),
          cmocka_unit_test(the_client_may_be_freed_inside_accepted),
          cmocka_unit_test(an_accept_for_nothing_is_refused), );
