/* Fields on their way: hygiene, forwarding, CORS, and who is told what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "auth/cookie_names.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "http/headers.h"
#include "proto/app_host.h"
#include "proxy/cors.h"
#include "proxy/rewrite.h"
#include "proxy/situation.h"

struct scene {
    struct arena arena;
    struct headers from, to;
    struct cookie_names ours;
    struct rewrite_client client;
    struct buf text;
};

/* "Name: value\n" lines as fields. */
static void add_lines(struct headers *h, const char *lines)
{
    struct span rest = span_of(lines), line;
    while (span_split(&rest, '\n', &line) && line.len > 0) {
        ptrdiff_t colon = span_find(line, ':');
        assert_int_equal(headers_add_span(h, span_sub(line, 0, (size_t)colon),
                                          span_trim(span_sub(line, (size_t)colon + 1, line.len))),
                         0);
    }
}

static void scene_init(struct scene *s, const char *lines)
{
    struct app_pattern pattern;
    assert_int_equal(app_pattern_parse(SPAN("*.apps.example.com"), &pattern, NULL), 0);
    arena_init(&s->arena, 1 << 20);
    headers_init(&s->from, &s->arena, 0, 0);
    headers_init(&s->to, &s->arena, 0, 0);
    cookie_names_init(&s->ours, &pattern);
    buf_init(&s->text, 65536);
    s->client = (struct rewrite_client){
        .ip = "192.0.2.7", .peer = "192.0.2.7", .host = SPAN("h.apps.example.com")};
    add_lines(&s->from, lines);
}

static const char *text_of(struct scene *s)
{
    buf_clear(&s->text);
    for (size_t i = 0; i < s->to.len; i++)
        buf_appendf(&s->text, SPAN_FMT ": " SPAN_FMT "\n", SPAN_ARG(s->to.list[i].name),
                    SPAN_ARG(s->to.list[i].value));
    return s->text.len ? buf_cstr(&s->text) : "";
}

static void scene_deinit(struct scene *s)
{
    buf_deinit(&s->text);
    arena_deinit(&s->arena);
}

#define FORWARDED                                                                                  \
    "X-Forwarded-For: 192.0.2.7\nX-Forwarded-Proto: http\n"                                        \
    "X-Forwarded-Host: h.apps.example.com\n"

static void requests_lose_what_is_not_the_apps(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"Host: h.apps.example.com\nAccept: */*\n",
         "Host: h.apps.example.com\nAccept: */*\n" FORWARDED},
        {"Authorization: Bearer of-the-app\n", "Authorization: Bearer of-the-app\n" FORWARDED},
        {"Adit-Session-Token: x\nX-Adit-User: root\nx-adit-email: a@b.c\n", FORWARDED},
        {"X-Forwarded-For: 1.2.3.4\nX-Forwarded-Proto: https\nX-Forwarded-Host: evil\n"
         "Forwarded: for=1.2.3.4\nX-Real-IP: 1.2.3.4\n",
         FORWARDED},
        {"Connection: close, X-Secret\nKeep-Alive: 5\nX-Secret: 1\nProxy-Authorization: x\n",
         FORWARDED},
        {"Transfer-Encoding: chunked\nContent-Length: 5\nContent-Type: a/b\n",
         "Content-Type: a/b\n" FORWARDED},
        {"TE: trailers, gzip\nTrailer: X-Sum\n",
         "Trailer: X-Sum\n" FORWARDED "TE: trailers\nConnection: TE\n"},
        {"Cookie: a=1; adit_session=x; b=2\n", "Cookie: a=1; b=2\n" FORWARDED},
        {"Cookie: adit_ticket=x; __Host-adit_session=y\n", FORWARDED},
        {"Cookie: adit_ticket=x\nCookie: c=3; adit_ticket=y\n", "Cookie: c=3\n" FORWARDED},
        {"Upgrade: websocket\nConnection: Upgrade\n", FORWARDED},
        {"Expect: 100-continue\n", "Expect: 100-continue\n" FORWARDED},
        /* CGI and its heirs write both as HTTP_X_ADIT_USER. */
        {"X_Adit_User: root\nx-adit_email: a@b.c\nX_Forwarded_For: 1.2.3.4\nX_Real_IP: 1.2.3.4\n"
         "Transfer_Encoding: chunked\nContent_Length: 5\nadit_session_token: x\n",
         FORWARDED},
        {"X_Own: 1\n", "X_Own: 1\n" FORWARDED},
        {"X-Forwarded-Prefix: /evil\nX-Forwarded-Port: 1\nX-Forwarded_Ssl: on\n", FORWARDED},
        {"Proxy: http://evil.test\n", FORWARDED},
        {"Host: h.apps.example.com\nConnection: host\n", "Host: h.apps.example.com\n" FORWARDED},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct scene s;
        scene_init(&s, cases[i].in);
        assert_int_equal(rewrite_request(&s.from, &s.client, &s.ours, &s.to), 0);
        if (strcmp(text_of(&s), cases[i].out) != 0)
            fail_msg("case %zu:\n%s", i, text_of(&s));
        scene_deinit(&s);
    }
}

