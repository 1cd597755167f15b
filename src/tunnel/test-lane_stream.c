/*
 * A channel that moves to a lane while it runs: two HTTP/2 sessions in memory, lanes of real TLS on
 * real sockets, a talker at either end that checks every byte.
 */
#include "tunnel/lane_stream.h"

#include "io/tls.h"
#include "tunnel/test_tunnel_scene.h"

enum { MEBIBYTE = 1 << 20 };

struct side {
    struct talker talker;
    int n_moved, n_lost, n_freed, n_busy;
};

struct lane_scene {
    struct tunnel_scene tunnel;
    struct opening opening;
    struct tls_identity *id;
    struct tls_context *tls;
    struct side near, far; /* the CLI's, the agent's */
    bool leaves_tls;
    int near_fd; /* of the lane */
};

static void on_moved(struct stream *s, void *ud)
{
    ((struct side *)ud)->n_moved++;
}

static void on_lost(struct stream *s, void *ud)
{
    ((struct side *)ud)->n_lost++;
}

static void on_freed(struct stream *s, void *ud)
{
    ((struct side *)ud)->n_freed++;
}

static void on_busy(struct stream *s, void *ud)
{
    ((struct side *)ud)->n_busy++;
}

static void side_start(struct side *side, struct stream *channel, uint64_t to_send)
{
    const struct lane_stream_watch watch = {
        .busy = on_busy, .moved = on_moved, .lost = on_lost, .freed = on_freed, .ud = side};
    *side = (struct side){.talker = {.s = lane_stream_new(channel), .to_send = to_send}};
    lane_stream_watch(side->talker.s, &watch);
    talker_start(&side->talker);
}

static void scene_open(struct lane_scene *sc, uint64_t from_near, uint64_t from_far)
{
    const struct channel_target target = {CHANNEL_TCP, "localhost", 1};
    *sc = (struct lane_scene){.tunnel = {.accept = true}};
    sc->id = tls_identity_new();
    assert_int_equal(tls_context_peer(sc->id, &sc->tls, NULL), 0);
    tunnel_scene_open(&sc->tunnel);
    open_target(&sc->tunnel, &sc->opening, &target, false);
    TURN_UNTIL(sc->tunnel.loop, sc->opening.n_opened && sc->tunnel.n_taken);
    side_start(&sc->near, sc->opening.channel, from_near);
    side_start(&sc->far, sc->tunnel.taken[0], from_far);
    sc->tunnel.taken[0] = NULL;
}

static void side_stop(struct side *side)
{
    bool there = side->talker.s != NULL;
    side->talker.s = stream_free(side->talker.s);
    assert_int_equal(side->n_freed, there);
    side->n_freed = 0;
}

static void scene_close(struct lane_scene *sc)
{
    side_stop(&sc->near);
    side_stop(&sc->far);
    tunnel_scene_close(&sc->tunnel);
    tls_context_unref(sc->tls);
    tls_identity_free(sc->id);
}

/* ---- lanes ---- */

static void shaken(struct stream *tls, int result, const struct err *err, void *ud)
{
    assert_int_equal(result, 0);
    ++*(int *)ud;
}

/* Two ends of a lane, after the handshake. */
static void lane_open(struct lane_scene *sc, struct stream *ret[2])
{
    struct stream *wire[2];
    struct tls_pin pin;
    int n = 0;
    socket_streams(sc->tunnel.loop, wire);
    tls_identity_pin(sc->id, &pin);
    for (int i = 0; i < 2; i++) {
        const struct tls_start_options options = {
            .server = i == 1, .pin = &pin, .peer_alpn = "adit-lane/1", .done = shaken, .ud = &n};
        ret[i] = tls_start(sc->tls, wire[i], &options);
    }
    TURN_UNTIL(sc->tunnel.loop, n == 2);
    assert_string_equal(tls_alpn(ret[0]), "adit-lane/1");
    assert_string_equal(tls_alpn(ret[1]), "adit-lane/1");
}

