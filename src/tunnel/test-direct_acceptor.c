/* Strangers and peers at an agent's own port. */
#include <fcntl.h>

#include "tunnel/test_direct_scene.h"

#include "base/cleanup.h"

struct client {
    struct direct_connect *connect;
    struct stream *tls;
    bool done;
    char reason[256];
};

static void client_done(struct stream *tls, const struct err *err, void *ud)
{
    struct client *c = ud;
    c->done = true;
    c->connect = NULL;
    c->tls = tls;
    str_copy(c->reason, sizeof(c->reason), err ? err->text : "");
}

static void client_start(struct direct_scene *sc, struct client *c, struct tls_context *tls,
                         const char *alpn)
{
    const struct direct_connect_options options = {.addr = scene_address(sc),
                                                   .tls = tls,
                                                   .pin = sc->agent_pin,
                                                   .alpn = alpn,
                                                   .done = client_done,
                                                   .ud = c};
    *c = (struct client){0};
    c->connect = direct_connect_start(sc->loop, &options);
}

/* The announcement alone, for what comes to the port by itself. */
static void scene_announced(int status, const char *body, size_t len, void *ud)
{
    *(int *)ud = status;
}

static void scene_announce(struct direct_scene *sc, const struct tls_pin *pin)
{
    char id[ID_TEXT_SIZE], text[64], body[256];
    int status = 0;
    snprintf(body, sizeof(body), "{\"id\":\"%s\",\"pin\":\"%s\",\"grant\":{}}",
             id_format(&sc->peer, id), pin_format(pin, text));
    tunnel_session_call(server_link_session(sc->link), "POST", "/peers", body, scene_announced,
                        &status);
    TURN_UNTIL(sc->loop, status);
    assert_int_equal(status, 200);
}

static void read_byte(struct stream *s, unsigned events, void *ud)
{
    char byte;
    *(ssize_t *)ud = stream_recv(s, &byte, 1);
    if (*(ssize_t *)ud != -EAGAIN)
        stream_want(s, 0);
}

