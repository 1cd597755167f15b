/* Streams of events: what is told when, to whom, and when they end. */
#include "web/test_web.h"

#include "web/instance.h"

/* ---- a reader ---- */

struct reader {
    struct scene *s;
    struct stream *end;
    struct buf in;
    bool over;
};

static void reader_open(struct reader *r, struct scene *s, const char *path, const char *token)
{
    struct stream *ends[2];
    struct buf out = BUF_INIT(4096);

    *r = (struct reader){.s = s, .in = BUF_INIT(ANSWER_MAX)};
    stream_pair(s->loop, 1024, ends);
    server_conn_new(s->loop, ends[0], &s->conn);
    r->end = ends[1];
    buf_appendf(&out,
                "GET %s HTTP/1.1\r\nHost: adit.test\r\nConnection: close\r\n"
                "Authorization: Bearer %s\r\n\r\n",
                path, token);
    assert_int_equal(stream_send_bytes(r->end, buf_data(&out), out.len), out.len);
    buf_deinit(&out);
}

/* What is there; `wait`: as soon as something is. */
static void reader_read(struct reader *r, bool wait)
{
    ssize_t n;

    while ((n = stream_recv(r->end, buf_reserve(&r->in, 65536), 65536)) == -EAGAIN && wait)
        loop_turn(r->s->loop, true);
    if (n > 0)
        buf_commit(&r->in, (size_t)n);
    else
        r->over |= n != -EAGAIN;
}

/* Until the text has come; what is up to its end is forgotten. */
static void expect(struct reader *r, const char *text)
{
    const char *at;

    while (!(at = strstr(buf_cstr(&r->in), text))) {
        if (r->over)
            fail_msg("ended before: %s; after: %s", text, buf_cstr(&r->in));
        reader_read(r, true);
    }
    buf_consume(&r->in, (size_t)(at - buf_cstr(&r->in)) + strlen(text));
}

static void expect_end(struct reader *r)
{
    while (!r->over) {
        reader_read(r, true);
        buf_clear(&r->in);
    }
}

/* Nothing is under way and nothing has come. */
static void expect_silence(struct reader *r)
{
    while (web_in_flight(r->s->web) > 0)
        loop_turn(r->s->loop, true);
    loop_turn(r->s->loop, false);
    reader_read(r, false);
    if (strstr(buf_cstr(&r->in), "event:"))
        fail_msg("told without a change: %s", buf_cstr(&r->in));
}

static void reader_close(struct reader *r)
{
    unsigned others = r->s->n_streams - (r->over ? 0 : 1);

    stream_free(r->end);
    buf_deinit(&r->in);
    while (r->s->n_streams > others || web_in_flight(r->s->web) > 0)
        loop_turn(r->s->loop, true);
}

/* ---- the stage ---- */

struct people {
    char ada[TOKEN_TEXT_SIZE]; /* administrator */
    char bob[TOKEN_TEXT_SIZE]; /* member, who has the workspace "dev" */
};

static void make_people(struct scene *s, struct people *p)
{
    make_first(s, p->ada);
    make_user(s, p->ada, "bob", "member", p->bob);
    assert_int_equal(ask(s, "POST", "/api/v1/workspaces", p->bob, "{\"name\":\"dev\"}"), 201);
    assert_int_equal(id_parse(span_of(got(s, "workspace.agents.0.id")), &s->present[0]), 0);
    s->n_present = 1;
    s->ports_json = "{\"ports\":[{\"port\":8080,\"address\":\"127.0.0.1\",\"process\":\"vite\","
                    "\"pid\":7,\"speaks\":\"http\"}]}";
}

#define DEV "/api/v1/events?workspace=bob/dev"

/* ---- tests ---- */

