/* Port shares by the API: caps, people, expiry, what a change withdraws, and the list of ports. */
#include "web/test_web.h"

#define SHARES "/api/v1/workspaces/bob/dev/agents/main/shares"
#define PORTS  "/api/v1/workspaces/bob/dev/agents/main/ports"

struct people {
    char ada[TOKEN_TEXT_SIZE]; /* administrator */
    char bob[TOKEN_TEXT_SIZE]; /* owner of the workspace dev */
};

static void make_people(struct scene *s, struct people *p)
{
    char eve[TOKEN_TEXT_SIZE];

    make_first(s, p->ada);
    make_user(s, p->ada, "bob", "member", p->bob);
    make_user(s, p->ada, "eve", "member", eve);
    assert_int_equal(ask(s, "POST", "/api/v1/workspaces", p->bob, "{\"name\":\"dev\"}"), 201);
    assert_int_equal(id_parse(span_of(got(s, "workspace.agents.0.id")), &s->present[0]), 0);
    s->n_present = 1;
}

static void a_share_is_set_listed_and_ended(void **state)
{
    struct scene *s = *state;
    struct people p;

    make_people(s, &p);
    assert_int_equal(
        ask(s, "PUT", SHARES "/8080", p.bob,
            "{\"level\":\"users\",\"users\":[\"Eve\",\"ada\"],\"protocol\":\"https\"}"),
        200);
    assert_string_equal(got(s, "level"), "users");
    assert_string_equal(got(s, "users.0"), "ada");
    assert_string_equal(got(s, "users.1"), "eve");
    assert_string_equal(got(s, "protocol"), "https");
    assert_string_equal(got(s, "url"), "http://8080s--dev--bob.localhost:7777/");
    expect_recorded(s, "share_set bob 8080 users ok");
    assert_int_equal(ask(s, "PUT", SHARES "/9", p.bob, "{\"level\":\"authenticated\"}"), 200);
    assert_int_equal(ask(s, "GET", SHARES, p.bob, NULL), 200);
    assert_string_equal(got(s, "max_level"), "authenticated");
    assert_int_equal(got_len(s, "shares"), 2);
    assert_string_equal(got(s, "shares.0.url"), "http://9--dev--bob.localhost:7777/");
    assert_int_equal(ask(s, "DELETE", SHARES "/8080", p.bob, NULL), 204);
    expect_recorded(s, "share_delete bob 8080 ok");
    assert_int_equal(ask(s, "DELETE", SHARES "/8080", p.bob, NULL), 404);
    assert_int_equal(ask(s, "GET", SHARES, p.bob, NULL), 200);
    assert_int_equal(got_len(s, "shares"), 1);
}

static void the_templates_maximum_caps_shares(void **state)
{
    struct scene *s = *state;
    struct people p;

    make_people(s, &p);
    assert_int_equal(ask(s, "PUT", SHARES "/8080", p.bob, "{\"level\":\"public\"}"), 403);
    assert_string_equal(got(s, "fields.0.field"), "level");
    assert_string_equal(got(s, "fields.0.message"),
                        "The template \"default\" of this workspace lets ports be shared with "
                        "\"authenticated\" at most.");
    assert_int_equal(ask(s, "PUT", "/api/v1/templates/default", p.ada,
                         "{\"yaml\":\"max_port_share_level: public\"}"),
                     200);
    assert_int_equal(ask(s, "PUT", SHARES "/8080", p.bob, "{\"level\":\"public\"}"), 200);
    assert_int_equal(ask(s, "PUT", "/api/v1/templates/default", p.ada,
                         "{\"yaml\":\"max_port_share_level: owner\"}"),
                     200);
    assert_int_equal(ask(s, "PUT", SHARES "/8080", p.bob, "{\"level\":\"authenticated\"}"), 403);
    assert_int_equal(ask(s, "PUT", SHARES "/8080", p.bob, "{\"level\":\"owner\"}"), 200);
}

