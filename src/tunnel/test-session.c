/* Typed channels and plain requests from end to end. */
#include "tunnel/test_tunnel_scene.h"

#include "tunnel/datagram.h"

static const struct id some_id = {{0xab, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};

/* ---- kinds ---- */

static void each_kind_of_channel_is_recognised_and_carries_bytes(void **state)
{
    const struct {
        struct channel_target target;
        const char *asked;
    } table[] = {
        {{CHANNEL_TCP, "db.internal", 5432}, "tcp host=db.internal port=5432 unix= id=-"},
        {{CHANNEL_TCP, "::1", 1}, "tcp host=::1 port=1 unix= id=-"},
        {{CHANNEL_UDP, "10.0.0.1", 65535}, "udp host=10.0.0.1 port=65535 unix= id=-"},
        {{CHANNEL_UDP, "fe80::1", 53}, "udp host=fe80::1 port=53 unix= id=-"},
        {{CHANNEL_UNIX, .path = "/run/a b/x%.sock"},
         "unix host= port=0 unix=/run/a b/x%.sock id=-"},
        {{CHANNEL_SSH, .ssh_key = "ssh-ed25519 AAAA"}, "ssh host= port=0 unix= id=-"},
        {{CHANNEL_PEER, .id = some_id},
         "peer host= port=0 unix= id=ab0102030405060708090a0b0c0d0e0f"},
        {{CHANNEL_LISTEN, "*", 0}, "listen host=* port=0 unix= id=-"},
        {{CHANNEL_LISTEN, NULL, 8080}, "listen host= port=8080 unix= id=-"},
        {{CHANNEL_LISTEN, .path = "/tmp/l"}, "listen host= port=0 unix=/tmp/l id=-"},
        {{CHANNEL_ACCEPT, .id = some_id},
         "accept host= port=0 unix= id=ab0102030405060708090a0b0c0d0e0f"},
        {{CHANNEL_SPEEDTEST, .down = true}, "speedtest host= port=0 unix= id=- down"},
        {{CHANNEL_SPEEDTEST, .down = false}, "speedtest host= port=0 unix= id=-"},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct tunnel_scene sc = {.accept = true};
        struct opening o = {0};
        tunnel_scene_open(&sc);
        open_target(&sc, &o, &table[i].target, false);
        TURN_UNTIL(sc.loop, o.n_opened);
        assert_int_equal(o.result, DIAL_OK);
        assert_string_equal(sc.asked, table[i].asked);
        struct talker near = {.s = o.channel, .to_send = 100000};
        struct talker far = {.s = sc.taken[0], .to_send = 70000};
        talker_start(&near);
        talker_start(&far);
        TURN_UNTIL(sc.loop, talker_done(&near) && talker_done(&far));
        assert_int_equal(near.received, 70000);
        assert_int_equal(far.received, 100000);
        stream_free(o.channel);
        tunnel_scene_close(&sc);
    }
}

static void targets_that_make_no_sense_fail_without_a_request(void **state)
{
    char long_path[200];
    memset(long_path, 'x', sizeof(long_path));
    long_path[0] = '/';
    long_path[sizeof(long_path) - 1] = '\0';
    const struct channel_target table[] = {
        {CHANNEL_TCP, NULL, 80},   {CHANNEL_TCP, "a b", 80},           {CHANNEL_TCP, "a", 0},
        {CHANNEL_UNIX, NULL, 0},   {CHANNEL_UNIX, .path = long_path},  {CHANNEL_REQUEST, "a", 1},
        {CHANNEL_UDP, "h\r\n", 1}, {CHANNEL_LISTEN, .path = long_path}};
    struct tunnel_scene sc = {.accept = true};
    tunnel_scene_open(&sc);
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct opening o = {0};
        open_target(&sc, &o, &table[i], i % 2);
        TURN_UNTIL(sc.loop, o.n_opened);
        assert_int_equal(o.result, DIAL_INTERNAL);
    }
    assert_int_equal(sc.n_taken, 0);
    tunnel_scene_close(&sc);
}

/* ---- refusals ---- */

static void every_refusal_reaches_the_other_side_with_its_reason(void **state)
{
    const struct channel_target target = {CHANNEL_TCP, "localhost", 1};
    for (int result = DIAL_OK + 1; result < DIAL_RESULT_COUNT; result++) {
        struct tunnel_scene sc = {.refuse = (enum dial_result)result};
        struct opening o = {0};
        tunnel_scene_open(&sc);
        open_target(&sc, &o, &target, false);
        TURN_UNTIL(sc.loop, o.n_opened);
        assert_int_equal(o.result, result);
        assert_string_equal(o.reason, "because \"of\" this");
        tunnel_scene_close(&sc);
    }
}

