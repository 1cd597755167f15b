/* Conversations of two sessions: heads, bodies, half-close, resets, ends, liveness, quotas. */
#include "http/test_h2_scene.h"

#include "io/timer.h"

/* ---- heads and answers ---- */

static void a_connect_request_reaches_the_server_and_its_answer_the_client(void **state)
{
    struct h2_scene sc = {.answer_at_once = true};
    struct asked a = {0};
    const struct h2_field fields[] = {{"test", "yes"}};
    const struct h2_head head = {
        .method = "CONNECT", .authority = "db.internal:5432", .fields = fields, .n_fields = 1};
    h2_scene_open(&sc);
    ask(&sc, &a, &head, false);
    assert_int_equal(a.n_answers, 0);
    TURN_UNTIL(sc.loop, a.n_answers);
    assert_string_equal(sc.head, "CONNECT - - db.internal:5432 - yes");
    assert_int_equal(a.result, 0);
    assert_int_equal(a.status, 200);
    stream_free(a.channel);
    h2_scene_close(&sc);
}

static void extended_connect_waits_for_the_servers_settings(void **state)
{
    struct h2_scene sc = {.answer_at_once = true};
    struct asked a = {0};
    const struct h2_head head = {.method = "CONNECT",
                                 .protocol = "connect-udp",
                                 .scheme = "https",
                                 .authority = "agent",
                                 .path = "/x/"};
    h2_scene_open(&sc);
    ask(&sc, &a, &head, false);
    TURN_UNTIL(sc.loop, a.n_answers);
    assert_string_equal(sc.head, "CONNECT connect-udp https agent /x/ -");
    assert_int_equal(a.status, 200);
    stream_free(a.channel);
    h2_scene_close(&sc);
}

static void a_refused_request_tells_status_and_fields(void **state)
{
    struct h2_scene sc = {.refuse = true};
    struct asked a = {0};
    h2_scene_open(&sc);
    ask_connect(&sc, &a);
    TURN_UNTIL(sc.loop, a.n_answers);
    assert_int_equal(a.status, 502);
    assert_string_equal(a.proxy_status, "adit; error=connection_refused");
    char byte;
    TURN_UNTIL(sc.loop, stream_recv(a.channel, &byte, 1) == 0);
    stream_free(a.channel);
    h2_scene_close(&sc);
}

static void a_plain_request_carries_a_body_both_ways(void **state)
{
    struct h2_scene sc = {.answer_at_once = true};
    struct asked a = {0};
    const struct h2_head head = {
        .method = "POST", .scheme = "https", .authority = "agent", .path = "/peers"};
    h2_scene_open(&sc);
    ask(&sc, &a, &head, false);
    TURN_UNTIL(sc.loop, sc.n_taken && a.n_answers);
    struct talker client = {.s = a.channel, .to_send = 300000};
    struct talker server = {.s = sc.taken[0], .to_send = 200000};
    talker_start(&client);
    talker_start(&server);
    TURN_UNTIL(sc.loop, talker_done(&client) && talker_done(&server));
    assert_int_equal(client.received, 200000);
    assert_int_equal(server.received, 300000);
    assert_int_equal(client.failure, 0);
    stream_free(a.channel);
    h2_scene_close(&sc);
}

static void bytes_sent_before_the_answer_arrive(void **state)
{
    struct h2_scene sc = {0};
    struct asked a = {0};
    char got[8];
    h2_scene_open(&sc);
    ask_connect(&sc, &a);
    assert_int_equal(stream_send_bytes(a.channel, "early", 5), 5);
    ssize_t n = -EAGAIN;
    TURN_UNTIL(sc.loop, sc.n_taken && (n = stream_recv(sc.taken[0], got, 8)) != -EAGAIN);
    assert_int_equal(n, 5);
    assert_memory_equal(got, "early", 5);
    assert_int_equal(a.n_answers, 0);
    assert_int_equal(h2_answer(sc.taken[0], 200, NULL, 0, false), 0);
    assert_int_equal(h2_answer(sc.taken[0], 200, NULL, 0, false), -EALREADY);
    TURN_UNTIL(sc.loop, a.n_answers);
    stream_free(a.channel);
    h2_scene_close(&sc);
}