static void wrong_shares_are_refused(void **state)
{
    static const struct {
        const char *path, *body, *field;
    } rows[] = {
        {SHARES "/8", "{\"level\":\"owner\"}", "target"},
        {SHARES "/65536", "{\"level\":\"owner\"}", "target"},
        {SHARES "/8080s", "{\"level\":\"owner\"}", "target"},
        {SHARES "/a--b", "{\"level\":\"owner\"}", "target"},
        {SHARES "/lab", "{\"level\":\"owner\",\"protocol\":\"https\"}", "protocol"},
        {SHARES "/8080", "{}", "level"},
        {SHARES "/8080", "{\"level\":\"all\"}", "level"},
        {SHARES "/8080", "{\"level\":\"users\"}", "users"},
        {SHARES "/8080", "{\"level\":\"users\",\"users\":[]}", "users"},
        {SHARES "/8080", "{\"level\":\"users\",\"users\":[\"nobody\"]}", "users"},
        {SHARES "/8080", "{\"level\":\"users\",\"users\":[\"eve\",\"nobody\"]}", "users"},
        {SHARES "/8080", "{\"level\":\"users\",\"users\":[\"eve\",\"a--b\"]}", "users[1]"},
        {SHARES "/8080", "{\"level\":\"owner\",\"users\":[\"eve\"]}", "users"},
        {SHARES "/8080", "{\"level\":\"owner\",\"protocol\":\"ftp\"}", "protocol"},
        {SHARES "/8080", "{\"level\":\"owner\",\"expires_in\":-1}", "expires_in"},
        {SHARES "/8080", "{\"level\":\"owner\",\"expires_in\":31622401}", "expires_in"},
    };
    struct scene *s = *state;
    struct people p;

    make_people(s, &p);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(ask(s, "PUT", rows[i].path, p.bob, rows[i].body), 400);
        assert_string_equal(got(s, "fields.0.field"), rows[i].field);
    }
    assert_int_equal(ask(s, "DELETE", SHARES "/8", p.bob, NULL), 400);
    assert_int_equal(ask(s, "PUT", "/api/v1/workspaces/bob/dev/agents/none/shares/8080", p.bob,
                         "{\"level\":\"owner\"}"),
                     404);
    assert_int_equal(ask(s, "GET", SHARES, p.bob, NULL), 200);
    assert_int_equal(got_len(s, "shares"), 0);
    assert_int_equal(s->n_withdrawals, 0);
}

/* Sets the share and tells whether that withdrew what was let through to it. */
static bool withdraws(struct scene *s, const struct people *p, const char *body)
{
    unsigned before = s->n_withdrawals;

    s->withdrawn = (struct web_withdrawal){.agents = true};
    assert_int_equal(ask(s, "PUT", SHARES "/8080", p->bob, body), 200);
    if (s->n_withdrawals == before)
        return false;
    assert_string_equal(s->withdrawn.target, "8080");
    assert_true(id_equal(&s->withdrawn.agent_id, &s->present[0]));
    assert_false(s->withdrawn.agents);
    return true;
}

static void what_takes_a_right_away_withdraws_and_what_gives_one_does_not(void **state)
{
    struct scene *s = *state;
    struct people p;
    unsigned before;

    make_people(s, &p);
    assert_false(withdraws(s, &p, "{\"level\":\"users\",\"users\":[\"eve\"]}"));
    assert_false(withdraws(s, &p, "{\"level\":\"users\",\"users\":[\"ada\",\"eve\"]}"));
    assert_true(withdraws(s, &p, "{\"level\":\"users\",\"users\":[\"ada\"]}"));
    assert_false(withdraws(s, &p, "{\"level\":\"authenticated\"}"));
    assert_true(withdraws(s, &p, "{\"level\":\"authenticated\",\"protocol\":\"https\"}"));
    assert_true(withdraws(s, &p, "{\"level\":\"users\",\"users\":[\"ada\"]}"));
    assert_true(withdraws(s, &p, "{\"level\":\"authenticated\",\"expires_in\":60}"));
    assert_true(withdraws(s, &p, "{\"level\":\"owner\"}"));
    before = s->n_withdrawals;
    assert_int_equal(ask(s, "DELETE", SHARES "/8080", p.bob, NULL), 204);
    assert_int_equal(s->n_withdrawals, before + 1);
    assert_string_equal(s->withdrawn.target, "8080");
    /* What there was between the end and now is not known: better once too often. */
    assert_true(withdraws(s, &p, "{\"level\":\"authenticated\"}"));
}