static void every_topic_is_told_once_at_the_start(void **state)
{
    struct scene *s = *state;
    struct people p;
    struct reader r;

    make_people(s, &p);
    reader_open(&r, s, DEV, p.bob);
    expect(&r, "\r\nContent-Type: text/event-stream\r\n");
    expect(&r, "event: workspaces\ndata: {\"workspaces\":[{");
    expect(&r, "event: workspace\ndata: {\"id\":\"");
    expect(&r, "event: ports\ndata: {\"agent\":\"main\",\"ports\":[{\"port\":8080,");
    expect(&r, "event: apps\ndata: {\"agent\":\"main\",\"apps\":[]}\n\n");
    expect(&r, "event: shares\ndata: {\"agent\":\"main\",\"max_level\":");
    expect(&r, "event: forwards\ndata: {\"agent\":\"main\",\"forwards\":[],");
    expect(&r, "\n\n");
    expect_silence(&r);
    assert_int_equal(s->n_watchers, 1);
    reader_close(&r);
    assert_int_equal(s->n_watchers, 0);
}

static void what_an_agent_tells_is_told_on(void **state)
{
    struct scene *s = *state;
    struct people p;
    struct reader r;
    struct web_change change = {.topics = WEB_TOPIC_PORTS | WEB_TOPIC_FORWARDS};

    make_people(s, &p);
    reader_open(&r, s, DEV, p.bob);
    expect(&r, "event: forwards\n");
    s->told[WEB_AGENT_PORTS] = "{\"ports\":[{\"port\":5173,\"address\":\"::1\",\"process\":\"\","
                               "\"pid\":null,\"speaks\":\"tls\"}]}";
    s->told[WEB_AGENT_FORWARDS] =
        "{\"forwards\":[{\"id\":\"00000000000000000000000000000001\"}],\"more\":false}";
    web_changed(s->web, &change);
    expect(&r, "event: ports\ndata: {\"agent\":\"main\",\"ports\":[{\"port\":5173,");
    expect(&r, "\"url\":\"http://5173s--dev--bob.localhost:7777/\"");
    expect(&r, "event: forwards\ndata: {\"agent\":\"main\",\"forwards\":[{\"id\":\"0000");
    reader_close(&r);
}

static void a_share_is_told_with_the_port_that_it_is_of(void **state)
{
    struct scene *s = *state;
    struct people p;
    struct reader r;

    make_people(s, &p);
    reader_open(&r, s, DEV, p.bob);
    expect(&r, "event: shares\n");
    expect(&r, "\"shares\":[]}\n\n");
    assert_int_equal(ask(s, "PUT", "/api/v1/workspaces/bob/dev/agents/main/shares/8080", p.bob,
                         "{\"level\":\"authenticated\"}"),
                     200);
    expect(&r, "event: ports\n");
    expect(&r, "\"level\":\"authenticated\"");
    expect(&r, "event: shares\n");
    expect(&r, "\"level\":\"authenticated\"");
    assert_int_equal(
        ask(s, "DELETE", "/api/v1/workspaces/bob/dev/agents/main/shares/8080", p.bob, NULL), 204);
    expect(&r, "event: shares\n");
    expect(&r, "\"shares\":[]}\n\n");
    reader_close(&r);
}

static void a_change_that_changes_nothing_is_not_told(void **state)
{
    struct scene *s = *state;
    struct people p;
    struct reader r;
    struct web_change change = {.topics = WEB_TOPIC_SHARES};

    make_people(s, &p);
    reader_open(&r, s, DEV, p.bob);
    expect(&r, "event: forwards\n");
    expect(&r, "\n\n");
    web_changed(s->web, &change);
    while (web_in_flight(s->web) == 0)
        loop_turn(s->loop, true); /* until it is asked for */
    expect_silence(&r);
    reader_close(&r);
}

static void a_workspace_is_told_when_it_is_made_and_when_it_is_gone(void **state)
{
    struct scene *s = *state;
    struct people p;
    struct reader list, one;

    make_people(s, &p);
    reader_open(&list, s, "/api/v1/events", p.bob);
    reader_open(&one, s, DEV, p.bob);
    expect(&list, "\"name\":\"dev\"");
    expect(&one, "event: shares\n");
    assert_int_equal(ask(s, "POST", "/api/v1/workspaces", p.bob, "{\"name\":\"new\"}"), 201);
    expect(&list, "\"name\":\"new\"");
    assert_int_equal(ask(s, "DELETE", "/api/v1/workspaces/bob/dev", p.bob, NULL), 204);
    expect(&one, "event: workspace\ndata: {\"deleted\":true}\n\n");
    expect(&list, "event: workspaces\ndata: {\"workspaces\":[{");
    assert_int_equal(ask(s, "POST", "/api/v1/workspaces", p.bob, "{\"name\":\"dev\"}"), 201);
    expect(&one, "event: workspace\ndata: {\"id\":\"");
    expect(&one, "event: ports\n");
    reader_close(&list);
    reader_close(&one);
}

