/* Users, tokens, workspaces, agents and relays: what each does, and what it tells the record. */
#include "web/test_web.h"

#define WS_FIELDS                                                                                  \
    "Connection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\n"                         \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n"
#define PIN "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"

struct people {
    char ada[TOKEN_TEXT_SIZE]; /* administrator */
    char bob[TOKEN_TEXT_SIZE]; /* member */
};

static void make_people(struct scene *s, struct people *p)
{
    make_first(s, p->ada);
    make_user(s, p->ada, "bob", "member", p->bob);
}

/* The text lives until the next request. */
static struct id make_workspace(struct scene *s, const char *token, const char *name)
{
    struct id agent;

    assert_int_equal(askf(s, "POST", "/api/v1/workspaces", token, "{\"name\":\"%s\"}", name), 201);
    assert_int_equal(id_parse(span_of(got(s, "workspace.agents.0.id")), &agent), 0);
    return agent;
}

/* ---- users ---- */

static void users_are_made_shown_and_listed(void **state)
{
    struct scene *s = *state;
    struct people p;

    make_people(s, &p);
    assert_int_equal(ask(s, "POST", "/api/v1/users", p.ada,
                         "{\"name\":\"Cleo\",\"password\":\"" PASSWORD "\",\"role\":\"auditor\","
                         "\"email\":\"cleo@Example.com\"}"),
                     201);
    assert_string_equal(got(s, "name"), "cleo");
    assert_string_equal(got(s, "email"), "cleo@example.com");
    assert_null(strstr(s->a.body, "$y$"));
    expect_recorded(s, "user_create ada cleo ok");
    assert_int_equal(ask(s, "GET", "/api/v1/users/CLEO", p.ada, NULL), 200);
    assert_string_equal(got(s, "role"), "auditor");
    assert_int_equal(ask(s, "GET", "/api/v1/users?limit=2", p.ada, NULL), 200);
    assert_int_equal(got_len(s, "users"), 2);
    assert_string_equal(got(s, "users.1.name"), "bob");
    char next[96];
    snprintf(next, sizeof(next), "/api/v1/users?limit=2&after=%s", got(s, "next"));
    assert_int_equal(ask(s, "GET", next, p.ada, NULL), 200);
    assert_int_equal(got_len(s, "users"), 1);
    assert_string_equal(got(s, "users.0.name"), "cleo");
    assert_string_equal(got(s, "next"), "");
}

static void a_bad_page_is_refused(void **state)
{
    static const char *const queries[] = {"limit=0", "limit=1001", "limit=x",
                                          "after=x", "after=%zz",  "limit="};
    struct scene *s = *state;
    struct people p;
    char path[64];

    make_people(s, &p);
    for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
        snprintf(path, sizeof(path), "/api/v1/users?%s", queries[i]);
        assert_int_equal(ask(s, "GET", path, p.ada, NULL), 400);
    }
}

static void a_users_name_is_taken_once(void **state)
{
    struct scene *s = *state;
    struct people p;

    make_people(s, &p);
    assert_int_equal(ask(s, "POST", "/api/v1/users", p.ada,
                         "{\"name\":\"bob\",\"password\":\"" PASSWORD "\",\"role\":\"member\"}"),
                     409);
    assert_string_equal(got(s, "fields.0.field"), "name");
}

static void suspending_a_user_ends_what_they_have_open(void **state)
{
    struct scene *s = *state;
    struct people p;

    make_people(s, &p);
    assert_int_equal(ask(s, "PATCH", "/api/v1/users/bob", p.ada, "{\"display_name\":\"Bob B.\"}"),
                     200);
    assert_string_equal(got(s, "display_name"), "Bob B.");
    assert_int_equal(s->n_withdrawals, 0);
    assert_int_equal(ask(s, "PATCH", "/api/v1/users/bob", p.ada, "{\"suspended\":true}"), 200);
    assert_int_equal(s->n_withdrawals, 1);
    assert_false(id_is_zero(&s->withdrawn.user_id));
    expect_recorded(s, "user_update ada bob ok");
    assert_int_equal(ask(s, "GET", "/api/v1/me", p.bob, NULL), 401);
    assert_int_equal(
        ask(s, "POST", "/api/v1/login", NULL, "{\"user\":\"bob\",\"password\":\"" PASSWORD "\"}"),
        401);
}