static void a_share_that_has_expired_is_none(void **state)
{
    struct scene *s = *state;
    struct people p;
    usec_t end = clock_monotonic() + 20 * USEC_PER_SEC, until;

    make_people(s, &p);
    assert_int_equal(
        ask(s, "PUT", SHARES "/8080", p.bob, "{\"level\":\"authenticated\",\"expires_in\":1}"),
        200);
    assert_int_equal(clock_parse(got(s, "expires_at"), &until), 0);
    assert_true(until > clock_realtime() - 10 * USEC_PER_SEC);
    assert_true(until <= clock_realtime() + USEC_PER_SEC);
    do {
        assert_int_equal(ask(s, "GET", SHARES, p.bob, NULL), 200);
        assert_true(clock_monotonic() < end);
    } while (got_len(s, "shares") > 0);
    assert_true(clock_realtime() >= until);
}

static void a_workspace_has_so_many_shares_and_no_more(void **state)
{
    struct scene *s = *state;
    struct people p;
    char path[128];

    make_people(s, &p);
    for (unsigned i = 0; i < 256; i++) {
        snprintf(path, sizeof(path), SHARES "/%u", 1000 + i);
        assert_int_equal(ask(s, "PUT", path, p.bob, "{\"level\":\"owner\"}"), 200);
    }
    assert_int_equal(ask(s, "PUT", SHARES "/9", p.bob, "{\"level\":\"owner\"}"), 409);
    assert_int_equal(ask(s, "PUT", SHARES "/1000", p.bob, "{\"level\":\"authenticated\"}"), 200);
    assert_int_equal(ask(s, "DELETE", SHARES "/1000", p.bob, NULL), 204);
    assert_int_equal(ask(s, "PUT", SHARES "/9", p.bob, "{\"level\":\"owner\",\"expires_in\":1}"),
                     200);
    usec_t end = clock_monotonic() + 20 * USEC_PER_SEC;
    while (ask(s, "PUT", SHARES "/10", p.bob, "{\"level\":\"owner\"}") != 200) {
        assert_int_equal(s->a.status, 409);
        assert_true(clock_monotonic() < end);
    }
}

static void ports_come_with_their_share_and_url(void **state)
{
    struct scene *s = *state;
    struct people p;

    make_people(s, &p);
    s->ports_json =
        "{\"ports\":[{\"port\":3000,\"address\":\"127.0.0.1\",\"process\":\"vite\",\"pid\":7,"
        "\"speaks\":\"http\"},{\"port\":8443,\"address\":\"::\",\"process\":\"\",\"pid\":null,"
        "\"speaks\":\"tls\"},{\"port\":7,\"address\":\"::\",\"speaks\":\"other\"}]}";
    assert_int_equal(ask(s, "PUT", SHARES "/3000", p.bob, "{\"level\":\"authenticated\"}"), 200);
    assert_int_equal(ask(s, "PUT", SHARES "/9999", p.bob, "{\"level\":\"authenticated\"}"), 200);
    assert_int_equal(ask(s, "GET", PORTS, p.bob, NULL), 200);
    assert_int_equal(got_len(s, "ports"), 4);
    assert_string_equal(got(s, "ports.0.process"), "vite");
    assert_string_equal(got(s, "ports.0.share.level"), "authenticated");
    assert_string_equal(got(s, "ports.0.url"), "http://3000--dev--bob.localhost:7777/");
    assert_string_equal(got(s, "ports.1.url"), "http://8443s--dev--bob.localhost:7777/");
    assert_string_equal(got(s, "ports.1.share.level"), "");
    assert_string_equal(got(s, "ports.2.url"), "");
    assert_string_equal(got(s, "ports.3.share.level"), "authenticated");
    assert_non_null(strstr(s->a.body, "\"port\":9999,\"listening\":false"));
    assert_non_null(strstr(s->a.body, "\"port\":8443,\"listening\":true"));
}

static void what_is_not_shared_cannot_be_unshared(void **state)
{
    struct scene *s = *state;
    struct people p;

    make_people(s, &p);
    assert_int_equal(ask(s, "DELETE", SHARES "/3000", p.bob, NULL), 404);
    assert_string_equal(got(s, "message"), "This port is not shared.");
}