static void an_early_channel_is_there_at_once_and_fails_when_refused(void **state)
{
    const struct channel_target target = {CHANNEL_TCP, "localhost", 1};
    struct tunnel_scene sc = {.refuse = DIAL_REFUSED};
    struct opening o = {0};
    char got[8];
    tunnel_scene_open(&sc);
    open_target(&sc, &o, &target, true);
    loop_turn(sc.loop, false);
    assert_int_equal(o.n_opened, 1);
    assert_int_equal(stream_send_bytes(o.channel, "hello", 5), 5);
    TURN_UNTIL(sc.loop, o.n_refused);
    assert_int_equal(o.result, DIAL_REFUSED);
    assert_int_equal(stream_recv(o.channel, got, 8), -ECONNREFUSED);
    assert_int_equal(stream_send_bytes(o.channel, "x", 1), -ECONNREFUSED);
    stream_free(o.channel);
    tunnel_scene_close(&sc);
}

static void an_early_channel_may_be_freed_before_its_answer(void **state)
{
    const struct channel_target target = {CHANNEL_TCP, "localhost", 1};
    struct tunnel_scene sc = {0};
    struct opening o = {0};
    tunnel_scene_open(&sc);
    open_target(&sc, &o, &target, true);
    TURN_UNTIL(sc.loop, sc.n_rq == 1);
    assert_int_equal(o.n_opened, 1);
    o.channel = stream_free(o.channel);
    TURN_UNTIL(sc.loop, sc.n_cancelled == 1);
    assert_int_equal(o.n_refused, 0);
    tunnel_scene_close(&sc);
}

static void bytes_sent_early_are_there_when_the_dial_is_done(void **state)
{
    const struct channel_target target = {CHANNEL_TCP, "localhost", 1};
    struct tunnel_scene sc = {0};
    struct opening o = {0};
    char got[8];
    ssize_t n = -EAGAIN;
    tunnel_scene_open(&sc);
    open_target(&sc, &o, &target, true);
    loop_turn(sc.loop, false);
    stream_send_bytes(o.channel, "hello", 5);
    TURN_UNTIL(sc.loop, sc.n_rq == 1);
    for (int i = 0; i < 10; i++)
        loop_turn(sc.loop, false);
    sc.taken[sc.n_taken++] = channel_accept(sc.rq[--sc.n_rq]);
    TURN_UNTIL(sc.loop, (n = stream_recv(sc.taken[0], got, 8)) != -EAGAIN);
    assert_int_equal(n, 5);
    stream_free(o.channel);
    tunnel_scene_close(&sc);
}

static void an_open_that_is_cancelled_cancels_the_request(void **state)
{
    const struct channel_target target = {CHANNEL_TCP, "localhost", 1};
    for (int early = 0; early < 2; early++) {
        struct tunnel_scene sc = {0};
        struct opening o = {0};
        tunnel_scene_open(&sc);
        open_target(&sc, &o, &target, early);
        if (early) {
            channel_open_cancel(o.open);
            for (int i = 0; i < 20; i++)
                loop_turn(sc.loop, false);
        } else {
            TURN_UNTIL(sc.loop, sc.n_rq == 1);
            channel_open_cancel(o.open);
            TURN_UNTIL(sc.loop, sc.n_cancelled == 1);
        }
        assert_int_equal(o.n_opened, 0);
        tunnel_scene_close(&sc);
    }
}

static void the_end_of_a_session_tells_both_ends_of_what_is_open(void **state)
{
    const struct channel_target target = {CHANNEL_TCP, "localhost", 1};
    for (int by_client = 0; by_client < 2; by_client++) {
        struct tunnel_scene sc = {0};
        struct opening o = {0};
        tunnel_scene_open(&sc);
        open_target(&sc, &o, &target, false);
        TURN_UNTIL(sc.loop, sc.n_rq == 1);
        if (by_client)
            sc.client = tunnel_session_free(sc.client);
        else
            sc.server = tunnel_session_free(sc.server);
        TURN_UNTIL(sc.loop, o.n_opened && sc.n_cancelled == 1);
        assert_int_equal(o.result, DIAL_UNAVAILABLE);
        tunnel_scene_close(&sc);
    }
}

