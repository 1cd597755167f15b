#include "io/tls.h"

#include <openssl/pem.h>
#include <sys/stat.h>

#include "io/relay.h"
#include "io/test_certificate.h"
#include "io/test_help.h"
#include "io/tls_internal.h"

/* Certificates made for these tests: for "a.test" and 127.0.0.1, and for "b.test". */
static char dir[] = "/tmp/adit-test-XXXXXX";
static char a_cert[64], a_key[64], b_cert[64], b_key[64];

static int make_files(void **state)
{
    assert_non_null(mkdtemp(dir));
    snprintf(a_cert, sizeof(a_cert), "%s/a.crt", dir);
    snprintf(a_key, sizeof(a_key), "%s/a.key", dir);
    snprintf(b_cert, sizeof(b_cert), "%s/b.crt", dir);
    snprintf(b_key, sizeof(b_key), "%s/b.key", dir);
    write_certificate(a_cert, a_key, "DNS:a.test,IP:127.0.0.1");
    write_certificate(b_cert, b_key, "DNS:b.test");
    return 0;
}

static int remove_files(void **state)
{
    unlink(a_cert);
    unlink(a_key);
    unlink(b_cert);
    unlink(b_key);
    rmdir(dir);
    return 0;
}

/* One end of a connection and what became of its handshake. */
struct side {
    struct stream *s;
    struct talker talker;
    bool done;
    int result;
    char text[512];
    bool free_in_done;
};

struct scene {
    struct loop *loop;
    struct tls_identity *client_id, *server_id;
    struct tls_pin client_pin, server_pin;
    struct tls_context *client_ctx, *server_ctx;
    struct side client, server;
};

static void handshake_done(struct stream *tls, int result, const struct err *err, void *ud)
{
    struct side *side = ud;
    assert_false(side->done);
    side->done = true;
    side->result = result;
    assert_true((result < 0) == (err != NULL));
    if (err)
        snprintf(side->text, sizeof(side->text), "%s", err->text);
    if (side->free_in_done)
        side->s = stream_free(side->s);
}

static int set_up(void **state)
{
    struct scene *s = new0(struct scene);
    s->loop = loop_new();
    s->client_id = tls_identity_new();
    s->server_id = tls_identity_new();
    tls_identity_pin(s->client_id, &s->client_pin);
    tls_identity_pin(s->server_id, &s->server_pin);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *s = *state;
    stream_free(s->client.s);
    stream_free(s->server.s);
    tls_context_unref(s->client_ctx);
    tls_context_unref(s->server_ctx);
    tls_identity_free(s->client_id);
    tls_identity_free(s->server_id);
    loop_free(s->loop);
    free(s);
    return 0;
}

enum below { SOCKETS, PAIR };

static void start_on(struct scene *s, struct stream *below[2], const char *host,
                     const struct tls_pin *client_expects, const struct tls_pin *server_expects)
{
    struct tls_start_options options = {
        .host = host, .pin = client_expects, .done = handshake_done, .ud = &s->client};
    s->client.s = tls_start(s->client_ctx, below[0], &options);
    options = (struct tls_start_options){
        .server = true, .pin = server_expects, .done = handshake_done, .ud = &s->server};
    s->server.s = tls_start(s->server_ctx, below[1], &options);
    assert_false(s->client.done);
    assert_false(s->server.done);
}

static void make_below(struct scene *s, enum below kind, size_t capacity, struct stream *ret[2])
{
    if (kind == SOCKETS)
        socket_streams(s->loop, ret);
    else
        stream_pair(s->loop, capacity, ret);
}

static void make_peers(struct scene *s)
{
    assert_int_equal(tls_context_peer(s->client_id, &s->client_ctx, NULL), 0);
    assert_int_equal(tls_context_peer(s->server_id, &s->server_ctx, NULL), 0);
}

static void wait_for_handshake(struct scene *s)
{
    TURN_UNTIL(s->loop, s->client.done && s->server.done);
}

/* A peer session that is ready for use. */
static void open_peers(struct scene *s, enum below kind, size_t capacity)
{
    struct stream *below[2];
    if (!s->client_ctx)
        make_peers(s);
    make_below(s, kind, capacity, below);
    start_on(s, below, NULL, &s->server_pin, &s->client_pin);
    wait_for_handshake(s);
    assert_int_equal(s->client.result, 0);
    assert_int_equal(s->server.result, 0);
    s->client.talker.s = s->client.s;
    s->server.talker.s = s->server.s;
}