static void trailers_cannot_say_what_fields_cannot(void **state)
{
    struct scene s;
    scene_init(&s, "X-Sum: 42\nX-Adit-User: root\nX_Adit_Email: a@b.c\nCookie: a=1\n"
                   "X-Forwarded-For: 1.2.3.4\nTE: trailers\nAdit-Session-Token: x\n");
    assert_int_equal(rewrite_trailers(&s.from, &s.to), 0);
    assert_string_equal(text_of(&s), "X-Sum: 42\n");
    scene_deinit(&s);
}

static void the_session_cookie_of_apps_is_ours_too(void **state)
{
    struct scene s;
    char line[256];
    scene_init(&s, "");
    snprintf(line, sizeof(line), "Cookie: a=1; %s=x\n", s.ours.app_session);
    add_lines(&s.from, line);
    assert_int_equal(rewrite_request(&s.from, &s.client, &s.ours, &s.to), 0);
    assert_string_equal(text_of(&s), "Cookie: a=1\n" FORWARDED);
    scene_deinit(&s);
}

/* One below whose domain ours is: browsers send its cookie here as well. */
static void the_session_cookie_of_another_deployment_is_not_the_apps(void **state)
{
    struct scene s;
    scene_init(&s, "Cookie: adit_app_session_0123456789abcdef=x; a=1\n");
    assert_int_equal(rewrite_request(&s.from, &s.client, &s.ours, &s.to), 0);
    assert_string_equal(text_of(&s), "Cookie: a=1\n" FORWARDED);
    assert_true(rewrite_sets_ours(SPAN("adit_app_session_0123456789abcdef=x; Domain=example.com"),
                                  &s.ours));
    scene_deinit(&s);
}

static void a_trusted_proxy_is_believed(void **state)
{
    struct scene s;
    scene_init(&s, "X-Forwarded-For: 9.9.9.9, 198.51.100.1\nX-Forwarded-Proto: https\n"
                   "X-Forwarded-Host: front.example.com\nX-Forwarded-Prefix: /a\n");
    s.client.ip = "198.51.100.1";
    s.client.peer = "10.0.0.1";
    s.client.trusted = true;
    assert_int_equal(rewrite_request(&s.from, &s.client, &s.ours, &s.to), 0);
    assert_string_equal(text_of(&s), "X-Forwarded-Prefix: /a\n"
                                     "X-Forwarded-For: 198.51.100.1, 10.0.0.1\n"
                                     "X-Forwarded-Proto: https\n"
                                     "X-Forwarded-Host: front.example.com\n");
    scene_deinit(&s);
}

static void identity_and_upgrades_are_added(void **state)
{
    struct scene s;
    scene_init(&s, "Connection: keep-alive, Upgrade\nUpgrade: websocket\nX-Adit-User: root\n");
    s.client.user = "ada";
    s.client.email = "ada@example.com";
    s.client.tls = s.client.upgrade = true;
    assert_int_equal(rewrite_request(&s.from, &s.client, &s.ours, &s.to), 0);
    assert_string_equal(text_of(&s), "X-Forwarded-For: 192.0.2.7\nX-Forwarded-Proto: https\n"
                                     "X-Forwarded-Host: h.apps.example.com\nX-Adit-User: ada\n"
                                     "X-Adit-Email: ada@example.com\nConnection: Upgrade\n"
                                     "Upgrade: websocket\n");
    scene_deinit(&s);
}

