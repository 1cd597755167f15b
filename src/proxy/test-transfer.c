/* What passes between a person and an app. */
#include "proxy/test_talk.h"

/* ---- through to the app ---- */

static void the_app_gets_the_request_as_it_is(void **state)
{
    struct scene *s = *state;
    char lines[512];
    snprintf(lines, sizeof(lines), "Cookie: a=1; adit_session=%s\r\nAuthorization: Basic eA==\r\n",
             s->tokens[OWNER]);
    assert_int_equal(ask(s, "GET", PORT_HOST, "/a//b?c=d", lines), 200);
    assert_true(said(s, "GET /a//b?c=d\nHost: " PORT_HOST "\n"));
    assert_true(said(s, "Cookie: a=1\n"));
    assert_true(said(s, "Authorization: Basic eA==\n"));
    assert_true(said(s, "X-Adit-User: ada\nX-Adit-Email: ada@example.com\n"));
    assert_true(said(s, "X-Forwarded-For: 192.0.2.1\n"));
    assert_false(said(s, s->tokens[OWNER]));
    assert_false(said(s, "adit_ticket=evil"));
    assert_false(said(s, "Access-Control-Allow-Origin"));
    assert_int_equal(s->dialled.port, 8080);
    assert_string_equal(s->dialled_host, "localhost");
    assert_false(s->dialled.tls);
}

static void a_path_app_gets_its_own_paths(void **state)
{
    struct scene *s = *state;
    assert_int_equal(ask(s, "GET", "adit.test", APP_PATH "/y?z", credential(s, OWNER)), 200);
    assert_true(said(s, "GET /x/y?z\nHost: adit.test\n"));
    assert_false(said(s, "Service-Worker-Allowed"));
    assert_true(said(s, "Path=/@ada/dev/apps/lab/;"));
    assert_int_equal(s->dialled.port, 8888);
}

static void the_start_of_an_app_leads_to_its_url(void **state)
{
    struct scene *s = *state;
    assert_int_equal(ask(s, "GET", APP_HOST, "/", credential(s, OWNER)), 307);
    assert_true(said(s, "Location: /tree?token=x\r\n"));
    assert_int_equal(ask(s, "GET", "adit.test", "/@ada/dev/apps/lab/", credential(s, OWNER)), 307);
    assert_true(said(s, "Location: /@ada/dev/apps/lab/tree?token=x\r\n"));
    assert_int_equal(ask(s, "GET", APP_HOST, "/?a", credential(s, OWNER)), 200);
}

static void https_ports_ask_the_agent_for_tls(void **state)
{
    struct scene *s = *state;
    assert_int_equal(ask(s, "GET", "8443s--dev--ada.apps.test", "/", credential(s, OWNER)), 200);
    assert_true(s->dialled.tls);
    assert_int_equal(s->dialled.port, 8443);
}

static void aliases_reach_the_same(void **state)
{
    struct scene *s = *state;
    char host[128];
    snprintf(host, sizeof(host), "8080--%s.apps.test", s->agent.alias);
    assert_int_equal(ask(s, "GET", host, "/", credential(s, OWNER)), 200);
    assert_int_equal(ask(s, "GET", host, "/", credential(s, OTHER)), 404);
}

static void bodies_trailers_and_interims_pass(void **state)
{
    struct scene *s = *state;
    char lines[512];
    snprintf(lines, sizeof(lines), "%sContent-Length: 5\r\n\r\nhello", credential(s, OWNER));
    assert_int_equal(ask(s, "POST", PORT_HOST, "/", lines), 200);
    assert_true(said(s, "5\r\nhello\r\n0\r\nX-Sum: 42\r\n\r\n"));
    snprintf(lines, sizeof(lines),
             "%sTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
             credential(s, OWNER));
    assert_int_equal(ask(s, "POST", PORT_HOST, "/", lines), 200);
    assert_true(said(s, "abcde"));
    snprintf(lines, sizeof(lines),
             "%sTransfer-Encoding: chunked\r\n\r\n0\r\nX-Mine: 1\r\nX-Adit-User: root\r\n\r\n",
             credential(s, OWNER));
    assert_int_equal(ask(s, "POST", PORT_HOST, "/", lines), 200);
    assert_true(said(s, "X-Mine: 1") && !said(s, "X-Adit-User"));
    assert_int_equal(ask(s, "GET", PORT_HOST, "/hints", credential(s, OWNER)), 103);
    assert_true(said(s, "Link: </a.css>\r\n") && said(s, "HTTP/1.1 200 OK"));
    assert_int_equal(ask(s, "HEAD", PORT_HOST, "/", credential(s, OWNER)), 200);
    assert_true(said(s, "Content-Length: ") && !said(s, "HEAD /"));
    assert_int_equal(ask(s, "GET", PORT_HOST, "/304", credential(s, OWNER)), 304);
}

