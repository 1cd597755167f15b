/*
 * Both ends in one loop: a server's link over a pair of streams, a peer's session relayed through
 * it, the agent's side as in the program, and real sockets as targets.
 */
#include "agent/peers.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "agent/records.h"
#include "agent/feed.h"
#include "agent/forwards.h"
#include "agent/server_api.h"
#include "agent/ssh_host.h"
#include "agent/ssh_notices.h"
#include "api/peer.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "io/addr.h"
#include "io/listener.h"
#include "io/loop.h"
#include "io/stream.h"
#include "io/tls.h"
#include "io/udp.h"
#include "tunnel/datagram.h"
#include "tunnel/listen_client.h"
#include "tunnel/peer.h"
#include "tunnel/peer_acceptor.h"
#include "tunnel/server_link.h"

enum { PAIR_CAPACITY = 64 * 1024, TURNS_MAX = 200000 };

struct scene {
    struct loop *loop;
    /* the agent */
    struct tls_identity *agent_key;
    struct tls_context *agent_tls;
    struct ssh_host *ssh;
    struct peers *peers;
    struct forwards *forwards;
    struct feed *feed;
    struct server_api *api;
    struct records *records;
    struct tunnel_session *agent_session;
    /* the server and, through it, the peer */
    struct server_link *link;
    struct tls_identity *peer_key;
    struct tls_context *peer_tls;
    struct id peer;
    struct tunnel_session *session;
    bool session_over;
    struct stream *kept; /* a target's connection */
    /* what the last step gave */
    bool done;
    struct stream *channel;
    enum dial_result result;
    char reason[256];
    int status;
    char body[65536];
};

static void wait_for(struct scene *s, const bool *what)
{
    for (int i = 0; i < TURNS_MAX && !*what; i++)
        loop_turn(s->loop, true);
    assert_true(*what);
}

static void requested(struct tunnel_session *session, struct channel_request *rq, void *ud)
{
    struct scene *s = ud;
    if (!peer_acceptor_handle(peers_acceptor(s->peers), rq))
        server_api_handle(s->api, rq);
}

static void agent_session_ended(struct tunnel_session *session, int reason, const struct err *err,
                                void *ud)
{
}

static void link_ended(struct server_link *l, int reason, const struct err *err, void *ud)
{
}

static void peer_session_ended(struct tunnel_session *session, int reason, const struct err *err,
                               void *ud)
{
    struct scene *s = ud;
    s->session_over = true;
}

static void opened(struct stream *channel, enum dial_result result, const char *reason, void *ud)
{
    struct scene *s = ud;
    s->done = true;
    s->channel = channel;
    s->result = result;
    str_copy(s->reason, sizeof(s->reason), reason ? reason : "");
}

static void peer_ready(struct tunnel_session *session, int result, const struct err *err, void *ud)
{
    struct scene *s = ud;
    s->done = true;
    s->status = result;
    s->session = session;
    if (session)
        tunnel_session_set_owner(session, NULL, peer_session_ended, s);
}

/* The grant as the server would write it. */
static char *grant_text(bool local, const char *permit_open, bool ssh, usec_t expires_at)
{
    struct api_grant msg = {.grant = {.user = "ada", .ssh = ssh, .expires_at = expires_at}};
    struct forward_policy *policy = &msg.grant.forwarding;
    msg.grant.user_id = msg.grant.workspace_id = msg.grant.agent_id = id_new();
    forward_policy_init(policy);
    policy->local = local;
    policy->unix_sockets = true;
    if (permit_open) {
        text_list_deinit(&policy->permit_open);
        text_list_add(&policy->permit_open, span_of(permit_open), 1);
    }
    struct buf json = BUF_INIT(65536);
    assert_int_equal(api_grant_write(&msg, &json), 0);
    char *text = strdup(buf_cstr(&json));
    buf_deinit(&json);
    grant_deinit(&msg.grant);
    return text;
}

static char *grant_json(bool local, const char *permit_open)
{
    return grant_text(local, permit_open, true, 0);
}