static void http2_in_the_clear_is_not_passed_on(void **state)
{
    struct scene a, b;
    scene_init(&a, "Upgrade: websocket\n");
    scene_init(&b, "Upgrade: foo, h2c\nHTTP2-Settings: x\n");
    assert_true(rewrite_may_upgrade(&a.from));
    assert_false(rewrite_may_upgrade(&b.from));
    scene_deinit(&a);
    scene_deinit(&b);
}

static void apps_set_their_own_cookies_only(void **state)
{
    static const struct {
        const char *value;
        bool ours;
    } cases[] = {
        {"a=1", false},
        {"adit_ticket=x; Path=/", true},
        {"adit_session=x", true},
        {"__Host-adit_session=x; Secure", true},
        {"ADIT_SESSION=x", true},
        {" adit_session =x", true},
        {"=adit_session=x", true},
        {"adit_session", true},
        {"= =adit_ticket", true},
        {"my_adit_session=x", false},
        {"a=adit_session", false},
        {"adit_sessions=x", false},
        {"", false},
        {"; adit_session=x", false},
    };
    struct scene s;
    scene_init(&s, "");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (rewrite_sets_ours(span_of(cases[i].value), &s.ours) != cases[i].ours)
            fail_msg("%s", cases[i].value);
    assert_true(rewrite_sets_ours(span_of(s.ours.app_session), &s.ours));
    scene_deinit(&s);
}

static void answers_lose_what_is_not_the_persons(void **state)
{
    struct scene s;
    scene_init(&s, "Content-Type: a/b\nSet-Cookie: a=1\nSet-Cookie: adit_ticket=x\n"
                   "Connection: close, X-Hop\nX-Hop: 1\nTransfer-Encoding: chunked\n"
                   "Content-Length: 7\nTrailer: X-Sum\nUpgrade: h2c\nKeep-Alive: 1\n");
    assert_int_equal(rewrite_response(&s.from, &(struct rewrite_answer){.ours = &s.ours}, &s.to),
                     0);
    assert_string_equal(text_of(&s), "Content-Type: a/b\nSet-Cookie: a=1\nTrailer: X-Sum\n");
    scene_deinit(&s);
}

static void a_101_keeps_its_upgrade(void **state)
{
    struct scene s;
    scene_init(&s, "Connection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Accept: x\n");
    assert_int_equal(rewrite_response(&s.from,
                                      &(struct rewrite_answer){.upgrade = true, .ours = &s.ours},
                                      &s.to),
                     0);
    assert_string_equal(text_of(&s),
                        "Upgrade: websocket\nSec-WebSocket-Accept: x\nConnection: Upgrade\n");
    scene_deinit(&s);
}

static void answers_speak_for_their_own_app_only(void **state)
{
    static const struct {
        const char *in, *of_host, *of_path;
    } cases[] = {
        {"Clear-Site-Data: \"cookies\"\n", "", ""},
        {"Clear-Site-Data: \"cache\", \"*\"\n", "", ""},
        {"clear-site-data: \"cache\", \"storage\"\n", "clear-site-data: \"cache\", \"storage\"\n",
         ""},
        {"Alt-Svc: h3=\":9\"\nX-Accel-Redirect: /internal\nX-Sendfile: /etc/passwd\n"
         "X-Reproxy-URL: http://[::1]/\nX-LIGHTTPD-send-file: /x\n",
         "", ""},
        {"X-Accel-Buffering: no\n", "X-Accel-Buffering: no\n", "X-Accel-Buffering: no\n"},
        {"Service-Worker-Allowed: /\n", "Service-Worker-Allowed: /\n", ""},
        {"Strict-Transport-Security: max-age=9\n", "Strict-Transport-Security: max-age=9\n", ""},
        {"NEL: {}\nReport-To: {}\nPublic-Key-Pins: x\nPublic-Key-Pins-Report-Only: x\n",
         "NEL: {}\nReport-To: {}\nPublic-Key-Pins: x\nPublic-Key-Pins-Report-Only: x\n", ""},
    };
    for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
        struct scene s;
        struct rewrite_answer answer = {.by_path = i % 2, .ours = &s.ours};
        const char *out = i % 2 ? cases[i / 2].of_path : cases[i / 2].of_host;
        scene_init(&s, cases[i / 2].in);
        assert_int_equal(rewrite_response(&s.from, &answer, &s.to), 0);
        if (strcmp(text_of(&s), out) != 0)
            fail_msg("case %zu:\n%s", i, text_of(&s));
        scene_deinit(&s);
    }
}