static void expect_waits_for_the_app(void **state)
{
    struct scene *s = *state;
    struct stream *person = person_connect(s);
    struct buf out = BUF_INIT(4096);
    buf_appendf(&out,
                "POST / HTTP/1.1\r\nHost: " PORT_HOST "\r\nExpect: 100-continue\r\n"
                "Content-Length: 5\r\nConnection: close\r\n%s\r\n",
                credential(s, OWNER));
    assert_int_equal(stream_send_bytes(person, buf_data(&out), out.len), out.len);
    buf_clear(&s->got);
    person_read(s, person, "100 Continue\r\n\r\n");
    assert_string_equal(text(s), "HTTP/1.1 100 Continue\r\n\r\n");
    stream_send_bytes(person, "hello", 5);
    person_read(s, person, NULL);
    assert_true(said(s, "HTTP/1.1 200 OK") && said(s, "hello"));
    stream_free(person);
    buf_deinit(&out);
}

static void connections_are_kept_for_the_same_target_only(void **state)
{
    struct scene *s = *state;
    ask(s, "GET", PORT_HOST, "/", credential(s, OWNER));
    ask(s, "GET", PORT_HOST, "/", credential(s, OWNER));
    ask(s, "GET", PORT_HOST, "/", credential(s, ADMIN));
    assert_int_equal(s->n_dials, 1);
    ask(s, "GET", "8081--dev--ada.apps.test", "/", credential(s, OWNER));
    ask(s, "GET", "8080s--dev--ada.apps.test", "/", credential(s, OWNER));
    assert_int_equal(s->n_dials, 3);
}

static void a_kept_connection_that_was_closed_is_made_anew(void **state)
{
    struct scene *s = *state;
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", credential(s, OWNER)), 200);
    s->app = server_conn_free(s->app);
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", credential(s, OWNER)), 200);
    assert_int_equal(s->n_dials, 2);
}

static void what_cannot_be_reached_is_explained(void **state)
{
    struct scene *s = *state;
    s->dial = DIAL_REFUSED;
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", credential(s, OWNER)), 502);
    assert_true(said(s, "Nothing answers on port 8080"));
    s->dial = DIAL_TLS_FAILED;
    assert_int_equal(ask(s, "GET", "8443s--dev--ada.apps.test", "/", credential(s, OWNER)), 502);
    assert_true(said(s, "href=\"http://8443--dev--ada.apps.test/\""));
    s->dial = DIAL_UNAVAILABLE;
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", credential(s, OWNER)), 502);
    assert_true(said(s, "Workspace offline") && said(s, "setInterval"));
    s->dial = DIAL_OK;
    s->away = true;
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", credential(s, OWNER)), 502);
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", credential(s, OTHER)), 404);
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", ""), 303);
}

static void plain_requests_to_tls_apps_are_told(void **state)
{
    struct scene *s = *state;
    /* What is no HTTP, and answers a TLS probe, is HTTPS. */
    assert_int_equal(ask(s, "GET", PORT_HOST, "/cut", credential(s, OWNER)), 502);
    assert_int_equal(s->n_dials, 2);
    assert_true(s->dialled.tls);
    assert_true(said(s, "href=\"http://8080s--dev--ada.apps.test/\""));
}