static void connect_peer(struct scene *s, const char *grant)
{
    struct tls_pin own, agents;
    tls_identity_pin(s->peer_key, &own);
    tls_identity_pin(s->agent_key, &agents);
    s->peer = id_new();
    s->done = false;
    const struct channel_open_options open = {.opened = opened, .ud = s};
    server_link_open_peer(s->link, &s->peer, &own, grant, &open);
    wait_for(s, &s->done);
    assert_int_equal(s->result, DIAL_OK);

    s->done = false;
    const struct peer_options options = {
        .tls = s->peer_tls, .pin = agents, .role = H2_CLIENT, .done = peer_ready, .ud = s};
    peer_start(s->loop, s->channel, &options);
    wait_for(s, &s->done);
    assert_int_equal(s->status, 0);
}

static int set_up(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));
    s->loop = loop_new();
    s->agent_key = tls_identity_new();
    s->peer_key = tls_identity_new();
    assert_int_equal(tls_context_peer(s->agent_key, &s->agent_tls, NULL), 0);
    assert_int_equal(tls_context_peer(s->peer_key, &s->peer_tls, NULL), 0);
    s->ssh = ssh_host_new(SPAN("a token"));
    s->peers = peers_new(s->loop, s->agent_tls, s->ssh);
    s->records = records_new(s->loop);
    s->forwards = forwards_new();
    peers_report_to(s->peers, s->records, s->forwards);
    s->feed = feed_new(s->loop, &(struct feed_options){
                                    .no_port_probe = true, .forwards = s->forwards, .ssh = s->ssh});
    s->api = server_api_new(s->agent_key, s->records, s->feed);

    struct stream *ends[2];
    stream_pair(s->loop, PAIR_CAPACITY, ends);
    const struct tunnel_session_options session = {
        .role = H2_SERVER, .requested = requested, .ended = agent_session_ended, .ud = s};
    s->agent_session = tunnel_session_new(s->loop, ends[0], &session);
    const struct server_link_options link = {.ended = link_ended, .ud = s};
    s->link = server_link_new(s->loop, ends[1], &link);
    _cleanup_free_ char *grant = grant_json(true, NULL);
    connect_peer(s, grant);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *s = *state;
    stream_free(s->kept);
    tunnel_session_free(s->session);
    peers_free(s->peers);
    ssh_host_free(s->ssh);
    server_api_free(s->api);
    feed_free(s->feed);
    forwards_free(s->forwards);
    records_free(s->records);
    tunnel_session_free(s->agent_session);
    server_link_free(s->link);
    tls_context_unref(s->agent_tls);
    tls_context_unref(s->peer_tls);
    tls_identity_free(s->agent_key);
    tls_identity_free(s->peer_key);
    loop_free(s->loop);
    free(s);
    return 0;
}

/* ---- targets ---- */

static void answer_hello(struct listener *l, struct stream *s, const struct addr *peer, void *ud)
{
    stream_send_bytes(s, "hello", 5);
    stream_shutdown(s);
    stream_free(s);
}

/* Keeps the connection open; the scene ends it. */
static void keep_open(struct listener *l, struct stream *s, const struct addr *peer, void *ud)
{
    struct scene *scene = ud;
    scene->kept = s;
}

static struct listener *listen_on(struct scene *s, const char *path, listener_accepted_fn *accepted)
{
    struct addr addr;
    struct listener *l = NULL;
    if (path)
        assert_int_equal(addr_from_path(path, &addr), 0);
    else
        assert_int_equal(addr_from_ip("127.0.0.1", 0, &addr), 0);
    const struct listener_options options = {.accepted = accepted, .ud = s};
    assert_int_equal(listener_open(s->loop, &addr, &options, &l, NULL), 0);
    return l;
}

static void open_channel(struct scene *s, const struct channel_target *target)
{
    s->done = false;
    s->channel = NULL;
    const struct channel_open_options options = {.opened = opened, .ud = s};
    tunnel_session_open(s->session, target, &options);
    wait_for(s, &s->done);
}

struct reading {
    char text[64];
    size_t len;
    bool ended;
    int result;
};

