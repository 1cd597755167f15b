#include "web/test_web.h"

#define SETUP(name)           "{\"name\":\"" name "\",\"password\":\"" PASSWORD "\"}"
#define LOGIN(name, password) "{\"user\":\"" name "\",\"password\":\"" password "\"}"

/* The session cookie of the last answer, as a line of fields for ask(). */
static void take_cookie(struct scene *s, char *ret, size_t size)
{
    const char *at = strstr(s->a.head, "Set-Cookie: ");

    assert_non_null(at);
    at += strlen("Set-Cookie: ");
    snprintf(ret, size, "Cookie: %.*s\n", (int)strcspn(at, ";"), at);
}

static void the_first_user_sets_the_server_up(void **state)
{
    struct scene *s = *state;
    char token[TOKEN_TEXT_SIZE];

    assert_int_equal(ask(s, "GET", "/api/v1/setup", NULL, NULL), 200);
    assert_true(json_is_true(json_object_get(s->a.json, "needed")));
    assert_int_equal(ask(s, "POST", "/api/v1/setup", NULL, SETUP("Ada")), 201);
    assert_string_equal(got(s, "user.name"), "ada");
    assert_string_equal(got(s, "user.role"), "owner");
    str_copy(token, sizeof(token), got(s, "token"));
    assert_int_equal(ask(s, "GET", "/api/v1/setup", NULL, NULL), 200);
    assert_true(json_is_false(json_object_get(s->a.json, "needed")));
    assert_int_equal(ask(s, "GET", "/api/v1/me", token, NULL), 200);
    assert_string_equal(got(s, "user.name"), "ada");
    expect_recorded(s, "setup ada ada ok");
}

static void the_server_is_set_up_once(void **state)
{
    struct scene *s = *state;

    assert_int_equal(ask(s, "POST", "/api/v1/setup", NULL, SETUP("ada")), 201);
    assert_int_equal(ask(s, "POST", "/api/v1/setup", NULL, SETUP("eve")), 409);
    assert_int_equal(ask(s, "POST", "/api/v1/login", NULL, LOGIN("eve", PASSWORD)), 401);
}

static void a_weak_first_password_is_refused(void **state)
{
    struct scene *s = *state;

    assert_int_equal(
        ask(s, "POST", "/api/v1/setup", NULL, "{\"name\":\"ada\",\"password\":\"short\"}"), 400);
    assert_string_equal(got(s, "fields.0.field"), "password");
    assert_int_equal(ask(s, "GET", "/api/v1/setup", NULL, NULL), 200);
    assert_true(json_is_true(json_object_get(s->a.json, "needed")));
}

static void a_log_in_gives_a_token_and_a_cookie(void **state)
{
    struct scene *s = *state;
    char token[TOKEN_TEXT_SIZE], cookie[256];

    make_first(s, token);
    assert_int_equal(ask(s, "POST", "/api/v1/login", NULL, LOGIN("ADA", PASSWORD)), 200);
    assert_non_null(strstr(s->a.head, "\r\nSet-Cookie: adit_session="));
    assert_non_null(strstr(s->a.head, "HttpOnly"));
    assert_non_null(strstr(s->a.head, "SameSite=Lax"));
    assert_null(strstr(s->a.head, "Domain"));
    assert_null(strstr(s->a.head, "Secure"));
    take_cookie(s, cookie, sizeof(cookie));
    expect_recorded(s, "login ada ada ok");
    assert_int_equal(ask(s, "GET", "/api/v1/me", cookie, NULL), 200);
    assert_string_equal(got(s, "user.name"), "ada");
}

static void over_https_the_cookie_is_bound_to_host_and_tls(void **state)
{
    struct scene *s = *state;
    char token[TOKEN_TEXT_SIZE];

    scene_open_web(s, "https://adit.test");
    make_first(s, token);
    assert_non_null(strstr(s->a.head, "\r\nSet-Cookie: __Host-adit_session="));
    assert_non_null(strstr(s->a.head, "Secure"));
    assert_non_null(strstr(s->a.head, "Path=/"));
}

static void a_wrong_password_and_an_unknown_name_look_the_same(void **state)
{
    struct scene *s = *state;
    char token[TOKEN_TEXT_SIZE];
    _cleanup_free_ char *wrong = NULL;

    make_first(s, token);
    assert_int_equal(ask(s, "POST", "/api/v1/login", NULL, LOGIN("ada", "wrong horse")), 401);
    wrong = xstrdup(s->a.body);
    expect_recorded(s, "login  ada wrong name or password");
    assert_int_equal(ask(s, "POST", "/api/v1/login", NULL, LOGIN("bob", "wrong horse")), 401);
    assert_string_equal(s->a.body, wrong);
}

