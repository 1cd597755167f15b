#include "io/udp.h"

#include "io/test_help.h"

struct end {
    struct udp *u;
    int n;
    size_t bytes;
    unsigned first[2000]; /* the number at the front of each datagram */
    size_t len;           /* of the last */
    struct addr from;
    int error;
    bool echo;
    bool close_at_once;
};

static struct loop *loop;

static int set_up(void **state)
{
    loop = loop_new();
    return 0;
}

static int tear_down(void **state)
{
    loop = loop_free(loop);
    return 0;
}

static void received(struct udp *u, const void *data, size_t len, const struct addr *from, void *ud)
{
    struct end *e = ud;
    const unsigned char *p = data;
    if (len >= sizeof(unsigned) && e->n < (int)ARRAY_LEN(e->first))
        memcpy(&e->first[e->n], data, sizeof(unsigned));
    for (size_t i = sizeof(unsigned); i < len; i++)
        if (p[i] != pattern(i))
            fail_msg("byte %zu is wrong", i);
    e->n++;
    e->bytes += len;
    e->len = len;
    e->from = *from;
    if (e->echo)
        assert_int_equal(udp_send(u, data, len, from), 0);
    if (e->close_at_once)
        e->u = udp_close(e->u);
}

static void failed(struct udp *u, int error, void *ud)
{
    struct end *e = ud;
    e->error = error;
    if (e->close_at_once)
        e->u = udp_close(e->u);
}

static int bind_end(struct end *e, const char *ip)
{
    struct udp_options options = {.received = received, .failed = failed, .ud = e};
    struct addr addr;
    addr_from_ip(ip, 0, &addr);
    return udp_bind(loop, &addr, &options, &e->u, NULL);
}

static void connect_end(struct end *e, const struct addr *peer)
{
    struct udp_options options = {.received = received, .failed = failed, .ud = e};
    assert_int_equal(udp_connect(loop, peer, &options, &e->u, NULL), 0);
}

static void datagrams_of_every_size_come_back_whole(void **state)
{
    static const size_t sizes[] = {1, 4, 1400, 9000, UDP_PAYLOAD_MAX, 0};
    static unsigned char data[UDP_PAYLOAD_MAX + 1];
    static const char *const ips[] = {"127.0.0.1", "::1"};
    for (size_t i = sizeof(unsigned); i < sizeof(data); i++)
        data[i] = pattern(i);
    for (size_t k = 0; k < ARRAY_LEN(ips); k++) {
        struct end server = {.echo = true}, client = {0};
        if (bind_end(&server, ips[k]) < 0)
            continue; /* a machine without IPv6 */
        connect_end(&client, udp_addr(server.u));
        for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
            int before = client.n;
            assert_int_equal(udp_send(client.u, data, sizes[i], NULL), 0);
            TURN_UNTIL(loop, client.n > before);
            assert_int_equal(client.len, sizes[i]);
        }
        assert_true(addr_equal(&server.from, udp_addr(client.u)));
        assert_true(addr_equal(&client.from, udp_addr(server.u)));
        assert_int_equal(udp_send(client.u, data, sizeof(data), NULL), -EMSGSIZE);
        udp_close(client.u);
        udp_close(server.u);
    }
}

static void a_burst_arrives_in_order(void **state)
{
    struct end server = {0}, client = {0};
    unsigned char data[300];
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = pattern(i);
    assert_int_equal(bind_end(&server, "127.0.0.1"), 0);
    connect_end(&client, udp_addr(server.u));
    for (unsigned i = 0; i < 200; i++) {
        memcpy(data, &i, sizeof(i));
        assert_int_equal(udp_send(client.u, data, sizeof(data), NULL), 0);
    }
    TURN_UNTIL(loop, server.n == 200);
    for (unsigned i = 0; i < 200; i++)
        assert_int_equal(server.first[i], i);
    udp_close(client.u);
    udp_close(server.u);
}

