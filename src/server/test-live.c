/*
 * A whole server with two workers, in this process: agents connect, people open relays across
 * workers, rights are withdrawn, and all ends in order. To be run under TSan, too.
 */
#include "server/test_live.h"

#include <errno.h>
#include <ftw.h>
#include <jansson.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/secret.h"
#include "http/client_request.h"
#include "http/ws_handshake.h"
#include "io/loop.h"
#include "io/stream.h"
#include "io/timer.h"
#include "tunnel/agent_link.h"
#include "tunnel/ws_carrier.h"

enum { AGENTS = 6, ROUNDS = 4, TEXT_MAX = 65536 };

/* ---- an agent that echoes ---- */

struct fake_agent {
    struct scene *s;
    char name[16];
    struct id id;
    struct secret *token;
    struct ws_carrier *carrier;
    struct agent_link *link;
    struct stream *peers[64];
    size_t n_peers;
    unsigned n_withdrawn, n_granted;
    bool refuse;
    bool silent;
    unsigned n_waits;    /* how often its connection was lost */
    struct stream *news; /* GET /events */
    const char *records; /* the answer to GET /events?after=0 */
    uint64_t stored;     /* N of the last GET /events?after=N */
    int watched;         /* what PUT /watched said last; -1: nothing */
};

static void on_peer_ready(struct stream *peer, unsigned events, void *ud)
{
    char data[4096];
    ssize_t n;

    (void)events;
    (void)ud;
    while ((n = stream_recv(peer, data, sizeof(data))) > 0)
        assert_int_equal(stream_send_bytes(peer, data, (size_t)n), n);
    stream_want(peer, n == -EAGAIN ? STREAM_READ : 0);
}

static void on_requested(struct tunnel_session *session, struct channel_request *rq, void *ud)
{
    static const char info[] =
        "{\"pin\":\"47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU\","
        "\"version\":\"9.9\",\"os\":\"Linux\",\"arch\":\"x\",\"direct\":true,"
        "\"hostname\":\"h\"}";
    struct fake_agent *a = ud;
    const struct channel_request_info *i = channel_request_info(rq);

    (void)session;
    if (i->kind == CHANNEL_PEER) {
        struct stream *peer = channel_accept(rq);
        a->peers[a->n_peers++] = peer;
        stream_set_ready(peer, on_peer_ready, a);
        stream_want(peer, STREAM_READ);
    } else if (str_eq(i->path, "/info")) {
        if (!a->silent)
            channel_answer(rq, 200, info);
    } else if (str_eq(i->path, "/ports")) {
        channel_answer(rq, 200, "{\"ports\":[]}");
    } else if (str_eq(i->path, "/peers")) {
        channel_answer(rq, a->refuse ? 403 : 200, "{}");
    } else if (span_starts(span_of(i->path), "/events?after=")) {
        num_parse(span_of(i->path + strlen("/events?after=")), 0, UINT64_MAX, &a->stored);
        channel_answer(rq, a->records && a->stored == 0 ? 200 : 404, a->records);
    } else if (str_eq(i->path, "/events")) {
        stream_free(a->news);
        a->news = channel_accept_body(rq, "application/jsonl");
    } else if (str_eq(i->path, "/watched")) {
        a->watched = strstr(i->body, "true") != NULL;
        channel_answer(rq, 204, NULL);
    } else if (str_eq(i->path, "/apps")) {
        channel_answer(rq, 204, NULL);
    } else if (str_eq(i->method, "PUT")) {
        a->n_granted++;
        channel_answer(rq, a->refuse ? 400 : 200, "{}");
    } else if (str_eq(i->method, "DELETE")) {
        a->n_withdrawn++;
        channel_answer(rq, 200, "{}");
    } else {
        channel_answer(rq, 404, NULL);
    }
}

