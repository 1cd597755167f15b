/* What strangers may send to every endpoint, and what it costs them. */
#include "web/dashboard.h"
#include "web/test_web.h"

#define AT_LOGIN(fields) "POST /api/v1/login HTTP/1.1\r\nHost: adit.test\r\n" fields

static unsigned send_text(struct scene *s, const char *text)
{
    return scene_send_raw(s, text, strlen(text));
}

static void expect_error(struct scene *s, unsigned status)
{
    assert_int_equal(s->a.status, status);
    assert_true(json_is_string(json_object_get(s->a.json, "message")));
}

static void broken_json_is_refused_with_the_reason(void **state)
{
    static const char *const bodies[] = {
        "",
        "{",
        "[]",
        "null",
        "\"text\"",
        "{\"user\":\"ada\"}",
        "{\"user\":1,\"password\":\"x\"}",
        "{\"user\":\"ada\",\"password\":\"x\",\"extra\":1}",
        "{\"user\":\"ada\",\"user\":\"eve\",\"password\":\"x\"}",
        "{\"user\":\"ada\",\"password\":\"x\"} trailing",
        "{\"user\":\"a\\u0000b\",\"password\":\"x\"}",
        "{\"user\":\"\xff\",\"password\":\"x\"}",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    };
    struct scene *s = *state;

    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        ask(s, "POST", "/api/v1/login", NULL, bodies[i]);
        expect_error(s, 400);
    }
}

static void a_body_must_be_json_and_say_so(void **state)
{
    struct scene *s = *state;

    assert_int_equal(send_text(s, AT_LOGIN("Connection: close\r\nContent-Length: 2\r\n\r\n{}")),
                     415);
    expect_error(s, 415);
    assert_int_equal(send_text(s, AT_LOGIN("Connection: close\r\nContent-Type: text/plain\r\n"
                                           "Content-Length: 2\r\n\r\n{}")),
                     415);
    assert_int_equal(send_text(s, AT_LOGIN("Connection: close\r\nContent-Encoding: gzip\r\n"
                                           "Content-Type: application/json\r\n"
                                           "Content-Length: 2\r\n\r\n{}")),
                     415);
    assert_int_equal(send_text(s, AT_LOGIN("Connection: close\r\n"
                                           "Content-Type: application/json; charset=utf-8\r\n"
                                           "Content-Length: 2\r\n\r\n{}")),
                     400);
    assert_int_equal(ask(s, "GET", "/api/v1/setup", NULL, "{}"), 400);
}

static void a_body_of_10_mib_is_refused(void **state)
{
    enum { LEN = 10 << 20 };
    struct scene *s = *state;
    struct buf out = BUF_INIT(LEN + 4096);

    buf_appendf(&out,
                AT_LOGIN("Connection: close\r\nContent-Type: application/json\r\n"
                         "Content-Length: %d\r\n\r\n"),
                LEN);
    memset(buf_reserve(&out, LEN), ' ', LEN);
    buf_commit(&out, LEN);
    assert_int_equal(scene_send_raw(s, (const char *)buf_data(&out), out.len), 413);
    expect_error(s, 413);
    buf_deinit(&out);
}

static void an_endless_chunked_body_is_refused(void **state)
{
    struct scene *s = *state;
    struct buf out = BUF_INIT(16 << 20);

    buf_append_str(&out, AT_LOGIN("Connection: close\r\nContent-Type: application/json\r\n"
                                  "Transfer-Encoding: chunked\r\n\r\n"));
    for (int i = 0; i < 200; i++) {
        buf_append_str(&out, "4000\r\n");
        memset(buf_reserve(&out, 0x4000), ' ', 0x4000);
        buf_commit(&out, 0x4000);
        buf_append_str(&out, "\r\n");
    }
    assert_int_equal(scene_send_raw(s, (const char *)buf_data(&out), out.len), 413);
    buf_deinit(&out);
}

static void a_mebibyte_of_headers_is_refused(void **state)
{
    enum { LEN = 1 << 20 };
    struct scene *s = *state;
    struct buf out = BUF_INIT(LEN + 4096);

    buf_append_str(&out, "GET / HTTP/1.1\r\nHost: adit.test\r\nX: ");
    memset(buf_reserve(&out, LEN), 'x', LEN);
    buf_commit(&out, LEN);
    buf_append_str(&out, "\r\n\r\n");
    assert_int_equal(scene_send_raw(s, (const char *)buf_data(&out), out.len), 431);
    buf_deinit(&out);
}

static void half_a_request_ends_with_its_time(void **state)
{
    struct scene *s = *state;

    s->conn.header_timeout = s->conn.body_timeout = 20 * USEC_PER_MSEC;
    assert_int_equal(send_text(s, "GET / HTTP/1.1\r\nHost: adi"), 408);
    assert_int_equal(send_text(s, AT_LOGIN("Content-Type: application/json\r\n"
                                           "Content-Length: 100\r\n\r\n{\"user\"")),
                     408);
    expect_error(s, 408);
}

