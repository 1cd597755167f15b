/* Whole requests over real sockets: plain, TLS, through a proxy, and WebSocket. */
#include "http/client_request.h"

#include <sys/stat.h>

#include "http/client_proxy.h"
#include "http/exchange.h"
#include "http/server_conn.h"
#include "http/test_help.h"
#include "http/ws_handshake.h"
#include "http/ws_stream.h"
#include "io/dial.h"
#include "io/listener.h"
#include "io/relay.h"
#include "io/tls.h"

enum { MAX_CONNS = 16 };

struct fixture {
    struct loop *loop;
    struct listener *plain, *secure, *proxy;
    struct tls_context *server_tls, *client_tls;
    struct server_conn *conns[MAX_CONNS];
    struct stream *echo; /* the server's end of a WebSocket */
    struct buf proxy_seen;
    bool proxy_refuses;

    /* What came of the request. */
    bool done;
    int result;
    unsigned status;
    struct buf body;
    char fields[1000];
    char text[600];
    struct stream *s;
};

static void forget(struct server_conn *c, void *ud)
{
    struct fixture *f = ud;
    for (int i = 0; i < MAX_CONNS; i++)
        if (f->conns[i] == c)
            f->conns[i] = NULL;
}

static void echo_ready(struct stream *s, unsigned events, void *ud)
{
    struct fixture *f = ud;
    char data[1000];
    ssize_t n = stream_recv(s, data, sizeof(data));
    if (n > 0)
        assert_int_equal(stream_send_bytes(s, data, (size_t)n), n);
    else if (n != -EAGAIN)
        f->echo = stream_free(f->echo);
}

static void echo_start(struct stream *s, int result, void *ud)
{
    struct fixture *f = ud;
    f->echo = ws_stream_new(s, WS_SERVER);
    stream_set_ready(f->echo, echo_ready, f);
    stream_want(f->echo, STREAM_READ);
}

static void echo_body(struct exchange *x, int result, struct span body, void *ud)
{
    exchange_respond(x, result < 0 ? exchange_status_of(result) : 200, body.p, body.len);
}

static void handle(struct exchange *x, void *ud)
{
    struct fixture *f = ud;
    if (span_is(x->path, "/echo")) {
        exchange_read_all(x, 1 << 20, echo_body, f);
    } else if (span_is(x->path, "/silent")) {
        exchange_start(x, 200, 5);
        exchange_send_bytes(x, "abc", 3);
        *(struct exchange **)f->fields = x;
    } else if (span_is(x->path, "/ws") && ws_handshake_check(x, "adit.v1") == 0) {
        headers_add(&x->response, "X-Own", "1");
        assert_int_equal(ws_handshake_accept(x, "adit.v1", echo_start, f), 0);
    } else if (span_is(x->path, "/liar")) {
        headers_add(&x->response, "Upgrade", "websocket");
        headers_add(&x->response, "Connection", "Upgrade");
        headers_add(&x->response, "Sec-WebSocket-Accept", "AAAA");
        assert_int_equal(exchange_upgrade(x, 101, echo_start, f), 0);
    } else {
        char text[1000];
        int n =
            snprintf(text, sizeof(text), SPAN_FMT " " SPAN_FMT " " SPAN_FMT, SPAN_ARG(x->method),
                     SPAN_ARG(x->target), SPAN_ARG(headers_get(&x->headers, "X-Test")));
        headers_add(&x->response, "X-Answer", "yes");
        exchange_respond(x, span_is(x->path, "/401") ? 401 : 200, text, (size_t)n);
    }
}

static void serve(struct fixture *f, struct stream *s, exchange_fn *handler, bool allow_connect)
{
    const struct server_conn_options options = {
        .handler = handler, .closed = forget, .ud = f, .allow_connect = allow_connect};
    for (int i = 0; i < MAX_CONNS; i++)
        if (!f->conns[i]) {
            f->conns[i] = server_conn_new(f->loop, s, &options);
            return;
        }
    fail_msg("too many connections");
}

static void plain_accepted(struct listener *l, struct stream *s, const struct addr *peer, void *ud)
{
    serve(ud, s, handle, false);
}

static void tls_up(struct stream *tls, int result, const struct err *err, void *ud)
{
    if (result == 0)
        serve(ud, tls, handle, false);
    else
        stream_free(tls);
}

