/* Frames, and byte streams in messages: conversations in bytes, and loopback. */
#include "http/ws_stream.h"

#include "http/test_help.h"
#include "http/ws_frame.h"

struct bytes {
    const char *p;
    size_t len;
};
#define BYTES(literal)                                                                             \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }

static void masking_is_the_same_in_one_go_and_in_pieces(void **state)
{
    const uint8_t mask[4] = {0x12, 0x34, 0x56, 0x78};
    unsigned char plain[100], expected[100], got[100];
    for (size_t i = 0; i < sizeof(plain); i++) {
        plain[i] = (unsigned char)(i * 7);
        expected[i] = plain[i] ^ mask[i % 4];
    }
    for (size_t cut = 0; cut <= sizeof(plain); cut++) {
        memcpy(got, plain, sizeof(got));
        ws_mask(got, got, cut, mask, 0);
        ws_mask(got + cut, plain + cut, sizeof(plain) - cut, mask, cut);
        assert_memory_equal(got, expected, sizeof(got));
    }
}

static void frame_heads_survive_the_round_trip(void **state)
{
    static const uint64_t lengths[] = {0, 1, 125, 126, 127, 65535, 65536, 1ull << 40, INT64_MAX};
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        for (int masked = 0; masked <= 1; masked++) {
            unsigned char head[WS_HEAD_MAX];
            struct ws_frame in = {.fin = i % 2,
                                  .masked = masked,
                                  .opcode = WS_BINARY,
                                  .mask = {1, 2, 3, 4},
                                  .len = lengths[i]};
            struct ws_frame out = {0};
            size_t len = ws_frame_format(&in, head);
            for (size_t cut = 0; cut < len; cut++)
                assert_int_equal(ws_frame_parse(head, cut, &out), 0);
            assert_int_equal(ws_frame_parse(head, len, &out), (int)len);
            assert_int_equal(out.len, in.len);
            assert_int_equal(out.fin, in.fin);
            assert_int_equal(out.masked, in.masked);
        }
    }
}

struct fixture {
    struct loop *loop;
    struct far_end far; /* speaks frames by hand */
    struct stream *ws;
};

static void setup(struct fixture *f, enum ws_role role)
{
    struct stream *ends[2];
    f->loop = loop_new();
    stream_pair(f->loop, 1 << 20, ends);
    f->ws = ws_stream_new(ends[0], role);
    far_end_init(&f->far, f->loop, ends[1]);
}

static void teardown(struct fixture *f)
{
    f->ws = stream_free(f->ws);
    far_end_deinit(&f->far);
    loop_free(f->loop);
}

/* What a client's end receives and answers. `result` is what follows the text: 0 or an error. */
static const struct {
    struct bytes frames;
    const char *text;
    int result;
    struct bytes answer;
} received[] = {
    {BYTES("\x82\x05hello"), "hello", -EAGAIN, BYTES("")},
    {BYTES("\x82\x00\x82\x02hi"), "hi", -EAGAIN, BYTES("")},
    /* Fragments, with a ping between them. */
    {BYTES("\x02\x02he\x89\x01p\x00\x01l\x80\x02lo\x82\x01!"), "hello!", -EAGAIN,
     BYTES("\x8a\x81....p")},
    {BYTES("\x8a\x03pon\x82\x01x"), "x", -EAGAIN, BYTES("")},
    /* Lengths in 16 and 64 bits. */
    {BYTES("\x82\x01x\x88\x02\x03\xe8"), "x", 0, BYTES("\x88\x82....\x03\xe8")},
    {BYTES("\x88\x00"), "", 0, BYTES("\x88\x80....")},
    {BYTES("\x88\x05\x03\xe9"
           "bye\x82\x01x"),
     "", 0, BYTES("\x88\x82....\x03\xe9")},
    /* Breaches. */
    {BYTES("\x81\x02hi"), "", -EPROTO, BYTES("\x88\x82....\x03\xeb")},
    {BYTES("\x82\x81\x01\x02\x03\x04z"), "", -EPROTO, BYTES("\x88\x82....\x03\xea")},
    {BYTES("\xc2\x01x"), "", -EPROTO, BYTES("\x88\x82....\x03\xea")},
    {BYTES("\x83\x01x"), "", -EPROTO, BYTES("\x88\x82....\x03\xea")},
    {BYTES("\x80\x01x"), "", -EPROTO, BYTES("\x88\x82....\x03\xea")},
    {BYTES("\x02\x01x\x82\x01y"), "x", -EPROTO, BYTES("\x88\x82....\x03\xea")},
    {BYTES("\x09\x01x"), "", -EPROTO, BYTES("\x88\x82....\x03\xea")},
    {BYTES("\x89\x7e\x00\x7e"), "", -EPROTO, BYTES("\x88\x82....\x03\xea")},
    {BYTES("\x82\x7e\x00\x7d"), "", -EPROTO, BYTES("\x88\x82....\x03\xea")},
    {BYTES("\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff"), "", -EPROTO, BYTES("\x88\x82....\x03\xea")},
    {BYTES("\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00"), "", -EPROTO, BYTES("\x88\x82....\x03\xea")},
    {BYTES("\x88\x01\x03"), "", -EPROTO, BYTES("\x88\x82....\x03\xea")},
    {BYTES("\x88\x02\x03\xee"), "", -EPROTO, BYTES("\x88\x82....\x03\xea")},
};