static void an_answer_that_nobody_waits_for_goes_out_with_the_first_bytes(void **state)
{
    struct h2_scene sc = {0};
    struct asked a = {0};
    struct h2_stats before, after;
    char got[8];
    ssize_t n = -EAGAIN;
    h2_scene_open(&sc);
    ask_connect(&sc, &a);
    assert_int_equal(stream_send_bytes(a.channel, "early", 5), 5);
    TURN_UNTIL(sc.loop, sc.n_taken);
    loop_turn(sc.loop, false);
    h2_get_stats(sc.server, &before);
    assert_int_equal(h2_answer_early(sc.taken[0], NULL, 0), 0);
    assert_int_equal(stream_recv(sc.taken[0], got, sizeof(got)), 5);
    loop_turn(sc.loop, false);
    h2_get_stats(sc.server, &after);
    assert_int_equal(after.bytes_sent, before.bytes_sent);

    assert_int_equal(stream_send_bytes(sc.taken[0], "x", 1), 1);
    TURN_UNTIL(sc.loop, (n = stream_recv(a.channel, got, sizeof(got))) != -EAGAIN);
    assert_int_equal(n, 1);
    assert_int_equal(a.status, 200);
    stream_free(a.channel);
    h2_scene_close(&sc);
}

static void an_answer_that_nobody_waits_for_comes_though_nothing_follows(void **state)
{
    struct h2_scene sc = {0};
    struct asked a = {0};
    h2_scene_open(&sc);
    ask_connect(&sc, &a);
    assert_int_equal(stream_send_bytes(a.channel, "early", 5), 5);
    TURN_UNTIL(sc.loop, sc.n_taken);
    assert_int_equal(h2_answer_early(sc.taken[0], NULL, 0), 0);
    TURN_UNTIL(sc.loop, a.n_answers);
    assert_int_equal(a.status, 200);
    stream_free(a.channel);
    h2_scene_close(&sc);
}

static void a_request_on_a_session_that_is_over_fails_by_callback(void **state)
{
    struct h2_scene sc = {0};
    struct asked a = {0};
    h2_scene_open(&sc);
    sc.server = h2_free(sc.server);
    TURN_UNTIL(sc.loop, sc.client_ended);
    ask_connect(&sc, &a);
    TURN_UNTIL(sc.loop, a.n_answers);
    assert_true(a.result < 0);
    stream_free(a.channel);
    h2_scene_close(&sc);
}

static void a_head_beyond_its_limits_is_reset_and_the_session_goes_on(void **state)
{
    struct h2_scene sc = {.answer_at_once = true, .server_options.limits.max_head_len = 1000};
    struct asked big = {0}, small = {0};
    char value[1200];
    memset(value, 'x', sizeof(value));
    value[sizeof(value) - 1] = '\0';
    const struct h2_field fields[] = {{"test", value}};
    const struct h2_head head = {
        .method = "CONNECT", .authority = "t:1", .fields = fields, .n_fields = 1};
    h2_scene_open(&sc);
    ask(&sc, &big, &head, false);
    TURN_UNTIL(sc.loop, big.n_answers);
    assert_true(big.result < 0);
    assert_int_equal(sc.n_taken, 0);
    ask_connect(&sc, &small);
    TURN_UNTIL(sc.loop, small.n_answers);
    assert_int_equal(small.status, 200);
    stream_free(big.channel);
    stream_free(small.channel);
    h2_scene_close(&sc);
}

/* ---- ends of channels ---- */

static void open_tunnel(struct h2_scene *sc, struct asked *a)
{
    int before = sc->n_taken;
    sc->answer_at_once = true;
    ask_connect(sc, a);
    TURN_UNTIL(sc->loop, a->n_answers && sc->n_taken > before);
    assert_int_equal(a->status, 200);
}

