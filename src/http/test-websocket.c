/* The handshake, and messages: wslay on one end, frames by hand or a ws_stream on the other. */
#include "http/websocket.h"

#include "http/exchange.h"
#include "http/server_conn.h"
#include "http/test_help.h"
#include "http/ws_handshake.h"

struct fixture {
    struct loop *loop;
    struct far_end far;
    struct websocket *ws;
    struct buf seen;
    uint16_t status; /* 0: not closed */
    bool free_in_message;
};

static void note_message(struct websocket *ws, bool text, struct span message, void *ud)
{
    struct fixture *f = ud;
    buf_appendf(&f->seen, "%s:" SPAN_FMT ";", text ? "text" : "binary", SPAN_ARG(message));
    if (f->free_in_message)
        f->ws = websocket_free(f->ws);
}

static void note_closed(struct websocket *ws, uint16_t status, void *ud)
{
    struct fixture *f = ud;
    f->status = status;
}

static void setup(struct fixture *f, enum ws_role role, size_t capacity)
{
    struct stream *ends[2];
    const struct websocket_options options = {.message = note_message,
                                              .closed = note_closed,
                                              .ud = f,
                                              .max_message = 1000,
                                              .max_queued = 10000};
    *f = (struct fixture){.loop = loop_new()};
    buf_init(&f->seen, 65536);
    stream_pair(f->loop, capacity, ends);
    far_end_init(&f->far, f->loop, ends[1]);
    f->ws = websocket_new(ends[0], role, &options);
}

static void teardown(struct fixture *f)
{
    f->ws = websocket_free(f->ws);
    far_end_deinit(&f->far);
    settle(f->loop);
    buf_deinit(&f->seen);
    loop_free(f->loop);
}

static void messages_come_whole_and_pings_are_answered(void **state)
{
    static const char frames[] = "\x81\x02hi\x01\x02he\x89\x01p\x80\x03llo\x82\x01\xff";
    for (size_t piece = 0; piece <= 1; piece++) {
        struct fixture f;
        setup(&f, WS_CLIENT, 1 << 16);
        far_send(&f.far, frames, sizeof(frames) - 1, piece);
        far_hear(&f.far);
        assert_string_equal(buf_cstr(&f.seen), "text:hi;text:hello;binary:\xff;");
        assert_int_equal(f.far.got.len, 7);
        assert_memory_equal(buf_data(&f.far.got), "\x8a\x81", 2);
        assert_int_equal(f.status, 0);
        teardown(&f);
    }
}

static const struct {
    const char *frames;
    size_t len;
    uint16_t status;
} endings[] = {
    {"\x88\x02\x03\xe9", 4, 1001}, {"\x88\x00", 2, 1005},          {"\x81\x01\xff", 3, 1007},
    {"\x83\x01x", 3, 1002},        {"\x82\x7e\x03\xe9x", 5, 1009}, {"\x82\x81zzzzx", 7, 1002},
};

static void endings_have_their_status(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
        struct fixture f;
        setup(&f, WS_CLIENT, 1 << 16);
        far_send(&f.far, endings[i].frames, endings[i].len, 0);
        far_hear(&f.far);
        if (f.status != endings[i].status)
            fail_msg("ending %zu: %u", i, f.status);
        assert_int_equal(buf_data(&f.far.got)[0], 0x88);
        teardown(&f);
    }
    struct fixture f;
    setup(&f, WS_CLIENT, 1 << 16);
    stream_shutdown(f.far.s);
    settle(f.loop);
    assert_int_equal(f.status, 1006);
    teardown(&f);
}

static void close_is_sent_behind_what_is_queued(void **state)
{
    struct fixture f;
    setup(&f, WS_SERVER, 1 << 16);
    assert_int_equal(websocket_send(f.ws, true, "bye", 3), 0);
    websocket_close(f.ws, 1000, "done");
    assert_int_equal(websocket_send(f.ws, true, "x", 1), -EPIPE);
    far_hear(&f.far);
    assert_int_equal(f.far.got.len, 13);
    assert_memory_equal(buf_data(&f.far.got),
                        "\x81\x03"
                        "bye\x88\x06\x03\xe8"
                        "done",
                        13);
    assert_int_equal(f.status, 0);
    far_send(&f.far, "\x88\x82\x00\x00\x00\x00\x03\xe8", 8, 0);
    settle(f.loop);
    assert_int_equal(f.status, 1000);
    teardown(&f);
}

static void what_is_queued_has_a_ceiling(void **state)
{
    static const char block[1000];
    struct fixture f;
    int n = 0, r;
    setup(&f, WS_SERVER, 100);
    while ((r = websocket_send(f.ws, false, block, sizeof(block))) == 0 && n < 1000)
        n++;
    assert_int_equal(r, -ENOBUFS);
    assert_in_range(n, 9, 11);
    assert_true(websocket_queued(f.ws) <= 10000);
    teardown(&f);
}

static void a_flood_of_pings_stops_being_read(void **state)
{
    struct fixture f;
    size_t taken = 0;
    setup(&f, WS_SERVER, 4000);
    for (int i = 0; i < 3000; i++) {
        ssize_t n = stream_send_bytes(f.far.s, "\x89\x84\x00\x00\x00\x00ping", 10);
        taken += n > 0 ? 1 : 0;
        loop_turn(f.loop, false);
    }
    assert_in_range(taken, 1000, 2500);
    teardown(&f);
}

