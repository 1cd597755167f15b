#include "forward/forwarder.h"

#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "forward/bind.h"
#include "forward/test_sockets.h"

static void __attribute__((format(printf, 2, 3))) add_tcp(struct scene *s, const char *fmt, ...)
{
    char spec[128];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(spec, sizeof(spec), fmt, ap);
    va_end(ap);
    scene_add(s, FORWARD_FLAG_TCP, spec);
}

static void bytes_pass_both_ways_and_are_counted(void **state)
{
    struct scene *s = *state;
    uint16_t port = scene_free_port(SOCK_STREAM, NULL);
    add_tcp(s, "%u:db.internal:5432", port);
    scene_open(s);
    int fd = scene_connect("127.0.0.1", port);
    scene_send(fd, "question");
    TURN_UNTIL(s->loop, s->n_channels == 1);
    assert_string_equal(s->channels[0].text, "tcp db.internal:5432");
    scene_far_expect(s, s->channels[0].far, "question");
    assert_int_equal(stream_send_bytes(s->channels[0].far, "answer", 6), 6);
    scene_expect(s, fd, "answer");

    struct forward_stats stats;
    forwarder_stats(s->forwarder, 0, &stats);
    assert_int_equal(stats.open, 1);
    assert_int_equal(stats.sent, 8);
    assert_int_equal(stats.received, 6);
    close(fd);
    s->channels[0].far = stream_free(s->channels[0].far);
    TURN_UNTIL(s->loop, scene_has(s, "closed 0 db.internal:5432 in 6 out 8"));
    forwarder_stats(s->forwarder, 0, &stats);
    assert_int_equal(stats.open, 0);
    assert_int_equal(stats.total, 1);
    assert_int_equal(stats.sent, 8);
}

static void the_end_of_one_direction_does_not_end_the_other(void **state)
{
    struct scene *s = *state;
    char c;
    uint16_t port = scene_free_port(SOCK_STREAM, NULL);
    add_tcp(s, "%u", port);
    scene_open(s);
    int fd = scene_connect("127.0.0.1", port);
    scene_send(fd, "all there is");
    shutdown(fd, SHUT_WR);
    TURN_UNTIL(s->loop, s->n_channels == 1);
    scene_far_expect(s, s->channels[0].far, "all there is");
    assert_int_equal(scene_far_read(s, s->channels[0].far, &c, 1), 0);
    assert_int_equal(stream_send_bytes(s->channels[0].far, "late answer", 11), 11);
    scene_expect(s, fd, "late answer");
    stream_shutdown(s->channels[0].far);
    assert_int_equal(scene_read(s, fd, &c, 1), 0);
    TURN_UNTIL(s->loop, scene_has(s, "closed 0"));
    close(fd);
}

static void without_an_address_both_loopbacks_listen(void **state)
{
    struct scene *s = *state;
    uint16_t port = scene_free_port(SOCK_STREAM, NULL);
    add_tcp(s, "%u", port);
    scene_open(s);
    int four = scene_connect("127.0.0.1", port), six = scene_connect("::1", port);
    TURN_UNTIL(s->loop, s->n_channels == 2);
    close(four);
    close(six);
}

static void a_refusal_resets_the_client_and_is_told(void **state)
{
    struct scene *s = *state;
    char c;
    uint16_t port = scene_free_port(SOCK_STREAM, NULL);
    add_tcp(s, "%u", port);
    scene_open(s);
    s->answer = DIAL_REFUSED;
    int fd = scene_connect("127.0.0.1", port);
    TURN_UNTIL(s->loop, scene_has(s, "unreached 0 127.0.0.1"));
    assert_true(scene_has(s, "as the test says"));
    assert_int_equal(scene_read(s, fd, &c, 1), -ECONNRESET);
    assert_false(scene_has(s, "closed"));
    close(fd);
}

static void a_port_in_use_opens_nothing_and_names_a_free_one(void **state)
{
    struct scene *s = *state;
    struct err err = ERR_INIT;
    char expected[128];
    int taken;
    uint16_t first = scene_free_port(SOCK_STREAM, NULL);
    uint16_t port = scene_free_port(SOCK_STREAM, &taken);
    add_tcp(s, "%u", first);
    add_tcp(s, "%u", port);
    assert_int_equal(forwarder_open(s->loop, &s->set, &s->options, &s->forwarder, &err),
                     -EADDRINUSE);
    snprintf(expected, sizeof(expected), "port %u on 127.0.0.1 is in use; port ", port);
    assert_non_null(strstr(err.text, expected));
    assert_non_null(strstr(err.text, "is free (--auto-port"));
    assert_null(s->forwarder);

    /* The first one was closed again. */
    struct addr a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    addr_from_ip("127.0.0.1", first, &a);
    assert_int_equal(connect(fd, &a.sa, a.len), -1);
    assert_int_equal(errno, ECONNREFUSED);
    close(fd);
    close(taken);
}

