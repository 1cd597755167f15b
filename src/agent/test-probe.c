#include "agent/probe.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "agent/test_network.h"
#include "base/cleanup.h"
#include "io/addr.h"
#include "io/listener.h"
#include "io/loop.h"
#include "io/stream.h"

#define T(text)                                                                                    \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }

static void answers_mean_what_they_are(void **state)
{
    static const struct {
        struct span text;
        bool ended;
        enum api_port_speaks speaks;
    } table[] = {
        {T(""), false, API_PORT_UNKNOWN},
        {T(""), true, API_PORT_UNKNOWN},
        {T("HTTP/1.0 200 OK\r\n"), false, API_PORT_HTTP},
        {T("HTTP/1.1 404 Not Found\r\n\r\n"), false, API_PORT_HTTP},
        {T("HTTP/1."), false, API_PORT_UNKNOWN},
        {T("HTTP/1.1 40"), false, API_PORT_UNKNOWN},
        {T("HTTP/1.1 40"), true, API_PORT_HTTP},
        {T("HTTP/1.1 400 Bad Request\r\n\r\n"), false, API_PORT_UNKNOWN},
        {T("HTTP/1.1 400 Bad Request\r\n\r\n"), true, API_PORT_HTTP},
        {T("HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"),
         true, API_PORT_TLS},
        {T("HTTP/1.1 400 Bad Request\r\n\r\nThe plain HTTP request was sent to HTTPS port"), false,
         API_PORT_TLS},
        {T("HTTP/1.1 200 OK\r\n\r\nHow to make an HTTPS server"), true, API_PORT_HTTP},
        {T("<!DOCTYPE HTML>"), true, API_PORT_HTTP},
        {T("\x15\x03\x01\x00\x02\x02\x0a"), false, API_PORT_TLS},
        {T("\x16\x03\x03"), false, API_PORT_TLS},
        {T("-ERR unknown command\r\n"), false, API_PORT_OTHER},
        {T("-ERR"), false, API_PORT_UNKNOWN},
        {T("-ERR"), true, API_PORT_OTHER},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (probe_of_answer(table[i].text, table[i].ended) != table[i].speaks)
            fail_msg("%s: %u", table[i].text.p, probe_of_answer(table[i].text, table[i].ended));
}

static void who_speaks_first_is_no_web_server(void **state)
{
    assert_int_equal(probe_of_greeting(SPAN("SSH-2.0-OpenSSH_9.2p1\r\n")), API_PORT_OTHER);
    assert_int_equal(probe_of_greeting(SPAN("220 mail ESMTP\r\n")), API_PORT_OTHER);
}

/* ---- conversations ---- */

/* A server on a port of its own that does one thing with each connection. */
struct server {
    struct loop *loop;
    struct listener *listener;
    const char *greeting, *answer[2]; /* to the first and to the second connection */
    size_t answer_len[2];
    unsigned n_connections;
    char asked[2][512];
    struct stream *open[4];
};

static void asked(struct stream *s, unsigned events, void *ud)
{
    struct server *server = ud;
    size_t i = s == server->open[0] ? 0 : 1;
    size_t len = strlen(server->asked[i]);
    ssize_t n = stream_recv(s, server->asked[i] + len, sizeof(server->asked[i]) - 1 - len);
    if (n == -EAGAIN)
        return;
    stream_want(s, 0);
    if (n <= 0)
        return;
    if (server->answer_len[i])
        stream_send_bytes(s, server->answer[i], server->answer_len[i]);
    if (server->answer[i])
        stream_shutdown(s);
}

static void accepted(struct listener *l, struct stream *s, const struct addr *peer, void *ud)
{
    struct server *server = ud;
    assert_true(server->n_connections < ARRAY_LEN(server->open));
    server->open[server->n_connections++] = s;
    if (server->greeting)
        stream_send_bytes(s, server->greeting, strlen(server->greeting));
    stream_set_ready(s, asked, server);
    stream_want(s, STREAM_READ);
}

static void start(struct server *s)
{
    const struct listener_options options = {.accepted = accepted, .ud = s};
    struct err err = ERR_INIT;
    struct addr a;
    s->loop = loop_new();
    assert_int_equal(addr_from_ip("127.0.0.1", 0, &a), 0);
    assert_int_equal(listener_open(s->loop, &a, &options, &s->listener, &err), 0);
}

static void stop(struct server *s)
{
    for (size_t i = 0; i < s->n_connections; i++)
        stream_free(s->open[i]);
    listener_close(s->listener);
    loop_free(s->loop);
}

static void probed(enum api_port_speaks speaks, void *ud)
{
    *(int *)ud = (int)speaks;
}

static enum api_port_speaks probe(struct server *s)
{
    int speaks = -1;
    start(s);
    probe_start(s->loop, "127.0.0.1", addr_port(listener_addr(s->listener)), probed, &speaks);
    while (speaks < 0)
        loop_turn(s->loop, true);
    stop(s);
    return (enum api_port_speaks)speaks;
}

static void a_web_server_is_asked_once_as_a_browser_would(void **state)
{
    struct server s = {.answer = {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"}};
    s.answer_len[0] = strlen(s.answer[0]);
    assert_int_equal(probe(&s), API_PORT_HTTP);
    assert_int_equal(s.n_connections, 1);
    assert_int_equal(strncmp(s.asked[0], "HEAD / HTTP/1.1\r\nHost: localhost:", 33), 0);
}

static void a_server_that_greets_is_asked_nothing(void **state)
{
    struct server s = {.greeting = "220 mail ESMTP\r\n"};
    assert_int_equal(probe(&s), API_PORT_OTHER);
    assert_string_equal(s.asked[0], "");
}

static void a_server_that_hangs_up_is_asked_for_tls(void **state)
{
    struct server s = {.answer = {"", "\x16\x03\x03\x00\x04..."}, .answer_len = {0, 8}};
    assert_int_equal(probe(&s), API_PORT_TLS);
    assert_int_equal(s.n_connections, 2);
    assert_int_equal(strncmp(s.asked[1], "\x16\x03\x01", 3), 0);
}

static void a_server_that_always_hangs_up_speaks_something_else(void **state)
{
    struct server s = {.answer = {"", ""}};
    assert_int_equal(probe(&s), API_PORT_OTHER);
    assert_int_equal(s.n_connections, 2);
}

static void a_server_that_says_nothing_stays_unknown(void **state)
{
    struct server s = {.answer = {NULL}};
    assert_int_equal(probe(&s), API_PORT_UNKNOWN);
    assert_int_equal(s.n_connections, 1);
}

static void a_port_on_which_nothing_listens_stays_unknown(void **state)
{
    struct server s = {0};
    int speaks = -1;
    start(&s);
    uint16_t port = addr_port(listener_addr(s.listener));
    s.listener = listener_close(s.listener);
    probe_start(s.loop, "127.0.0.1", port, probed, &speaks);
    while (speaks < 0)
        loop_turn(s.loop, true);
    assert_int_equal(speaks, API_PORT_UNKNOWN);
    stop(&s);
}

static void a_probe_can_be_given_up(void **state)
{
    struct server s = {0};
    int speaks = -1;
    start(&s);
    struct probe *p =
        probe_start(s.loop, "127.0.0.1", addr_port(listener_addr(s.listener)), probed, &speaks);
    loop_turn(s.loop, true);
    probe_cancel(p);
    assert_int_equal(speaks, -1);
    stop(&s);
}

int main(void)
{
    leave_the_network();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_mean_what_they_are),
        cmocka_unit_test(who_speaks_first_is_no_web_server),
        cmocka_unit_test(a_web_server_is_asked_once_as_a_browser_would),
        cmocka_unit_test(a_server_that_greets_is_asked_nothing),
        cmocka_unit_test(a_server_that_hangs_up_is_asked_for_tls),
        cmocka_unit_test(a_server_that_always_hangs_up_speaks_something_else),
        cmocka_unit_test(a_server_that_says_nothing_stays_unknown),
        cmocka_unit_test(a_port_on_which_nothing_listens_stays_unknown),
        cmocka_unit_test(a_probe_can_be_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
