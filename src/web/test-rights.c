/*
 * Who may do what: every route that needs somebody, asked by everybody, as one table; and the
 * routes against their handlers.
 */
#include "web/handlers.h"
#include "web/test_web.h"

/*
 * bob owns the workspace dev. eve is a member like him; the rest are what they are called. The
 * last two are tokens of bob's with a smaller scope.
 */
enum who { NOBODY, EVE, BOB, AUDITOR, ADMIN, BOBS_DEV, BOBS_APPS, WHO_COUNT };

static const char *const who_names[] = {
    "nobody",         "eve", "bob", "the auditor", "the administrator", "bob's dev token",
    "bob's app token"};

struct cast {
    char tokens[WHO_COUNT][TOKEN_TEXT_SIZE];
    char agent_id[ID_TEXT_SIZE];
    char token_id[ID_TEXT_SIZE]; /* one more of bob's */
};

static void make_token(struct scene *s, const char *of, const char *name, const char *scope,
                       char ret[static TOKEN_TEXT_SIZE])
{
    assert_int_equal(
        askf(s, "POST", "/api/v1/tokens", of, "{\"name\":\"%s\",\"scope\":\"%s\"}", name, scope),
        201);
    str_copy(ret, TOKEN_TEXT_SIZE, got(s, "token"));
}

static void make_cast(struct scene *s, struct cast *c)
{
    char text[TOKEN_TEXT_SIZE];

    memset(c, 0, sizeof(*c));
    s->streams_max = 0;
    make_first(s, c->tokens[ADMIN]);
    make_user(s, c->tokens[ADMIN], "eve", "member", c->tokens[EVE]);
    make_user(s, c->tokens[ADMIN], "bob", "member", c->tokens[BOB]);
    make_user(s, c->tokens[ADMIN], "olga", "auditor", c->tokens[AUDITOR]);
    assert_int_equal(ask(s, "POST", "/api/v1/workspaces", c->tokens[BOB], "{\"name\":\"dev\"}"),
                     201);
    str_copy(c->agent_id, sizeof(c->agent_id), got(s, "workspace.agents.0.id"));
    assert_int_equal(id_parse(span_of(c->agent_id), &s->present[s->n_present++]), 0);
    s->ports_json = "{\"ports\":[]}";
    make_token(s, c->tokens[BOB], "dev", "workspace:dev", c->tokens[BOBS_DEV]);
    make_token(s, c->tokens[BOB], "apps", "application-connect", c->tokens[BOBS_APPS]);
    make_token(s, c->tokens[BOB], "more", "all", text);
    str_copy(c->token_id, sizeof(c->token_id), got(s, "info.id"));
}

#define WS_FIELDS                                                                                  \
    "Connection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\n"                         \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n"                                                \
    "Adit-Peer-Pin: 47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU\n"

/*
 * Changes are asked for with a body that cannot succeed where that would disturb the next ones
 * (a taken name, a wrong password): a status that only somebody with the right sees.
 */