/* Unix datagrams, because there (unlike on loopback) a slow receiver holds the sender up. */
static void a_full_queue_drops_its_oldest(void **state)
{
    char dir[] = "/tmp/adit-test-XXXXXX", path[64];
    struct addr addr;
    struct end sender = {0};
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/s", dir);
    addr_from_path(path, &addr);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, &addr.sa, addr.len), 0);
    connect_end(&sender, &addr);
    for (unsigned i = 0; i < 2000; i++)
        assert_int_equal(udp_send(sender.u, &i, sizeof(i), NULL), 0);

    unsigned got[2000] = {0}, n = 0;
    while (n == 0 || got[n - 1] != 1999) {
        ssize_t r = recv(fd, &got[n], sizeof(got[n]), 0);
        if (r < 0)
            loop_turn(loop, true);
        else
            n++;
    }
    /* First what the kernel took at once, then the newest 256. */
    unsigned at_once = n - 256;
    assert_in_range(at_once, 1, 1000);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(got[i], i < at_once ? i : 2000 - (n - i));
    udp_close(sender.u);
    close(fd);
    unlink(path);
    rmdir(dir);
}

static void the_queue_is_bounded_in_bytes_too(void **state)
{
    char dir[] = "/tmp/adit-test-XXXXXX", path[64];
    static unsigned char data[60000];
    struct addr addr;
    struct end sender = {0};
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/s", dir);
    addr_from_path(path, &addr);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, &addr.sa, addr.len), 0);
    connect_end(&sender, &addr);
    for (unsigned i = 0; i < 300; i++) {
        memcpy(data, &i, sizeof(i));
        assert_int_equal(udp_send(sender.u, data, sizeof(data), NULL), 0);
    }
    unsigned last = 0, n_late = 0;
    while (last != 299) {
        if (recv(fd, data, sizeof(data), 0) < 0) {
            loop_turn(loop, true);
            continue;
        }
        memcpy(&last, data, sizeof(last));
        n_late += last >= 200;
    }
    /* 4 MiB of 60,000 bytes */
    assert_int_equal(n_late, 69);
    udp_close(sender.u);
    close(fd);
    unlink(path);
    rmdir(dir);
}

/* A port that nobody has: bound, and closed again. */
static struct addr closed_port(void)
{
    struct end e = {0};
    assert_int_equal(bind_end(&e, "127.0.0.1"), 0);
    struct addr addr = *udp_addr(e.u);
    udp_close(e.u);
    return addr;
}

static void a_connected_socket_hears_that_nobody_listens(void **state)
{
    struct end client = {0};
    struct addr nobody = closed_port();
    connect_end(&client, &nobody);
    assert_int_equal(udp_send(client.u, "x", 1, NULL), 0);
    TURN_UNTIL(loop, client.error);
    assert_int_equal(client.error, -ECONNREFUSED);
    /* Told by the next send, which goes out nevertheless. */
    client.error = 0;
    assert_int_equal(udp_send(client.u, "x", 1, NULL), 0);
    assert_int_equal(udp_send(client.u, "y", 1, NULL), 0);
    assert_int_equal(client.error, 0); /* not inside the call */
    TURN_UNTIL(loop, client.error);
    assert_int_equal(client.error, -ECONNREFUSED);
    udp_close(client.u);
}

static void a_socket_may_be_closed_in_its_callbacks(void **state)
{
    struct end server = {.close_at_once = true}, client = {.close_at_once = true};
    struct addr nobody = closed_port();
    assert_int_equal(bind_end(&server, "127.0.0.1"), 0);
    connect_end(&client, udp_addr(server.u));
    for (int i = 0; i < 20; i++)
        udp_send(client.u, "x", 1, NULL);
    TURN_UNTIL(loop, !server.u);
    loop_turn(loop, false);
    assert_int_equal(server.n, 1);
    udp_close(client.u);

    client.error = 0;
    connect_end(&client, &nobody);
    udp_send(client.u, "x", 1, NULL);
    udp_send(client.u, "x", 1, NULL);
    TURN_UNTIL(loop, !client.u);
    loop_turn(loop, false);
}

static void a_port_in_use_is_named(void **state)
{
    struct end e = {0}, second = {0};
    struct err err = ERR_INIT;
    struct udp_options options = {.received = received, .ud = &second};
    assert_int_equal(bind_end(&e, "127.0.0.1"), 0);
    assert_int_equal(udp_bind(loop, udp_addr(e.u), &options, &second.u, &err), -EADDRINUSE);
    assert_non_null(strstr(err.text, " is in use"));
    udp_close(e.u);
}

#define udp_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

TEST_MAIN(udp_test(datagrams_of_every_size_come_back_whole), udp_test(a_burst_arrives_in_order),
          udp_test(a_full_queue_drops_its_oldest), udp_test(the_queue_is_bounded_in_bytes_too),
          udp_test(a_connected_socket_hears_that_nobody_listens),
          udp_test(a_socket_may_be_closed_in_its_callbacks), udp_test(a_port_in_use_is_named));