static void an_administrator_resets_a_password(void **state)
{
    struct scene *s = *state;
    struct people p;

    make_people(s, &p);
    assert_int_equal(ask(s, "PATCH", "/api/v1/users/bob", p.ada, "{\"password\":\"x\"}"), 400);
    assert_int_equal(
        ask(s, "PATCH", "/api/v1/users/bob", p.ada, "{\"password\":\"battery staple\"}"), 200);
    assert_int_equal(s->n_withdrawals, 1);
    assert_int_equal(ask(s, "GET", "/api/v1/me", p.bob, NULL), 401);
    assert_int_equal(
        ask(s, "POST", "/api/v1/login", NULL, "{\"user\":\"bob\",\"password\":\"battery staple\"}"),
        200);
}

static void the_last_administrator_stays(void **state)
{
    struct scene *s = *state;
    struct people p;

    make_people(s, &p);
    assert_int_equal(ask(s, "PATCH", "/api/v1/users/ada", p.ada, "{\"role\":\"member\"}"), 409);
    assert_int_equal(ask(s, "PATCH", "/api/v1/users/ada", p.ada, "{\"suspended\":true}"), 409);
    assert_int_equal(ask(s, "DELETE", "/api/v1/users/ada", p.ada, NULL), 409);
    assert_int_equal(s->n_withdrawals, 0);
}

static void a_new_password_counts_whatever_becomes_of_the_rest(void **state)
{
    struct scene *s = *state;
    struct people p;

    make_people(s, &p);
    assert_int_equal(ask(s, "PATCH", "/api/v1/users/ada", p.ada,
                         "{\"password\":\"battery staple\",\"role\":\"member\"}"),
                     409);
    assert_int_equal(s->n_withdrawals, 1);
    expect_recorded(s, "user_update ada ada ok");
    assert_int_equal(
        ask(s, "POST", "/api/v1/login", NULL, "{\"user\":\"ada\",\"password\":\"battery staple\"}"),
        200);
}

static void a_user_with_workspaces_is_not_deleted(void **state)
{
    struct scene *s = *state;
    struct people p;

    make_people(s, &p);
    make_workspace(s, p.bob, "dev");
    assert_int_equal(ask(s, "DELETE", "/api/v1/users/bob", p.ada, NULL), 409);
    assert_int_equal(ask(s, "DELETE", "/api/v1/workspaces/bob/dev", p.bob, NULL), 204);
    assert_int_equal(ask(s, "DELETE", "/api/v1/users/bob", p.ada, NULL), 204);
    expect_recorded(s, "user_delete ada bob ok");
    assert_int_equal(ask(s, "GET", "/api/v1/me", p.bob, NULL), 401);
}

/* ---- tokens ---- */

static void a_tokens_text_is_shown_once(void **state)
{
    struct scene *s = *state;
    struct people p;
    char text[TOKEN_TEXT_SIZE], id[64], path[128];

    make_people(s, &p);
    assert_int_equal(
        ask(s, "POST", "/api/v1/tokens", p.bob, "{\"name\":\"ci\",\"expires_in\":3600}"), 201);
    str_copy(text, sizeof(text), got(s, "token"));
    str_copy(id, sizeof(id), got(s, "info.id"));
    assert_memory_equal(text, "adit_t", 6);
    expect_recorded(s, "token_create bob ci ok");
    assert_int_equal(ask(s, "POST", "/api/v1/tokens", p.bob, "{\"name\":\"ci\"}"), 409);
    assert_int_equal(ask(s, "GET", "/api/v1/tokens", text, NULL), 200);
    assert_int_equal(got_len(s, "tokens"), 2);
    assert_null(strstr(s->a.body, text));
    snprintf(path, sizeof(path), "/api/v1/tokens/%s", id);
    assert_int_equal(ask(s, "DELETE", path, p.bob, NULL), 204);
    assert_int_equal(s->n_withdrawals, 1);
    assert_false(id_is_zero(&s->withdrawn.token_id));
    expect_recorded(s, "token_delete bob ci ok");
    assert_int_equal(ask(s, "GET", "/api/v1/me", text, NULL), 401);
    assert_int_equal(ask(s, "DELETE", path, p.bob, NULL), 404);
}

