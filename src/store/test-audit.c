#include "store/test_store.h"

#include <sqlite3.h>

static void on_events(void *ud, int r, const struct audit_event *events, size_t n, int64_t next)
{
    struct answer *a = ud;
    start_list(a, r, n);
    for (size_t i = 0; i < n; i++)
        add_name(a, events[i].target);
    if (n)
        a->event = events[0];
    a->num = next;
}

static void on_added(void *ud, int r, const bool *is_new)
{
    on_done(ud, r);
}

/* One character an event: 'n' for a new one. */
static void on_five(void *ud, int r, const bool *is_new)
{
    struct answer *a = ud;
    on_done(a, r);
    for (size_t i = 0; r == 0 && i < 5; i++)
        a->text[i] = is_new[i] ? 'n' : '.';
    a->text[5] = '\0';
}

static struct audit_event event_of(const char *target, const char *actor, const char *workspace,
                                   enum audit_action action, usec_t time)
{
    struct audit_event e = {.id = id_new(), .time = time, .action = action};
    str_copy(e.target, sizeof(e.target), target);
    str_copy(e.actor, sizeof(e.actor), actor);
    str_copy(e.workspace, sizeof(e.workspace), workspace);
    return e;
}

static void add_five(struct place *p)
{
    struct answer a;
    struct audit_event events[] = {
        event_of("1", "anna", "", AUDIT_LOGIN, 10),
        event_of("2", "bob", "anna/ws", AUDIT_FORWARD_CLOSE, 20),
        event_of("3", "bob", "bob/ws", AUDIT_FORWARD_CLOSE, 30),
        event_of("4", "anna", "bob/ws", AUDIT_SHARE_SET, 40),
        event_of("5", "ann", "annabel/x", AUDIT_LOGIN, 50),
    };
    assert_int_equal(ASK(p, &a, store_audit_add(p->store, p->loop, events, 5, on_five, &a)), 0);
    assert_string_equal(a.text, "nnnnn");
    /* A batch that is repeated changes nothing, and says so. */
    assert_int_equal(ASK(p, &a, store_audit_add(p->store, p->loop, events, 5, on_five, &a)), 0);
    assert_string_equal(a.text, ".....");
}

static void of_a_batch_only_what_was_not_there_is_new(void **state)
{
    struct place *p = *state;
    struct answer a;
    struct audit_event events[5];
    for (size_t i = 0; i < ARRAY_LEN(events); i++)
        events[i] = event_of("x", "anna", "", AUDIT_LOGIN, 10);
    ASK(p, &a, store_audit_add(p->store, p->loop, &events[1], 2, on_added, &a));
    ASK(p, &a, store_audit_add(p->store, p->loop, events, 5, on_five, &a));
    assert_string_equal(a.text, "n..nn");
}

static void the_record_is_read_by_filters(void **state)
{
    static const struct {
        struct store_audit_filter filter;
        const char *expected;
    } table[] = {
        {{.action = -1}, "5 4 3 2 1 "},
        {{.action = AUDIT_FORWARD_CLOSE}, "3 2 "},
        {{.action = AUDIT_LOGIN, .actor = "anna"}, "1 "},
        {{.action = -1, .actor = "bob"}, "3 2 "},
        {{.action = -1, .workspace = "bob/ws"}, "4 3 "},
        {{.action = -1, .concerning = "anna"}, "4 2 1 "},
        {{.action = -1, .concerning = "bob", .workspace = "anna/ws"}, "2 "},
        {{.action = -1, .since = 20, .until = 40}, "3 2 "},
        {{.action = -1, .limit = 2}, "5 4 "},
        {{.action = -1, .actor = "a%"}, ""},
        {{.action = AUDIT_SETUP}, ""},
    };
    struct place *p = *state;
    add_five(p);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct answer a;
        assert_int_equal(
            ASK(p, &a, store_audit_query(p->store, p->loop, &table[i].filter, on_events, &a)), 0);
        assert_string_equal(a.names, table[i].expected);
    }
}

static void pieces_join_without_gap_or_repetition(void **state)
{
    struct place *p = *state;
    struct answer a;
    add_five(p);
    struct store_audit_filter filter = {.action = -1, .limit = 2};
    const char *expected[] = {"5 4 ", "3 2 ", "1 "};
    for (int i = 0; i < 3; i++) {
        ASK(p, &a, store_audit_query(p->store, p->loop, &filter, on_events, &a));
        assert_string_equal(a.names, expected[i]);
        assert_int_equal(a.num != 0, i < 2);
        filter.before = a.num;
    }
}