static void read_text(struct stream *ws, struct buf *text, ssize_t *ret_result, bool lent)
{
    char data[64 * 1024];
    for (;;) {
        const void *p = data;
        ssize_t n = lent ? stream_peek(ws, &p) : stream_recv(ws, data, sizeof(data));
        *ret_result = n;
        if (n <= 0)
            return;
        buf_append(text, p, (size_t)n);
        if (lent)
            stream_consume(ws, (size_t)n);
    }
}

/* Compares an answer whose four mask bytes are written "...." and whose payload is plain. */
static void expect_answer(struct buf *got, const struct bytes *want, size_t number)
{
    if (got->len != want->len)
        fail_msg("case %zu: an answer of %zu bytes", number, got->len);
    const unsigned char *p = buf_data(got);
    for (size_t i = 0; i < want->len; i++) {
        unsigned char expected = (unsigned char)want->p[i];
        if (i >= 2 && i < 6)
            continue;
        if ((i < 2 ? p[i] : p[i] ^ p[2 + (i - 6) % 4]) != expected)
            fail_msg("case %zu: byte %zu of the answer", number, i);
    }
}

static void frames_are_read_as_a_stream_and_answered(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(received) * 4; i++) {
        struct fixture f;
        struct buf text = BUF_INIT(1000);
        size_t number = i / 4;
        ssize_t result = -EAGAIN;
        setup(&f, WS_CLIENT);
        for (size_t at = 0; at < received[number].frames.len;) {
            size_t n = i % 2 ? 1 : received[number].frames.len;
            stream_send_bytes(f.far.s, received[number].frames.p + at, n);
            at += n;
            read_text(f.ws, &text, &result, i & 2);
        }
        if (!str_eq(buf_cstr(&text), received[number].text) || result != received[number].result)
            fail_msg("case %zu: '%s', then %zd", number, buf_cstr(&text), result);
        far_read(&f.far);
        expect_answer(&f.far.got, &received[number].answer, number);
        assert_int_equal(f.far.ended, received[number].result != -EAGAIN);
        buf_deinit(&text);
        teardown(&f);
    }
}

static void a_server_wants_masks_and_sends_none(void **state)
{
    struct fixture f;
    char data[100];
    setup(&f, WS_SERVER);
    stream_send_bytes(f.far.s, "\x82\x83\x01\x02\x03\x04\x60\x60\x60", 9);
    assert_int_equal(stream_recv(f.ws, data, sizeof(data)), 3);
    assert_memory_equal(data, "abc", 3);
    assert_int_equal(stream_send_bytes(f.ws, "xyz", 3), 3);
    far_read(&f.far);
    assert_int_equal(f.far.got.len, 5);
    assert_memory_equal(buf_data(&f.far.got), "\x82\x03xyz", 5);
    stream_send_bytes(f.far.s, "\x82\x01x", 3);
    assert_int_equal(stream_recv(f.ws, data, sizeof(data)), -EPROTO);
    teardown(&f);
}

static void a_cut_connection_is_not_an_end(void **state)
{
    struct fixture f;
    char data[100];
    setup(&f, WS_CLIENT);
    stream_send_bytes(f.far.s, "\x82\x05he", 4);
    stream_shutdown(f.far.s);
    assert_int_equal(stream_recv(f.ws, data, sizeof(data)), 2);
    assert_int_equal(stream_recv(f.ws, data, sizeof(data)), -ECONNRESET);
    assert_int_equal(ws_stream_close_status(f.ws), WS_ABNORMAL);
    teardown(&f);
}

static void shutdown_sends_close_and_ends_sending(void **state)
{
    struct fixture f;
    char data[100];
    setup(&f, WS_SERVER);
    assert_int_equal(stream_shutdown(f.ws), 0);
    assert_int_equal(stream_shutdown(f.ws), 0);
    assert_int_equal(stream_send_bytes(f.ws, "x", 1), -EPIPE);
    far_read(&f.far);
    assert_int_equal(f.far.got.len, 4);
    assert_memory_equal(buf_data(&f.far.got), "\x88\x02\x03\xe8", 4);
    assert_false(f.far.ended);
    stream_send_bytes(f.far.s, "\x82\x81\x00\x00\x00\x00z\x88\x82\x00\x00\x00\x00\x03\xe8", 15);
    assert_int_equal(stream_recv(f.ws, data, sizeof(data)), 1);
    assert_int_equal(stream_recv(f.ws, data, sizeof(data)), 0);
    assert_int_equal(ws_stream_close_status(f.ws), 1000);
    far_read(&f.far);
    assert_true(f.far.ended);
    assert_int_equal(f.far.got.len, 4);
    teardown(&f);
}