static void an_open_on_a_session_that_is_over_is_unavailable(void **state)
{
    const struct channel_target target = {CHANNEL_TCP, "localhost", 1};
    struct tunnel_scene sc = {0};
    struct opening o = {0}, early = {0};
    tunnel_scene_open(&sc);
    sc.server = tunnel_session_free(sc.server);
    TURN_UNTIL(sc.loop, sc.client_ended);
    open_target(&sc, &o, &target, false);
    open_target(&sc, &early, &target, true);
    TURN_UNTIL(sc.loop, o.n_opened && early.n_opened);
    assert_int_equal(o.result, DIAL_UNAVAILABLE);
    if (early.result == DIAL_OK)
        TURN_UNTIL(sc.loop, early.n_refused);
    assert_int_equal(early.result, DIAL_UNAVAILABLE);
    stream_free(early.channel);
    tunnel_scene_close(&sc);
}

/* ---- plain requests ---- */

struct calling {
    int n;
    int status;
    char body[128];
    size_t len;
    const char *expected; /* NULL: not compared */
};

static void call_answered(int status, const char *body, size_t len, void *ud)
{
    struct calling *c = ud;
    c->n++;
    c->status = status;
    c->len = len;
    str_copy(c->body, sizeof(c->body), body);
    if (c->expected && !str_eq(c->expected, body))
        fail_msg("another body");
}

static void a_plain_request_is_answered_with_json(void **state)
{
    struct tunnel_scene sc = {0};
    struct calling c = {0};
    tunnel_scene_open(&sc);
    tunnel_session_call(sc.client, "POST", "/peers?x=1", "{\"id\":1}", call_answered, &c);
    TURN_UNTIL(sc.loop, sc.n_rq == 1);
    const struct channel_request_info *info = channel_request_info(sc.rq[0]);
    assert_int_equal(info->kind, CHANNEL_REQUEST);
    assert_string_equal(info->method, "POST");
    assert_string_equal(info->path, "/peers?x=1");
    assert_string_equal(info->body, "{\"id\":1}");
    assert_int_equal(info->body_len, 8);
    assert_string_equal(channel_request_field(sc.rq[0], "content-type"), "application/json");
    assert_null(channel_request_field(sc.rq[0], "nothing"));
    channel_answer(sc.rq[--sc.n_rq], 201, "{\"ok\":true}");
    TURN_UNTIL(sc.loop, c.n);
    assert_int_equal(c.status, 201);
    assert_string_equal(c.body, "{\"ok\":true}");
    tunnel_scene_close(&sc);
}

static void a_request_without_a_body_and_an_answer_without_one(void **state)
{
    struct tunnel_scene sc = {0};
    struct calling c = {0};
    tunnel_scene_open(&sc);
    tunnel_session_call(sc.client, "DELETE", "/peers/1", NULL, call_answered, &c);
    TURN_UNTIL(sc.loop, sc.n_rq == 1);
    assert_int_equal(channel_request_info(sc.rq[0])->body_len, 0);
    channel_answer(sc.rq[--sc.n_rq], 404, NULL);
    TURN_UNTIL(sc.loop, c.n);
    assert_int_equal(c.status, 404);
    assert_string_equal(c.body, "");
    tunnel_scene_close(&sc);
}

static void a_long_answer_comes_whole(void **state)
{
    static char text[TUNNEL_ANSWER_MAX + 1];
    struct tunnel_scene sc = {0};
    struct calling c = {.expected = text};
    for (size_t i = 0; i < TUNNEL_ANSWER_MAX; i++)
        text[i] = (char)('a' + i % 23);
    tunnel_scene_open(&sc);
    tunnel_session_call(sc.client, "GET", "/ports", NULL, call_answered, &c);
    TURN_UNTIL(sc.loop, sc.n_rq == 1);
    channel_answer(sc.rq[--sc.n_rq], 200, text);
    TURN_UNTIL(sc.loop, c.n);
    assert_int_equal(c.status, 200);
    assert_int_equal(c.len, TUNNEL_ANSWER_MAX);
    tunnel_scene_close(&sc);
}