static void others_workspaces_tell_nothing(void **state)
{
    struct scene *s = *state;
    struct people p;
    struct reader r;

    make_people(s, &p);
    reader_open(&r, s, "/api/v1/events", p.bob);
    expect(&r, "event: shared\ndata: {\"shared\":[],");
    expect(&r, "\n\n");
    assert_int_equal(ask(s, "POST", "/api/v1/workspaces", p.ada, "{\"name\":\"hers\"}"), 201);
    expect_silence(&r);
    reader_close(&r);
}

static void what_is_shared_with_a_person_is_told_as_it_comes_and_goes(void **state)
{
    struct scene *s = *state;
    struct people p;
    struct reader r;
    struct web_change change = {.topics = WEB_TOPIC_PORTS};

    make_people(s, &p);
    reader_open(&r, s, "/api/v1/events", p.ada);
    expect(&r, "event: shared\ndata: {\"shared\":[],");
    assert_int_equal(ask(s, "PUT", "/api/v1/workspaces/bob/dev/agents/main/shares/8080", p.bob,
                         "{\"level\":\"users\",\"users\":[\"ada\"]}"),
                     200);
    expect(&r, "event: shared\ndata: {\"shared\":[{");
    expect(&r, "\"listening\":false");
    s->told[WEB_AGENT_PORTS] = s->ports_json;
    web_changed(s->web, &change);
    expect(&r, "event: shared\n");
    expect(&r, "\"listening\":true");
    assert_int_equal(ask(s, "DELETE", "/api/v1/workspaces/bob/dev", p.bob, NULL), 204);
    expect(&r, "event: shared\ndata: {\"shared\":[],");
    reader_close(&r);
}

static void administrators_may_look_at_all(void **state)
{
    struct scene *s = *state;
    struct people p;
    struct reader r;

    make_people(s, &p);
    assert_int_equal(ask(s, "GET", "/api/v1/events?all=true", p.bob, NULL), 403);
    reader_open(&r, s, "/api/v1/events?all=true", p.ada);
    expect(&r, "\"owner\":\"bob\"");
    assert_int_equal(ask(s, "POST", "/api/v1/workspaces", p.bob, "{\"name\":\"more\"}"), 201);
    expect(&r, "\"name\":\"more\"");
    reader_close(&r);
}

static void bad_questions_are_refused(void **state)
{
    static const struct {
        const char *query;
        unsigned status;
    } table[] = {
        {"workspace=", 400},
        {"workspace=dev", 400},
        {"workspace=bob%2f", 404},
        {"workspace=/dev", 404},
        {"workspace=bob/dev/x", 404},
        {"workspace=bob/none", 404},
        {"workspace=ada/dev", 404},
        {"workspace=%00/%00", 400},
        {"workspace=%zz", 400},
        {"workspace=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/"
         "b",
         400},
    };
    struct scene *s = *state;
    struct people p;
    char path[256];

    make_people(s, &p);
    make_user(s, p.ada, "cleo", "member", p.ada);
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        snprintf(path, sizeof(path), "/api/v1/events?%s", table[i].query);
        if (ask(s, "GET", path, p.bob, NULL) != table[i].status)
            fail_msg("%s: %u", table[i].query, s->a.status);
    }
    assert_int_equal(ask(s, "GET", DEV, p.ada, NULL), 404);
    assert_int_equal(ask(s, "GET", DEV, NULL, NULL), 401);
    assert_int_equal(s->n_streams, 0);
}