static void open_web(struct scene *s, const struct tls_client_options *client, const char *host)
{
    static const char *const alpn[] = {"h2", "http/1.1", NULL};
    struct stream *below[2];
    struct err err = ERR_INIT;
    assert_int_equal(tls_context_server(a_cert, a_key, alpn, &s->server_ctx, &err), 0);
    assert_int_equal(tls_context_add_certificate(s->server_ctx, b_cert, b_key, &err), 0);
    assert_int_equal(tls_context_client(client, &s->client_ctx, &err), 0);
    make_below(s, SOCKETS, 0, below);
    start_on(s, below, host, NULL, NULL);
    TURN_UNTIL(s->loop, s->client.done);
}

static void converse(struct scene *s, uint64_t to_server, uint64_t to_client)
{
    struct talker *c = &s->client.talker, *v = &s->server.talker;
    c->to_send = to_server;
    v->to_send = to_client;
    talker_start(c);
    talker_start(v);
    TURN_UNTIL(s->loop, talker_done(c) && talker_done(v));
    assert_int_equal(c->failure, 0);
    assert_int_equal(v->failure, 0);
    assert_int_equal(v->received, to_server);
    assert_int_equal(c->received, to_client);
}

static void peers_talk_over_sockets(void **state)
{
    struct scene *s = *state;
    open_peers(s, SOCKETS, 0);
    assert_string_equal(tls_alpn(s->client.s), "adit/1");
    assert_string_equal(tls_alpn(s->server.s), "adit/1");
    assert_true(stream_fd(s->client.s) >= 0);
    converse(s, 5000000, 4000000);
}

static void peers_talk_over_a_tiny_pair(void **state)
{
    static const struct {
        size_t capacity;
        size_t chunk;
        uint64_t to_server, to_client;
    } cases[] = {{1, 0, 3000, 2000},          {7, 100, 5000, 9000},    {100, 0, 300000, 300000},
                 {5000, 16, 100000, 50000},   {20000, 0, 2000000, 10}, {1000000, 7000, 0, 2000000},
                 {70000, 0, 1000000, 1000000}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct scene *s = *state;
        open_peers(s, PAIR, cases[i].capacity);
        s->client.talker.chunk = cases[i].chunk;
        converse(s, cases[i].to_server, cases[i].to_client);
        s->client.s = stream_free(s->client.s);
        s->server.s = stream_free(s->server.s);
        s->client = s->server = (struct side){0};
    }
}

/* From the client, as many records in a call as will go. */
static void send_at_once(struct scene *s, size_t len)
{
    unsigned char *data = xmalloc(len);
    size_t sent = 0;
    for (size_t i = 0; i < len; i++)
        data[i] = pattern(i);
    s->server.talker = (struct talker){.s = s->server.s};
    talker_start(&s->server.talker);
    while (sent < len) {
        ssize_t n = stream_send_bytes(s->client.s, data + sent, len - sent);
        assert_true(n > 0 || n == -EAGAIN);
        sent += n > 0 ? (size_t)n : 0;
        loop_turn(s->loop, false);
    }
    free(data);
    stream_shutdown(s->client.s);
    TURN_UNTIL(s->loop, s->server.talker.ended);
    assert_int_equal(s->server.talker.received, len);
}

/* The session of two peers in an https connection: both seal on the same loop. */
static void peers_talk_in_another_tls_connection(void **state)
{
    static const size_t capacities[] = {0, 5000, 70000, 1000000};
    for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
        struct scene *s = *state;
        open_peers(s, i ? PAIR : SOCKETS, capacities[i]);
        struct stream *below[2] = {s->client.s, s->server.s};
        s->client = s->server = (struct side){0};
        start_on(s, below, NULL, &s->server_pin, &s->client_pin);
        wait_for_handshake(s);
        assert_int_equal(s->client.result, 0);
        send_at_once(s, 1000000);
        s->client.s = stream_free(s->client.s);
        s->server.s = stream_free(s->server.s);
        s->client = s->server = (struct side){0};
    }
}

