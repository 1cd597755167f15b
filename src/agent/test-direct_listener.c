/* The agent's own port with real sockets; the server's link is a pair of streams. */
#include "agent/direct_listener.h"

#include "io/test_help.h"

#include "agent/peers.h"
#include "api/peer.h"
#include "base/cleanup.h"
#include "io/addr.h"
#include "io/net_local.h"
#include "io/tls.h"
#include "tunnel/candidates.h"
#include "tunnel/direct_acceptor.h"
#include "tunnel/direct_connect.h"
#include "tunnel/peer_acceptor.h"
#include "tunnel/server_link.h"
#include "tunnel/ws_carrier.h"

struct scene {
    struct loop *loop;
    struct tls_identity *agent_key, *key;
    struct tls_context *agent_tls, *tls;
    struct tls_pin pin, agent_pin;
    struct peers *peers;
    struct direct_listener *port;
    struct server_link *link;
    struct tunnel_session *agent_session;
    struct id user, peer;

    struct direct_connect *connect;
    struct stream *tls_stream;
    bool connected, session_over;
    struct tunnel_session *session;
    int status;
    char body[4096];
};

static void requested(struct tunnel_session *session, struct channel_request *rq, void *ud)
{
    struct scene *s = ud;
    if (!peer_acceptor_handle(peers_acceptor(s->peers), rq))
        channel_answer(rq, 404, NULL);
}

static int open_port(struct scene *s, const char *addresses, struct err *err)
{
    const struct direct_listener_options options = {
        .tls = s->agent_tls, .peers = peers_acceptor(s->peers), .addresses = addresses};
    return direct_listener_new(s->loop, &options, &s->port, err);
}

static void scene_open(struct scene *s)
{
    struct stream *wire[2];
    *s = (struct scene){.loop = loop_new(), .user = id_new()};
    s->agent_key = tls_identity_new();
    s->key = tls_identity_new();
    tls_identity_pin(s->agent_key, &s->agent_pin);
    tls_identity_pin(s->key, &s->pin);
    assert_int_equal(tls_context_peer(s->agent_key, &s->agent_tls, NULL), 0);
    assert_int_equal(tls_context_peer(s->key, &s->tls, NULL), 0);
    s->peers = peers_new(s->loop, s->agent_tls, NULL);
    assert_int_equal(open_port(s, NULL, NULL), 0);
    peers_open_port(s->peers, s->port);
    stream_pair(s->loop, 65536, wire);
    const struct server_link_options link = {.ud = s};
    s->link = server_link_new(s->loop, wire[0], &link);
    const struct tunnel_session_options agent = {
        .role = H2_SERVER, .requested = requested, .ud = s};
    s->agent_session = tunnel_session_new(s->loop, wire[1], &agent);
}

static void scene_close(struct scene *s)
{
    tunnel_session_free(s->session);
    direct_listener_free(s->port);
    peers_free(s->peers);
    tunnel_session_free(s->agent_session);
    server_link_free(s->link);
    loop_free(s->loop);
    tls_context_unref(s->agent_tls);
    tls_context_unref(s->tls);
    tls_identity_free(s->agent_key);
    tls_identity_free(s->key);
}

/* ---- the server ---- */

static char *grant_json(const struct id *user, bool direct)
{
    struct api_grant msg = {.grant = {.user = "ada", .direct = direct}};
    struct buf json = BUF_INIT(65536);
    msg.grant.user_id = *user;
    msg.grant.workspace_id = msg.grant.agent_id = id_new();
    forward_policy_init(&msg.grant.forwarding);
    assert_int_equal(api_grant_write(&msg, &json), 0);
    char *text = xstrdup(buf_cstr(&json));
    buf_deinit(&json);
    grant_deinit(&msg.grant);
    return text;
}

static void answered(int status, const char *body, size_t len, void *ud)
{
    struct scene *s = ud;
    s->status = status;
    str_copy(s->body, sizeof(s->body), body);
}

static void announce(struct scene *s, const struct id *user, bool direct)
{
    char id[ID_TEXT_SIZE], pin[PIN_TEXT_SIZE];
    _cleanup_free_ char *grant = grant_json(user, direct);
    s->peer = id_new();
    _cleanup_free_ char *body = xasprintf("{\"id\":\"%s\",\"pin\":\"%s\",\"grant\":%s}",
                                          id_format(&s->peer, id), pin_format(&s->pin, pin), grant);
    s->status = 0;
    tunnel_session_call(server_link_session(s->link), "POST", "/peers", body, answered, s);
    TURN_UNTIL(s->loop, s->status);
    assert_int_equal(s->status, 200);
}