static void read_ready(struct stream *s, unsigned events, void *ud)
{
    struct reading *r = ud;
    ssize_t n = stream_recv(s, r->text + r->len, sizeof(r->text) - 1 - r->len);
    if (n > 0) {
        r->len += (size_t)n;
    } else if (n != -EAGAIN) {
        r->ended = true;
        r->result = (int)n;
        stream_want(s, 0);
    }
}

static void read_to_end(struct scene *s, struct reading *r)
{
    *r = (struct reading){0};
    stream_set_ready(s->channel, read_ready, r);
    stream_want(s->channel, STREAM_READ);
    wait_for(s, &r->ended);
}

static uint16_t port_of(struct listener *l)
{
    return addr_port(listener_addr(l));
}

/* ---- channels ---- */

static void a_tcp_channel_carries_bytes_and_the_end(void **state)
{
    struct scene *s = *state;
    struct listener *l = listen_on(s, NULL, answer_hello);
    struct reading r;
    open_channel(
        s, &(struct channel_target){.kind = CHANNEL_TCP, .host = "localhost", .port = port_of(l)});
    assert_int_equal(s->result, DIAL_OK);
    read_to_end(s, &r);
    assert_string_equal(r.text, "hello");
    assert_int_equal(r.result, 0);
    stream_free(s->channel);
    listener_close(l);
}

static void a_unix_channel_reaches_a_socket_file(void **state)
{
    struct scene *s = *state;
    char dir[] = "/tmp/test-peers-XXXXXX";
    char path[sizeof(dir) + 8];
    struct reading r;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/sock", dir);
    struct listener *l = listen_on(s, path, answer_hello);
    open_channel(s, &(struct channel_target){.kind = CHANNEL_UNIX, .path = path});
    assert_int_equal(s->result, DIAL_OK);
    read_to_end(s, &r);
    assert_string_equal(r.text, "hello");
    stream_free(s->channel);
    listener_close(l);
    rmdir(dir);
}

static void a_refusal_says_why(void **state)
{
    struct scene *s = *state;
    struct listener *l = listen_on(s, NULL, answer_hello);
    struct channel_target target = {.kind = CHANNEL_TCP, .host = "127.0.0.1", .port = port_of(l)};
    listener_close(l);
    open_channel(s, &target);
    assert_int_equal(s->result, DIAL_REFUSED);
    assert_null(s->channel);
    open_channel(s, &(struct channel_target){.kind = CHANNEL_UNIX, .path = "/nowhere/at/all"});
    assert_int_equal(s->result, DIAL_NOT_FOUND);
    open_channel(s, &(struct channel_target){.kind = CHANNEL_SSH, .ssh_key = "ssh-rsa AAAA"});
    assert_int_equal(s->result, DIAL_UNSUPPORTED);
    assert_non_null(strstr(s->reason, "Ed25519"));
}

struct udp_scene {
    size_t len;
    bool got;
};

static void udp_echo(struct udp *u, const void *data, size_t len, const struct addr *from, void *ud)
{
    udp_send(u, data, len, from);
}

static void datagram_came(struct datagram_channel *d, const void *data, size_t len, void *ud)
{
    struct udp_scene *u = ud;
    u->len = len;
    u->got = true;
}

static void a_udp_channel_carries_datagrams_both_ways(void **state)
{
    struct scene *s = *state;
    static unsigned char data[65507];
    struct addr addr;
    struct udp *echo = NULL;
    struct udp_scene u = {0};
    addr_from_ip("127.0.0.1", 0, &addr);
    const struct udp_options options = {.received = udp_echo};
    assert_int_equal(udp_bind(s->loop, &addr, &options, &echo, NULL), 0);
    open_channel(s, &(struct channel_target){.kind = CHANNEL_UDP,
                                             .host = "127.0.0.1",
                                             .port = addr_port(udp_addr(echo))});
    assert_int_equal(s->result, DIAL_OK);
    const struct datagram_options channel = {.received = datagram_came, .ud = &u};
    struct datagram_channel *d = datagram_new(s->channel, &channel);
    static const size_t sizes[] = {1, 1400, 9000, 65507};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        u.got = false;
        assert_int_equal(datagram_send(d, data, sizes[i]), 0);
        wait_for(s, &u.got);
        assert_int_equal(u.len, sizes[i]);
    }
    datagram_free(d);
    udp_close(echo);
}