static void bodies_are_bounded_both_ways(void **state)
{
    static char big[TUNNEL_ANSWER_MAX + 2];
    struct tunnel_scene sc = {0};
    struct calling most = {0}, over = {0};
    memset(big, 'x', sizeof(big) - 1);
    tunnel_scene_open(&sc);
    big[CHANNEL_BODY_MAX + 1] = '\0';
    tunnel_session_call(sc.client, "POST", "/", big, call_answered, &over);
    TURN_UNTIL(sc.loop, over.n);
    assert_true(over.status < 0);
    big[CHANNEL_BODY_MAX] = '\0';
    tunnel_session_call(sc.client, "POST", "/", big, call_answered, &most);
    TURN_UNTIL(sc.loop, sc.n_rq == 1);
    assert_int_equal(channel_request_info(sc.rq[0])->body_len, CHANNEL_BODY_MAX);
    big[CHANNEL_BODY_MAX] = big[CHANNEL_BODY_MAX + 1] = 'x';
    channel_answer(sc.rq[--sc.n_rq], 200, big);
    TURN_UNTIL(sc.loop, most.n);
    assert_int_equal(most.status, 500);
    assert_string_equal(most.body, "");
    tunnel_scene_close(&sc);
}

static void a_request_body_beyond_the_bound_is_refused(void **state)
{
    const struct h2_head head = {
        .method = "POST", .scheme = "https", .authority = "agent", .path = "/"};
    struct tunnel_scene sc = {0};
    tunnel_scene_open(&sc);
    struct stream *channel = h2_request(tunnel_session_h2(sc.client), &head, false, NULL, NULL);
    struct talker sender = {.s = channel, .to_send = 1000000};
    talker_start(&sender);
    TURN_UNTIL(sc.loop, talker_done(&sender));
    assert_true(sender.sent < 1000000);
    assert_int_equal(sc.n_rq, 0);
    stream_free(channel);
    tunnel_scene_close(&sc);
}

static void a_call_may_be_cancelled_and_fails_with_its_session(void **state)
{
    struct tunnel_scene sc = {0};
    struct calling a = {0}, b = {0};
    tunnel_scene_open(&sc);
    struct tunnel_call *call =
        tunnel_session_call(sc.client, "GET", "/ports", NULL, call_answered, &a);
    tunnel_session_call(sc.client, "GET", "/ports", NULL, call_answered, &b);
    TURN_UNTIL(sc.loop, sc.n_rq == 2);
    tunnel_call_cancel(call);
    TURN_UNTIL(sc.loop, sc.n_cancelled == 1);
    sc.client = tunnel_session_free(sc.client);
    TURN_UNTIL(sc.loop, b.n && sc.n_cancelled == 2);
    assert_int_equal(b.status, -ECONNABORTED);
    assert_int_equal(a.n, 0);
    tunnel_scene_close(&sc);
}

static void a_body_that_is_held_open_comes_line_by_line(void **state)
{
    struct tunnel_scene sc = {0};
    struct opening o = {0};
    char got[16];
    tunnel_scene_open(&sc);
    const struct channel_open_options options = opening_options(&o, false);
    o.open = tunnel_session_get(sc.client, "/events", &options);
    TURN_UNTIL(sc.loop, sc.n_rq == 1);
    struct stream *body = channel_accept_body(sc.rq[--sc.n_rq], "application/jsonl");
    sc.taken[sc.n_taken++] = body;
    TURN_UNTIL(sc.loop, o.n_opened);
    for (int i = 0; i < 3; i++) {
        ssize_t n = -EAGAIN;
        assert_int_equal(stream_recv(body, got, sizeof(got)), -EAGAIN);
        stream_send_bytes(body, "{}\n", 3);
        TURN_UNTIL(sc.loop, (n = stream_recv(o.channel, got, sizeof(got))) != -EAGAIN);
        assert_int_equal(n, 3);
    }
    stream_free(o.channel);
    ssize_t n = -EAGAIN;
    TURN_UNTIL(sc.loop, (n = stream_recv(body, got, sizeof(got))) != -EAGAIN);
    assert_int_equal(n, -ECONNRESET);
    tunnel_scene_close(&sc);
}

/* ---- hostile heads ---- */

static void note_status(struct stream *channel, int result, const struct h2_head *head, void *ud)
{
    assert_int_equal(result, 0);
    *(unsigned *)ud = head->status;
}

