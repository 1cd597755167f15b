#include "store/test_store.h"

static const struct store_page all = {{{0}}};

static void the_first_user_is_an_administrator_and_there_is_one_first_only(void **state)
{
    struct place *p = *state;
    struct answer a;
    struct store_user_new new = {.name = "anna", .role = ROLE_MEMBER, .now = 5};
    assert_int_equal(ASK(p, &a, store_setup_needed(p->store, p->loop, on_flag, &a)), 0);
    assert_true(a.flag);
    assert_int_equal(ASK(p, &a, store_setup(p->store, p->loop, &new, on_user, &a)), 0);
    assert_int_equal(a.user.role, ROLE_OWNER);
    assert_string_equal(a.user.name, "anna");
    assert_int_equal(a.user.created_at, 5);
    new.name = "eve";
    assert_int_equal(ASK(p, &a, store_setup(p->store, p->loop, &new, on_user, &a)),
                     STORE_SETUP_DONE);
    assert_int_equal(ASK(p, &a, store_setup_needed(p->store, p->loop, on_flag, &a)), 0);
    assert_false(a.flag);
    assert_int_equal(ASK(p, &a, store_user_get(p->store, p->loop, "eve", on_user, &a)),
                     STORE_NOT_FOUND);
}

static void of_many_set_ups_at_once_one_wins(void **state)
{
    struct place *p = *state;
    struct answer answers[40];
    memset(answers, 0, sizeof(answers));
    for (int i = 0; i < 40; i++) {
        char name[16];
        snprintf(name, sizeof(name), "u%d", i);
        store_setup(p->store, p->loop, &(struct store_user_new){.name = name}, on_user,
                    &answers[i]);
    }
    int won = 0;
    for (int i = 0; i < 40; i++)
        won += wait_for(p, &answers[i]) == 0;
    assert_int_equal(won, 1);
}

static void a_name_is_given_once(void **state)
{
    struct place *p = *state;
    struct answer a;
    struct user bob = make_user(p, "bob", ROLE_MEMBER);
    struct store_user_new new = {.name = "bob", .now = 1};
    assert_int_equal(ASK(p, &a, store_user_create(p->store, p->loop, &new, on_user, &a)),
                     STORE_EXISTS);
    assert_int_equal(ASK(p, &a, store_user_get_id(p->store, p->loop, bob.id, on_user, &a)), 0);
    assert_string_equal(a.user.name, "bob");
    assert_int_equal(ASK(p, &a, store_user_login(p->store, p->loop, "bob", on_login, &a)), 0);
    assert_string_equal(a.text, "$y$hash");
    assert_int_equal(ASK(p, &a, store_user_login(p->store, p->loop, "bo", on_login, &a)),
                     STORE_NOT_FOUND);
}

static void users_are_listed_by_name_in_pieces(void **state)
{
    struct place *p = *state;
    struct answer a;
    const char *names[] = {"dora", "anna", "carl", "bob"};
    for (int i = 0; i < 4; i++)
        make_user(p, names[i], ROLE_MEMBER);
    assert_int_equal(ASK(p, &a, store_user_list(p->store, p->loop, all, on_users, &a)), 0);
    assert_string_equal(a.names, "anna bob carl dora ");
    struct store_page page = {.limit = 3};
    assert_int_equal(ASK(p, &a, store_user_list(p->store, p->loop, page, on_users, &a)), 0);
    assert_string_equal(a.names, "anna bob carl ");
    page.after = a.last_id;
    assert_int_equal(ASK(p, &a, store_user_list(p->store, p->loop, page, on_users, &a)), 0);
    assert_string_equal(a.names, "dora ");
    page.after = id_new();
    assert_int_equal(ASK(p, &a, store_user_list(p->store, p->loop, page, on_users, &a)),
                     STORE_NOT_FOUND);
}

static int update(struct place *p, struct answer *a, struct id id, struct store_user_update u)
{
    return ASK(p, a, store_user_update(p->store, p->loop, id, &u, on_user, a));
}

