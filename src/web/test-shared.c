/* What is shared with a person: who sees what, and as long as it can be opened. */
#include "web/test_web.h"

#define SHARES "/api/v1/workspaces/bob/dev/agents/main/shares"
#define SHARED "/api/v1/shared"

struct people {
    char ada[TOKEN_TEXT_SIZE]; /* administrator */
    char bob[TOKEN_TEXT_SIZE]; /* owner of the workspace dev */
    char eve[TOKEN_TEXT_SIZE];
    char dan[TOKEN_TEXT_SIZE];
};

static void make_people(struct scene *s, struct people *p)
{
    make_first(s, p->ada);
    make_user(s, p->ada, "bob", "member", p->bob);
    make_user(s, p->ada, "eve", "member", p->eve);
    make_user(s, p->ada, "dan", "member", p->dan);
    assert_int_equal(ask(s, "POST", "/api/v1/workspaces", p->bob, "{\"name\":\"dev\"}"), 201);
    assert_int_equal(id_parse(span_of(got(s, "workspace.agents.0.id")), &s->present[0]), 0);
    s->n_present = 1;
    s->told[WEB_AGENT_PORTS] = "{\"ports\":[{\"port\":8080,\"address\":\"127.0.0.1\","
                               "\"process\":\"vite\",\"pid\":7,\"speaks\":\"tls\"}]}";
}

static void put_template(struct scene *s, struct people *p, const char *yaml)
{
    assert_int_equal(askf(s, "PUT", "/api/v1/templates/default", p->ada, "{\"yaml\":\"%s\"}", yaml),
                     200);
}

static void share(struct scene *s, struct people *p, const char *target, const char *body)
{
    char path[128];

    snprintf(path, sizeof(path), SHARES "/%s", target);
    assert_int_equal(ask(s, "PUT", path, p->bob, body), 200);
}

/* How many things are shared with the person. */
static size_t count(struct scene *s, const char *token)
{
    assert_int_equal(ask(s, "GET", SHARED, token, NULL), 200);
    return got_len(s, "shared");
}

static void what_is_shared_by_name_is_seen_by_who_is_named(void **state)
{
    struct scene *s = *state;
    struct people p;

    make_people(s, &p);
    share(s, &p, "8080", "{\"level\":\"users\",\"users\":[\"eve\"]}");
    assert_int_equal(count(s, p.eve), 1);
    assert_string_equal(got(s, "shared.0.owner"), "bob");
    assert_string_equal(got(s, "shared.0.workspace"), "dev");
    assert_string_equal(got(s, "shared.0.agent"), "main");
    assert_string_equal(got(s, "shared.0.level"), "users");
    assert_string_equal(got(s, "shared.0.status"), "connected");
    assert_string_equal(got(s, "shared.0.url"), "http://8080s--dev--bob.localhost:7777/");
    assert_non_null(strstr(s->a.body, "\"port\":8080,\"slug\":null"));
    assert_non_null(strstr(s->a.body, "\"listening\":true"));
    assert_null(strstr(s->a.body, "vite"));
    assert_int_equal(count(s, p.dan), 0);
    assert_int_equal(count(s, p.bob), 0);
    assert_int_equal(count(s, p.ada), 0);
    share(s, &p, "8080", "{\"level\":\"users\",\"users\":[\"dan\"]}");
    assert_int_equal(count(s, p.eve), 0);
    assert_int_equal(count(s, p.dan), 1);
}

static void everyone_who_can_log_in_sees_what_is_for_them_but_nothing_public(void **state)
{
    struct scene *s = *state;
    struct people p;

    make_people(s, &p);
    put_template(s, &p, "max_port_share_level: public");
    share(s, &p, "9000", "{\"level\":\"authenticated\"}");
    share(s, &p, "9001", "{\"level\":\"public\"}");
    share(s, &p, "9002", "{\"level\":\"owner\"}");
    assert_int_equal(count(s, p.eve), 1);
    assert_string_equal(got(s, "shared.0.level"), "authenticated");
    assert_non_null(strstr(s->a.body, "\"port\":9000"));
    assert_non_null(strstr(s->a.body, "\"listening\":false"));
    assert_int_equal(count(s, p.ada), 1);
    assert_int_equal(count(s, p.bob), 0);
}

