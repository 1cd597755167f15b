#include "auth/right.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "auth/grant.h"
#include "auth/token.h"
#include "base/cleanup.h"

static const struct id me = {{1}}, other = {{2}};

static struct identity person(enum role role)
{
    struct identity who = {.user_id = me, .user = "me", .role = role};
    return who;
}

/*
 * What is answered, by role: y yes, n 403, h hidden (404). First to what is one's own, then to what
 * is somebody else's. Without a log-in everything is 401.
 */
static const struct {
    enum right_action action;
    const char *own;    /* member, auditor, owner */
    const char *others; /* NULL: about nothing in particular */
    const char *scopes; /* all, application-connect, this workspace: to what is one's own */
} table[] = {
    {RIGHT_USER_LIST, "nyy", NULL, "ynn"},
    {RIGHT_USER_CREATE, "nny", NULL, "ynn"},
    {RIGHT_TEMPLATE_READ, "yyy", NULL, "ynn"},
    {RIGHT_TEMPLATE_WRITE, "nny", NULL, "ynn"},
    {RIGHT_WORKSPACE_LIST_ALL, "nyy", NULL, "ynn"},
    {RIGHT_AUDIT_READ_ALL, "nyy", NULL, "ynn"},
    {RIGHT_USER_READ, "yyy", "hyy", "yhh"},
    {RIGHT_USER_PASSWORD, "yyy", "hnn", "yhh"},
    {RIGHT_USER_PROFILE, "yyy", "hny", "yhh"},
    {RIGHT_USER_MANAGE, "nny", "hny", "yhh"},
    {RIGHT_TOKEN_LIST, "yyy", "hny", "yhh"},
    {RIGHT_TOKEN_CREATE, "yyy", "hnn", "yhh"},
    {RIGHT_TOKEN_DELETE, "yyy", "hny", "yhh"},
    {RIGHT_WORKSPACE_LIST, "yyy", "hyy", "yhh"},
    {RIGHT_WORKSPACE_CREATE, "yyy", "hny", "yhh"},
    {RIGHT_SHARED_LIST, "yyy", "hnn", "yhh"},
    {RIGHT_AUDIT_READ, "yyy", "hyy", "yhh"},
    {RIGHT_WORKSPACE_READ, "yyy", "hyy", "yhy"},
    {RIGHT_WORKSPACE_DELETE, "yyy", "hny", "yhn"},
    {RIGHT_AGENT_TOKEN, "yyy", "hny", "yhn"},
    {RIGHT_FORWARD, "yyy", "hnn", "yhy"},
    {RIGHT_SSH, "yyy", "hnn", "yhy"},
    {RIGHT_SHARE, "yyy", "hnn", "yhy"},
    {RIGHT_APP, "yyy", "hhy", "yyy"},
};

static char letter(enum right right)
{
    return "yLnh"[right];
}

static struct right_object thing(enum right_action action, bool own)
{
    bool workspace = action >= RIGHT_WORKSPACE_READ;
    return (struct right_object){.owner_id = own ? me : other,
                                 .owner = own ? "me" : "other",
                                 .workspace = workspace ? "ws" : NULL};
}

static void every_role_may_do_what_the_table_says(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        for (enum role role = ROLE_MEMBER; role <= ROLE_OWNER; role++) {
            struct identity who = person(role);
            struct right_object own = thing(table[i].action, true);
            struct right_object others = thing(table[i].action, false);
            bool nothing = table[i].others == NULL;
            char got = letter(right_check(&who, table[i].action, nothing ? NULL : &own));
            if (got != table[i].own[role])
                fail_msg("%s, own, %s: %c", right_action_name(table[i].action), role_name(role),
                         got);
            if (nothing)
                continue;
            got = letter(right_check(&who, table[i].action, &others));
            if (got != table[i].others[role])
                fail_msg("%s, others', %s: %c", right_action_name(table[i].action), role_name(role),
                         got);
        }
    }
}

static void the_table_names_every_action(void **state)
{
    assert_int_equal(ARRAY_LEN(table), RIGHT_ACTION_COUNT);
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        assert_int_equal(table[i].action, i);
}