static void log_in_attempts_are_limited(void **state)
{
    struct scene *s = *state;
    char token[TOKEN_TEXT_SIZE];
    unsigned status = 401;

    make_first(s, token);
    for (int i = 0; i < 100 && status == 401; i++)
        status = ask(s, "POST", "/api/v1/login", NULL, LOGIN("ada", "wrong horse"));
    assert_int_equal(status, 429);
    assert_non_null(strstr(s->a.head, "\r\nRetry-After: "));
    /* Also the right password has to wait now; a token that is there does not. */
    assert_int_equal(ask(s, "POST", "/api/v1/login", NULL, LOGIN("ada", PASSWORD)), 429);
    assert_int_equal(ask(s, "GET", "/api/v1/me", token, NULL), 200);
    assert_true(auth_refused(s->auth) >= 2);
}

static void logging_out_ends_the_session(void **state)
{
    struct scene *s = *state;
    char token[TOKEN_TEXT_SIZE];

    make_first(s, token);
    assert_int_equal(ask(s, "POST", "/api/v1/logout", token, NULL), 204);
    assert_non_null(strstr(s->a.head, "Set-Cookie: adit_session=; "));
    assert_non_null(strstr(s->a.head, "Max-Age=0"));
    assert_int_equal(s->n_withdrawals, 1);
    assert_false(id_is_zero(&s->withdrawn.token_id));
    assert_true(id_is_zero(&s->withdrawn.user_id));
    expect_recorded(s, "logout ada ada ok");
    assert_int_equal(ask(s, "GET", "/api/v1/me", token, NULL), 401);
}

static void a_new_password_needs_the_old_one_and_ends_other_sessions(void **state)
{
    struct scene *s = *state;
    char token[TOKEN_TEXT_SIZE], other[TOKEN_TEXT_SIZE];

    make_first(s, token);
    assert_int_equal(ask(s, "POST", "/api/v1/login", NULL, LOGIN("ada", PASSWORD)), 200);
    str_copy(other, sizeof(other), got(s, "token"));
    assert_int_equal(ask(s, "PUT", "/api/v1/me/password", token,
                         "{\"old_password\":\"wrong horse\",\"new_password\":\"battery staple\"}"),
                     403);
    assert_string_equal(got(s, "fields.0.field"), "old_password");
    assert_int_equal(ask(s, "PUT", "/api/v1/me/password", token,
                         "{\"old_password\":\"" PASSWORD "\",\"new_password\":\"aaaaaaaaaaaa\"}"),
                     400);
    assert_string_equal(got(s, "fields.0.field"), "new_password");
    assert_int_equal(ask(s, "PUT", "/api/v1/me/password", token,
                         "{\"old_password\":\"" PASSWORD "\",\"new_password\":\"battery staple\"}"),
                     204);
    assert_int_equal(s->n_withdrawals, 1);
    assert_false(id_is_zero(&s->withdrawn.user_id));
    assert_int_equal(ask(s, "GET", "/api/v1/me", other, NULL), 401);
    assert_int_equal(ask(s, "GET", "/api/v1/me", token, NULL), 200);
    assert_int_equal(ask(s, "POST", "/api/v1/login", NULL, LOGIN("ada", "battery staple")), 200);
}

static void what_is_no_token_is_refused(void **state)
{
    static const char *const credentials[] = {
        NULL,
        "rubbish",
        "adit_s",
        "adit_sAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "Authorization: Basic YWRhOnB3\n",
        "Authorization: Bearer\n",
        "Authorization: Bearer a\nAuthorization: Bearer b\n",
        "Cookie: adit_session=\n",
        "Cookie: adit_session=rubbish\n",
        "Cookie: __Host-adit_session=rubbish\n",
    };
    struct scene *s = *state;

    for (size_t i = 0; i < ARRAY_LEN(credentials); i++) {
        assert_int_equal(ask(s, "GET", "/api/v1/me", credentials[i], NULL), 401);
        assert_true(has_line(s, "WWW-Authenticate: Bearer realm=\"adit\""));
        assert_string_not_equal(got(s, "message"), "");
    }
}

static void an_agents_token_is_no_persons_token(void **state)
{
    struct scene *s = *state;
    char token[TOKEN_TEXT_SIZE], agent[TOKEN_TEXT_SIZE];

    make_first(s, token);
    assert_int_equal(ask(s, "POST", "/api/v1/workspaces", token, "{\"name\":\"dev\"}"), 201);
    str_copy(agent, sizeof(agent), got(s, "tokens.0.token"));
    assert_int_equal(ask(s, "GET", "/api/v1/me", agent, NULL), 401);
    assert_int_equal(ask(s, "GET", "/api/v1/agent/connect", token, NULL), 401);
    assert_int_equal(s->n_connects, 0);
}