static void on_link_changed(struct agent_link *l, const struct link_status *status, void *ud)
{
    struct fake_agent *a = ud;

    (void)l;
    a->n_waits += status->state == LINK_WAITING;
}

static const char *status_of(struct scene *s, const struct fake_agent *a)
{
    char path[128];

    snprintf(path, sizeof(path), "/api/v1/workspaces/ada/%s", a->name);
    assert_int_equal(ask(s, "GET", path, NULL), 200);
    return got(s, "agents", "status");
}

static void agent_start(struct fake_agent *a)
{
    struct err err = ERR_INIT;

    if (ws_carrier_for_agent(
            &(struct ws_carrier_options){.server_url = a->s->url, .token = a->token}, &a->carrier,
            &err) < 0)
        fail_msg("%s", err.text);
    a->link = agent_link_new(a->s->loop,
                             &(struct agent_link_options){.opener = ws_carrier_opener(a->carrier),
                                                          .requested = on_requested,
                                                          .changed = on_link_changed,
                                                          .ud = a});
}

/* A workspace with one agent, started. */
static void agent_make(struct scene *s, struct fake_agent *a, unsigned number)
{
    char body[64];
    json_t *agent;

    *a = (struct fake_agent){.s = s, .watched = -1};
    snprintf(a->name, sizeof(a->name), "ws%u", number);
    snprintf(body, sizeof(body), "{\"name\":\"%s\"}", a->name);
    assert_int_equal(ask(s, "POST", "/api/v1/workspaces", body), 201);
    agent = json_array_get(json_object_get(json_object_get(s->json, "workspace"), "agents"), 0);
    assert_int_equal(id_parse(span_of(json_string_value(json_object_get(agent, "id"))), &a->id), 0);
    a->token = secret_new(got(s, "tokens", "token"), strlen(got(s, "tokens", "token")));
    agent_start(a);
}

static void agent_wait(struct fake_agent *a)
{
    while (!str_eq(status_of(a->s, a), "connected"))
        ;
}

static void agent_stop(struct fake_agent *a)
{
    a->link = agent_link_free(a->link);
    for (size_t i = 0; i < a->n_peers; i++)
        a->peers[i] = stream_free(a->peers[i]);
    a->n_peers = 0;
    a->news = stream_free(a->news);
    a->carrier = ws_carrier_free(a->carrier);
}

static void agent_end(struct fake_agent *a)
{
    agent_stop(a);
    a->token = secret_free(a->token);
}

/* ---- a person ---- */

struct person {
    struct scene *s;
    bool done;
    int result;
    unsigned status;
    char reason[64];
    struct stream *stream;
    bool ended;
    struct buf got;
};

static void on_dialled(int result, struct stream *stream, const struct client_result *answer,
                       const struct err *err, void *ud)
{
    struct person *p = ud;

    (void)err;
    p->done = true;
    p->result = result;
    p->stream = stream;
    if (answer) {
        p->status = answer->status;
        str_copy_span(p->reason, sizeof(p->reason), headers_get(&answer->headers, "Adit-Reason"));
    }
}

static struct person *person_dial(struct scene *s, const struct fake_agent *a)
{
    struct person *p = new0(struct person);
    char id[ID_TEXT_SIZE], url[256];
    struct arena arena;
    struct headers fields;
    struct ws_dial *dial;
    struct err err = ERR_INIT;

    p->s = s;
    buf_init(&p->got, TEXT_MAX);
    arena_init(&arena, 65536);
    headers_init(&fields, &arena, 0, 0);
    headers_addf(&fields, "Authorization", "Bearer %s", s->token);
    headers_add(&fields, "Adit-Peer-Pin", "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU");
    snprintf(url, sizeof(url), "%s/api/v1/agents/%s/relay", s->url, id_format(&a->id, id));
    if (ws_dial_start(s->loop,
                      &(struct ws_dial_options){
                          .url = url, .headers = &fields, .proxy = "", .done = on_dialled, .ud = p},
                      &dial, &err) < 0)
        fail_msg("%s", err.text);
    arena_deinit(&arena);
    return p;
}