static void a_token_that_ends_makes_none_that_lasts(void **state)
{
    struct scene *s = *state;
    struct people p;
    char text[TOKEN_TEXT_SIZE];

    make_people(s, &p);
    assert_int_equal(
        ask(s, "POST", "/api/v1/tokens", p.bob, "{\"name\":\"a\",\"expires_in\":3600}"), 201);
    str_copy(text, sizeof(text), got(s, "token"));
    assert_int_equal(ask(s, "POST", "/api/v1/tokens", text, "{\"name\":\"b\"}"), 403);
    assert_int_equal(ask(s, "POST", "/api/v1/tokens", text, "{\"name\":\"b\",\"expires_in\":7200}"),
                     403);
    assert_int_equal(ask(s, "POST", "/api/v1/tokens", text, "{\"name\":\"b\",\"expires_in\":60}"),
                     201);
}

static void an_expired_token_is_refused(void **state)
{
    struct scene *s = *state;
    struct people p;
    char text[TOKEN_TEXT_SIZE];
    usec_t until;

    make_people(s, &p);
    assert_int_equal(ask(s, "POST", "/api/v1/tokens", p.bob, "{\"name\":\"a\",\"expires_in\":1}"),
                     201);
    str_copy(text, sizeof(text), got(s, "token"));
    assert_int_equal(clock_parse(got(s, "info.expires_at"), &until), 0);
    while (clock_realtime() <= until + USEC_PER_MSEC) /* the text is in milliseconds */
        loop_turn(s->loop, false);
    assert_int_equal(ask(s, "GET", "/api/v1/me", text, NULL), 401);
}

/* ---- workspaces ---- */

static void a_workspace_comes_with_its_agents_tokens(void **state)
{
    struct scene *s = *state;
    struct people p;

    make_people(s, &p);
    assert_int_equal(ask(s, "POST", "/api/v1/workspaces", p.bob,
                         "{\"name\":\"Dev\",\"agents\":[{\"name\":\"main\"},{\"name\":\"gpu\"}]}"),
                     201);
    assert_string_equal(got(s, "workspace.name"), "dev");
    assert_int_equal(got_len(s, "tokens"), 2);
    assert_string_equal(got(s, "tokens.1.agent"), "gpu");
    assert_memory_equal(got(s, "tokens.1.token"), "adit_a", 6);
    expect_recorded(s, "workspace_create bob bob/dev ok");
    assert_int_equal(ask(s, "POST", "/api/v1/workspaces", p.bob, "{\"name\":\"dev\"}"), 409);
    assert_string_equal(got(s, "fields.0.field"), "name");
    assert_int_equal(ask(s, "POST", "/api/v1/workspaces", p.bob,
                         "{\"name\":\"two\",\"agents\":[{\"name\":\"a\"},{\"name\":\"a\"}]}"),
                     400);
    assert_int_equal(
        ask(s, "POST", "/api/v1/workspaces", p.bob, "{\"name\":\"two\",\"template\":\"nothing\"}"),
        400);
    assert_string_equal(got(s, "fields.0.field"), "template");
}

