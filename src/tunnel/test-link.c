/*
 * Links that come back: carriers are pairs in memory, made by an opener that the test steers. The
 * far end of a peer link's carrier is an agent that serves or refuses.
 */
#include "tunnel/test_tunnel_scene.h"

#include "io/tls.h"
#include "tunnel/agent_link.h"
#include "tunnel/peer.h"
#include "tunnel/peer_link.h"

struct link_scene {
    struct loop *loop;
    struct tls_identity *cli_id, *agent_id;
    struct tls_context *cli, *agent;
    struct tls_pin cli_pin, agent_pin;

    /* The opener. */
    enum carrier_outcome outcome;
    bool wrong_pin;
    bool never; /* attempts stay under way */
    carrier_opened_fn *opened;
    void *opened_ud;
    struct defer answer;
    int n_started, n_cancelled;

    /* The far end. */
    struct peer_handshake *handshake;
    struct tunnel_session *far;
    bool far_silent; /* does not answer channels */
    int n_served;

    struct peer_link *peer_link;
    struct agent_link *agent_link;
    enum link_state states[64];
    int n_states;
    char reason[256];
    usec_t next_try;
};

static void far_requested(struct tunnel_session *s, struct channel_request *rq, void *ud)
{
    struct link_scene *sc = ud;
    sc->n_served++;
    if (!sc->far_silent)
        channel_refuse(rq, DIAL_REFUSED, "served");
}

static void far_ended(struct tunnel_session *s, int reason, const struct err *err, void *ud)
{
    struct link_scene *sc = ud;
    sc->far = tunnel_session_free(s);
}

static void far_ready(struct tunnel_session *session, int result, const struct err *err, void *ud)
{
    struct link_scene *sc = ud;
    sc->handshake = NULL;
    sc->far = session;
    if (session)
        tunnel_session_set_owner(session, far_requested, far_ended, sc);
}

static void serve_far_end(struct link_scene *sc, struct stream *wire)
{
    if (sc->agent_link) {
        const struct tunnel_session_options options = {
            .role = H2_CLIENT, .ended = far_ended, .ud = sc};
        sc->far = tunnel_session_new(sc->loop, wire, &options);
        return;
    }
    const struct peer_options options = {
        .tls = sc->agent, .pin = sc->cli_pin, .role = H2_SERVER, .done = far_ready, .ud = sc};
    sc->handshake = peer_start(sc->loop, wire, &options);
}

static void answer_attempt(void *ud)
{
    struct link_scene *sc = ud;
    struct stream *wire[2];
    struct err err = ERR_INIT;
    if (sc->outcome != CARRIER_OPENED) {
        err_set(&err, -EACCES, "the opener says no");
        sc->opened(sc->outcome, NULL, NULL, &err, sc->opened_ud);
        return;
    }
    stream_pair(sc->loop, 65536, wire);
    serve_far_end(sc, wire[1]);
    sc->opened(CARRIER_OPENED, wire[0], sc->wrong_pin ? &sc->cli_pin : &sc->agent_pin, NULL,
               sc->opened_ud);
}

static void *opener_start(struct loop *loop, carrier_opened_fn *opened, void *opened_ud, void *ud)
{
    struct link_scene *sc = ud;
    sc->n_started++;
    sc->opened = opened;
    sc->opened_ud = opened_ud;
    if (!sc->never)
        defer_schedule(loop, &sc->answer);
    return sc;
}

static void opener_cancel(void *attempt, void *ud)
{
    struct link_scene *sc = ud;
    assert_ptr_equal(attempt, sc);
    defer_cancel(&sc->answer);
    sc->n_cancelled++;
}

static void note_state(struct link_scene *sc, const struct link_status *status)
{
    assert_true(sc->n_states < 64);
    sc->states[sc->n_states++] = status->state;
    sc->next_try = status->next_try;
    str_copy(sc->reason, sizeof(sc->reason), status->reason ? status->reason->text : "");
}

static void peer_changed(struct peer_link *l, const struct link_status *status, void *ud)
{
    note_state(ud, status);
}

static void agent_changed(struct agent_link *l, const struct link_status *status, void *ud)
{
    note_state(ud, status);
}

static enum link_state state_of(const struct link_scene *sc)
{
    return sc->n_states ? sc->states[sc->n_states - 1] : LINK_CONNECTING;
}

static void scene_open(struct link_scene *sc)
{
    sc->loop = loop_new();
    sc->cli_id = tls_identity_new();
    sc->agent_id = tls_identity_new();
    tls_identity_pin(sc->cli_id, &sc->cli_pin);
    tls_identity_pin(sc->agent_id, &sc->agent_pin);
    assert_int_equal(tls_context_peer(sc->cli_id, &sc->cli, NULL), 0);
    assert_int_equal(tls_context_peer(sc->agent_id, &sc->agent, NULL), 0);
    defer_init(&sc->answer, answer_attempt, sc);
}