/* As an administrator, so that only the scope refuses. */
static void a_scope_narrows_what_the_role_may(void **state)
{
    static const struct token_scope scopes[] = {
        {.kind = SCOPE_ALL}, {.kind = SCOPE_APPLICATION_CONNECT}, {SCOPE_WORKSPACE, "me", "ws"}};
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        for (size_t k = 0; k < ARRAY_LEN(scopes); k++) {
            struct identity who = person(ROLE_OWNER);
            struct right_object own = thing(table[i].action, true);
            who.scope = scopes[k];
            char got = letter(right_check(&who, table[i].action, table[i].others ? &own : NULL));
            if (got != table[i].scopes[k])
                fail_msg("%s, scope %zu: %c", right_action_name(table[i].action), k, got);
        }
    }
}

static void a_token_for_one_workspace_is_good_for_no_other(void **state)
{
    struct identity who = person(ROLE_OWNER);
    who.scope = (struct token_scope){SCOPE_WORKSPACE, "me", "ws"};
    struct right_object second = {.owner_id = me, .owner = "me", .workspace = "ws2"};
    struct right_object namesake = {.owner_id = other, .owner = "other", .workspace = "ws"};
    enum right_action actions[] = {RIGHT_WORKSPACE_READ, RIGHT_FORWARD, RIGHT_SSH,
                                   RIGHT_SHARE,          RIGHT_APP,     RIGHT_WORKSPACE_DELETE};
    for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
        assert_int_equal(right_check(&who, actions[i], &second), RIGHT_HIDDEN);
        assert_int_equal(right_check(&who, actions[i], &namesake), RIGHT_HIDDEN);
    }
    namesake.level = SHARE_AUTHENTICATED;
    assert_int_equal(right_check(&who, RIGHT_APP, &namesake), RIGHT_HIDDEN);
}

static void without_a_log_in_only_what_is_public_opens(void **state)
{
    struct identity nobody = {.role = ROLE_OWNER};
    for (enum right_action a = 0; a < RIGHT_ACTION_COUNT; a++) {
        struct right_object what = thing(a, false);
        what.level = SHARE_AUTHENTICATED;
        assert_int_equal(right_check(NULL, a, &what), RIGHT_LOG_IN);
        assert_int_equal(right_check(&nobody, a, &what), RIGHT_LOG_IN);
        assert_int_equal(right_check(NULL, a, NULL), RIGHT_LOG_IN);
        what.level = SHARE_PUBLIC;
        assert_int_equal(right_check(NULL, a, &what), a == RIGHT_APP ? RIGHT_YES : RIGHT_LOG_IN);
    }
}

/* Levels × who, for apps of somebody else. */
static void an_app_opens_as_its_level_says(void **state)
{
    static const struct {
        enum share_level level;
        bool named, no_administrators;
        const char *expected; /* member, auditor, administrator */
    } cells[] = {
        {SHARE_OWNER, false, false, "hhy"},        {SHARE_OWNER, true, false, "hhy"},
        {SHARE_OWNER, false, true, "hhh"},         {SHARE_USERS, false, false, "hhy"},
        {SHARE_USERS, true, false, "yyy"},         {SHARE_USERS, false, true, "hhh"},
        {SHARE_USERS, true, true, "yyy"},          {SHARE_AUTHENTICATED, false, false, "yyy"},
        {SHARE_AUTHENTICATED, false, true, "yyy"}, {SHARE_PUBLIC, false, false, "yyy"},
        {SHARE_PUBLIC, false, true, "yyy"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cells); i++) {
        for (enum role role = ROLE_MEMBER; role <= ROLE_OWNER; role++) {
            struct identity who = person(role);
            struct right_object what = thing(RIGHT_APP, false);
            what.level = cells[i].level;
            what.named = cells[i].named;
            what.no_administrators = cells[i].no_administrators;
            assert_int_equal(letter(right_check(&who, RIGHT_APP, &what)), cells[i].expected[role]);
        }
    }
}

static void an_object_that_is_missing_is_hidden(void **state)
{
    struct identity who = person(ROLE_OWNER);
    assert_int_equal(right_check(&who, RIGHT_WORKSPACE_READ, NULL), RIGHT_HIDDEN);
    assert_int_equal(right_check(&who, RIGHT_APP, NULL), RIGHT_HIDDEN);
}