/* Records that come first and what goes as it is behind them, in one go. */
static void leave_one_way(struct side *from, struct side *to, size_t n_records)
{
    char data[64];
    tls_read_exactly(to->s);
    for (size_t i = 0; i < n_records; i++)
        assert_int_equal(stream_send_bytes(from->s, "sealed", 6), 6);
    tls_leave_sending(from->s);
    assert_int_equal(stream_send_bytes(from->s, "as it is", 8), 8);
    for (size_t i = 0; i < n_records; i++) {
        assert_int_equal(stream_recv(to->s, data, 6), 6);
        assert_memory_equal(data, "sealed", 6);
    }
    assert_int_equal(recv(stream_fd(to->s), data, sizeof(data), MSG_PEEK), 8);
    assert_memory_equal(data, "as it is", 8);
    tls_leave_receiving(to->s);
    assert_int_equal(stream_recv(to->s, data, sizeof(data)), 8);
    assert_memory_equal(data, "as it is", 8);
}

static void tls_can_be_left_behind_a_record(void **state)
{
    struct scene *s = *state;
    open_peers(s, SOCKETS, 0);
    leave_one_way(&s->server, &s->client, 1);
    /* The other direction is still sealed. */
    s->client.talker.to_send = 1000;
    s->server.talker.shut = true;
    talker_start(&s->server.talker);
    assert_int_equal(stream_send_bytes(s->client.s, (unsigned char[]){pattern(0)}, 1), 1);
    TURN_UNTIL(s->loop, s->server.talker.received == 1);
}

static void what_has_left_tls_ends_in_order(void **state)
{
    struct scene *s = *state;
    open_peers(s, SOCKETS, 0);
    leave_one_way(&s->server, &s->client, 1);
    leave_one_way(&s->client, &s->server, 3);
    converse(s, 3000000, 2000000);
    assert_int_equal(stream_shutdown(s->client.s), 0);
}

static void what_tls_has_kept_goes_before_what_has_left(void **state)
{
    struct scene *s = *state;
    open_peers(s, PAIR, 20);
    tls_read_exactly(s->client.s);
    assert_int_equal(stream_send_bytes(s->server.s, "a sealed record", 15), 15);
    tls_leave_sending(s->server.s);
    assert_int_equal(stream_send_bytes(s->server.s, "as it is", 8), -EAGAIN);
    assert_true(stream_unsent(s->server.s));
    char data[15];
    stream_set_ready(s->client.s, NULL, NULL);
    while (stream_recv(s->client.s, data, sizeof(data)) == -EAGAIN)
        loop_turn(s->loop, false);
    assert_memory_equal(data, "a sealed record", 15);
    tls_leave_receiving(s->client.s);
    converse(s, 0, 100000);
}

static void a_peer_with_another_key_is_refused_by_both(void **state)
{
    struct scene *s = *state;
    for (int wrong = 0; wrong < 2; wrong++) {
        struct stream *below[2];
        char c;
        if (!s->client_ctx)
            make_peers(s);
        make_below(s, PAIR, 100000, below);
        if (wrong == 0) {
            start_on(s, below, NULL, &s->client_pin, &s->client_pin);
            wait_for_handshake(s);
            assert_int_equal(s->client.result, -EKEYREJECTED);
            assert_string_equal(s->client.text, "the other side's key is not the expected one");
            assert_true(s->server.result < 0);
        } else {
            start_on(s, below, NULL, &s->server_pin, &s->server_pin);
            TURN_UNTIL(s->loop, s->server.done);
            assert_int_equal(s->server.result, -EKEYREJECTED);
            assert_string_equal(s->server.text, "the other side's key is not the expected one");
            /* TLS 1.3: the client finds out with the first bytes it receives. */
            struct talker t = {.s = s->client.s, .shut = true};
            talker_start(&t);
            TURN_UNTIL(s->loop, t.failure);
            assert_int_equal(t.failure, -EKEYREJECTED);
            assert_int_equal(stream_send_bytes(t.s, "x", 1), -EKEYREJECTED);
        }
        assert_int_equal(stream_send_bytes(s->server.s, "x", 1), s->server.result);
        assert_int_equal(stream_recv(s->server.s, &c, 1), s->server.result);
        s->client.s = stream_free(s->client.s);
        s->server.s = stream_free(s->server.s);
        s->client = s->server = (struct side){0};
    }
}

