#include "auth/login.h"

#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "auth/auth.h"
#include "auth/password.h"
#include "auth/session.h"
#include "auth/token.h"
#include "base/mem.h"
#include "io/loop.h"
#include "store/store.h"
#include "store/token.h"
#include "store/user.h"
#include "store/workspace.h"

struct house {
    char dir[64];
    struct loop *loop;
    struct store *store;
    struct auth *auth;
    /* the last answer */
    bool done;
    int r;
    usec_t retry_after, expires_at;
    char token[TOKEN_TEXT_SIZE];
    struct user user;
    struct identity who;
    struct id token_id;
    char name[NAME_SIZE];
};

static int open_house(void **state)
{
    struct house *h = new0(struct house);
    char path[96];
    str_copy(h->dir, sizeof(h->dir), "/tmp/adit-auth-XXXXXX");
    assert_non_null(mkdtemp(h->dir));
    snprintf(path, sizeof(path), "%s/adit.db", h->dir);
    h->loop = loop_new();
    assert_int_equal(store_open(&(struct store_options){.path = path}, &h->store, NULL), 0);
    h->auth = auth_new(h->store, &(struct auth_options){.attempts_user = 3,
                                                        .attempts_user_refill = USEC_PER_HOUR,
                                                        .attempts_ip = 20,
                                                        .attempts_ip_refill = USEC_PER_HOUR});
    *state = h;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static int close_house(void **state)
{
    struct house *h = *state;
    auth_free(h->auth);
    store_close(h->store);
    loop_free(h->loop);
    nftw(h->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(h);
    return 0;
}

static int wait_for(struct house *h)
{
    while (!h->done)
        loop_turn(h->loop, true);
    return h->r;
}

#define ASK(h, call) ((h)->done = false, (void)(call), assert_false((h)->done), wait_for(h))

static void on_login(void *ud, const struct login_answer *a)
{
    struct house *h = ud;
    h->done = true;
    h->r = a->result;
    h->retry_after = a->retry_after;
    h->expires_at = a->expires_at;
    h->token_id = a->token_id;
    if (a->user)
        h->user = *a->user;
    str_copy(h->token, sizeof(h->token), a->token ? a->token : "");
}

static void on_session(void *ud, int r, const struct identity *who)
{
    struct house *h = ud;
    h->done = true;
    h->r = r;
    if (r == 0)
        h->who = *who;
}

static void on_agent(void *ud, int r, const struct workspace *ws, const struct agent *agent)
{
    struct house *h = ud;
    h->done = true;
    h->r = r;
    if (r == 0)
        snprintf(h->name, sizeof(h->name), "%s", agent->name);
}

static void on_done(void *ud, int r)
{
    struct house *h = ud;
    h->done = true;
    h->r = r;
}

static void on_user(void *ud, int r, const struct user *user)
{
    on_done(ud, r);
}

static void on_workspace(void *ud, int r, const struct store_workspace *ws)
{
    on_done(ud, r);
}

static void on_token(void *ud, int r, const struct token *token)
{
    on_done(ud, r);
}

static int set_up(struct house *h)
{
    struct login_user user = {.name = "anna",
                              .email = "a@b.org",
                              .password = SPAN("correct horse"),
                              .ip = "192.0.2.1",
                              .label = "test"};
    return ASK(h, login_setup(h->auth, h->loop, &user, on_login, h));
}

static int log_in(struct house *h, const char *user, const char *password, const char *ip)
{
    struct login_request request = {
        .user = span_of(user), .password = span_of(password), .ip = ip, .label = "test"};
    return ASK(h, login_start(h->auth, h->loop, &request, on_login, h));
}

static int check(struct house *h, const char *token)
{
    return ASK(h, session_check(h->auth, h->loop, span_of(token), on_session, h));
}

static void the_first_user_is_logged_in_and_there_is_no_second(void **state)
{
    struct house *h = *state;
    assert_int_equal(set_up(h), LOGIN_OK);
    assert_int_equal(h->user.role, ROLE_OWNER);
    assert_true(h->expires_at > clock_realtime() + 6 * USEC_PER_DAY);
    assert_int_equal(check(h, h->token), 0);
    assert_string_equal(h->who.user, "anna");
    assert_string_equal(h->who.email, "a@b.org");
    assert_int_equal(h->who.kind, TOKEN_SESSION);
    assert_true(id_equal(&h->who.token_id, &h->token_id));
    assert_int_equal(set_up(h), LOGIN_SETUP_DONE);
    assert_string_equal(h->token, "");
}

static void the_right_password_in_any_case_of_the_name_logs_in(void **state)
{
    struct house *h = *state;
    set_up(h);
    assert_int_equal(log_in(h, "ANNA", "correct horse", "192.0.2.1"), LOGIN_OK);
    assert_int_equal(check(h, h->token), 0);
    assert_int_equal(log_in(h, "anna", "correct horsf", "192.0.2.1"), LOGIN_WRONG);
    assert_int_equal(log_in(h, "anna", "", "192.0.2.1"), LOGIN_WRONG);
    assert_int_equal(log_in(h, "ann", "correct horse", "192.0.2.1"), LOGIN_WRONG);
    assert_int_equal(log_in(h, "no name!", "correct horse", "192.0.2.1"), LOGIN_WRONG);
    assert_int_equal(log_in(h, "", "", "192.0.2.1"), LOGIN_WRONG);
}

static void a_user_without_a_password_cannot_log_in(void **state)
{
    struct house *h = *state;
    struct store_user_new new = {.name = "bob", .password_hash = ""};
    ASK(h, store_user_create(h->store, h->loop, &new, on_user, h));
    assert_int_equal(log_in(h, "bob", "", "192.0.2.1"), LOGIN_WRONG);
    assert_int_equal(log_in(h, "bob", "x", "192.0.2.1"), LOGIN_WRONG);
}

/* What all threads of this program have worked, whoever else has the processors. */
static int64_t work_done(void)
{
    struct timespec t;
    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t), 0);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* Within a factor: hashing takes tens of milliseconds, a look-up alone takes none. */
static void an_unknown_name_takes_as_long_as_a_known_one(void **state)
{
    struct house *h = *state;
    set_up(h);
    int64_t known = INT64_MAX, unknown = INT64_MAX;
    for (int i = 0; i < 3; i++) {
        int64_t start = work_done();
        log_in(h, "anna", "wrong", "192.0.2.1");
        int64_t middle = work_done();
        log_in(h, "nobody", "wrong", "192.0.2.1");
        int64_t end = work_done();
        known = middle - start < known ? middle - start : known;
        unknown = end - middle < unknown ? end - middle : unknown;
    }
    assert_true(unknown > known / 3);
    assert_true(known > unknown / 3);
}

static void too_many_attempts_for_a_name_must_wait(void **state)
{
    struct house *h = *state;
    set_up(h);
    for (int i = 0; i < 3; i++)
        assert_int_equal(log_in(h, "anna", "wrong", "192.0.2.1"), LOGIN_WRONG);
    /* From elsewhere and with the right password too. */
    assert_int_equal(log_in(h, "anna", "correct horse", "192.0.2.9"), LOGIN_TOO_MANY);
    assert_true(h->retry_after > 0 && h->retry_after <= USEC_PER_HOUR);
    assert_int_equal(auth_refused(h->auth), 1);
    assert_int_equal(log_in(h, "bob", "x", "192.0.2.1"), LOGIN_WRONG);
}

static void a_success_forgives_the_failures_before(void **state)
{
    struct house *h = *state;
    set_up(h);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(log_in(h, "anna", "wrong", "192.0.2.1"), LOGIN_WRONG);
        assert_int_equal(log_in(h, "anna", "wrong", "192.0.2.1"), LOGIN_WRONG);
        assert_int_equal(log_in(h, "anna", "correct horse", "192.0.2.1"), LOGIN_OK);
    }
}

