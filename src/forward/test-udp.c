/* UDP flows, by --udp and by UDP ASSOCIATE. */
#include "forward/udp_flow.h"

#include "forward/test_sockets.h"
#include "io/udp.h"
#include "tunnel/datagram.h"

/* The far end of a flow: answers each datagram with itself. */
struct echo {
    struct datagram_channel *channel;
    size_t n_received;
    size_t last_len;
};

static void on_echo(struct datagram_channel *d, const void *data, size_t len, void *ud)
{
    struct echo *e = ud;
    e->n_received++;
    e->last_len = len;
    assert_int_equal(datagram_send(d, data, len), 0);
}

static void on_echo_ended(struct datagram_channel *d, int reason, void *ud)
{
}

static void echo_start(struct scene *s, size_t channel, struct echo *e)
{
    struct datagram_options options = {.received = on_echo, .ended = on_echo_ended, .ud = e};
    *e = (struct echo){0};
    e->channel = datagram_new(steal(&s->channels[channel].far), &options);
}

static uint16_t open_udp(struct scene *s, const char *target)
{
    char spec[64];
    uint16_t port = scene_free_port(SOCK_DGRAM, NULL);
    snprintf(spec, sizeof(spec), "%u:%s", port, target);
    scene_add(s, FORWARD_FLAG_UDP, spec);
    scene_open(s);
    return port;
}

static int udp_client(uint16_t port)
{
    struct addr a;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), size = 4 << 20;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    addr_from_ip("127.0.0.1", port, &a);
    assert_int_equal(connect(fd, &a.sa, a.len), 0);
    return fd;
}

static ssize_t udp_read(struct scene *s, int fd, void *dst, size_t size)
{
    ssize_t n;
    while ((n = recv(fd, dst, size, MSG_DONTWAIT)) < 0 && errno == EAGAIN)
        loop_turn(s->loop, true);
    return n;
}

static void datagrams_of_every_size_come_back_whole(void **state)
{
    static const size_t sizes[] = {1, 1400, 9000, UDP_PAYLOAD_MAX, 0};
    static unsigned char data[UDP_PAYLOAD_MAX], got[UDP_PAYLOAD_MAX + 1];
    struct scene *s = *state;
    struct echo e = {0};
    int fd = udp_client(open_udp(s, "7"));
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (unsigned char)(i * 131 + i / 251);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        assert_int_equal(send(fd, data, sizes[i], 0), sizes[i]);
        if (i == 0) {
            TURN_UNTIL(s->loop, s->n_channels == 1);
            echo_start(s, 0, &e);
        }
        assert_int_equal(udp_read(s, fd, got, sizeof(got)), sizes[i]);
        assert_memory_equal(got, data, sizes[i]);
    }
    assert_int_equal(s->n_channels, 1);
    assert_string_equal(s->channels[0].text, "udp 127.0.0.1:7");
    struct forward_stats stats;
    forwarder_stats(s->forwarder, 0, &stats);
    assert_int_equal(stats.open, 1);
    assert_int_equal(stats.sent, 1 + 1400 + 9000 + UDP_PAYLOAD_MAX);
    assert_int_equal(stats.received, stats.sent);
    datagram_free(e.channel);
    close(fd);
}

static void every_source_has_a_flow_of_its_own(void **state)
{
    struct scene *s = *state;
    struct echo e[2];
    char got[16];
    uint16_t port = open_udp(s, "dns.corp:53");
    int one = udp_client(port), two = udp_client(port);
    scene_send(one, "one");
    TURN_UNTIL(s->loop, s->n_channels == 1);
    echo_start(s, 0, &e[0]);
    scene_send(two, "two");
    TURN_UNTIL(s->loop, s->n_channels == 2);
    echo_start(s, 1, &e[1]);
    assert_int_equal(udp_read(s, one, got, sizeof(got)), 3);
    assert_memory_equal(got, "one", 3);
    assert_int_equal(udp_read(s, two, got, sizeof(got)), 3);
    assert_memory_equal(got, "two", 3);
    datagram_free(e[0].channel);
    datagram_free(e[1].channel);
    close(one);
    close(two);
}

static void what_comes_before_the_channel_waits_a_little(void **state)
{
    struct scene *s = *state;
    struct echo e = {0};
    static char data[40000];
    int fd = udp_client(open_udp(s, "7"));
    s->hold = true;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(send(fd, data, sizeof(data) - (size_t)i, 0), sizeof(data) - (size_t)i);
        loop_turn(s->loop, true);
    }
    TURN_UNTIL(s->loop, s->n_channels == 1);
    for (int i = 0; i < 10; i++)
        loop_turn(s->loop, false);
    s->hold = false;
    TURN_UNTIL(s->loop, s->channels[0].delivered);
    echo_start(s, 0, &e);
    TURN_UNTIL(s->loop, e.n_received > 0);
    for (int i = 0; i < 20; i++)
        loop_turn(s->loop, false);
    /* 72 KiB hold one of 40,000 bytes; the oldest were dropped. */
    assert_int_equal(e.n_received, 1);
    assert_int_equal(e.last_len, sizeof(data) - 2);
    datagram_free(e.channel);
    close(fd);
}

