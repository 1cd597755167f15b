/* Flow control: back-pressure, bounded memory, fairness, growth; and what a session weighs. */
#include <malloc.h>

#include "http/test_h2_scene.h"

#include "base/buf.h"
#include "io/timer.h"

static struct h2_stats stats_of(const struct h2 *session)
{
    struct h2_stats stats;
    h2_get_stats(session, &stats);
    return stats;
}

/* Opens a channel and makes talkers of both ends; neither starts. */
static void open_talk(struct h2_scene *sc, struct asked *a, struct talker *client,
                      struct talker *server)
{
    int before = sc->n_taken;
    sc->answer_at_once = true;
    ask_connect(sc, a);
    TURN_UNTIL(sc->loop, a->n_answers && sc->n_taken > before);
    client->s = a->channel;
    server->s = sc->taken[before];
}

static void turn_until_quiet(struct h2_scene *sc, const struct talker *sender)
{
    uint64_t sent;
    do {
        sent = sender->sent;
        for (int i = 0; i < 200; i++)
            loop_turn(sc->loop, false);
    } while (sender->sent != sent);
}

/* ---- back-pressure ---- */

static void a_reader_that_stops_stops_the_sender_and_memory_stays_bounded(void **state)
{
    struct h2_scene sc = {0};
    struct asked a = {0};
    struct talker client = {.to_send = UINT64_C(1) << 30}, server = {.shut = true};
    h2_scene_open(&sc);
    open_talk(&sc, &a, &client, &server);
    talker_start(&client);
    talker_start(&server);
    TURN_UNTIL(sc.loop, server.received > 20000000);
    stream_want(server.s, 0);
    turn_until_quiet(&sc, &client);
    assert_true(stats_of(sc.server).held <= h2_channel_window(server.s));
    assert_true(stats_of(sc.server).held <= 16 << 20);
    assert_true(stats_of(sc.client).queued <= 256 * 1024);
    assert_true(client.sent < client.to_send);
    uint64_t sent = client.sent;
    talker_start(&server);
    TURN_UNTIL(sc.loop, server.received > sent);
    stream_free(a.channel);
    h2_scene_close(&sc);
}

static void a_stuck_channel_does_not_delay_another(void **state)
{
    struct h2_scene sc = {0};
    struct asked a[20] = {{0}}, b = {0};
    struct talker stuck[20] = {{0}}, deaf[20] = {{0}};
    struct talker client = {.to_send = 5000000}, server = {.shut = true};
    h2_scene_open(&sc);
    for (int i = 0; i < 20; i++) {
        stuck[i].to_send = UINT64_C(1) << 30;
        open_talk(&sc, &a[i], &stuck[i], &deaf[i]);
        talker_start(&stuck[i]);
    }
    turn_until_quiet(&sc, &stuck[19]);
    assert_in_range(stats_of(sc.server).held, 20 * 65000, 20 * 65536);
    open_talk(&sc, &b, &client, &server);
    talker_start(&client);
    talker_start(&server);
    TURN_UNTIL(sc.loop, server.ended);
    assert_int_equal(server.received, 5000000);
    for (int i = 0; i < 20; i++)
        stream_free(a[i].channel);
    stream_free(b.channel);
    h2_scene_close(&sc);
}

enum { CROWD = 60 };

static void many_stuck_channels_hold_no_more_than_the_session_may(void **state)
{
    static struct asked a[CROWD];
    static struct talker stuck[CROWD], deaf[CROWD];
    struct h2_scene sc = {.server_options.limits.memory_max = 1 << 20};
    uint64_t total = 0;
    h2_scene_open(&sc);
    for (int i = 0; i < CROWD; i++) {
        a[i] = (struct asked){0};
        stuck[i] = (struct talker){.to_send = 200000};
        deaf[i] = (struct talker){.shut = true};
        open_talk(&sc, &a[i], &stuck[i], &deaf[i]);
        talker_start(&stuck[i]);
    }
    for (int i = 0; i < CROWD; i++)
        turn_until_quiet(&sc, &stuck[i]);
    assert_in_range(stats_of(sc.server).held, 900 * 1024, 1 << 20);
    /* All are read at last, and nothing is missing. */
    for (int i = 0; i < CROWD; i++)
        talker_start(&deaf[i]);
    for (int i = 0; i < CROWD; i++) {
        TURN_UNTIL(sc.loop, deaf[i].ended);
        total += deaf[i].received;
        stream_free(a[i].channel);
    }
    assert_int_equal(total, CROWD * 200000);
    assert_int_equal(stats_of(sc.server).held, 0);
    h2_scene_close(&sc);
}