/* ---- CORS ---- */

#define ORIGIN "https://a.apps.example.com"

static void a_preflight_is_told_what_it_asked_for(void **state)
{
    struct scene s;
    scene_init(&s, "Origin: " ORIGIN "\nAccess-Control-Request-Method: PUT\n"
                   "Access-Control-Request-Headers: x-a, content-type\n");
    struct cors cors = cors_read(SPAN("OPTIONS"), &s.from);
    assert_true(cors.preflight);
    cors_answer_preflight(&cors, true, &s.to);
    assert_string_equal(text_of(&s), "Vary: Origin, Access-Control-Request-Method, "
                                     "Access-Control-Request-Headers\n"
                                     "Access-Control-Allow-Origin: " ORIGIN "\n"
                                     "Access-Control-Allow-Credentials: true\n"
                                     "Access-Control-Allow-Methods: PUT\n"
                                     "Access-Control-Allow-Headers: x-a, content-type\n");
    headers_init(&s.to, &s.arena, 0, 0);
    cors_answer_preflight(&cors, false, &s.to);
    assert_string_equal(text_of(&s), "Vary: Origin, Access-Control-Request-Method, "
                                     "Access-Control-Request-Headers\n");
    scene_deinit(&s);
}

static void what_is_no_preflight_is_a_request(void **state)
{
    static const struct {
        const char *method, *lines;
        bool present, preflight;
    } cases[] = {
        {"OPTIONS", "Origin: " ORIGIN "\n", true, false},
        {"OPTIONS", "Access-Control-Request-Method: PUT\n", false, false},
        {"GET", "Origin: " ORIGIN "\nAccess-Control-Request-Method: PUT\n", true, false},
        {"OPTIONS", "Origin: " ORIGIN "\nAccess-Control-Request-Method: P(T\n", true, false},
        {"GET", "", false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct scene s;
        scene_init(&s, cases[i].lines);
        struct cors cors = cors_read(span_of(cases[i].method), &s.from);
        if (cors.present != cases[i].present || cors.preflight != cases[i].preflight)
            fail_msg("case %zu", i);
        scene_deinit(&s);
    }
}

static void two_origins_are_none(void **state)
{
    struct scene s;
    scene_init(&s, "Origin: " ORIGIN "\nOrigin: https://evil.com\n");
    struct cors cors = cors_read(SPAN("GET"), &s.from);
    assert_true(span_is(cors.origin, "null"));
    scene_deinit(&s);
}

static void the_apps_own_access_control_goes(void **state)
{
    static const char app_says[] = "Access-Control-Allow-Origin: *\n"
                                   "access-control-expose-headers: X-A\nVary: Accept, Origin\n"
                                   "Vary: Access-Control-Request-Headers, Cookie\nX-A: 1\n";
    struct scene s;
    scene_init(&s, "Origin: " ORIGIN "\n");
    struct cors cors = cors_read(SPAN("GET"), &s.from);
    add_lines(&s.to, app_says);
    cors_answer(&cors, true, &s.to);
    assert_string_equal(text_of(&s), "Vary: Origin, Accept, Cookie\nX-A: 1\n"
                                     "Access-Control-Allow-Origin: " ORIGIN "\n"
                                     "Access-Control-Allow-Credentials: true\n");
    headers_init(&s.to, &s.arena, 0, 0);
    add_lines(&s.to, app_says);
    cors_answer(&cors, false, &s.to);
    assert_string_equal(text_of(&s), "Vary: Origin, Accept, Cookie\nX-A: 1\n");
    scene_deinit(&s);
}

/* ---- situations ---- */

static void navigation_is_told_from_scripts(void **state)
{
    static const struct {
        const char *method, *lines;
        bool upgrade, navigation, only_json;
    } cases[] = {
        {"GET", "Sec-Fetch-Mode: navigate\nAccept: text/html,*/*;q=0.8\n", false, true, false},
        {"POST", "Sec-Fetch-Mode: navigate\n", false, true, false},
        {"GET", "Sec-Fetch-Mode: cors\nAccept: */*\n", false, false, false},
        {"GET", "Sec-Fetch-Mode: no-cors\n", false, false, false},
        {"GET", "Sec-Fetch-Mode: same-origin\nAccept: application/json\n", false, false, true},
        {"GET", "Sec-Fetch-Mode: websocket\n", true, false, false},
        {"GET", "Accept: */*\n", false, true, false},
        {"GET", "", false, true, false},
        {"HEAD", "", false, true, false},
        {"POST", "", false, false, false},
        {"GET", "", true, false, false},
        {"GET", "Accept: application/json\n", false, false, true},
        {"GET", "Accept: application/problem+json;q=1, application/json\n", false, false, true},
        {"GET", "Accept: application/json, text/html\n", false, true, false},
        {"GET", "X-Requested-With: XMLHttpRequest\n", false, false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct scene s;
        scene_init(&s, cases[i].lines);
        struct situation_asker a =
            situation_asker_of(span_of(cases[i].method), &s.from, cases[i].upgrade);
        if (a.navigation != cases[i].navigation || a.only_json != cases[i].only_json)
            fail_msg("case %zu", i);
        scene_deinit(&s);
    }
}

static void each_situation_has_its_answer(void **state)
{
    static const struct {
        bool found;
        enum right right;
        bool somebody, here, navigation;
        enum situation answer;
    } cases[] = {
        {true, RIGHT_YES, true, true, true, SITUATION_PROXY},
        {true, RIGHT_YES, false, true, true, SITUATION_PROXY},
        {true, RIGHT_YES, true, false, true, SITUATION_OFFLINE},
        {true, RIGHT_YES, false, false, false, SITUATION_OFFLINE},
        {true, RIGHT_HIDDEN, true, true, true, SITUATION_NOT_FOUND},
        {true, RIGHT_NO, true, true, true, SITUATION_NOT_FOUND},
        {true, RIGHT_HIDDEN, true, false, true, SITUATION_NOT_FOUND},
        {false, RIGHT_HIDDEN, true, false, true, SITUATION_NOT_FOUND},
        {true, RIGHT_LOG_IN, false, true, true, SITUATION_LOG_IN},
        {true, RIGHT_LOG_IN, false, true, false, SITUATION_REFUSE},
        /* A stranger cannot tell what is missing from what is not public. */
        {false, RIGHT_HIDDEN, false, false, true, SITUATION_LOG_IN},
        {false, RIGHT_HIDDEN, false, false, false, SITUATION_REFUSE},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct situation_asker asker = {.navigation = cases[i].navigation};
        if (situation_of(cases[i].found, cases[i].right, cases[i].somebody, cases[i].here,
                         &asker) != cases[i].answer)
            fail_msg("case %zu", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_lose_what_is_not_the_apps),
        cmocka_unit_test(trailers_cannot_say_what_fields_cannot),
        cmocka_unit_test(the_session_cookie_of_apps_is_ours_too),
        cmocka_unit_test(the_session_cookie_of_another_deployment_is_not_the_apps),
        cmocka_unit_test(answers_speak_for_their_own_app_only),
        cmocka_unit_test(a_trusted_proxy_is_believed),
        cmocka_unit_test(identity_and_upgrades_are_added),
        cmocka_unit_test(http2_in_the_clear_is_not_passed_on),
        cmocka_unit_test(apps_set_their_own_cookies_only),
        cmocka_unit_test(answers_lose_what_is_not_the_persons),
        cmocka_unit_test(a_101_keeps_its_upgrade),
        cmocka_unit_test(a_preflight_is_told_what_it_asked_for),
        cmocka_unit_test(what_is_no_preflight_is_a_request),
        cmocka_unit_test(two_origins_are_none),
        cmocka_unit_test(the_apps_own_access_control_goes),
        cmocka_unit_test(navigation_is_told_from_scripts),
        cmocka_unit_test(each_situation_has_its_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