static void presence_comes_from_the_live_server(void **state)
{
    struct scene *s = *state;
    struct people p;

    make_people(s, &p);
    s->present[0] = make_workspace(s, p.bob, "dev");
    assert_int_equal(ask(s, "GET", "/api/v1/workspaces/bob/dev", p.bob, NULL), 200);
    assert_string_equal(got(s, "agents.0.status"), "never");
    s->n_present = 1;
    assert_int_equal(ask(s, "GET", "/api/v1/workspaces/bob/dev", p.bob, NULL), 200);
    assert_string_equal(got(s, "agents.0.status"), "connected");
    assert_int_equal(ask(s, "GET", "/api/v1/workspaces", p.bob, NULL), 200);
    assert_string_equal(got(s, "workspaces.0.agents.0.status"), "connected");
}

static void an_administrator_makes_workspaces_for_others(void **state)
{
    struct scene *s = *state;
    struct people p;

    make_people(s, &p);
    assert_int_equal(
        ask(s, "POST", "/api/v1/workspaces", p.ada, "{\"name\":\"dev\",\"owner\":\"bob\"}"), 201);
    assert_string_equal(got(s, "workspace.owner"), "bob");
    assert_int_equal(
        ask(s, "POST", "/api/v1/workspaces", p.ada, "{\"name\":\"dev\",\"owner\":\"nobody\"}"),
        400);
    assert_int_equal(ask(s, "GET", "/api/v1/workspaces", p.ada, NULL), 200);
    assert_int_equal(got_len(s, "workspaces"), 0);
    assert_int_equal(ask(s, "GET", "/api/v1/workspaces?all=true", p.ada, NULL), 200);
    assert_int_equal(got_len(s, "workspaces"), 1);
}

static void deleting_a_workspace_ends_its_agents_and_sessions(void **state)
{
    struct scene *s = *state;
    struct people p;

    make_people(s, &p);
    make_workspace(s, p.bob, "dev");
    assert_int_equal(ask(s, "DELETE", "/api/v1/workspaces/bob/dev", p.bob, NULL), 204);
    assert_int_equal(s->n_withdrawals, 1);
    assert_false(id_is_zero(&s->withdrawn.workspace_id));
    assert_true(s->withdrawn.agents);
    expect_recorded(s, "workspace_delete bob bob/dev ok");
    assert_int_equal(ask(s, "GET", "/api/v1/workspaces/bob/dev", p.bob, NULL), 404);
}

static void a_new_agent_token_ends_the_old_one(void **state)
{
    struct scene *s = *state;
    struct people p;
    char old[TOKEN_TEXT_SIZE], fields[512];
    const char *path = "/api/v1/workspaces/bob/dev/agents/main/token";

    make_people(s, &p);
    make_workspace(s, p.bob, "dev");
    str_copy(old, sizeof(old), got(s, "tokens.0.token"));
    snprintf(fields, sizeof(fields), WS_FIELDS "Authorization: Bearer %s\n", old);
    assert_int_equal(ask(s, "GET", "/api/v1/agent/connect", fields, NULL), 204);
    assert_int_equal(s->n_connects, 1);
    assert_int_equal(ask(s, "POST", path, p.bob, NULL), 200);
    assert_string_not_equal(got(s, "token"), old);
    assert_true(s->withdrawn.agents);
    assert_false(id_is_zero(&s->withdrawn.agent_id));
    assert_int_equal(ask(s, "GET", "/api/v1/agent/connect", fields, NULL), 401);
    assert_int_equal(s->n_connects, 1);
    assert_int_equal(ask(s, "POST", "/api/v1/workspaces/bob/dev/agents/other/token", p.bob, NULL),
                     404);
}

static void an_agent_connects_by_websocket_only(void **state)
{
    struct scene *s = *state;
    struct people p;
    char token[TOKEN_TEXT_SIZE];

    make_people(s, &p);
    make_workspace(s, p.bob, "dev");
    str_copy(token, sizeof(token), got(s, "tokens.0.token"));
    assert_int_equal(ask(s, "GET", "/api/v1/agent/connect", token, NULL), 426);
    assert_int_equal(s->n_connects, 0);
}