static struct carrier_opener opener_of(struct link_scene *sc)
{
    return (struct carrier_opener){.start = opener_start, .cancel = opener_cancel, .ud = sc};
}

static void peer_link_open_in(struct link_scene *sc, usec_t open_timeout)
{
    scene_open(sc);
    const struct peer_link_options options = {.opener = opener_of(sc),
                                              .tls = sc->cli,
                                              .open_timeout = open_timeout,
                                              .max_waiting = 2,
                                              .changed = peer_changed,
                                              .ud = sc};
    sc->peer_link = peer_link_new(sc->loop, &options);
    assert_int_equal(sc->n_states, 0);
}

static void scene_close(struct link_scene *sc)
{
    peer_link_free(sc->peer_link);
    agent_link_free(sc->agent_link);
    peer_cancel(sc->handshake);
    tunnel_session_free(sc->far);
    loop_free(sc->loop);
    tls_context_unref(sc->cli);
    tls_context_unref(sc->agent);
    tls_identity_free(sc->cli_id);
    tls_identity_free(sc->agent_id);
}

static const struct channel_target some_target = {CHANNEL_TCP, "localhost", 1};

static void open_on_link(struct link_scene *sc, struct opening *o, bool early)
{
    const struct channel_open_options options = opening_options(o, early);
    o->open = peer_link_open(sc->peer_link, &some_target, &options);
    assert_int_equal(o->n_opened, 0);
}

/* ---- the CLI's link ---- */

static void an_open_waits_for_the_first_session(void **state)
{
    struct link_scene sc = {0};
    struct opening o = {0};
    peer_link_open_in(&sc, 0);
    open_on_link(&sc, &o, false);
    TURN_UNTIL(sc.loop, o.n_opened);
    assert_int_equal(o.result, DIAL_REFUSED);
    assert_string_equal(o.reason, "served");
    assert_int_equal(sc.states[0], LINK_CONNECTING);
    assert_int_equal(sc.states[1], LINK_CONNECTED);
    assert_non_null(peer_link_session(sc.peer_link));
    scene_close(&sc);
}

static void the_link_comes_back_and_opens_meanwhile_are_served_then(void **state)
{
    struct link_scene sc = {0};
    struct opening o = {0}, early = {0};
    peer_link_open_in(&sc, 0);
    TURN_UNTIL(sc.loop, sc.far && state_of(&sc) == LINK_CONNECTED);
    sc.far = tunnel_session_free(sc.far);
    TURN_UNTIL(sc.loop, state_of(&sc) == LINK_WAITING);
    assert_null(peer_link_session(sc.peer_link));
    assert_true(sc.reason[0]);
    assert_true(sc.next_try > 0);
    open_on_link(&sc, &o, false);
    open_on_link(&sc, &early, true);
    TURN_UNTIL(sc.loop, o.n_opened && early.n_opened);
    assert_int_equal(o.result, DIAL_REFUSED);
    assert_int_equal(sc.n_started, 2);
    assert_int_equal(state_of(&sc), LINK_CONNECTED);
    stream_free(early.channel);
    scene_close(&sc);
}

static void an_open_that_was_under_way_is_asked_again_after_a_cut(void **state)
{
    struct link_scene sc = {.far_silent = true};
    struct opening o = {0};
    peer_link_open_in(&sc, 0);
    open_on_link(&sc, &o, false);
    TURN_UNTIL(sc.loop, sc.n_served == 1);
    sc.far_silent = false;
    sc.far = tunnel_session_free(sc.far);
    TURN_UNTIL(sc.loop, o.n_opened);
    assert_int_equal(o.result, DIAL_REFUSED);
    assert_string_equal(o.reason, "served");
    assert_int_equal(sc.n_served, 2);
    scene_close(&sc);
}

static void an_open_gives_up_in_time_and_says_why(void **state)
{
    struct link_scene sc = {.outcome = CARRIER_FAILED};
    struct opening o = {0};
    peer_link_open_in(&sc, 50 * USEC_PER_MSEC);
    open_on_link(&sc, &o, false);
    TURN_UNTIL(sc.loop, o.n_opened);
    assert_int_equal(o.result, DIAL_UNAVAILABLE);
    assert_non_null(strstr(o.reason, "the opener says no"));
    scene_close(&sc);
}

static void only_so_many_opens_may_wait(void **state)
{
    struct link_scene sc = {.never = true};
    struct opening o[3] = {{0}};
    peer_link_open_in(&sc, 0);
    for (int i = 0; i < 3; i++)
        open_on_link(&sc, &o[i], false);
    TURN_UNTIL(sc.loop, o[2].n_opened);
    assert_int_equal(o[2].result, DIAL_LIMIT);
    assert_int_equal(o[0].n_opened + o[1].n_opened, 0);
    channel_open_cancel(o[0].open);
    sc.peer_link = peer_link_free(sc.peer_link);
    assert_int_equal(o[1].n_opened, 1);
    assert_int_equal(o[1].result, DIAL_UNAVAILABLE);
    assert_int_equal(o[0].n_opened, 0);
    assert_int_equal(sc.n_cancelled, 1);
    scene_close(&sc);
}

