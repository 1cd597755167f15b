/* Templates by the API: pushed whole or not at all, followed at once, deleted when unused. */
#include "web/test_web.h"

#define GOOD "{\"yaml\":\"max_port_share_level: public\\ncors: passthru\\n\"}"

static int got_number(struct scene *s, const char *name)
{
    return (int)json_integer_value(json_object_get(s->a.json, name));
}

static void a_template_is_made_and_replaced(void **state)
{
    struct scene *s = *state;
    char ada[TOKEN_TEXT_SIZE];

    make_first(s, ada);
    assert_int_equal(ask(s, "PUT", "/api/v1/templates/GPU", ada, GOOD), 201);
    assert_string_equal(got(s, "name"), "gpu");
    assert_string_equal(got(s, "policy.max_port_share_level"), "public");
    assert_int_equal(got_number(s, "version"), 1);
    assert_int_equal(s->n_withdrawals, 0);
    expect_recorded(s, "template_create ada gpu ok");
    assert_int_equal(ask(s, "PUT", "/api/v1/templates/gpu", ada, "{\"yaml\":\"{}\"}"), 200);
    assert_int_equal(got_number(s, "version"), 2);
    assert_string_equal(got(s, "policy.max_port_share_level"), "authenticated");
    expect_recorded(s, "template_update ada gpu ok");
    assert_int_equal(ask(s, "GET", "/api/v1/templates/gpu", ada, NULL), 200);
    assert_string_equal(got(s, "yaml"), "{}");
}

static void a_new_version_withdraws_what_the_old_one_allowed(void **state)
{
    struct scene *s = *state;
    char ada[TOKEN_TEXT_SIZE], id[ID_TEXT_SIZE];

    make_first(s, ada);
    assert_int_equal(ask(s, "PUT", "/api/v1/templates/default", ada, GOOD), 200);
    assert_int_equal(s->n_withdrawals, 1);
    assert_string_equal(id_format(&s->withdrawn.template_id, id), got(s, "id"));
    assert_true(id_is_zero(&s->withdrawn.user_id));
}

static void a_wrong_text_is_refused_whole_with_line_and_key(void **state)
{
    struct scene *s = *state;
    char ada[TOKEN_TEXT_SIZE];
    json_t *fields;

    make_first(s, ada);
    assert_int_equal(
        ask(s, "PUT", "/api/v1/templates/default", ada,
            "{\"yaml\":\"cors: simple\\nforwarding:\\n  permit_opn: []\\n  local: 1\\n\"}"),
        400);
    fields = json_object_get(s->a.json, "fields");
    assert_int_equal(json_array_size(fields), 2);
    assert_string_equal(got(s, "fields.0.field"), "forwarding.permit_opn");
    assert_string_equal(got(s, "fields.0.message"), "unknown key (did you mean permit_open?)");
    assert_int_equal(json_integer_value(json_object_get(json_array_get(fields, 0), "line")), 3);
    assert_string_equal(got(s, "fields.1.field"), "forwarding.local");
    assert_int_equal(json_integer_value(json_object_get(json_array_get(fields, 1), "line")), 4);
    assert_int_equal(s->n_withdrawals, 0);
    assert_int_equal(ask(s, "GET", "/api/v1/templates/default", ada, NULL), 200);
    assert_int_equal(got_number(s, "version"), 1);
    assert_int_equal(ask(s, "PUT", "/api/v1/templates/a--b", ada, GOOD), 400);
    assert_string_equal(got(s, "fields.0.field"), "template");
}

static void only_an_unused_template_is_deleted(void **state)
{
    struct scene *s = *state;
    char ada[TOKEN_TEXT_SIZE];

    make_first(s, ada);
    assert_int_equal(ask(s, "PUT", "/api/v1/templates/gpu", ada, GOOD), 201);
    assert_int_equal(
        ask(s, "POST", "/api/v1/workspaces", ada, "{\"name\":\"dev\",\"template\":\"gpu\"}"), 201);
    assert_int_equal(ask(s, "DELETE", "/api/v1/templates/gpu", ada, NULL), 409);
    assert_int_equal(ask(s, "DELETE", "/api/v1/templates/default", ada, NULL), 409);
    assert_int_equal(ask(s, "DELETE", "/api/v1/workspaces/ada/dev", ada, NULL), 204);
    assert_int_equal(ask(s, "DELETE", "/api/v1/templates/gpu", ada, NULL), 204);
    expect_recorded(s, "template_delete ada gpu ok");
    assert_int_equal(ask(s, "GET", "/api/v1/templates/gpu", ada, NULL), 404);
    assert_int_equal(ask(s, "DELETE", "/api/v1/templates/gpu", ada, NULL), 404);
}