static void with_the_cookie_a_change_must_come_from_here(void **state)
{
    static const struct {
        const char *fields;
        unsigned status;
    } table[] = {
        {"", 403},
        {"Adit-Csrf: 1\n", 403},
        {"Origin: http://adit.test\n", 403},
        {"Sec-Fetch-Site: same-origin\n", 403},
        {"Adit-Csrf: 1\nOrigin: http://evil.test\n", 403},
        {"Adit-Csrf: 1\nOrigin: null\n", 403},
        {"Adit-Csrf: 1\nOrigin: http://app.adit.test\nSec-Fetch-Site: same-site\n", 403},
        {"Adit-Csrf: 1\nOrigin: http://adit.test\nSec-Fetch-Site: same-site\n", 403},
        {"Adit-Csrf: 1\nOrigin: http://adit.test\nSec-Fetch-Site: cross-site\n", 403},
        {"Adit-Csrf: 1\nOrigin: http://adit.test\nOrigin: http://adit.test\n", 403},
        {"Adit-Csrf: 0\nOrigin: http://adit.test\n", 403},
        {"Adit-Csrf: 1\nOrigin: http://adit.test\n", 409},
        {"Adit-Csrf: 1\nSec-Fetch-Site: same-origin\n", 409},
    };
    struct scene *s = *state;
    char token[TOKEN_TEXT_SIZE], cookie[256], fields[512];

    make_first(s, token);
    take_cookie(s, cookie, sizeof(cookie));
    assert_int_equal(ask(s, "POST", "/api/v1/workspaces", token, "{\"name\":\"dev\"}"), 201);
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        snprintf(fields, sizeof(fields), "%s%s", cookie, table[i].fields);
        if (ask(s, "POST", "/api/v1/workspaces", fields, "{\"name\":\"dev\"}") != table[i].status)
            fail_msg("%s: %u", table[i].fields, s->a.status);
    }
}

/* Browsers do not show the answer to another site, but it costs: event streams above all. */
static void with_the_cookie_pages_elsewhere_read_nothing(void **state)
{
    static const struct {
        const char *fields;
        unsigned status;
    } table[] = {
        {"", 200},
        {"Sec-Fetch-Site: none\nSec-Fetch-Mode: navigate\n", 200},
        {"Sec-Fetch-Site: same-origin\nSec-Fetch-Mode: cors\n", 200},
        {"Origin: http://adit.test\nSec-Fetch-Site: same-origin\n", 200},
        {"Sec-Fetch-Site: cross-site\nSec-Fetch-Mode: navigate\n", 200},
        {"Sec-Fetch-Site: same-site\nSec-Fetch-Mode: no-cors\n", 403},
        {"Sec-Fetch-Site: cross-site\nSec-Fetch-Mode: cors\nOrigin: http://evil.test\n", 403},
        {"Origin: http://app.adit.test\n", 403},
        {"Origin: null\n", 403},
    };
    struct scene *s = *state;
    char token[TOKEN_TEXT_SIZE], cookie[256], fields[512];

    make_first(s, token);
    take_cookie(s, cookie, sizeof(cookie));
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        snprintf(fields, sizeof(fields), "%s%s", cookie, table[i].fields);
        if (ask(s, "GET", "/api/v1/workspaces", fields, NULL) != table[i].status)
            fail_msg("%s: %u", table[i].fields, s->a.status);
    }
}

static void another_sites_page_cannot_log_in_or_set_up(void **state)
{
    struct scene *s = *state;

    assert_int_equal(ask(s, "POST", "/api/v1/setup", "Origin: http://evil.test\n", SETUP("eve")),
                     403);
    assert_int_equal(ask(s, "POST", "/api/v1/setup", "Sec-Fetch-Site: cross-site\n", SETUP("eve")),
                     403);
    /* A name that was pointed at this server is no better (DNS rebinding). */
    assert_int_equal(scene_send_raw(s,
                                    "POST /api/v1/setup HTTP/1.1\r\nHost: evil.test:7777\r\n"
                                    "Origin: http://evil.test:7777\r\nConnection: close\r\n"
                                    "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
                                    strlen("POST /api/v1/setup HTTP/1.1\r\nHost: evil.test:7777\r\n"
                                           "Origin: http://evil.test:7777\r\nConnection: close\r\n"
                                           "Content-Type: application/json\r\n"
                                           "Content-Length: 2\r\n\r\n{}")),
                     403);
    assert_int_equal(ask(s, "POST", "/api/v1/setup", "Origin: http://adit.test\n", SETUP("ada")),
                     201);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        T(the_first_user_sets_the_server_up),
        T(the_server_is_set_up_once),
        T(a_weak_first_password_is_refused),
        T(a_log_in_gives_a_token_and_a_cookie),
        T(over_https_the_cookie_is_bound_to_host_and_tls),
        T(a_wrong_password_and_an_unknown_name_look_the_same),
        T(log_in_attempts_are_limited),
        T(logging_out_ends_the_session),
        T(a_new_password_needs_the_old_one_and_ends_other_sessions),
        T(what_is_no_token_is_refused),
        T(an_agents_token_is_no_persons_token),
        T(with_the_cookie_a_change_must_come_from_here),
        T(with_the_cookie_pages_elsewhere_read_nothing),
        T(another_sites_page_cannot_log_in_or_set_up),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
