#include "store/test_store.h"

static const struct store_page all = {{{0}}};
static const struct id none = {{0}};

static void a_workspace_comes_with_its_agents_in_order(void **state)
{
    struct place *p = *state;
    struct answer a;
    struct user bob = make_user(p, "bob", ROLE_MEMBER);
    struct store_agent_new agents[] = {{.name = "web"}, {.name = "db"}, {.name = "a"}};
    for (unsigned char i = 0; i < 3; i++)
        agents[i].token_hash[0] = i + 1;
    struct store_workspace_new new = {.owner_id = bob.id,
                                      .name = "ws",
                                      .template_name = "default",
                                      .agents = agents,
                                      .n_agents = 3,
                                      .now = 9};
    assert_int_equal(ASK(p, &a, store_workspace_create(p->store, p->loop, &new, on_workspace, &a)),
                     0);
    struct id id = a.ws.id;
    assert_int_equal(
        ASK(p, &a, store_workspace_get(p->store, p->loop, "bob", "ws", on_workspace, &a)), 0);
    assert_true(id_equal(&a.ws.id, &id));
    assert_string_equal(a.ws.owner_name, "bob");
    assert_string_equal(a.ws.template_name, "default");
    assert_int_equal(a.n, 3);
    assert_string_equal(a.agents[0].name, "web");
    assert_string_equal(a.agents[1].name, "db");
    assert_string_equal(a.agents[2].name, "a");
    assert_true(agent_alias_valid(span_of(a.agents[0].alias)));
    assert_string_not_equal(a.agents[0].alias, a.agents[1].alias);

    struct agent db = a.agents[1];
    assert_int_equal(ASK(p, &a, store_agent_get_alias(p->store, p->loop, db.alias, on_agent, &a)),
                     0);
    assert_string_equal(a.agents[0].name, "db");
    assert_string_equal(a.ws.name, "ws");
    assert_int_equal(ASK(p, &a, store_agent_get(p->store, p->loop, db.id, on_agent, &a)), 0);
    assert_string_equal(a.agents[0].alias, db.alias);
}

static void what_cannot_be_made_leaves_nothing_behind(void **state)
{
    struct place *p = *state;
    struct answer a;
    struct user bob = make_user(p, "bob", ROLE_MEMBER);
    make_workspace(p, bob.id, "ws", 1, &a);
    struct store_agent_new twice[] = {{.name = "main"}, {.name = "main", .token_hash = {2}}};
    struct store_workspace_new new = {.owner_id = bob.id,
                                      .name = "ws",
                                      .template_name = "default",
                                      .agents = twice,
                                      .n_agents = 1};
    assert_int_equal(ASK(p, &a, store_workspace_create(p->store, p->loop, &new, on_workspace, &a)),
                     STORE_EXISTS);
    new.name = "other";
    new.n_agents = 2;
    assert_int_equal(ASK(p, &a, store_workspace_create(p->store, p->loop, &new, on_workspace, &a)),
                     STORE_EXISTS);
    assert_int_equal(
        ASK(p, &a, store_workspace_get(p->store, p->loop, "bob", "other", on_workspace, &a)),
        STORE_NOT_FOUND);
    new.n_agents = 1;
    new.template_name = "nope";
    assert_int_equal(ASK(p, &a, store_workspace_create(p->store, p->loop, &new, on_workspace, &a)),
                     STORE_NO_TEMPLATE);
    new.template_name = "default";
    new.owner_id = id_new();
    assert_int_equal(ASK(p, &a, store_workspace_create(p->store, p->loop, &new, on_workspace, &a)),
                     STORE_NO_OWNER);
    new.n_agents = WORKSPACE_AGENTS_MAX + 1;
    assert_int_equal(ASK(p, &a, store_workspace_create(p->store, p->loop, &new, on_workspace, &a)),
                     -EINVAL);
}