static void the_flow_idle_longest_makes_room(void **state)
{
    struct scene *s = *state;
    int fds[3];
    s->options.max_udp_flows = 2;
    uint16_t port = open_udp(s, "7");
    for (size_t i = 0; i < 3; i++) {
        fds[i] = udp_client(port);
        scene_send(fds[i], "x");
        TURN_UNTIL(s->loop, s->n_channels == i + 1 && s->channels[i].delivered);
    }
    assert_true(scene_has(s, "closed 0 127.0.0.1:7"));
    struct forward_stats stats;
    forwarder_stats(s->forwarder, 0, &stats);
    assert_int_equal(stats.open, 2);
    assert_int_equal(stats.total, 3);
    for (size_t i = 0; i < 3; i++)
        close(fds[i]);
}

static void a_refused_flow_is_told_once(void **state)
{
    struct scene *s = *state;
    s->answer = DIAL_FORBIDDEN;
    int fd = udp_client(open_udp(s, "7"));
    for (int i = 0; i < 5; i++) {
        scene_send(fd, "x");
        loop_turn(s->loop, true);
    }
    TURN_UNTIL(s->loop, scene_has(s, "unreached 0 127.0.0.1:7"));
    scene_send(fd, "x");
    for (int i = 0; i < 10; i++)
        loop_turn(s->loop, false);
    assert_int_equal(s->n_channels, 1);
    close(fd);
}

static void flows_rest_no_longer_than_their_limit(void **state)
{
    struct udp_flow f = {.last_used = 100 * USEC_PER_SEC};
    usec_t now = 110 * USEC_PER_SEC;
    assert_int_equal(udp_flow_idle_limit(53), 30 * USEC_PER_SEC);
    assert_int_equal(udp_flow_idle_limit(5353), 2 * USEC_PER_MIN);
    assert_int_equal(udp_flow_left(&f, 30 * USEC_PER_SEC, now), 20 * USEC_PER_SEC);
    f.dead = true;
    assert_true(udp_flow_left(&f, 30 * USEC_PER_SEC, now) < 0);
}

static void udp_associate_carries_datagrams_to_named_targets(void **state)
{
    struct scene *s = *state;
    struct echo e;
    char spec[32], reply[32], got[64];
    uint16_t port = scene_free_port(SOCK_STREAM, NULL);
    snprintf(spec, sizeof(spec), "127.0.0.1:%u", port);
    scene_add(s, FORWARD_FLAG_D, spec);
    scene_open(s);
    int tcp = scene_connect("127.0.0.1", port);
    assert_int_equal(send(tcp, "\x05\x01\x00\x05\x03\x00\x01\0\0\0\0\0\0", 13, 0), 13);
    assert_int_equal(scene_read(s, tcp, reply, 12), 12);
    assert_int_equal(reply[3], 0);
    assert_memory_equal(reply + 6, "\x7f\0\0\1", 4);
    int fd = udp_client((uint16_t)((unsigned char)reply[10] << 8 | (unsigned char)reply[11]));

    static const char packet[] = "\0\0\0\x03\x08"
                                 "dns.corp\0\x35query";
    assert_int_equal(send(fd, packet, sizeof(packet) - 1, 0), sizeof(packet) - 1);
    TURN_UNTIL(s->loop, s->n_channels == 1);
    assert_string_equal(s->channels[0].text, "udp dns.corp:53");
    echo_start(s, 0, &e);
    assert_int_equal(udp_read(s, fd, got, sizeof(got)), sizeof(packet) - 1);
    assert_memory_equal(got, packet, sizeof(packet) - 1);

    /* It ends with its connection. */
    close(tcp);
    TURN_UNTIL(s->loop, scene_has(s, "closed 0 udp in 5 out 5"));
    datagram_free(e.channel);
    close(fd);
}

#define SCENE_TEST(f) cmocka_unit_test_setup_teardown(f, scene_set_up, scene_tear_down)

TEST_MAIN(SCENE_TEST(datagrams_of_every_size_come_back_whole),
          SCENE_TEST(every_source_has_a_flow_of_its_own),
          SCENE_TEST(what_comes_before_the_channel_waits_a_little),
          SCENE_TEST(the_flow_idle_longest_makes_room), SCENE_TEST(a_refused_flow_is_told_once),
          SCENE_TEST(flows_rest_no_longer_than_their_limit),
          SCENE_TEST(udp_associate_carries_datagrams_to_named_targets));
