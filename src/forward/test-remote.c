/* -R: the listener is the test's, the target is a real socket here. */
#include "forward/test_sockets.h"

struct target {
    int fd;
    uint16_t port;
};

static void open_remote(struct scene *s, struct target *t, const char *listener)
{
    char spec[128];
    t->port = scene_free_port(SOCK_STREAM, &t->fd);
    snprintf(spec, sizeof(spec), "%s:localhost:%u", listener, t->port);
    scene_add(s, FORWARD_FLAG_R, spec);
    scene_open(s);
    forwarder_session_up(s->forwarder);
}

static struct listen_client *handle(struct scene *s)
{
    return (struct listen_client *)(void *)s;
}

static void bound(struct scene *s, enum dial_result result, uint16_t port)
{
    s->listen.bound(handle(s), result, port, "", s->listen.ud);
}

static void the_bound_port_is_told_and_connections_are_dialled(void **state)
{
    struct scene *s = *state;
    struct target t;
    struct stream *ends[2];
    open_remote(s, &t, "0");
    assert_string_equal(s->listen_text, "- 0 -");
    assert_int_equal(s->n_events, 0);
    bound(s, DIAL_OK, 40123);
    assert_string_equal(s->events[0], "opened 0 localhost:40123");

    stream_pair(s->loop, 4096, ends);
    s->listen.accepted(handle(s), ends[0], "10.0.0.9:555", s->listen.ud);
    assert_int_equal(stream_send_bytes(ends[1], "from there", 10), 10);
    TURN_UNTIL(s->loop, scene_has(s, "accepted 0 localhost"));
    struct forward_stats stats = {0};
    while (stats.received < 10) {
        loop_turn(s->loop, true);
        forwarder_stats(s->forwarder, 0, &stats);
    }
    int fd = accept(t.fd, NULL, NULL);
    scene_expect(s, fd, "from there");
    scene_send(fd, "from here");
    scene_far_expect(s, ends[1], "from here");
    forwarder_stats(s->forwarder, 0, &stats);
    assert_int_equal(stats.sent, 9);
    stream_free(ends[1]);
    close(fd);
    close(t.fd);
    TURN_UNTIL(s->loop, scene_has(s, "closed 0"));
}

static void the_same_port_is_asked_for_after_a_reconnect(void **state)
{
    struct scene *s = *state;
    struct target t;
    open_remote(s, &t, "0");
    bound(s, DIAL_OK, 40123);
    forwarder_session_down(s->forwarder, "the server is away");
    assert_false(s->listening);
    assert_true(scene_has(s, "away 0  the server is away"));
    forwarder_session_up(s->forwarder);
    assert_string_equal(s->listen_text, "- 40123 -");

    /* The agent still holds it for the dead session: tried again. */
    bound(s, DIAL_ADDRESS_IN_USE, 0);
    assert_false(s->listening);
    assert_false(scene_has(s, "failed"));
    TURN_UNTIL(s->loop, s->n_listens == 3);
    assert_string_equal(s->listen_text, "- 40123 -");
    bound(s, DIAL_OK, 40123);
    assert_string_equal(s->events[s->n_events - 1], "opened 0 localhost:40123 again");
    close(t.fd);
}

static void a_listener_that_cannot_be_is_final_the_first_time(void **state)
{
    struct scene *s = *state;
    struct target t;
    open_remote(s, &t, "8080");
    assert_string_equal(s->listen_text, "- 8080 -");
    bound(s, DIAL_ADDRESS_IN_USE, 0);
    assert_int_equal(s->n_events, 1);
    assert_true(span_starts(span_of(s->events[0]), "failed 0"));
    assert_null(strstr(s->events[0], "retrying"));
    assert_false(s->listening);
    close(t.fd);
}

static void a_listener_that_ends_is_opened_again(void **state)
{
    struct scene *s = *state;
    struct target t;
    open_remote(s, &t, "*:8080");
    assert_string_equal(s->listen_text, "* 8080 -");
    bound(s, DIAL_OK, 8080);
    assert_true(scene_has(s, "warning 0"));
    s->listen.ended(handle(s), -ECONNRESET, s->listen.ud);
    assert_true(scene_has(s, "away 0"));
    TURN_UNTIL(s->loop, s->n_listens == 2);
    bound(s, DIAL_OK, 8080);
    assert_true(scene_has(s, "again"));
    close(t.fd);
}

static void no_session_is_no_listener(void **state)
{
    struct scene *s = *state;
    struct target t;
    s->no_session = true;
    open_remote(s, &t, "8080");
    assert_int_equal(s->n_listens, 0);
    forwarder_session_down(s->forwarder, "away");
    s->no_session = false;
    forwarder_session_up(s->forwarder);
    assert_int_equal(s->n_listens, 1);
    close(t.fd);
}

static void without_a_target_it_is_a_proxy_served_from_here(void **state)
{
    struct scene *s = *state;
    struct stream *ends[2];
    int target;
    uint16_t port = scene_free_port(SOCK_STREAM, &target);
    unsigned char request[] = {
        5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, (unsigned char)(port >> 8), (unsigned char)port};
    char reply[12];
    scene_add(s, FORWARD_FLAG_R, "1080");
    scene_open(s);
    forwarder_session_up(s->forwarder);
    bound(s, DIAL_OK, 1080);
    stream_pair(s->loop, 4096, ends);
    s->listen.accepted(handle(s), ends[0], "", s->listen.ud);
    assert_int_equal(stream_send_bytes(ends[1], request, sizeof(request)), sizeof(request));
    assert_int_equal(scene_far_read(s, ends[1], reply, 12), 12);
    assert_int_equal(reply[3], 0);
    int fd = accept(target, NULL, NULL);
    scene_send(fd, "hello");
    scene_far_expect(s, ends[1], "hello");
    assert_int_equal(s->n_channels, 0);
    stream_free(ends[1]);
    close(fd);
    close(target);
}

static void a_target_that_is_not_there_is_told(void **state)
{
    struct scene *s = *state;
    struct target t;
    struct stream *ends[2];
    char c;
    open_remote(s, &t, "8080");
    close(t.fd);
    bound(s, DIAL_OK, 8080);
    stream_pair(s->loop, 4096, ends);
    s->listen.accepted(handle(s), ends[0], "", s->listen.ud);
    TURN_UNTIL(s->loop, scene_has(s, "unreached 0 localhost"));
    assert_true(scene_far_read(s, ends[1], &c, 1) <= 0);
    stream_free(ends[1]);
}

#define SCENE_TEST(f) cmocka_unit_test_setup_teardown(f, scene_set_up, scene_tear_down)

TEST_MAIN(SCENE_TEST(the_bound_port_is_told_and_connections_are_dialled),
          SCENE_TEST(the_same_port_is_asked_for_after_a_reconnect),
          SCENE_TEST(a_listener_that_cannot_be_is_final_the_first_time),
          SCENE_TEST(a_listener_that_ends_is_opened_again), SCENE_TEST(no_session_is_no_listener),
          SCENE_TEST(without_a_target_it_is_a_proxy_served_from_here),
          SCENE_TEST(a_target_that_is_not_there_is_told));