static void workspaces_are_listed_of_one_owner_or_of_all(void **state)
{
    struct place *p = *state;
    struct answer a;
    struct user bob = make_user(p, "bob", ROLE_MEMBER);
    struct user anna = make_user(p, "anna", ROLE_MEMBER);
    make_workspace(p, bob.id, "b", 1, &a);
    make_workspace(p, bob.id, "a", 2, &a);
    make_workspace(p, anna.id, "z", 3, &a);
    ASK(p, &a, store_workspace_list(p->store, p->loop, none, all, on_workspaces, &a));
    assert_string_equal(a.names, "anna/z bob/a bob/b ");
    ASK(p, &a, store_workspace_list(p->store, p->loop, bob.id, all, on_workspaces, &a));
    assert_string_equal(a.names, "bob/a bob/b ");
    struct store_page page = {.limit = 1};
    const char *expected[] = {"anna/z ", "bob/a ", "bob/b ", ""};
    for (int i = 0; i < 4; i++) {
        ASK(p, &a, store_workspace_list(p->store, p->loop, none, page, on_workspaces, &a));
        assert_string_equal(a.names, expected[i]);
        page.after = a.last_id;
    }
}

static int find_agent(struct place *p, struct answer *a, unsigned char byte)
{
    unsigned char hash[TOKEN_HASH_LEN];
    memset(hash, byte, sizeof(hash));
    return ASK(p, a, store_agent_find(p->store, p->loop, hash, on_agent, a));
}

static void an_agent_is_known_by_its_newest_token_only(void **state)
{
    struct place *p = *state;
    struct answer a;
    struct user bob = make_user(p, "bob", ROLE_MEMBER);
    make_workspace(p, bob.id, "ws", 1, &a);
    assert_int_equal(find_agent(p, &a, 1), 0);
    struct id id = a.agents[0].id;
    unsigned char hash[TOKEN_HASH_LEN];
    memset(hash, 2, sizeof(hash));
    ASK(p, &a, store_agent_set_token(p->store, p->loop, id, hash, on_done, &a));
    assert_int_equal(find_agent(p, &a, 1), STORE_NOT_FOUND);
    assert_int_equal(find_agent(p, &a, 2), 0);
    assert_int_equal(
        ASK(p, &a, store_agent_set_token(p->store, p->loop, id_new(), hash, on_done, &a)),
        STORE_NOT_FOUND);
}

static void an_agent_that_comes_and_goes_is_remembered(void **state)
{
    struct place *p = *state;
    struct answer a;
    struct user bob = make_user(p, "bob", ROLE_MEMBER);
    make_workspace(p, bob.id, "ws", 1, &a);
    struct id id = a.agents[0].id;
    assert_int_equal(a.agents[0].connected_at, 0);
    char long_name[200];
    memset(long_name, 'x', sizeof(long_name));
    long_name[sizeof(long_name) - 1] = '\0';
    struct store_agent_connected info = {
        .os = "linux", .arch = "x86_64", .version = "0.1.0", .hostname = long_name, .now = 50};
    memset(info.pin, 9, sizeof(info.pin));
    assert_int_equal(ASK(p, &a, store_agent_connected(p->store, p->loop, id, &info, on_done, &a)),
                     0);
    store_agent_seen(p->store, NULL, id, 60, NULL, NULL);
    store_agent_seen(p->store, NULL, id, 55, NULL, NULL); /* it never goes back */
    /* A change asked for later was made later. */
    ASK(p, &a, store_token_prune(p->store, p->loop, 0, on_done, &a));
    ASK(p, &a, store_agent_get(p->store, p->loop, id, on_agent, &a));
    assert_memory_equal(a.agents[0].pin, info.pin, AGENT_PIN_LEN);
    assert_string_equal(a.agents[0].version, "0.1.0");
    assert_int_equal(strlen(a.agents[0].hostname), AGENT_INFO_SIZE - 1);
    assert_int_equal(a.agents[0].connected_at, 50);
    assert_int_equal(a.agents[0].disconnected_at, 60);
}

static void on_template(void *ud, int r, const struct store_template *t)
{
    struct answer *a = ud;
    on_done(a, r);
    if (r != 0)
        return;
    a->template = *t;
    str_copy(a->text, sizeof(a->text), t->yaml);
}