static void heads_that_make_no_sense_are_answered_and_never_delivered(void **state)
{
    const struct {
        struct h2_head head;
        unsigned status;
    } table[] = {
        {{.method = "CONNECT", .authority = "no-port"}, 400},
        {{.method = "CONNECT", .authority = "a:0"}, 400},
        {{.method = "CONNECT", .authority = "user@a:1"}, 400},
        {{.method = "CONNECT",
          .protocol = "connect-udp",
          .scheme = "https",
          .authority = "a",
          .path = "/nothing"},
         400},
        {{.method = "CONNECT",
          .protocol = "connect-unix",
          .scheme = "https",
          .authority = "a",
          .path = "/.well-known/masque/unix//"},
         400},
        {{.method = "CONNECT",
          .protocol = "peer",
          .scheme = "https",
          .authority = "a",
          .path = "/peer"},
         400},
        {{.method = "CONNECT",
          .protocol = "accept",
          .scheme = "https",
          .authority = "a",
          .path = "/accept?id=0"},
         400},
        {{.method = "CONNECT",
          .protocol = "websocket",
          .scheme = "https",
          .authority = "a",
          .path = "/"},
         501},
    };
    struct tunnel_scene sc = {0};
    tunnel_scene_open(&sc);
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        unsigned status = 0;
        struct stream *channel =
            h2_request(tunnel_session_h2(sc.client), &table[i].head, false, note_status, &status);
        TURN_UNTIL(sc.loop, status);
        assert_int_equal(status, table[i].status);
        stream_free(channel);
    }
    assert_int_equal(sc.n_rq, 0);
    tunnel_scene_close(&sc);
}

/* ---- datagrams ---- */

struct dgram_end {
    struct datagram_channel *d;
    size_t got[16];
    int n_got;
    bool echo;
};

static void dgram_received(struct datagram_channel *d, const void *data, size_t len, void *ud)
{
    struct dgram_end *e = ud;
    const unsigned char *p = data;
    for (size_t i = 0; i < len; i += 97)
        assert_int_equal(p[i], pattern(i));
    e->got[e->n_got++] = len;
    if (e->echo)
        assert_int_equal(datagram_send(d, data, len), 0);
}

static void datagrams_of_every_size_come_back_whole(void **state)
{
    static const size_t sizes[] = {0, 1, 1400, 9000, UDP_PAYLOAD_MAX};
    static unsigned char data[UDP_PAYLOAD_MAX];
    const struct channel_target target = {CHANNEL_UDP, "localhost", 53};
    struct tunnel_scene sc = {.accept = true};
    struct opening o = {0};
    struct dgram_end near = {0}, far = {.echo = true};
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = pattern(i);
    tunnel_scene_open(&sc);
    open_target(&sc, &o, &target, false);
    TURN_UNTIL(sc.loop, o.n_opened && sc.n_taken);
    const struct datagram_options a = {.received = dgram_received, .ud = &near};
    const struct datagram_options b = {.received = dgram_received, .ud = &far};
    near.d = datagram_new(o.channel, &a);
    far.d = datagram_new(sc.taken[--sc.n_taken], &b);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        assert_int_equal(datagram_send(near.d, data, sizes[i]), 0);
        TURN_UNTIL(sc.loop, near.n_got == (int)i + 1);
        assert_int_equal(near.got[i], sizes[i]);
    }
    assert_int_equal(datagram_get_stats(far.d)->dropped, 0);
    datagram_free(near.d);
    datagram_free(far.d);
    tunnel_scene_close(&sc);
}

TEST_MAIN(cmocka_unit_test(each_kind_of_channel_is_recognised_and_carries_bytes),
          cmocka_unit_test(targets_that_make_no_sense_fail_without_a_request),
          cmocka_unit_test(every_refusal_reaches_the_other_side_with_its_reason),
          cmocka_unit_test(an_early_channel_is_there_at_once_and_fails_when_refused),
          cmocka_unit_test(an_early_channel_may_be_freed_before_its_answer),
          cmocka_unit_test(bytes_sent_early_are_there_when_the_dial_is_done),
          cmocka_unit_test(an_open_that_is_cancelled_cancels_the_request),
          cmocka_unit_test(the_end_of_a_session_tells_both_ends_of_what_is_open),
          cmocka_unit_test(an_open_on_a_session_that_is_over_is_unavailable),
          cmocka_unit_test(a_plain_request_is_answered_with_json),
          cmocka_unit_test(a_request_without_a_body_and_an_answer_without_one),
          cmocka_unit_test(a_long_answer_comes_whole),
          cmocka_unit_test(bodies_are_bounded_both_ways),
          cmocka_unit_test(a_request_body_beyond_the_bound_is_refused),
          cmocka_unit_test(a_call_may_be_cancelled_and_fails_with_its_session),
          cmocka_unit_test(a_body_that_is_held_open_comes_line_by_line),
          cmocka_unit_test(heads_that_make_no_sense_are_answered_and_never_delivered),
          cmocka_unit_test(datagrams_of_every_size_come_back_whole), );
