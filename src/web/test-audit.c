/* The audit record over the API: who sees what of it, its filters, its pieces, its refusals. */
#include "web/test_web.h"

#define ALL "/api/v1/audit?limit=1000"

struct people {
    char ada[TOKEN_TEXT_SIZE]; /* administrator */
    char olga[TOKEN_TEXT_SIZE];
    char bob[TOKEN_TEXT_SIZE], eve[TOKEN_TEXT_SIZE];
};

static void on_added(void *ud, int r, const bool *is_new)
{
    (void)is_new;
    assert_int_equal(r, 0);
    *(bool *)ud = true;
}

/* Adds one event as the server records it. */
static void add(struct scene *s, struct audit_event e)
{
    bool done = false;

    e.id = id_new();
    store_audit_add(s->store, s->loop, &e, 1, on_added, &done);
    while (!done)
        loop_turn(s->loop, true);
}

static struct audit_event forward(usec_t time, const char *actor, const char *workspace,
                                  const char *target)
{
    struct audit_event e = {.time = time,
                            .action = AUDIT_FORWARD_CLOSE,
                            .direction = AUDIT_LOCAL,
                            .carrier = AUDIT_DIRECT,
                            .bytes_in = 10,
                            .bytes_out = 20,
                            .duration = 1500 * USEC_PER_MSEC,
                            .agent = "main",
                            .result = "ok"};

    str_copy(e.actor, sizeof(e.actor), actor);
    str_copy(e.workspace, sizeof(e.workspace), workspace);
    str_copy(e.target, sizeof(e.target), target);
    return e;
}

static void settle(struct scene *s)
{
    while (web_in_flight(s->web) > 0)
        loop_turn(s->loop, true);
}

/* What is made here is on record, and three forwards in the year 2001, oldest last to be added. */
static void make_people(struct scene *s, struct people *p)
{
    usec_t start;

    assert_int_equal(clock_parse("2001-01-01T00:00:00Z", &start), 0);
    make_first(s, p->ada);
    make_user(s, p->ada, "olga", "auditor", p->olga);
    make_user(s, p->ada, "bob", "member", p->bob);
    make_user(s, p->ada, "eve", "member", p->eve);
    settle(s);
    add(s, forward(start, "bob", "bob/dev", "localhost:1"));
    add(s, forward(start + USEC_PER_HOUR, "eve", "bob/dev", "localhost:2"));
    add(s, forward(start + 2 * USEC_PER_HOUR, "eve", "eve/lab", "localhost:3"));
}

/* How many of the answer's events have this text in this member. */
static size_t count(struct scene *s, const char *member, const char *text)
{
    size_t i, n = 0;
    json_t *event;

    json_array_foreach(json_object_get(s->a.json, "events"), i, event)
    {
        const char *value = json_string_value(json_object_get(event, member));
        n += value && str_eq(value, text);
    }
    return n;
}

static void an_event_is_shown_with_all_it_has(void **state)
{
    struct scene *s = *state;
    struct people p;

    make_people(s, &p);
    assert_int_equal(ask(s, "GET", "/api/v1/audit?limit=1", p.ada, NULL), 200);
    assert_int_equal(got_len(s, "events"), 1);
    assert_string_equal(got(s, "events.0.time"), "2001-01-01T02:00:00.000Z");
    assert_string_equal(got(s, "events.0.action"), "forward_close");
    assert_string_equal(got(s, "events.0.actor"), "eve");
    assert_string_equal(got(s, "events.0.workspace"), "eve/lab");
    assert_string_equal(got(s, "events.0.target"), "localhost:3");
    assert_string_equal(got(s, "events.0.direction"), "local");
    assert_string_equal(got(s, "events.0.path"), "direct");
    assert_non_null(strstr(s->a.body, "\"bytes_in\":10,\"bytes_out\":20,\"duration_ms\":1500"));
}

static void administrators_and_auditors_see_everything(void **state)
{
    struct scene *s = *state;
    struct people p;

    make_people(s, &p);
    const char *readers[] = {p.ada, p.olga};
    for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
        assert_int_equal(ask(s, "GET", ALL, readers[i], NULL), 200);
        assert_int_equal(count(s, "action", "forward_close"), 3);
        assert_int_equal(count(s, "action", "setup"), 1);
        assert_int_equal(count(s, "actor", "eve"), 3); /* with the log-in */
    }
}

static void a_member_sees_what_they_did_and_their_own_workspaces(void **state)
{
    static const struct {
        const char *query;
        size_t n;
    } cases[] = {
        {"&action=forward_close", 2},  {"&user=eve", 1},
        {"&user=eve&action=login", 0}, {"&user=ada", 0},
        {"&workspace=bob/dev", 2},     {"&workspace=eve/lab", 0},
        {"&user=nobody", 0},
    };
    struct scene *s = *state;
    struct people p;
    char path[128];

    make_people(s, &p);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        snprintf(path, sizeof(path), "%s%s", ALL, cases[i].query);
        assert_int_equal(ask(s, "GET", path, p.bob, NULL), 200);
        if (got_len(s, "events") != cases[i].n)
            fail_msg("%s: %zu, not %zu", path, got_len(s, "events"), cases[i].n);
    }
    assert_int_equal(ask(s, "GET", ALL, p.bob, NULL), 200);
    assert_int_equal(count(s, "target", "localhost:3"), 0);
    assert_int_equal(count(s, "actor", "ada"), 0);
}