/* ---- apps ---- */

static void make_app_workspace(struct scene *s, const char *token, const char *yaml,
                               const char *name)
{
    assert_int_equal(askf(s, "PUT", "/api/v1/templates/web", token, "{\"yaml\":\"%s\"}", yaml),
                     201);
    assert_int_equal(askf(s, "POST", "/api/v1/workspaces", token,
                          "{\"name\":\"%s\",\"template\":\"web\"}", name),
                     201);
}

static void apps_are_listed_in_order_with_their_urls(void **state)
{
    struct scene *s = *state;
    char ada[TOKEN_TEXT_SIZE];

    make_first(s, ada);
    make_app_workspace(s, ada,
                       "apps:\\n"
                       "- {slug: lab, url: \\\"http://localhost:8888\\\", order: 2}\\n"
                       "- {slug: docs, url: \\\"http://localhost:1\\\", subdomain: false,"
                       " display_name: Docs, share: public, order: 1}\\n",
                       "dev");
    assert_int_equal(ask(s, "GET", "/api/v1/workspaces/ada/dev/apps", ada, NULL), 200);
    assert_int_equal(got_len(s, "apps"), 2);
    assert_string_equal(got(s, "apps.0.slug"), "docs");
    assert_string_equal(got(s, "apps.0.url"), "http://adit.test/@ada/dev/apps/docs/");
    assert_string_equal(got(s, "apps.0.display_name"), "Docs");
    assert_string_equal(got(s, "apps.0.share"), "public");
    assert_string_equal(got(s, "apps.0.agent"), "main");
    assert_string_equal(got(s, "apps.1.url"), "http://lab--dev--ada.localhost:7777/");
    assert_string_equal(got(s, "apps.1.share"), "owner");
    assert_int_equal(ask(s, "PUT", "/api/v1/templates/web", ada, "{\"yaml\":\"{}\"}"), 200);
    assert_int_equal(ask(s, "GET", "/api/v1/workspaces/ada/dev/apps", ada, NULL), 200);
    assert_int_equal(got_len(s, "apps"), 0);
}

/* 28 + 2 + 28 + 2 + 3 = 63 characters fit, one more does not. */
static void a_label_that_is_too_long_gets_the_short_form(void **state)
{
    struct scene *s = *state;
    char ada[TOKEN_TEXT_SIZE], alias[16], expected[128], path[128];

    make_first(s, ada);
    make_app_workspace(
        s, ada,
        "apps:\\n"
        "- {slug: aaaaaaaaaaaaaaaaaaaaaaaaaaaa, url: \\\"http://localhost:1\\\"}\\n"
        "- {slug: aaaaaaaaaaaaaaaaaaaaaaaaaaaab, url: \\\"http://localhost:1\\\"}\\n",
        "wwwwwwwwwwwwwwwwwwwwwwwwwwww");
    str_copy(alias, sizeof(alias), got(s, "workspace.agents.0.alias"));
    snprintf(path, sizeof(path), "/api/v1/workspaces/ada/%s/apps", "wwwwwwwwwwwwwwwwwwwwwwwwwwww");
    assert_int_equal(ask(s, "GET", path, ada, NULL), 200);
    assert_string_equal(got(s, "apps.0.url"), "http://aaaaaaaaaaaaaaaaaaaaaaaaaaaa--"
                                              "wwwwwwwwwwwwwwwwwwwwwwwwwwww--ada.localhost:7777/");
    snprintf(expected, sizeof(expected), "http://aaaaaaaaaaaaaaaaaaaaaaaaaaaab--%s.localhost:7777/",
             alias);
    assert_string_equal(got(s, "apps.1.url"), expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_template_is_made_and_replaced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_new_version_withdraws_what_the_old_one_allowed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_wrong_text_is_refused_whole_with_line_and_key, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(only_an_unused_template_is_deleted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(apps_are_listed_in_order_with_their_urls, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_label_that_is_too_long_gets_the_short_form, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