static void a_peer_without_a_pin_trusts_nobody(void **state)
{
    struct scene *s = *state;
    struct stream *below[2];
    make_peers(s);
    make_below(s, SOCKETS, 0, below);
    start_on(s, below, NULL, NULL, &s->client_pin);
    wait_for_handshake(s);
    assert_int_equal(s->client.result, -EKEYREJECTED);
    assert_true(s->server.result < 0);
}

static void a_peer_accepts_no_web_client(void **state)
{
    struct scene *s = *state;
    struct stream *below[2];
    assert_int_equal(tls_context_peer(s->server_id, &s->server_ctx, NULL), 0);
    struct tls_client_options insecure = {.insecure = true};
    assert_int_equal(tls_context_client(&insecure, &s->client_ctx, NULL), 0);
    make_below(s, SOCKETS, 0, below);
    start_on(s, below, "a.test", NULL, &s->client_pin);
    TURN_UNTIL(s->loop, s->server.done);
    assert_int_equal(s->server.result, -EKEYREJECTED);
    assert_string_equal(s->server.text, "the other side shows no certificate");
}

static void the_end_of_one_direction_leaves_the_other_open(void **state)
{
    struct scene *s = *state;
    open_peers(s, SOCKETS, 0);
    s->client.talker.to_send = 100;
    s->server.talker.shut = true; /* answers later */
    talker_start(&s->client.talker);
    talker_start(&s->server.talker);
    TURN_UNTIL(s->loop, s->server.talker.ended);
    assert_int_equal(s->server.talker.received, 100);
    s->server.talker.shut = false;
    s->server.talker.to_send = 1000000;
    talker_wants(&s->server.talker);
    TURN_UNTIL(s->loop, talker_done(&s->client.talker));
    assert_int_equal(s->client.talker.failure, 0);
    assert_int_equal(s->client.talker.received, 1000000);
}

static void a_cut_connection_is_no_clean_end(void **state)
{
    for (int kind = 0; kind < 2; kind++) {
        struct scene *s = *state;
        open_peers(s, kind ? PAIR : SOCKETS, 5000);
        s->client.talker.shut = true;
        talker_start(&s->client.talker);
        assert_int_equal(stream_send_bytes(s->server.s, (unsigned char[]){pattern(0)}, 1), 1);
        s->server.s = stream_free(s->server.s); /* without a shutdown */
        TURN_UNTIL(s->loop, talker_done(&s->client.talker));
        assert_int_equal(s->client.talker.received, 1);
        assert_int_equal(s->client.talker.failure, -ECONNRESET);
        s->client.s = stream_free(s->client.s);
        s->client = s->server = (struct side){0};
    }
}

static void keys_are_renewed_on_the_way(void **state)
{
    for (int kind = 0; kind < 2; kind++) {
        struct scene *s = *state;
        uint64_t len = kind ? 30000 : 1000000;
        /* So narrow that the news of the key does not go through at once. */
        open_peers(s, kind ? PAIR : SOCKETS, 7);
        struct talker *c = &s->client.talker, *v = &s->server.talker;
        c->to_send = v->to_send = len;
        c->chunk = v->chunk = kind ? 500 : 0;
        talker_start(c);
        talker_start(v);
        for (uint64_t next = 0; !talker_done(c) || !talker_done(v);) {
            loop_turn(s->loop, true);
            if (c->received >= next && v->received >= next && next < len) {
                next += len / 10;
                tls_renew_keys(c->s);
            }
        }
        assert_int_equal(c->failure, 0);
        assert_int_equal(v->failure, 0);
        assert_int_equal(c->received, len);
        assert_int_equal(v->received, len);
        s->client.s = stream_free(s->client.s);
        s->server.s = stream_free(s->server.s);
        s->client = s->server = (struct side){0};
    }
}

static void relay_done(struct relay *r, int result, void *ud)
{
    assert_int_equal(result, 0);
    *(bool *)ud = true;
}

