/* -D and its like: requests in, replies out, after the target was reached or not. */
#include "forward/proxy_front.h"

#include "forward/test_sockets.h"

#define BYTES(literal) literal, sizeof(literal) - 1

static uint16_t open_dynamic(struct scene *s)
{
    char spec[32];
    uint16_t port = scene_free_port(SOCK_STREAM, NULL);
    snprintf(spec, sizeof(spec), "127.0.0.1:%u", port);
    scene_add(s, FORWARD_FLAG_D, spec);
    scene_open(s);
    return port;
}

static void send_bytes(int fd, const char *data, size_t len)
{
    assert_int_equal(send(fd, data, len, MSG_NOSIGNAL), len);
}

static void expect_bytes(struct scene *s, int fd, const char *data, size_t len)
{
    char got[512];
    assert_int_equal(scene_read(s, fd, got, len), len);
    assert_memory_equal(got, data, len);
}

static void socks5_by_name_is_answered_once_the_target_is_reached(void **state)
{
    struct scene *s = *state;
    int fd = scene_connect("127.0.0.1", open_dynamic(s));
    s->hold = true;
    send_bytes(fd, BYTES("\x05\x01\x00"));
    expect_bytes(s, fd, BYTES("\x05\x00"));
    send_bytes(fd, BYTES("\x05\x01\x00\x03\x07"
                         "db.corp\x15\x38"
                         "early"));
    TURN_UNTIL(s->loop, s->n_channels == 1);
    assert_string_equal(s->channels[0].text, "tcp db.corp:5432");
    for (int i = 0; i < 20; i++)
        loop_turn(s->loop, false);
    char c;
    assert_int_equal(recv(fd, &c, 1, MSG_DONTWAIT), -1);

    s->hold = false;
    char reply[10];
    assert_int_equal(scene_read(s, fd, reply, 10), 10);
    assert_int_equal(reply[1], 0);
    scene_far_expect(s, s->channels[0].far, "early");
    assert_int_equal(stream_send_bytes(s->channels[0].far, "hello", 5), 5);
    scene_expect(s, fd, "hello");
    close(fd);
}

static void socks_errors_say_why(void **state)
{
    static const struct {
        enum dial_result result;
        char code;
    } cases[] = {
        {DIAL_REFUSED, 5},
        {DIAL_NAME_NOT_FOUND, 4},
        {DIAL_UNREACHABLE, 4},
        {DIAL_FORBIDDEN, 2},
    };
    struct scene *s = *state;
    uint16_t port = open_dynamic(s);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char reply[12];
        s->answer = cases[i].result;
        int fd = scene_connect("127.0.0.1", port);
        send_bytes(fd, BYTES("\x05\x01\x00\x05\x01\x00\x01\x0a\x01\x02\x03\x00\x50"));
        assert_int_equal(scene_read(s, fd, reply, 12), 12);
        if (cases[i].result == DIAL_UNREACHABLE)
            assert_true(reply[3] == 3 || reply[3] == 4);
        else
            assert_int_equal(reply[3], cases[i].code);
        assert_int_equal(scene_read(s, fd, reply, 1), 0);
        close(fd);
    }
    assert_true(scene_has(s, "unreached 0 10.1.2.3:80"));
}

static void socks4_and_4a_work_too(void **state)
{
    struct scene *s = *state;
    uint16_t port = open_dynamic(s);
    char reply[8];
    int fd = scene_connect("127.0.0.1", port);
    send_bytes(fd, BYTES("\x04\x01\x00\x50\x0a\x01\x02\x03me\x00"));
    assert_int_equal(scene_read(s, fd, reply, 8), 8);
    assert_int_equal(reply[1], 90);
    assert_string_equal(s->channels[0].text, "tcp 10.1.2.3:80");
    close(fd);
    fd = scene_connect("127.0.0.1", port);
    send_bytes(fd, BYTES("\x04\x01\x00\x50\x00\x00\x00\x01me\x00web.corp\x00"));
    assert_int_equal(scene_read(s, fd, reply, 8), 8);
    assert_string_equal(s->channels[1].text, "tcp web.corp:80");
    close(fd);
}