static void on_person_ready(struct stream *stream, unsigned events, void *ud)
{
    struct person *p = ud;
    ssize_t n;

    (void)events;
    while ((n = stream_recv(stream, buf_reserve(&p->got, 4096), 4096)) > 0)
        buf_commit(&p->got, (size_t)n);
    p->ended = n != -EAGAIN;
    stream_want(stream, p->ended ? 0 : STREAM_READ);
}

static struct person *person_open(struct scene *s, const struct fake_agent *a)
{
    struct person *p = person_dial(s, a);

    wait_until(s, &p->done);
    if (p->stream) {
        stream_set_ready(p->stream, on_person_ready, p);
        stream_want(p->stream, STREAM_READ);
    }
    return p;
}

static void expect_echo(struct person *p, const char *text)
{
    size_t len = strlen(text);

    buf_clear(&p->got);
    assert_int_equal(stream_send_bytes(p->stream, text, len), len);
    while (p->got.len < len && !p->ended)
        loop_turn(p->s->loop, true);
    assert_string_equal(buf_cstr(&p->got), text);
}

static void person_free(struct person *p)
{
    stream_free(p->stream);
    buf_deinit(&p->got);
    free(p);
}

static void expect_ends_within(struct person *p, usec_t limit)
{
    usec_t since = clock_monotonic();

    wait_until(p->s, &p->ended);
    assert_true(clock_monotonic() - since < limit);
}

/* ---- set-up ---- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int set_up(void **state)
{
    struct scene *s = new0(struct scene);

    str_copy(s->dir, sizeof(s->dir), "/tmp/adit-live-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    snprintf(s->ready, sizeof(s->ready), "%s/ready.json", s->dir);
    s->loop = loop_new();
    start_server(s);
    assert_int_equal(
        ask(s, "POST", "/api/v1/setup", "{\"name\":\"ada\",\"password\":\"" PASSWORD "\"}"), 201);
    str_copy(s->token, sizeof(s->token), got(s, "token", NULL));
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *s = *state;

    if (s->config)
        stop_server(s);
    json_decref(s->json);
    free(s->text);
    loop_free(s->loop);
    nftw(s->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(s);
    return 0;
}

/* ---- tests ---- */

/* Connections fall on either worker by the kernel's hash, so that many of them cross over. */
static void bytes_flow_whichever_worker_has_the_agent(void **state)
{
    struct scene *s = *state;
    struct fake_agent agents[AGENTS];
    struct person *people[AGENTS][ROUNDS];

    for (unsigned i = 0; i < AGENTS; i++)
        agent_make(s, &agents[i], i);
    for (unsigned i = 0; i < AGENTS; i++) {
        agent_wait(&agents[i]);
        for (unsigned j = 0; j < ROUNDS; j++) {
            people[i][j] = person_open(s, &agents[i]);
            assert_int_equal(people[i][j]->result, 0);
            expect_echo(people[i][j], "through the adit");
        }
    }
    for (unsigned i = 0; i < AGENTS; i++) {
        for (unsigned j = 0; j < ROUNDS; j++) {
            expect_echo(people[i][j], "and again");
            person_free(people[i][j]);
        }
        assert_int_equal(agents[i].n_peers, ROUNDS);
        agent_end(&agents[i]);
    }
}

static void ports_are_asked_for_across_workers(void **state)
{
    struct scene *s = *state;
    struct fake_agent a;
    char path[128];

    agent_make(s, &a, 0);
    agent_wait(&a);
    snprintf(path, sizeof(path), "/api/v1/workspaces/ada/%s/agents/main/ports", a.name);
    for (unsigned i = 0; i < 2 * ROUNDS; i++)
        assert_int_equal(ask(s, "GET", path, NULL), 200);
    agent_end(&a);
    while (!str_eq(status_of(s, &a), "away"))
        ;
    assert_int_equal(ask(s, "GET", path, NULL), 200);
    assert_string_equal(got(s, "status", NULL), "away");
}