static void an_update_changes_what_it_names_and_nothing_else(void **state)
{
    struct place *p = *state;
    struct answer a;
    make_user(p, "root", ROLE_OWNER);
    struct user bob = make_user(p, "bob", ROLE_MEMBER);
    struct store_user_update u = {
        .change = STORE_USER_EMAIL, .email = "bob@example.org", .role = ROLE_OWNER};
    assert_int_equal(update(p, &a, bob.id, u), 0);
    assert_string_equal(a.user.email, "bob@example.org");
    assert_int_equal(a.user.role, ROLE_MEMBER);
    u = (struct store_user_update){.change = STORE_USER_ROLE, .role = ROLE_AUDITOR};
    assert_int_equal(update(p, &a, bob.id, u), 0);
    assert_string_equal(a.user.email, "bob@example.org");
    assert_int_equal(a.user.role, ROLE_AUDITOR);
    assert_int_equal(update(p, &a, id_new(), u), STORE_NOT_FOUND);
}

static void the_last_active_administrator_stays(void **state)
{
    struct place *p = *state;
    struct answer a;
    struct user root = make_user(p, "root", ROLE_OWNER);
    struct user other = make_user(p, "other", ROLE_OWNER);
    struct store_user_update demote = {.change = STORE_USER_ROLE, .role = ROLE_MEMBER};
    struct store_user_update suspend = {.change = STORE_USER_SUSPENDED, .suspended = true};
    assert_int_equal(update(p, &a, other.id, suspend), 0);
    assert_int_equal(update(p, &a, root.id, demote), STORE_LAST_OWNER);
    assert_int_equal(update(p, &a, root.id, suspend), STORE_LAST_OWNER);
    assert_int_equal(ASK(p, &a, store_user_delete(p->store, p->loop, root.id, on_done, &a)),
                     STORE_LAST_OWNER);
    /* One that does not count as the last may go. */
    assert_int_equal(ASK(p, &a, store_user_delete(p->store, p->loop, other.id, on_done, &a)), 0);
    assert_int_equal(ASK(p, &a, store_user_delete(p->store, p->loop, other.id, on_done, &a)),
                     STORE_NOT_FOUND);
    make_user(p, "third", ROLE_OWNER);
    assert_int_equal(update(p, &a, root.id, demote), 0);
}

static struct token make_token(struct place *p, struct id user, struct id parent,
                               enum token_kind kind, const char *name, unsigned char byte)
{
    struct answer a;
    struct store_token_new new = {.user_id = user,
                                  .parent_id = parent,
                                  .kind = kind,
                                  .name = name,
                                  .now = 100 + byte,
                                  .expires_at = 1000 * byte};
    memset(new.hash, byte, TOKEN_HASH_LEN);
    assert_int_equal(ASK(p, &a, store_token_create(p->store, p->loop, &new, on_token, &a)), 0);
    return a.token;
}

static int find(struct place *p, struct answer *a, unsigned char byte)
{
    unsigned char hash[TOKEN_HASH_LEN];
    memset(hash, byte, sizeof(hash));
    return ASK(p, a, store_token_find(p->store, p->loop, hash, on_token_user, a));
}

static const struct id none = {{0}};

static void a_token_is_found_by_its_hash_with_its_user(void **state)
{
    struct place *p = *state;
    struct answer a;
    struct user bob = make_user(p, "bob", ROLE_AUDITOR);
    struct token token = make_token(p, bob.id, none, TOKEN_SESSION, "Firefox", 7);
    assert_int_equal(find(p, &a, 7), 0);
    assert_true(id_equal(&a.token.id, &token.id));
    assert_int_equal(a.token.kind, TOKEN_SESSION);
    assert_int_equal(a.token.expires_at, 7000);
    assert_int_equal(a.user.role, ROLE_AUDITOR);
    assert_string_equal(a.user.name, "bob");
    assert_int_equal(find(p, &a, 8), STORE_NOT_FOUND);
}