static void too_many_attempts_from_an_address_must_wait(void **state)
{
    struct house *h = *state;
    char name[16], ip[64];
    for (int i = 0; i < 20; i++) {
        /* All of one /64 count together. */
        snprintf(name, sizeof(name), "n%d", i);
        snprintf(ip, sizeof(ip), "2001:db8:0:1::%x", i);
        assert_int_equal(log_in(h, name, "x", ip), LOGIN_WRONG);
    }
    assert_int_equal(log_in(h, "n99", "x", "2001:db8:0:1:ffff::1"), LOGIN_TOO_MANY);
    assert_int_equal(log_in(h, "n99", "x", "2001:db8:0:2::1"), LOGIN_WRONG);
}

static void many_people_log_in_from_one_address(void **state)
{
    struct house *h = *state;
    set_up(h);
    for (int i = 0; i < 30; i++)
        assert_int_equal(log_in(h, "anna", "correct horse", "192.0.2.1"), LOGIN_OK);
    /* Being right gives no guesses: as many as before are wrong, and one is the set-up's. */
    for (int i = 0; i < 19; i++) {
        char name[16];
        snprintf(name, sizeof(name), "n%d", i);
        assert_int_equal(log_in(h, "anna", "correct horse", "192.0.2.1"), LOGIN_OK);
        assert_int_equal(log_in(h, name, "x", "192.0.2.1"), LOGIN_WRONG);
    }
    assert_int_equal(log_in(h, "anna", "correct horse", "192.0.2.1"), LOGIN_TOO_MANY);
}

