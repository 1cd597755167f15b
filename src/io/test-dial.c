#include "io/dial.h"

#include <netinet/in.h>

#include "io/addr.h"
#include "io/dns.h"
#include "io/test_help.h"

struct scene {
    struct loop *loop;
    bool done;
    enum dial_outcome outcome;
    struct stream *stream;
    char text[512];
};

static int set_up(void **state)
{
    struct scene *s = new0(struct scene);
    s->loop = loop_new();
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *s = *state;
    stream_free(s->stream);
    loop_free(s->loop);
    free(s);
    return 0;
}

static void dialled(enum dial_outcome outcome, struct stream *stream, const struct err *err,
                    void *ud)
{
    struct scene *s = ud;
    assert_false(s->done);
    s->done = true;
    s->outcome = outcome;
    s->stream = stream;
    if (err)
        snprintf(s->text, sizeof(s->text), "%s", err->text);
}

/* A listening socket with at most `backlog` waiting connections; -1 without the family. */
static int serve(const char *ip, int backlog, uint16_t *ret_port)
{
    struct addr addr;
    addr_from_ip(ip, 0, &addr);
    int fd = socket(addr.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, &addr.sa, addr.len) < 0)
        return -1;
    if (backlog >= 0)
        assert_int_equal(listen(fd, backlog), 0);
    addr_of_socket(fd, &addr);
    *ret_port = addr_port(&addr);
    return fd;
}

static void dial_and_wait(struct scene *s, const char *host, uint16_t port, usec_t timeout)
{
    struct dial_options options = {.timeout = timeout, .done = dialled, .ud = s};
    s->done = false;
    s->stream = stream_free(s->stream);
    dial_tcp(s->loop, host, port, &options);
    assert_false(s->done); /* never inside the call */
    TURN_UNTIL(s->loop, s->done);
}

static void a_numeric_address_connects(void **state)
{
    struct scene *s = *state;
    uint16_t port = 0;
    int fd = serve("127.0.0.1", 5, &port);
    dial_and_wait(s, "127.0.0.1", port, 0);
    assert_int_equal(s->outcome, DIAL_OUTCOME_OK);
    assert_int_equal(stream_send_bytes(s->stream, "hi", 2), 2);
    close(fd);
}

static void nothing_listening_is_a_refusal(void **state)
{
    struct scene *s = *state;
    uint16_t port = 0;
    char expected[100];
    int fd = serve("127.0.0.1", -1, &port); /* bound, so that nobody else takes it */
    dial_and_wait(s, "127.0.0.1", port, 0);
    assert_int_equal(s->outcome, DIAL_OUTCOME_REFUSED);
    assert_null(s->stream);
    snprintf(expected, sizeof(expected), "127.0.0.1:%u: connection refused, nothing listens there",
             port);
    assert_string_equal(s->text, expected);
    close(fd);
}

static void the_loopback_address_falls_back_to_ipv6(void **state)
{
    struct scene *s = *state;
    uint16_t port = 0;
    int fd = serve("::1", 5, &port);
    if (fd < 0)
        return; /* a machine without IPv6 */
    dial_and_wait(s, "127.0.0.1", port, 0);
    assert_int_equal(s->outcome, DIAL_OUTCOME_OK);
    dial_and_wait(s, "localhost", port, 0);
    assert_int_equal(s->outcome, DIAL_OUTCOME_OK);
    dial_and_wait(s, "::1", port, 0);
    assert_int_equal(s->outcome, DIAL_OUTCOME_OK);
    dial_and_wait(s, "127.0.0.2", port, 0);
    assert_int_equal(s->outcome, DIAL_OUTCOME_REFUSED);
    close(fd);
}

static void localhost_is_tried_on_ipv4_too(void **state)
{
    struct scene *s = *state;
    uint16_t port = 0;
    int fd = serve("127.0.0.1", 5, &port);
    static const char *const names[] = {"localhost", "LocalHost", "app.localhost", "localhost."};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        dial_and_wait(s, names[i], port, 0);
        assert_int_equal(s->outcome, DIAL_OUTCOME_OK);
    }
    close(fd);
}

static void an_answer_that_does_not_come_is_a_time_out(void **state)
{
    struct scene *s = *state;
    uint16_t port = 0;
    int fd = serve("127.0.0.3", 0, &port), fill[4];
    struct addr addr;
    addr_from_ip("127.0.0.3", port, &addr);
    for (int i = 0; i < 4; i++) { /* the queue is full after the first two */
        fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)!connect(fill[i], &addr.sa, addr.len);
    }
    usec_t start = clock_monotonic();
    dial_and_wait(s, "127.0.0.3", port, 100 * USEC_PER_MSEC);
    assert_int_equal(s->outcome, DIAL_OUTCOME_TIMED_OUT);
    assert_true(clock_monotonic() - start >= 100 * USEC_PER_MSEC);
    for (int i = 0; i < 4; i++)
        close(fill[i]);
    close(fd);
}