static void a_relay_over_tls_loses_nothing_at_its_end(void **state)
{
    struct scene *s = *state;
    struct stream *plain[2];
    bool done = false;
    open_peers(s, PAIR, 1000);
    stream_pair(s->loop, 100000, plain);
    relay_new(plain[1], s->client.s, &(struct relay_options){.done = relay_done, .ud = &done});
    struct talker near = {.s = plain[0], .to_send = 2000000}, *far = &s->server.talker;
    talker_start(&near);
    talker_start(far);
    TURN_UNTIL(s->loop, done && talker_done(far) && talker_done(&near));
    assert_int_equal(far->failure, 0);
    assert_int_equal(far->received, 2000000);
    s->client.s = NULL; /* it was the relay's */
    stream_free(plain[0]);
}

static void what_was_taken_goes_out_though_nobody_asks(void **state)
{
    struct scene *s = *state;
    unsigned char data[16384];
    open_peers(s, PAIR, 1000);
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = pattern(i);
    assert_int_equal(stream_send_bytes(s->client.s, data, sizeof(data)), sizeof(data));
    assert_true(stream_unsent(s->client.s));
    /* Other bytes may be offered next: they do not get between. */
    assert_int_equal(stream_send_bytes(s->client.s, "wrong", 5), -EAGAIN);
    s->server.talker.shut = true;
    talker_start(&s->server.talker);
    TURN_UNTIL(s->loop, s->server.talker.received == sizeof(data));
    assert_false(stream_unsent(s->client.s));
}

static void a_stream_freed_after_its_shutdown_loses_nothing(void **state)
{
    struct scene *s = *state;
    unsigned char data[16384];
    open_peers(s, PAIR, 1000);
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = pattern(i);
    assert_int_equal(stream_send_bytes(s->client.s, data, sizeof(data)), sizeof(data));
    assert_int_equal(stream_shutdown(s->client.s), 0);
    assert_int_equal(stream_send_bytes(s->client.s, "x", 1), -EPIPE);
    s->client.s = stream_free(s->client.s);
    s->server.talker.shut = true;
    talker_start(&s->server.talker);
    TURN_UNTIL(s->loop, talker_done(&s->server.talker));
    assert_int_equal(s->server.talker.failure, 0);
    assert_int_equal(s->server.talker.received, sizeof(data));
}

static void an_orphan_ends_with_its_loop(void **state)
{
    struct scene *s = *state;
    unsigned char data[16384] = {0};
    open_peers(s, SOCKETS, 0);
    while (stream_send_bytes(s->client.s, data, sizeof(data)) > 0)
        ;
    assert_true(stream_unsent(s->client.s));
    stream_shutdown(s->client.s);
    s->client.s = stream_free(s->client.s);
    loop_turn(s->loop, false);
    /* tear_down frees the loop; the leak checker sees whether the orphan went with it. */
}

static void note_ready(struct stream *stream, unsigned events, void *ud)
{
    *(unsigned *)ud |= events;
}

static void bytes_inside_openssl_are_reported(void **state)
{
    struct scene *s = *state;
    open_peers(s, SOCKETS, 0);
    unsigned char data[100], got[10];
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = pattern(i);
    /* Several records that arrive in one piece; taken out bit by bit. */
    for (int i = 0; i < 10; i++)
        assert_int_equal(stream_send_bytes(s->server.s, data, sizeof(data)), sizeof(data));
    for (int i = 0; i < 100; i++) {
        unsigned ready = 0;
        stream_set_ready(s->client.s, note_ready, &ready);
        stream_want(s->client.s, STREAM_READ);
        TURN_UNTIL(s->loop, ready & STREAM_READ);
        stream_want(s->client.s, 0);
        assert_int_equal(stream_recv(s->client.s, got, sizeof(got)), sizeof(got));
        assert_memory_equal(got, data + i % 10 * 10, sizeof(got));
    }
    assert_int_equal(stream_recv(s->client.s, got, sizeof(got)), -EAGAIN);
    unsigned ready = 0;
    stream_set_ready(s->client.s, note_ready, &ready);
    stream_want(s->client.s, STREAM_READ);
    for (int i = 0; i < 5; i++)
        loop_turn(s->loop, false);
    assert_int_equal(ready, 0);
}

static void one_call_receives_many_records(void **state)
{
    struct scene *s = *state;
    unsigned char data[1000] = {0}, got[10000];
    open_peers(s, SOCKETS, 0);
    for (int i = 0; i < 10; i++)
        assert_int_equal(stream_send_bytes(s->server.s, data, sizeof(data)), sizeof(data));
    assert_int_equal(stream_recv(s->client.s, got, sizeof(got)), sizeof(got));
}