static void lane_attach(struct lane_scene *sc)
{
    struct stream *lane[2];
    lane_open(sc, lane);
    sc->near_fd = stream_fd(lane[0]);
    if (sc->leaves_tls) {
        lane_stream_leave_tls(sc->near.talker.s);
        lane_stream_leave_tls(sc->far.talker.s);
    }
    lane_stream_attach(sc->near.talker.s, lane[0], false);
    lane_stream_attach(sc->far.talker.s, lane[1], true);
}

static bool both_done(const struct lane_scene *sc)
{
    return talker_done(&sc->near.talker) && talker_done(&sc->far.talker);
}

static void expect_all(const struct lane_scene *sc)
{
    assert_int_equal(sc->near.talker.failure, 0);
    assert_int_equal(sc->far.talker.failure, 0);
    assert_int_equal(sc->near.talker.received, sc->far.talker.to_send);
    assert_int_equal(sc->far.talker.received, sc->near.talker.to_send);
}

/* ---- moving ---- */

static void no_byte_is_lost_doubled_or_reordered_wherever_it_moves(void **state)
{
    static const uint64_t moments[] = {0, 1, 100, 16384, 65535, 65536, 200000, MEBIBYTE};
    static const size_t chunks[] = {0, 1000};
    for (size_t i = 0; i < 2 * ARRAY_LEN(moments) * ARRAY_LEN(chunks); i++) {
        uint64_t moment = moments[i / 2 / ARRAY_LEN(chunks)];
        struct lane_scene sc;
        scene_open(&sc, 4 * MEBIBYTE + i, 4 * MEBIBYTE - i);
        sc.leaves_tls = i / ARRAY_LEN(chunks) % 2;
        sc.near.talker.chunk = sc.far.talker.chunk = chunks[i % ARRAY_LEN(chunks)];
        TURN_UNTIL(sc.tunnel.loop, sc.near.talker.received >= moment);
        lane_attach(&sc);
        TURN_UNTIL(sc.tunnel.loop, both_done(&sc));
        expect_all(&sc);
        assert_int_equal(sc.near.n_moved, 1);
        assert_int_equal(sc.far.n_moved, 1);
        assert_int_equal(sc.near.n_lost + sc.far.n_lost, 0);
        scene_close(&sc);
    }
}

/* The end of one direction may come before, while and after the other moves. */
static void half_close_is_kept_wherever_it_falls(void **state)
{
    static const uint64_t lengths[] = {0, 1, 5000, 70000, 2 * MEBIBYTE};
    for (size_t i = 0; i < 2 * ARRAY_LEN(lengths); i++)
        for (int from_near = 0; from_near < 2; from_near++)
            for (int late = 0; late < 2; late++) {
                uint64_t length = lengths[i / 2];
                struct lane_scene sc;
                scene_open(&sc, from_near ? length : 3 * MEBIBYTE,
                           from_near ? 3 * MEBIBYTE : length);
                sc.leaves_tls = i % 2;
                struct side *shorter = from_near ? &sc.near : &sc.far;
                struct side *longer = from_near ? &sc.far : &sc.near;
                if (late)
                    TURN_UNTIL(sc.tunnel.loop, longer->talker.ended);
                assert_false(shorter->talker.ended);
                lane_attach(&sc);
                TURN_UNTIL(sc.tunnel.loop, both_done(&sc));
                expect_all(&sc);
                scene_close(&sc);
            }
}

static void what_is_protected_by_itself_leaves_tls(void **state)
{
    for (int leaves = 0; leaves < 2; leaves++) {
        struct lane_scene sc;
        unsigned char seen[64];
        uint64_t at = 0;
        scene_open(&sc, 0, 16 * MEBIBYTE);
        sc.leaves_tls = leaves;
        sc.near.talker.stalled = true;
        talker_wants(&sc.near.talker);
        lane_attach(&sc);
        TURN_UNTIL(sc.tunnel.loop, recv(sc.near_fd, seen, sizeof(seen), MSG_PEEK) == sizeof(seen) &&
                                       sc.near.n_moved);
        for (size_t n = 0; n < sizeof(seen) && at < 16 * MEBIBYTE; n++)
            if (seen[n] != pattern(at + n)) {
                at++;
                n = SIZE_MAX;
            }
        assert_int_equal(at < 16 * MEBIBYTE, leaves);
        sc.near.talker.stalled = false;
        talker_wants(&sc.near.talker);
        TURN_UNTIL(sc.tunnel.loop, both_done(&sc));
        expect_all(&sc);
        scene_close(&sc);
    }
}