static void withdraw(struct scene *s, const struct id *peer)
{
    char id[ID_TEXT_SIZE];
    _cleanup_free_ char *path = xasprintf("/peers/%s", id_format(peer, id));
    s->status = 0;
    tunnel_session_call(server_link_session(s->link), "DELETE", path, NULL, answered, s);
    TURN_UNTIL(s->loop, s->status);
    assert_int_equal(s->status, 200);
}

/* ---- the peer ---- */

static void tls_ready(struct stream *tls, const struct err *err, void *ud)
{
    struct scene *s = ud;
    s->connect = NULL;
    s->connected = true;
    s->tls_stream = tls;
}

static void session_over(struct tunnel_session *session, int reason, const struct err *err,
                         void *ud)
{
    ((struct scene *)ud)->session_over = true;
}

static struct stream *come(struct scene *s)
{
    struct direct_connect_options options = {
        .tls = s->tls, .pin = s->agent_pin, .done = tls_ready, .ud = s};
    assert_int_equal(addr_from_ip("127.0.0.1", direct_listener_port(s->port), &options.addr), 0);
    s->connected = false;
    s->connect = direct_connect_start(s->loop, &options);
    TURN_UNTIL(s->loop, s->connected);
    return s->tls_stream;
}

static void come_in(struct scene *s)
{
    struct stream *tls = come(s);
    const struct tunnel_session_options options = {
        .role = H2_CLIENT, .ended = session_over, .ud = s};
    assert_non_null(tls);
    s->session = tunnel_session_new(s->loop, tls, &options);
    TURN_UNTIL(s->loop, peers_count(s->peers) > 0);
}

static void ask(struct scene *s, const char *path)
{
    s->status = 0;
    tunnel_session_call(s->session, "GET", path, NULL, answered, s);
    TURN_UNTIL(s->loop, s->status);
}

/* ---- tests ---- */

static void a_peer_with_the_right_is_served_directly(void **state)
{
    struct scene s;
    scene_open(&s);
    announce(&s, &s.user, true);
    come_in(&s);
    ask(&s, "/session");
    assert_int_equal(s.status, 200);
    assert_non_null(strstr(s.body, "\"path\":\"direct\",\"address\":\"127.0.0.1:"));
    withdraw(&s, &s.peer);
    TURN_UNTIL(s.loop, s.session_over);
    assert_int_equal(peers_count(s.peers), 0);
    scene_close(&s);
}

static void without_the_right_it_is_not_expected(void **state)
{
    struct scene s;
    scene_open(&s);
    assert_null(come(&s));
    announce(&s, &s.user, false);
    assert_null(come(&s));
    TURN_UNTIL(s.loop, direct_acceptor_counts(direct_listener_acceptor(s.port)).refused == 2);
    assert_int_equal(peers_count(s.peers), 0);
    scene_close(&s);
}

static void a_replaced_grant_without_the_right_ends_it(void **state)
{
    struct scene s;
    scene_open(&s);
    announce(&s, &s.user, true);
    come_in(&s);
    _cleanup_free_ char *grant = grant_json(&s.user, false);
    server_link_grant_peer(s.link, &s.peer, grant, answered, &s);
    TURN_UNTIL(s.loop, s.session_over);
    assert_int_equal(peers_count(s.peers), 0);
    scene_close(&s);
}

static void it_goes_on_without_the_server_and_under_a_new_announcement(void **state)
{
    struct scene s;
    scene_open(&s);
    announce(&s, &s.user, true);
    come_in(&s);
    struct id first = s.peer;
    peers_server_away(s.peers, false);
    assert_int_equal(peers_count(s.peers), 1);
    assert_null(come(&s)); /* nothing is expected now */

    announce(&s, &s.user, true);
    assert_false(id_equal(&first, &s.peer));
    ask(&s, "/session");
    assert_int_equal(s.status, 200);
    withdraw(&s, &s.peer);
    TURN_UNTIL(s.loop, s.session_over);
    assert_int_equal(peers_count(s.peers), 0);
    scene_close(&s);
}

/* Somebody who knows the pin of another's key gets no hold of that one's session. */
static void an_announcement_for_somebody_else_changes_nothing(void **state)
{
    struct scene s;
    const struct id other = id_new();
    scene_open(&s);
    announce(&s, &s.user, true);
    come_in(&s);
    announce(&s, &other, true);
    withdraw(&s, &s.peer);
    ask(&s, "/session");
    assert_int_equal(s.status, 200);
    assert_int_equal(peers_count(s.peers), 1);
    scene_close(&s);
}

/* One person's commands are many, each with a key of its own. */
static void an_announcement_of_another_key_changes_nothing(void **state)
{
    struct scene s;
    scene_open(&s);
    announce(&s, &s.user, true);
    come_in(&s);
    s.pin.sha256[0] ^= 1;
    announce(&s, &s.user, true);
    withdraw(&s, &s.peer);
    ask(&s, "/session");
    assert_int_equal(s.status, 200);
    assert_int_equal(peers_count(s.peers), 1);
    scene_close(&s);
}