/* ---- upgrades ---- */

static struct stream *upgrade(struct scene *s, const char *lines)
{
    struct stream *person = person_connect(s);
    struct buf out = BUF_INIT(8192);
    buf_appendf(&out,
                "GET /ws HTTP/1.1\r\nHost: " PORT_HOST "\r\nConnection: Upgrade\r\n"
                "Upgrade: echo\r\n%s\r\n",
                lines);
    assert_int_equal(stream_send_bytes(person, buf_data(&out), out.len), out.len);
    buf_clear(&s->got);
    person_read(s, person, "\r\n\r\n");
    s->status = (unsigned)strtoul(text(s) + strlen("HTTP/1.1 "), NULL, 10);
    buf_deinit(&out);
    return person;
}

/* The person leaves, and the app with them. */
static void leave(struct scene *s, struct stream *person)
{
    stream_free(person);
    while (proxy_in_flight(s->proxy) > 0) {
        s->raw = stream_free(s->raw);
        loop_turn(s->loop, true);
    }
}

static void an_upgrade_is_a_pipe(void **state)
{
    struct scene *s = *state;
    struct stream *person = upgrade(s, credential(s, OWNER));
    assert_int_equal(s->status, 101);
    assert_true(said(s, "Upgrade: echo\r\n"));
    stream_send_bytes(person, "\0\1ping\r\n", 8);
    buf_clear(&s->got);
    while (s->got.len < 8)
        person_read(s, person, "");
    assert_memory_equal(buf_data(&s->got), "\0\1ping\r\n", 8);
    leave(s, person);
}

static void a_withdrawn_right_ends_what_runs(void **state)
{
    struct scene *s = *state;
    struct withdrawal w = {.token_id = s->sessions[OWNER]};
    struct stream *person = upgrade(s, credential(s, OWNER));
    assert_int_equal(s->status, 101);
    withdrawal_log_add(s->log, &(struct withdrawal){.user_id = s->users[OTHER]});
    proxy_withdraw(s->proxy, &(struct withdrawal){.user_id = s->users[OTHER]});
    assert_int_equal(proxy_in_flight(s->proxy), 1);
    withdrawal_log_add(s->log, &w);
    proxy_withdraw(s->proxy, &w);
    person_read(s, person, NULL); /* until it is closed */
    assert_int_equal(proxy_in_flight(s->proxy), 0);
    stream_free(person);
}

static void a_websocket_of_another_owners_app_is_refused(void **state)
{
    struct scene *s = *state;
    char lines[512];
    struct stream *person;
    snprintf(lines, sizeof(lines), "%sOrigin: http://9--x--bob.apps.test\r\n",
             credential(s, OWNER));
    person = upgrade(s, lines);
    assert_int_equal(s->status, 403);
    stream_free(person);
    snprintf(lines, sizeof(lines), "%sOrigin: http://9--dev--ada.apps.test\r\n",
             credential(s, OWNER));
    person = upgrade(s, lines);
    assert_int_equal(s->status, 101);
    stream_free(person);
}

enum { TICKET_SIZE = 5000 };

/* The owner's, as the field that shows it. */
static void get_ticket(struct scene *s, const char *host, const char *path,
                       char ticket[static TICKET_SIZE])
{
    assert_int_equal(ask(s, "GET", host, path, credential(s, OWNER)), 200);
    str_copy(ticket, TICKET_SIZE, ticket_of(s));
}

static void websockets_of_pages_elsewhere_are_refused(void **state)
{
    static const struct {
        const char *lines;
        unsigned status;
    } cases[] = {
        {"", 101},
        {"Origin: http://" PORT_HOST "\r\n", 101},
        {"Origin: http://blog.test\r\n", 403},
        {"Origin: http://adit.test\r\n", 403},
        {"Origin: null\r\nSec-Fetch-Site: same-site\r\n", 403},
        {"Origin: null\r\n", 101},
        {"Origin: vscode-file://vscode-app\r\n", 101},
    };
    struct scene *s = *state;
    char ticket[TICKET_SIZE], lines[6000];
    get_ticket(s, PORT_HOST, "/", ticket);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        snprintf(lines, sizeof(lines), "%s%s", ticket, cases[i].lines);
        leave(s, upgrade(s, lines));
        if (s->status != cases[i].status)
            fail_msg("%s: %u", cases[i].lines, s->status);
    }
    /* A page cannot show a token. */
    snprintf(lines, sizeof(lines), "%sOrigin: http://blog.test\r\n", credential(s, OWNER));
    leave(s, upgrade(s, lines));
    assert_int_equal(s->status, 101);
}