static unsigned channels_of(struct h2 *session)
{
    struct h2_stats stats;
    h2_get_stats(session, &stats);
    return stats.channels;
}

static void half_close_leaves_the_other_direction_open(void **state)
{
    for (int client_first = 0; client_first < 2; client_first++) {
        struct h2_scene sc = {0};
        struct asked a = {0};
        char got[4];
        h2_scene_open(&sc);
        open_tunnel(&sc, &a);
        struct stream *first = client_first ? a.channel : sc.taken[0];
        struct stream *other = client_first ? sc.taken[0] : a.channel;
        stream_send_bytes(first, "x", 1);
        stream_shutdown(first);
        assert_int_equal(stream_send_bytes(first, "y", 1), -EPIPE);
        TURN_UNTIL(sc.loop, stream_recv(other, got, 4) == 1);
        TURN_UNTIL(sc.loop, stream_recv(other, got, 4) == 0);
        struct talker late = {.s = other, .to_send = 500000, .ended = true};
        struct talker reader = {.s = first, .shut = true};
        talker_start(&late);
        talker_start(&reader);
        TURN_UNTIL(sc.loop, talker_done(&late) && talker_done(&reader));
        assert_int_equal(reader.received, 500000);
        assert_int_equal(reader.failure, 0);
        TURN_UNTIL(sc.loop, !channels_of(sc.client) && !channels_of(sc.server));
        stream_free(a.channel);
        h2_scene_close(&sc);
    }
}

static void a_channel_freed_early_resets_the_other_end(void **state)
{
    for (int by_client = 0; by_client < 2; by_client++) {
        struct h2_scene sc = {0};
        struct asked a = {0};
        char got[4];
        ssize_t n = -EAGAIN;
        h2_scene_open(&sc);
        open_tunnel(&sc, &a);
        struct stream *other = by_client ? sc.taken[0] : a.channel;
        if (by_client) {
            a.channel = stream_free(a.channel);
        } else {
            stream_free(sc.taken[0]);
            sc.n_taken = 0;
        }
        TURN_UNTIL(sc.loop, (n = stream_recv(other, got, 4)) != -EAGAIN);
        assert_int_equal(n, -ECONNRESET);
        assert_int_equal(stream_send_bytes(other, "x", 1), -ECONNRESET);
        assert_int_equal(channels_of(sc.client), 0);
        assert_int_equal(channels_of(sc.server), 0);
        stream_free(a.channel);
        h2_scene_close(&sc);
    }
}

static void what_was_sent_before_shutdown_arrives_though_the_channel_is_freed(void **state)
{
    struct h2_scene sc = {0};
    struct asked a = {0};
    h2_scene_open(&sc);
    open_tunnel(&sc, &a);
    unsigned char data[60000];
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = pattern(i);
    assert_int_equal(stream_send_bytes(a.channel, data, sizeof(data)), sizeof(data));
    stream_shutdown(a.channel);
    assert_true(stream_unsent(a.channel));
    a.channel = stream_free(a.channel);
    struct talker server = {.s = sc.taken[0], .shut = true};
    talker_start(&server);
    TURN_UNTIL(sc.loop, talker_done(&server));
    assert_int_equal(server.received, sizeof(data));
    assert_int_equal(server.failure, 0);
    TURN_UNTIL(sc.loop, !channels_of(sc.client));
    h2_scene_close(&sc);
}

static void a_channel_freed_before_its_answer_never_calls_back(void **state)
{
    struct h2_scene sc = {.answer_at_once = true};
    struct asked a = {0}, b = {0};
    h2_scene_open(&sc);
    ask_connect(&sc, &a);
    a.channel = stream_free(a.channel);
    ask_connect(&sc, &b);
    TURN_UNTIL(sc.loop, b.n_answers);
    assert_int_equal(a.n_answers, 0);
    stream_free(b.channel);
    h2_scene_close(&sc);
}

