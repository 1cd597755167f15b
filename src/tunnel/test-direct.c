/* A peer link with a direct path, from relay to direct and back, over sockets of this machine. */
#include "tunnel/test_direct_link.h"

static const struct peer_link_options wanted = {
    .direct = true, .direct_retry = 20 * USEC_PER_MSEC, .direct_silence = 100 * USEC_PER_MSEC};

static void open_channel(struct direct_scene *sc, struct opening *o, bool early)
{
    const struct channel_target target = {CHANNEL_TCP, "localhost", 5432};
    const struct channel_open_options options = opening_options(o, early);
    *o = (struct opening){0};
    o->open = peer_link_open(sc->peer_link, &target, &options);
}

/* Opens one and closes it; whether it went directly. */
static bool goes_directly(struct direct_scene *sc)
{
    struct opening o;
    int direct = sc->n_direct_channels, before = sc->n_channels;
    open_channel(sc, &o, false);
    TURN_UNTIL(sc->loop, o.n_opened && sc->n_channels > before);
    assert_int_equal(o.result, DIAL_OK);
    stream_free(o.channel);
    return sc->n_direct_channels > direct;
}

static void become_direct(struct direct_scene *sc)
{
    scene_link(sc, wanted);
    TURN_UNTIL(sc->loop, sc->path.kind == PEER_PATH_DIRECT);
}

static void it_begins_on_the_relay_and_goes_on_directly(void **state)
{
    struct direct_scene sc;
    struct opening first;
    struct addr here;
    scene_open(&sc, NULL);
    scene_link(&sc, wanted);
    open_channel(&sc, &first, false);
    TURN_UNTIL(sc.loop, first.n_opened);
    assert_int_equal(sc.n_direct_channels, 0);
    TURN_UNTIL(sc.loop, sc.path.kind == PEER_PATH_DIRECT);
    here = scene_address(&sc);
    assert_true(addr_equal(&sc.path.addr, &here));
    assert_int_equal(sc.n_paths, 2); /* relay, direct */
    assert_true(goes_directly(&sc));

    /* What is on the relay stays there. */
    char got[8];
    ssize_t n = -EAGAIN;
    stream_send_bytes(sc.channels[0], "still", 5);
    TURN_UNTIL(sc.loop, (n = stream_recv(first.channel, got, sizeof(got))) != -EAGAIN);
    assert_int_equal(n, 5);
    stream_free(first.channel);
    scene_close(&sc);
}

static void without_the_wish_nothing_is_dialled(void **state)
{
    struct direct_scene sc;
    scene_open(&sc, NULL);
    scene_link(&sc, (struct peer_link_options){0});
    assert_false(goes_directly(&sc));
    assert_int_equal(sc.n_told, 0);
    assert_int_equal(sc.n_accepted, 0);
    scene_close(&sc);
}

static void a_grant_without_it_keeps_to_the_relay(void **state)
{
    struct direct_scene sc;
    scene_open(&sc, NULL);
    sc.refuse_direct = true;
    scene_link(&sc, wanted);
    TURN_UNTIL(sc.loop, sc.n_accepted >= 3); /* tried, and tried again with pauses */
    assert_false(goes_directly(&sc));
    assert_int_equal(scene_sessions(&sc, true), 0);
    assert_true(direct_acceptor_counts(sc.acceptor).refused >= 1);
    scene_close(&sc);
}

static void a_session_that_ends_leaves_the_relay_and_comes_back(void **state)
{
    struct direct_scene sc;
    struct opening on_it;
    scene_open(&sc, NULL);
    become_direct(&sc);
    open_channel(&sc, &on_it, false);
    TURN_UNTIL(sc.loop, on_it.n_opened);
    scene_end_sessions(&sc, true);
    TURN_UNTIL(sc.loop, sc.path.kind == PEER_PATH_RELAY);
    assert_true(sc.connected);
    char byte;
    assert_true(stream_recv(on_it.channel, &byte, 1) < 0);
    stream_free(on_it.channel);
    assert_false(goes_directly(&sc));
    TURN_UNTIL(sc.loop, sc.path.kind == PEER_PATH_DIRECT);
    assert_true(goes_directly(&sc));
    scene_close(&sc);
}

