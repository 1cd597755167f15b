/*
 * Phases: READING the request -> REACHING the target -> ANSWERING (what is queued in `reply` goes
 * out) -> handed to the relay; or REFUSING: the answer goes out, the sending side is closed, and
 * the front waits a moment for the client's end, so that no reset overtakes the answer; or
 * ASSOCIATED: the TCP connection only says how long UDP may flow.
 */
#include "forward/proxy_front.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/span.h"
#include "forward/connection.h"
#include "forward/internal.h"
#include "forward/socks_udp.h"
#include "io/fd_stream.h"
#include "io/stream.h"
#include "proto/http_connect.h"
#include "proto/socks.h"

enum {
    REQUEST_TIMEOUT_SEC = 30,
    LINGER_SEC = 2,
    INPUT_MAX = HTTP_CONNECT_HEAD_MAX + 4096, /* a head, and what came behind it in one read */
    REPLY_MAX = 2048,
};

enum phase { READING, REACHING, ANSWERING, REFUSING, ENDING, ASSOCIATED };

struct proxy_front {
    struct connection *connection;
    struct stream *client;
    enum phase phase;
    enum proxy_protocol protocol;
    struct socks socks;
    struct http_connect http;
    struct buf input;
    struct buf head; /* HTTP in absolute form: the request for the target */
    struct buf reply;
    struct stream *reached; /* ANSWERING */
    struct socks_udp *udp;  /* ASSOCIATED */
    struct timer timer;
};

struct proxy_front *proxy_front_free(struct proxy_front *p)
{
    if (!p)
        return NULL;
    timer_cancel(&p->timer);
    socks_udp_free(p->udp);
    stream_free(p->reached);
    stream_free(p->client);
    buf_deinit(&p->input);
    buf_deinit(&p->head);
    buf_deinit(&p->reply);
    free(p);
    return NULL;
}

static void drop(struct proxy_front *p)
{
    connection_free(p->connection);
}

static struct forwarder *forwarder_of(const struct proxy_front *p)
{
    return p->connection->item->forwarder;
}

/* What the client has sent already goes to the target first, then what it will send. */
static void hand_over(struct proxy_front *p)
{
    struct connection *c = p->connection;
    struct stream *client = steal(&p->client), *reached = steal(&p->reached);
    stream_want(client, 0);
    client = stream_prepend(client, buf_data(&p->input), p->input.len);
    client = stream_prepend(client, buf_data(&p->head), p->head.len);
    c->front = NULL;
    proxy_front_free(p);
    connection_relay(c, client, reached);
}

static void after_reply(struct proxy_front *p)
{
    switch (p->phase) {
    case READING:
        stream_want(p->client, STREAM_READ);
        return;
    case ANSWERING:
        hand_over(p);
        return;
    case ASSOCIATED:
        stream_want(p->client, STREAM_READ);
        return;
    case REFUSING:
        p->phase = ENDING;
        stream_shutdown(p->client);
        timer_start(&p->timer, LINGER_SEC * USEC_PER_SEC);
        stream_want(p->client, STREAM_READ);
        return;
    case REACHING:
    case ENDING:
        return;
    }
}

/* Sends what is queued; goes on to the next phase when all has been taken. May free `p`. */
static void flush(struct proxy_front *p)
{
    while (p->reply.len > 0) {
        ssize_t n = stream_send_bytes(p->client, buf_data(&p->reply), p->reply.len);
        if (n == -EAGAIN) {
            stream_want(p->client, STREAM_WRITE);
            return;
        }
        if (n < 0) {
            drop(p);
            return;
        }
        buf_consume(&p->reply, (size_t)n);
    }
    after_reply(p);
}

static void queue_answer(struct proxy_front *p, enum dial_result result, const char *reason)
{
    if (p->protocol != PROXY_HTTP)
        socks_reply(&p->socks, result, NULL, 0, &p->reply);
    else if (result != DIAL_OK || p->http.tunnel)
        http_connect_reply(&p->http, result, reason, &p->reply);
}

static void refuse(struct proxy_front *p, enum dial_result result, const char *reason)
{
    queue_answer(p, result, reason);
    p->phase = REFUSING;
    connection_unreached(p->connection, result, reason);
    flush(p);
}

static void on_reached(struct stream *s, enum dial_result result, const char *reason, void *ud)
{
    struct proxy_front *p = ud;
    if (result != DIAL_OK) {
        refuse(p, result, reason);
        return;
    }
    p->reached = s;
    p->phase = ANSWERING;
    queue_answer(p, DIAL_OK, NULL);
    flush(p);
}