static void every_route_names_the_methods_it_takes(void **state)
{
    static const char *const methods[] = {"GET",    "POST",  "PUT",  "PATCH",
                                          "DELETE", "TRACE", "HEAD", "PROPFIND"};
    struct scene *s = *state;

    for (size_t r = 0; r < API_ROUTE_COUNT; r++)
        for (size_t m = 0; m < ARRAY_LEN(methods); m++) {
            bool known = false;
            for (size_t i = 0; i < API_ROUTE_COUNT; i++)
                known |= str_eq(api_routes[i].path, api_routes[r].path) &&
                         (str_eq(api_routes[i].method, methods[m]) ||
                          (str_eq(methods[m], "HEAD") && str_eq(api_routes[i].method, "GET")));
            if (known)
                continue;
            if (ask(s, methods[m], api_routes[r].path, NULL, NULL) != 405)
                fail_msg("%s %s: %u", methods[m], api_routes[r].path, s->a.status);
            assert_non_null(strstr(s->a.head, "\r\nAllow: "));
        }
}

static void every_route_answers_strangers_with_an_error_of_the_one_form(void **state)
{
    struct scene *s = *state;

    for (size_t r = 0; r < API_ROUTE_COUNT; r++) {
        if (api_routes[r].auth == API_AUTH_NONE)
            continue;
        ask(s, api_routes[r].method, api_routes[r].path, NULL, NULL);
        expect_error(s, 401);
        assert_true(has_line(s, "Cache-Control: no-store"));
        assert_true(has_line(s, "X-Content-Type-Options: nosniff"));
    }
}

static void other_paths_are_not_found(void **state)
{
    static const struct {
        const char *path;
        unsigned status;
    } table[] = {
        {"/api", 404},
        {"/api/v1", 404},
        {"/api/v1/", 404},
        {"/api/v1/users/", 404},
        {"/api/v1//users", 404},
        {"/api/v2/users", 404},
        {"/API/v1/users", 404},
        {"/index.html", 404},
        {"/%", 400},
        {"/api/v1/users/..", 400},
        {"/%2e%2e/etc/passwd", 400},
        {"/api/v1/users/%00", 400},
    };
    struct scene *s = *state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        ask(s, "GET", table[i].path, NULL, NULL);
        expect_error(s, table[i].status);
    }
}

static void options_tells_what_a_path_takes(void **state)
{
    struct scene *s = *state;

    assert_int_equal(ask(s, "OPTIONS", "/api/v1/users", NULL, NULL), 204);
    assert_non_null(strstr(s->a.head, "\r\nAllow: "));
    assert_non_null(strstr(s->a.head, "POST"));
    assert_null(strstr(s->a.head, "Access-Control-Allow-Origin"));
    assert_int_equal(ask(s, "OPTIONS", "*", NULL, NULL), 204);
    assert_int_equal(ask(s, "OPTIONS", "/nothing", NULL, NULL), 404);
}

static void head_has_the_fields_of_get_without_the_body(void **state)
{
    struct scene *s = *state;

    assert_int_equal(ask(s, "HEAD", "/assets/page.css", NULL, NULL), 200);
    assert_string_equal(s->a.body, "");
    assert_true(has_line(s, "Content-Type: text/css; charset=utf-8"));
    assert_int_equal(ask(s, "HEAD", "/nothing", NULL, NULL), 404);
}

static void the_page_says_what_this_is_without_any_script(void **state)
{
    struct scene *s = *state;

    if (!dashboard_is_there()) {
        assert_int_equal(ask(s, "GET", "/", NULL, NULL), 200);
        assert_non_null(strstr(s->a.body, "adit login http://adit.test"));
        assert_non_null(strstr(s->a.body, "adit 1.2.3"));
        assert_null(strstr(s->a.body, "<script"));
        assert_non_null(strstr(s->a.head, "frame-ancestors 'none'"));
    }
    assert_int_equal(ask(s, "GET", "/assets/page.css", NULL, NULL), 200);
    assert_non_null(strstr(s->a.body, "prefers-color-scheme: dark"));
}

static void answers_are_counted_by_route_and_status(void **state)
{
    struct scene *s = *state;
    struct web_count count;
    uint64_t login_400 = 0, none_404 = 0, page_200 = 0;

    ask(s, "POST", "/api/v1/login", NULL, "{}");
    ask(s, "POST", "/api/v1/login", NULL, "{}");
    ask(s, "GET", "/nothing", NULL, NULL);
    ask(s, "GET", "/assets/page.css", NULL, NULL);
    for (size_t i = 0; web_counters_get(&s->counters, i, &count); i++) {
        if (str_eq(count.route, "login") && count.status == 400)
            login_400 = count.n;
        if (str_eq(count.route, "none") && count.status == 404)
            none_404 = count.n;
        if (str_eq(count.route, "page") && count.status == 200)
            page_200 = count.n;
    }
    assert_int_equal(login_400, 2);
    assert_int_equal(none_404, 1);
    assert_int_equal(page_200, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        T(broken_json_is_refused_with_the_reason),
        T(a_body_must_be_json_and_say_so),
        T(a_body_of_10_mib_is_refused),
        T(an_endless_chunked_body_is_refused),
        T(a_mebibyte_of_headers_is_refused),
        T(half_a_request_ends_with_its_time),
        T(every_route_names_the_methods_it_takes),
        T(every_route_answers_strangers_with_an_error_of_the_one_form),
        T(other_paths_are_not_found),
        T(options_tells_what_a_path_takes),
        T(head_has_the_fields_of_get_without_the_body),
        T(the_page_says_what_this_is_without_any_script),
        T(answers_are_counted_by_route_and_status),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
