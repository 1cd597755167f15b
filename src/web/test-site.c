/* The pages with forms, and the hand-over of a log-in. */
#include "auth/hand_over.h"
#include "auth/key_ring.h"
#include "proto/app_url.h"
#include "web/dashboard.h"
#include "web/dashboard_files.h"
#include "web/test_web.h"

#define HERE "Origin: http://adit.test\n"
#define FORM "Content-Type: application/x-www-form-urlencoded\n"

/* Sends a form; `lines`: fields, each ended by "\n". */
static unsigned post(struct scene *s, const char *path, const char *lines, const char *form)
{
    struct buf out = BUF_INIT(65536);
    struct span rest = span_of(lines), line;
    unsigned status;

    buf_appendf(&out, "POST %s HTTP/1.1\r\nHost: adit.test\r\nConnection: close\r\n", path);
    while (span_split(&rest, '\n', &line) && line.len > 0)
        buf_appendf(&out, SPAN_FMT "\r\n", SPAN_ARG(line));
    buf_appendf(&out, "Content-Length: %zu\r\n\r\n%s", strlen(form), form);
    status = scene_send_raw(s, (const char *)buf_data(&out), out.len);
    buf_deinit(&out);
    return status;
}

static const char *cookie_line(const char *token)
{
    static char line[128];

    snprintf(line, sizeof(line), "Cookie: adit_session=%s\n", token);
    return line;
}

static void a_form_logs_in_and_leads_on(void **state)
{
    struct scene *s = *state;
    char ada[TOKEN_TEXT_SIZE];

    make_first(s, ada);
    assert_int_equal(ask(s, "GET", "/login?next=%2Fa%3Fb%3D%22c", NULL, NULL), 200);
    assert_non_null(strstr(s->a.body, "name=\"next\" value=\"/a?b=&quot;c\""));
    assert_true(has_line(s, "Referrer-Policy: same-origin"));
    assert_int_equal(
        post(s, "/login", HERE FORM, "user=ada&password=correct+horse&next=%2Fa%3Fb%3Dc"), 303);
    assert_true(has_line(s, "Location: /a?b=c"));
    assert_non_null(strstr(s->a.head, "Set-Cookie: adit_session=adit_s"));
    expect_recorded(s, "login ada ada ok");
    assert_int_equal(post(s, "/login", FORM, "user=ADA&password=correct+horse"), 303);
    assert_true(has_line(s, "Location: /"));
}

static void what_is_wrong_is_told_in_the_form(void **state)
{
    struct scene *s = *state;
    char ada[TOKEN_TEXT_SIZE];

    make_first(s, ada);
    assert_int_equal(post(s, "/login", HERE FORM, "user=%3Cb%3E&password=x&next=%2Fa"), 401);
    assert_non_null(strstr(s->a.body, "role=\"alert\""));
    assert_non_null(strstr(s->a.body, "value=\"&lt;b&gt;\""));
    assert_non_null(strstr(s->a.body, "value=\"/a\""));
    assert_null(strstr(s->a.head, "Set-Cookie"));
    expect_recorded(s, "login  <b> wrong name or password");
    assert_int_equal(post(s, "/login", HERE FORM, "user=ada"), 400);
    assert_int_equal(post(s, "/login", HERE FORM, ""), 400);
    assert_int_equal(post(s, "/login", HERE, "user=ada&password=x"), 415);
    assert_int_equal(post(s, "/login", HERE "Content-Type: application/json\n", "{}"), 415);
    for (unsigned i = 0; i < 40 && s->a.status != 429; i++)
        post(s, "/login", HERE FORM, "user=ada&password=x");
    assert_int_equal(s->a.status, 429);
    assert_non_null(strstr(s->a.head, "Retry-After: "));
}