static void the_templates_limit_counts(void **state)
{
    struct scene *s = *state;
    struct people p;

    make_people(s, &p);
    share(s, &p, "8080", "{\"level\":\"authenticated\"}");
    share(s, &p, "8081", "{\"level\":\"users\",\"users\":[\"eve\"]}");
    assert_int_equal(count(s, p.eve), 2);
    put_template(s, &p, "max_port_share_level: users");
    assert_int_equal(count(s, p.eve), 1);
    assert_non_null(strstr(s->a.body, "\"port\":8081"));
    assert_int_equal(count(s, p.dan), 0);
    put_template(s, &p, "max_port_share_level: owner");
    assert_int_equal(count(s, p.eve), 0);
}

#define APP(slug, more)                                                                            \
    "  - slug: " slug "\\n    url: http://localhost:9000/\\n    display_name: The " slug "\\"      \
    "n" more

static void an_app_is_seen_as_long_as_the_template_has_it(void **state)
{
    struct scene *s = *state;
    struct people p;

    make_people(s, &p);
    put_template(
        s, &p, "apps:\\n" APP("lab", "    subdomain: true\\n") APP("path", "    subdomain: false"));
    share(s, &p, "lab", "{\"level\":\"users\",\"users\":[\"eve\"]}");
    share(s, &p, "path", "{\"level\":\"users\",\"users\":[\"eve\"]}");
    assert_int_equal(count(s, p.eve), 1); /* apps at paths are their owner's only */
    assert_string_equal(got(s, "shared.0.slug"), "lab");
    assert_string_equal(got(s, "shared.0.display_name"), "The lab");
    assert_string_equal(got(s, "shared.0.health"), "disabled");
    assert_string_equal(got(s, "shared.0.url"), "http://lab--dev--bob.localhost:7777/");
    put_template(s, &p, "apps: []");
    assert_int_equal(count(s, p.eve), 0);
}

static void what_has_gone_is_not_seen(void **state)
{
    struct scene *s = *state;
    struct people p;

    make_people(s, &p);
    share(s, &p, "8080", "{\"level\":\"users\",\"users\":[\"eve\"]}");
    assert_int_equal(count(s, p.eve), 1);
    s->n_present = 0;
    s->told[WEB_AGENT_PORTS] = NULL;
    assert_int_equal(count(s, p.eve), 1);
    assert_string_equal(got(s, "shared.0.status"), "never");
    assert_int_equal(ask(s, "DELETE", "/api/v1/workspaces/bob/dev", p.bob, NULL), 204);
    assert_int_equal(count(s, p.eve), 0);
}

static void the_list_comes_in_pieces(void **state)
{
    struct scene *s = *state;
    struct people p;
    char path[128], next[ID_TEXT_SIZE], seen[64] = "";

    make_people(s, &p);
    assert_int_equal(ask(s, "POST", "/api/v1/workspaces", p.dan, "{\"name\":\"zoo\"}"), 201);
    assert_int_equal(ask(s, "PUT", "/api/v1/workspaces/dan/zoo/agents/main/shares/99", p.dan,
                         "{\"level\":\"authenticated\"}"),
                     200);
    share(s, &p, "10000", "{\"level\":\"authenticated\"}");
    share(s, &p, "8080", "{\"level\":\"users\",\"users\":[\"eve\"]}");
    share(s, &p, "9000", "{\"level\":\"users\",\"users\":[\"dan\"]}");
    str_copy(path, sizeof(path), SHARED "?limit=1");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ask(s, "GET", path, p.eve, NULL), 200);
        assert_int_equal(got_len(s, "shared"), 1);
        const char *url = got(s, "shared.0.url");
        snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "%.*s ", 6,
                 url + strlen("http://"));
        str_copy(next, sizeof(next), got(s, "next"));
        snprintf(path, sizeof(path), SHARED "?limit=1&after=%s", next);
    }
    assert_string_equal(seen, "8080s- 10000- 99--zo ");
    assert_int_equal(ask(s, "GET", path, p.eve, NULL), 200);
    assert_int_equal(got_len(s, "shared"), 0);
    assert_int_equal(ask(s, "GET", SHARED "?after=00000000000000000000000000000001", p.eve, NULL),
                     404);
    assert_int_equal(ask(s, "GET", SHARED "?after=x", p.eve, NULL), 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_shared_by_name_is_seen_by_who_is_named, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            everyone_who_can_log_in_sees_what_is_for_them_but_nothing_public, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_templates_limit_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_app_is_seen_as_long_as_the_template_has_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_has_gone_is_not_seen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_list_comes_in_pieces, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