static void auto_port_takes_a_free_one_and_says_so(void **state)
{
    struct scene *s = *state;
    int taken;
    uint16_t port = scene_free_port(SOCK_STREAM, &taken);
    add_tcp(s, "%u:80", port);
    s->options.auto_port = true;
    scene_open(s);
    assert_true(scene_has(s, "moved"));
    struct span address = span_of(forwarder_address(s->forwarder, 0));
    assert_true(span_starts(address, "127.0.0.1:"));
    uint64_t got = strtoul(address.p + strlen("127.0.0.1:"), NULL, 10);
    assert_true(got != port);
    int fd = scene_connect("127.0.0.1", (uint16_t)got);
    TURN_UNTIL(s->loop, s->n_channels == 1);
    assert_string_equal(s->channels[0].text, "tcp 127.0.0.1:80");
    close(fd);
    close(taken);
}

/* The first of three neighbouring free ports. */
static uint16_t free_range(void)
{
    for (;;) {
        struct forward_set none = FORWARD_SET_INIT;
        uint16_t first = scene_free_port(SOCK_STREAM, NULL);
        struct forward fw = {.bind = (char *)(uintptr_t) "127.0.0.1", .local_port = first};
        if (first > 65000 || bind_find_free_port(&none, &fw) != first + 1)
            continue;
        fw.local_port = (uint16_t)(first + 1);
        if (bind_find_free_port(&none, &fw) == first + 2)
            return first;
    }
}

static void ranges_open_every_port(void **state)
{
    struct scene *s = *state;
    char spec[64];
    uint16_t port = free_range();
    snprintf(spec, sizeof(spec), "127.0.0.1:%u-%u:7000-7002", port, port + 2u);
    scene_add(s, FORWARD_FLAG_TCP, spec);
    scene_open(s);
    for (uint16_t i = 0; i < 3; i++) {
        char expected[32];
        int fd = scene_connect("127.0.0.1", (uint16_t)(port + i));
        TURN_UNTIL(s->loop, s->n_channels == i + 1u);
        snprintf(expected, sizeof(expected), "tcp 127.0.0.1:%u", 7000u + i);
        assert_string_equal(s->channels[i].text, expected);
        close(fd);
    }
}

static void unix_sockets_work_on_either_side(void **state)
{
    struct scene *s = *state;
    char dir[] = "/tmp/adit-test-XXXXXX", path[64], spec[128];
    struct stat st;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/s", dir);
    snprintf(spec, sizeof(spec), "%s:/run/there.sock", path);
    scene_add(s, FORWARD_FLAG_L, spec);
    scene_open(s);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);

    struct addr a;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(addr_from_path(path, &a), 0);
    assert_int_equal(connect(fd, &a.sa, a.len), 0);
    TURN_UNTIL(s->loop, s->n_channels == 1);
    assert_string_equal(s->channels[0].text, "unix /run/there.sock");
    close(fd);
    s->forwarder = forwarder_free(s->forwarder);
    assert_int_equal(stat(path, &st), -1);
    assert_int_equal(rmdir(dir), 0);
}

static void connections_beyond_the_limit_are_refused(void **state)
{
    struct scene *s = *state;
    char c;
    uint16_t port = scene_free_port(SOCK_STREAM, NULL);
    add_tcp(s, "%u", port);
    s->options.max_connections = 1;
    scene_open(s);
    int one = scene_connect("127.0.0.1", port);
    TURN_UNTIL(s->loop, s->n_channels == 1);
    int two = scene_connect("127.0.0.1", port);
    TURN_UNTIL(s->loop, scene_has(s, "too many connections"));
    assert_int_equal(scene_read(s, two, &c, 1), 0);
    assert_int_equal(s->n_channels, 1);
    close(one);
    close(two);
}

static void a_connection_waits_for_its_channel(void **state)
{
    struct scene *s = *state;
    uint16_t port = scene_free_port(SOCK_STREAM, NULL);
    add_tcp(s, "%u", port);
    scene_open(s);
    s->hold = true;
    int fd = scene_connect("127.0.0.1", port);
    scene_send(fd, "patience");
    TURN_UNTIL(s->loop, s->n_channels == 1);
    for (int i = 0; i < 20; i++)
        loop_turn(s->loop, false);
    assert_false(s->channels[0].delivered);
    s->hold = false;
    scene_far_expect(s, s->channels[0].far, "patience");
    close(fd);
}