static void an_event_comes_back_as_it_went(void **state)
{
    struct place *p = *state;
    struct answer a;
    struct audit_event e = {.id = id_new(),
                            .time = 1234567890123456,
                            .action = AUDIT_FORWARD_CLOSE,
                            .actor_id = id_new(),
                            .actor = "bob",
                            .workspace = "bob/ws",
                            .agent = "main",
                            .target = "db.internal:5432",
                            .direction = AUDIT_REMOTE,
                            .carrier = AUDIT_DIRECT,
                            .bytes_in = 1ULL << 40,
                            .bytes_out = 7,
                            .duration = 99,
                            .result = "ok",
                            .ip = "2001:db8::1"};
    ASK(p, &a, store_audit_add(p->store, p->loop, &e, 1, on_added, &a));
    struct store_audit_filter filter = {.action = -1};
    ASK(p, &a, store_audit_query(p->store, p->loop, &filter, on_events, &a));
    assert_memory_equal(&a.event, &e, sizeof(e));
}

static void too_large_a_batch_is_refused(void **state)
{
    struct place *p = *state;
    struct answer a;
    struct audit_event *events = xcalloc(STORE_AUDIT_BATCH_MAX + 1, sizeof(*events));
    for (int i = 0; i <= STORE_AUDIT_BATCH_MAX; i++)
        events[i].id = id_new();
    assert_int_equal(
        ASK(p, &a,
            store_audit_add(p->store, p->loop, events, STORE_AUDIT_BATCH_MAX + 1, on_added, &a)),
        -ENOBUFS);
    assert_int_equal(
        ASK(p, &a, store_audit_add(p->store, p->loop, events, STORE_AUDIT_BATCH_MAX, on_added, &a)),
        0);
    free(events);
}

static void the_database_itself_refuses_to_change_the_record(void **state)
{
    struct place *p = *state;
    add_five(p);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "UPDATE audit SET actor = 'eve'", NULL, NULL, NULL),
                     SQLITE_CONSTRAINT);
    assert_non_null(strstr(sqlite3_errmsg(db), "append-only"));
    assert_int_equal(sqlite3_exec(db, "DELETE FROM audit WHERE seq = 1", NULL, NULL, NULL),
                     SQLITE_CONSTRAINT);
    sqlite3_close(db);
    struct answer a;
    struct store_audit_filter filter = {.action = -1};
    ASK(p, &a, store_audit_query(p->store, p->loop, &filter, on_events, &a));
    assert_string_equal(a.names, "5 4 3 2 1 ");
}

static void on_keys(void *ud, int r, const struct signing_key *keys, size_t n)
{
    struct answer *a = ud;
    start_list(a, r, n);
    for (size_t i = 0; i < n; i++)
        add_name(a, keys[i].kid);
    if (n)
        a->key = keys[0];
}

static void keys_rotate_one_at_a_time(void **state)
{
    struct place *p = *state;
    struct answer a;
    struct signing_key key = {.kid = "k1",
                              .purpose = "ticket",
                              .secret = {1, 0, 2},
                              .secret_len = 3,
                              .created_at = 100,
                              .retires_at = 200,
                              .expires_at = 300};
#define ROTATE() ASK(p, &a, store_key_rotate(p->store, p->loop, &key, on_keys, &a))
    assert_int_equal(ROTATE(), 0);
    assert_string_equal(a.names, "k1 ");
    assert_memory_equal(a.key.secret, "\1\0\2", 3);
    assert_int_equal(a.key.secret_len, 3);
    str_copy(key.kid, sizeof(key.kid), "k2");
    key.created_at = 150; /* k1 still signs */
    ROTATE();
    assert_string_equal(a.names, "k1 ");
    key.created_at = 200;
    key.retires_at = 400;
    key.expires_at = 500;
    ROTATE();
    assert_string_equal(a.names, "k2 k1 ");
    str_copy(key.kid, sizeof(key.kid), "k3");
    key.created_at = 300; /* k1 has expired, k2 still signs */
    ROTATE();
    assert_string_equal(a.names, "k2 ");
    str_copy(key.purpose, sizeof(key.purpose), "other");
    ROTATE();
    assert_string_equal(a.names, "k3 ");
}

#define ON_STORE(f) cmocka_unit_test_setup_teardown(f, set_up_open, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STORE(of_a_batch_only_what_was_not_there_is_new),
        ON_STORE(the_record_is_read_by_filters),
        ON_STORE(pieces_join_without_gap_or_repetition),
        ON_STORE(an_event_comes_back_as_it_went),
        ON_STORE(too_large_a_batch_is_refused),
        ON_STORE(the_database_itself_refuses_to_change_the_record),
        ON_STORE(keys_rotate_one_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