static const struct {
    enum api_route_id route;
    const char *path; /* %A: the agent's id, %T: the token's */
    const char *body;
    unsigned expected[WHO_COUNT];
} table[] = {
    /*                                           nobody eve bob auditor admin dev apps */
    {API_ROUTE_ME, "/me", NULL, {401, 200, 200, 200, 200, 200, 200}},
    {API_ROUTE_ME_PASSWORD,
     "/me/password",
     "{\"old_password\":\"wrong horse\",\"new_password\":\"battery staple\"}",
     {401, 403, 403, 403, 403, 404, 404}},
    {API_ROUTE_USERS, "/users", NULL, {401, 403, 403, 200, 200, 403, 403}},
    {API_ROUTE_USER_CREATE,
     "/users",
     "{\"name\":\"bob\",\"password\":\"correct horse\",\"role\":\"member\"}",
     {401, 403, 403, 403, 409, 403, 403}},
    {API_ROUTE_USER, "/users/bob", NULL, {401, 404, 200, 200, 200, 404, 404}},
    {API_ROUTE_USER, "/users/nobody", NULL, {401, 404, 404, 404, 404, 404, 404}},
    {API_ROUTE_USER_UPDATE,
     "/users/bob",
     "{\"display_name\":\"Bob\"}",
     {401, 404, 200, 403, 200, 404, 404}},
    {API_ROUTE_USER_UPDATE,
     "/users/ada",
     "{\"role\":\"member\"}",
     {401, 404, 404, 403, 409, 404, 404}},
    {API_ROUTE_USER_DELETE, "/users/bob", NULL, {401, 404, 403, 403, 409, 404, 404}},
    {API_ROUTE_TOKENS, "/tokens", NULL, {401, 200, 200, 200, 200, 404, 404}},
    {API_ROUTE_TOKEN_CREATE, "/tokens", "{\"name\":\"more\"}", {401, 201, 409, 201, 201, 404, 404}},
    {API_ROUTE_TEMPLATES, "/templates", NULL, {401, 200, 200, 200, 200, 403, 403}},
    {API_ROUTE_TEMPLATE, "/templates/default", NULL, {401, 200, 200, 200, 200, 403, 403}},
    {API_ROUTE_TEMPLATE_PUT,
     "/templates/default",
     "{\"yaml\":\"no: 1\"}",
     {401, 403, 403, 403, 400, 403, 403}},
    {API_ROUTE_TEMPLATE_DELETE, "/templates/default", NULL, {401, 403, 403, 403, 409, 403, 403}},
    {API_ROUTE_WORKSPACES, "/workspaces", NULL, {401, 200, 200, 200, 200, 404, 404}},
    {API_ROUTE_WORKSPACES, "/workspaces?owner=bob", NULL, {401, 404, 200, 200, 200, 404, 404}},
    {API_ROUTE_WORKSPACES, "/workspaces?owner=nobody", NULL, {401, 404, 404, 404, 404, 404, 404}},
    {API_ROUTE_WORKSPACES, "/workspaces?all=true", NULL, {401, 403, 403, 200, 200, 403, 403}},
    {API_ROUTE_WORKSPACE_CREATE,
     "/workspaces",
     "{\"name\":\"dev\",\"owner\":\"bob\"}",
     {401, 404, 409, 403, 409, 404, 404}},
    {API_ROUTE_WORKSPACE, "/workspaces/bob/dev", NULL, {401, 404, 200, 200, 200, 200, 404}},
    {API_ROUTE_SHARED, "/shared", NULL, {401, 200, 200, 200, 200, 404, 404}},
    {API_ROUTE_WORKSPACE, "/workspaces/bob/none", NULL, {401, 404, 404, 404, 404, 404, 404}},
    {API_ROUTE_AGENT_PORTS,
     "/workspaces/bob/dev/agents/main/ports",
     NULL,
     {401, 404, 200, 200, 200, 200, 404}},
    {API_ROUTE_AGENT_FORWARDS,
     "/workspaces/bob/dev/agents/main/forwards",
     NULL,
     {401, 404, 200, 200, 200, 200, 404}},
    {API_ROUTE_APPS, "/workspaces/bob/dev/apps", NULL, {401, 404, 200, 200, 200, 200, 404}},
    {API_ROUTE_AGENT_APPS,
     "/workspaces/bob/dev/agents/main/apps",
     NULL,
     {401, 404, 200, 200, 200, 200, 404}},
    {API_ROUTE_SHARES,
     "/workspaces/bob/dev/agents/main/shares",
     NULL,
     {401, 404, 200, 200, 200, 200, 404}},
    {API_ROUTE_SHARE_SET,
     "/workspaces/bob/dev/agents/main/shares/8080",
     "{\"level\":\"users\"}",
     {401, 404, 400, 403, 403, 400, 404}},
    {API_ROUTE_SHARE_DELETE,
     "/workspaces/bob/dev/agents/main/shares/8",
     NULL,
     {401, 404, 400, 403, 403, 400, 404}},
    /* No places for streams: 429 is what only those see who may have one. */
    {API_ROUTE_EVENTS, "/events?workspace=bob/dev", NULL, {401, 404, 429, 429, 429, 429, 404}},
    {API_ROUTE_EVENTS, "/events", NULL, {401, 429, 429, 429, 429, 404, 404}},
    {API_ROUTE_AUDIT, "/audit", NULL, {401, 200, 200, 200, 200, 404, 404}},
    {API_ROUTE_AGENT_TOKEN,
     "/workspaces/bob/dev/agents/main/token",
     NULL,
     {401, 404, 200, 403, 200, 403, 404}},
    {API_ROUTE_AGENT_RELAY, "/agents/%A/relay", NULL, {401, 404, 204, 403, 403, 204, 404}},
    {API_ROUTE_TOKEN_DELETE, "/tokens/%T", NULL, {401, 404, 204, 403, 404, 404, 404}},
    {API_ROUTE_WORKSPACE_DELETE, "/workspaces/bob/dev", NULL, {401, 404, 204, 403, 404, 403, 404}},
};