static void freeing_ends_what_is_under_way_without_events(void **state)
{
    struct scene *s = *state;
    char c;
    uint16_t port = scene_free_port(SOCK_STREAM, NULL);
    add_tcp(s, "%u", port);
    scene_open(s);
    int one = scene_connect("127.0.0.1", port);
    scene_send(one, "x");
    TURN_UNTIL(s->loop, s->n_channels == 1 && s->channels[0].delivered);
    s->hold = true;
    int two = scene_connect("127.0.0.1", port);
    TURN_UNTIL(s->loop, s->n_channels == 2);
    size_t before = s->n_events;
    s->forwarder = forwarder_free(s->forwarder);
    assert_true(s->channels[1].cancelled);
    assert_int_equal(s->n_events, before);
    assert_true(scene_read(s, two, &c, 1) <= 0);
    close(one);
    close(two);
}

static void a_public_listener_says_who_can_reach_it(void **state)
{
    struct scene *s = *state;
    uint16_t port = scene_free_port(SOCK_STREAM, NULL);
    add_tcp(s, "*:%u:80", port);
    scene_open(s);
    assert_true(scene_has(s, "opened 0 0.0.0.0:"));
    assert_true(scene_has(s, "everyone who can reach this machine"));

    struct forward loopback = {.bind = NULL}, local = {.bind = (char *)(uintptr_t) "127.0.0.5"},
                   other = {.bind = (char *)(uintptr_t) "10.1.2.3"},
                   six = {.bind = (char *)(uintptr_t) "::1"};
    assert_false(bind_is_public(&loopback));
    assert_false(bind_is_public(&local));
    assert_false(bind_is_public(&six));
    assert_true(bind_is_public(&other));
}

/* In a child that is nobody: what opening port 80 says. */
static int open_as_nobody(struct scene *s)
{
    struct err err = ERR_INIT;
    if (setgid(65534) < 0 || setuid(65534) < 0)
        return 2;
    if (forwarder_open(s->loop, &s->set, &s->options, &s->forwarder, &err) != -EACCES)
        return 3;
    if (!strstr(err.text, "port 80 on 127.0.0.1 needs the right to use ports below 1024; port 80"))
        return 4;
    s->options.auto_port = true;
    if (forwarder_open(s->loop, &s->set, &s->options, &s->forwarder, &err) != 0)
        return 5;
    return strstr(forwarder_address(s->forwarder, 0), "127.0.0.1:80") ? 0 : 6;
}

static void a_port_below_1024_needs_the_right(void **state)
{
    struct scene *s = *state;
    int status;
    FILE *f = fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "re");
    char first[16] = "1024";
    if (f && !fgets(first, sizeof(first), f))
        first[0] = 0;
    if (f)
        fclose(f);
    if (geteuid() != 0 || strtol(first, NULL, 10) <= 80)
        skip();
    scene_add(s, FORWARD_FLAG_TCP, "80");
    pid_t pid = fork();
    if (pid == 0)
        _exit(open_as_nobody(s));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_shadowed_second_address_is_told(void **state)
{
    struct scene *s = *state;
    struct addr a;
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){1}, sizeof(int));
    addr_from_ip("::1", 0, &a);
    assert_int_equal(bind(fd, &a.sa, a.len), 0);
    assert_int_equal(listen(fd, 1), 0);
    addr_of_socket(fd, &a);
    add_tcp(s, "%u", addr_port(&a));
    scene_open(s);
    assert_true(scene_has(s, "use 127.0.0.1 and not localhost"));
    close(fd);
}

#define SCENE_TEST(f) cmocka_unit_test_setup_teardown(f, scene_set_up, scene_tear_down)

TEST_MAIN(SCENE_TEST(bytes_pass_both_ways_and_are_counted),
          SCENE_TEST(the_end_of_one_direction_does_not_end_the_other),
          SCENE_TEST(without_an_address_both_loopbacks_listen),
          SCENE_TEST(a_refusal_resets_the_client_and_is_told),
          SCENE_TEST(a_port_in_use_opens_nothing_and_names_a_free_one),
          SCENE_TEST(auto_port_takes_a_free_one_and_says_so), SCENE_TEST(ranges_open_every_port),
          SCENE_TEST(unix_sockets_work_on_either_side),
          SCENE_TEST(connections_beyond_the_limit_are_refused),
          SCENE_TEST(a_connection_waits_for_its_channel),
          SCENE_TEST(freeing_ends_what_is_under_way_without_events),
          SCENE_TEST(a_public_listener_says_who_can_reach_it),
          SCENE_TEST(a_port_below_1024_needs_the_right),
          SCENE_TEST(a_shadowed_second_address_is_told));