static void an_identity_knows_the_owner_of_its_scope(void **state)
{
    struct user user = {.id = me, .name = "me", .role = ROLE_AUDITOR};
    struct token token = {.scope = {SCOPE_WORKSPACE, "", "ws"}, .expires_at = 7};
    struct identity who = identity_of(&token, &user);
    assert_string_equal(who.scope.owner, "me");
    assert_int_equal(who.role, ROLE_AUDITOR);
    str_copy(token.scope.owner, NAME_SIZE, "other");
    who = identity_of(&token, &user);
    assert_string_equal(who.scope.owner, "other");
}

static void a_grant_never_outlives_the_token(void **state)
{
    struct identity who = person(ROLE_MEMBER);
    struct workspace ws = {.id = {{3}}};
    struct agent agent = {.id = {{4}}};
    struct forward_policy policy;
    forward_policy_init(&policy);
    policy.remote = false;
    struct grant grant = grant_make(&who, &ws, &agent, &policy, 1000, 500);
    forward_policy_deinit(&policy);
    assert_int_equal(grant.expires_at, 1500);
    assert_string_equal(grant.user, "me");
    assert_true(grant.forwarding.local);
    assert_false(grant.forwarding.remote);
    assert_string_equal(grant.forwarding.permit_open.items[0], "*:*");
    assert_true(id_equal(&grant.agent_id, &agent.id));
    who.expires_at = 1200;
    struct grant shorter = grant_make(&who, &ws, &agent, &grant.forwarding, 1000, 500);
    assert_int_equal(shorter.expires_at, 1200);
    grant_deinit(&grant);
    grant_deinit(&shorter);
}

static void a_token_reads_back_to_its_hash(void **state)
{
    enum token_letter letters[] = {TOKEN_LETTER_SESSION, TOKEN_LETTER_API, TOKEN_LETTER_APP,
                                   TOKEN_LETTER_AGENT};
    for (size_t i = 0; i < ARRAY_LEN(letters); i++) {
        char text[TOKEN_TEXT_SIZE], second[TOKEN_TEXT_SIZE];
        unsigned char hash[TOKEN_HASH_LEN], again[TOKEN_HASH_LEN];
        enum token_letter got;
        token_make(letters[i], text, hash);
        token_make(letters[i], second, again);
        assert_string_not_equal(text, second);
        assert_int_equal(strlen(text), TOKEN_TEXT_LEN);
        assert_int_equal(token_read(span_of(text), &got, again), 0);
        assert_int_equal(got, letters[i]);
        assert_memory_equal(hash, again, sizeof(hash));
    }
}

static void what_is_no_token_is_refused(void **state)
{
    char text[TOKEN_TEXT_SIZE];
    unsigned char hash[TOKEN_HASH_LEN];
    enum token_letter got;
    token_make(TOKEN_LETTER_API, text, hash);
    for (size_t n = 0; n < TOKEN_TEXT_LEN; n++)
        assert_true(token_read(span_from(text, n), &got, hash) < 0);
    char wrong[TOKEN_TEXT_SIZE + 1];
    snprintf(wrong, sizeof(wrong), "%sA", text);
    assert_true(token_read(span_of(wrong), &got, hash) < 0);
    for (size_t i = 0; i < TOKEN_TEXT_LEN; i++) {
        str_copy(wrong, sizeof(wrong), text);
        wrong[i] = '!';
        assert_true(token_read(span_of(wrong), &got, hash) < 0);
    }
    str_copy(wrong, sizeof(wrong), text);
    wrong[5] = 'x';
    assert_true(token_read(span_of(wrong), &got, hash) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_role_may_do_what_the_table_says),
        cmocka_unit_test(the_table_names_every_action),
        cmocka_unit_test(a_scope_narrows_what_the_role_may),
        cmocka_unit_test(a_token_for_one_workspace_is_good_for_no_other),
        cmocka_unit_test(without_a_log_in_only_what_is_public_opens),
        cmocka_unit_test(an_app_opens_as_its_level_says),
        cmocka_unit_test(an_object_that_is_missing_is_hidden),
        cmocka_unit_test(an_identity_knows_the_owner_of_its_scope),
        cmocka_unit_test(a_grant_never_outlives_the_token),
        cmocka_unit_test(a_token_reads_back_to_its_hash),
        cmocka_unit_test(what_is_no_token_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