/* ---- reverse listeners ---- */

struct reverse {
    bool bound, accepted, ended;
    enum dial_result result;
    uint16_t port;
    char originator[128];
};

static void bound(struct listen_client *l, enum dial_result result, uint16_t port,
                  const char *reason, void *ud)
{
    struct reverse *r = ud;
    r->bound = true;
    r->result = result;
    r->port = port;
}

static void accepted(struct listen_client *l, struct stream *connection, const char *originator,
                     void *ud)
{
    struct reverse *r = ud;
    r->accepted = true;
    str_copy(r->originator, sizeof(r->originator), originator);
    stream_send_bytes(connection, "hello", 5);
    stream_shutdown(connection);
    stream_free(connection);
}

static void ended(struct listen_client *l, int reason, void *ud)
{
    struct reverse *r = ud;
    r->ended = true;
}

static struct listen_client *listen_there(struct scene *s, const char *bind, struct reverse *r)
{
    *r = (struct reverse){0};
    const struct listen_client_options options = {
        .bind = bind, .bound = bound, .accepted = accepted, .ended = ended, .ud = r};
    struct listen_client *l = listen_client_new(s->session, &options);
    wait_for(s, &r->bound);
    return l;
}

static void connect_and_read(struct scene *s, const char *ip, uint16_t port, char *text,
                             size_t size)
{
    struct addr addr;
    size_t len = 0;
    ssize_t n = -1;
    addr_from_ip(ip, port, &addr);
    _cleanup_close_ int fd = socket(addr.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, &addr.sa, addr.len), 0);
    for (int i = 0; i < TURNS_MAX && n != 0; i++) {
        loop_turn(s->loop, false);
        n = recv(fd, text + len, size - 1 - len, MSG_DONTWAIT);
        len += n > 0 ? (size_t)n : 0;
    }
    assert_int_equal(n, 0);
    text[len] = '\0';
}

static void a_reverse_listener_gives_its_port_and_its_connections(void **state)
{
    struct scene *s = *state;
    struct reverse r;
    char text[64];
    struct listen_client *l = listen_there(s, NULL, &r);
    assert_int_equal(r.result, DIAL_OK);
    assert_int_not_equal(r.port, 0);
    static const char *const families[] = {"127.0.0.1", "::1"};
    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        r.accepted = false;
        connect_and_read(s, families[i], r.port, text, sizeof(text));
        assert_string_equal(text, "hello");
        assert_true(r.accepted);
        assert_non_null(strstr(r.originator, families[i]));
    }
    listen_client_free(l);
}

static void a_closed_listener_frees_its_port(void **state)
{
    struct scene *s = *state;
    struct reverse r;
    struct addr addr;
    struct listener *again = NULL;
    struct listen_client *l = listen_there(s, "127.0.0.1", &r);
    addr_from_ip("127.0.0.1", r.port, &addr);
    listen_client_free(l);
    const struct listener_options options = {.accepted = answer_hello};
    for (int i = 0; i < TURNS_MAX && !again; i++) {
        loop_turn(s->loop, false);
        listener_open(s->loop, &addr, &options, &again, NULL);
    }
    assert_non_null(again);
    listener_close(again);
}

static void a_listener_beyond_loopback_is_refused(void **state)
{
    struct scene *s = *state;
    struct reverse r;
    struct listen_client *l = listen_there(s, "*", &r);
    assert_int_equal(r.result, DIAL_FORBIDDEN);
    listen_client_free(l);
    l = listen_there(s, "192.0.2.1", &r);
    assert_int_equal(r.result, DIAL_FORBIDDEN);
    listen_client_free(l);
}

/* ---- grants ---- */

static void call_answered(int status, const char *body, size_t len, void *ud)
{
    struct scene *s = ud;
    s->status = status;
    str_copy_span(s->body, sizeof(s->body), span_from(body ? body : "", len));
    s->done = true;
}

