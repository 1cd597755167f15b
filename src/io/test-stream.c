#include "io/stream.h"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/ioctl.h>

#include "io/null_stream.h"
#include "io/test_help.h"

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

static void assert_gives(struct stream *s, const char *text)
{
    char got[256] = {0};
    size_t n = 0;
    while (n < strlen(text)) {
        ssize_t r = stream_recv(s, got + n, strlen(text) - n);
        if (r == -EAGAIN)
            loop_turn(loop, false);
        else
            assert_true(r > 0);
        n += r > 0 ? (size_t)r : 0;
    }
    assert_string_equal(got, text);
}

static void converse(struct stream *a, struct stream *b, uint64_t a_to_b, uint64_t b_to_a,
                     size_t chunk)
{
    struct talker ta = {.s = a, .to_send = a_to_b, .chunk = chunk};
    struct talker tb = {.s = b, .to_send = b_to_a, .chunk = chunk};
    talker_start(&ta);
    talker_start(&tb);
    TURN_UNTIL(loop, talker_done(&ta) && talker_done(&tb));
    assert_int_equal(ta.failure, 0);
    assert_int_equal(tb.failure, 0);
    assert_int_equal(tb.received, a_to_b);
    assert_int_equal(ta.received, b_to_a);
}

static void a_pair_carries_both_directions_at_once(void **state)
{
    struct stream *end[2];
    stream_pair(loop, 1000, end);
    converse(end[0], end[1], 300000, 200000, 700);
    stream_free(end[0]);
    stream_free(end[1]);
}

static void a_pair_holds_no_more_than_its_capacity(void **state)
{
    struct stream *end[2];
    char data[100] = {0};
    stream_pair(loop, 64, end);
    assert_int_equal(stream_send_bytes(end[0], data, sizeof(data)), 64);
    assert_int_equal(stream_send_bytes(end[0], data, sizeof(data)), -EAGAIN);
    assert_int_equal(stream_recv(end[1], data, 10), 10);
    assert_int_equal(stream_send_bytes(end[0], data, sizeof(data)), 10);
    stream_free(end[0]);
    stream_free(end[1]);
}

static void the_end_of_one_direction_leaves_the_other_open(void **state)
{
    struct stream *end[2];
    char c;
    for (int kind = 0; kind < 2; kind++) {
        if (kind == 0)
            stream_pair(loop, 64, end);
        else
            socket_streams(loop, end);
        assert_int_equal(stream_send_bytes(end[0], "last", 4), 4);
        assert_int_equal(stream_shutdown(end[0]), 0);
        assert_int_equal(stream_shutdown(end[0]), 0);
        assert_int_equal(stream_send_bytes(end[0], "x", 1), -EPIPE);
        assert_gives(end[1], "last");
        assert_int_equal(stream_recv(end[1], &c, 1), 0);
        assert_int_equal(stream_send_bytes(end[1], "answer", 6), 6);
        assert_gives(end[0], "answer");
        assert_int_equal(stream_recv(end[0], &c, 1), -EAGAIN);
        stream_free(end[0]);
        assert_int_equal(stream_send_bytes(end[1], "x", 1), -EPIPE);
        stream_free(end[1]);
    }
}

static void sockets_carry_both_directions_at_once(void **state)
{
    struct stream *end[2];
    socket_streams(loop, end);
    assert_true(stream_fd(end[0]) >= 0);
    converse(end[0], end[1], 3000000, 2000000, 0);
    stream_free(end[0]);
    stream_free(end[1]);
}

static void what_a_vector_does_not_fit_is_left_to_the_caller(void **state)
{
    struct stream *end[2];
    stream_pair(loop, 5, end);
    struct iovec iov[] = {{(void *)"abc", 3}, {(void *)"", 0}, {(void *)"defg", 4}};
    assert_int_equal(stream_send(end[0], iov, 3), 5);
    assert_gives(end[1], "abcde");
    stream_free(end[0]);
    stream_free(end[1]);
}

static void take_zeros(struct stream *s, unsigned events, void *ud)
{
    unsigned char data[1000];
    size_t *n = ud;
    memset(data, 1, sizeof(data));
    assert_int_equal(stream_recv(s, data, sizeof(data)), sizeof(data));
    for (size_t i = 0; i < sizeof(data); i++)
        assert_int_equal(data[i], 0);
    ++*n;
}

