#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "api/all_types.h"
#include "base/cleanup.h"

#define ID1  "\"0123456789abcdef0123456789abcdef\""
#define ID2  "\"ffffffffffffffffffffffffffffffff\""
#define PIN  "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\""
#define PIN1 "\"__________________________________________8\""
#define TIME "\"2026-01-31T12:34:56.789Z\""
#define USER                                                                                       \
    "{\"id\":" ID1 ",\"name\":\"anna\",\"display_name\":\"Anna \xc3\x84\",\"email\":\"a@b.org\","  \
    "\"role\":\"owner\",\"suspended\":false,\"created_at\":" TIME ",\"last_seen_at\":null}"
#define TOKEN                                                                                      \
    "{\"id\":" ID2 ",\"kind\":\"api\",\"name\":\"ci \\\"x\\\"\",\"scope\":\"workspace:anna/ws\","  \
    "\"created_at\":" TIME ",\"expires_at\":null,\"last_used_at\":null}"
#define AGENT                                                                                      \
    "{\"id\":" ID1 ",\"name\":\"main\",\"alias\":\"0123456789abv\",\"status\":\"connected\","      \
    "\"direct\":true,\"direct_connections\":{\"accepted\":3,\"refused\":0},\"version\":\"0.1\","   \
    "\"os\":\"linux\",\"arch\":\"\",\"hostname\":\"h\","                                           \
    "\"pin\":" PIN1 ","                                                                            \
    "\"created_at\":" TIME ",\"connected_at\":" TIME ",\"last_seen_at\":" TIME "}"
#define WORKSPACE                                                                                  \
    "{\"id\":" ID1 ",\"name\":\"ws\",\"owner\":\"anna\",\"owner_id\":" ID2                         \
    ",\"template\":\"default\",\"created_at\":" TIME ",\"agents\":[" AGENT "]}"
#define FORWARDING                                                                                 \
    "{\"local\":true,\"remote\":false,\"public_listen\":true,\"unix_sockets\":false,"              \
    "\"agent_forwarding\":true,\"permit_open\":[\"localhost:*\",\"*.corp:443\"],"                  \
    "\"permit_listen\":[]}"
#define POLICY                                                                                     \
    "{\"description\":\"d\",\"max_port_share_level\":\"users\",\"forwarding\":" FORWARDING ","     \
    "\"cors\":\"passthru\",\"identity_headers\":true,\"apps\":[{\"slug\":\"lab\","                 \
    "\"display_name\":null,\"icon\":\"/i.svg\",\"url\":\"http://localhost:8888\","                 \
    "\"subdomain\":true,\"share\":\"public\",\"order\":-3,\"healthcheck\":"                        \
    "{\"url\":\"/ok\",\"interval\":\"120s\",\"threshold\":3}},{\"slug\":\"x\","                    \
    "\"display_name\":\"X\",\"icon\":null,\"url\":\"http://localhost:1\",\"subdomain\":false,"     \
    "\"share\":\"owner\",\"order\":0,\"healthcheck\":null}]}"
#define GRANT                                                                                      \
    "{\"user_id\":" ID1 ",\"user\":\"anna\",\"workspace_id\":" ID2 ",\"agent_id\":" ID1 ","        \
    "\"forwarding\":" FORWARDING ",\"ssh\":true,\"direct\":true,\"expires_at\":" TIME "}"
#define SHARE                                                                                      \
    "{\"port\":8080,\"slug\":null,\"level\":\"users\",\"protocol\":\"https\",\"users\":[\"bob\"]," \
    "\"expires_at\":" TIME ",\"missing\":false,\"url\":\"https://8080--dev--anna.apps.test/\"}"
#define APP_SHARE                                                                                  \
    "{\"port\":null,\"slug\":\"lab\",\"level\":\"public\",\"protocol\":\"http\",\"users\":[],"     \
    "\"expires_at\":null,\"missing\":true,\"url\":null}"
#define APP                                                                                        \
    "{\"slug\":\"lab\",\"agent\":\"main\",\"display_name\":\"Lab\",\"icon\":null,\"url\":null,"    \
    "\"subdomain\":true,\"share\":\"public\",\"order\":-1,\"health\":\"unhealthy\","               \
    "\"own\":" APP_SHARE "}"