/* ---- live updates ---- */

enum { LOOKERS = 6 }; /* on both workers, most likely */

/* A stream of events that somebody reads. */
struct looker {
    struct client_request *rq;
    struct buf text;
    bool over;
};

static void on_piece(struct span piece, void *ud)
{
    struct looker *l = ud;
    assert_int_equal(buf_append(&l->text, piece.p, piece.len), 0);
}

static void on_over(int result, const struct client_result *answer, const struct err *err, void *ud)
{
    ((struct looker *)ud)->over = true;
}

static void look(struct scene *s, struct looker *l, const char *workspace)
{
    struct arena arena;
    struct headers fields;
    struct err err = ERR_INIT;
    char url[256];

    *l = (struct looker){.text = BUF_INIT(1 << 20)};
    arena_init(&arena, 65536);
    headers_init(&fields, &arena, 0, 0);
    headers_addf(&fields, "Authorization", "Bearer %s", s->token);
    snprintf(url, sizeof(url), "%s/api/v1/events?workspace=ada/%s", s->url, workspace);
    assert_int_equal(client_request_start(s->loop,
                                          &(struct client_request_options){.url = url,
                                                                           .headers = &fields,
                                                                           .proxy = "",
                                                                           .piece = on_piece,
                                                                           .done = on_over,
                                                                           .ud = l},
                                          &l->rq, &err),
                     0);
    arena_deinit(&arena);
}

static void see(struct scene *s, struct looker *l, const char *text)
{
    while (!strstr(buf_cstr(&l->text), text)) {
        assert_false(l->over);
        loop_turn(s->loop, true);
    }
}

static void look_away(struct looker *l)
{
    client_request_cancel(l->rq);
    buf_deinit(&l->text);
}

static void say(struct fake_agent *a, const char *line)
{
    assert_int_equal(stream_send_bytes(a->news, line, strlen(line)), strlen(line));
}

static void what_an_agent_tells_reaches_everybody_who_looks(void **state)
{
    struct scene *s = *state;
    struct fake_agent a;
    struct looker lookers[LOOKERS];

    agent_make(s, &a, 0);
    agent_wait(&a);
    while (!a.news)
        loop_turn(s->loop, true);
    for (size_t i = 0; i < LOOKERS; i++)
        look(s, &lookers[i], a.name);
    for (size_t i = 0; i < LOOKERS; i++)
        see(s, &lookers[i], "event: forwards");
    while (a.watched != 1)
        loop_turn(s->loop, true);
    say(&a,
        "{\"ports\":[{\"port\":5173,\"address\":\"::1\",\"process\":\"node\",\"pid\":1,"
        "\"speaks\":\"http\"}],\"unknown\":1}\n{\"forwards\":{\"forwards\":[],\"more\":true}}\n");
    for (size_t i = 0; i < LOOKERS; i++) {
        see(s, &lookers[i], "\"port\":5173");
        see(s, &lookers[i], "\"more\":true");
        look_away(&lookers[i]);
    }
    while (a.watched != 0)
        loop_turn(s->loop, true);
    agent_end(&a);
}

static void an_agent_that_tells_nonsense_is_not_listened_to(void **state)
{
    static const char *const lines[] = {
        "nonsense\n",      "[]\n", "{\"ports\":[{\"port\":99999}]}\n",
        "{\"ports\":1}\n", "\n",   "{\"health\":[{}]}\n"};
    struct scene *s = *state;

    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        struct fake_agent a;
        char ignored[16];
        agent_make(s, &a, (unsigned)i);
        agent_wait(&a);
        while (!a.news)
            loop_turn(s->loop, true);
        say(&a, lines[i]);
        while (stream_recv(a.news, ignored, sizeof(ignored)) == -EAGAIN)
            loop_turn(s->loop, true);
        assert_string_equal(status_of(s, &a), "connected");
        agent_end(&a);
    }
}