static void vectors_are_gathered_into_records(void **state)
{
    struct scene *s = *state;
    open_peers(s, SOCKETS, 0);
    static unsigned char data[50000], got[50000];
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = pattern(i);
    struct iovec iov[] = {
        {data, 9}, {data + 9, 0}, {data + 9, 20000}, {data + 20009, 1}, {data + 20010, 29990}};
    assert_int_equal(stream_send(s->server.s, iov, ARRAY_LEN(iov)), sizeof(data));
    size_t n = 0;
    while (n < sizeof(got)) {
        ssize_t r = stream_recv(s->client.s, got + n, sizeof(got) - n);
        if (r == -EAGAIN)
            loop_turn(s->loop, false);
        else
            n += (size_t)r;
    }
    assert_memory_equal(got, data, sizeof(data));
}

static void a_stream_may_be_freed_in_its_handshake_callback(void **state)
{
    struct scene *s = *state;
    struct stream *below[2];
    make_peers(s);
    make_below(s, SOCKETS, 0, below);
    start_on(s, below, NULL, &s->server_pin, &s->client_pin);
    s->client.free_in_done = true;
    s->server.free_in_done = true;
    TURN_UNTIL(s->loop, s->client.done && s->server.done);
    for (int i = 0; i < 3; i++)
        loop_turn(s->loop, false);
    assert_null(s->client.s);
}

static void a_handshake_is_cancelled_by_freeing_the_stream(void **state)
{
    struct scene *s = *state;
    struct stream *below[2];
    make_peers(s);
    make_below(s, PAIR, 100, below);
    start_on(s, below, NULL, &s->server_pin, &s->client_pin);
    for (int i = 0; i < 3; i++)
        loop_turn(s->loop, false);
    s->client.s = stream_free(s->client.s);
    TURN_UNTIL(s->loop, s->server.done);
    assert_false(s->client.done);
    assert_int_equal(s->server.result, -ECONNRESET);
    assert_string_equal(s->server.text,
                        "the other side closed the connection during the TLS handshake");
}

static void move(struct stream *stream, struct loop *from, struct loop *to)
{
    stream_want(stream, 0);
    assert_int_equal(stream_detach(stream), 0);
    loop_turn(from, false);
    stream_attach(stream, to);
}

static void a_stream_moves_between_loops_in_any_state(void **state)
{
    struct scene *s = *state;
    struct loop *other = loop_new();
    struct stream *below[2];
    make_peers(s);
    make_below(s, SOCKETS, 0, below);
    start_on(s, below, NULL, &s->server_pin, &s->client_pin);
    move(s->server.s, s->loop, other); /* during the handshake */
    while (!s->client.done || !s->server.done) {
        loop_turn(s->loop, false);
        loop_turn(other, false);
    }
    struct talker *c = &s->client.talker, *v = &s->server.talker;
    *c = (struct talker){.s = s->client.s, .to_send = 3000000};
    *v = (struct talker){.s = s->server.s, .to_send = 3000000};
    talker_start(c);
    talker_start(v);
    for (int i = 0; !talker_done(c) || !talker_done(v); i++) {
        loop_turn(s->loop, false);
        loop_turn(other, false);
        if (i % 16 == 0) {
            move(s->server.s, i % 32 ? s->loop : other, i % 32 ? other : s->loop);
            talker_wants(v);
        }
    }
    assert_int_equal(c->failure, 0);
    assert_int_equal(v->failure, 0);
    assert_int_equal(c->received, 3000000);
    assert_int_equal(v->received, 3000000);
    s->server.s = stream_free(s->server.s);
    loop_turn(other, false);
    loop_free(other);
}