static void a_replaced_grant_ends_what_it_does_not_allow(void **state)
{
    struct scene *s = *state;
    struct listener *l = listen_on(s, NULL, keep_open);
    struct channel_target target = {.kind = CHANNEL_TCP, .host = "127.0.0.1", .port = port_of(l)};
    struct reading r;
    struct reverse rev;
    open_channel(s, &target);
    assert_int_equal(s->result, DIAL_OK);
    struct stream *channel = s->channel;
    struct listen_client *reverse = listen_there(s, NULL, &rev);

    _cleanup_free_ char *grant = grant_json(true, "db.internal:5432");
    s->done = false;
    server_link_grant_peer(s->link, &s->peer, grant, call_answered, s);
    wait_for(s, &s->done);
    assert_int_equal(s->status, 200);
    s->channel = channel;
    read_to_end(s, &r);
    assert_int_not_equal(r.result, 0);
    stream_free(channel);
    open_channel(s, &target);
    assert_int_equal(s->result, DIAL_FORBIDDEN);
    assert_non_null(strstr(s->reason, "permit_open"));

    /* What is still allowed has gone on. */
    char text[64];
    connect_and_read(s, "127.0.0.1", rev.port, text, sizeof(text));
    assert_string_equal(text, "hello");
    assert_false(rev.ended);
    listen_client_free(reverse);
    listener_close(l);
}

#define SOME_SSH_KEY                                                                               \
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"

/* Opens an SSH channel; sshd speaks first (RFC 4253 section 4.2). */
static void open_ssh(struct scene *s)
{
    open_channel(s, &(struct channel_target){.kind = CHANNEL_SSH, .ssh_key = SOME_SSH_KEY});
    assert_string_equal(s->reason, "");
    assert_int_equal(s->result, DIAL_OK);
}

static void ssh_speaks_and_tells_its_key(void **state)
{
    struct scene *s = *state;
    char line[SSH_KEY_LINE_SIZE];
    struct reading r;
    s->done = false;
    tunnel_session_call(s->session, "GET", "/ssh", NULL, call_answered, s);
    wait_for(s, &s->done);
    assert_int_equal(s->status, 200);
    ssh_public_key_line(ssh_key_public(s->ssh->key), line);
    assert_non_null(strstr(s->body, line));
    open_ssh(s);
    assert_int_equal(s->ssh->n_connections, 1);
    stream_shutdown(s->channel);
    read_to_end(s, &r);
    assert_true(span_starts(span_of(r.text), "SSH-2.0-"));
    stream_free(s->channel);
    for (int i = 0; i < TURNS_MAX && s->ssh->n_connections; i++)
        loop_turn(s->loop, true);
    assert_int_equal(s->ssh->n_connections, 0);
}

static void replace_grant(struct scene *s, const char *grant)
{
    s->done = false;
    server_link_grant_peer(s->link, &s->peer, grant, call_answered, s);
    wait_for(s, &s->done);
    assert_int_equal(s->status, 200);
}

static void grant_with(struct scene *s, const char *permit_open)
{
    _cleanup_free_ char *grant = grant_json(true, permit_open);
    replace_grant(s, grant);
}

static void a_policy_ends_ssh_when_it_takes_something_away(void **state)
{
    struct scene *s = *state;
    struct reading r;
    grant_with(s, "db.internal:5432");
    open_ssh(s);
    struct stream *channel = s->channel;
    grant_with(s, "db.internal:5432");
    grant_with(s, "db.internal:5430-5440");
    grant_with(s, "*:*");
    usec_t end = clock_monotonic() + 500 * USEC_PER_MSEC; /* longer than an end takes */
    while (clock_monotonic() < end) {
        loop_turn(s->loop, false);
        assert_int_equal(s->ssh->n_connections, 1);
    }
    grant_with(s, "web.internal:80");
    for (int i = 0; i < TURNS_MAX && s->ssh->n_connections; i++)
        loop_turn(s->loop, true);
    assert_int_equal(s->ssh->n_connections, 0);
    s->channel = channel;
    read_to_end(s, &r);
    stream_free(channel);
}

static const struct channel_target ssh_with_lane = {
    .kind = CHANNEL_SSH, .ssh_key = SOME_SSH_KEY, .lane_first = true};