#define FORWARDED                                                                                  \
    "{\"port\":9003,\"address\":\"127.0.0.1\",\"process\":\"\",\"pid\":null,"                      \
    "\"speaks\":\"unknown\",\"forwarded_by\":\"anna\"}"
#define FORWARD                                                                                    \
    "{\"id\":" ID1 ",\"user\":\"bob\",\"kind\":\"tcp\",\"direction\":\"remote\","                  \
    "\"listen\":\"127.0.0.1:9003\",\"target\":null,\"origin\":null,\"path\":\"direct\","           \
    "\"since\":" TIME ",\"connections\":2,\"bytes_in\":1,\"bytes_out\":9223372036854775807}"

#define EVENT                                                                                      \
    "{\"id\":" ID1 ",\"time\":" TIME ",\"action\":\"forward_close\",\"actor\":\"bob\","            \
    "\"workspace\":\"bob/"                                                                         \
    "dev\",\"agent\":\"main\",\"target\":\" a\\u0001b \",\"direction\":\"local\","                 \
    "\"path\":\"direct\",\"bytes_in\":9223372036854775807,\"bytes_out\":1,\"duration_ms\":1500,"   \
    "\"result\":\"ok\",\"detail\":null,\"ip\":\"2001:db8::1\"}"
#define EVENT2                                                                                     \
    "{\"id\":" ID2 ",\"time\":" TIME ",\"action\":\"setup\",\"actor\":null,\"workspace\":null,"    \
    "\"agent\":null,\"target\":null,\"direction\":null,\"path\":null,\"bytes_in\":0,"              \
    "\"bytes_out\":0,\"duration_ms\":0,\"result\":null,\"detail\":null,\"ip\":null}"