static void a_client_knows_the_server_by_its_name(void **state)
{
    static const struct {
        const char *host;
        const char *ca;
        int result;
        const char *text;
    } cases[] = {
        {"a.test", a_cert, 0, NULL},
        {"A.test.", a_cert, 0, NULL},
        {"127.0.0.1", a_cert, 0, NULL},
        {"b.test", b_cert, 0, NULL},
        {"c.test", a_cert, -EKEYREJECTED, "the certificate is for another name than c.test"},
        {"127.0.0.2", a_cert, -EKEYREJECTED, "the certificate is for another name than 127.0.0.2"},
        {"a.test", b_cert, -EKEYREJECTED,
         "the certificate is not trusted: self-signed certificate"},
        {"a.test", NULL, -EKEYREJECTED, "the certificate is not trusted: self-signed certificate"},
        {NULL, a_cert, -EINVAL, "there is no name to check"},
        {"", a_cert, -EINVAL, "there is no name to check"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        tear_down(state);
        set_up(state);
        struct scene *s = *state;
        open_web(s, &(struct tls_client_options){.ca_file = cases[i].ca}, cases[i].host);
        assert_string_equal(s->client.text, cases[i].text ? cases[i].text : "");
        assert_int_equal(s->client.result, cases[i].result);
    }
}

static void the_systems_trust_may_be_a_file_or_a_folder(void **state)
{
    char folder[128], link[160];
    snprintf(folder, sizeof(folder), "%s/certs", dir);
    assert_int_equal(mkdir(folder, 0700), 0);
    X509 *cert = NULL;
    FILE *f = fopen(a_cert, "re");
    assert_non_null(PEM_read_X509(f, &cert, NULL, NULL));
    fclose(f);
    snprintf(link, sizeof(link), "%s/%08lx.0", folder, X509_subject_name_hash(cert));
    X509_free(cert);
    assert_int_equal(symlink(a_cert, link), 0);
    for (int kind = 0; kind < 3; kind++) {
        tear_down(state);
        set_up(state);
        struct scene *s = *state;
        setenv("SSL_CERT_DIR", kind == 1 ? folder : dir, 1);
        if (kind == 2)
            setenv("SSL_CERT_FILE", a_cert, 1);
        open_web(s, &(struct tls_client_options){0}, "a.test");
        assert_int_equal(s->client.result, kind == 0 ? -EKEYREJECTED : 0);
    }
    unsetenv("SSL_CERT_DIR");
    unsetenv("SSL_CERT_FILE");
    unlink(link);
    rmdir(folder);
}

static void alpn_and_sni_are_told(void **state)
{
    static const char *const offered[] = {"x", "http/1.1", "h2", NULL};
    static const char *const foreign[] = {"x", NULL};
    struct scene *s = *state;
    struct tls_client_options options = {.ca_file = b_cert, .alpn = offered};
    open_web(s, &options, "b.test");
    TURN_UNTIL(s->loop, s->server.done);
    assert_string_equal(tls_alpn(s->client.s), "h2"); /* the server's choice */
    assert_string_equal(tls_alpn(s->server.s), "h2");
    assert_string_equal(tls_server_name(s->server.s), "b.test");

    tear_down(state);
    set_up(state);
    s = *state;
    options = (struct tls_client_options){.insecure = true};
    open_web(s, &options, "nobody.test");
    TURN_UNTIL(s->loop, s->server.done);
    assert_int_equal(s->client.result, 0);
    assert_string_equal(tls_alpn(s->server.s), "");
    s->client.talker.s = s->client.s;
    s->server.talker.s = s->server.s;
    converse(s, 1000000, 1000);

    tear_down(state);
    set_up(state);
    s = *state;
    options = (struct tls_client_options){.insecure = true, .alpn = foreign};
    open_web(s, &options, NULL);
    assert_string_equal(s->client.text, "the two sides have no protocol in common");
}

static void who_speaks_no_tls_is_told_apart(void **state)
{
    struct scene *s = *state;
    struct stream *below[2];
    assert_int_equal(tls_context_server(a_cert, a_key, NULL, &s->server_ctx, NULL), 0);
    make_below(s, SOCKETS, 0, below);
    struct tls_start_options options = {.server = true, .done = handshake_done, .ud = &s->server};
    s->server.s = tls_start(s->server_ctx, below[1], &options);
    stream_send_bytes(below[0], "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27);
    TURN_UNTIL(s->loop, s->server.done);
    assert_int_equal(s->server.result, -EPROTO);
    assert_string_equal(s->server.text, "the other side does not speak TLS");
    stream_free(below[0]);
}

static void broken_records_end_both_directions(void **state)
{
    struct scene *s = *state;
    open_peers(s, SOCKETS, 0);
    assert_int_equal(write(stream_fd(s->server.s), "this is no TLS record at all", 28), 28);
    s->client.talker.shut = true;
    talker_start(&s->client.talker);
    TURN_UNTIL(s->loop, s->client.talker.failure);
    assert_int_equal(s->client.talker.failure, -EPROTO);
    assert_int_equal(stream_send_bytes(s->client.s, "x", 1), -EPROTO);
}

static void an_identity_survives_as_text(void **state)
{
    struct scene *s = *state;
    struct tls_identity *copy = NULL;
    struct tls_pin pin;
    struct err err = ERR_INIT;
    char *pem = tls_identity_to_pem(s->client_id);
    char *other = tls_identity_to_pem(s->server_id);
    assert_int_equal(tls_identity_from_pem(pem, &copy, &err), 0);
    tls_identity_pin(copy, &pin);
    assert_memory_equal(pin.sha256, s->client_pin.sha256, TLS_PIN_LEN);
    assert_memory_not_equal(pin.sha256, s->server_pin.sha256, TLS_PIN_LEN);
    tls_identity_free(copy);

    char *cert_of_other = strstr(other, "-----BEGIN CERTIFICATE");
    char *key_end = strstr(pem, "-----BEGIN CERTIFICATE");
    *key_end = '\0';
    assert_int_equal(tls_identity_from_pem(pem, &copy, &err), -EINVAL);
    assert_non_null(strstr(err.text, "cannot read the certificate"));
    char *mixed = xasprintf("%s%s", pem, cert_of_other);
    assert_int_equal(tls_identity_from_pem(mixed, &copy, &err), -EINVAL);
    assert_non_null(strstr(err.text, "do not belong together"));
    assert_int_equal(tls_identity_from_pem("rubbish", &copy, &err), -EINVAL);
    free(mixed);
    free(pem);
    free(other);
}

static void unusable_files_are_named(void **state)
{
    struct tls_context *ctx = NULL;
    struct err err = ERR_INIT;
    assert_int_equal(tls_context_server("/nonexistent.crt", a_key, NULL, &ctx, &err), -EINVAL);
    assert_string_equal(err.text,
                        "cannot use the certificate /nonexistent.crt: No such file or directory");
    assert_int_equal(tls_context_server(a_cert, b_key, NULL, &ctx, &err), -EINVAL);
    assert_non_null(strstr(err.text, b_key));
    struct tls_client_options options = {.ca_file = a_key};
    assert_int_equal(tls_context_client(&options, &ctx, &err), -EINVAL);
    assert_non_null(strstr(err.text, a_key));
}

#define scene_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        scene_test(peers_talk_over_sockets),
        scene_test(peers_talk_over_a_tiny_pair),
        scene_test(peers_talk_in_another_tls_connection),
        scene_test(tls_can_be_left_behind_a_record),
        scene_test(what_has_left_tls_ends_in_order),
        scene_test(what_tls_has_kept_goes_before_what_has_left),
        scene_test(a_peer_with_another_key_is_refused_by_both),
        scene_test(a_peer_without_a_pin_trusts_nobody),
        scene_test(a_peer_accepts_no_web_client),
        scene_test(the_end_of_one_direction_leaves_the_other_open),
        scene_test(a_cut_connection_is_no_clean_end),
        scene_test(keys_are_renewed_on_the_way),
        scene_test(a_relay_over_tls_loses_nothing_at_its_end),
        scene_test(what_was_taken_goes_out_though_nobody_asks),
        scene_test(a_stream_freed_after_its_shutdown_loses_nothing),
        scene_test(an_orphan_ends_with_its_loop),
        scene_test(bytes_inside_openssl_are_reported),
        scene_test(one_call_receives_many_records),
        scene_test(vectors_are_gathered_into_records),
        scene_test(a_stream_may_be_freed_in_its_handshake_callback),
        scene_test(a_handshake_is_cancelled_by_freeing_the_stream),
        scene_test(a_stream_moves_between_loops_in_any_state),
        scene_test(a_client_knows_the_server_by_its_name),
        scene_test(the_systems_trust_may_be_a_file_or_a_folder),
        scene_test(alpn_and_sni_are_told),
        scene_test(who_speaks_no_tls_is_told_apart),
        scene_test(broken_records_end_both_directions),
        scene_test(an_identity_survives_as_text),
        scene_test(unusable_files_are_named),
    };
    alarm(100);
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