static void the_scope_is_kept(void **state)
{
    struct place *p = *state;
    struct answer a;
    struct user bob = make_user(p, "bob", ROLE_MEMBER);
    struct store_token_new new = {.user_id = bob.id,
                                  .kind = TOKEN_API,
                                  .name = "ci",
                                  .scope = {SCOPE_WORKSPACE, "bob", "ws"}};
    assert_int_equal(ASK(p, &a, store_token_create(p->store, p->loop, &new, on_token, &a)), 0);
    assert_int_equal(a.token.scope.kind, SCOPE_WORKSPACE);
    assert_string_equal(a.token.scope.owner, "bob");
    assert_string_equal(a.token.scope.workspace, "ws");
    /* Names of API tokens are given once a user. */
    memset(new.hash, 1, TOKEN_HASH_LEN);
    assert_int_equal(ASK(p, &a, store_token_create(p->store, p->loop, &new, on_token, &a)),
                     STORE_EXISTS);
    new.user_id = id_new();
    assert_int_equal(ASK(p, &a, store_token_create(p->store, p->loop, &new, on_token, &a)),
                     STORE_NOT_FOUND);
}

static void app_tokens_end_with_their_session(void **state)
{
    struct place *p = *state;
    struct answer a;
    struct user bob = make_user(p, "bob", ROLE_MEMBER);
    struct token session = make_token(p, bob.id, none, TOKEN_SESSION, "", 1);
    make_token(p, bob.id, session.id, TOKEN_APP, "", 2);
    assert_int_equal(find(p, &a, 2), 0);
    assert_true(id_equal(&a.token.parent_id, &session.id));
    assert_int_equal(ASK(p, &a, store_token_revoke(p->store, p->loop, session.id, on_done, &a)), 0);
    assert_int_equal(find(p, &a, 1), STORE_NOT_FOUND);
    assert_int_equal(find(p, &a, 2), STORE_NOT_FOUND);
    assert_int_equal(ASK(p, &a, store_token_revoke(p->store, p->loop, session.id, on_done, &a)),
                     STORE_NOT_FOUND);
}

static void a_new_password_ends_the_other_sessions(void **state)
{
    struct place *p = *state;
    struct answer a;
    struct user bob = make_user(p, "bob", ROLE_MEMBER);
    struct token kept = make_token(p, bob.id, none, TOKEN_SESSION, "", 1);
    struct token lost = make_token(p, bob.id, none, TOKEN_SESSION, "", 2);
    make_token(p, bob.id, none, TOKEN_API, "ci", 3);
    make_token(p, bob.id, lost.id, TOKEN_APP, "", 4);
    assert_int_equal(
        ASK(p, &a,
            store_user_set_password(p->store, p->loop, bob.id, "$y$new", kept.id, on_done, &a)),
        0);
    assert_int_equal(find(p, &a, 1), 0);
    assert_int_equal(find(p, &a, 2), STORE_NOT_FOUND);
    assert_int_equal(find(p, &a, 3), 0);
    assert_int_equal(find(p, &a, 4), STORE_NOT_FOUND);
    assert_int_equal(ASK(p, &a, store_user_login(p->store, p->loop, "bob", on_login, &a)), 0);
    assert_string_equal(a.text, "$y$new");
}

static void suspending_ends_sessions(void **state)
{
    struct place *p = *state;
    struct answer a;
    struct user bob = make_user(p, "bob", ROLE_MEMBER);
    make_token(p, bob.id, none, TOKEN_SESSION, "", 1);
    make_token(p, bob.id, none, TOKEN_API, "ci", 2);
    struct store_user_update u = {.change = STORE_USER_SUSPENDED, .suspended = true};
    assert_int_equal(update(p, &a, bob.id, u), 0);
    assert_int_equal(find(p, &a, 1), STORE_NOT_FOUND);
    assert_int_equal(find(p, &a, 2), 0);
    assert_true(a.user.suspended);
}