/* So that a flood costs the agent its own news only. It would take 16 minutes to read all of this.
 */
static void an_agent_that_tells_too_much_is_read_slowly(void **state)
{
    enum { LINES = 20000 };
    struct scene *s = *state;
    struct fake_agent a;
    struct buf text = BUF_INIT(1 << 20);
    unsigned long changes = 0;
    unsigned idle = 0;

    for (unsigned i = 0; i < LINES; i++)
        buf_append_str(&text, "{\"ports\":[]}\n");
    agent_make(s, &a, 0);
    agent_wait(&a);
    while (!a.news)
        loop_turn(s->loop, true);
    while (idle < 50 || changes < 100) {
        ssize_t sent =
            text.len > 0 ? stream_send_bytes(a.news, buf_data(&text), text.len) : -EAGAIN;
        assert_true(sent > 0 || sent == -EAGAIN);
        if (sent > 0)
            buf_consume(&text, (size_t)sent);
        changes = metric(s, "adit_changes_total"); /* time for the server */
        idle = sent > 0 ? 0 : idle + 1;
    }
    assert_true(changes < LINES / 4);
    assert_string_equal(status_of(s, &a), "connected");
    agent_end(&a);
    buf_deinit(&text);
}

static void deleting_the_workspace_ends_its_relays_within_two_seconds(void **state)
{
    struct scene *s = *state;
    struct fake_agent a, b;
    struct person *p[ROUNDS], *other;
    char path[128];

    agent_make(s, &a, 0);
    agent_make(s, &b, 1);
    agent_wait(&a);
    agent_wait(&b);
    for (unsigned i = 0; i < ROUNDS; i++) {
        p[i] = person_open(s, &a);
        expect_echo(p[i], "alive");
    }
    other = person_open(s, &b);
    snprintf(path, sizeof(path), "/api/v1/workspaces/ada/%s", a.name);
    assert_int_equal(ask(s, "DELETE", path, NULL), 204);
    for (unsigned i = 0; i < ROUNDS; i++) {
        expect_ends_within(p[i], 2 * USEC_PER_SEC);
        person_free(p[i]);
    }
    expect_echo(other, "still here");
    person_free(other);
    agent_end(&a);
    agent_end(&b);
}

static void a_new_version_of_the_template_gives_relays_new_grants(void **state)
{
    struct scene *s = *state;
    struct fake_agent a;
    struct person *p[ROUNDS];

    agent_make(s, &a, 0);
    agent_wait(&a);
    for (unsigned i = 0; i < ROUNDS; i++) {
        p[i] = person_open(s, &a);
        expect_echo(p[i], "alive");
    }
    assert_int_equal(ask(s, "PUT", "/api/v1/templates/other", "{\"yaml\":\"{}\"}"), 201);
    assert_int_equal(ask(s, "PUT", "/api/v1/templates/other", "{\"yaml\":\"{}\"}"), 200);
    assert_int_equal(ask(s, "PUT", "/api/v1/templates/default", "{\"yaml\":\"{}\"}"), 200);
    while (a.n_granted < ROUNDS)
        loop_turn(s->loop, true);
    for (unsigned i = 0; i < ROUNDS; i++)
        expect_echo(p[i], "still here");
    assert_int_equal(a.n_granted, ROUNDS);
    assert_int_equal(a.n_withdrawn, 0);
    a.refuse = true; /* an agent that does not take the new grant must not go on with the old one */
    assert_int_equal(ask(s, "PUT", "/api/v1/templates/default", "{\"yaml\":\"{}\"}"), 200);
    for (unsigned i = 0; i < ROUNDS; i++) {
        expect_ends_within(p[i], 2 * USEC_PER_SEC);
        person_free(p[i]);
    }
    agent_end(&a);
}