static void a_form_leads_nowhere_else(void **state)
{
    static const char *const wrong[] = {"%2F%5Cevil.test",
                                        "http%3A%2F%2Fevil.test%2F",
                                        "evil",
                                        "%2Fa%0D%0AX%3A+y",
                                        "%5C%5Cevil.test",
                                        "",
                                        "javascript%3Aalert",
                                        "%2Fa%00b"};
    struct scene *s = *state;
    char ada[TOKEN_TEXT_SIZE], form[256];

    make_first(s, ada);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        snprintf(form, sizeof(form), "user=ada&password=correct+horse&next=%s", wrong[i]);
        assert_int_equal(post(s, "/login", HERE FORM, form), 303);
        if (!has_line(s, "Location: /"))
            fail_msg("%s: %s", wrong[i], s->a.head);
    }
    assert_int_equal(
        post(s, "/login", HERE FORM, "user=ada&password=correct+horse&next=%2F%2Fevil.test"), 303);
    assert_true(has_line(s, "Location: /.//evil.test"));
}

static void forms_of_other_sites_are_refused(void **state)
{
    static const char *const origins[] = {"Origin: http://evil.test\n", "Origin: null\n",
                                          "Origin: http://9--a--b.localhost:7777\n",
                                          HERE "Sec-Fetch-Site: cross-site\n"};
    struct scene *s = *state;
    char ada[TOKEN_TEXT_SIZE], lines[512];

    make_first(s, ada);
    for (size_t i = 0; i < ARRAY_LEN(origins); i++) {
        snprintf(lines, sizeof(lines), "%s%s", origins[i], FORM);
        assert_int_equal(post(s, "/login", lines, "user=ada&password=correct+horse"), 403);
        snprintf(lines, sizeof(lines), "%s%s", origins[i], cookie_line(ada));
        assert_int_equal(post(s, "/logout", lines, ""), 403);
    }
    assert_int_equal(post(s, "/logout", cookie_line(ada), ""), 403);
    assert_int_equal(ask(s, "GET", "/api/v1/me", ada, NULL), 200);
}

/* ---- the dashboard ---- */

/* A program may be built without one. */
#define NEEDS_DASHBOARD()                                                                          \
    do {                                                                                           \
        if (!dashboard_is_there())                                                                 \
            skip();                                                                                \
    } while (0)

static void pages_lead_to_the_log_in_and_back(void **state)
{
    struct scene *s = *state;
    char ada[TOKEN_TEXT_SIZE];

    NEEDS_DASHBOARD();
    make_first(s, ada);
    assert_int_equal(ask(s, "GET", "/", NULL, NULL), 303);
    assert_true(has_line(s, "Location: /login"));
    assert_int_equal(ask(s, "GET", "/audit?user=ada&x=%26", NULL, NULL), 303);
    assert_true(has_line(s, "Location: /login?next=%2Faudit%3Fuser%3Dada%26x%3D%2526"));
    assert_int_equal(ask(s, "GET", "/workspaces/ada/dev", cookie_line(ada), NULL), 200);
    assert_non_null(strstr(s->a.body, "<script type=\"module\" src=\"/assets/app-"));
    assert_int_equal(ask(s, "GET", "/login", cookie_line(ada), NULL), 303);
    assert_true(has_line(s, "Location: /"));
}

static void an_empty_server_leads_to_its_set_up(void **state)
{
    struct scene *s = *state;
    char ada[TOKEN_TEXT_SIZE];

    NEEDS_DASHBOARD();
    assert_int_equal(ask(s, "GET", "/", NULL, NULL), 303);
    assert_true(has_line(s, "Location: /setup"));
    assert_int_equal(ask(s, "GET", "/login", NULL, NULL), 303);
    assert_true(has_line(s, "Location: /setup"));
    assert_int_equal(ask(s, "GET", "/setup", NULL, NULL), 200);
    make_first(s, ada);
    assert_int_equal(ask(s, "GET", "/setup", NULL, NULL), 303);
    assert_true(has_line(s, "Location: /"));
}