static void a_stream_ends_with_its_session(void **state)
{
    struct scene *s = *state;
    struct people p;
    struct reader r;

    make_people(s, &p);
    reader_open(&r, s, DEV, p.bob);
    expect(&r, "event: workspaces\n");
    assert_int_equal(ask(s, "POST", "/api/v1/logout", p.bob, NULL), 204);
    expect_end(&r);
    reader_close(&r);
}

static void a_stream_ends_when_its_person_may_no_longer_log_in(void **state)
{
    struct scene *s = *state;
    struct people p;
    struct reader bob, ada;

    make_people(s, &p);
    reader_open(&bob, s, DEV, p.bob);
    reader_open(&ada, s, DEV, p.ada);
    expect(&bob, "event: shares\n");
    expect(&ada, "event: shares\n");
    assert_int_equal(ask(s, "PATCH", "/api/v1/users/bob", p.ada, "{\"suspended\":true}"), 200);
    expect_end(&bob);
    assert_false(ada.over);
    reader_close(&bob);
    reader_close(&ada);
}

static void a_person_has_so_many_streams(void **state)
{
    struct scene *s = *state;
    struct people p;
    struct reader r;

    make_people(s, &p);
    s->streams_max = 1;
    reader_open(&r, s, DEV, p.bob);
    expect(&r, "event: workspaces\n");
    assert_int_equal(ask(s, "GET", DEV, p.bob, NULL), 429);
    reader_close(&r);
    assert_int_equal(s->n_streams, 0);
}

static void a_server_that_stops_ends_all_streams(void **state)
{
    struct scene *s = *state;
    struct people p;
    struct reader r;

    make_people(s, &p);
    reader_open(&r, s, DEV, p.bob);
    expect(&r, "event: workspaces\n");
    web_end_streams(s->web);
    expect_end(&r);
    assert_int_equal(s->n_streams, 0);
    reader_close(&r);
}

static void a_slow_reader_gets_the_newest_state_only(void **state)
{
    enum { CHANGES = 50 };
    struct scene *s = *state;
    struct people p;
    struct reader r;
    unsigned told = 0;

    make_people(s, &p);
    reader_open(&r, s, DEV, p.bob);
    expect(&r, "event: shares\n");
    expect(&r, "\n\n");
    for (int i = 0; i < CHANGES; i++)
        assert_int_equal(askf(s, "PUT", "/api/v1/workspaces/bob/dev/agents/main/shares/8080", p.bob,
                              "{\"level\":\"users\",\"users\":[\"%s\"]}",
                              i == CHANGES - 1 ? "ada" : "bob"),
                         200);
    while (!strstr(buf_cstr(&r.in), "event: shares") ||
           !strstr(strstr(buf_cstr(&r.in), "event: shares"), "[\"ada\"]"))
        reader_read(&r, true);
    for (const char *at = buf_cstr(&r.in); (at = strstr(at, "event: shares")); at++)
        told++;
    assert_in_range(told, 1, CHANGES / 2);
    reader_close(&r);
}

static void head_tells_the_type_and_ends(void **state)
{
    struct scene *s = *state;
    struct people p;

    make_people(s, &p);
    assert_int_equal(ask(s, "HEAD", "/api/v1/events", p.bob, NULL), 200);
    assert_true(has_line(s, "Content-Type: text/event-stream"));
    assert_int_equal(s->n_streams, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        T(every_topic_is_told_once_at_the_start),
        T(what_an_agent_tells_is_told_on),
        T(a_share_is_told_with_the_port_that_it_is_of),
        T(a_change_that_changes_nothing_is_not_told),
        T(a_workspace_is_told_when_it_is_made_and_when_it_is_gone),
        T(others_workspaces_tell_nothing),
        T(what_is_shared_with_a_person_is_told_as_it_comes_and_goes),
        T(administrators_may_look_at_all),
        T(bad_questions_are_refused),
        T(a_stream_ends_with_its_session),
        T(a_stream_ends_when_its_person_may_no_longer_log_in),
        T(a_person_has_so_many_streams),
        T(a_server_that_stops_ends_all_streams),
        T(a_slow_reader_gets_the_newest_state_only),
        T(head_tells_the_type_and_ends),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