static void logging_out_ends_the_relays_of_that_session(void **state)
{
    struct scene *s = *state;
    struct fake_agent a;
    struct person *p, *other;
    char first[64];

    agent_make(s, &a, 0);
    agent_wait(&a);
    other = person_open(s, &a);
    str_copy(first, sizeof(first), s->token);
    assert_int_equal(
        ask(s, "POST", "/api/v1/login", "{\"user\":\"ada\",\"password\":\"" PASSWORD "\"}"), 200);
    str_copy(s->token, sizeof(s->token), got(s, "token", NULL));
    p = person_open(s, &a);
    expect_echo(p, "alive");
    assert_int_equal(ask(s, "POST", "/api/v1/logout", NULL), 204);
    expect_ends_within(p, 2 * USEC_PER_SEC);
    while (a.n_withdrawn == 0)
        loop_turn(s->loop, true);
    expect_echo(other, "another session");
    str_copy(s->token, sizeof(s->token), first);
    person_free(p);
    person_free(other);
    agent_end(&a);
}

static void an_agent_that_comes_again_replaces_itself(void **state)
{
    struct scene *s = *state;
    struct fake_agent a, again;
    struct person *p, *q;

    agent_make(s, &a, 0);
    agent_wait(&a);
    p = person_open(s, &a);
    expect_echo(p, "first");
    again = a;
    again.n_peers = 0;
    again.news = NULL;
    again.token = secret_new(a.token->text, a.token->len);
    agent_start(&again);
    expect_ends_within(p, 5 * USEC_PER_SEC);
    agent_stop(&a); /* before it comes back in its turn */
    agent_wait(&again);
    q = person_open(s, &again);
    assert_int_equal(q->result, 0);
    expect_echo(q, "second");
    person_free(p);
    person_free(q);
    agent_end(&a);
    agent_end(&again);
}

/* Of those that say nothing each of the two workers keeps one. */
static void silent_connections_of_an_agent_do_not_pile_up(void **state)
{
    enum { CONNECTIONS = 3 };
    struct scene *s = *state;
    struct fake_agent a, more[CONNECTIONS];
    unsigned n_waits = 0;

    agent_make(s, &a, 0);
    agent_wait(&a);
    agent_stop(&a);
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        more[i] = (struct fake_agent){.s = s, .silent = true, .watched = -1};
        more[i].token = secret_new(a.token->text, a.token->len);
        agent_start(&more[i]);
    }
    while (n_waits == 0) {
        loop_turn(s->loop, true);
        for (unsigned i = 0; i < CONNECTIONS; i++)
            n_waits += more[i].n_waits;
    }
    assert_true(metric(s, "adit_agents_replaced_total") >= 1);
    for (unsigned i = 0; i < CONNECTIONS; i++)
        agent_end(&more[i]);
    agent_end(&a);
}

#define RECORD(seq, id)                                                                            \
    "{\"seq\":" seq ",\"peer\":\"00000000000000000000000000000001\",\"event\":{\"id\":"            \
    "\"0000000000000000000000000000000" id "\",\"time\":\"2026-01-01T00:00:00Z\",\"action\":"      \
    "\"forward_close\",\"actor\":\"ada\",\"workspace\":null,\"agent\":null,\"target\":null,"       \
    "\"direction\":\"local\",\"path\":\"direct\",\"bytes_in\":100,\"bytes_out\":10,"               \
    "\"duration_ms\":0,\"result\":\"ok\",\"detail\":null,\"ip\":null}}\n"

static void expect_counted(struct scene *s, struct fake_agent *a, uint64_t stored,
                           const char *forwards, const char *bytes)
{
    while (a->stored != stored)
        loop_turn(s->loop, true);
    assert_int_equal(ask(s, "GET", "/metrics", NULL), 200);
    assert_non_null(strstr(s->text, forwards));
    assert_non_null(strstr(s->text, bytes));
}