static void whoever_is_done_may_go_at_once(void **state)
{
    for (int near_first = 0; near_first < 2; near_first++) {
        struct lane_scene sc;
        scene_open(&sc, 300000, 300000);
        struct side *one = near_first ? &sc.near : &sc.far;
        struct side *other = near_first ? &sc.far : &sc.near;
        lane_attach(&sc);
        TURN_UNTIL(sc.tunnel.loop, talker_done(&one->talker) && !stream_unsent(one->talker.s));
        side_stop(one);
        TURN_UNTIL(sc.tunnel.loop, talker_done(&other->talker));
        expect_all(&sc);
        scene_close(&sc);
    }
}

static void a_reader_that_stops_stops_the_sender_on_the_lane_too(void **state)
{
    struct lane_scene sc;
    uint64_t before = 0;
    scene_open(&sc, 0, 64 * MEBIBYTE);
    lane_attach(&sc);
    TURN_UNTIL(sc.tunnel.loop, sc.near.n_moved && sc.near.talker.received > MEBIBYTE);
    sc.near.talker.stalled = true;
    talker_wants(&sc.near.talker);
    do {
        before = sc.far.talker.sent;
        for (int i = 0; i < 50; i++)
            loop_turn(sc.tunnel.loop, false);
    } while (sc.far.talker.sent != before);
    assert_true(sc.far.talker.sent < sc.near.talker.received + 8 * MEBIBYTE);
    sc.near.talker.stalled = false;
    talker_wants(&sc.near.talker);
    TURN_UNTIL(sc.tunnel.loop, both_done(&sc));
    expect_all(&sc);
    scene_close(&sc);
}

/* ---- what fails ---- */

static void a_lane_that_dies_before_anything_moved_changes_nothing(void **state)
{
    struct lane_scene sc;
    struct stream *lane[2];
    scene_open(&sc, MEBIBYTE, 2 * MEBIBYTE);
    TURN_UNTIL(sc.tunnel.loop, sc.near.talker.received > 1000);
    lane_open(&sc, lane);
    lane_stream_attach(sc.near.talker.s, lane[0], false);
    for (int i = 0; i < 3; i++)
        loop_turn(sc.tunnel.loop, false);
    stream_free(lane[1]);
    TURN_UNTIL(sc.tunnel.loop, sc.near.n_lost);
    assert_false(lane_stream_has_lane(sc.near.talker.s));
    /* And the next one may do. */
    lane_attach(&sc);
    TURN_UNTIL(sc.tunnel.loop, both_done(&sc));
    expect_all(&sc);
    assert_int_equal(sc.near.n_moved, 1);
    scene_close(&sc);
}

static void a_lane_that_nobody_answers_can_be_given_up(void **state)
{
    struct lane_scene sc;
    struct stream *lane[2];
    scene_open(&sc, MEBIBYTE, MEBIBYTE);
    lane_open(&sc, lane);
    lane_stream_attach(sc.near.talker.s, lane[0], false);
    lane_stream_drop(sc.near.talker.s);
    assert_int_equal(sc.near.n_lost, 1);
    TURN_UNTIL(sc.tunnel.loop, both_done(&sc));
    expect_all(&sc);
    stream_free(lane[1]);
    scene_close(&sc);
}