static void who_is_suspended_is_out_at_once(void **state)
{
    struct house *h = *state;
    set_up(h);
    struct login_user user = {
        .name = "bob", .role = ROLE_MEMBER, .password = SPAN("battery staple")};
    assert_int_equal(ASK(h, login_user_create(h->auth, h->loop, &user, on_login, h)), LOGIN_OK);
    struct id bob = h->user.id;
    assert_int_equal(h->user.role, ROLE_MEMBER);
    assert_int_equal(ASK(h, login_user_create(h->auth, h->loop, &user, on_login, h)), LOGIN_EXISTS);
    log_in(h, "bob", "battery staple", "192.0.2.1");
    char session[TOKEN_TEXT_SIZE], api[TOKEN_TEXT_SIZE];
    str_copy(session, sizeof(session), h->token);
    struct store_token_new new = {.user_id = bob, .kind = TOKEN_API, .name = "ci"};
    token_make(TOKEN_LETTER_API, api, new.hash);
    ASK(h, store_token_create(h->store, h->loop, &new, on_token, h));
    assert_int_equal(check(h, session), 0);
    assert_int_equal(check(h, api), 0);

    struct store_user_update update = {.change = STORE_USER_SUSPENDED, .suspended = true};
    ASK(h, store_user_update(h->store, h->loop, bob, &update, on_user, h));
    assert_int_equal(check(h, session), -EACCES);
    assert_int_equal(check(h, api), -EACCES);
    assert_int_equal(log_in(h, "bob", "battery staple", "192.0.2.1"), LOGIN_WRONG);
}

static void a_revoked_an_expired_and_an_unknown_token_are_refused(void **state)
{
    struct house *h = *state;
    char text[TOKEN_TEXT_SIZE];
    set_up(h);
    struct id session = h->token_id;
    char token[TOKEN_TEXT_SIZE];
    str_copy(token, sizeof(token), h->token);
    struct store_token_new new = {
        .user_id = h->user.id, .kind = TOKEN_API, .name = "old", .expires_at = 1};
    token_make(TOKEN_LETTER_API, text, new.hash);
    ASK(h, store_token_create(h->store, h->loop, &new, on_token, h));
    assert_int_equal(check(h, text), -EACCES);

    ASK(h, store_token_revoke(h->store, h->loop, session, on_done, h));
    assert_int_equal(check(h, token), -EACCES);
    unsigned char hash[TOKEN_HASH_LEN];
    token_make(TOKEN_LETTER_API, text, hash);
    assert_int_equal(check(h, text), -EACCES);
    assert_int_equal(check(h, ""), -EACCES);
    assert_int_equal(check(h, "adit_sx"), -EACCES);
}

static int change(struct house *h, const char *old, const char *new, struct id keep)
{
    struct login_change c = {.user = "anna",
                             .old_password = old ? span_of(old) : SPAN_NULL,
                             .new_password = span_of(new),
                             .keep_session = keep,
                             .ip = "192.0.2.1"};
    return ASK(h, login_change(h->auth, h->loop, &c, on_login, h));
}

static void a_password_is_changed_by_who_knows_the_old_one(void **state)
{
    struct house *h = *state;
    set_up(h);
    char first[TOKEN_TEXT_SIZE];
    str_copy(first, sizeof(first), h->token);
    log_in(h, "anna", "correct horse", "192.0.2.1");
    char kept[TOKEN_TEXT_SIZE];
    str_copy(kept, sizeof(kept), h->token);
    struct id keep = h->token_id;
    assert_int_equal(change(h, "wrong", "new password", keep), LOGIN_WRONG);
    assert_int_equal(change(h, "correct horse", "new password", keep), LOGIN_OK);
    assert_int_equal(check(h, first), -EACCES);
    assert_int_equal(check(h, kept), 0);
    assert_int_equal(log_in(h, "anna", "correct horse", "192.0.2.1"), LOGIN_WRONG);
    assert_int_equal(log_in(h, "anna", "new password", "192.0.2.1"), LOGIN_OK);
    /* An administrator resets it without the old one; all sessions end. */
    assert_int_equal(change(h, NULL, "third password", (struct id){{0}}), LOGIN_OK);
    assert_int_equal(check(h, kept), -EACCES);
    assert_int_equal(log_in(h, "anna", "third password", "192.0.2.1"), LOGIN_OK);
}

