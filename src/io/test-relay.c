#include "io/relay.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "io/pipe_stream.h"
#include "io/test_help.h"
#include "io/timer.h"

/* a talks to the relay's left stream, b to its right one. */
struct scene {
    struct loop *loop;
    struct talker a, b;
    struct relay *relay;
    uint64_t a_to_b, b_to_a;
    bool done;
    int result;
};

static void relay_done(struct relay *r, int result, void *ud)
{
    struct scene *s = ud;
    s->done = true;
    s->result = result;
    s->a_to_b = relay_bytes_a_to_b(r);
    s->b_to_a = relay_bytes_b_to_a(r);
    s->relay = NULL;
}

enum { N_KINDS = 16 };

static void pipe_streams(struct loop *loop, struct stream *ret[2])
{
    int there[2], back[2];
    assert_int_equal(pipe2(there, O_CLOEXEC), 0);
    assert_int_equal(pipe2(back, O_CLOEXEC), 0);
    ret[0] = pipe_stream_new(loop, back[0], there[1]);
    ret[1] = pipe_stream_new(loop, there[0], back[1]);
}

/*
 * `kind`: bit 0 and 1 say whether the left and the right leg are sockets, bit 2 and 3 whether they
 * are pipes, in place of pairs in memory.
 */
static void scene_open(struct scene *s, int kind, size_t capacity,
                       const struct relay_options *limits)
{
    struct stream *left[2], *right[2];
    struct relay_options options = *limits;
    s->loop = loop_new();
    if (kind & 4)
        pipe_streams(s->loop, left);
    else if (kind & 1)
        socket_streams(s->loop, left);
    else
        stream_pair(s->loop, capacity, left);
    if (kind & 8)
        pipe_streams(s->loop, right);
    else if (kind & 2)
        socket_streams(s->loop, right);
    else
        stream_pair(s->loop, capacity, right);
    options.done = relay_done;
    options.ud = s;
    s->a.s = left[0];
    s->b.s = right[1];
    s->relay = relay_new(left[1], right[0], &options);
}

static void scene_close(struct scene *s)
{
    relay_free(s->relay);
    stream_free(s->a.s);
    stream_free(s->b.s);
    loop_free(s->loop);
}

/* Two connected TCP sockets, whose buffers hold megabytes. */
static void tcp_streams(struct loop *loop, struct stream *ret[2])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    int listener = socket(AF_INET, SOCK_STREAM, 0), fd[2];
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
    fd[0] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd[0], (struct sockaddr *)&at, sizeof(at)), 0);
    fd[1] = accept(listener, NULL, NULL);
    close(listener);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(fcntl(fd[i], F_SETFL, O_NONBLOCK), 0);
        ret[i] = fd_stream_new(loop, fd[i]);
    }
}

static void both_directions_are_copied_to_their_ends(void **state)
{
    for (int kind = 0; kind < N_KINDS; kind++) {
        struct scene s = {.a.to_send = 3000000, .b.to_send = 2500000};
        scene_open(&s, kind, 5000, &(struct relay_options){0});
        talker_start(&s.a);
        talker_start(&s.b);
        TURN_UNTIL(s.loop, talker_done(&s.a) && talker_done(&s.b) && s.done);
        assert_int_equal(s.result, 0);
        assert_int_equal(s.a.received, 2500000);
        assert_int_equal(s.b.received, 3000000);
        assert_int_equal(s.a_to_b, 3000000);
        assert_int_equal(s.b_to_a, 2500000);
        scene_close(&s);
    }
}

static void what_is_there_moves_at_once_where_that_is_asked_for(void **state)
{
    struct scene s = {0};
    struct stream *left[2], *right[2];
    char got[8];
    const struct relay_options options = {.eager = true, .done = relay_done, .ud = &s};
    s.loop = loop_new();
    stream_pair(s.loop, 100, left);
    stream_pair(s.loop, 100, right);
    s.a.s = left[0];
    s.b.s = right[1];
    assert_int_equal(stream_send_bytes(s.a.s, "early", 5), 5);
    s.relay = relay_new(left[1], right[0], &options);
    assert_int_equal(stream_recv(s.b.s, got, sizeof(got)), 5);
    assert_int_equal(relay_bytes_a_to_b(s.relay), 5);
    scene_close(&s);
}