static void a_lane_that_dies_afterwards_resets_the_channel(void **state)
{
    for (int near = 0; near < 2; near++) {
        struct lane_scene sc;
        scene_open(&sc, 64 * MEBIBYTE, 64 * MEBIBYTE);
        lane_attach(&sc);
        TURN_UNTIL(sc.tunnel.loop, sc.near.n_moved && sc.far.n_moved);
        side_stop(near ? &sc.near : &sc.far);
        struct side *left = near ? &sc.far : &sc.near;
        TURN_UNTIL(sc.tunnel.loop, left->talker.failure);
        assert_true(left->talker.failure == -ECONNRESET || left->talker.failure == -EPIPE);
        assert_false(left->talker.ended);
        assert_int_equal(left->n_lost, 0);
        scene_close(&sc);
    }
}

static void say_number(struct stream *lane, uint64_t number)
{
    unsigned char text[8];
    for (int i = 0; i < 8; i++)
        text[i] = (unsigned char)(number >> (56 - 8 * i));
    assert_int_equal(stream_send_bytes(lane, text, sizeof(text)), sizeof(text));
}

/* One end knows that the lane broke; the other's connection is silent and looks alive. */
static void a_lane_that_broke_on_one_side_ends_on_both(void **state)
{
    struct lane_scene sc;
    struct stream *near[2], *far[2];
    scene_open(&sc, 0, 64 * MEBIBYTE);
    lane_open(&sc, near);
    lane_open(&sc, far);
    lane_stream_attach(sc.near.talker.s, near[0], false);
    lane_stream_attach(sc.far.talker.s, far[1], true);
    say_number(near[1], UINT64_MAX); /* as if the agent's had come through */
    TURN_UNTIL(sc.tunnel.loop, sc.near.n_moved);
    stream_free(far[0]);
    TURN_UNTIL(sc.tunnel.loop, sc.far.talker.failure);
    side_stop(&sc.far);
    TURN_UNTIL(sc.tunnel.loop, sc.near.talker.failure);
    assert_false(sc.near.talker.ended);
    stream_free(near[1]);
    scene_close(&sc);
}

/* The agent has moved and its lane is cut before the CLI heard of it: nobody may take that for an
 * end. */
static void a_lane_cut_between_the_two_moves_resets_the_channel(void **state)
{
    struct lane_scene sc;
    struct stream *lane[2];
    scene_open(&sc, MEBIBYTE, MEBIBYTE);
    lane_open(&sc, lane);
    lane_stream_attach(sc.far.talker.s, lane[1], true);
    stream_free(lane[0]);
    TURN_UNTIL(sc.tunnel.loop, sc.far.talker.failure);
    side_stop(&sc.far);
    TURN_UNTIL(sc.tunnel.loop, sc.near.talker.failure);
    assert_false(sc.near.talker.ended);
    scene_close(&sc);
}

static void a_reset_before_the_move_is_a_reset(void **state)
{
    for (int pending = 0; pending < 2; pending++) {
        struct lane_scene sc;
        struct stream *lane[2] = {NULL};
        scene_open(&sc, MEBIBYTE, MEBIBYTE);
        TURN_UNTIL(sc.tunnel.loop, sc.near.talker.received > 0);
        if (pending) {
            lane_open(&sc, lane);
            lane_stream_attach(sc.near.talker.s, lane[0], false);
        }
        side_stop(&sc.far);
        stream_free(lane[1]);
        TURN_UNTIL(sc.tunnel.loop, sc.near.talker.failure);
        scene_close(&sc);
    }
}

static void a_lane_ends_with_the_session(void **state)
{
    struct lane_scene sc;
    scene_open(&sc, 64 * MEBIBYTE, 64 * MEBIBYTE);
    lane_attach(&sc);
    TURN_UNTIL(sc.tunnel.loop, sc.near.n_moved && sc.far.n_moved);
    sc.tunnel.server = tunnel_session_free(sc.tunnel.server);
    TURN_UNTIL(sc.tunnel.loop, sc.near.talker.failure && sc.far.talker.failure);
    scene_close(&sc);
}