static void secure_accepted(struct listener *l, struct stream *s, const struct addr *peer, void *ud)
{
    struct fixture *f = ud;
    const struct tls_start_options options = {.server = true, .done = tls_up, .ud = f};
    tls_start(f->server_tls, s, &options);
}

/* A proxy: tunnels by CONNECT, and answers everything else itself. */
struct tunnel {
    struct fixture *f;
    struct exchange *x;
    struct stream *target;
};

static void relayed(struct relay *r, int result, void *ud)
{
}

static void tunnel_up(struct stream *s, int result, void *ud)
{
    struct tunnel *t = ud;
    const struct relay_options options = {.done = relayed};
    relay_new(s, t->target, &options);
    free(t);
}

static void target_dialled(enum dial_outcome outcome, struct stream *s, const struct err *err,
                           void *ud)
{
    struct tunnel *t = ud;
    assert_int_equal(outcome, DIAL_OUTCOME_OK);
    t->target = s;
    assert_int_equal(exchange_upgrade(t->x, 200, tunnel_up, t), 0);
}

static void proxy_handle(struct exchange *x, void *ud)
{
    struct fixture *f = ud;
    buf_appendf(&f->proxy_seen, SPAN_FMT " " SPAN_FMT " auth=" SPAN_FMT "\n", SPAN_ARG(x->method),
                SPAN_ARG(x->target), SPAN_ARG(headers_get(&x->headers, "Proxy-Authorization")));
    if (f->proxy_refuses) {
        exchange_respond(x, 403, "no", 2);
    } else if (span_is(x->method, "CONNECT")) {
        struct tunnel *t = new0(struct tunnel);
        t->f = f;
        t->x = x;
        ptrdiff_t colon = span_rfind(x->target, ':');
        char port[8];
        str_copy_span(port, sizeof(port), span_sub(x->target, (size_t)colon + 1, x->target.len));
        const struct dial_options options = {.done = target_dialled, .ud = t};
        dial_tcp(f->loop, "127.0.0.1", (uint16_t)strtoul(port, NULL, 10), &options);
    } else {
        exchange_respond(x, 200, "by proxy", 8);
    }
}

static void proxy_accepted(struct listener *l, struct stream *s, const struct addr *peer, void *ud)
{
    serve(ud, s, proxy_handle, true);
}

static struct listener *listen_on(struct fixture *f, listener_accepted_fn *accepted)
{
    struct addr any;
    struct listener *l = NULL;
    const struct listener_options options = {.accepted = accepted, .ud = f};
    assert_int_equal(addr_from_ip("127.0.0.1", 0, &any), 0);
    assert_int_equal(listener_open(f->loop, &any, &options, &l, NULL), 0);
    return l;
}

static void make_tls(struct fixture *f)
{
    char path[] = "/tmp/adit-test-XXXXXX";
    struct tls_identity *id = tls_identity_new();
    _cleanup_free_ char *pem = tls_identity_to_pem(id);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, pem, strlen(pem)), (ssize_t)strlen(pem));
    close(fd);
    assert_int_equal(tls_context_server(path, path, NULL, &f->server_tls, NULL), 0);
    unlink(path);
    tls_identity_free(id);
    const struct tls_client_options unverified = {.insecure = true};
    assert_int_equal(tls_context_client(&unverified, &f->client_tls, NULL), 0);
}

static int setup(void **state)
{
    struct fixture *f = new0(struct fixture);
    f->loop = loop_new();
    make_tls(f);
    f->plain = listen_on(f, plain_accepted);
    f->secure = listen_on(f, secure_accepted);
    f->proxy = listen_on(f, proxy_accepted);
    buf_init(&f->proxy_seen, 65536);
    buf_init(&f->body, 4 << 20);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    stream_free(f->s);
    stream_free(f->echo);
    for (int i = 0; i < MAX_CONNS; i++)
        server_conn_free(f->conns[i]);
    listener_close(f->plain);
    listener_close(f->secure);
    listener_close(f->proxy);
    for (int i = 0; i < 20; i++)
        loop_turn(f->loop, false);
    tls_context_unref(f->server_tls);
    tls_context_unref(f->client_tls);
    buf_deinit(&f->proxy_seen);
    buf_deinit(&f->body);
    loop_free(f->loop);
    free(f);
    return 0;
}

static uint16_t port_of(const struct listener *l)
{
    return addr_port(listener_addr(l));
}