static void ten_thousand_channels_leave_nothing_behind(void **state)
{
    struct h2_scene sc = {.answer_at_once = true};
    h2_scene_open(&sc);
    for (int i = 0; i < 10000; i++) {
        struct asked a = {0};
        char got[4];
        ask_connect(&sc, &a);
        stream_send_bytes(a.channel, "ab", 2);
        stream_shutdown(a.channel);
        TURN_UNTIL(sc.loop, sc.n_taken && stream_recv(sc.taken[0], got, 4) == 2);
        if (i % 3 == 0)
            a.channel = stream_free(a.channel);
        if (i % 2 == 0)
            stream_shutdown(sc.taken[0]);
        stream_free(sc.taken[0]);
        sc.n_taken = 0;
        stream_free(a.channel);
    }
    TURN_UNTIL(sc.loop, !channels_of(sc.client) && !channels_of(sc.server));
    assert_false(sc.client_ended || sc.server_ended);
    h2_scene_close(&sc);
}

static void many_channels_at_once_all_arrive_whole(void **state)
{
    enum { N = 500 };
    static struct asked asked[N];
    static struct talker client[N], server[N];
    struct h2_scene sc = {.answer_at_once = true};
    int done = 0;
    h2_scene_open(&sc);
    memset(asked, 0, sizeof(asked));
    for (int i = 0; i < N; i++)
        ask_connect(&sc, &asked[i]);
    TURN_UNTIL(sc.loop, sc.n_taken == N);
    for (int i = 0; i < N; i++) {
        client[i] = (struct talker){.s = asked[i].channel, .to_send = 20000};
        server[i] = (struct talker){.s = sc.taken[i], .to_send = 30000};
        talker_start(&client[i]);
        talker_start(&server[i]);
    }
    while (done < N) {
        loop_turn(sc.loop, true);
        for (done = 0; done < N && talker_done(&client[done]) && talker_done(&server[done]);)
            done++;
    }
    for (int i = 0; i < N; i++) {
        assert_int_equal(client[i].received, 30000);
        assert_int_equal(server[i].received, 20000);
        stream_free(asked[i].channel);
    }
    h2_scene_close(&sc);
}

static void more_channels_than_the_server_allows_wait_for_a_place(void **state)
{
    struct h2_scene sc = {.answer_at_once = true, .server_options.limits.max_channels = 2};
    struct asked a[3] = {{0}};
    h2_scene_open(&sc);
    open_tunnel(&sc, &a[0]);
    open_tunnel(&sc, &a[1]);
    ask_connect(&sc, &a[2]);
    for (int i = 0; i < 50; i++)
        loop_turn(sc.loop, false);
    assert_int_equal(a[2].n_answers, 0);
    a[0].channel = stream_free(a[0].channel);
    TURN_UNTIL(sc.loop, a[2].n_answers);
    assert_int_equal(a[2].status, 200);
    stream_free(a[1].channel);
    stream_free(a[2].channel);
    h2_scene_close(&sc);
}

/* ---- ends of sessions ---- */

static void the_end_of_the_carrier_fails_channels_and_is_told_once(void **state)
{
    struct h2_scene sc = {0};
    struct asked a = {0}, pending = {0};
    char got[4];
    h2_scene_open(&sc);
    open_tunnel(&sc, &a);
    sc.answer_at_once = false;
    ask_connect(&sc, &pending);
    TURN_UNTIL(sc.loop, sc.n_taken == 2);
    sc.server = h2_free(sc.server);
    assert_int_equal(stream_recv(sc.taken[0], got, 4), -ECONNABORTED);
    TURN_UNTIL(sc.loop, sc.client_ended && pending.n_answers);
    assert_int_equal(sc.client_reason, -ECONNRESET);
    assert_int_equal(stream_recv(a.channel, got, 4), -ECONNRESET);
    assert_int_equal(pending.result, -ECONNRESET);
    assert_null(h2_of_channel(a.channel));
    stream_free(a.channel);
    stream_free(pending.channel);
    h2_scene_close(&sc);
}