enum { FEW = 18 };

static void a_session_blocked_by_stuck_channels_resets_one(void **state)
{
    static struct asked a[FEW];
    static struct talker stuck[FEW], deaf[FEW];
    struct asked b = {0};
    struct talker client = {.to_send = 300000}, server = {.shut = true};
    struct h2_scene sc = {.server_options.limits.memory_max = 1 << 20,
                          .server_options.limits.stuck_limit = USEC_PER_SEC / 2};
    int resets = 0;
    h2_scene_open(&sc);
    for (int i = 0; i < FEW; i++) {
        a[i] = (struct asked){0};
        stuck[i] = (struct talker){.to_send = 200000};
        deaf[i] = (struct talker){.shut = true};
        open_talk(&sc, &a[i], &stuck[i], &deaf[i]);
        talker_start(&stuck[i]);
    }
    for (int i = 0; i < FEW; i++)
        turn_until_quiet(&sc, &stuck[i]);
    open_talk(&sc, &b, &client, &server);
    talker_start(&client);
    talker_start(&server);
    TURN_UNTIL(sc.loop, server.received > 0);
    for (int i = 0; i < FEW; i++) {
        resets += stuck[i].failure == -ECONNRESET;
        stream_free(a[i].channel);
    }
    assert_in_range(resets, 1, 4);
    assert_int_equal(stuck[0].failure, -ECONNRESET);
    stream_free(b.channel);
    h2_scene_close(&sc);
}

/* ---- a wire with a delay ---- */

enum { DELAY_MSEC = 10, DELAY_SLOTS = 4096 };

/* Copies from one stream to another, each piece DELAY_MSEC later: one direction of a long wire. */
struct delay_line {
    struct stream *from, *to;
    struct timer timer;
    struct {
        usec_t due;
        struct buf bytes;
    } slots[DELAY_SLOTS];
    unsigned first, n;
};

static void delay_fired(struct timer *t, void *ud)
{
    struct delay_line *d = ud;
    while (d->n > 0 && d->slots[d->first].due <= loop_now(t->loop)) {
        struct buf *b = &d->slots[d->first].bytes;
        ssize_t n = stream_send_bytes(d->to, buf_data(b), b->len);
        if (n < 0 && n != -EAGAIN)
            return;
        if (n > 0)
            buf_consume(b, (size_t)n);
        if (b->len > 0) {
            timer_start(t, 100);
            return;
        }
        buf_deinit(b);
        d->first = (d->first + 1) % DELAY_SLOTS;
        d->n--;
    }
    if (d->n > 0)
        timer_start(t, d->slots[d->first].due - loop_now(t->loop));
}

static void delay_ready(struct stream *s, unsigned events, void *ud)
{
    struct delay_line *d = ud;
    unsigned char data[65536];
    ssize_t n = stream_recv(d->from, data, sizeof(data));
    if (n <= 0) {
        if (n != -EAGAIN)
            stream_want(d->from, 0);
        return;
    }
    assert_true(d->n < DELAY_SLOTS);
    unsigned slot = (d->first + d->n++) % DELAY_SLOTS;
    d->slots[slot].due = loop_now(s->loop) + DELAY_MSEC * USEC_PER_MSEC;
    buf_init(&d->slots[slot].bytes, sizeof(data));
    buf_append(&d->slots[slot].bytes, data, (size_t)n);
    if (!timer_pending(&d->timer))
        timer_start(&d->timer, DELAY_MSEC * USEC_PER_MSEC);
}

static void delay_open(struct loop *loop, struct delay_line *d, struct stream *from,
                       struct stream *to)
{
    *d = (struct delay_line){.from = from, .to = to};
    timer_init(&d->timer, loop, delay_fired, d);
    stream_set_ready(from, delay_ready, d);
    stream_want(from, STREAM_READ);
}