static void answered(int result, const struct client_result *answer, const struct err *err,
                     void *ud)
{
    struct fixture *f = ud;
    f->done = true;
    f->result = result;
    buf_clear(&f->body);
    str_copy(f->text, sizeof(f->text), result < 0 ? err->text : "");
    if (result < 0)
        return;
    f->status = answer->status;
    buf_append(&f->body, answer->body.p, answer->body.len);
}

/* Runs one request to its end; 0 or what client_request_start() says. */
static int request(struct fixture *f, const struct client_request_options *options,
                   const char *scheme, const struct listener *l, const char *path)
{
    struct client_request_options given = *options, *o = &given;
    char url[300], text[200];
    struct client_request *r;
    struct err err = ERR_INIT;
    snprintf(url, sizeof(url), "%s://127.0.0.1:%u%s", scheme, port_of(l), path);
    snprintf(text, sizeof(text), "http://us%%65r:pw@127.0.0.1:%u", port_of(f->proxy));
    o->url = url;
    o->tls = f->client_tls;
    o->proxy = o->proxy ? text : "";
    o->done = answered;
    o->ud = f;
    f->done = false;
    int code = client_request_start(f->loop, o, &r, &err);
    if (code < 0)
        return code;
    TURN_UNTIL(f->loop, f->done);
    return 0;
}

static void a_url_is_fetched_plain_and_by_tls(void **state)
{
    struct fixture *f = *state;
    struct arena arena;
    struct headers headers;
    arena_init(&arena, 65536);
    headers_init(&headers, &arena, 0, 0);
    headers_add(&headers, "X-Test", "7");
    struct client_request_options o = {.headers = &headers};
    assert_int_equal(request(f, &o, "http", f->plain, "/a?b=c"), 0);
    assert_int_equal(f->result, 0);
    assert_int_equal(f->status, 200);
    assert_string_equal(buf_cstr(&f->body), "GET /a?b=c 7");
    assert_int_equal(request(f, &o, "https", f->secure, "/d"), 0);
    assert_string_equal(f->text, "");
    assert_string_equal(buf_cstr(&f->body), "GET /d 7");
    arena_deinit(&arena);
}

static void bodies_go_both_ways(void **state)
{
    struct fixture *f = *state;
    static char body[700000];
    for (size_t i = 0; i < sizeof(body); i++)
        body[i] = (char)(i * 7 + i / 1000);
    struct client_request_options o = {.method = "POST", .body = body, .body_len = sizeof(body)};
    assert_int_equal(request(f, &o, "https", f->secure, "/echo"), 0);
    assert_int_equal(f->result, 0);
    assert_int_equal(f->body.len, sizeof(body));
    assert_memory_equal(buf_data(&f->body), body, sizeof(body));
    o.max_body = 1000;
    assert_int_equal(request(f, &o, "http", f->plain, "/echo"), 0);
    assert_int_equal(f->result, -EMSGSIZE);
}

static void failures_say_what_happened(void **state)
{
    struct fixture *f = *state;
    struct client_request_options o = {0};
    struct client_request *r;
    struct err err = ERR_INIT;

    o = (struct client_request_options){.url = "ftp://x/", .done = answered, .ud = f};
    assert_int_equal(client_request_start(f->loop, &o, &r, &err), -EINVAL);
    assert_true(err.text[0] != '\0');

    o = (struct client_request_options){.timeout = 50 * USEC_PER_MSEC};
    assert_int_equal(request(f, &o, "http", f->plain, "/silent"), 0);
    assert_int_equal(f->result, -ETIMEDOUT);
    assert_non_null(strstr(f->text, "127.0.0.1"));
    exchange_abort(*(struct exchange **)f->fields);

    /* TLS towards a port that speaks none. */
    o = (struct client_request_options){0};
    assert_int_equal(request(f, &o, "https", f->plain, "/"), 0);
    assert_true(f->result < 0);

    char url[100];
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/", port_of(f->plain));
    f->plain = listener_close(f->plain);
    o = (struct client_request_options){.url = url, .proxy = "", .done = answered, .ud = f};
    f->done = false;
    assert_int_equal(client_request_start(f->loop, &o, &r, &err), 0);
    TURN_UNTIL(f->loop, f->done);
    assert_int_equal(f->result, -ECONNREFUSED);
}