static void a_drained_session_ends_after_its_last_channel(void **state)
{
    for (int by_server = 0; by_server < 2; by_server++) {
        struct h2_scene sc = {0};
        struct asked a = {0}, late = {0};
        h2_scene_open(&sc);
        open_tunnel(&sc, &a);
        h2_drain(by_server ? sc.server : sc.client);
        for (int i = 0; i < 20; i++)
            loop_turn(sc.loop, false);
        ask_connect(&sc, &late);
        TURN_UNTIL(sc.loop, late.n_answers);
        assert_int_equal(late.result, -ECONNREFUSED);
        assert_false(sc.client_ended || sc.server_ended);
        struct talker client = {.s = a.channel, .to_send = 100000};
        struct talker server = {.s = sc.taken[0], .to_send = 100000};
        talker_start(&client);
        talker_start(&server);
        TURN_UNTIL(sc.loop, sc.client_ended && sc.server_ended);
        assert_int_equal(client.received + server.received, 200000);
        assert_int_equal(sc.client_reason, 0);
        assert_int_equal(sc.server_reason, 0);
        stream_free(late.channel);
        stream_free(a.channel);
        h2_scene_close(&sc);
    }
}

static void a_request_that_crosses_a_drain_may_be_repeated(void **state)
{
    struct h2_scene sc = {0};
    struct asked open = {0}, crossing = {0};
    h2_scene_open(&sc);
    open_tunnel(&sc, &open);
    h2_drain(sc.server);
    ask_connect(&sc, &crossing);
    TURN_UNTIL(sc.loop, crossing.n_answers);
    assert_int_equal(crossing.result, -ECONNREFUSED);
    assert_int_equal(sc.n_taken, 1);
    stream_free(crossing.channel);
    stream_free(open.channel);
    h2_scene_close(&sc);
}

static void a_session_may_be_freed_inside_every_callback(void **state)
{
    struct h2_scene sc = {.answer_at_once = true};
    struct asked a = {.free_in_callback = true, .free_session = &sc};
    h2_scene_open(&sc);
    ask_connect(&sc, &a);
    TURN_UNTIL(sc.loop, a.n_answers && sc.server_ended);
    assert_null(sc.client);
    h2_scene_close(&sc);

    struct h2_scene sc2 = {.free_server_on_request = true};
    struct asked b = {0}, c = {0};
    h2_scene_open(&sc2);
    ask_connect(&sc2, &b);
    ask_connect(&sc2, &c);
    TURN_UNTIL(sc2.loop, sc2.client_ended && b.n_answers && c.n_answers);
    assert_int_equal(sc2.n_taken, 1);
    stream_free(b.channel);
    stream_free(c.channel);
    h2_scene_close(&sc2);
}

static void a_silent_peer_is_dead_after_three_pings(void **state)
{
    struct h2_scene sc = {.client_options.ping_interval = 20 * USEC_PER_MSEC};
    struct asked a = {0};
    char got[4];
    sc.loop = loop_new();
    stream_pair(sc.loop, 65536, sc.wire);
    sc.client_options.role = H2_CLIENT;
    sc.client_options.ended = scene_ended;
    sc.client_options.ud = &sc;
    sc.client = h2_new(sc.loop, sc.wire[0], &sc.client_options);
    ask_connect(&sc, &a);
    TURN_UNTIL(sc.loop, sc.client_ended && a.n_answers);
    assert_int_equal(sc.client_reason, -ETIMEDOUT);
    assert_int_equal(a.result, -ETIMEDOUT);
    assert_int_equal(stream_recv(a.channel, got, 4), -ETIMEDOUT);
    stream_free(a.channel);
    stream_free(sc.wire[1]);
    h2_scene_close(&sc);
}