static void a_shared_port_is_open_when_an_app_or_a_forward_is_behind_it(void **state)
{
    struct scene *s = *state;
    struct people p;

    make_people(s, &p);
    s->ports_json =
        "{\"ports\":[],\"unlisted\":[{\"port\":9003,\"address\":\"127.0.0.1\",\"speaks\":"
        "\"unknown\","
        "\"forwarded_by\":\"eve\"},{\"port\":8888,\"address\":\"::\",\"process\":\"jupyter\","
        "\"speaks\":\"unknown\"},{\"port\":9004,\"address\":\"::1\",\"speaks\":\"unknown\","
        "\"forwarded_by\":\"bob\"}]}";
    assert_int_equal(ask(s, "GET", PORTS, p.bob, NULL), 200);
    assert_int_equal(got_len(s, "ports"), 0);
    assert_int_equal(ask(s, "PUT", SHARES "/9003", p.bob, "{\"level\":\"authenticated\"}"), 200);
    assert_int_equal(ask(s, "PUT", SHARES "/8888", p.bob, "{\"level\":\"authenticated\"}"), 200);
    assert_int_equal(ask(s, "GET", PORTS, p.bob, NULL), 200);
    assert_int_equal(got_len(s, "ports"), 2);
    assert_non_null(strstr(s->a.body, "\"port\":9003,\"listening\":true"));
    assert_non_null(strstr(s->a.body, "\"forwarded_by\":\"eve\""));
    assert_non_null(strstr(s->a.body, "\"port\":8888,\"listening\":true"));
    assert_non_null(strstr(s->a.body, "\"process\":\"jupyter\""));
    assert_null(strstr(s->a.body, "9004"));
}

#define APPS "/api/v1/workspaces/bob/dev/apps"

static void put_apps(struct scene *s, const struct people *p, const char *max, const char *of_lab)
{
    assert_int_equal(askf(s, "PUT", "/api/v1/templates/default", p->ada,
                          "{\"yaml\":\"max_port_share_level: %s\\napps:\\n"
                          "- {slug: lab, url: \\\"http://localhost:8888\\\", share: %s}\\n\"}",
                          max, of_lab),
                     200);
}

static void an_app_is_shared_over_the_template(void **state)
{
    struct scene *s = *state;
    struct people p;

    make_people(s, &p);
    put_apps(s, &p, "users", "owner");
    assert_int_equal(ask(s, "PUT", SHARES "/lab", p.bob, "{\"level\":\"authenticated\"}"), 403);
    assert_string_equal(got(s, "fields.0.message"),
                        "The template \"default\" of this workspace lets the app \"lab\" be shared "
                        "with \"users\" at most.");
    assert_int_equal(ask(s, "PUT", SHARES "/none", p.bob, "{\"level\":\"owner\"}"), 404);
    assert_string_equal(got(s, "fields.0.message"),
                        "The template \"default\" of this workspace has no app \"none\".");
    assert_int_equal(
        ask(s, "PUT", SHARES "/LAB", p.bob, "{\"level\":\"users\",\"users\":[\"eve\"]}"), 200);
    assert_string_equal(got(s, "slug"), "lab");
    assert_string_equal(got(s, "url"), "http://lab--dev--bob.localhost:7777/");
    assert_non_null(strstr(s->a.body, "\"port\":null"));
    expect_recorded(s, "share_set bob lab users ok");
    assert_int_equal(ask(s, "GET", APPS, p.bob, NULL), 200);
    assert_string_equal(got(s, "apps.0.share"), "users");
    assert_string_equal(got(s, "apps.0.own.users.0"), "eve");
    /* The level that the template gives the app is allowed anyhow. */
    put_apps(s, &p, "owner", "public");
    assert_int_equal(ask(s, "PUT", SHARES "/lab", p.bob, "{\"level\":\"public\"}"), 200);
    put_apps(s, &p, "owner", "users");
    assert_int_equal(ask(s, "GET", APPS, p.bob, NULL), 200);
    assert_string_equal(got(s, "apps.0.share"), "users");
    assert_string_equal(got(s, "apps.0.own.level"), "public");
    assert_int_equal(ask(s, "DELETE", SHARES "/lab", p.bob, NULL), 204);
    expect_recorded(s, "share_delete bob lab ok");
    assert_int_equal(ask(s, "DELETE", SHARES "/lab", p.bob, NULL), 404);
    assert_int_equal(ask(s, "GET", APPS, p.bob, NULL), 200);
    assert_string_equal(got(s, "apps.0.own.level"), "");
}