/* In the form in which we write them: what is read comes out as it was. */
static const struct {
    const struct api_type *type;
    const char *json;
} samples[] = {
    {&api_error_type, "{\"message\":\"No.\"}"},
    {&api_error_type, "{\"message\":\"No.\",\"detail\":\"a\\nb\\u0007\","
                      "\"fields\":[{\"field\":\"a\",\"message\":\"b\"}]}"},
    {&api_buildinfo_type, "{\"version\":\"1\",\"protocol\":\"adit/1\","
                          "\"access_url\":\"https://x\",\"wildcard_url\":null}"},
    {&api_setup_status_type, "{\"needed\":true}"},
    {&api_setup_request_type, "{\"name\":\"anna\",\"password\":\"correct horse\"}"},
    {&api_login_request_type, "{\"user\":\"Anna!\",\"password\":\"x\",\"label\":\"cli\"}"},
    {&api_user_type, USER},
    {&api_login_response_type, "{\"token\":\"adit_s\",\"expires_at\":" TIME ",\"user\":" USER "}"},
    {&api_token_type, TOKEN},
    {&api_me_type, "{\"user\":" USER ",\"token\":" TOKEN "}"},
    {&api_password_request_type, "{\"old_password\":\"x\",\"new_password\":\"correct horse\"}"},
    {&api_users_type, "{\"users\":[],\"next\":null}"},
    {&api_users_type, "{\"users\":[" USER "," USER "],\"next\":" ID1 "}"},
    {&api_user_create_type, "{\"name\":\"bob\",\"password\":\"correct horse\","
                            "\"email\":\"b@c.de\",\"role\":\"auditor\"}"},
    {&api_user_update_type, "{}"},
    {&api_user_update_type, "{\"role\":\"member\",\"suspended\":false,\"email\":\"\"}"},
    {&api_tokens_type, "{\"tokens\":[" TOKEN "],\"next\":null}"},
    {&api_token_create_type, "{\"name\":\"ci\",\"scope\":\"all\",\"expires_in\":3600}"},
    {&api_token_created_type, "{\"token\":\"adit_t\",\"info\":" TOKEN "}"},
    {&api_agent_type, AGENT},
    {&api_workspace_type, WORKSPACE},
    {&api_workspaces_type, "{\"workspaces\":[" WORKSPACE "],\"next\":null}"},
    {&api_agent_name_type, "{\"name\":\"main\"}"},
    {&api_workspace_create_type, "{\"name\":\"ws\",\"template\":\"gpu\","
                                 "\"agents\":[{\"name\":\"a\"},{\"name\":\"b\"}]}"},
    {&api_agent_token_type, "{\"agent\":\"main\",\"token\":\"adit_a\"}"},
    {&api_workspace_created_type,
     "{\"workspace\":" WORKSPACE ",\"tokens\":[{\"agent\":\"main\",\"token\":\"t\"}]}"},
    {&api_template_type, "{\"id\":" ID1 ",\"name\":\"gpu\",\"version\":4,\"policy\":" POLICY
                         ",\"yaml\":\"a: 1\\n\",\"created_at\":" TIME ",\"updated_at\":null}"},
    {&api_templates_type,
     "{\"templates\":[{\"id\":" ID1 ",\"name\":\"g\",\"version\":1,"
     "\"policy\":" POLICY ",\"created_at\":" TIME ",\"updated_at\":" TIME "}],\"next\":null}"},
    {&api_agent_info_type, "{\"pin\":" PIN ",\"version\":\"1\",\"os\":\"\",\"arch\":\"\","
                           "\"hostname\":\"\",\"direct\":true}"},
    {&api_grant_type, GRANT},
    {&api_peer_type, "{\"id\":" ID1 ",\"pin\":" PIN1 ",\"user\":\"anna\",\"grant\":" GRANT "}"},
    {&api_ssh_info_type, "{\"user\":\"root\",\"host_key\":\"ssh-ed25519 AAAA\"}"},
    {&api_direct_counts_type, "{\"accepted\":0,\"refused\":7}"},
    {&api_port_type, "{\"port\":80,\"address\":\"::\",\"process\":\"nginx\",\"pid\":null,"
                     "\"speaks\":\"http\"}"},
    {&api_ports_type, "{\"ports\":[{\"port\":65535,\"address\":\"127.0.0.1\",\"process\":\"\","
                      "\"pid\":4294967295,\"speaks\":\"other\"}],\"unlisted\":[" FORWARDED "]}"},
    {&api_error_type, "{\"message\":\"No.\",\"fields\":[{\"field\":\"cors\",\"message\":\"b\","
                      "\"line\":12}]}"},
    {&api_template_put_type, "{\"yaml\":\"cors: simple\\n\"}"},
    {&api_share_type, SHARE},
    {&api_shares_type, "{\"max_level\":\"public\",\"shares\":[" SHARE "]}"},
    {&api_share_put_type, "{\"level\":\"owner\"}"},
    {&api_share_put_type, "{\"level\":\"users\",\"protocol\":\"https\",\"users\":[\"bob\"],"
                          "\"expires_in\":7200}"},
    {&api_shared_port_type, "{\"port\":80,\"listening\":true,\"address\":\"::\",\"process\":\"x\","
                            "\"pid\":7,\"speaks\":\"tls\",\"forwarded_by\":null,\"url\":null,"
                            "\"share\":null}"},
    {&api_shared_ports_type,
     "{\"ports\":[{\"port\":80,\"listening\":false,\"address\":\"\",\"process\":\"\","
     "\"pid\":null,\"speaks\":\"unknown\",\"forwarded_by\":\"anna\",\"url\":\"https://x/\","
     "\"share\":" SHARE "}],"
     "\"status\":\"away\",\"last_seen_at\":" TIME "}"},
    {&api_app_type, APP},
    {&api_apps_type, "{\"apps\":[" APP "]}"},
    {&api_app_health_type, "{\"slug\":\"lab\",\"health\":\"initializing\"}"},
    {&api_app_check_type, "{\"slug\":\"lab\",\"port\":null,\"url\":null}"},
    {&api_app_checks_type,
     "{\"apps\":[{\"slug\":\"lab\",\"port\":8888,\"url\":\"http://localhost:8888/ok\","
     "\"interval\":\"10s\",\"threshold\":3}]}"},
    {&api_watched_type, "{\"watched\":true}"},
    {&api_forward_type, FORWARD},
    {&api_forwards_type, "{\"forwards\":[" FORWARD "],\"more\":true}"},
    {&api_news_type, "{}"},
    {&api_news_type, "{\"ports\":[]}"},
    {&api_news_type, "{\"direct\":{\"accepted\":1,\"refused\":9223372036854775807}}"},
    {&api_news_type, "{\"ports\":[],\"unlisted\":[" FORWARDED "]}"},
    {&api_news_type, "{\"health\":[{\"slug\":\"lab\",\"health\":\"healthy\"}]}"},
    {&api_news_type, "{\"forwards\":{\"forwards\":[" FORWARD "],\"more\":false}}"},
    {&api_audit_event_type, EVENT},
    {&api_agent_record_type, "{\"seq\":7,\"dropped\":2,\"peer\":" ID1 ",\"event\":" EVENT "}"},
    {&api_audit_type, "{\"events\":[],\"next\":null}"},
    {&api_audit_type, "{\"events\":[" EVENT "," EVENT2 "],\"next\":\"17\"}"},
};