static void without_the_lane_that_was_announced_sshd_is_on_the_channel(void **state)
{
    struct scene *s = *state;
    for (int speaks = 0; speaks < 2; speaks++) {
        char first = 0;
        open_channel(s, &ssh_with_lane);
        assert_int_equal(s->result, DIAL_OK);
        if (speaks)
            assert_int_equal(stream_send_bytes(s->channel, "SSH-2.0-test\r\n", 14), 14);
        while (stream_recv(s->channel, &first, 1) == -EAGAIN)
            loop_turn(s->loop, true);
        assert_int_equal(first, 'S');
        stream_free(s->channel);
    }
}

static void a_policy_that_changes_before_the_lane_comes_ends_ssh_too(void **state)
{
    struct scene *s = *state;
    grant_with(s, "db.internal:5432");
    open_channel(s, &ssh_with_lane);
    assert_int_equal(s->result, DIAL_OK);
    struct stream *channel = s->channel;
    grant_with(s, "web.internal:80");
    for (int i = 0; i < TURNS_MAX && s->ssh->n_connections; i++)
        loop_turn(s->loop, true);
    assert_int_equal(s->ssh->n_connections, 0);
    stream_free(channel);
}

static void one_person_has_a_bounded_number_of_ssh_connections(void **state)
{
    struct scene *s = *state;
    struct stream *channels[SSH_STARTING_MAX];
    for (size_t i = 0; i < ARRAY_LEN(channels); i++) { /* none of them logs in */
        open_ssh(s);
        channels[i] = steal(&s->channel);
    }
    open_channel(s, &(struct channel_target){.kind = CHANNEL_SSH, .ssh_key = SOME_SSH_KEY});
    assert_int_equal(s->result, DIAL_LIMIT);
    assert_non_null(strstr(s->reason, "logging in"));
    for (size_t i = 0; i < ARRAY_LEN(channels); i++)
        stream_free(channels[i]);
    for (int i = 0; i < TURNS_MAX && s->ssh->n_connections; i++)
        loop_turn(s->loop, true);
    assert_int_equal(s->ssh->n_connections, 0);
}

static void a_workspace_has_a_bounded_number_of_ssh_connections(void **state)
{
    struct scene *s = *state;
    s->ssh->n_connections = SSH_CONNECTIONS_MAX - 1; /* other people's */
    open_ssh(s);
    struct stream *last = steal(&s->channel);
    open_channel(s, &(struct channel_target){.kind = CHANNEL_SSH, .ssh_key = SOME_SSH_KEY});
    assert_int_equal(s->result, DIAL_LIMIT);
    assert_non_null(strstr(s->reason, "there are 128 SSH connections"));
    stream_free(last);
}

/* A line comes as it was told, without what would control a terminal. */
static void notices_come_to_the_peer_that_asks(void **state)
{
    struct scene *s = *state;
    struct id other = id_new();
    struct channel_open *open;
    const struct channel_open_options options = {.opened = opened, .ud = s};
    ssh_notices_tell(s->ssh->notices, &s->peer, "nobody asks yet");
    s->done = false;
    open = tunnel_session_get(s->session, "/ssh/notices", &options);
    wait_for(s, &s->done);
    assert_non_null(open);
    assert_int_equal(s->result, DIAL_OK);
    ssh_notices_tell(s->ssh->notices, &other, "for somebody else");
    ssh_notices_tell(s->ssh->notices, &s->peer, "a\nline\033");
    ssh_notices_tell(s->ssh->notices, &s->peer, "a\nline\033");
    char text[64];
    size_t len = 0;
    for (int i = 0; i < TURNS_MAX && len < 8; i++) {
        ssize_t n = stream_recv(s->channel, text + len, sizeof(text) - len);
        if (n > 0)
            len += (size_t)n;
        else
            loop_turn(s->loop, true);
    }
    assert_int_equal(len, 8);
    assert_memory_equal(text, "a?line?\n", 8);
    for (int i = 0; i < 2 * SSH_NOTICES_MAX_LEN / 100; i++) { /* nobody reads: bounded */
        snprintf(text, sizeof(text), "line %d", i);
        ssh_notices_tell(s->ssh->notices, &s->peer, text);
    }
    stream_free(s->channel);
}