static void a_source_gives_zeros_without_end(void **state)
{
    struct stream *s = null_stream_new(loop, true);
    size_t n = 0;
    stream_set_ready(s, take_zeros, &n);
    stream_want(s, STREAM_READ);
    TURN_UNTIL(loop, n == 100);
    stream_want(s, 0);
    for (int i = 0; i < 3; i++)
        loop_turn(loop, false);
    assert_int_equal(n, 100);
    stream_free(s);
}

static void note_end(struct stream *s, unsigned events, void *ud)
{
    unsigned char data[10];
    assert_int_equal(stream_recv(s, data, sizeof(data)), 0);
    stream_want(s, 0);
    ++*(int *)ud;
}

static void what_swallows_ends_once_it_was_told_the_end(void **state)
{
    struct stream *s = null_stream_new(loop, false);
    struct iovec iov[] = {{(void *)"abc", 3}, {(void *)"defg", 4}};
    unsigned char data[10];
    int n = 0;
    stream_set_ready(s, note_end, &n);
    stream_want(s, STREAM_READ);
    assert_int_equal(stream_send(s, iov, 2), 7);
    assert_int_equal(stream_recv(s, data, sizeof(data)), -EAGAIN);
    for (int i = 0; i < 3; i++)
        loop_turn(loop, false);
    assert_int_equal(n, 0);
    assert_int_equal(stream_shutdown(s), 0);
    TURN_UNTIL(loop, n == 1);
    assert_int_equal(stream_send(s, iov, 2), -EPIPE);
    stream_free(s);
}

struct closer {
    struct stream *s;
    int n;
};

static void close_in_callback(struct stream *s, unsigned events, void *ud)
{
    struct closer *c = ud;
    c->n++;
    c->s = stream_free(c->s);
}

static void a_stream_may_be_freed_in_its_own_callback(void **state)
{
    struct stream *end[2];
    for (int kind = 0; kind < 3; kind++) {
        if (kind == 1)
            socket_streams(loop, end);
        else
            stream_pair(loop, 64, end);
        if (kind == 2)
            end[0] = stream_prepend(end[0], "abc", 3);
        struct closer c = {.s = end[0]};
        stream_set_ready(end[0], close_in_callback, &c);
        stream_want(end[0], STREAM_READ | STREAM_WRITE);
        stream_send_bytes(end[1], "x", 1);
        TURN_UNTIL(loop, !c.s);
        loop_turn(loop, false);
        loop_turn(loop, false);
        assert_int_equal(c.n, 1);
        stream_free(end[1]);
    }
}

static void nobody_is_called_for_what_is_not_wanted(void **state)
{
    struct stream *end[2];
    struct talker t = {.stalled = true, .shut = true};
    for (int kind = 0; kind < 2; kind++) {
        if (kind == 0)
            stream_pair(loop, 64, end);
        else
            socket_streams(loop, end);
        t.s = end[0];
        talker_start(&t);
        stream_send_bytes(end[1], (unsigned char[]){pattern(t.received)}, 1);
        for (int i = 0; i < 3; i++)
            loop_turn(loop, false);
        assert_int_equal(t.n_ready, 0);
        stream_want(end[0], STREAM_READ);
        loop_turn(loop, true);
        assert_int_equal(t.n_ready, 1);
        t.n_ready = 0;
        stream_free(end[0]);
        stream_free(end[1]);
    }
}

static void prepended_bytes_come_first(void **state)
{
    struct stream *end[2];
    const void *lent;
    stream_pair(loop, 64, end);
    struct stream *s = stream_prepend(end[0], "hello ", 6);
    stream_send_bytes(end[1], "world", 5);
    assert_int_equal(stream_peek(s, &lent), 6);
    stream_consume(s, 2);
    assert_gives(s, "llo world");
    assert_int_equal(stream_send_bytes(s, "back", 4), 4);
    assert_gives(end[1], "back");
    assert_ptr_equal(stream_prepend(s, "", 0), s);
    stream_free(s);
    stream_free(end[1]);
}