static void another_owners_app_can_change_nothing_with_the_cookie(void **state)
{
    static const struct {
        const char *method, *lines;
        unsigned status;
    } cases[] = {
        {"POST", "", 200},
        {"POST", "Origin: http://" PORT_HOST "\r\nSec-Fetch-Site: same-origin\r\n", 200},
        {"POST", "Origin: http://9--dev--ada.apps.test\r\n", 200},
        {"POST", "Origin: http://9--x--bob.apps.test\r\n", 403},
        {"DELETE", "Origin: http://9--x--bob.apps.test\r\n", 403},
        {"GET", "Origin: http://9--x--bob.apps.test\r\n", 200},
        /* What a page with the policy no-referrer sends. */
        {"POST", "Origin: null\r\nSec-Fetch-Site: same-origin\r\n", 200},
        {"POST", "Origin: null\r\nSec-Fetch-Site: same-site\r\n", 403},
        {"POST", "Origin: null\r\nSec-Fetch-Site: cross-site\r\n", 403},
        /* A log-in that comes back. */
        {"POST", "Origin: http://sso.test\r\nSec-Fetch-Site: same-site\r\n", 200},
    };
    struct scene *s = *state;
    char ticket[TICKET_SIZE], lines[6000];
    get_ticket(s, PORT_HOST, "/", ticket);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        snprintf(lines, sizeof(lines), "%s%s", ticket, cases[i].lines);
        if (ask(s, cases[i].method, PORT_HOST, "/", lines) != cases[i].status)
            fail_msg("%s %s: %u", cases[i].method, cases[i].lines, s->status);
    }
    put_template(s, SHARE_PUBLIC, SHARE_OWNER, CORS_PASSTHRU);
    snprintf(lines, sizeof(lines), "%sOrigin: http://9--x--bob.apps.test\r\n",
             credential(s, OWNER));
    assert_int_equal(ask(s, "POST", PORT_HOST, "/", lines), 200);
}

static void a_path_app_may_ask_itself(void **state)
{
    struct scene *s = *state;
    char ticket[TICKET_SIZE], lines[6000];
    get_ticket(s, "adit.test", APP_PATH, ticket);
    snprintf(lines, sizeof(lines), "%sOrigin: http://adit.test\r\n", ticket);
    assert_int_equal(ask(s, "POST", "adit.test", APP_PATH, lines), 200);
    snprintf(lines, sizeof(lines), "%sOrigin: http://9--x--bob.apps.test\r\n", ticket);
    assert_int_equal(ask(s, "POST", "adit.test", APP_PATH, lines), 403);
}

/* ---- CORS ---- */

#define PREFLIGHT(origin) "Origin: " origin "\r\nAccess-Control-Request-Method: PUT\r\n"

static void preflights_are_answered_before_the_log_in(void **state)
{
    struct scene *s = *state;
    assert_int_equal(ask(s, "OPTIONS", PORT_HOST, "/", PREFLIGHT("http://lab--dev--ada.apps.test")),
                     204);
    assert_true(said(s, "Access-Control-Allow-Origin: http://lab--dev--ada.apps.test\r\n"));
    assert_true(said(s, "Access-Control-Allow-Credentials: true\r\n"));
    static const char *const foreign[] = {
        PREFLIGHT("http://lab--dev--bob.apps.test"), PREFLIGHT("http://evil.test"),
        PREFLIGHT("https://lab--dev--ada.apps.test"), PREFLIGHT("null")};
    for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
        assert_int_equal(ask(s, "OPTIONS", PORT_HOST, "/", foreign[i]), 204);
        assert_false(said(s, "Access-Control-Allow"));
    }
    put_template(s, SHARE_OWNER, SHARE_OWNER, CORS_PASSTHRU);
    assert_int_equal(ask(s, "OPTIONS", PORT_HOST, "/", PREFLIGHT("http://lab--dev--ada.apps.test")),
                     401);
}

