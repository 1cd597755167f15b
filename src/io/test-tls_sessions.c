#include "io/tls.h"

#include "io/test_certificate.h"
#include "io/test_help.h"
#include "io/tls_internal.h"

static char dir[] = "/tmp/adit-test-XXXXXX";
static char cert[64], key[64], other_cert[64], other_key[64];

static int make_files(void **state)
{
    assert_non_null(mkdtemp(dir));
    snprintf(cert, sizeof(cert), "%s/a.crt", dir);
    snprintf(key, sizeof(key), "%s/a.key", dir);
    snprintf(other_cert, sizeof(other_cert), "%s/b.crt", dir);
    snprintf(other_key, sizeof(other_key), "%s/b.key", dir);
    write_certificate(cert, key, "DNS:a.test,DNS:b.test,IP:127.0.0.1");
    write_certificate(other_cert, other_key, "DNS:a.test");
    return 0;
}

static int remove_files(void **state)
{
    const char *const files[] = {cert, key, other_cert, other_key};
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        unlink(files[i]);
    rmdir(dir);
    return 0;
}

struct scene {
    struct loop *loop;
    struct tls_context *client, *server;
};

static struct tls_context *web_server(const char *cert_file, const char *key_file)
{
    struct tls_context *ctx;
    struct err err = ERR_INIT;
    assert_int_equal(tls_context_server(cert_file, key_file, NULL, &ctx, &err), 0);
    return ctx;
}

static struct tls_context *web_client(bool insecure)
{
    const struct tls_client_options options = {.ca_file = cert, .insecure = insecure};
    struct tls_context *ctx;
    struct err err = ERR_INIT;
    assert_int_equal(tls_context_client(&options, &ctx, &err), 0);
    return ctx;
}

static int set_up(void **state)
{
    struct scene *s = new0(struct scene);
    s->loop = loop_new();
    s->client = web_client(false);
    s->server = web_server(cert, key);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *s = *state;
    tls_context_unref(s->client);
    tls_context_unref(s->server);
    loop_free(s->loop);
    free(s);
    return 0;
}

struct connection {
    struct stream *client, *server;
    int client_result, server_result; /* 1: not known yet */
};

static void client_done(struct stream *tls, int result, const struct err *err, void *ud)
{
    ((struct connection *)ud)->client_result = result;
}

static void server_done(struct stream *tls, int result, const struct err *err, void *ud)
{
    ((struct connection *)ud)->server_result = result;
}

static void start(struct scene *s, struct connection *c, const char *host)
{
    struct stream *below[2];
    const struct tls_start_options client = {.host = host, .done = client_done, .ud = c};
    const struct tls_start_options server = {.server = true, .done = server_done, .ud = c};
    *c = (struct connection){.client_result = 1, .server_result = 1};
    socket_streams(s->loop, below);
    c->client = tls_start(s->client, below[0], &client);
    c->server = tls_start(s->server, below[1], &server);
}

/* To the end of both handshakes; behind them the server says a byte, and with it comes its ticket.
 */
static void complete(struct scene *s, struct connection *c)
{
    char byte = 0;
    TURN_UNTIL(s->loop, c->client_result != 1 && c->server_result != 1);
    if (c->client_result < 0 || c->server_result < 0)
        return;
    assert_int_equal(stream_send_bytes(c->server, "x", 1), 1);
    stream_set_ready(c->client, NULL, NULL);
    while (stream_recv(c->client, &byte, 1) == -EAGAIN)
        loop_turn(s->loop, false);
    assert_int_equal(byte, 'x');
    assert_int_equal(tls_resumed(c->client), tls_resumed(c->server));
}

/* As a cut would: without a word. */
static void cut(struct connection *c)
{
    c->client = stream_free(c->client);
    c->server = stream_free(c->server);
}

static bool resumes(struct scene *s, const char *host)
{
    struct connection c;
    start(s, &c, host);
    complete(s, &c);
    assert_int_equal(c.client_result, 0);
    bool resumed = tls_resumed(c.client);
    cut(&c);
    return resumed;
}

static void a_connection_after_a_cut_takes_the_session_up_again(void **state)
{
    struct scene *s = *state;
    assert_false(resumes(s, "a.test"));
    assert_true(resumes(s, "a.test"));
    assert_true(resumes(s, "A.test."));
    assert_false(resumes(s, "127.0.0.1"));
    assert_true(resumes(s, "127.0.0.1"));
}