static void a_share_of_an_app_that_is_gone_is_listed_as_such(void **state)
{
    struct scene *s = *state;
    struct people p;

    make_people(s, &p);
    put_apps(s, &p, "public", "owner");
    assert_int_equal(ask(s, "PUT", SHARES "/lab", p.bob, "{\"level\":\"public\"}"), 200);
    assert_int_equal(ask(s, "PUT", "/api/v1/templates/default", p.ada, "{\"yaml\":\"{}\"}"), 200);
    assert_int_equal(ask(s, "GET", SHARES, p.bob, NULL), 200);
    assert_string_equal(got(s, "shares.0.slug"), "lab");
    assert_non_null(strstr(s->a.body, "\"missing\":true,\"url\":null"));
    assert_int_equal(ask(s, "GET", "/api/v1/workspaces/bob/dev/agents/main/apps", p.bob, NULL),
                     200);
    assert_int_equal(got_len(s, "apps"), 1);
    assert_string_equal(got(s, "apps.0.share"), "owner");
    assert_non_null(strstr(s->a.body, "\"missing\":true,\"url\":null"));
    s->ports_json = "{\"ports\":[]}";
    assert_int_equal(ask(s, "GET", PORTS, p.bob, NULL), 200);
    assert_int_equal(got_len(s, "ports"), 0);
    assert_int_equal(ask(s, "DELETE", SHARES "/lab", p.bob, NULL), 204);
    assert_int_equal(ask(s, "GET", APPS, p.bob, NULL), 200);
    assert_int_equal(got_len(s, "apps"), 0);
}

/* Without a share, people have an app by the template: the first one may take that from them. */
static void what_the_template_gave_is_withdrawn_too(void **state)
{
    struct scene *s = *state;
    struct people p;
    unsigned before;

    make_people(s, &p);
    put_apps(s, &p, "public", "authenticated");
    before = s->n_withdrawals;
    assert_int_equal(ask(s, "PUT", SHARES "/lab", p.bob, "{\"level\":\"public\"}"), 200);
    assert_int_equal(s->n_withdrawals, before);
    assert_int_equal(ask(s, "DELETE", SHARES "/lab", p.bob, NULL), 204);
    assert_int_equal(s->n_withdrawals, before + 1);
    assert_string_equal(s->withdrawn.target, "lab");
    put_apps(s, &p, "public", "authenticated");
    assert_int_equal(ask(s, "POST", "/api/v1/workspaces", p.bob, "{\"name\":\"new\"}"), 201);
    before = s->n_withdrawals;
    assert_int_equal(ask(s, "PUT", "/api/v1/workspaces/bob/new/agents/main/shares/lab", p.bob,
                         "{\"level\":\"owner\"}"),
                     200);
    assert_int_equal(s->n_withdrawals, before + 1);
    assert_string_equal(s->withdrawn.target, "lab");
    assert_int_equal(ask(s, "PUT", "/api/v1/workspaces/bob/new/agents/main/shares/lab", p.bob,
                         "{\"level\":\"users\",\"users\":[\"eve\"]}"),
                     200);
    assert_int_equal(s->n_withdrawals, before + 1);
}

static void one_of_several_agents_is_named_in_the_url(void **state)
{
    struct scene *s = *state;
    struct people p;

    make_people(s, &p);
    assert_int_equal(ask(s, "POST", "/api/v1/workspaces", p.bob,
                         "{\"name\":\"two\",\"agents\":[{\"name\":\"a\"},{\"name\":\"b\"}]}"),
                     201);
    assert_int_equal(ask(s, "PUT", "/api/v1/workspaces/bob/two/agents/b/shares/80", p.bob,
                         "{\"level\":\"owner\"}"),
                     200);
    assert_string_equal(got(s, "url"), "http://80--b--two--bob.localhost:7777/");
    assert_int_equal(ask(s, "GET", "/api/v1/workspaces/bob/two/agents/a/shares", p.bob, NULL), 200);
    assert_int_equal(got_len(s, "shares"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_share_is_set_listed_and_ended, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_templates_maximum_caps_shares, set_up, tear_down),
        cmocka_unit_test_setup_teardown(wrong_shares_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            what_takes_a_right_away_withdraws_and_what_gives_one_does_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_share_that_has_expired_is_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_workspace_has_so_many_shares_and_no_more, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(ports_come_with_their_share_and_url, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_shared_cannot_be_unshared, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_shared_port_is_open_when_an_app_or_a_forward_is_behind_it,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_app_is_shared_over_the_template, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_share_of_an_app_that_is_gone_is_listed_as_such, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_the_template_gave_is_withdrawn_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_of_several_agents_is_named_in_the_url, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