static void preflights_do_not_tell_what_there_is(void **state)
{
    struct scene *s = *state;
    static const struct {
        const char *there, *not_there, *origin_there, *origin_not;
    } cases[] = {
        {PORT_HOST, "8080--dev--eve.apps.test", "http://9--dev--ada.apps.test",
         "http://9--dev--eve.apps.test"},
        {PORT_HOST, "8080--no--ada.apps.test", "http://9--dev--ada.apps.test",
         "http://9--dev--ada.apps.test"},
        {PORT_HOST, PORT_HOST, "http://9--dev--ada.apps.test", "http://9--no--ada.apps.test"},
        {PORT_HOST, "8080--dev--eve.apps.test", "http://9--x--bob.apps.test",
         "http://9--x--bob.apps.test"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char lines[256];
        snprintf(lines, sizeof(lines), "Origin: %s\r\nAccess-Control-Request-Method: PUT\r\n",
                 cases[i].origin_there);
        assert_int_equal(ask(s, "OPTIONS", cases[i].there, "/", lines), 204);
        bool allowed = said(s, "Access-Control-Allow-Methods: PUT");
        snprintf(lines, sizeof(lines), "Origin: %s\r\nAccess-Control-Request-Method: PUT\r\n",
                 cases[i].origin_not);
        assert_int_equal(ask(s, "OPTIONS", cases[i].not_there, "/", lines), 204);
        if (said(s, "Access-Control-Allow-Methods: PUT") != allowed)
            fail_msg("case %zu", i);
    }
}

static void answers_allow_apps_of_the_same_owner(void **state)
{
    struct scene *s = *state;
    char lines[512];
    snprintf(lines, sizeof(lines), "%sOrigin: http://lab--dev--ada.apps.test\r\n",
             credential(s, OWNER));
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", lines), 200);
    assert_true(said(s, "Access-Control-Allow-Origin: http://lab--dev--ada.apps.test\r\n"));
    snprintf(lines, sizeof(lines), "%sOrigin: http://evil.test\r\n", credential(s, OWNER));
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", lines), 200);
    assert_false(said(s, "Access-Control-Allow"));
    put_template(s, SHARE_OWNER, SHARE_OWNER, CORS_PASSTHRU);
    assert_int_equal(ask(s, "GET", PORT_HOST, "/", lines), 200);
    assert_true(said(s, "Access-Control-Allow-Origin: *\r\n"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_app_gets_the_request_as_it_is),
        TEST(a_path_app_gets_its_own_paths),
        TEST(the_start_of_an_app_leads_to_its_url),
        TEST(https_ports_ask_the_agent_for_tls),
        TEST(aliases_reach_the_same),
        TEST(bodies_trailers_and_interims_pass),
        TEST(expect_waits_for_the_app),
        TEST(connections_are_kept_for_the_same_target_only),
        TEST(a_kept_connection_that_was_closed_is_made_anew),
        TEST(what_cannot_be_reached_is_explained),
        TEST(plain_requests_to_tls_apps_are_told),
        TEST(an_upgrade_is_a_pipe),
        TEST(a_withdrawn_right_ends_what_runs),
        TEST(a_websocket_of_another_owners_app_is_refused),
        TEST(websockets_of_pages_elsewhere_are_refused),
        TEST(another_owners_app_can_change_nothing_with_the_cookie),
        TEST(a_path_app_may_ask_itself),
        TEST(preflights_are_answered_before_the_log_in),
        TEST(preflights_do_not_tell_what_there_is),
        TEST(answers_allow_apps_of_the_same_owner),
    };
    alarm(110);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