static void an_eager_relay_that_fails_at_once_tells_so_later(void **state)
{
    struct scene s = {0};
    struct stream *left[2], *right[2];
    const struct relay_options options = {.eager = true, .done = relay_done, .ud = &s};
    s.loop = loop_new();
    stream_pair(s.loop, 100, left);
    stream_pair(s.loop, 100, right);
    s.a.s = left[0];
    s.b.s = stream_free(right[1]);
    assert_int_equal(stream_send_bytes(s.a.s, "early", 5), 5);
    s.relay = relay_new(left[1], right[0], &options);
    assert_false(s.done);
    TURN_UNTIL(s.loop, s.done);
    assert_int_equal(s.result, -EPIPE);
    scene_close(&s);
}

static void the_end_of_one_direction_lets_the_other_go_on(void **state)
{
    for (int kind = 0; kind < N_KINDS; kind++) {
        struct scene s = {.a.to_send = 1, .b.to_send = 1000000};
        scene_open(&s, kind, 5000, &(struct relay_options){0});
        talker_start(&s.a);
        s.b.shut = true; /* holds its answer back */
        talker_start(&s.b);
        TURN_UNTIL(s.loop, s.b.ended);
        assert_false(s.done);
        s.b.shut = false;
        talker_wants(&s.b);
        TURN_UNTIL(s.loop, s.done && s.a.ended);
        assert_int_equal(s.result, 0);
        assert_int_equal(s.a.received, 1000000);
        scene_close(&s);
    }
}

static void the_end_of_b_ends_all_where_that_is_asked_for(void **state)
{
    for (int kind = 0; kind < N_KINDS; kind++) {
        struct scene s = {.b.to_send = 1000000};
        scene_open(&s, kind, 5000, &(struct relay_options){.b_ends_all = true});
        s.a.shut = true; /* a has nothing to say, and does not end */
        talker_start(&s.a);
        talker_start(&s.b);
        TURN_UNTIL(s.loop, s.done && s.a.ended);
        assert_int_equal(s.result, 0);
        assert_int_equal(s.a.received, 1000000);
        scene_close(&s);
    }
}

static void a_slow_reader_stops_the_sender(void **state)
{
    struct scene s = {.a.to_send = 10000000, .b.stalled = true};
    scene_open(&s, 0, 4096, &(struct relay_options){0});
    talker_start(&s.a);
    talker_start(&s.b);
    for (int i = 0; i < 1000; i++)
        loop_turn(s.loop, false);
    /* Two pairs and no copy between them, because a pair lends its bytes. */
    assert_in_range(s.a.sent, 4096, 2 * 4096);
    s.b.stalled = false;
    talker_wants(&s.b);
    TURN_UNTIL(s.loop, s.done && s.b.ended);
    assert_int_equal(s.b.received, 10000000);
    scene_close(&s);
}

static void a_slow_reader_stops_the_sender_through_the_kernel(void **state)
{
    static const int kinds[] = {4 | 2, 1 | 8, 4 | 8};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct scene s = {.a.to_send = 40000000, .b.stalled = true};
        scene_open(&s, kinds[i], 0, &(struct relay_options){0});
        talker_start(&s.a);
        talker_start(&s.b);
        for (uint64_t sent = 1; sent != s.a.sent;) {
            sent = s.a.sent;
            for (int n = 0; n < 100; n++)
                loop_turn(s.loop, false);
        }
        assert_in_range(s.a.sent, 1, 20000000);
        assert_false(s.done);
        s.b.stalled = false;
        talker_wants(&s.b);
        TURN_UNTIL(s.loop, s.done && s.b.ended);
        assert_int_equal(s.result, 0);
        assert_int_equal(s.b.received, 40000000);
        scene_close(&s);
    }
}