static void tokens_are_listed_newest_first_without_app_tokens(void **state)
{
    struct place *p = *state;
    struct answer a;
    struct user bob = make_user(p, "bob", ROLE_MEMBER);
    struct user eve = make_user(p, "eve", ROLE_MEMBER);
    struct token first = make_token(p, bob.id, none, TOKEN_SESSION, "first", 1);
    make_token(p, bob.id, none, TOKEN_API, "second", 2);
    make_token(p, bob.id, first.id, TOKEN_APP, "app", 3);
    make_token(p, bob.id, none, TOKEN_API, "third", 4);
    make_token(p, eve.id, none, TOKEN_API, "hers", 5);
    assert_int_equal(ASK(p, &a, store_token_list(p->store, p->loop, bob.id, all, on_tokens, &a)),
                     0);
    assert_string_equal(a.names, "third second first ");
    struct store_page page = {.limit = 2};
    ASK(p, &a, store_token_list(p->store, p->loop, bob.id, page, on_tokens, &a));
    page.after = a.last_id;
    ASK(p, &a, store_token_list(p->store, p->loop, bob.id, page, on_tokens, &a));
    assert_string_equal(a.names, "first ");
}

static void expired_tokens_are_pruned_and_touches_show(void **state)
{
    struct place *p = *state;
    struct answer a;
    struct user bob = make_user(p, "bob", ROLE_MEMBER);
    struct token early = make_token(p, bob.id, none, TOKEN_SESSION, "", 1);
    struct token late = make_token(p, bob.id, none, TOKEN_SESSION, "", 2);
    make_token(p, bob.id, none, TOKEN_API, "for-ever", 0);
    store_token_touch(p->store, late.id, 77);
    store_user_touch(p->store, bob.id, 78);
    assert_int_equal(ASK(p, &a, store_token_prune(p->store, p->loop, 1500, on_done, &a)), 0);
    assert_int_equal(ASK(p, &a, store_token_get(p->store, p->loop, early.id, on_token, &a)),
                     STORE_NOT_FOUND);
    assert_int_equal(find(p, &a, 0), 0);
    assert_int_equal(find(p, &a, 2), 0);
    assert_int_equal(a.token.last_used_at, 77);
    assert_int_equal(a.user.last_seen_at, 78);
}

static void who_owns_a_workspace_cannot_be_deleted(void **state)
{
    struct place *p = *state;
    struct answer a;
    struct user bob = make_user(p, "bob", ROLE_MEMBER);
    make_token(p, bob.id, none, TOKEN_API, "ci", 1);
    make_workspace(p, bob.id, "ws", 1, &a);
    struct id ws = a.ws.id;
    assert_int_equal(ASK(p, &a, store_user_delete(p->store, p->loop, bob.id, on_done, &a)),
                     STORE_IN_USE);
    ASK(p, &a, store_workspace_delete(p->store, p->loop, ws, on_done, &a));
    assert_int_equal(ASK(p, &a, store_user_delete(p->store, p->loop, bob.id, on_done, &a)), 0);
    assert_int_equal(find(p, &a, 1), STORE_NOT_FOUND);
}

#define ON_STORE(f) cmocka_unit_test_setup_teardown(f, set_up_open, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STORE(the_first_user_is_an_administrator_and_there_is_one_first_only),
        ON_STORE(of_many_set_ups_at_once_one_wins),
        ON_STORE(a_name_is_given_once),
        ON_STORE(users_are_listed_by_name_in_pieces),
        ON_STORE(an_update_changes_what_it_names_and_nothing_else),
        ON_STORE(the_last_active_administrator_stays),
        ON_STORE(a_token_is_found_by_its_hash_with_its_user),
        ON_STORE(the_scope_is_kept),
        ON_STORE(app_tokens_end_with_their_session),
        ON_STORE(a_new_password_ends_the_other_sessions),
        ON_STORE(suspending_ends_sessions),
        ON_STORE(tokens_are_listed_newest_first_without_app_tokens),
        ON_STORE(expired_tokens_are_pruned_and_touches_show),
        ON_STORE(who_owns_a_workspace_cannot_be_deleted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