static void fill_path(char *dst, size_t size, const char *path, const struct cast *c)
{
    const char *percent = strchr(path, '%');

    if (percent)
        snprintf(dst, size, "/api/v1%.*s%s%s", (int)(percent - path), path,
                 percent[1] == 'A' ? c->agent_id : c->token_id, percent + 2);
    else
        snprintf(dst, size, "/api/v1%s", path);
}

static unsigned ask_as(struct scene *s, const struct cast *c, size_t row, enum who who)
{
    const struct api_route *route = &api_routes[table[row].route];
    char path[256], fields[1024] = "\n";
    bool relay = table[row].route == API_ROUTE_AGENT_RELAY;

    fill_path(path, sizeof(path), table[row].path, c);
    if (who != NOBODY)
        snprintf(fields, sizeof(fields), "%sAuthorization: Bearer %s\n", relay ? WS_FIELDS : "",
                 c->tokens[who]);
    return ask(s, route->method, path, fields, table[row].body);
}

/* Those without the right come first, so that what succeeds does not change their answers. */
static void every_route_answers_everybody_as_the_table_says(void **state)
{
    static const enum who order[] = {NOBODY, EVE, AUDITOR, BOBS_APPS, BOBS_DEV, BOB, ADMIN};
    struct scene *s = *state;
    struct cast c;
    unsigned wrong = 0;

    make_cast(s, &c);
    for (size_t row = 0; row < ARRAY_LEN(table); row++)
        for (size_t i = 0; i < ARRAY_LEN(order); i++) {
            unsigned status = ask_as(s, &c, row, order[i]);
            if (status == table[row].expected[order[i]])
                continue;
            wrong++;
            print_error("%s %s by %s: %u, not %u: %s\n", api_routes[table[row].route].method,
                        table[row].path, who_names[order[i]], status, table[row].expected[order[i]],
                        s->a.body);
        }
    assert_int_equal(wrong, 0);
}

static void the_table_has_every_route_that_needs_somebody(void **state)
{
    (void)state;
    for (unsigned r = 0; r < API_ROUTE_COUNT; r++) {
        /* Logging out needs no right: whoever is logged in may. */
        bool there = api_routes[r].auth != API_AUTH_USER || r == API_ROUTE_LOGOUT;
        for (size_t row = 0; row < ARRAY_LEN(table); row++)
            there |= table[row].route == r;
        if (!there)
            fail_msg("%s %s", api_routes[r].method, api_routes[r].path);
    }
}