static void a_cancelled_request_is_silent(void **state)
{
    struct fixture *f = *state;
    struct client_request *r;
    char url[100];
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/silent", port_of(f->plain));
    struct client_request_options o = {.url = url, .proxy = "", .done = answered, .ud = f};
    assert_int_equal(client_request_start(f->loop, &o, &r, NULL), 0);
    memset(f->fields, 0, sizeof(f->fields));
    TURN_UNTIL(f->loop, *(struct exchange **)f->fields);
    client_request_cancel(r);
    exchange_abort(*(struct exchange **)f->fields);
    assert_false(f->done);
}

static void proxies_are_used_by_absolute_form_and_connect(void **state)
{
    struct fixture *f = *state;
    char expected[200];
    struct client_request_options o = {.proxy = "yes"};
    assert_int_equal(request(f, &o, "http", f->plain, "/x?y"), 0);
    assert_string_equal(buf_cstr(&f->body), "by proxy");
    snprintf(expected, sizeof(expected), "GET http://127.0.0.1:%u/x?y auth=Basic dXNlcjpwdw==\n",
             port_of(f->plain));
    assert_string_equal(buf_cstr(&f->proxy_seen), expected);

    buf_clear(&f->proxy_seen);
    o = (struct client_request_options){.proxy = "yes"};
    assert_int_equal(request(f, &o, "https", f->secure, "/x"), 0);
    assert_string_equal(f->text, "");
    assert_string_equal(buf_cstr(&f->body), "GET /x ");
    snprintf(expected, sizeof(expected), "CONNECT 127.0.0.1:%u auth=Basic dXNlcjpwdw==\n",
             port_of(f->secure));
    assert_string_equal(buf_cstr(&f->proxy_seen), expected);

    f->proxy_refuses = true;
    o = (struct client_request_options){.proxy = "yes"};
    assert_int_equal(request(f, &o, "https", f->secure, "/x"), 0);
    assert_int_equal(f->result, -ECONNREFUSED);
    assert_non_null(strstr(f->text, "403"));
}

static void ws_dialled(int result, struct stream *s, const struct client_result *answer,
                       const struct err *err, void *ud)
{
    struct fixture *f = ud;
    f->done = true;
    f->result = result;
    f->s = s;
    f->status = answer ? answer->status : 0;
    str_copy_span(f->fields, sizeof(f->fields),
                  answer ? headers_get(&answer->headers, "X-Own") : SPAN(""));
    str_copy(f->text, sizeof(f->text), result < 0 ? err->text : "");
}

static void dial_ws(struct fixture *f, const char *scheme, const struct listener *l,
                    const char *path, bool proxy)
{
    char url[300], text[200];
    struct ws_dial *d;
    snprintf(url, sizeof(url), "%s://127.0.0.1:%u%s", scheme, port_of(l), path);
    snprintf(text, sizeof(text), "http://127.0.0.1:%u", port_of(f->proxy));
    const struct ws_dial_options o = {
        .url = url,
        .subprotocol = "adit.v1",
        .tls = f->client_tls,
        .proxy = proxy ? text : "",
        .done = ws_dialled,
        .ud = f,
    };
    f->s = stream_free(f->s);
    f->done = false;
    assert_int_equal(ws_dial_start(f->loop, &o, &d, NULL), 0);
    TURN_UNTIL(f->loop, f->done);
}

static void websockets_open_plain_by_tls_and_through_a_proxy(void **state)
{
    struct fixture *f = *state;
    for (int way = 0; way < 4; way++) {
        char got[20] = "";
        size_t len = 0;
        dial_ws(f, way % 2 ? "wss" : "http", way % 2 ? f->secure : f->plain, "/ws", way / 2);
        assert_string_equal(f->text, "");
        assert_int_equal(f->status, 101);
        assert_string_equal(f->fields, "1");
        assert_int_equal(stream_send_bytes(f->s, "round trip", 10), 10);
        while (len < 10) {
            ssize_t n = stream_recv(f->s, got + len, sizeof(got) - len);
            if (n > 0)
                len += (size_t)n;
            else
                assert_int_equal(n, -EAGAIN);
            stream_want(f->s, STREAM_READ);
            loop_turn(f->loop, len < 10);
        }
        assert_string_equal(got, "round trip");
        f->s = stream_free(f->s);
        TURN_UNTIL(f->loop, !f->echo);
    }
}