static void reading_prepended_bytes_needs_no_event_below(void **state)
{
    struct stream *end[2];
    unsigned char head[1000];
    socket_streams(loop, end);
    for (size_t i = 0; i < sizeof(head); i++)
        head[i] = pattern(i);
    struct talker t = {.s = stream_prepend(end[0], head, sizeof(head)), .to_send = 10};
    t.chunk = 64;
    assert_true(stream_fd(t.s) >= 0);
    talker_start(&t);
    TURN_UNTIL(loop, t.received == sizeof(head));
    stream_free(end[1]);
    TURN_UNTIL(loop, talker_done(&t));
    assert_int_equal(t.received, sizeof(head));
    stream_free(t.s);
}

static void tcp_sockets(int fd[2])
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(in);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(listen(listener, 1), 0);
    getsockname(listener, (struct sockaddr *)&in, &len);
    fd[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd[0], (struct sockaddr *)&in, sizeof(in)), 0);
    fd[1] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    close(listener);
}

/* Bytes that are queued and were not sent when the socket takes no more; nobody reads. */
static int unsent_when_full(int limit)
{
    static unsigned char data[64 * 1024];
    int fd[2], unsent = 0, before;
    tcp_sockets(fd);
    struct stream *s = fd_stream_new(loop, fd[1]);
    if (limit)
        stream_limit_unsent(s, limit);
    do {
        while (stream_send_bytes(s, data, sizeof(data)) > 0)
            ;
        loop_turn(loop, false);
        before = unsent;
        assert_int_equal(ioctl(fd[1], SIOCOUTQNSD, &unsent), 0);
    } while (unsent != before);
    stream_free(s);
    close(fd[0]);
    return unsent;
}

static void little_is_queued_where_that_is_limited(void **state)
{
    enum { LIMIT = 16 * 1024, ONE_CALL = 64 * 1024 };
    assert_true(unsent_when_full(LIMIT) <= LIMIT + ONE_CALL);
    assert_true(unsent_when_full(0) > LIMIT + ONE_CALL);
}

static void a_reset_stays_a_failure(void **state)
{
    int fd[2];
    tcp_sockets(fd);
    struct linger now = {.l_onoff = 1};
    setsockopt(fd[0], SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(fd[0]);

    char c;
    struct talker t = {.s = fd_stream_new(loop, fd[1]), .shut = true};
    talker_start(&t);
    TURN_UNTIL(loop, t.failure);
    assert_int_equal(t.failure, -ECONNRESET);
    assert_int_equal(stream_recv(t.s, &c, 1), -ECONNRESET);
    stream_free(t.s);
}

static void a_socket_stream_moves_between_loops(void **state)
{
    struct loop *other = loop_new();
    struct stream *end[2];
    socket_streams(loop, end);
    struct talker t = {.s = stream_prepend(end[0], "\0", 1), .shut = true};
    talker_start(&t);
    TURN_UNTIL(loop, t.received == 1);
    stream_want(t.s, 0);
    assert_int_equal(stream_detach(t.s), 0);
    stream_send_bytes(end[1], (unsigned char[]){pattern(1)}, 1);
    loop_turn(loop, false);
    stream_attach(t.s, other);
    stream_want(t.s, STREAM_READ);
    TURN_UNTIL(other, t.received == 2);
    stream_free(t.s);
    stream_free(end[1]);
    loop_free(other);

    stream_pair(loop, 10, end);
    assert_int_equal(stream_detach(end[0]), -ENOTSUP);
    stream_free(end[0]);
    stream_free(end[1]);
}

#define stream_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

TEST_MAIN(stream_test(a_pair_carries_both_directions_at_once),
          stream_test(a_pair_holds_no_more_than_its_capacity),
          stream_test(the_end_of_one_direction_leaves_the_other_open),
          stream_test(sockets_carry_both_directions_at_once),
          stream_test(what_a_vector_does_not_fit_is_left_to_the_caller),
          stream_test(a_source_gives_zeros_without_end),
          stream_test(what_swallows_ends_once_it_was_told_the_end),
          stream_test(a_stream_may_be_freed_in_its_own_callback),
          stream_test(nobody_is_called_for_what_is_not_wanted),
          stream_test(prepended_bytes_come_first),
          stream_test(reading_prepended_bytes_needs_no_event_below),
          stream_test(little_is_queued_where_that_is_limited), stream_test(a_reset_stays_a_failure),
          stream_test(a_socket_stream_moves_between_loops));