/* A socket that is connected to the port. */
static struct stream *knock(struct direct_scene *sc)
{
    struct addr there = scene_address(sc);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int before = sc->n_accepted;
    assert_int_equal(connect(fd, &there.sa, there.len), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    TURN_UNTIL(sc->loop, sc->n_accepted > before);
    return fd_stream_new(sc->loop, fd);
}

static void an_announced_peer_gets_a_session(void **state)
{
    struct direct_scene sc;
    struct client c;
    scene_open(&sc, NULL);
    scene_announce(&sc, &sc.cli_pin);
    client_start(&sc, &c, sc.cli, NULL);
    TURN_UNTIL(sc.loop, c.done && scene_sessions(&sc, true) == 1);
    assert_non_null(c.tls);
    assert_int_equal(direct_acceptor_counts(sc.acceptor).accepted, 1);
    assert_int_equal(direct_acceptor_counts(sc.acceptor).strangers, 0);
    stream_free(c.tls);
    scene_close(&sc);
}

static void one_that_was_not_announced_sees_no_certificate(void **state)
{
    struct direct_scene sc;
    struct client c;
    scene_open(&sc, NULL);
    client_start(&sc, &c, sc.cli, NULL);
    TURN_UNTIL(sc.loop, c.done);
    assert_null(c.tls);
    assert_non_null(strstr(c.reason, "unrecognized name"));
    TURN_UNTIL(sc.loop, direct_acceptor_counts(sc.acceptor).refused == 1);
    assert_int_equal(direct_acceptor_counts(sc.acceptor).strangers, 0);
    scene_close(&sc);
}

static void shaken(struct stream *tls, int result, const struct err *err, void *ud)
{
    *(int *)ud = result < 0 ? result : 1;
}

/* The name is known to whoever saw it on the wire; the key is not. */
static void the_right_name_with_another_key_is_refused(void **state)
{
    struct direct_scene sc;
    struct tls_identity *other_id = tls_identity_new();
    struct tls_context *other;
    char name[DIRECT_NAME_SIZE];
    int result = 0;
    scene_open(&sc, NULL);
    assert_int_equal(tls_context_peer(other_id, &other, NULL), 0);
    scene_announce(&sc, &sc.cli_pin);
    const struct tls_start_options options = {.pin = &sc.agent_pin,
                                              .peer_name =
                                                  direct_name(&sc.agent_pin, &sc.cli_pin, name),
                                              .done = shaken,
                                              .ud = &result};
    struct stream *tls = tls_start(other, knock(&sc), &options);
    TURN_UNTIL(sc.loop, result && direct_acceptor_counts(sc.acceptor).refused == 1);
    assert_int_equal(direct_acceptor_counts(sc.acceptor).accepted, 0);
    assert_int_equal(scene_sessions(&sc, true), 0);
    stream_free(tls);
    tls_context_unref(other);
    tls_identity_free(other_id);
    scene_close(&sc);
}

static void a_withdrawn_or_replaced_peer_is_not_expected_any_longer(void **state)
{
    struct direct_scene sc;
    struct id peer;
    struct tls_pin pin;
    char name[DIRECT_NAME_SIZE];
    scene_open(&sc, NULL);
    direct_name(&sc.agent_pin, &sc.cli_pin, name);
    assert_false(peer_acceptor_expects(sc.peers, name, &peer, &pin));
    scene_announce(&sc, &sc.cli_pin);
    assert_true(peer_acceptor_expects(sc.peers, name, &peer, &pin));
    assert_true(id_equal(&peer, &sc.peer));
    assert_memory_equal(&pin, &sc.cli_pin, sizeof(pin));

    scene_announce(&sc, &sc.agent_pin); /* the same id with another key */
    assert_false(peer_acceptor_expects(sc.peers, name, &peer, &pin));
    scene_announce(&sc, &sc.cli_pin);
    assert_true(peer_acceptor_expects(sc.peers, name, &peer, &pin));

    sc.refuse_direct = true;
    assert_false(peer_acceptor_expects(sc.peers, name, &peer, &pin));
    sc.refuse_direct = false;
    peer_acceptor_clear(sc.peers);
    assert_false(peer_acceptor_expects(sc.peers, name, &peer, &pin));
    scene_close(&sc);
}

static void the_newest_of_two_announcements_of_a_key_counts(void **state)
{
    struct direct_scene sc;
    struct id peer, first, second = id_new();
    struct tls_pin pin;
    char name[DIRECT_NAME_SIZE];
    scene_open(&sc, NULL);
    direct_name(&sc.agent_pin, &sc.cli_pin, name);
    first = sc.peer;
    scene_announce(&sc, &sc.cli_pin);
    sc.peer = second;
    scene_announce(&sc, &sc.cli_pin);
    assert_true(peer_acceptor_expects(sc.peers, name, &peer, &pin));
    assert_true(id_equal(&peer, &second));
    server_link_withdraw_peer(sc.link, &first);
    sc.peer = id_new();
    scene_announce(&sc, &sc.agent_pin); /* answered after the withdrawal */
    assert_true(peer_acceptor_expects(sc.peers, name, &peer, &pin));
    assert_true(id_equal(&peer, &second));
    scene_close(&sc);
}

static void strangers_have_little_time(void **state)
{
    const struct direct_acceptor_options hurry = {.timeout = 50 * USEC_PER_MSEC};
    struct direct_scene sc;
    ssize_t got = -EAGAIN;
    scene_open(&sc, &hurry);
    struct stream *s = knock(&sc);
    stream_set_ready(s, read_byte, &got);
    stream_want(s, STREAM_READ);
    assert_int_equal(direct_acceptor_counts(sc.acceptor).strangers, 1);
    TURN_UNTIL(sc.loop, got != -EAGAIN);
    assert_true(got <= 0);
    assert_int_equal(direct_acceptor_counts(sc.acceptor).timed_out, 1);
    assert_int_equal(direct_acceptor_counts(sc.acceptor).strangers, 0);
    stream_free(s);
    scene_close(&sc);
}

/* Slow senders do not get more time by sending. */
static void half_a_hello_does_not_buy_time(void **state)
{
    const struct direct_acceptor_options hurry = {.timeout = 50 * USEC_PER_MSEC};
    struct direct_scene sc;
    ssize_t got = -EAGAIN;
    scene_open(&sc, &hurry);
    struct stream *s = knock(&sc);
    stream_set_ready(s, read_byte, &got);
    stream_want(s, STREAM_READ);
    stream_send_bytes(s, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);
    TURN_UNTIL(sc.loop, got != -EAGAIN);
    assert_int_equal(direct_acceptor_counts(sc.acceptor).timed_out, 1);
    stream_free(s);
    scene_close(&sc);
}

static void a_crowd_is_bounded_and_the_newest_stay(void **state)
{
    const struct direct_acceptor_options few = {.max_strangers = 4, .max_per_address = 4};
    struct direct_scene sc;
    struct stream *crowd[10];
    struct client c;
    scene_open(&sc, &few);
    scene_announce(&sc, &sc.cli_pin);
    for (size_t i = 0; i < ARRAY_LEN(crowd); i++)
        crowd[i] = knock(&sc);
    assert_int_equal(direct_acceptor_counts(sc.acceptor).strangers, 4);
    assert_int_equal(direct_acceptor_counts(sc.acceptor).pushed_out, 6);
    client_start(&sc, &c, sc.cli, NULL);
    TURN_UNTIL(sc.loop, c.done && scene_sessions(&sc, true) == 1);
    assert_non_null(c.tls);
    for (size_t i = 0; i < ARRAY_LEN(crowd); i++)
        stream_free(crowd[i]);
    stream_free(c.tls);
    scene_close(&sc);
}

static void one_address_does_not_take_the_places_of_others(void **state)
{
    const struct direct_acceptor_options few = {.max_strangers = 8, .max_per_address = 2};
    struct direct_scene sc;
    struct stream *crowd[5], *ends[2];
    struct addr elsewhere;
    scene_open(&sc, &few);
    for (size_t i = 0; i < ARRAY_LEN(crowd); i++)
        crowd[i] = knock(&sc);
    assert_int_equal(direct_acceptor_counts(sc.acceptor).strangers, 2);

    /* IPv6: a /64 is one. */
    static const char *const ips[] = {"2001:db8::1", "2001:db8::2", "2001:db8::3:4",
                                      "2001:db8:0:1::1"};
    struct stream *far[ARRAY_LEN(ips)];
    for (size_t i = 0; i < ARRAY_LEN(ips); i++) {
        assert_int_equal(addr_from_ip(ips[i], 1000, &elsewhere), 0);
        socket_streams(sc.loop, ends);
        far[i] = ends[0];
        direct_acceptor_take(sc.acceptor, ends[1], &elsewhere);
    }
    assert_int_equal(direct_acceptor_counts(sc.acceptor).strangers, 5);
    for (size_t i = 0; i < ARRAY_LEN(crowd); i++)
        stream_free(crowd[i]);
    for (size_t i = 0; i < ARRAY_LEN(far); i++)
        stream_free(far[i]);
    scene_close(&sc);
}

static void a_protocol_that_nobody_speaks_is_refused(void **state)
{
    struct direct_scene sc;
    struct client c;
    scene_open(&sc, NULL);
    scene_announce(&sc, &sc.cli_pin);
    client_start(&sc, &c, sc.cli, "other/1");
    TURN_UNTIL(sc.loop, c.done);
    assert_null(c.tls);
    assert_int_equal(scene_sessions(&sc, true), 0);
    scene_close(&sc);
}

static void a_connect_is_bounded_in_time(void **state)
{
    struct direct_scene sc;
    struct client c = {0};
    struct addr there;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    scene_open(&sc, NULL);
    assert_int_equal(addr_from_ip("127.0.0.1", 0, &there), 0);
    assert_int_equal(bind(fd, &there.sa, there.len), 0);
    assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(addr_of_socket(fd, &there), 0);
    const struct direct_connect_options options = {.addr = there,
                                                   .tls = sc.cli,
                                                   .pin = sc.agent_pin,
                                                   .timeout = 30 * USEC_PER_MSEC,
                                                   .done = client_done,
                                                   .ud = &c};
    c.connect = direct_connect_start(sc.loop, &options);
    TURN_UNTIL(sc.loop, c.done);
    assert_null(c.tls);
    assert_string_equal(c.reason, "no answer in time");
    close(fd);
    scene_close(&sc);
}

TEST_MAIN(cmocka_unit_test(an_announced_peer_gets_a_session),
          cmocka_unit_test(one_that_was_not_announced_sees_no_certificate),
          cmocka_unit_test(the_right_name_with_another_key_is_refused),
          cmocka_unit_test(a_withdrawn_or_replaced_peer_is_not_expected_any_longer),
          cmocka_unit_test(the_newest_of_two_announcements_of_a_key_counts),
          cmocka_unit_test(strangers_have_little_time),
          cmocka_unit_test(half_a_hello_does_not_buy_time),
          cmocka_unit_test(a_crowd_is_bounded_and_the_newest_stay),
          cmocka_unit_test(one_address_does_not_take_the_places_of_others),
          cmocka_unit_test(a_protocol_that_nobody_speaks_is_refused),
          cmocka_unit_test(a_connect_is_bounded_in_time), );