static void an_agents_token_is_no_persons_and_the_reverse(void **state)
{
    struct house *h = *state;
    char text[TOKEN_TEXT_SIZE];
    set_up(h);
    char session[TOKEN_TEXT_SIZE];
    str_copy(session, sizeof(session), h->token);
    struct store_agent_new agent = {.name = "main"};
    token_make(TOKEN_LETTER_AGENT, text, agent.token_hash);
    struct store_workspace_new ws = {.owner_id = h->user.id,
                                     .name = "ws",
                                     .template_name = "default",
                                     .agents = &agent,
                                     .n_agents = 1};
    assert_int_equal(ASK(h, store_workspace_create(h->store, h->loop, &ws, on_workspace, h)), 0);
#define CHECK_AGENT(t) ASK(h, session_check_agent(h->auth, h->loop, span_of(t), on_agent, h))
    assert_int_equal(CHECK_AGENT(text), 0);
    assert_string_equal(h->name, "main");
    assert_int_equal(CHECK_AGENT(session), -EACCES);
    assert_int_equal(check(h, text), -EACCES);
    text[TOKEN_TEXT_LEN - 2] ^= 1;
    assert_int_equal(CHECK_AGENT(text), -EACCES);
}

static void what_was_cancelled_does_not_call_back(void **state)
{
    struct house *h = *state;
    set_up(h);
    h->done = false;
    struct login_request request = {
        .user = SPAN("anna"), .password = SPAN("correct horse"), .ip = "192.0.2.1"};
    struct login *waiting = login_start(h->auth, h->loop, &request, on_login, h);
    login_cancel(login_start(h->auth, h->loop, &request, on_login, h));
    session_check_cancel(session_check(h->auth, h->loop, SPAN("x"), on_session, h));
    session_check_cancel(session_check(h->auth, h->loop, span_of(h->token), on_session, h));
    password_cancel(password_verify(h->loop, SPAN("x"), NULL, NULL, NULL));
    /* One more turn, so that the first is in the middle of its hashing. */
    loop_turn(h->loop, true);
    login_cancel(waiting);
    struct login_request last = {.user = SPAN("bob"), .password = SPAN("x"), .ip = "192.0.2.1"};
    assert_int_equal(ASK(h, login_start(h->auth, h->loop, &last, on_login, h)), LOGIN_WRONG);
}

static void on_verified(void *ud, bool right)
{
    ++*(int *)ud;
}

static void the_number_of_passwords_under_work_is_bounded(void **state)
{
    struct house *h = *state;
    int finished = 0, started = 0;
    while (password_verify(h->loop, SPAN("x"), NULL, on_verified, &finished))
        started++;
    assert_int_equal(started, PASSWORD_JOBS_MAX);
    assert_int_equal(log_in(h, "anna", "x", "192.0.2.1"), LOGIN_BUSY);
    while (finished < started)
        loop_turn(h->loop, true);
    assert_int_equal(log_in(h, "anna", "x", "192.0.2.1"), LOGIN_WRONG);
}

static void on_hash(void *ud, int r, const char *hash)
{
    struct house *h = ud;
    h->done = true;
    h->r = r;
    if (r == 0)
        assert_true(span_starts(span_of(hash), "$y$"));
}

static void a_password_that_the_library_cannot_take_is_refused(void **state)
{
    struct house *h = *state;
    assert_int_equal(ASK(h, password_hash(h->loop, SPAN("a\0b"), on_hash, h)), -EINVAL);
    assert_int_equal(ASK(h, password_hash(h->loop, SPAN("ab"), on_hash, h)), 0);
}

#define IN_HOUSE(f) cmocka_unit_test_setup_teardown(f, open_house, close_house)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_HOUSE(the_first_user_is_logged_in_and_there_is_no_second),
        IN_HOUSE(the_right_password_in_any_case_of_the_name_logs_in),
        IN_HOUSE(a_user_without_a_password_cannot_log_in),
        IN_HOUSE(an_unknown_name_takes_as_long_as_a_known_one),
        IN_HOUSE(too_many_attempts_for_a_name_must_wait),
        IN_HOUSE(a_success_forgives_the_failures_before),
        IN_HOUSE(too_many_attempts_from_an_address_must_wait),
        IN_HOUSE(many_people_log_in_from_one_address),
        IN_HOUSE(who_is_suspended_is_out_at_once),
        IN_HOUSE(a_revoked_an_expired_and_an_unknown_token_are_refused),
        IN_HOUSE(a_password_is_changed_by_who_knows_the_old_one),
        IN_HOUSE(an_agents_token_is_no_persons_and_the_reverse),
        IN_HOUSE(what_was_cancelled_does_not_call_back),
        IN_HOUSE(the_number_of_passwords_under_work_is_bounded),
        IN_HOUSE(a_password_that_the_library_cannot_take_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