static void what_a_slow_reader_leaves_is_held_within_a_bound(void **state)
{
    struct scene s = {.a.to_send = 50000000, .b.stalled = true};
    scene_open(&s, 1, 4096, &(struct relay_options){0}); /* a socket is read, it cannot lend */
    talker_start(&s.a);
    talker_start(&s.b);
    uint64_t before;
    do {
        before = s.a.sent;
        for (int i = 0; i < 20; i++)
            loop_turn(s.loop, false);
    } while (s.a.sent != before);
    assert_true(s.a.sent < 2000000); /* the kernel's buffers, 64 KiB, and a pair */
    s.b.stalled = false;
    s.b.chunk = 1000;
    talker_wants(&s.b);
    TURN_UNTIL(s.loop, s.b.received > 3000000);
    s.b.chunk = 0;
    TURN_UNTIL(s.loop, s.done && s.b.ended);
    assert_int_equal(s.b.received, 50000000);
    scene_close(&s);
}

static void note_fired(struct timer *t, void *ud)
{
    *(bool *)ud = true;
}

static void waiting_for_a_slow_reader_costs_no_turns(void **state)
{
    struct scene s = {.a.to_send = 50000000, .b.stalled = true};
    struct timer t;
    bool fired = false;
    int turns = 0;
    scene_open(&s, 3, 0, &(struct relay_options){0});
    talker_start(&s.a);
    talker_start(&s.b);
    for (int i = 0; i < 1000; i++)
        loop_turn(s.loop, false);
    timer_init(&t, s.loop, note_fired, &fired);
    timer_start(&t, 20 * USEC_PER_MSEC);
    while (!fired) {
        loop_turn(s.loop, true);
        turns++;
    }
    assert_true(turns < 10);
    scene_close(&s);
}

static void a_failure_ends_both_sides(void **state)
{
    struct scene s = {.a.to_send = 1000000000};
    scene_open(&s, 3, 0, &(struct relay_options){0});
    talker_start(&s.a);
    talker_start(&s.b);
    TURN_UNTIL(s.loop, s.b.received > 1000000);
    s.b.s = stream_free(s.b.s);
    TURN_UNTIL(s.loop, s.done && s.a.failure);
    assert_true(s.result < 0);
    assert_true(s.a_to_b > 0);
    scene_close(&s);
}