static void an_open_on_a_path_that_falls_silent_is_asked_again_on_the_relay(void **state)
{
    struct direct_scene sc;
    struct opening o;
    scene_open(&sc, NULL);
    become_direct(&sc);
    scene_cut(&sc);
    open_channel(&sc, &o, false);
    TURN_UNTIL(sc.loop, o.n_opened);
    assert_int_equal(o.result, DIAL_OK);
    assert_int_equal(sc.n_direct_channels, 0);
    assert_int_equal(sc.path.kind, PEER_PATH_RELAY);
    assert_int_equal(scene_sessions(&sc, true), 1); /* as far as the agent knows */
    stream_free(o.channel);
    assert_false(goes_directly(&sc));
    scene_close(&sc);
}

static void fired(struct timer *t, void *ud)
{
    *(bool *)ud = true;
}

static void after_a_while_nothing_is_handed_over_early(void **state)
{
    struct direct_scene sc;
    struct opening o;
    struct timer t;
    bool over = false;
    scene_open(&sc, NULL);
    become_direct(&sc);
    timer_init(&t, sc.loop, fired, &over);
    timer_start(&t, 50 * USEC_PER_MSEC);
    TURN_UNTIL(sc.loop, over);
    scene_cut(&sc);
    open_channel(&sc, &o, true);
    TURN_UNTIL(sc.loop, o.n_opened);
    assert_int_equal(o.result, DIAL_OK);
    TURN_UNTIL(sc.loop, sc.n_channels == 1);
    assert_int_equal(sc.n_direct_channels, 0);
    stream_free(o.channel);
    scene_close(&sc);
}

static void an_agent_with_another_key_is_not_it(void **state)
{
    struct direct_scene sc, other;
    scene_open(&sc, NULL);
    scene_open(&other, NULL);
    struct addr there = scene_address(&other);
    sc.candidates.n = 0;
    candidates_add(&sc.candidates, &there);
    scene_link(&sc, wanted);
    while (other.n_accepted < 2) {
        loop_turn(sc.loop, false);
        loop_turn(other.loop, false);
    }
    assert_int_equal(sc.path.kind, PEER_PATH_RELAY);
    assert_int_equal(scene_sessions(&other, true), 0);
    scene_close(&sc);
    scene_close(&other);
}

/* The first address takes the connection and says nothing; the second is the agent's. */
static void one_that_says_nothing_does_not_hold_up_the_next(void **state)
{
    struct direct_scene sc;
    struct addr mute_addr, here;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    scene_open(&sc, NULL);
    here = scene_address(&sc);
    assert_int_equal(addr_from_ip("127.0.0.1", 0, &mute_addr), 0);
    assert_int_equal(bind(fd, &mute_addr.sa, mute_addr.len), 0);
    assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(addr_of_socket(fd, &mute_addr), 0);
    sc.candidates.n = 0;
    candidates_add(&sc.candidates, &mute_addr);
    candidates_add(&sc.candidates, &here);
    become_direct(&sc);
    assert_true(addr_equal(&sc.path.addr, &here));
    close(fd);
    scene_close(&sc);
}

static void new_addresses_are_tried_as_soon_as_they_are_told(void **state)
{
    struct direct_scene sc;
    scene_open(&sc, NULL);
    struct addr here = scene_address(&sc);
    struct peer_link_options patient = wanted;
    patient.direct_retry = USEC_PER_HOUR;
    sc.candidates.n = 0;
    scene_link(&sc, patient);
    TURN_UNTIL(sc.loop, sc.n_told == 1 && sc.path.kind == PEER_PATH_RELAY);
    assert_int_equal(sc.n_accepted, 0);
    candidates_add(&sc.candidates, &here);
    scene_tell(&sc, sc.told[0]);
    TURN_UNTIL(sc.loop, sc.path.kind == PEER_PATH_DIRECT);
    scene_close(&sc);
}

