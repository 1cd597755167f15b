/* Connections that change their worker before a request is answered, and between requests. */
#include <stdatomic.h>
#include <sys/socket.h>

#include "http/exchange.h"
#include "http/server_conn.h"
#include "http/test_help.h"
#include "io/fd_stream.h"
#include "io/worker.h"

struct fixture {
    struct loop *home;    /* this thread's */
    struct worker *other; /* the thread where the connection moves */
    struct far_end client;
    struct server_conn *conn; /* belongs to where the connection is */
    struct exchange *x;
    atomic_bool back; /* it has come home again */
    int n_home, n_other;
};

static void answer(struct exchange *x, const char *where)
{
    char text[64];
    int n = snprintf(text, sizeof(text), "%s " SPAN_FMT, where, SPAN_ARG(x->path));
    exchange_respond(x, 200, text, (size_t)n);
}

static void handle_home(struct exchange *x, void *ud);

static void come_home(void *ud)
{
    struct fixture *f = ud;
    server_conn_attach(f->conn, f->home, handle_home, NULL, f);
    atomic_store(&f->back, true);
}

/* Between requests: posted by the handler, runs when its answer is out. */
static void leave_other(void *ud)
{
    struct fixture *f = ud;
    if (server_conn_detach(f->conn) == -EBUSY)
        loop_post(worker_loop(f->other), leave_other, f);
    else
        loop_post(f->home, come_home, f);
}

static void echo_body(struct exchange *x, int result, struct span body, void *ud)
{
    exchange_respond(x, 200, body.p, body.len);
}

static void handle_other(struct exchange *x, void *ud)
{
    struct fixture *f = ud;
    bool back = span_is(x->path, "/back");
    f->n_other++;
    if (span_is(x->method, "POST"))
        exchange_read_all(x, 1000, echo_body, f);
    else
        answer(x, "other");
    if (back)
        loop_post(worker_loop(f->other), leave_other, f);
}

static void arrive(void *ud)
{
    struct fixture *f = ud;
    server_conn_attach(f->conn, worker_loop(f->other), handle_other, NULL, f);
    handle_other(f->x, f);
}

static void handle_home(struct exchange *x, void *ud)
{
    struct fixture *f = ud;
    f->n_home++;
    if (span_is(x->path, "/stay")) {
        answer(x, "home");
        return;
    }
    f->x = x;
    assert_int_equal(server_conn_detach(f->conn), 0);
    loop_post(worker_loop(f->other), arrive, f);
}

static void started(struct loop *loop, void *ud)
{
}

static void stopped(struct loop *loop, void *ud)
{
    struct fixture *f = ud;
    if (!atomic_load(&f->back))
        f->conn = server_conn_free(f->conn);
}

static void hear(struct fixture *f, const char *text)
{
    stream_want(f->client.s, STREAM_READ);
    while (!strstr(buf_cstr(&f->client.got), text)) {
        loop_turn(f->home, true);
        far_read(&f->client);
    }
    far_forget(&f->client);
}

static void keep_turning(struct stream *s, unsigned events, void *ud)
{
    stream_want(s, 0);
    far_read(ud);
    stream_want(s, STREAM_READ);
}

static void set_up(struct fixture *f)
{
    int fd[2];
    *f = (struct fixture){.home = loop_new()};
    f->other = worker_start("other", started, f);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
    far_end_init(&f->client, f->home, fd_stream_new(f->home, fd[1]));
    stream_set_ready(f->client.s, keep_turning, &f->client);
    const struct server_conn_options options = {.handler = handle_home, .ud = f};
    f->conn = server_conn_new(f->home, fd_stream_new(f->home, fd[0]), &options);
}

static void tear_down(struct fixture *f)
{
    f->other = worker_stop(f->other, stopped, f);
    f->conn = server_conn_free(f->conn);
    far_end_deinit(&f->client);
    loop_free(f->home);
}

static void a_request_is_answered_where_its_connection_went(void **state)
{
    struct fixture f;
    set_up(&f);
    far_say(&f.client, "GET /stay HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    hear(&f, "home /stay");
    /* The head, part of the body, and later the rest and a further request. */
    far_say(&f.client, "POST /go HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello", 0);
    while (f.n_home < 2)
        loop_turn(f.home, true);
    far_say(&f.client, "worldGET /next HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    hear(&f, "other /next");
    assert_int_equal(f.n_home, 2);
    tear_down(&f);
    assert_int_equal(f.n_other, 2);
}

static void an_idle_connection_comes_back(void **state)
{
    struct fixture f;
    set_up(&f);
    far_say(&f.client, "GET /back HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    hear(&f, "other /back");
    while (!atomic_load(&f.back))
        loop_turn(f.home, true);
    far_say(&f.client, "GET /stay HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    hear(&f, "home /stay");
    tear_down(&f);
}

static void begin(struct exchange *x, void *ud)
{
    struct fixture *f = ud;
    char data[2];
    f->x = x;
    assert_int_equal(exchange_recv(x, data, sizeof(data)), 2);
    assert_int_equal(server_conn_detach(f->conn), -EBUSY);
}

static void what_has_begun_cannot_move(void **state)
{
    struct fixture f;
    set_up(&f);
    server_conn_free(f.conn);
    far_end_deinit(&f.client);
    int fd[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
    far_end_init(&f.client, f.home, fd_stream_new(f.home, fd[1]));
    const struct server_conn_options options = {.handler = begin, .ud = &f};
    f.conn = server_conn_new(f.home, fd_stream_new(f.home, fd[0]), &options);
    far_say(&f.client, "POST /go HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody", 0);
    while (!f.x)
        loop_turn(f.home, true);
    assert_int_equal(exchange_start(f.x, 200, 0), 0);
    assert_int_equal(server_conn_detach(f.conn), -EBUSY);
    exchange_end(f.x, NULL);
    atomic_store(&f.back, true);
    tear_down(&f);
}

TEST_MAIN(cmocka_unit_test(a_request_is_answered_where_its_connection_went),
          cmocka_unit_test(an_idle_connection_comes_back),
          cmocka_unit_test(what_has_begun_cannot_move));