static void on_templates(void *ud, int r, const struct store_template *list, size_t n)
{
    struct answer *a = ud;
    start_list(a, r, n);
    for (size_t i = 0; i < n; i++)
        add_name(a, list[i].name);
}

static void a_template_counts_its_versions(void **state)
{
    struct place *p = *state;
    struct answer a;
    struct store_template_put put = {.name = "gpu", .yaml = "a: 1\n", .policy = "{}", .now = 3};
    assert_int_equal(ASK(p, &a, store_template_put(p->store, p->loop, &put, on_template, &a)), 0);
    assert_int_equal(a.template.version, 1);
    put.yaml = "a: 2\n";
    put.now = 4;
    ASK(p, &a, store_template_put(p->store, p->loop, &put, on_template, &a));
    ASK(p, &a, store_template_get(p->store, p->loop, "gpu", on_template, &a));
    assert_int_equal(a.template.version, 2);
    assert_int_equal(a.template.created_at, 3);
    assert_int_equal(a.template.updated_at, 4);
    assert_string_equal(a.text, "a: 2\n");
    ASK(p, &a, store_template_list(p->store, p->loop, all, on_templates, &a));
    assert_string_equal(a.names, "default gpu ");
}

static void a_template_in_use_and_the_default_stay(void **state)
{
    struct place *p = *state;
    struct answer a;
    struct user bob = make_user(p, "bob", ROLE_MEMBER);
    struct store_template_put put = {.name = "gpu", .yaml = "", .policy = "{}"};
    ASK(p, &a, store_template_put(p->store, p->loop, &put, on_template, &a));
    struct store_agent_new agent = {.name = "main"};
    struct store_workspace_new new = {
        .owner_id = bob.id, .name = "ws", .template_name = "gpu", .agents = &agent, .n_agents = 1};
    ASK(p, &a, store_workspace_create(p->store, p->loop, &new, on_workspace, &a));
    struct id ws = a.ws.id;
#define DELETE(name) ASK(p, &a, store_template_delete(p->store, p->loop, name, on_done, &a))
    assert_int_equal(DELETE("gpu"), STORE_IN_USE);
    assert_int_equal(DELETE("default"), STORE_IN_USE);
    assert_int_equal(DELETE("none"), STORE_NOT_FOUND);
    ASK(p, &a, store_workspace_delete(p->store, p->loop, ws, on_done, &a));
    assert_int_equal(DELETE("gpu"), 0);
    assert_int_equal(DELETE("gpu"), STORE_NOT_FOUND);
}

static void a_text_that_is_too_long_is_refused(void **state)
{
    struct place *p = *state;
    struct answer a;
    char *text = xmalloc(TEMPLATE_TEXT_MAX_LEN + 2);
    memset(text, ' ', TEMPLATE_TEXT_MAX_LEN + 1);
    text[TEMPLATE_TEXT_MAX_LEN + 1] = '\0';
    struct store_template_put put = {.name = "big", .yaml = text, .policy = "{}"};
    assert_int_equal(ASK(p, &a, store_template_put(p->store, p->loop, &put, on_template, &a)),
                     -ENOBUFS);
    text[TEMPLATE_TEXT_MAX_LEN] = '\0';
    assert_int_equal(ASK(p, &a, store_template_put(p->store, p->loop, &put, on_template, &a)), 0);
    free(text);
}

static void on_share(void *ud, int r, const struct share *share)
{
    struct answer *a = ud;
    on_done(a, r);
    if (r != 0)
        return;
    a->share = *share;
    a->share.users = (struct text_list){0};
    for (size_t i = 0; i < share->users.len; i++)
        add_name(a, share->users.items[i]);
}

static void on_shares(void *ud, int r, const struct share *shares, size_t n)
{
    struct answer *a = ud;
    start_list(a, r, n);
    for (size_t i = 0; i < n; i++) {
        char target[SHARE_TARGET_SIZE];
        share_target(&shares[i], target);
        add_name(a, target);
    }
}

