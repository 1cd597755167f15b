#include "http/ws_handshake.h"

#include "http/exchange.h"
#include "http/server_conn.h"
#include "http/test_help.h"

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

TEST_MAIN(cmocka_unit_test(keys_and_their_answers_match_the_rfc),
          cmocka_unit_test(handshakes_are_checked));