static void pings_keep_an_idle_session_and_measure_it(void **state)
{
    struct h2_scene sc = {.client_options.ping_interval = 5 * USEC_PER_MSEC,
                          .server_options.ping_interval = 5 * USEC_PER_MSEC};
    h2_scene_open(&sc);
    usec_t until = clock_monotonic() + 150 * USEC_PER_MSEC;
    while (clock_monotonic() < until)
        loop_turn(sc.loop, true);
    struct h2_stats stats;
    h2_get_stats(sc.client, &stats);
    assert_true(stats.rtt > 0);
    assert_false(sc.client_ended || sc.server_ended);
    h2_scene_close(&sc);
}

/* ---- hostile peers: raw frames ---- */

struct raw {
    struct h2_scene sc;
    struct stream *wire;
};

static void raw_send(struct raw *r, const void *data, size_t len)
{
    const unsigned char *p = data;
    while (len > 0 && !r->sc.server_ended) {
        unsigned char sink[65536];
        ssize_t n = stream_send_bytes(r->wire, p, len);
        if (n > 0) {
            p += n;
            len -= (size_t)n;
        }
        loop_turn(r->sc.loop, false);
        while (stream_recv(r->wire, sink, sizeof(sink)) > 0)
            ;
        if (n < 0 && n != -EAGAIN)
            return;
    }
}

static void raw_frame(struct raw *r, uint8_t type, uint8_t flags, uint32_t id, const char *payload,
                      size_t len)
{
    unsigned char frame[256] = {0, (unsigned char)(len >> 8), (unsigned char)len, type, flags};
    frame[5] = (unsigned char)(id >> 24);
    frame[6] = (unsigned char)(id >> 16);
    frame[7] = (unsigned char)(id >> 8);
    frame[8] = (unsigned char)id;
    if (len)
        memcpy(frame + 9, payload, len);
    raw_send(r, frame, len + 9);
}

static void raw_open(struct raw *r, const struct h2_limits *limits)
{
    memset(r, 0, sizeof(*r));
    r->sc.loop = loop_new();
    stream_pair(r->sc.loop, 65536, r->sc.wire);
    r->wire = r->sc.wire[0];
    r->sc.server_options = (struct h2_options){.role = H2_SERVER,
                                               .limits = *limits,
                                               .requested = scene_requested,
                                               .ended = scene_ended,
                                               .ud = &r->sc};
    r->sc.server = h2_new(r->sc.loop, r->sc.wire[1], &r->sc.server_options);
    raw_send(r, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
    raw_frame(r, 4, 0, 0, NULL, 0);
}

static void raw_close(struct raw *r)
{
    stream_free(r->wire);
    h2_scene_close(&r->sc);
}

/* CONNECT with :authority "t:1", by literals without indexing. */
static const char connect_head[] = "\x02\x07"
                                   "CONNECT"
                                   "\x01\x03"
                                   "t:1";

static void a_flood_of_resets_ends_the_session(void **state)
{
    struct raw r;
    raw_open(&r, &(struct h2_limits){.reset_burst = 50, .reset_rate = 10});
    for (uint32_t i = 0; i < 200 && !r.sc.server_ended; i++) {
        raw_frame(&r, 1, 4, 2 * i + 1, connect_head, sizeof(connect_head) - 1);
        raw_frame(&r, 3, 0, 2 * i + 1, "\0\0\0\x08", 4);
    }
    TURN_UNTIL(r.sc.loop, r.sc.server_ended);
    assert_int_equal(r.sc.server_reason, -EDQUOT);
    assert_true(r.sc.n_taken >= 40 && r.sc.n_taken <= 51);
    raw_close(&r);
}

static void a_flood_of_control_frames_ends_the_session(void **state)
{
    static const struct {
        uint8_t type;
        uint8_t len;
    } kinds[] = {{6, 8}, {4, 0}, {2, 5}};
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        struct raw r;
        raw_open(&r, &(struct h2_limits){.control_burst = 50, .control_rate = 10});
        for (int i = 0; i < 200 && !r.sc.server_ended; i++)
            raw_frame(&r, kinds[k].type, 0, kinds[k].type == 2, "\0\0\0\0\0\0\0", kinds[k].len);
        TURN_UNTIL(r.sc.loop, r.sc.server_ended);
        assert_int_equal(r.sc.server_reason, -EDQUOT);
        raw_close(&r);
    }
}