static void a_name_that_cannot_exist_is_told_as_such(void **state)
{
    struct scene *s = *state;
    char host[400];
    memset(host, 'x', sizeof(host));
    host[sizeof(host) - 1] = '\0';
    dial_and_wait(s, host, 80, 0);
    assert_int_equal(s->outcome, DIAL_OUTCOME_NO_NAME);
    dial_and_wait(s, "no such name", 80, 5 * USEC_PER_SEC);
    assert_int_equal(s->outcome, DIAL_OUTCOME_NO_NAME);
    assert_non_null(strstr(s->text, "no such name:80: "));
}

static void a_unix_socket_connects(void **state)
{
    struct scene *s = *state;
    struct dial_options options = {.timeout = USEC_PER_SEC, .done = dialled, .ud = s};
    char dir[] = "/tmp/adit-test-XXXXXX", path[64], *too_long;
    struct addr addr;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/s", dir);

    dial_unix(s->loop, path, &options);
    TURN_UNTIL(s->loop, s->done);
    assert_int_equal(s->outcome, DIAL_OUTCOME_REFUSED);
    s->done = false;

    too_long = xasprintf("%s/%0200d", dir, 1);
    dial_unix(s->loop, too_long, &options);
    TURN_UNTIL(s->loop, s->done);
    assert_int_equal(s->outcome, DIAL_OUTCOME_FAILED);
    assert_non_null(strstr(s->text, "too long"));
    free(too_long);
    s->done = false;

    addr_from_path(path, &addr);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, &addr.sa, addr.len), 0);
    assert_int_equal(listen(fd, 0), 0);
    dial_unix(s->loop, path, &options);
    TURN_UNTIL(s->loop, s->done);
    assert_int_equal(s->outcome, DIAL_OUTCOME_OK);
    s->done = false;

    /* The queue of one is full now; the dial goes on asking until there is room. */
    struct stream *first = steal(&s->stream);
    dial_unix(s->loop, path, &options);
    for (int i = 0; i < 3; i++)
        loop_turn(s->loop, true);
    assert_false(s->done);
    int taken = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    TURN_UNTIL(s->loop, s->done);
    assert_int_equal(s->outcome, DIAL_OUTCOME_OK);
    stream_free(first);
    close(taken);
    close(fd);
    unlink(path);
    rmdir(dir);
}

static void a_cancelled_dial_is_silent(void **state)
{
    struct scene *s = *state;
    struct dial_options options = {.done = dialled, .ud = s};
    uint16_t port = 0;
    int fd = serve("127.0.0.1", 5, &port);
    dial_cancel(dial_tcp(s->loop, "127.0.0.1", port, &options));
    dial_cancel(dial_tcp(s->loop, "no such name", port, &options));
    dial_cancel(dial_unix(s->loop, "/nonexistent", &options));
    struct dial *d = dial_tcp(s->loop, "127.0.0.1", port, &options);
    loop_turn(s->loop, false); /* resolved, and the connection is under way or made */
    if (!s->done)
        dial_cancel(d);
    bool was_done = s->done;
    for (int i = 0; i < 20; i++)
        loop_turn(s->loop, false);
    assert_int_equal(s->done, was_done);
    close(fd);
}

struct answer {
    bool done;
    int result;
    size_t n;
    struct addr first;
};

static void resolved(int result, const struct addr *addrs, size_t n_addrs, void *ud)
{
    struct answer *a = ud;
    a->done = true;
    a->result = result;
    a->n = n_addrs;
    if (n_addrs)
        a->first = addrs[0];
}

static void numeric_addresses_and_localhost_are_known(void **state)
{
    struct scene *s = *state;
    static const struct {
        const char *host;
        const char *first;
        size_t n;
    } cases[] = {
        {"10.1.2.3", "10.1.2.3:7", 1},
        {"2001:db8::1", "[2001:db8::1]:7", 1},
        {"localhost", "[::1]:7", 2},
        {"a.b.localhost", "[::1]:7", 2},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct answer a = {0};
        char text[ADDR_TEXT_LEN];
        dns_resolve(s->loop, cases[i].host, 7, resolved, &a);
        assert_false(a.done);
        TURN_UNTIL(s->loop, a.done);
        assert_int_equal(a.result, 0);
        assert_int_equal(a.n, cases[i].n);
        assert_string_equal(addr_format(&a.first, text), cases[i].first);
    }
}

#define scene_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

TEST_MAIN(scene_test(a_numeric_address_connects), scene_test(nothing_listening_is_a_refusal),
          scene_test(the_loopback_address_falls_back_to_ipv6),
          scene_test(localhost_is_tried_on_ipv4_too),
          scene_test(an_answer_that_does_not_come_is_a_time_out),
          scene_test(a_name_that_cannot_exist_is_told_as_such), scene_test(a_unix_socket_connects),
          scene_test(a_cancelled_dial_is_silent),
          scene_test(numeric_addresses_and_localhost_are_known));