/* Twenty lists in a row, each with an address of its own in front. */
static void an_agent_cannot_make_a_client_sweep_its_network(void **state)
{
    struct direct_scene sc;
    struct timer t;
    bool over = false;
    scene_open(&sc, NULL);
    struct addr here = scene_address(&sc);
    struct peer_link_options patient = wanted;
    patient.direct_retry = USEC_PER_HOUR;
    sc.refuse_direct = true;
    scene_link(&sc, patient);
    TURN_UNTIL(sc.loop, sc.n_told == 1 && sc.n_accepted == 1);
    for (int i = 2; i < 22; i++) {
        struct addr other;
        char ip[32];
        snprintf(ip, sizeof(ip), "127.0.0.%d", i);
        assert_int_equal(addr_from_ip(ip, 1, &other), 0);
        sc.candidates.n = 0;
        candidates_add(&sc.candidates, &here);
        candidates_add(&sc.candidates, &other);
        scene_tell(&sc, sc.told[0]);
        over = false;
        timer_init(&t, sc.loop, fired, &over);
        timer_start(&t, 5 * USEC_PER_MSEC);
        TURN_UNTIL(sc.loop, over);
    }
    assert_in_range(sc.n_accepted, 2, 4);
    scene_close(&sc);
}

static void with_patience_the_first_open_waits_for_the_direct_path(void **state)
{
    struct direct_scene sc;
    struct peer_link_options patient = wanted;
    patient.direct_patience = 30 * USEC_PER_SEC;
    scene_open(&sc, NULL);
    scene_link(&sc, patient);
    assert_true(goes_directly(&sc));
    scene_close(&sc);
}

static void patience_ends_when_nobody_answers(void **state)
{
    struct direct_scene sc;
    struct peer_link_options patient = wanted;
    patient.direct_patience = 30 * USEC_PER_SEC;
    scene_open(&sc, NULL);
    sc.listener = listener_close(sc.listener);
    scene_link(&sc, patient);
    assert_false(goes_directly(&sc));
    scene_close(&sc);
}

static void withdrawal_ends_both_sessions(void **state)
{
    struct direct_scene sc;
    scene_open(&sc, NULL);
    become_direct(&sc);
    assert_int_equal(scene_sessions(&sc, true), 1);
    server_link_withdraw_peer(sc.link, &sc.peer);
    TURN_UNTIL(sc.loop, !scene_sessions(&sc, true) && !scene_sessions(&sc, false));
    TURN_UNTIL(sc.loop, !sc.connected);
    scene_close(&sc);
}

TEST_MAIN(cmocka_unit_test(it_begins_on_the_relay_and_goes_on_directly),
          cmocka_unit_test(without_the_wish_nothing_is_dialled),
          cmocka_unit_test(a_grant_without_it_keeps_to_the_relay),
          cmocka_unit_test(a_session_that_ends_leaves_the_relay_and_comes_back),
          cmocka_unit_test(an_open_on_a_path_that_falls_silent_is_asked_again_on_the_relay),
          cmocka_unit_test(after_a_while_nothing_is_handed_over_early),
          cmocka_unit_test(an_agent_with_another_key_is_not_it),
          cmocka_unit_test(one_that_says_nothing_does_not_hold_up_the_next),
          cmocka_unit_test(new_addresses_are_tried_as_soon_as_they_are_told),
          cmocka_unit_test(an_agent_cannot_make_a_client_sweep_its_network),
          cmocka_unit_test(with_patience_the_first_open_waits_for_the_direct_path),
          cmocka_unit_test(patience_ends_when_nobody_answers),
          cmocka_unit_test(withdrawal_ends_both_sessions), );