static void a_rule_that_sshd_cannot_enforce_does_not_refuse_ssh(void **state)
{
    struct scene *s = *state;
    grant_with(s, "*.corp:443");
    open_ssh(s);
    stream_free(s->channel);
}

static void a_withdrawn_peer_loses_its_session(void **state)
{
    struct scene *s = *state;
    server_link_withdraw_peer(s->link, &s->peer);
    wait_for(s, &s->session_over);
    assert_int_equal(peers_count(s->peers), 0);
}

static void without_the_right_to_ssh_nothing_is_told_of_it(void **state)
{
    struct scene *s = *state;
    _cleanup_free_ char *grant = grant_text(true, NULL, false, 0);
    replace_grant(s, grant);
    static const char *const paths[] = {"/ssh", "/ssh/notices"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        s->done = false;
        tunnel_session_call(s->session, "GET", paths[i], NULL, call_answered, s);
        wait_for(s, &s->done);
        assert_int_equal(s->status, 403);
    }
    open_channel(s, &(struct channel_target){.kind = CHANNEL_SSH, .ssh_key = SOME_SSH_KEY});
    assert_int_equal(s->result, DIAL_FORBIDDEN);
    assert_non_null(strstr(s->reason, "SSH is off"));
}

static void a_session_ends_with_its_grant(void **state)
{
    struct scene *s = *state;
    usec_t soon = clock_realtime() + 200 * USEC_PER_MSEC;
    _cleanup_free_ char *brief = grant_text(true, NULL, true, soon);
    _cleanup_free_ char *lasting = grant_text(true, NULL, true, 0);
    replace_grant(s, brief);
    replace_grant(s, lasting); /* in time */
    while (clock_realtime() < soon + 100 * USEC_PER_MSEC)
        loop_turn(s->loop, false);
    assert_false(s->session_over);
    assert_int_equal(peers_count(s->peers), 1);

    _cleanup_free_ char *last = grant_text(true, NULL, true, clock_realtime() + 50 * USEC_PER_MSEC);
    replace_grant(s, last);
    wait_for(s, &s->session_over);
    assert_int_equal(peers_count(s->peers), 0);
}

static void a_grant_that_cannot_be_read_is_refused(void **state)
{
    struct scene *s = *state;
    s->done = false;
    server_link_grant_peer(s->link, &s->peer, "{\"forwarding\":7}", call_answered, s);
    wait_for(s, &s->done);
    assert_int_equal(s->status, 400);
    assert_false(s->session_over);
}

/* ---- the agent's own API ---- */

static void get(struct scene *s, const char *path)
{
    s->done = false;
    tunnel_session_call(server_link_session(s->link), "GET", path, NULL, call_answered, s);
    wait_for(s, &s->done);
}

static void info_tells_the_key_and_the_version(void **state)
{
    struct scene *s = *state;
    struct api_agent_info info;
    struct tls_pin pin;
    get(s, "/info");
    assert_int_equal(s->status, 200);
    assert_int_equal(api_agent_info_read(span_of(s->body), API_STRICT, &info, NULL), 0);
    tls_identity_pin(s->agent_key, &pin);
    assert_memory_equal(info.pin, pin.sha256, sizeof(info.pin));
    assert_string_equal(info.version, ADIT_VERSION);
    api_agent_info_release(&info);
}

static void ports_does_not_list_the_agents_own(void **state)
{
    struct scene *s = *state;
    struct listener *l = listen_on(s, NULL, answer_hello);
    char own[32];
    snprintf(own, sizeof(own), "\"port\":%u,", port_of(l));
    get(s, "/ports");
    assert_int_equal(s->status, 200);
    assert_null(strstr(s->body, own));
    listener_close(l);
}