static void every_message_comes_out_as_it_was_read(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        const struct api_type *type = samples[i].type;
        struct api_problem problem;
        void *msg = malloc(type->size);
        struct buf out = BUF_INIT(API_JSON_MAX_LEN);
        if (api_read(type, span_of(samples[i].json), API_STRICT, msg, &problem) < 0)
            fail_msg("%s: %s %s %s: %s", type->name, problem.message, problem.detail,
                     problem.fields[0].field, problem.fields[0].message);
        assert_int_equal(api_write(type, msg, &out), 0);
        assert_string_equal(buf_cstr(&out), samples[i].json);
        api_release(type, msg);
        free(msg);
        buf_deinit(&out);
    }
}

static void every_message_has_a_sample(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(all_types); i++) {
        bool found = false;
        for (size_t k = 0; k < ARRAY_LEN(samples); k++)
            found = found || samples[k].type == all_types[i];
        if (!found)
            fail_msg("%s has none", all_types[i]->name);
    }
}

/* A request and the faults that are reported: "field message; …", or the message alone. */
static const struct {
    const struct api_type *type;
    const char *json;
    const char *faults;
} refused[] = {
    {&api_login_request_type, "", "The body is not valid JSON."},
    {&api_login_request_type, "{", "The body is not valid JSON."},
    {&api_login_request_type, "{} x", "The body is not valid JSON."},
    {&api_login_request_type, "{\"user\":\"a\\u0000\"}", "The body is not valid JSON."},
    {&api_login_request_type, "{\"user\":\"\xff\"}", "The body is not valid JSON."},
    {&api_login_request_type, "[]", "The body is not a JSON object."},
    {&api_login_request_type, "null", "The body is not a JSON object."},
    {&api_login_request_type, "\"x\"", "The body is not a JSON object."},
    {&api_login_request_type, "{\"user\":\"a\",\"user\":\"b\"}",
     "The body has the same member twice."},
    {&api_login_request_type, "[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]",
     "The body is nested too deeply."},
    {&api_login_request_type, "{}", "user is missing; password is missing; "},
    {&api_login_request_type, "{\"user\":1,\"password\":null}",
     "user must be a string; password must be a string; "},
    {&api_login_request_type, "{\"user\":\"a\",\"password\":\"b\",\"admin\":true}",
     "admin is not known; "},
    {&api_login_request_type, "{\"user\":\"\",\"password\":\"b\"}", "user must not be empty; "},
    {&api_token_create_type, "{\"name\":\"x\",\"expires_in\":-1}",
     "expires_in must be between 0 and 316224000; "},
    {&api_token_create_type, "{\"name\":\"x\",\"expires_in\":1.5}",
     "expires_in must be a whole number; "},
    {&api_token_create_type, "{\"name\":\"x\",\"expires_in\":99999999999999999999}",
     "The body is not valid JSON."},
    {&api_user_update_type, "{\"suspended\":\"no\"}", "suspended must be true or false; "},
    {&api_user_update_type, "{\"role\":\"god\"}", "role must be member, auditor or owner; "},
    {&api_workspace_create_type, "{\"name\":\"ws\",\"agents\":[{\"name\":\"a\"},{\"nam\":1}]}",
     "agents[1].name is missing; agents[1].nam is not known; "},
    {&api_workspace_create_type, "{\"name\":\"ws\",\"agents\":{}}", "agents must be an array; "},
    {&api_workspace_create_type, "{\"name\":\"ws\",\"agents\":[7]}",
     "agents[0] must be an object; "},
    {&api_port_type, "{\"port\":65536,\"address\":\"\",\"speaks\":\"http\"}",
     "port must be between 1 and 65535; "},
    {&api_port_type, "{\"port\":0,\"address\":\"\",\"speaks\":\"gopher\"}",
     "port must be between 1 and 65535; speaks must be unknown, http, tls or other; "},
    {&api_agent_info_type, "{\"pin\":\"AAAA\",\"version\":\"1\"}",
     "pin is not a key's pin (43 characters of base64url); "},
};