static void http_connect_tunnels(void **state)
{
    struct scene *s = *state;
    int fd = scene_connect("127.0.0.1", open_dynamic(s));
    scene_send(fd, "CONNECT web.corp:443 HTTP/1.1\r\nHost: web.corp:443\r\n\r\nhello");
    scene_expect(s, fd, "HTTP/1.1 200 ");
    assert_string_equal(s->channels[0].text, "tcp web.corp:443");
    scene_far_expect(s, s->channels[0].far, "hello");
    close(fd);
}

static void plain_http_is_sent_on_in_origin_form(void **state)
{
    struct scene *s = *state;
    int fd = scene_connect("127.0.0.1", open_dynamic(s));
    scene_send(fd, "POST http://web.corp/a?b=1 HTTP/1.1\r\nHost: web.corp\r\n"
                   "Content-Length: 4\r\n\r\nbody");
    TURN_UNTIL(s->loop, s->n_channels == 1);
    assert_string_equal(s->channels[0].text, "tcp web.corp:80");
    scene_far_expect(s, s->channels[0].far, "POST /a?b=1 HTTP/1.1\r\n");
    char got[512] = "";
    ssize_t n = 0;
    while (!strstr(got, "\r\n\r\nbody"))
        n += scene_far_read(s, s->channels[0].far, got + n, 1);
    assert_int_equal(stream_send_bytes(s->channels[0].far, "HTTP/1.1 204 No\r\n\r\n", 19), 19);
    scene_expect(s, fd, "HTTP/1.1 204 No\r\n\r\n");
    close(fd);
}

static void http_refusals_have_a_status(void **state)
{
    struct scene *s = *state;
    uint16_t port = open_dynamic(s);
    s->answer = DIAL_REFUSED;
    int fd = scene_connect("127.0.0.1", port);
    scene_send(fd, "CONNECT web.corp:443 HTTP/1.1\r\nHost: web.corp:443\r\n\r\n");
    scene_expect(s, fd, "HTTP/1.1 502 ");
    close(fd);
    fd = scene_connect("127.0.0.1", port);
    scene_send(fd, "GET / HTTP/1.1\r\nHost: web.corp\r\n\r\n");
    scene_expect(s, fd, "HTTP/1.1 400 ");
    close(fd);
}

static void what_is_no_request_is_closed(void **state)
{
    struct scene *s = *state;
    char c;
    int fd = scene_connect("127.0.0.1", open_dynamic(s));
    send_bytes(fd, BYTES("\x16\x03\x01\x00\x05hello"));
    assert_true(scene_read(s, fd, &c, 1) <= 0);
    close(fd);
    TURN_UNTIL(s->loop, true);
    struct forward_stats stats;
    forwarder_stats(s->forwarder, 0, &stats);
    assert_int_equal(stats.open, 0);
}

static void a_client_that_goes_while_asking_leaves_nothing(void **state)
{
    struct scene *s = *state;
    int fd = scene_connect("127.0.0.1", open_dynamic(s));
    send_bytes(fd, BYTES("\x05\x01\x00\x05\x01"));
    expect_bytes(s, fd, BYTES("\x05\x00"));
    close(fd);
    struct forward_stats stats = {.open = 1};
    while (stats.open > 0) {
        loop_turn(s->loop, true);
        forwarder_stats(s->forwarder, 0, &stats);
    }
    assert_int_equal(s->n_channels, 0);
}

#define SCENE_TEST(f) cmocka_unit_test_setup_teardown(f, scene_set_up, scene_tear_down)

TEST_MAIN(SCENE_TEST(socks5_by_name_is_answered_once_the_target_is_reached),
          SCENE_TEST(socks_errors_say_why), SCENE_TEST(socks4_and_4a_work_too),
          SCENE_TEST(http_connect_tunnels), SCENE_TEST(plain_http_is_sent_on_in_origin_form),
          SCENE_TEST(http_refusals_have_a_status), SCENE_TEST(what_is_no_request_is_closed),
          SCENE_TEST(a_client_that_goes_while_asking_leaves_nothing));