static void reach_target(struct proxy_front *p, const char *host, uint16_t port)
{
    struct connection *c = p->connection;
    char text[HOSTPORT_SIZE];
    timer_cancel(&p->timer);
    stream_want(p->client, 0);
    p->phase = REACHING;
    connection_announce(c, hostport_format(host, port, text));
    struct channel_target target = {.kind = CHANNEL_TCP, .host = host, .port = port};
    struct reach_options options = {.here = c->client_is_far, .done = on_reached, .ud = p};
    reach_start(&c->reach, forwarder_of(p), &target, &options);
}

static void associate(struct proxy_front *p)
{
    struct connection *c = p->connection;
    struct addr local, peer;
    int fd = stream_fd(p->client);
    timer_cancel(&p->timer);
    connection_announce(c, "udp");
    if (c->client_is_far || fd < 0 || addr_of_socket(fd, &local) < 0 ||
        addr_of_peer(fd, &peer) < 0) {
        refuse(p, DIAL_UNSUPPORTED, "UDP ASSOCIATE works on listeners of this machine only");
        return;
    }
    struct err err = ERR_INIT;
    int r = socks_udp_new(c->item, &local, &peer, p->socks.port, &p->udp, &err);
    if (r < 0) {
        refuse(p, dial_result_from_errno(r), err.text);
        return;
    }
    const struct addr *bound = socks_udp_addr(p->udp);
    char ip[ADDR_TEXT_LEN];
    socks_reply(&p->socks, DIAL_OK, addr_format_ip(bound, ip), addr_port(bound), &p->reply);
    p->phase = ASSOCIATED;
    flush(p);
}

static void feed_socks(struct proxy_front *p)
{
    size_t used = 0;
    int r = socks_feed(&p->socks, buf_data(&p->input), p->input.len, &used, &p->reply);
    buf_consume(&p->input, used);
    if (r < 0) {
        p->phase = REFUSING;
        flush(p);
    } else if (r == 0) {
        flush(p);
    } else if (p->socks.command == SOCKS_UDP_ASSOCIATE) {
        associate(p);
    } else {
        reach_target(p, p->socks.host, p->socks.port);
    }
}

static void feed_http(struct proxy_front *p)
{
    size_t used = 0;
    int r = http_connect_feed(&p->http, buf_data(&p->input), p->input.len, &used, &p->head);
    if (r < 0) {
        http_connect_refuse(&p->http, &p->reply);
        p->phase = REFUSING;
        flush(p);
    } else if (r > 0) {
        buf_consume(&p->input, used);
        reach_target(p, p->http.host, p->http.port);
    }
}

static void feed(struct proxy_front *p)
{
    if (p->protocol == PROXY_UNKNOWN)
        p->protocol = proxy_protocol_of(*buf_data(&p->input));
    if (p->protocol == PROXY_UNKNOWN)
        drop(p);
    else if (p->protocol == PROXY_HTTP)
        feed_http(p);
    else
        feed_socks(p);
}

static void read_request(struct proxy_front *p)
{
    /* The reader of the head refuses one that fills its own, smaller limit. */
    size_t room = buf_room(&p->input);
    void *dst = buf_reserve(&p->input, room);
    ssize_t n = dst ? stream_recv(p->client, dst, room) : -ENOBUFS;
    if (n == -EAGAIN)
        return;
    if (n <= 0) {
        drop(p);
        return;
    }
    buf_commit(&p->input, (size_t)n);
    feed(p);
}

/* Nothing that comes now matters, but its end does. */
static void skip_input(struct proxy_front *p)
{
    char scratch[1024];
    ssize_t n = stream_recv(p->client, scratch, sizeof(scratch));
    if (n > 0 || n == -EAGAIN)
        return;
    if (p->phase != ASSOCIATED) {
        drop(p);
        return;
    }
    uint64_t received = 0, sent = 0;
    socks_udp_bytes(p->udp, &received, &sent);
    connection_finish(p->connection, 0, received, sent);
}

static void on_ready(struct stream *s, unsigned events, void *ud)
{
    struct proxy_front *p = ud;
    if (p->reply.len > 0)
        flush(p);
    else if (p->phase == READING)
        read_request(p);
    else
        skip_input(p);
}

static void on_timeout(struct timer *t, void *ud)
{
    drop(ud);
}

struct proxy_front *proxy_front_new(struct connection *c, struct stream *client)
{
    struct proxy_front *p = new0(struct proxy_front);
    p->connection = c;
    p->client = client;
    socks_init(&p->socks);
    http_connect_init(&p->http);
    buf_init(&p->input, INPUT_MAX);
    buf_init(&p->head, INPUT_MAX);
    buf_init(&p->reply, REPLY_MAX);
    timer_init(&p->timer, forwarder_of(p)->loop, on_timeout, p);
    timer_start(&p->timer, REQUEST_TIMEOUT_SEC * USEC_PER_SEC);
    stream_set_ready(client, on_ready, p);
    stream_want(client, STREAM_READ);
    return p;
}