/* A 404 must not tell what exists: its body is the same for all that it can mean. */
static void somebody_elses_things_and_none_at_all_look_the_same(void **state)
{
    static const struct {
        const char *method, *theirs, *nothing;
    } pairs[] = {
        {"GET", "/workspaces/bob/dev", "/workspaces/bob/none"},
        {"GET", "/workspaces/bob/dev", "/workspaces/nobody/none"},
        {"GET", "/workspaces/bob/dev", "/workspaces/Not%20a%20name/x"},
        {"DELETE", "/workspaces/bob/dev", "/workspaces/bob/none"},
        {"GET", "/workspaces/bob/dev/agents/main/ports", "/workspaces/bob/dev/agents/none/ports"},
        {"POST", "/workspaces/bob/dev/agents/main/token", "/workspaces/bob/x/agents/main/token"},
        {"GET", "/workspaces/bob/dev/apps", "/workspaces/bob/none/apps"},
        {"GET", "/workspaces/bob/dev/agents/main/apps", "/workspaces/bob/dev/agents/none/apps"},
        {"GET", "/workspaces/bob/dev/agents/main/shares", "/workspaces/bob/none/agents/x/shares"},
        {"DELETE", "/workspaces/bob/dev/agents/main/shares/8080",
         "/workspaces/bob/dev/agents/none/shares/8080"},
        {"GET", "/users/bob", "/users/nobody"},
        {"DELETE", "/users/bob", "/users/nobody"},
        {"DELETE", "/tokens/%T", "/tokens/00000000000000000000000000000001"},
        {"DELETE", "/tokens/%T", "/tokens/rubbish"},
        {"GET", "/workspaces?owner=bob", "/workspaces?owner=nobody"},
    };
    struct scene *s = *state;
    struct cast c;
    char path[256];

    make_cast(s, &c);
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        _cleanup_free_ char *theirs = NULL;
        fill_path(path, sizeof(path), pairs[i].theirs, &c);
        assert_int_equal(ask(s, pairs[i].method, path, c.tokens[EVE], NULL), 404);
        theirs = xstrdup(s->a.body);
        fill_path(path, sizeof(path), pairs[i].nothing, &c);
        assert_int_equal(ask(s, pairs[i].method, path, c.tokens[EVE], NULL), 404);
        assert_string_equal(s->a.body, theirs);
    }
}

static void each_route_has_the_handler_of_its_kind(void **state)
{
    (void)state;
    for (size_t r = 0; r < API_ROUTE_COUNT; r++) {
        const struct handler *h = &web_handlers[r];
        if (api_routes[r].auth == API_AUTH_AGENT ? !h->run_agent || h->run
                                                 : !h->run || h->run_agent)
            fail_msg("%s %s", api_routes[r].method, api_routes[r].path);
        if (h->body && str_eq(api_routes[r].method, "GET"))
            fail_msg("a GET with a body: %s", api_routes[r].path);
    }
}

/* Whether the operation of docs/openapi.yaml says `requestBody` exactly where a handler reads one.
 */
static void the_description_has_a_body_where_a_handler_reads_one(void **state)
{
    char line[256], path[512];
    bool has_body[API_ROUTE_COUNT] = {false}, found[API_ROUTE_COUNT] = {false};
    size_t at = API_ROUTE_COUNT, root = strlen(__FILE__) - strlen("src/web/test-rights.c");
    FILE *in;

    (void)state;
    snprintf(path, sizeof(path), "%.*sdocs/openapi.yaml", (int)root, __FILE__);
    in = fopen(path, "r");
    if (!in)
        in = fopen("docs/openapi.yaml", "r");
    assert_non_null(in);
    while (fgets(line, sizeof(line), in)) {
        char id[128];
        if (sscanf(line, "      operationId: %127s", id) == 1)
            for (at = 0; at < API_ROUTE_COUNT && !str_eq(api_routes[at].operation_id, id); at++)
                ;
        if (at < API_ROUTE_COUNT)
            found[at] = true;
        if (at < API_ROUTE_COUNT && str_eq(line, "      requestBody:\n"))
            has_body[at] = true;
    }
    fclose(in);
    for (at = 0; at < API_ROUTE_COUNT; at++)
        if (!found[at] || has_body[at] != (web_handlers[at].body != NULL))
            fail_msg("%s", api_routes[at].operation_id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_route_answers_everybody_as_the_table_says, set_up,
                                        tear_down),
        cmocka_unit_test(the_table_has_every_route_that_needs_somebody),
        cmocka_unit_test_setup_teardown(somebody_elses_things_and_none_at_all_look_the_same, set_up,
                                        tear_down),
        cmocka_unit_test(each_route_has_the_handler_of_its_kind),
        cmocka_unit_test(the_description_has_a_body_where_a_handler_reads_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