static void on_number(void *ud, int r, int64_t n)
{
    on_done(ud, r);
    ((struct answer *)ud)->num = n;
}

#define SET_SHARE(p, a, s) ASK(p, a, store_share_set((p)->store, (p)->loop, s, on_share, a))
#define GET_SHARE(p, a, id, target)                                                                \
    ASK(p, a, store_share_get((p)->store, (p)->loop, id, target, on_share, a))

static void a_share_is_kept_with_its_people(void **state)
{
    struct place *p = *state;
    struct answer a;
    struct user bob = make_user(p, "bob", ROLE_MEMBER);
    make_user(p, "eve", ROLE_MEMBER);
    make_user(p, "dan", ROLE_MEMBER);
    make_workspace(p, bob.id, "ws", 1, &a);
    struct id agent = a.agents[0].id, ws = a.ws.id;
    char eve[] = "eve", dan[] = "dan", nobody[] = "nobody";
    char *people[] = {eve, dan, eve};
    struct share share = {.agent_id = agent,
                          .port = 8080,
                          .level = SHARE_USERS,
                          .protocol = SHARE_HTTPS,
                          .expires_at = 99,
                          .users = {people, 3}};
    assert_int_equal(SET_SHARE(p, &a, &share), 0);
    assert_int_equal(a.share.generation, 1);
    assert_string_equal(a.names, "dan eve ");
    assert_int_equal(GET_SHARE(p, &a, agent, "8080"), 0);
    assert_int_equal(a.share.level, SHARE_USERS);
    assert_int_equal(a.share.protocol, SHARE_HTTPS);
    assert_int_equal(a.share.expires_at, 99);
    assert_string_equal(a.names, "dan eve ");

    people[0] = nobody;
    assert_int_equal(SET_SHARE(p, &a, &share), STORE_NOT_FOUND);
    assert_int_equal(GET_SHARE(p, &a, agent, "8080"), 0);
    assert_string_equal(a.names, "dan eve ");
    share = (struct share){.agent_id = agent, .port = 99, .level = SHARE_PUBLIC};
    assert_int_equal(SET_SHARE(p, &a, &share), 0);
    ASK(p, &a, store_share_list(p->store, p->loop, ws, on_shares, &a));
    assert_string_equal(a.names, "99 8080 ");
    share.agent_id = id_new();
    assert_int_equal(SET_SHARE(p, &a, &share), STORE_NOT_FOUND);
}

static void an_app_is_shared_like_a_port(void **state)
{
    struct place *p = *state;
    struct answer a;
    struct user bob = make_user(p, "bob", ROLE_MEMBER);
    struct user eve = make_user(p, "eve", ROLE_MEMBER);
    make_workspace(p, bob.id, "ws", 1, &a);
    struct id agent = a.agents[0].id, ws = a.ws.id;
    make_workspace(p, bob.id, "other", 2, &a);
    struct id other = a.agents[0].id;
    char name[] = "eve";
    char *people[] = {name};
    struct share app = {
        .agent_id = agent, .slug = "lab", .level = SHARE_USERS, .users = {people, 1}};
    struct share port = {.agent_id = agent, .port = 9, .level = SHARE_PUBLIC};
    assert_int_equal(SET_SHARE(p, &a, &app), 0);
    assert_int_equal(a.share.port, 0);
    assert_string_equal(a.share.slug, "lab");
    assert_string_equal(a.names, "eve ");
    assert_int_equal(GET_SHARE(p, &a, other, "lab"), STORE_NOT_FOUND);
    SET_SHARE(p, &a, &port);
    port.port = 80;
    SET_SHARE(p, &a, &port);
    str_copy(app.slug, sizeof(app.slug), "7zip");
    SET_SHARE(p, &a, &app);
    app.agent_id = other;
    SET_SHARE(p, &a, &app);
    ASK(p, &a, store_share_list(p->store, p->loop, ws, on_shares, &a));
    assert_string_equal(a.names, "9 80 7zip lab ");

    /* A person's end counts for apps, too. */
    ASK(p, &a, store_user_delete(p->store, p->loop, eve.id, on_done, &a));
    GET_SHARE(p, &a, agent, "lab");
    assert_int_equal(a.share.generation, 2);
    assert_string_equal(a.names, "");
    assert_int_equal(ASK(p, &a, store_share_delete(p->store, p->loop, agent, "lab", on_number, &a)),
                     0);
    assert_int_equal(a.num, 3);
    assert_int_equal(GET_SHARE(p, &a, agent, "lab"), STORE_NOT_FOUND);
    assert_int_equal(GET_SHARE(p, &a, agent, "7zip"), 0);
}