static void it_can_be_freed_in_its_own_callback(void **state)
{
    struct fixture f;
    setup(&f, WS_CLIENT, 1 << 16);
    f.free_in_message = true;
    far_send(&f.far,
             "\x81\x01"
             "1\x81\x01"
             "2",
             6, 0);
    settle(f.loop);
    assert_string_equal(buf_cstr(&f.seen), "text:1;");
    teardown(&f);
}

static void it_talks_to_a_byte_stream(void **state)
{
    struct fixture f;
    char got[20] = "";
    setup(&f, WS_SERVER, 1 << 16);
    f.far.s = ws_stream_new(f.far.s, WS_CLIENT);
    assert_int_equal(stream_send_bytes(f.far.s, "abc", 3), 3);
    settle(f.loop);
    assert_string_equal(buf_cstr(&f.seen), "binary:abc;");
    assert_int_equal(websocket_send(f.ws, false, "xyz", 3), 0);
    settle(f.loop);
    assert_int_equal(stream_recv(f.far.s, got, sizeof(got)), 3);
    assert_string_equal(got, "xyz");
    assert_int_equal(stream_shutdown(f.far.s), 0);
    settle(f.loop);
    assert_int_equal(f.status, 1000);
    assert_int_equal(stream_recv(f.far.s, got, sizeof(got)), 0);
    teardown(&f);
}

static void keys_and_their_answers_match_the_rfc(void **state)
{
    char accept[WS_ACCEPT_SIZE], key[WS_KEY_SIZE], other[WS_KEY_SIZE];
    ws_accept_of(SPAN("dGhlIHNhbXBsZSBub25jZQ=="), accept);
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    ws_make_key(key);
    ws_make_key(other);
    assert_int_equal(strlen(key), 24);
    assert_string_not_equal(key, other);
}

static void check_handshake(struct exchange *x, void *ud)
{
    unsigned status = ws_handshake_check(x, "adit.v1");
    if (status == 0)
        status = 200;
    exchange_respond(x, status, NULL, 0);
}

static const struct {
    const char *head;
    const char *status;
} handshakes[] = {
#define GOOD_KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define UPGRADE  "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
#define V13      "Sec-WebSocket-Version: 13\r\n"
#define PROTO    "Sec-WebSocket-Protocol: x, adit.v1\r\n"
    {"GET / HTTP/1.1\r\n" UPGRADE V13 GOOD_KEY PROTO, "200"},
    {"GET / HTTP/1.1\r\n" UPGRADE GOOD_KEY PROTO, "426"},
    {"GET / HTTP/1.1\r\n" UPGRADE "Sec-WebSocket-Version: 8\r\n" GOOD_KEY PROTO, "426"},
    {"GET / HTTP/1.1\r\n" V13 GOOD_KEY PROTO, "426"},
    {"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n" V13 GOOD_KEY PROTO, "426"},
    {"GET / HTTP/1.0\r\n" UPGRADE V13 GOOD_KEY PROTO, "426"},
    {"POST / HTTP/1.1\r\n" UPGRADE V13 GOOD_KEY PROTO, "426"},
    {"GET / HTTP/1.1\r\n" UPGRADE V13 PROTO, "400"},
    {"GET / HTTP/1.1\r\n" UPGRADE V13 "Sec-WebSocket-Key: short\r\n" PROTO, "400"},
    {"GET / HTTP/1.1\r\n" UPGRADE V13 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==x\r\n" PROTO,
     "400"},
    {"GET / HTTP/1.1\r\n" UPGRADE V13 "Sec-WebSocket-Key: dGhlIHNhbX*sZSBub25jZQ==\r\n" PROTO,
     "400"},
    {"GET / HTTP/1.1\r\n" UPGRADE V13 GOOD_KEY GOOD_KEY PROTO, "400"},
    {"GET / HTTP/1.1\r\n" UPGRADE V13 GOOD_KEY, "400"},
    {"GET / HTTP/1.1\r\n" UPGRADE V13 GOOD_KEY "Sec-WebSocket-Protocol: adit.v2\r\n", "400"},
    {"GET / HTTP/1.1\r\nContent-Length: 1\r\n" UPGRADE V13 GOOD_KEY PROTO, "400"},
};

static void handshakes_are_checked(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(handshakes); i++) {
        struct loop *loop = loop_new();
        struct far_end client;
        struct stream *ends[2];
        const struct server_conn_options options = {.handler = check_handshake};
        stream_pair(loop, 1 << 16, ends);
        far_end_init(&client, loop, ends[1]);
        struct server_conn *c = server_conn_new(loop, ends[0], &options);
        far_say(&client, handshakes[i].head, 0);
        far_say(&client, "Host: a\r\n\r\n", 0);
        const char *text = far_hear(&client);
        if (strncmp(text + 9, handshakes[i].status, 3) != 0)
            fail_msg("handshake %zu: %s", i, text);
        if (str_eq(handshakes[i].status, "426"))
            assert_non_null(strstr(text, "Sec-WebSocket-Version: 13\r\n"));
        server_conn_free(c);
        far_end_deinit(&client);
        loop_free(loop);
    }
}

TEST_MAIN(cmocka_unit_test(messages_come_whole_and_pings_are_answered),
          cmocka_unit_test(endings_have_their_status),
          cmocka_unit_test(close_is_sent_behind_what_is_queued),
          cmocka_unit_test(what_is_queued_has_a_ceiling),
          cmocka_unit_test(a_flood_of_pings_stops_being_read),
          cmocka_unit_test(it_can_be_freed_in_its_own_callback),
          cmocka_unit_test(it_talks_to_a_byte_stream),
          cmocka_unit_test(keys_and_their_answers_match_the_rfc),
          cmocka_unit_test(handshakes_are_checked));