static void of_an_agent_that_is_away_only_shares_are_listed(void **state)
{
    struct scene *s = *state;
    struct people p;
    const char *path = "/api/v1/workspaces/bob/dev/agents/main/ports";

    make_people(s, &p);
    make_workspace(s, p.bob, "dev");
    assert_int_equal(ask(s, "PUT", "/api/v1/workspaces/bob/dev/agents/main/shares/8080", p.bob,
                         "{\"level\":\"authenticated\"}"),
                     200);
    assert_int_equal(ask(s, "GET", path, p.bob, NULL), 200);
    assert_string_equal(got(s, "status"), "never");
    assert_int_equal(got_len(s, "ports"), 1);
    assert_string_equal(got(s, "ports.0.share.level"), "authenticated");
    assert_int_equal(ask(s, "GET", "/api/v1/workspaces/bob/dev/agents/main/forwards", p.bob, NULL),
                     200);
    assert_int_equal(got_len(s, "forwards"), 0);
}

static void ports_are_the_agents_answer(void **state)
{
    struct scene *s = *state;
    struct people p;
    const char *path = "/api/v1/workspaces/bob/dev/agents/main/ports";

    make_people(s, &p);
    s->present[s->n_present++] = make_workspace(s, p.bob, "dev");
    s->ports_json = "{\"ports\":[{\"port\":3000,\"address\":\"127.0.0.1\",\"process\":\"node\","
                    "\"pid\":7,\"speaks\":\"http\"}]}";
    assert_int_equal(ask(s, "GET", path, p.bob, NULL), 200);
    assert_string_equal(got(s, "ports.0.process"), "node");
    s->ports_json = "{\"ports\":[{\"port\":99999}]}";
    assert_int_equal(ask(s, "GET", path, p.bob, NULL), 502);
    assert_int_equal(ask(s, "GET", "/api/v1/workspaces/bob/dev/agents/none/ports", p.bob, NULL),
                     404);
}

/* ---- relay ---- */

static unsigned ask_relay(struct scene *s, const struct id *agent, const char *token,
                          const char *fields)
{
    char path[128], id[ID_TEXT_SIZE], all[1024];

    snprintf(path, sizeof(path), "/api/v1/agents/%s/relay", id_format(agent, id));
    snprintf(all, sizeof(all), "%sAuthorization: Bearer %s\n", fields, token);
    return ask(s, "GET", path, all, NULL);
}

static void a_relay_is_opened_with_the_persons_grant(void **state)
{
    struct scene *s = *state;
    struct people p;

    make_people(s, &p);
    s->present[0] = make_workspace(s, p.bob, "dev");
    assert_int_equal(ask_relay(s, &s->present[0], p.bob, WS_FIELDS "Adit-Peer-Pin: " PIN "\n"),
                     503);
    assert_true(has_line(s, "Adit-Reason: agent-away"));
    s->n_present = 1;
    assert_int_equal(ask_relay(s, &s->present[0], p.bob, WS_FIELDS "Adit-Peer-Pin: " PIN "\n"),
                     204);
    assert_int_equal(s->n_relays, 1);
    assert_string_equal(s->relay.who.user, "bob");
    assert_string_equal(s->relay.grant.user, "bob");
    assert_true(id_equal(&s->relay.grant.agent_id, &s->present[0]));
    assert_true(s->relay.grant.forwarding.local);
    assert_true(s->relay.grant.expires_at > clock_realtime());
    assert_int_equal(s->relay.pin.sha256[0], 0xe3);
    assert_string_equal(s->relay.ip, "192.0.2.1");
}