static void the_log_out_lets_go(void **state)
{
    struct scene *s = *state;
    char ada[TOKEN_TEXT_SIZE], lines[512];

    make_first(s, ada);
    snprintf(lines, sizeof(lines), HERE "%s", cookie_line(ada));
    assert_int_equal(post(s, "/logout", lines, ""), 303);
    assert_true(has_line(s, "Location: /login"));
    assert_non_null(strstr(s->a.head, "Set-Cookie: adit_session=; Path=/; Max-Age=0"));
    assert_int_equal(s->n_withdrawals, 1);
    assert_false(id_is_zero(&s->withdrawn.token_id));
    assert_int_equal(ask(s, "GET", "/api/v1/me", ada, NULL), 401);
    assert_int_equal(post(s, "/logout", lines, ""), 303);
}

static void the_page_forbids_what_it_does_not_need(void **state)
{
    struct scene *s = *state;
    char ada[TOKEN_TEXT_SIZE];

    NEEDS_DASHBOARD();
    make_first(s, ada);
    assert_int_equal(ask(s, "GET", "/", cookie_line(ada), NULL), 200);
    assert_non_null(strstr(s->a.head, "Content-Security-Policy: default-src 'none'; "
                                      "script-src 'self'; style-src 'self'; connect-src 'self'; "));
    assert_non_null(strstr(s->a.head, "frame-ancestors 'none'"));
    assert_null(strstr(s->a.head, "unsafe"));
    assert_null(strstr(s->a.body, "<style"));
    assert_null(strstr(s->a.body, "style="));
    assert_null(strstr(s->a.body, "<script>"));
}

static void files_are_compressed_and_kept(void **state)
{
    struct scene *s = *state;
    char path[128], line[256];
    const char *etag;

    NEEDS_DASHBOARD();
    snprintf(path, sizeof(path), "%s", dashboard_files[0].path);
    assert_int_equal(ask(s, "GET", path, NULL, NULL), 200);
    assert_true(has_line(s, "Cache-Control: public, max-age=31536000, immutable"));
    assert_true(has_line(s, "Vary: Accept-Encoding"));
    assert_null(strstr(s->a.head, "Content-Encoding"));
    assert_int_equal(ask(s, "GET", path, "Accept-Encoding: gzip, deflate\n", NULL), 200);
    assert_true(has_line(s, "Content-Encoding: gzip"));
    assert_int_equal(ask(s, "GET", path, "Accept-Encoding: gzip;q=0.5, br;q=1.0\n", NULL), 200);
    assert_true(has_line(s, "Content-Encoding: br"));
    assert_int_equal(ask(s, "GET", path, "Accept-Encoding: gzip;q=0, br;q=0\n", NULL), 200);
    assert_null(strstr(s->a.head, "Content-Encoding"));
    etag = strstr(s->a.head, "ETag: ");
    assert_non_null(etag);
    etag += strlen("ETag: ");
    snprintf(line, sizeof(line), "If-None-Match: %.*s\n", (int)strcspn(etag, "\r"), etag);
    assert_int_equal(ask(s, "GET", path, line, NULL), 304);
    assert_int_equal(ask(s, "GET", "/assets/app-gone.js", "Accept: text/html\n", NULL), 404);
    assert_null(strstr(s->a.body, "<script"));
}

static void what_is_not_there_is_a_page_for_browsers_only(void **state)
{
    struct scene *s = *state;

    NEEDS_DASHBOARD();
    assert_int_equal(ask(s, "GET", "/nothing", "Accept: text/html,*/*;q=0.8\n", NULL), 404);
    assert_non_null(strstr(s->a.body, "<script type=\"module\""));
    assert_int_equal(ask(s, "GET", "/nothing", "Accept: application/json\n", NULL), 404);
    assert_non_null(s->a.json);
    assert_int_equal(ask(s, "GET", "/api/v1/nothing", "Accept: text/html\n", NULL), 404);
    assert_non_null(s->a.json);
}