static void on_shared(void *ud, int r, const struct store_shared *list, size_t n)
{
    struct answer *a = ud;
    start_list(a, r, n);
    for (size_t i = 0; i < n; i++) {
        char target[SHARE_TARGET_SIZE], text[160];
        share_target(&list[i].share, target);
        snprintf(text, sizeof(text), "%s/%s.%s:%s%s%s", list[i].ws.owner_name, list[i].ws.name,
                 list[i].agent.name, target, list[i].only_agent ? "!" : "",
                 list[i].default_agent ? "*" : "");
        add_name(a, text);
        a->last_id = list[i].id;
    }
}

#define SHARED(p, a, user, page)                                                                   \
    ASK(p, a, store_shared_list((p)->store, (p)->loop, user, 100, page, on_shared, a))

/* dan's workspace has two agents: "aa" and "main". */
static void share_things(struct place *p, struct id bob, struct id dan)
{
    struct answer a;
    char name[] = "eve";
    char *people[] = {name};
    struct store_agent_new two[] = {{.name = "aa", .token_hash = {8}},
                                    {.name = "main", .token_hash = {9}}};
    struct store_workspace_new new = {
        .owner_id = dan, .name = "two", .template_name = "default", .agents = two, .n_agents = 2};
    make_workspace(p, bob, "ws", 1, &a);
    struct id ws = a.agents[0].id;
    ASK(p, &a, store_workspace_create(p->store, p->loop, &new, on_workspace, &a));
    struct share shares[] = {
        {.agent_id = ws, .port = 10000, .level = SHARE_AUTHENTICATED},
        {.agent_id = ws, .port = 80, .level = SHARE_USERS},
        {.agent_id = ws, .port = 81, .level = SHARE_USERS, .expires_at = 100},
        {.agent_id = ws, .port = 82, .level = SHARE_USERS, .expires_at = 101},
        {.agent_id = ws, .slug = "lab", .level = SHARE_AUTHENTICATED},
        {.agent_id = ws, .port = 83, .level = SHARE_PUBLIC},
        {.agent_id = ws, .port = 84, .level = SHARE_OWNER},
        {.agent_id = a.agents[1].id, .port = 90, .level = SHARE_AUTHENTICATED},
        {.agent_id = a.agents[0].id, .port = 91, .level = SHARE_AUTHENTICATED},
    };
    for (size_t i = 0; i < ARRAY_LEN(shares); i++) {
        if (shares[i].level == SHARE_USERS)
            shares[i].users = (struct text_list){people, 1};
        assert_int_equal(SET_SHARE(p, &a, &shares[i]), 0);
    }
}

static void what_others_share_with_a_person_is_listed(void **state)
{
    struct place *p = *state;
    struct answer a;
    struct user bob = make_user(p, "bob", ROLE_MEMBER), eve = make_user(p, "eve", ROLE_MEMBER);
    struct user dan = make_user(p, "dan", ROLE_MEMBER);
    share_things(p, bob.id, dan.id);
    SHARED(p, &a, eve.id, all);
    assert_string_equal(a.names, "bob/ws.main:80!* bob/ws.main:82!* bob/ws.main:10000!* "
                                 "bob/ws.main:lab!* dan/two.aa:91 dan/two.main:90* ");
    SHARED(p, &a, dan.id, all);
    assert_string_equal(a.names, "bob/ws.main:10000!* bob/ws.main:lab!* ");
    SHARED(p, &a, bob.id, all);
    assert_string_equal(a.names, "dan/two.aa:91 dan/two.main:90* ");

    struct store_page page = {.limit = 4};
    SHARED(p, &a, eve.id, page);
    assert_int_equal(a.n, 4);
    page.after = a.last_id;
    SHARED(p, &a, eve.id, page);
    assert_string_equal(a.names, "dan/two.aa:91 dan/two.main:90* ");
    page.after = id_new();
    assert_int_equal(SHARED(p, &a, eve.id, page), STORE_NOT_FOUND);
}