static void a_number_below_what_has_come_is_a_breach(void **state)
{
    struct lane_scene sc;
    struct stream *lane[2];
    scene_open(&sc, 0, 200000);
    TURN_UNTIL(sc.tunnel.loop, sc.near.talker.received > 100);
    lane_open(&sc, lane);
    lane_stream_attach(sc.near.talker.s, lane[0], false);
    say_number(lane[1], 100);
    TURN_UNTIL(sc.tunnel.loop, sc.near.talker.failure);
    assert_int_equal(sc.near.talker.failure, -EPROTO);
    stream_free(lane[1]);
    scene_close(&sc);
}

static void an_end_on_the_channel_before_the_number_said_is_a_breach(void **state)
{
    struct lane_scene sc;
    struct stream *lane[2];
    scene_open(&sc, 0, 1000);
    sc.near.talker.stalled = true;
    talker_wants(&sc.near.talker);
    lane_open(&sc, lane);
    lane_stream_attach(sc.near.talker.s, lane[0], false);
    say_number(lane[1], 5000);
    TURN_UNTIL(sc.tunnel.loop, sc.far.talker.shut && sc.near.n_moved);
    sc.near.talker.stalled = false;
    talker_wants(&sc.near.talker);
    TURN_UNTIL(sc.tunnel.loop, sc.near.talker.failure);
    assert_int_equal(sc.near.talker.received, 1000);
    stream_free(lane[1]);
    scene_close(&sc);
}

/* ---- choosing ---- */

static void much_data_in_a_short_time_is_told(void **state)
{
    struct lane_scene sc;
    scene_open(&sc, 1000, LANE_BUSY_BYTES - 1000);
    TURN_UNTIL(sc.tunnel.loop, both_done(&sc));
    assert_int_equal(sc.near.n_busy + sc.far.n_busy, 0);
    scene_close(&sc);
    scene_open(&sc, 1000, LANE_BUSY_BYTES + MEBIBYTE);
    TURN_UNTIL(sc.tunnel.loop, both_done(&sc));
    assert_int_equal(sc.near.n_busy, 1);
    assert_int_equal(sc.far.n_busy, 1);
    scene_close(&sc);
}

static void a_channel_is_found_by_its_number_while_it_lives(void **state)
{
    struct lane_scene sc;
    scene_open(&sc, 0, 0);
    uint32_t id = h2_channel_id(lane_stream_channel(sc.near.talker.s));
    assert_true(id > 0);
    assert_ptr_equal(lane_stream_find(sc.tunnel.server, id), sc.far.talker.s);
    assert_null(lane_stream_find(sc.tunnel.server, id + 2));
    side_stop(&sc.far);
    assert_null(lane_stream_find(sc.tunnel.server, id));
    scene_close(&sc);
}

TEST_MAIN(cmocka_unit_test(no_byte_is_lost_doubled_or_reordered_wherever_it_moves),
          cmocka_unit_test(half_close_is_kept_wherever_it_falls),
          cmocka_unit_test(what_is_protected_by_itself_leaves_tls),
          cmocka_unit_test(whoever_is_done_may_go_at_once),
          cmocka_unit_test(a_reader_that_stops_stops_the_sender_on_the_lane_too),
          cmocka_unit_test(a_lane_that_dies_before_anything_moved_changes_nothing),
          cmocka_unit_test(a_lane_that_nobody_answers_can_be_given_up),
          cmocka_unit_test(a_lane_that_dies_afterwards_resets_the_channel),
          cmocka_unit_test(a_lane_that_broke_on_one_side_ends_on_both),
          cmocka_unit_test(a_lane_cut_between_the_two_moves_resets_the_channel),
          cmocka_unit_test(a_reset_before_the_move_is_a_reset),
          cmocka_unit_test(a_lane_ends_with_the_session),
          cmocka_unit_test(a_number_below_what_has_come_is_a_breach),
          cmocka_unit_test(an_end_on_the_channel_before_the_number_said_is_a_breach),
          cmocka_unit_test(much_data_in_a_short_time_is_told),
          cmocka_unit_test(a_channel_is_found_by_its_number_while_it_lives));