static void wrong_requests_are_refused_with_every_fault(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct api_problem problem;
        struct buf faults = BUF_INIT(10000);
        void *msg = malloc(refused[i].type->size);
        assert_int_equal(
            api_read(refused[i].type, span_of(refused[i].json), API_STRICT, msg, &problem),
            -EINVAL);
        for (size_t k = 0; k < problem.n_fields; k++)
            buf_appendf(&faults, "%s %s; ", problem.fields[k].field, problem.fields[k].message);
        if (problem.n_fields == 0)
            buf_append_str(&faults, problem.message);
        assert_string_equal(buf_cstr(&faults), refused[i].faults);
        for (size_t k = 0; k < refused[i].type->size; k++)
            assert_int_equal(((char *)msg)[k], 0);
        buf_deinit(&faults);
        free(msg);
    }
}

static void a_later_version_may_say_more_in_answers(void **state)
{
    struct api_setup_status status;
    struct span json = SPAN("{\"needed\":true,\"mood\":\"good\"}");
    assert_int_equal(api_setup_status_read(json, API_LENIENT, &status, NULL), 0);
    assert_true(status.needed);
    assert_int_equal(api_setup_status_read(json, API_STRICT, &status, NULL), -EINVAL);
}

static void names_are_folded_and_checked(void **state)
{
    struct api_workspace_create ws;
    struct api_problem problem;
    assert_int_equal(
        api_workspace_create_read(SPAN("{\"name\":\"Web-1\"}"), API_STRICT, &ws, &problem), 0);
    assert_string_equal(ws.name, "web-1");
    const char *wrong[] = {
        "", "-a", "a--b", "a/b", "x y", "\\u00e4", "a23456789012345678901234567890123"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        char json[100];
        snprintf(json, sizeof(json), "{\"name\":\"%s\"}", wrong[i]);
        assert_int_equal(api_workspace_create_read(span_of(json), API_STRICT, &ws, &problem),
                         -EINVAL);
        assert_string_equal(problem.fields[0].field, "name");
    }
}

static void what_is_absent_in_an_update_is_told_apart_from_what_is_empty(void **state)
{
    struct api_user_update u;
    assert_int_equal(api_user_update_read(SPAN("{\"email\":\"\"}"), API_STRICT, &u, NULL), 0);
    assert_true(u.has_email);
    assert_false(u.has_role || u.has_suspended || u.has_display_name || u.has_password);
}

static void a_body_over_the_limit_is_refused_unread(void **state)
{
    struct api_problem problem;
    struct api_setup_status status;
    struct buf json = BUF_INIT(API_JSON_MAX_LEN + 100);
    buf_append_str(&json, "{\"needed\":true}");
    while (json.len < API_JSON_MAX_LEN)
        buf_append_byte(&json, ' ');
    assert_int_equal(
        api_setup_status_read(span_from(buf_data(&json), json.len), API_STRICT, &status, NULL), 0);
    buf_append_byte(&json, ' ');
    assert_int_equal(
        api_setup_status_read(span_from(buf_data(&json), json.len), API_STRICT, &status, &problem),
        -EINVAL);
    assert_string_equal(problem.message, "The body is too large.");
    buf_deinit(&json);
}

static void the_number_of_reported_faults_is_bounded(void **state)
{
    struct api_problem problem;
    struct api_users users;
    struct buf json = BUF_INIT(API_JSON_MAX_LEN);
    buf_append_str(&json, "{\"users\":[{}");
    for (int i = 0; i < 900; i++)
        buf_append_str(&json, ",{}");
    buf_append_str(&json, "]}");
    assert_int_equal(
        api_users_read(span_from(buf_data(&json), json.len), API_STRICT, &users, &problem),
        -EINVAL);
    assert_int_equal(problem.n_fields, API_FIELD_ERRORS_MAX);
    buf_deinit(&json);
}