static void refused_websockets_tell_why(void **state)
{
    struct fixture *f = *state;
    dial_ws(f, "ws", f->plain, "/401", false);
    assert_int_equal(f->result, -EPROTO);
    assert_int_equal(f->status, 401);
    assert_non_null(strstr(f->text, "401"));
    dial_ws(f, "ws", f->plain, "/liar", false);
    assert_int_equal(f->result, -EPROTO);
    assert_null(f->s);
}

static const char *environment[20];

static const char *fake_env(const char *name)
{
    for (int i = 0; environment[i]; i += 2)
        if (str_eq(environment[i], name))
            return environment[i + 1];
    return NULL;
}

static void expect_proxy(const char *url_text, const char *expected)
{
    struct url url;
    assert_int_equal(url_parse(span_of(url_text), &url, NULL), 0);
    const char *proxy = client_proxy_find(&url, fake_env);
    if (!str_eq(proxy, expected))
        fail_msg("%s: %s, not %s", url_text, proxy ? proxy : "-", expected ? expected : "-");
    url_deinit(&url);
}

static void the_environment_names_the_proxy(void **state)
{
    memset(environment, 0, sizeof(environment));
    expect_proxy("http://a.example/", NULL);
    memcpy(environment,
           (const char *[]){"HTTPS_PROXY", "s", "https_proxy", "", "HTTP_PROXY", "h", "no_proxy",
                            "b.example, .c.example,10.0.0.0/8 ,d.example:8080"},
           8 * sizeof(char *));
    expect_proxy("https://a.example/", "s");
    expect_proxy("wss://a.example/", "s");
    expect_proxy("http://a.example/", "h");
    expect_proxy("http://localhost/", NULL);
    expect_proxy("http://127.0.0.1:99/", NULL);
    expect_proxy("http://b.example/", NULL);
    expect_proxy("http://x.b.example/", NULL);
    expect_proxy("http://xb.example/", "h");
    expect_proxy("http://c.example/", NULL);
    expect_proxy("http://10.1.2.3/", NULL);
    expect_proxy("http://11.1.2.3/", "h");
    expect_proxy("http://d.example:8080/", NULL);
    expect_proxy("http://d.example/", "h");
    memcpy(environment, (const char *[]){"REQUEST_METHOD", "GET", "HTTP_PROXY", "h"},
           4 * sizeof(char *));
    memset(environment + 4, 0, sizeof(environment) - 4 * sizeof(char *));
    expect_proxy("http://a.example/", NULL);
    memcpy(environment, (const char *[]){"ALL_PROXY", "x", "NO_PROXY", "*"}, 4 * sizeof(char *));
    expect_proxy("http://a.example/", NULL);
    memcpy(environment, (const char *[]){"ALL_PROXY", "x", "NO_PROXY", "::1,fd00::/8"},
           4 * sizeof(char *));
    expect_proxy("http://[fd12::1]/", NULL);
    expect_proxy("http://[fe12::1]/", "x");
}

static void proxy_texts_are_parsed(void **state)
{
    struct client_proxy p;
    assert_int_equal(client_proxy_parse("proxy.example:3128", &p, NULL), 0);
    assert_string_equal(p.host, "proxy.example");
    assert_int_equal(p.port, 3128);
    assert_string_equal(p.authorization, "");
    assert_int_equal(client_proxy_parse("HTTP://u:p%40@[::1]/", &p, NULL), 0);
    assert_string_equal(p.host, "::1");
    assert_int_equal(p.port, 80);
    assert_string_equal(p.authorization, "Basic dTpwQA==");
    assert_int_equal(client_proxy_parse("socks5://x:1", &p, NULL), -EINVAL);
    assert_int_equal(client_proxy_parse("https://x:1", &p, NULL), -EINVAL);
    assert_int_equal(client_proxy_parse("http://", &p, NULL), -EINVAL);
    assert_int_equal(client_proxy_parse("http://a b:1", &p, NULL), -EINVAL);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
TEST_MAIN(WITH_SERVER(a_url_is_fetched_plain_and_by_tls), WITH_SERVER(bodies_go_both_ways),
          WITH_SERVER(failures_say_what_happened), WITH_SERVER(a_cancelled_request_is_silent),
          WITH_SERVER(proxies_are_used_by_absolute_form_and_connect),
          WITH_SERVER(websockets_open_plain_by_tls_and_through_a_proxy),
          WITH_SERVER(refused_websockets_tell_why),
          cmocka_unit_test(the_environment_names_the_proxy),
          cmocka_unit_test(proxy_texts_are_parsed));