static void records_that_are_sent_again_are_counted_once(void **state)
{
    struct scene *s = *state;
    struct fake_agent a;

    agent_make(s, &a, 0);
    a.records = RECORD("1", "a") RECORD("2", "b");
    expect_counted(s, &a, 2, "adit_forwards_total{path=\"direct\"} 2\n",
                   "adit_forward_bytes_total{path=\"direct\"} 220\n");
    agent_stop(&a); /* a cut: it does not know that they are stored */
    a.records = RECORD("1", "a") RECORD("2", "b") RECORD("3", "c");
    agent_start(&a);
    expect_counted(s, &a, 3, "adit_forwards_total{path=\"direct\"} 3\n",
                   "adit_forward_bytes_total{path=\"direct\"} 330\n");
    assert_int_equal(ask(s, "GET", "/api/v1/audit?action=forward_close", NULL), 200);
    assert_int_equal(json_array_size(json_object_get(s->json, "events")), 3);
    agent_end(&a);
}

static void what_passes_by_itself_is_said_so(void **state)
{
    struct scene *s = *state;
    struct fake_agent a;
    struct person *p;

    agent_make(s, &a, 0);
    agent_wait(&a);
    a.refuse = true;
    p = person_open(s, &a);
    assert_int_equal(p->status, 502);
    person_free(p);
    agent_stop(&a);
    while (!str_eq(status_of(s, &a), "away"))
        ;
    p = person_open(s, &a);
    assert_int_equal(p->status, 503);
    assert_string_equal(p->reason, "agent-away");
    person_free(p);
    a.id = id_new();
    p = person_open(s, &a);
    assert_int_equal(p->status, 404);
    assert_string_equal(p->reason, "");
    person_free(p);
    agent_end(&a);
}

static void people_who_leave_early_leave_nothing_behind(void **state)
{
    struct scene *s = *state;
    struct fake_agent a;

    agent_make(s, &a, 0);
    agent_wait(&a);
    for (unsigned i = 0; i < 20; i++) {
        struct person *p = person_dial(s, &a);
        for (unsigned j = 0; j < i && !p->done; j++)
            loop_turn(s->loop, true);
        if (!p->done) /* the dial itself ends with the loop's own limits */
            wait_until(s, &p->done);
        person_free(p);
    }
    assert_int_equal(ask(s, "GET", "/healthz", NULL), 200);
    agent_end(&a);
}

static void stopping_ends_agents_and_relays_in_order(void **state)
{
    struct scene *s = *state;
    struct fake_agent a;
    struct person *p;

    agent_make(s, &a, 0);
    agent_wait(&a);
    p = person_open(s, &a);
    expect_echo(p, "alive");
    kill(getpid(), SIGTERM);
    expect_ends_within(p, 5 * USEC_PER_SEC);
    pthread_join(s->thread, NULL);
    assert_int_equal(s->result, 0);
    s->config = server_config_free(s->config);
    person_free(p);
    agent_end(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        T(bytes_flow_whichever_worker_has_the_agent),
        T(ports_are_asked_for_across_workers),
        T(what_an_agent_tells_reaches_everybody_who_looks),
        T(an_agent_that_tells_nonsense_is_not_listened_to),
        T(an_agent_that_tells_too_much_is_read_slowly),
        T(deleting_the_workspace_ends_its_relays_within_two_seconds),
        T(a_new_version_of_the_template_gives_relays_new_grants),
        T(logging_out_ends_the_relays_of_that_session),
        T(an_agent_that_comes_again_replaces_itself),
        T(silent_connections_of_an_agent_do_not_pile_up),
        T(records_that_are_sent_again_are_counted_once),
        T(what_passes_by_itself_is_said_so),
        T(people_who_leave_early_leave_nothing_behind),
        T(stopping_ends_agents_and_relays_in_order),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
