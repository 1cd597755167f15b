#include "tunnel/datagram.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "io/loop.h"
#include "io/stream.h"
#include "proto/capsule.h"

/* Two ends over a pair in memory; `b` keeps what it got. */
struct fixture {
    struct loop *loop;
    struct datagram_channel *a, *b;
    size_t got_len[512];
    unsigned char got_first[512];
    size_t n_got;
    int ended; /* 1: not yet */
    bool free_in_callback;
};

static void received(struct datagram_channel *d, const void *data, size_t len, void *ud)
{
    struct fixture *f = ud;
    const unsigned char *p = data;
    for (size_t i = 0; i < len; i++)
        assert_int_equal(p[i], (unsigned char)(p[0] + i));
    f->got_len[f->n_got] = len;
    f->got_first[f->n_got++] = len ? p[0] : 0;
    if (f->free_in_callback)
        f->b = datagram_free(d);
}

static void ended(struct datagram_channel *d, int reason, void *ud)
{
    struct fixture *f = ud;
    f->ended = reason;
}

static void start(struct fixture *f, size_t capacity, size_t queue_max)
{
    *f = (struct fixture){.loop = loop_new(), .ended = 1};
    struct stream *ends[2];
    stream_pair(f->loop, capacity, ends);
    const struct datagram_options options = {
        .queue_max_len = queue_max, .received = received, .ended = ended, .ud = f};
    f->a = datagram_new(ends[0], &options);
    f->b = datagram_new(ends[1], &options);
}

static void run(struct fixture *f)
{
    for (int i = 0; i < 1000; i++)
        loop_turn(f->loop, false);
}

static void stop(struct fixture *f)
{
    datagram_free(f->a);
    datagram_free(f->b);
    loop_free(f->loop);
}

static void send_one(struct fixture *f, unsigned char first, size_t len)
{
    unsigned char *data = malloc(len + 1);
    for (size_t i = 0; i < len; i++)
        data[i] = (unsigned char)(first + i);
    assert_int_equal(datagram_send(f->a, data, len), 0);
    free(data);
}

static void datagrams_of_every_size_arrive_whole(void **state)
{
    static const size_t sizes[] = {0, 1, 63, 64, 1400, 9000, 16384, 65507};
    static const size_t capacities[] = {1, 100, 4096, 1 << 20};
    for (size_t c = 0; c < ARRAY_LEN(capacities); c++) {
        struct fixture f;
        start(&f, capacities[c], 1 << 20);
        for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
            send_one(&f, (unsigned char)(10 * i), sizes[i]);
        for (int i = 0; f.n_got < ARRAY_LEN(sizes) && i < 1000; i++)
            run(&f);
        assert_int_equal(f.n_got, ARRAY_LEN(sizes));
        for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
            assert_int_equal(f.got_len[i], sizes[i]);
            assert_int_equal(f.got_first[i], sizes[i] ? 10 * i : 0);
        }
        stop(&f);
    }
}

static void too_long_a_datagram_is_refused(void **state)
{
    static unsigned char data[UDP_PAYLOAD_MAX + 1];
    struct fixture f;
    start(&f, 4096, 0);
    assert_int_equal(datagram_send(f.a, data, sizeof(data)), -EMSGSIZE);
    stop(&f);
}

static void a_blocked_channel_drops_the_oldest(void **state)
{
    struct fixture f;
    start(&f, 1000, 5000);
    for (unsigned char i = 0; i < 100; i++)
        send_one(&f, i, 500);
    const struct datagram_stats *stats = datagram_get_stats(f.a);
    assert_true(stats->dropped >= 80);
    run(&f);
    assert_int_equal(f.n_got + stats->dropped, 100);
    assert_int_equal(f.got_first[0], 0); /* was on its way already */
    assert_int_equal(f.got_first[f.n_got - 1], 99);
    stop(&f);
}

static void the_end_is_reported_once(void **state)
{
    struct fixture f;
    start(&f, 1000, 0);
    f.a = datagram_free(f.a);
    run(&f);
    assert_true(f.ended <= 0);
    stop(&f);
}

static void a_channel_may_be_freed_by_what_it_received(void **state)
{
    struct fixture f;
    start(&f, 100000, 0);
    f.free_in_callback = true;
    send_one(&f, 1, 100);
    send_one(&f, 2, 100);
    run(&f);
    assert_int_equal(f.n_got, 1);
    assert_null(f.b);
    stop(&f);
}

static void bytes_that_are_no_capsules_end_the_channel(void **state)
{
    struct fixture f;
    start(&f, 100000, 0);
    struct stream *ends[2];
    stream_pair(f.loop, 4096, ends);
    const struct datagram_options options = {.received = received, .ended = ended, .ud = &f};
    struct datagram_channel *d = datagram_new(ends[1], &options);
    static const unsigned char endless[] = {0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    assert_int_equal(stream_send_bytes(ends[0], endless, sizeof(endless)), sizeof(endless));
    run(&f);
    assert_int_equal(f.ended, -EPROTO);
    datagram_free(d);
    stream_free(ends[0]);
    stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(datagrams_of_every_size_arrive_whole),
        cmocka_unit_test(too_long_a_datagram_is_refused),
        cmocka_unit_test(a_blocked_channel_drops_the_oldest),
        cmocka_unit_test(the_end_is_reported_once),
        cmocka_unit_test(a_channel_may_be_freed_by_what_it_received),
        cmocka_unit_test(bytes_that_are_no_capsules_end_the_channel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