static void delay_close(struct delay_line *d)
{
    timer_cancel(&d->timer);
    for (; d->n > 0; d->n--, d->first = (d->first + 1) % DELAY_SLOTS)
        buf_deinit(&d->slots[d->first].bytes);
}

static void the_window_grows_to_the_bandwidth_delay_product(void **state)
{
    static struct delay_line there, back;
    struct h2_scene sc = {.loop = loop_new()};
    struct asked a = {0};
    struct talker client = {.to_send = 48 << 20}, server = {.shut = true};
    struct stream *near[2], *far[2];
    stream_pair(sc.loop, 1 << 20, near);
    stream_pair(sc.loop, 1 << 20, far);
    sc.wire[0] = near[0];
    sc.wire[1] = far[1];
    delay_open(sc.loop, &there, near[1], far[0]);
    /* Two owners of the inner ends: each line reads one and writes the other. */
    back = (struct delay_line){.from = far[0], .to = near[1]};
    timer_init(&back.timer, sc.loop, delay_fired, &back);
    stream_set_ready(far[0], delay_ready, &back);
    stream_want(far[0], STREAM_READ);

    h2_scene_open(&sc);
    open_talk(&sc, &a, &client, &server);
    talker_start(&client);
    talker_start(&server);
    usec_t start = clock_monotonic();
    TURN_UNTIL(sc.loop, server.ended);
    usec_t took = clock_monotonic() - start;
    assert_int_equal(server.received, 48 << 20);
    assert_true(stats_of(sc.server).rtt_min >= 2 * DELAY_MSEC * USEC_PER_MSEC);
    assert_true(h2_channel_window(server.s) == 65535 || server.ended);
    /* With the first window alone it would take 48 MiB / 64 KiB round trips of 20 ms: 15 s. */
    if (took > 5 * USEC_PER_SEC)
        fail_msg("took %lld ms", (long long)(took / 1000));
    assert_true(stats_of(sc.server).window > 1 << 20);
    stream_free(a.channel);
    delay_close(&there);
    delay_close(&back);
    stream_free(near[1]);
    stream_free(far[0]);
    h2_scene_close(&sc);
}

/* ---- weight ---- */

#if defined(__SANITIZE_ADDRESS__)
enum { WEIGHS = 0 };
#else
enum { WEIGHS = 1 };
#endif

/* Resident bytes of this process: nghttp2 allocates 16 KiB a session that it hardly touches. */
static size_t resident(void)
{
    char line[128];
    char *end;
    FILE *f = fopen("/proc/self/statm", "r");
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof(line), f));
    fclose(f);
    strtoul(line, &end, 10); /* the whole size; the resident part is next */
    return strtoul(end, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}

static void an_idle_session_weighs_little(void **state)
{
    enum { N = 400 };
    static struct h2_scene sc[N];
    if (!WEIGHS)
        skip();
    struct loop *loop = loop_new();
    mallopt(M_PERTURB, 0); /* which would write to all that is allocated */
    size_t before = resident();
    for (int i = 0; i < N; i++) {
        sc[i].loop = loop;
        h2_scene_open(&sc[i]);
    }
    for (int i = 0; i < 50; i++)
        loop_turn(loop, false);
    size_t each = (resident() - before) / (2 * N);
    print_message("# an idle session takes %zu bytes, with its end of a pair\n", each);
    assert_true(each < 20 * 1024);
    for (int i = 0; i < N; i++) {
        h2_free(sc[i].client);
        h2_free(sc[i].server);
    }
    loop_free(loop);
}

TEST_MAIN(cmocka_unit_test(a_reader_that_stops_stops_the_sender_and_memory_stays_bounded),
          cmocka_unit_test(a_stuck_channel_does_not_delay_another),
          cmocka_unit_test(many_stuck_channels_hold_no_more_than_the_session_may),
          cmocka_unit_test(a_session_blocked_by_stuck_channels_resets_one),
          cmocka_unit_test(the_window_grows_to_the_bandwidth_delay_product),
          cmocka_unit_test(an_idle_session_weighs_little), );