static void an_agent_that_is_refused_ends_it_at_once(void **state)
{
    struct scene s;
    scene_open(&s);
    announce(&s, &s.user, true);
    come_in(&s);
    peers_server_away(s.peers, true);
    assert_int_equal(peers_count(s.peers), 0);
    TURN_UNTIL(s.loop, s.session_over);
    scene_close(&s);
}

static void one_peer_has_a_bounded_number_of_sessions(void **state)
{
    struct stream *more[12];
    struct scene s;
    scene_open(&s);
    announce(&s, &s.user, true);
    for (size_t i = 0; i < ARRAY_LEN(more); i++) {
        more[i] = come(&s);
        assert_non_null(more[i]);
    }
    TURN_UNTIL(s.loop, direct_acceptor_counts(direct_listener_acceptor(s.port)).accepted == 12);
    assert_int_equal(peers_count(s.peers), 8);
    for (size_t i = 0; i < ARRAY_LEN(more); i++)
        stream_free(more[i]);
    scene_close(&s);
}

/* ---- addresses ---- */

static void line_came(struct stream *body, unsigned events, void *ud)
{
    struct scene *s = ud;
    ssize_t n = stream_recv(body, s->body, sizeof(s->body) - 1);
    if (n <= 0)
        return;
    s->body[n] = '\0';
    s->status = 1;
    stream_want(body, 0);
}

static void body_opened(struct stream *channel, enum dial_result result, const char *reason,
                        void *ud)
{
    struct scene *s = ud;
    assert_int_equal(result, DIAL_OK);
    s->tls_stream = channel;
    stream_set_ready(channel, line_came, s);
    stream_want(channel, STREAM_READ);
}

static void the_addresses_are_told_to_a_peer(void **state)
{
    struct scene s;
    struct candidates c;
    char machine[NET_MACHINE_SIZE];
    struct addr expected;
    scene_open(&s);
    announce(&s, &s.user, true);
    come_in(&s);
    s.status = 0;
    const struct channel_open_options options = {.opened = body_opened, .ud = &s};
    tunnel_session_get(s.session, "/candidates", &options);
    TURN_UNTIL(s.loop, s.status);
    *strchr(s.body, '\n') = '\0';
    assert_int_equal(candidates_parse(span_of(s.body), &c), 0);
    assert_int_equal(net_local_machine(machine), 0);
    assert_string_equal(c.machine, machine);
    assert_int_equal(addr_from_ip("127.0.0.1", direct_listener_port(s.port), &expected), 0);
    assert_true(addr_equal(&c.addrs[0], &expected));
    stream_free(s.tls_stream);
    scene_close(&s);
}

static void lists_of_addresses_are_checked(void **state)
{
    static const struct {
        const char *list;
        bool good;
    } table[] = {
        {"10.0.0.5", true},
        {"10.0.0.5:443", true},
        {"fd00::5", true},
        {"[fd00::5]:443, 10.0.0.5", true},
        {"", false},
        {"host.example", false},
        {"10.0.0.5:0", false},
        {"10.0.0.5:65536", false},
        {"10.0.0.5,,10.0.0.6", false},
        {"1.1.1.1,1.1.1.2,1.1.1.3,1.1.1.4,1.1.1.5,1.1.1.6,1.1.1.7,1.1.1.8,1.1.1.9,1.1.1.10,1.1.1."
         "11,"
         "1.1.1.12,1.1.1.13,1.1.1.14,1.1.1.15,1.1.1.16,1.1.1.17",
         false},
    };
    struct scene s;
    scene_open(&s);
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct err err = ERR_INIT;
        struct direct_listener *own = s.port;
        int r = open_port(&s, table[i].list, &err);
        assert_int_equal(r, table[i].good ? 0 : -EINVAL);
        if (r == 0)
            direct_listener_free(s.port);
        else
            assert_true(err.text[0]);
        s.port = own;
    }
    scene_close(&s);
}

TEST_MAIN(cmocka_unit_test(a_peer_with_the_right_is_served_directly),
          cmocka_unit_test(without_the_right_it_is_not_expected),
          cmocka_unit_test(a_replaced_grant_without_the_right_ends_it),
          cmocka_unit_test(it_goes_on_without_the_server_and_under_a_new_announcement),
          cmocka_unit_test(an_announcement_for_somebody_else_changes_nothing),
          cmocka_unit_test(an_announcement_of_another_key_changes_nothing),
          cmocka_unit_test(an_agent_that_is_refused_ends_it_at_once),
          cmocka_unit_test(one_peer_has_a_bounded_number_of_sessions),
          cmocka_unit_test(the_addresses_are_told_to_a_peer),
          cmocka_unit_test(lists_of_addresses_are_checked), );