static void filters_hold_together(void **state)
{
    static const struct {
        const char *query;
        size_t n;
    } cases[] = {
        {"&until=2002-01-01T00:00:00Z", 3},
        {"&since=2001-01-01T01:00:00Z&until=2002-01-01T00:00:00Z", 2},
        {"&until=2001-01-01T01:00:00Z", 1},
        {"&user=EVE&action=forward_close", 2},
        {"&user=eve&action=forward_close&workspace=bob/dev", 1},
        {"&action=setup", 1},
    };
    struct scene *s = *state;
    struct people p;
    char path[160];

    make_people(s, &p);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        snprintf(path, sizeof(path), "%s%s", ALL, cases[i].query);
        assert_int_equal(ask(s, "GET", path, p.olga, NULL), 200);
        if (got_len(s, "events") != cases[i].n)
            fail_msg("%s: %zu, not %zu", path, got_len(s, "events"), cases[i].n);
    }
}

static void the_record_is_read_in_pieces(void **state)
{
    static const char *const targets[] = {"localhost:3", "localhost:2", "localhost:1"};
    struct scene *s = *state;
    struct people p;
    char path[128] = "/api/v1/audit?action=forward_close&limit=1", next[32];

    make_people(s, &p);
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        assert_int_equal(ask(s, "GET", path, p.ada, NULL), 200);
        assert_int_equal(got_len(s, "events"), 1);
        assert_string_equal(got(s, "events.0.target"), targets[i]);
        str_copy(next, sizeof(next), got(s, "next"));
        snprintf(path, sizeof(path), "/api/v1/audit?action=forward_close&limit=1&after=%s", next);
    }
    assert_int_equal(ask(s, "GET", path, p.ada, NULL), 200);
    assert_int_equal(got_len(s, "events"), 0);
    assert_true(json_is_null(json_object_get(s->a.json, "next")));
}

static void a_full_piece_of_the_longest_events_fits_an_answer(void **state)
{
    struct scene *s = *state;
    struct people p;
    struct audit_event *events = xcalloc(1000, sizeof(*events));
    bool done = false;

    make_people(s, &p);
    for (size_t i = 0; i < 1000; i++) {
        events[i] = forward(1, "bob", "bob/dev", "");
        events[i].id = id_new();
        memset(events[i].target, 1, sizeof(events[i].target) - 1);
        memset(events[i].result, 1, sizeof(events[i].result) - 1);
        memset(events[i].detail, 1, sizeof(events[i].detail) - 1);
        memset(events[i].ip, 1, sizeof(events[i].ip) - 1);
    }
    store_audit_add(s->store, s->loop, events, 1000, on_added, &done);
    while (!done)
        loop_turn(s->loop, true);
    free(events);
    assert_int_equal(ask(s, "GET", ALL, p.ada, NULL), 200);
    assert_int_equal(got_len(s, "events"), 250);
    assert_string_not_equal(got(s, "next"), "");
}

static void a_wrong_query_names_each_parameter(void **state)
{
    static const struct {
        const char *query, *field;
    } cases[] = {
        {"since=yesterday", "since"},
        {"since=", "since"},
        {"until=2001-13-01T00:00:00Z", "until"},
        {"since=2002-01-01T00:00:00Z&until=2001-01-01T00:00:00Z", "until"},
        {"user=B_", "user"},
        {"user=%zz", "user"},
        {"workspace=dev", "workspace"},
        {"workspace=bob/dev.main", "workspace"},
        {"action=frobnicate", "action"},
        {"after=x", "after"},
        {"after=0", "after"},
        {"after=99999999999999999999", "after"},
        {"limit=0", "limit"},
        {"limit=1001", "limit"},
    };
    struct scene *s = *state;
    char ada[TOKEN_TEXT_SIZE], path[160];

    make_first(s, ada);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        snprintf(path, sizeof(path), "/api/v1/audit?%s", cases[i].query);
        assert_int_equal(ask(s, "GET", path, ada, NULL), 400);
        assert_string_equal(got(s, "fields.0.field"), cases[i].field);
        assert_string_not_equal(got(s, "fields.0.message"), "");
    }
    assert_int_equal(ask(s, "GET", "/api/v1/audit?since=x&action=y&limit=z", ada, NULL), 400);
    assert_int_equal(got_len(s, "fields"), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_event_is_shown_with_all_it_has, set_up, tear_down),
        cmocka_unit_test_setup_teardown(administrators_and_auditors_see_everything, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_member_sees_what_they_did_and_their_own_workspaces,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(filters_hold_together, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_record_is_read_in_pieces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_piece_of_the_longest_events_fits_an_answer, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_wrong_query_names_each_parameter, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