static void bytes_that_are_not_http2_end_the_session(void **state)
{
    struct raw r;
    raw_open(&r, &(struct h2_limits){0});
    raw_frame(&r, 8, 0, 0, "\0\0\0\0", 4); /* WINDOW_UPDATE of 0 */
    TURN_UNTIL(r.sc.loop, r.sc.server_ended);
    assert_int_equal(r.sc.server_reason, -EPROTO);
    raw_close(&r);
}

static void a_peer_that_ignores_the_window_is_cut_off(void **state)
{
    struct raw r;
    char block[200] = {0};
    raw_open(&r, &(struct h2_limits){0});
    raw_frame(&r, 1, 4, 1, connect_head, sizeof(connect_head) - 1);
    for (int i = 0; i < 1000 && !r.sc.server_ended; i++)
        raw_frame(&r, 0, 0, 1, block, sizeof(block));
    struct h2_stats stats;
    h2_get_stats(r.sc.server, &stats);
    /* What was on the way until nghttp2 had sent its RST_STREAM. */
    assert_in_range(stats.held, 65535 - sizeof(block), 65535 + 4 * sizeof(block));
    assert_int_equal(stats.channels, 0);
    raw_close(&r);
}

TEST_MAIN(cmocka_unit_test(a_connect_request_reaches_the_server_and_its_answer_the_client),
          cmocka_unit_test(extended_connect_waits_for_the_servers_settings),
          cmocka_unit_test(a_refused_request_tells_status_and_fields),
          cmocka_unit_test(a_plain_request_carries_a_body_both_ways),
          cmocka_unit_test(bytes_sent_before_the_answer_arrive),
          cmocka_unit_test(an_answer_that_nobody_waits_for_goes_out_with_the_first_bytes),
          cmocka_unit_test(an_answer_that_nobody_waits_for_comes_though_nothing_follows),
          cmocka_unit_test(a_request_on_a_session_that_is_over_fails_by_callback),
          cmocka_unit_test(a_head_beyond_its_limits_is_reset_and_the_session_goes_on),
          cmocka_unit_test(half_close_leaves_the_other_direction_open),
          cmocka_unit_test(a_channel_freed_early_resets_the_other_end),
          cmocka_unit_test(what_was_sent_before_shutdown_arrives_though_the_channel_is_freed),
          cmocka_unit_test(a_channel_freed_before_its_answer_never_calls_back),
          cmocka_unit_test(ten_thousand_channels_leave_nothing_behind),
          cmocka_unit_test(many_channels_at_once_all_arrive_whole),
          cmocka_unit_test(more_channels_than_the_server_allows_wait_for_a_place),
          cmocka_unit_test(the_end_of_the_carrier_fails_channels_and_is_told_once),
          cmocka_unit_test(a_drained_session_ends_after_its_last_channel),
          cmocka_unit_test(a_request_that_crosses_a_drain_may_be_repeated),
          cmocka_unit_test(a_session_may_be_freed_inside_every_callback),
          cmocka_unit_test(a_silent_peer_is_dead_after_three_pings),
          cmocka_unit_test(pings_keep_an_idle_session_and_measure_it),
          cmocka_unit_test(a_flood_of_resets_ends_the_session),
          cmocka_unit_test(a_flood_of_control_frames_ends_the_session),
          cmocka_unit_test(bytes_that_are_not_http2_end_the_session),
          cmocka_unit_test(a_peer_that_ignores_the_window_is_cut_off), );