static void bytes_that_are_no_text_do_not_break_an_answer(void **state)
{
    struct api_port port = {.port = 1, .address = "\xff\x01\"\\", .process = "\xc3\xa4\xc3"};
    struct buf out = BUF_INIT(1000);
    assert_int_equal(api_port_write(&port, &out), 0);
    assert_string_equal(buf_cstr(&out),
                        "{\"port\":1,\"address\":\"\\ufffd\\u0001\\\"\\\\\",\"process\":"
                        "\"\xc3\xa4\\ufffd\",\"pid\":null,\"speaks\":\"unknown\"}");
    buf_deinit(&out);
}

static void an_answer_that_does_not_fit_says_so(void **state)
{
    struct api_port port = {.port = 1};
    for (size_t max = 0; max < 60; max++) {
        struct buf out = BUF_INIT(max);
        assert_int_equal(api_port_write(&port, &out), -ENOBUFS);
        buf_deinit(&out);
    }
}

static void an_error_body_carries_the_faults(void **state)
{
    struct buf out = BUF_INIT(1000);
    struct api_problem problem = {.message = "One field is not valid."};
    api_problem_add(&problem, "name", "is %s", "odd");
    assert_int_equal(api_problem_build(&problem, &out), 0);
    assert_string_equal(buf_cstr(&out), "{\"message\":\"One field is not valid.\",\"fields\":"
                                        "[{\"field\":\"name\",\"message\":\"is odd\"}]}");
    buf_clear(&out);
    assert_int_equal(api_error_build(api_not_found_text, NULL, &out), 0);
    buf_deinit(&out);
}

static void a_policy_must_be_whole(void **state)
{
    struct template t;
    struct err err = ERR_INIT;
    assert_int_equal(api_policy_read(SPAN(POLICY), &t, &err), 0);
    assert_int_equal(t.max_port_share_level, SHARE_USERS);
    assert_int_equal(t.forwarding.permit_open.len, 2);
    assert_int_equal(t.apps[0].healthcheck.interval, 120 * USEC_PER_SEC);
    assert_int_equal(t.apps[0].order, -3);
    template_deinit(&t);
    assert_int_equal(api_policy_read(SPAN("{\"forwarding\":{}}"), &t, &err), -EINVAL);
    assert_string_equal(err.text, "the policy's max_port_share_level: is missing");
}

/* What the template that every deployment starts with says, and what an unnamed one says. */
static void the_default_policy_is_that_of_the_model(void **state)
{
    struct template t;
    struct buf out = BUF_INIT(10000);
    template_init(&t);
    assert_int_equal(api_policy_write(&t, &out), 0);
    assert_string_equal(
        buf_cstr(&out),
        "{\"max_port_share_level\":\"authenticated\",\"forwarding\":{\"local\":true,"
        "\"remote\":true,\"public_listen\":false,\"unix_sockets\":true,\"agent_forwarding\":true,"
        "\"permit_open\":[\"*:*\"],\"permit_listen\":[\"localhost:*\"]},\"cors\":\"simple\","
        "\"identity_headers\":false,\"apps\":[]}");
    template_deinit(&t);
    buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_comes_out_as_it_was_read),
        cmocka_unit_test(every_message_has_a_sample),
        cmocka_unit_test(wrong_requests_are_refused_with_every_fault),
        cmocka_unit_test(a_later_version_may_say_more_in_answers),
        cmocka_unit_test(names_are_folded_and_checked),
        cmocka_unit_test(what_is_absent_in_an_update_is_told_apart_from_what_is_empty),
        cmocka_unit_test(a_body_over_the_limit_is_refused_unread),
        cmocka_unit_test(the_number_of_reported_faults_is_bounded),
        cmocka_unit_test(bytes_that_are_no_text_do_not_break_an_answer),
        cmocka_unit_test(an_answer_that_does_not_fit_says_so),
        cmocka_unit_test(an_error_body_carries_the_faults),
        cmocka_unit_test(a_policy_must_be_whole),
        cmocka_unit_test(the_default_policy_is_that_of_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