static void a_relay_needs_a_handshake_and_a_pin(void **state)
{
    struct scene *s = *state;
    struct people p;

    make_people(s, &p);
    s->present[s->n_present++] = make_workspace(s, p.bob, "dev");
    assert_int_equal(ask_relay(s, &s->present[0], p.bob, "Adit-Peer-Pin: " PIN "\n"), 426);
    assert_int_equal(ask_relay(s, &s->present[0], p.bob, WS_FIELDS), 400);
    assert_int_equal(ask_relay(s, &s->present[0], p.bob, WS_FIELDS "Adit-Peer-Pin: xyz\n"), 400);
    assert_int_equal(s->n_relays, 0);
}

static void an_agent_of_somebody_else_and_none_at_all_look_the_same(void **state)
{
    struct scene *s = *state;
    struct people p;
    struct id nobodys = id_new();
    char eve[TOKEN_TEXT_SIZE];
    _cleanup_free_ char *unknown = NULL;

    make_people(s, &p);
    make_user(s, p.ada, "eve", "member", eve);
    s->present[s->n_present++] = make_workspace(s, p.bob, "dev");
    assert_int_equal(ask_relay(s, &nobodys, eve, WS_FIELDS "Adit-Peer-Pin: " PIN "\n"), 404);
    unknown = xstrdup(s->a.body);
    assert_int_equal(ask_relay(s, &s->present[0], eve, WS_FIELDS "Adit-Peer-Pin: " PIN "\n"), 404);
    assert_string_equal(s->a.body, unknown);
    s->n_present = 0;
    assert_int_equal(ask_relay(s, &s->present[0], eve, WS_FIELDS "Adit-Peer-Pin: " PIN "\n"), 404);
    assert_string_equal(s->a.body, unknown);
    assert_int_equal(s->n_relays, 0);
}

/* ---- the rest ---- */

static void the_default_template_is_there(void **state)
{
    struct scene *s = *state;
    struct people p;

    make_people(s, &p);
    assert_int_equal(ask(s, "GET", "/api/v1/templates", p.bob, NULL), 200);
    assert_string_equal(got(s, "templates.0.name"), "default");
    assert_int_equal(ask(s, "GET", "/api/v1/templates/default", p.bob, NULL), 200);
    assert_int_equal(ask(s, "GET", "/api/v1/templates/nothing", p.bob, NULL), 404);
    assert_int_equal(ask(s, "GET", "/api/v1/templates/Not%20a%20name", p.bob, NULL), 404);
}

static void anybody_may_ask_what_runs_here(void **state)
{
    struct scene *s = *state;

    assert_int_equal(ask(s, "GET", "/api/v1/buildinfo", NULL, NULL), 200);
    assert_string_equal(got(s, "version"), "1.2.3");
    assert_string_equal(got(s, "access_url"), "http://adit.test");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        T(users_are_made_shown_and_listed),
        T(a_bad_page_is_refused),
        T(a_users_name_is_taken_once),
        T(suspending_a_user_ends_what_they_have_open),
        T(an_administrator_resets_a_password),
        T(the_last_administrator_stays),
        T(a_new_password_counts_whatever_becomes_of_the_rest),
        T(a_user_with_workspaces_is_not_deleted),
        T(a_tokens_text_is_shown_once),
        T(a_token_that_ends_makes_none_that_lasts),
        T(an_expired_token_is_refused),
        T(a_workspace_comes_with_its_agents_tokens),
        T(presence_comes_from_the_live_server),
        T(an_administrator_makes_workspaces_for_others),
        T(deleting_a_workspace_ends_its_agents_and_sessions),
        T(a_new_agent_token_ends_the_old_one),
        T(an_agent_connects_by_websocket_only),
        T(of_an_agent_that_is_away_only_shares_are_listed),
        T(ports_are_the_agents_answer),
        T(a_relay_is_opened_with_the_persons_grant),
        T(a_relay_needs_a_handshake_and_a_pin),
        T(an_agent_of_somebody_else_and_none_at_all_look_the_same),
        T(the_default_template_is_there),
        T(anybody_may_ask_what_runs_here),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