static void a_failure_can_look_like_one_on_the_other_side(void **state)
{
    for (int resets = 0; resets < 2; resets++) {
        struct scene s = {.loop = loop_new(), .b.shut = true};
        struct stream *left[2], *right[2];
        const struct relay_options options = {
            .failure_resets = resets, .done = relay_done, .ud = &s};
        struct linger hard = {.l_onoff = 1};
        tcp_streams(s.loop, left);
        tcp_streams(s.loop, right);
        s.a.s = left[0];
        s.b.s = right[1];
        s.relay = relay_new(left[1], right[0], &options);
        talker_start(&s.b);
        setsockopt(stream_fd(s.a.s), SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
        s.a.s = stream_free(s.a.s);
        TURN_UNTIL(s.loop, s.done && (s.b.ended || s.b.failure));
        assert_int_equal(s.result, -ECONNRESET);
        assert_int_equal(s.b.failure, resets ? -ECONNRESET : 0);
        scene_close(&s);
    }
}

static void an_idle_relay_ends(void **state)
{
    struct scene s = {.a.to_send = 100, .a.shut = true};
    scene_open(&s, 0, 4096, &(struct relay_options){.idle_limit = 30 * USEC_PER_MSEC});
    usec_t start = clock_monotonic();
    talker_start(&s.a);
    TURN_UNTIL(s.loop, s.done);
    assert_int_equal(s.result, -ETIMEDOUT);
    assert_true(clock_monotonic() - start >= 30 * USEC_PER_MSEC);
    scene_close(&s);
}

static void a_half_closed_relay_has_a_limit_of_its_own(void **state)
{
    struct scene s = {.a.to_send = 100, .b.shut = true};
    scene_open(&s, 0, 4096,
               &(struct relay_options){.idle_limit = USEC_PER_HOUR,
                                       .half_closed_limit = 20 * USEC_PER_MSEC});
    talker_start(&s.a);
    talker_start(&s.b);
    TURN_UNTIL(s.loop, s.done);
    assert_int_equal(s.result, -ETIMEDOUT);
    assert_int_equal(s.b.received, 100);
    scene_close(&s);
}

/* Keeps bytes coming for two and a half times the limit. Returns the longest pause between two. */
static usec_t keep_sending(struct scene *s, usec_t limit, uint64_t *sent)
{
    usec_t start = clock_monotonic(), last = start, pause = 0;
    while (last - start < limit * 5 / 2) {
        unsigned char c = pattern(*sent);
        *sent += stream_send_bytes(s->a.s, &c, 1) == 1;
        loop_turn(s->loop, false);
        usec_t now = clock_monotonic();
        pause = now - last > pause ? now - last : pause;
        last = now;
    }
    return pause;
}

static void traffic_keeps_a_relay_from_being_idle(void **state)
{
    static const usec_t limit = 400 * USEC_PER_MSEC;
    bool steady = false;
    /* Where the machine let this program wait, there was no traffic: once more. */
    while (!steady) {
        struct scene s = {.a.shut = true, .b.shut = true};
        uint64_t sent = 0;
        scene_open(&s, 0, 4096, &(struct relay_options){.idle_limit = limit});
        talker_start(&s.a);
        talker_start(&s.b);
        steady = keep_sending(&s, limit, &sent) < limit / 3;
        if (steady) {
            assert_false(s.done);
            TURN_UNTIL(s.loop, s.done);
            assert_int_equal(s.b.received, sent);
        }
        scene_close(&s);
    }
}

static void freeing_a_relay_ends_both_streams_without_a_word(void **state)
{
    struct scene s = {.a.to_send = 1000000, .b.stalled = true};
    scene_open(&s, 1, 4096, &(struct relay_options){.idle_limit = USEC_PER_SEC});
    talker_start(&s.a);
    talker_start(&s.b);
    for (int i = 0; i < 100; i++)
        loop_turn(s.loop, false);
    s.relay = relay_free(s.relay);
    s.b.stalled = false;
    talker_wants(&s.b);
    TURN_UNTIL(s.loop, s.b.ended && s.a.failure);
    assert_false(s.done);
    scene_close(&s);
}

/* ---- bytes that stay in the kernel ---- */

static void splice_scene_open(struct scene *s, bool tcp)
{
    struct stream *left[2], *right[2];
    const struct relay_options options = {.splice = true, .done = relay_done, .ud = s};
    s->loop = loop_new();
    if (tcp) {
        tcp_streams(s->loop, left);
        tcp_streams(s->loop, right);
    } else {
        socket_streams(s->loop, left);
        socket_streams(s->loop, right);
    }
    s->a.s = left[0];
    s->b.s = right[1];
    s->relay = relay_new(left[1], right[0], &options);
}

static void spliced_bytes_arrive_in_order_and_are_counted(void **state)
{
    for (int tcp = 0; tcp < 2; tcp++) {
        struct scene s = {.a.to_send = 30000001, .b.to_send = 12345678};
        splice_scene_open(&s, tcp);
        talker_start(&s.a);
        talker_start(&s.b);
        TURN_UNTIL(s.loop, talker_done(&s.a) && talker_done(&s.b) && s.done);
        assert_int_equal(s.result, 0);
        assert_int_equal(s.a.received, 12345678);
        assert_int_equal(s.b.received, 30000001);
        assert_int_equal(s.a_to_b, 30000001);
        assert_int_equal(s.b_to_a, 12345678);
        scene_close(&s);
    }
}

/* Both ends of a spliced relay, each on a thread of its own: bursts, each waited for. */
struct bursts {
    int out, in;
    atomic_ullong received;
    unsigned long long total;
};

enum { BURSTS = 20 };

static void *burst_sender(void *ud)
{
    struct bursts *b = ud;
    static unsigned char data[1 << 20];
    for (unsigned i = 0; i < BURSTS; i++) {
        size_t left = 5000000 + i * 77777;
        b->total += left;
        while (left > 0) {
            ssize_t n = send(b->out, data, left < sizeof(data) ? left : sizeof(data), MSG_NOSIGNAL);
            if (n <= 0)
                return NULL;
            left -= (size_t)n;
        }
        while (atomic_load(&b->received) < b->total)
            sched_yield();
    }
    shutdown(b->out, SHUT_WR);
    return NULL;
}

/* Slower than the sender, so that the relay is blocked again and again. */
static void *burst_reader(void *ud)
{
    struct bursts *b = ud;
    static unsigned char data[16384];
    ssize_t n;
    while ((n = recv(b->in, data, sizeof(data), 0)) > 0)
        atomic_fetch_add(&b->received, (unsigned long long)n);
    shutdown(b->in, SHUT_WR);
    return NULL;
}

/* Whatever is in the pipe when a turn is over has to come out, though no more comes in. */
static void a_burst_comes_out_of_a_spliced_relay_as_a_whole(void **state)
{
    struct scene s = {0};
    pthread_t sender, reader;
    splice_scene_open(&s, true);
    struct bursts b = {.out = stream_fd(s.a.s), .in = stream_fd(s.b.s)};
    assert_int_equal(fcntl(b.out, F_SETFL, 0), 0);
    assert_int_equal(fcntl(b.in, F_SETFL, 0), 0);
    assert_int_equal(pthread_create(&sender, NULL, burst_sender, &b), 0);
    assert_int_equal(pthread_create(&reader, NULL, burst_reader, &b), 0);
    TURN_UNTIL(s.loop, s.done);
    pthread_join(sender, NULL);
    pthread_join(reader, NULL);
    assert_int_equal(s.result, 0);
    assert_int_equal(atomic_load(&b.received), b.total);
    scene_close(&s);
}

static void a_spliced_relay_may_be_freed_with_bytes_under_way(void **state)
{
    struct scene s = {.a.to_send = 64 << 20, .b.stalled = true};
    splice_scene_open(&s, true);
    talker_start(&s.a);
    talker_start(&s.b);
    uint64_t sent;
    do {
        sent = s.a.sent;
        for (int i = 0; i < 20; i++)
            loop_turn(s.loop, false);
    } while (s.a.sent != sent);
    s.relay = relay_free(s.relay);
    TURN_UNTIL(s.loop, s.a.failure);
    scene_close(&s);
}

TEST_MAIN(cmocka_unit_test(both_directions_are_copied_to_their_ends),
          cmocka_unit_test(what_is_there_moves_at_once_where_that_is_asked_for),
          cmocka_unit_test(an_eager_relay_that_fails_at_once_tells_so_later),
          cmocka_unit_test(the_end_of_one_direction_lets_the_other_go_on),
          cmocka_unit_test(the_end_of_b_ends_all_where_that_is_asked_for),
          cmocka_unit_test(a_slow_reader_stops_the_sender),
          cmocka_unit_test(a_slow_reader_stops_the_sender_through_the_kernel),
          cmocka_unit_test(what_a_slow_reader_leaves_is_held_within_a_bound),
          cmocka_unit_test(waiting_for_a_slow_reader_costs_no_turns),
          cmocka_unit_test(a_failure_ends_both_sides),
          cmocka_unit_test(a_failure_can_look_like_one_on_the_other_side),
          cmocka_unit_test(an_idle_relay_ends),
          cmocka_unit_test(a_half_closed_relay_has_a_limit_of_its_own),
          cmocka_unit_test(traffic_keeps_a_relay_from_being_idle),
          cmocka_unit_test(freeing_a_relay_ends_both_streams_without_a_word),
          cmocka_unit_test(spliced_bytes_arrive_in_order_and_are_counted),
          cmocka_unit_test(a_burst_comes_out_of_a_spliced_relay_as_a_whole),
          cmocka_unit_test(a_spliced_relay_may_be_freed_with_bytes_under_way));