static void a_flood_of_pings_is_bounded(void **state)
{
    struct fixture f;
    struct stream *ends[2];
    struct loop *loop = loop_new();
    char data[100];
    stream_pair(loop, 4096, ends);
    struct stream *ws = ws_stream_new(ends[0], WS_CLIENT);
    f.loop = loop;
    for (int i = 0; i < 20000; i++) {
        stream_send_bytes(ends[1],
                          "\x89\x0a"
                          "0123456789",
                          12);
        assert_int_equal(stream_recv(ws, data, sizeof(data)), -EAGAIN);
    }
    stream_send_bytes(ends[1], "\x82\x01z", 3);
    assert_int_equal(stream_recv(ws, data, sizeof(data)), 1);

    /* There is still room for the end. */
    unsigned char last[8] = {0};
    assert_int_equal(stream_shutdown(ws), 0);
    for (int i = 0; i < 200; i++) {
        ssize_t n;
        loop_turn(loop, false);
        while ((n = stream_recv(ends[1], data, sizeof(data))) > 0) {
            size_t new = (size_t)n < sizeof(last) ? (size_t)n : sizeof(last);
            memmove(last, last + new, sizeof(last) - new);
            memcpy(last + sizeof(last) - new, data + n - new, new);
        }
    }
    assert_memory_equal(last, "\x88\x82", 2);
    stream_free(ws);
    stream_free(ends[1]);
    loop_free(f.loop);
}

/* One end of the loopback: sends a pattern, checks one. */
struct talker {
    struct stream *s;
    size_t to_send, sent, received;
    size_t piece;
    bool shut, ended;
};

static unsigned char pattern(size_t i)
{
    return (unsigned char)(i * 131 + i / 251);
}

static void talk(struct stream *s, unsigned events, void *ud)
{
    struct talker *t = ud;
    static unsigned char data[300000];
    ssize_t n;
    while ((events & STREAM_READ) && !t->ended && (n = stream_recv(s, data, t->piece)) != -EAGAIN) {
        assert_true(n >= 0);
        t->ended = n == 0;
        for (ssize_t i = 0; i < n; i++)
            assert_int_equal(data[i], pattern(t->received++));
    }
    while ((events & STREAM_WRITE) && t->sent < t->to_send) {
        size_t len = t->to_send - t->sent < t->piece ? t->to_send - t->sent : t->piece;
        for (size_t i = 0; i < len; i++)
            data[i] = pattern(t->sent + i);
        n = stream_send_bytes(s, data, len);
        if (n == -EAGAIN)
            break;
        assert_true(n > 0);
        t->sent += (size_t)n;
    }
    stream_want(s, STREAM_READ | (t->sent < t->to_send ? STREAM_WRITE : 0));
}

static void bytes_arrive_whole_both_ways(void **state)
{
    static const size_t capacities[] = {1, 7, 1000, 70000, 1 << 20};
    for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
        struct loop *loop = loop_new();
        struct stream *ends[2];
        size_t total = capacities[i] < 1000 ? 3000 : 1000000;
        stream_pair(loop, capacities[i], ends);
        struct talker a = {.to_send = total, .piece = 100000}, b = {.to_send = total, .piece = 777};
        a.s = ws_stream_new(ends[0], WS_CLIENT);
        b.s = ws_stream_new(ends[1], WS_SERVER);
        stream_set_ready(a.s, talk, &a);
        stream_set_ready(b.s, talk, &b);
        stream_want(a.s, STREAM_READ | STREAM_WRITE);
        stream_want(b.s, STREAM_READ | STREAM_WRITE);
        TURN_UNTIL(loop, a.received == total && b.received == total);
        stream_shutdown(a.s);
        TURN_UNTIL(loop, a.ended && b.ended);
        assert_int_equal(ws_stream_close_status(b.s), 1000);
        stream_free(a.s);
        stream_free(b.s);
        loop_free(loop);
    }
}

static void a_reader_that_stops_stops_the_sender(void **state)
{
    struct loop *loop = loop_new();
    struct stream *ends[2];
    static char block[50000];
    size_t taken = 0;
    stream_pair(loop, 10000, ends);
    struct stream *a = ws_stream_new(ends[0], WS_CLIENT), *b = ws_stream_new(ends[1], WS_SERVER);
    for (int i = 0; i < 100; i++) {
        ssize_t n = stream_send_bytes(a, block, sizeof(block));
        taken += n > 0 ? (size_t)n : 0;
        settle(loop);
    }
    assert_in_range(taken, 10000, 150000);
    assert_true(stream_unsent(a));
    stream_free(a);
    stream_free(b);
    loop_free(loop);
}

TEST_MAIN(cmocka_unit_test(masking_is_the_same_in_one_go_and_in_pieces),
          cmocka_unit_test(frame_heads_survive_the_round_trip),
          cmocka_unit_test(frames_are_read_as_a_stream_and_answered),
          cmocka_unit_test(a_server_wants_masks_and_sends_none),
          cmocka_unit_test(a_cut_connection_is_not_an_end),
          cmocka_unit_test(shutdown_sends_close_and_ends_sending),
          cmocka_unit_test(a_flood_of_pings_is_bounded),
          cmocka_unit_test(bytes_arrive_whole_both_ways),
          cmocka_unit_test(a_reader_that_stops_stops_the_sender));
