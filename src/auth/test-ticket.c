/* Tickets, hand-overs and withdrawals, with keys of a real store. */
#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <jwt.h>

#include "auth/cookie_names.h"
#include "auth/hand_over.h"
#include "auth/key_ring.h"
#include "auth/ticket.h"
#include "auth/ticket_memo.h"
#include "base/mem.h"
#include "io/loop.h"
#include "proto/app_host.h"

struct scene {
    char dir[64];
    char path[128];
    struct loop *loop;
    struct store *store;
    struct key_ring *tickets, *other, *hand_overs;
    usec_t now;
};

static struct key_ring *ring(struct scene *s, const char *purpose)
{
    struct key_ring *r = key_ring_new(s->store, s->loop, purpose, TICKET_LIFE);
    while (!key_ring_ready(r))
        loop_turn(s->loop, true);
    return r;
}

static int set_up(void **state)
{
    struct scene *s = new0(struct scene);
    struct err err = ERR_INIT;
    str_copy(s->dir, sizeof(s->dir), "/tmp/adit-ticket-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    snprintf(s->path, sizeof(s->path), "%s/adit.db", s->dir);
    s->loop = loop_new();
    assert_int_equal(store_open(&(struct store_options){.path = s->path}, &s->store, &err), 0);
    s->tickets = ring(s, TICKET_KEYS);
    s->other = ring(s, "other");
    s->hand_overs = ring(s, HAND_OVER_KEYS);
    s->now = clock_realtime();
    *state = s;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static int tear_down(void **state)
{
    struct scene *s = *state;
    key_ring_free(s->tickets);
    key_ring_free(s->other);
    key_ring_free(s->hand_overs);
    store_close(s->store);
    loop_free(s->loop);
    nftw(s->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(s);
    return 0;
}

static struct ticket make_ticket(struct scene *s)
{
    struct ticket t = {.epoch = 0xfedcba9876543210,
                       .generation = 7,
                       .port = 8888,
                       .tls = true,
                       .everyone = true,
                       .cors = CORS_PASSTHRU,
                       .owner_id = id_new(),
                       .expires_at = s->now / USEC_PER_SEC * USEC_PER_SEC + TICKET_LIFE};
    t.subject.user_id = id_new();
    t.subject.token_id = id_new();
    t.subject.parent_id = id_new();
    t.subject.workspace_id = id_new();
    t.subject.agent_id = id_new();
    t.subject.template_id = id_new();
    str_copy(t.subject.target, sizeof(t.subject.target), "8888");
    str_copy(t.site, sizeof(t.site), "8888s--dev--ada.apps.example.com");
    str_copy(t.base, sizeof(t.base), "/");
    str_copy(t.user, sizeof(t.user), "ada");
    str_copy(t.email, sizeof(t.email), "ada@example.com");
    str_copy(t.host, sizeof(t.host), "localhost");
    str_copy(t.home, sizeof(t.home), "/lab?x=\"1\"");
    return t;
}

static void a_ticket_says_what_was_put_in(void **state)
{
    struct scene *s = *state;
    struct ticket t = make_ticket(s), back;
    struct buf text = BUF_INIT(TICKET_MAX_LEN);
    assert_int_equal(ticket_sign(s->tickets, &t, &text), 0);
    assert_int_equal(ticket_read(s->tickets, span_of(buf_cstr(&text)), s->now, &back), 0);
    assert_memory_equal(&t.subject, &back.subject, sizeof(t.subject));
    assert_true(id_equal(&t.owner_id, &back.owner_id));
    assert_true(t.epoch == back.epoch && t.generation == back.generation);
    assert_string_equal(t.site, back.site);
    assert_string_equal(t.base, back.base);
    assert_string_equal(t.user, back.user);
    assert_string_equal(t.email, back.email);
    assert_string_equal(t.host, back.host);
    assert_string_equal(t.home, back.home);
    assert_true(back.tls && back.everyone && !back.by_path && back.port == 8888 &&
                back.cors == CORS_PASSTHRU);
    assert_true(back.expires_at == t.expires_at);
    buf_deinit(&text);
}

static void a_ticket_of_nobody_has_no_ids(void **state)
{
    struct scene *s = *state;
    struct ticket t = make_ticket(s), back;
    struct buf text = BUF_INIT(TICKET_MAX_LEN);
    memset(&t.subject.user_id, 0, ID_LEN);
    memset(&t.subject.token_id, 0, ID_LEN);
    t.user[0] = '\0';
    assert_int_equal(ticket_sign(s->tickets, &t, &text), 0);
    assert_int_equal(ticket_read(s->tickets, span_of(buf_cstr(&text)), s->now, &back), 0);
    assert_true(id_is_zero(&back.subject.user_id));
    assert_string_equal(back.user, "");
    buf_deinit(&text);
}

static int read_text(struct scene *s, const char *text, usec_t now)
{
    struct ticket t;
    return ticket_read(s->tickets, span_of(text), now, &t);
}

static void every_changed_character_spoils_it(void **state)
{
    struct scene *s = *state;
    struct ticket t = make_ticket(s);
    struct buf text = BUF_INIT(TICKET_MAX_LEN);
    assert_int_equal(ticket_sign(s->tickets, &t, &text), 0);
    char *copy = xstrdup(buf_cstr(&text));
    /* The last character of base64url has bits that count for nothing. */
    for (size_t i = 0; copy[i + 1]; i++) {
        char was = copy[i];
        copy[i] = was == 'A' ? 'B' : 'A';
        if (read_text(s, copy, s->now) != -EACCES)
            fail_msg("character %zu does not matter: %s", i, copy);
        copy[i] = was;
    }
    assert_int_equal(read_text(s, copy, s->now), 0);
    for (size_t len = strlen(copy); len-- > 0;) {
        copy[len] = '\0';
        assert_int_equal(read_text(s, copy, s->now), -EACCES);
    }
    free(copy);
    buf_deinit(&text);
}

static void it_ends_after_its_time(void **state)
{
    struct scene *s = *state;
    struct ticket t = make_ticket(s);
    struct buf text = BUF_INIT(TICKET_MAX_LEN);
    assert_int_equal(ticket_sign(s->tickets, &t, &text), 0);
    assert_int_equal(read_text(s, buf_cstr(&text), t.expires_at - 1), 0);
    assert_int_equal(read_text(s, buf_cstr(&text), t.expires_at), -EACCES);
    /* Nor is one believed that says to live for longer than any of ours. */
    assert_int_equal(read_text(s, buf_cstr(&text), s->now - USEC_PER_HOUR), -EACCES);
    buf_deinit(&text);
}

static void the_key_of_another_purpose_does_not_count(void **state)
{
    struct scene *s = *state;
    struct ticket t = make_ticket(s);
    struct buf text = BUF_INIT(TICKET_MAX_LEN);
    assert_int_equal(ticket_sign(s->other, &t, &text), 0);
    assert_int_equal(read_text(s, buf_cstr(&text), s->now), -EACCES);
    buf_deinit(&text);
}

/* The claims of a good ticket under another head. */
static void only_our_algorithm_passes(void **state)
{
    static const jwt_alg_t algorithms[] = {JWT_ALG_NONE, JWT_ALG_HS384, JWT_ALG_HS512};
    struct scene *s = *state;
    struct ticket t = make_ticket(s);
    struct buf text = BUF_INIT(TICKET_MAX_LEN);
    struct signing_key key;
    jwt_t *jwt;
    assert_true(key_ring_newest(s->tickets, &key));
    assert_int_equal(ticket_sign(s->tickets, &t, &text), 0);
    for (size_t i = 0; i < 3; i++) {
        bool none = algorithms[i] == JWT_ALG_NONE;
        assert_int_equal(jwt_decode(&jwt, buf_cstr(&text), key.secret, (int)key.secret_len), 0);
        assert_int_equal(jwt_set_alg(jwt, algorithms[i], none ? NULL : key.secret,
                                     none ? 0 : (int)key.secret_len),
                         0);
        char *forged = jwt_encode_str(jwt);
        assert_int_equal(read_text(s, forged, s->now), -EACCES);
        free(forged);
        jwt_free(jwt);
    }
    buf_deinit(&text);
}

/* One that is remembered is judged as one that is read. */
static void a_remembered_ticket_is_still_held_against_the_clock(void **state)
{
    struct scene *s = *state;
    struct buf text = BUF_INIT(TICKET_MAX_LEN);
    struct ticket t = make_ticket(s), back;
    struct ticket_memo *m = ticket_memo_new(s->tickets);
    assert_int_equal(ticket_sign(s->tickets, &t, &text), 0);
    char *good = xstrdup(buf_cstr(&text));
    for (int i = 0; i < 3; i++) {
        memset(&back, 0, sizeof(back));
        assert_int_equal(ticket_memo_read(m, span_of(good), s->now, &back), 0);
        assert_string_equal(back.site, t.site);
        assert_int_equal(back.port, t.port);
        assert_int_equal(back.generation, t.generation);
    }
    /* Another head or body under a signature that is remembered. */
    for (size_t i = 0; good[i]; i++) {
        char was = good[i];
        good[i] = was == 'A' ? 'B' : 'A';
        bool last = good[i + 1] == '\0'; /* of which some bits count for nothing */
        if (!last)
            assert_int_equal(ticket_memo_read(m, span_of(good), s->now, &back), -EACCES);
        good[i] = was;
    }
    assert_int_equal(ticket_memo_read(m, span_of(good), s->now, &back), 0);
    assert_int_equal(ticket_memo_read(m, span_of(good), t.expires_at, &back), -EACCES);
    assert_int_equal(ticket_memo_read(m, span_of("short"), s->now, &back), -EACCES);
    ticket_memo_free(m);
    free(good);
    buf_deinit(&text);
}

static void garbage_is_no_ticket(void **state)
{
    static const char *const texts[] = {
        "", ".", "..", "...", "a.b.c", "e30.e30.", "e30.e30.e30", "eyJhbGciOiJub25lIn0.e30."};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_equal(read_text(*state, texts[i], 1), -EACCES);
}

static void a_second_ring_reads_what_the_first_signed(void **state)
{
    struct scene *s = *state;
    struct ticket t = make_ticket(s), back;
    struct buf text = BUF_INIT(TICKET_MAX_LEN);
    struct key_ring *second = ring(s, TICKET_KEYS);
    assert_int_equal(ticket_sign(s->tickets, &t, &text), 0);
    assert_int_equal(ticket_read(second, span_of(buf_cstr(&text)), s->now, &back), 0);
    key_ring_free(second);
    buf_deinit(&text);
}

static void a_hand_over_opens_once_sealed_until_it_is_too_old(void **state)
{
    struct scene *s = *state;
    struct hand_over h = {.user_id = id_new(),
                          .session_id = id_new(),
                          .session_expires_at = s->now + USEC_PER_DAY,
                          .expires_at = s->now + HAND_OVER_LIFE};
    struct hand_over back;
    unsigned char hash[TOKEN_HASH_LEN];
    struct buf text = BUF_INIT(HAND_OVER_MAX_LEN);
    str_copy(h.site, sizeof(h.site), "8080--dev--ada.apps.example.com");
    token_make(TOKEN_LETTER_APP, h.token, hash);
    assert_int_equal(hand_over_seal(s->hand_overs, &h, &text), 0);
    assert_null(strstr(buf_cstr(&text), h.token));
    struct span sealed = span_of(buf_cstr(&text));
    assert_int_equal(hand_over_open(s->hand_overs, sealed, s->now, &back), 0);
    assert_string_equal(back.site, h.site);
    assert_string_equal(back.token, h.token);
    assert_true(id_equal(&back.user_id, &h.user_id) && id_equal(&back.session_id, &h.session_id));
    assert_true(back.session_expires_at == h.session_expires_at);
    assert_int_equal(hand_over_open(s->hand_overs, sealed, h.expires_at, &back), -EACCES);
    assert_int_equal(hand_over_open(s->tickets, sealed, s->now, &back), -EACCES);
    char *copy = xstrdup(buf_cstr(&text));
    for (size_t i = 0; copy[i + 1]; i++) {
        char was = copy[i];
        copy[i] = was == 'A' ? 'B' : 'A';
        assert_int_equal(hand_over_open(s->hand_overs, span_of(copy), s->now, &back), -EACCES);
        copy[i] = was;
    }
    free(copy);
    buf_deinit(&text);
}

static void a_withdrawal_hits_what_it_names(void **state)
{
    struct withdrawal_subject s = {.user_id = id_new(),
                                   .token_id = id_new(),
                                   .parent_id = id_new(),
                                   .workspace_id = id_new(),
                                   .agent_id = id_new(),
                                   .template_id = id_new(),
                                   .target = "8080"};
    const struct {
        struct withdrawal w;
        bool hits;
    } cases[] = {
        {{.user_id = s.user_id}, true},
        {{.user_id = id_new()}, false},
        {{.token_id = s.token_id}, true},
        {{.token_id = s.parent_id}, true},
        {{.token_id = id_new()}, false},
        {{.workspace_id = s.workspace_id}, true},
        {{.agent_id = s.agent_id, .target = "8080"}, true},
        {{.agent_id = s.agent_id, .target = "8081"}, false},
        {{.agent_id = id_new(), .target = "8080"}, false},
        {{.template_id = s.template_id}, true},
        {{.user_id = s.user_id, .agent_id = id_new()}, false},
        {{.target = ""}, true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (withdrawal_hits(&cases[i].w, &s) != cases[i].hits)
            fail_msg("case %zu", i);
}

static void the_log_forgets_nothing_that_counts(void **state)
{
    struct withdrawal_log *log = withdrawal_log_new();
    struct withdrawal_subject mine = {.user_id = id_new()};
    struct withdrawal w = {.user_id = mine.user_id}, other = {.user_id = id_new()};
    assert_false(withdrawal_log_hit(log, 0, &mine));
    assert_true(withdrawal_log_hit(log, 1, &mine)); /* from the future: not ours */
    withdrawal_log_add(log, &other);
    assert_false(withdrawal_log_hit(log, 0, &mine));
    withdrawal_log_add(log, &w);
    assert_true(withdrawal_log_hit(log, 0, &mine));
    assert_true(withdrawal_log_hit(log, 1, &mine));
    assert_false(withdrawal_log_hit(log, withdrawal_log_count(log), &mine));
    uint64_t since = withdrawal_log_count(log);
    for (unsigned i = 0; i < WITHDRAWALS_KEPT; i++)
        withdrawal_log_add(log, &other);
    assert_false(withdrawal_log_hit(log, since, &mine));
    withdrawal_log_add(log, &other);
    assert_true(withdrawal_log_hit(log, since, &mine)); /* too old to tell */
    withdrawal_log_free(log);
}

static void the_cookie_of_app_sessions_tells_deployments_apart(void **state)
{
    struct app_pattern a, b;
    struct cookie_names of_a, of_b;
    assert_int_equal(app_pattern_parse(SPAN("*.apps.example.com"), &a, NULL), 0);
    assert_int_equal(app_pattern_parse(SPAN("*--x.apps.example.com"), &b, NULL), 0);
    cookie_names_init(&of_a, &a);
    cookie_names_init(&of_b, &b);
    assert_string_not_equal(of_a.app_session, of_b.app_session);
    assert_int_equal(of_a.n_all, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ticket_says_what_was_put_in),
        cmocka_unit_test(a_ticket_of_nobody_has_no_ids),
        cmocka_unit_test(every_changed_character_spoils_it),
        cmocka_unit_test(it_ends_after_its_time),
        cmocka_unit_test(the_key_of_another_purpose_does_not_count),
        cmocka_unit_test(only_our_algorithm_passes),
        cmocka_unit_test(a_remembered_ticket_is_still_held_against_the_clock),
        cmocka_unit_test(garbage_is_no_ticket),
        cmocka_unit_test(a_second_ring_reads_what_the_first_signed),
        cmocka_unit_test(a_hand_over_opens_once_sealed_until_it_is_too_old),
        cmocka_unit_test(a_withdrawal_hits_what_it_names),
        cmocka_unit_test(the_log_forgets_nothing_that_counts),
        cmocka_unit_test(the_cookie_of_app_sessions_tells_deployments_apart),
    };
    alarm(100);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