static void forwards_lists_a_target_once_with_the_bytes_of_all_its_channels(void **state)
{
    struct scene *s = *state;
    struct listener *l = listen_on(s, NULL, answer_hello);
    struct reading r;
    char target[64];
    get(s, "/forwards");
    assert_string_equal(s->body, "{\"forwards\":[],\"more\":false}");
    for (int i = 0; i < 2; i++) {
        open_channel(s, &(struct channel_target){
                            .kind = CHANNEL_TCP, .host = "localhost", .port = port_of(l)});
        read_to_end(s, &r);
        stream_free(s->channel);
    }
    snprintf(target, sizeof(target), "\"target\":\"localhost:%u\"", port_of(l));
    do {
        get(s, "/forwards"); /* the second one's end is on its way */
    } while (strstr(s->body, "\"connections\":1"));
    const char *row = strstr(s->body, target);
    assert_non_null(row);
    assert_null(strstr(row + 1, target));
    assert_non_null(strstr(s->body, "\"kind\":\"tcp\",\"direction\":\"local\",\"listen\":null,"));
    assert_non_null(strstr(s->body, "\"path\":\"relay\""));
    assert_non_null(strstr(s->body, "\"bytes_out\":10}"));
    listener_close(l);
}

static void a_listener_is_told_as_long_as_it_is_open(void **state)
{
    struct scene *s = *state;
    struct reverse r;
    char listen[64], entry[128];
    struct listen_client *l = listen_there(s, NULL, &r);
    snprintf(listen, sizeof(listen), "\"listen\":\"localhost:%u\",\"target\":null", r.port);
    snprintf(entry, sizeof(entry), "{\"port\":%u,\"address\":\"127.0.0.1\"", r.port);
    get(s, "/forwards");
    assert_non_null(strstr(s->body, "\"direction\":\"remote\""));
    assert_non_null(strstr(s->body, listen));
    get(s, "/ports");
    char *at = strstr(s->body, entry);
    assert_true(at > strstr(s->body, "\"unlisted\":["));
    assert_non_null(strstr(at, "\"forwarded_by\":\"ada\"}"));
    listen_client_free(l);
    do {
        get(s, "/forwards");
    } while (strstr(s->body, listen));
    get(s, "/ports");
    assert_null(strstr(s->body, entry));
}

static void other_paths_and_methods_are_refused(void **state)
{
    struct scene *s = *state;
    get(s, "/nothing");
    assert_int_equal(s->status, 404);
    get(s, "/peers");
    assert_int_equal(s->status, 405);
    get(s, "/peersish");
    assert_int_equal(s->status, 404);
    get(s, "/peers/00000000000000000000000000000001");
    assert_int_equal(s->status, 404);
}

#define SCENE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(a_tcp_channel_carries_bytes_and_the_end),
        SCENE(a_unix_channel_reaches_a_socket_file),
        SCENE(a_refusal_says_why),
        SCENE(a_udp_channel_carries_datagrams_both_ways),
        SCENE(a_reverse_listener_gives_its_port_and_its_connections),
        SCENE(a_closed_listener_frees_its_port),
        SCENE(a_listener_beyond_loopback_is_refused),
        SCENE(a_replaced_grant_ends_what_it_does_not_allow),
        SCENE(ssh_speaks_and_tells_its_key),
        SCENE(a_policy_ends_ssh_when_it_takes_something_away),
        SCENE(without_the_lane_that_was_announced_sshd_is_on_the_channel),
        SCENE(a_policy_that_changes_before_the_lane_comes_ends_ssh_too),
        SCENE(one_person_has_a_bounded_number_of_ssh_connections),
        SCENE(a_workspace_has_a_bounded_number_of_ssh_connections),
        SCENE(notices_come_to_the_peer_that_asks),
        SCENE(a_rule_that_sshd_cannot_enforce_does_not_refuse_ssh),
        SCENE(a_withdrawn_peer_loses_its_session),
        SCENE(without_the_right_to_ssh_nothing_is_told_of_it),
        SCENE(a_session_ends_with_its_grant),
        SCENE(a_grant_that_cannot_be_read_is_refused),
        SCENE(info_tells_the_key_and_the_version),
        SCENE(ports_does_not_list_the_agents_own),
        SCENE(forwards_lists_a_target_once_with_the_bytes_of_all_its_channels),
        SCENE(a_listener_is_told_as_long_as_it_is_open),
        SCENE(other_paths_and_methods_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