static void generations_only_grow(void **state)
{
    struct place *p = *state;
    struct answer a;
    struct user bob = make_user(p, "bob", ROLE_MEMBER);
    struct user eve = make_user(p, "eve", ROLE_MEMBER);
    make_workspace(p, bob.id, "ws", 1, &a);
    struct id agent = a.agents[0].id;
    char name[] = "eve";
    char *people[] = {name};
    struct share share = {
        .agent_id = agent, .port = 80, .level = SHARE_USERS, .users = {people, 1}};
    SET_SHARE(p, &a, &share);
    assert_int_equal(ASK(p, &a, store_share_delete(p->store, p->loop, agent, "80", on_number, &a)),
                     0);
    assert_int_equal(a.num, 2);
    assert_int_equal(ASK(p, &a, store_share_delete(p->store, p->loop, agent, "80", on_number, &a)),
                     STORE_NOT_FOUND);
    SET_SHARE(p, &a, &share);
    assert_int_equal(a.share.generation, 3);
    /* A person's end counts too. */
    ASK(p, &a, store_user_delete(p->store, p->loop, eve.id, on_done, &a));
    GET_SHARE(p, &a, agent, "80");
    assert_int_equal(a.share.generation, 4);
    assert_string_equal(a.names, "");
}

static void with_the_workspace_go_agents_and_shares(void **state)
{
    struct place *p = *state;
    struct answer a;
    struct user bob = make_user(p, "bob", ROLE_MEMBER);
    make_workspace(p, bob.id, "ws", 1, &a);
    struct id ws = a.ws.id;
    struct share share = {.agent_id = a.agents[0].id, .port = 80, .level = SHARE_PUBLIC};
    SET_SHARE(p, &a, &share);
    assert_int_equal(ASK(p, &a, store_workspace_delete(p->store, p->loop, ws, on_done, &a)), 0);
    assert_int_equal(find_agent(p, &a, 1), STORE_NOT_FOUND);
    assert_int_equal(GET_SHARE(p, &a, share.agent_id, "80"), STORE_NOT_FOUND);
    assert_int_equal(
        ASK(p, &a, store_workspace_get(p->store, p->loop, "bob", "ws", on_workspace, &a)),
        STORE_NOT_FOUND);
    assert_int_equal(ASK(p, &a, store_workspace_delete(p->store, p->loop, ws, on_done, &a)),
                     STORE_NOT_FOUND);
}

#define ON_STORE(f) cmocka_unit_test_setup_teardown(f, set_up_open, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STORE(a_workspace_comes_with_its_agents_in_order),
        ON_STORE(what_cannot_be_made_leaves_nothing_behind),
        ON_STORE(workspaces_are_listed_of_one_owner_or_of_all),
        ON_STORE(an_agent_is_known_by_its_newest_token_only),
        ON_STORE(an_agent_that_comes_and_goes_is_remembered),
        ON_STORE(a_template_counts_its_versions),
        ON_STORE(a_template_in_use_and_the_default_stay),
        ON_STORE(a_text_that_is_too_long_is_refused),
        ON_STORE(a_share_is_kept_with_its_people),
        ON_STORE(an_app_is_shared_like_a_port),
        ON_STORE(what_others_share_with_a_person_is_listed),
        ON_STORE(generations_only_grow),
        ON_STORE(with_the_workspace_go_agents_and_shares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