static void a_denial_is_final(void **state)
{
    struct link_scene sc = {.outcome = CARRIER_DENIED};
    struct opening before = {0}, after = {0};
    peer_link_open_in(&sc, 0);
    open_on_link(&sc, &before, false);
    TURN_UNTIL(sc.loop, before.n_opened);
    assert_int_equal(before.result, DIAL_FORBIDDEN);
    assert_int_equal(state_of(&sc), LINK_DENIED);
    open_on_link(&sc, &after, false);
    TURN_UNTIL(sc.loop, after.n_opened);
    assert_int_equal(after.result, DIAL_FORBIDDEN);
    assert_int_equal(sc.n_started, 1);
    scene_close(&sc);
}

static void an_agent_with_another_key_is_not_connected_to(void **state)
{
    struct link_scene sc = {.wrong_pin = true};
    peer_link_open_in(&sc, 0);
    TURN_UNTIL(sc.loop, state_of(&sc) == LINK_WAITING);
    assert_null(peer_link_session(sc.peer_link));
    assert_true(sc.reason[0]);
    scene_close(&sc);
}

static void a_retry_now_does_not_wait(void **state)
{
    struct link_scene sc = {.outcome = CARRIER_FAILED};
    peer_link_open_in(&sc, 0);
    TURN_UNTIL(sc.loop, state_of(&sc) == LINK_WAITING);
    sc.outcome = CARRIER_OPENED;
    peer_link_retry_now(sc.peer_link);
    usec_t start = clock_monotonic();
    TURN_UNTIL(sc.loop, state_of(&sc) == LINK_CONNECTED);
    assert_true(clock_monotonic() - start < 2 * USEC_PER_SEC);
    scene_close(&sc);
}

/* ---- the agent's link ---- */

static void agent_served(struct tunnel_session *s, struct channel_request *rq, void *ud)
{
    struct link_scene *sc = ud;
    sc->n_served++;
    channel_answer(rq, 200, "{}");
}

static void agent_link_open_in(struct link_scene *sc)
{
    scene_open(sc);
    const struct agent_link_options options = {
        .opener = opener_of(sc), .requested = agent_served, .changed = agent_changed, .ud = sc};
    sc->agent_link = agent_link_new(sc->loop, &options);
}

static void note_status(int status, const char *body, size_t len, void *ud)
{
    *(int *)ud = status;
}

static void an_agent_serves_and_comes_back(void **state)
{
    struct link_scene sc = {0};
    agent_link_open_in(&sc);
    for (int i = 0; i < 2; i++) {
        int status = 0;
        TURN_UNTIL(sc.loop, sc.far && state_of(&sc) == LINK_CONNECTED);
        tunnel_session_call(sc.far, "GET", "/info", NULL, note_status, &status);
        TURN_UNTIL(sc.loop, status);
        assert_int_equal(status, 200);
        sc.far = tunnel_session_free(sc.far);
        TURN_UNTIL(sc.loop, state_of(&sc) == LINK_WAITING);
        agent_link_retry_now(sc.agent_link);
    }
    assert_int_equal(sc.n_served, 2);
    scene_close(&sc);
}

static void an_agent_that_is_denied_waits_long_and_tries_again(void **state)
{
    struct link_scene sc = {.outcome = CARRIER_DENIED};
    agent_link_open_in(&sc);
    TURN_UNTIL(sc.loop, state_of(&sc) == LINK_DENIED);
    assert_int_equal(sc.next_try, 30 * USEC_PER_SEC);
    assert_string_equal(sc.reason, "the opener says no");
    sc.outcome = CARRIER_OPENED;
    agent_link_retry_now(sc.agent_link);
    TURN_UNTIL(sc.loop, state_of(&sc) == LINK_CONNECTED);
    scene_close(&sc);
}

TEST_MAIN(cmocka_unit_test(an_open_waits_for_the_first_session),
          cmocka_unit_test(the_link_comes_back_and_opens_meanwhile_are_served_then),
          cmocka_unit_test(an_open_that_was_under_way_is_asked_again_after_a_cut),
          cmocka_unit_test(an_open_gives_up_in_time_and_says_why),
          cmocka_unit_test(only_so_many_opens_may_wait), cmocka_unit_test(a_denial_is_final),
          cmocka_unit_test(an_agent_with_another_key_is_not_connected_to),
          cmocka_unit_test(a_retry_now_does_not_wait),
          cmocka_unit_test(an_agent_serves_and_comes_back),
          cmocka_unit_test(an_agent_that_is_denied_waits_long_and_tries_again));