static void a_session_is_taken_up_once(void **state)
{
    struct scene *s = *state;
    struct connection first, second;
    assert_false(resumes(s, "a.test"));
    start(s, &first, "a.test");
    start(s, &second, "a.test");
    complete(s, &first);
    complete(s, &second);
    assert_true(tls_resumed(first.client));
    assert_false(tls_resumed(second.client));
    cut(&first);
    cut(&second);
}

static void a_session_counts_for_its_host_only(void **state)
{
    struct scene *s = *state;
    assert_false(resumes(s, "a.test"));
    assert_false(resumes(s, "b.test"));
    assert_true(resumes(s, "b.test"));
    assert_true(resumes(s, "a.test"));

    struct connection c;
    start(s, &c, "c.test");
    complete(s, &c);
    assert_int_equal(c.client_result, -EKEYREJECTED);
    cut(&c);
}

static void another_context_knows_of_no_session(void **state)
{
    struct scene *s = *state;
    assert_false(resumes(s, "a.test"));
    tls_context_unref(s->client);
    s->client = web_client(false);
    assert_false(resumes(s, "a.test"));
}

static void a_server_with_other_keys_is_checked_anew(void **state)
{
    struct scene *s = *state;
    assert_false(resumes(s, "a.test"));
    tls_context_unref(s->server);
    s->server = web_server(cert, key);
    assert_false(resumes(s, "a.test"));
    assert_true(resumes(s, "a.test"));
    tls_context_unref(s->server);
    s->server = web_server(other_cert, other_key);
    struct connection c;
    start(s, &c, "a.test");
    complete(s, &c);
    assert_int_equal(c.client_result, -EKEYREJECTED);
    cut(&c);
}

static void a_session_counts_until_its_certificate_must_be_checked_again(void **state)
{
    struct scene *s = *state;
    tls_sessions_free(s->client->sessions);
    s->client->sessions = tls_sessions_new(s->client->ctx, 0);
    assert_false(resumes(s, "a.test"));
    assert_false(resumes(s, "a.test"));
}

static void who_does_not_verify_keeps_nothing(void **state)
{
    struct scene *s = *state;
    tls_context_unref(s->client);
    s->client = web_client(true);
    assert_false(resumes(s, "a.test"));
    assert_false(resumes(s, "a.test"));
}

struct peers {
    struct tls_identity *client_id, *server_id;
    struct tls_pin client_pin, server_pin;
    struct tls_context *client, *server;
};

/* What each end says of the handshake, when the client expects that pin. */
static void meet(struct scene *s, struct peers *p, const struct tls_pin *expected,
                 struct connection *c)
{
    struct stream *below[2];
    const struct tls_start_options client = {.pin = expected, .done = client_done, .ud = c};
    const struct tls_start_options server = {
        .server = true, .pin = &p->client_pin, .done = server_done, .ud = c};
    *c = (struct connection){.client_result = 1, .server_result = 1};
    socket_streams(s->loop, below);
    c->client = tls_start(p->client, below[0], &client);
    c->server = tls_start(p->server, below[1], &server);
    complete(s, c);
}

static void peers_show_their_keys_each_time(void **state)
{
    struct scene *s = *state;
    struct peers p = {.client_id = tls_identity_new(), .server_id = tls_identity_new()};
    struct connection c;
    tls_identity_pin(p.client_id, &p.client_pin);
    tls_identity_pin(p.server_id, &p.server_pin);
    assert_int_equal(tls_context_peer(p.client_id, &p.client, NULL), 0);
    assert_int_equal(tls_context_peer(p.server_id, &p.server, NULL), 0);
    for (int i = 0; i < 2; i++) {
        meet(s, &p, &p.server_pin, &c);
        assert_int_equal(c.client_result, 0);
        assert_int_equal(c.server_result, 0);
        assert_false(tls_resumed(c.client));
        cut(&c);
    }
    meet(s, &p, &p.client_pin, &c);
    assert_int_equal(c.client_result, -EKEYREJECTED);
    cut(&c);
    tls_context_unref(p.client);
    tls_context_unref(p.server);
    tls_identity_free(p.client_id);
    tls_identity_free(p.server_id);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_connection_after_a_cut_takes_the_session_up_again),
        TEST(a_session_is_taken_up_once),
        TEST(a_session_counts_for_its_host_only),
        TEST(another_context_knows_of_no_session),
        TEST(a_server_with_other_keys_is_checked_anew),
        TEST(a_session_counts_until_its_certificate_must_be_checked_again),
        TEST(who_does_not_verify_keeps_nothing),
        TEST(peers_show_their_keys_each_time),
    };
    alarm(100);
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