/* ---- the hand-over ---- */

static struct key_ring *open_apps(struct scene *s)
{
    struct key_ring *keys = key_ring_new(s->store, s->loop, HAND_OVER_KEYS, HAND_OVER_LIFE);

    assert_int_equal(app_site_parse(SPAN("*.apps.test"), SPAN("http://adit.test"), &s->apps, NULL),
                     0);
    while (!key_ring_ready(keys))
        loop_turn(s->loop, true);
    s->web = web_free(s->web);
    s->web = web_new(&(struct web_options){.loop = s->loop,
                                           .auth = s->auth,
                                           .access_url = "http://adit.test",
                                           .wildcard_url = "*.apps.test",
                                           .apps = &s->apps,
                                           .hand_overs = keys,
                                           .version = "1.2.3",
                                           .body_max = 1 << 20,
                                           .counters = &s->counters,
                                           .live = &scene_live,
                                           .live_ud = s});
    return keys;
}

#define REDIRECT "/api/v1/applications/auth-redirect?redirect_uri="

static void a_log_in_is_handed_to_the_app_that_asked(void **state)
{
    struct scene *s = *state;
    struct key_ring *keys;
    struct hand_over h;
    char ada[TOKEN_TEXT_SIZE];

    make_first(s, ada);
    keys = open_apps(s);
    assert_int_equal(
        ask(s, "GET", REDIRECT "http%3A%2F%2F9--a--b.apps.test%2Fx%3Fy", cookie_line(ada), NULL),
        303);
    const char *value = strstr(s->a.head, "Location: http://9--a--b.apps.test/x?y&adit_hand_over=");
    assert_non_null(value);
    value = strchr(value, '&') + strlen("&adit_hand_over=");
    assert_int_equal(
        hand_over_open(keys, span_from(value, strcspn(value, "\r")), clock_realtime(), &h), 0);
    assert_string_equal(h.site, "9--a--b.apps.test");
    assert_int_equal(ask(s, "GET", REDIRECT "http%3A%2F%2Fevil.test%2F", cookie_line(ada), NULL),
                     400);
    assert_int_equal(ask(s, "GET", "/api/v1/applications/auth-redirect", ada, NULL), 400);
    key_ring_free(keys);
}

static void a_stranger_logs_in_first_and_comes_back(void **state)
{
    struct scene *s = *state;
    struct key_ring *keys;

    keys = open_apps(s);
    assert_int_equal(ask(s, "GET", REDIRECT "http%3A%2F%2F9--a--b.apps.test%2F", NULL, NULL), 303);
    assert_true(has_line(s, "Location: /login?next=%2Fapi%2Fv1%2Fapplications%2Fauth-redirect%3F"
                            "redirect_uri%3Dhttp%253A%252F%252F9--a--b.apps.test%252F"));
    assert_int_equal(ask(s, "GET", REDIRECT "http%3A%2F%2F9--a--b.apps.test%2F",
                         "Cookie: adit_session=nonsense\n", NULL),
                     303);
    assert_int_equal(ask(s, "GET", REDIRECT "http%3A%2F%2Fevil.test%2F", NULL, NULL), 400);
    key_ring_free(keys);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_form_logs_in_and_leads_on),
        TEST(what_is_wrong_is_told_in_the_form),
        TEST(a_form_leads_nowhere_else),
        TEST(forms_of_other_sites_are_refused),
        TEST(pages_lead_to_the_log_in_and_back),
        TEST(an_empty_server_leads_to_its_set_up),
        TEST(the_log_out_lets_go),
        TEST(the_page_forbids_what_it_does_not_need),
        TEST(files_are_compressed_and_kept),
        TEST(what_is_not_there_is_a_page_for_browsers_only),
        TEST(a_log_in_is_handed_to_the_app_that_asked),
        TEST(a_stranger_logs_in_first_and_comes_back),
    };

    alarm(110);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
