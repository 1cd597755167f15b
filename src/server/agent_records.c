/*
 *     ask -> (body, held open by the agent) -> store -> ask for what comes after
 *
 * The store works on when the agent's connection has gone meanwhile; a batch knows its connection
 * by number only. Who a record is about is what the server knows of the peer id. A peer that it
 * does not know any more (the server was away when its session ended) can only have been the
 * workspace's owner, since nobody else gets in; another name that the agent tells is not believed.
 */
#include "server/agent_records.h"

#include <errno.h>
#include <stdlib.h>

#include "api/audit.h"
#include "auth/identity.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/loop.h"
#include "io/stream.h"
#include "server/agent_conn.h"
#include "server/audit_file.h"
#include "server/instance.h"
#include "server/record_budget.h"
#include "store/audit.h"
#include "store/store.h"
#include "tunnel/session.h"

enum { PEOPLE_MAX = 1024, BATCH_MAX_LEN = 2 << 20 };

static const usec_t retry_delay = 10 * USEC_PER_SEC;

struct person {
    struct id peer;
    struct id user_id;
    char user[NAME_SIZE];
    char ip[AUDIT_IP_SIZE];
};

/* The newest replaces the oldest. */
struct peer_people {
    struct person ring[PEOPLE_MAX];
    size_t next;
};

struct agent_records {
    struct server_worker *w;
    struct tunnel_session *session;
    struct agent_records_of of;
    uint64_t after; /* all up to this is stored */
    struct channel_open *open;
    struct stream *body;
    struct buf text;
    struct timer retry;
};

struct batch {
    struct server_worker *w;
    uint64_t link_id;
    uint64_t last;
    size_t n;
    struct audit_event events[STORE_AUDIT_BATCH_MAX];
};

/* ---- people ---- */

struct peer_people *peer_people_new(void)
{
    return new0(struct peer_people);
}

void peer_people_add(struct peer_people *p, const struct id *peer, const struct identity *who,
                     const char *ip)
{
    struct person *person = &p->ring[p->next];

    p->next = (p->next + 1) % PEOPLE_MAX;
    *person = (struct person){.peer = *peer, .user_id = who->user_id};
    str_copy(person->user, sizeof(person->user), who->user);
    str_copy(person->ip, sizeof(person->ip), ip);
}

static const struct person *find(const struct peer_people *p, const struct id *peer)
{
    for (size_t i = 0; i < PEOPLE_MAX; i++)
        if (id_equal(&p->ring[i].peer, peer))
            return &p->ring[i];
    return NULL;
}

struct peer_people *peer_people_free(struct peer_people *p)
{
    free(p);
    return NULL;
}

/* ---- one batch ---- */

static void ask(struct agent_records *r);

/* What the agent may say stands; who and where is the server's knowledge. */
static void complete(const struct agent_records *r, const struct api_agent_record *line,
                     struct audit_event *ret)
{
    const struct person *person = find(r->w->people, &line->peer);
    usec_t now = clock_realtime();

    *ret = line->event.event;
    ret->duration = (usec_t)line->event.duration_ms * USEC_PER_MSEC;
    if (ret->time > now)
        ret->time = now;
    ret->actor_id = (struct id){0};
    ret->ip[0] = 0;
    str_copy(ret->workspace, sizeof(ret->workspace), r->of.workspace);
    str_copy(ret->agent, sizeof(ret->agent), r->of.agent);
    if (person) {
        ret->actor_id = person->user_id;
        str_copy(ret->actor, sizeof(ret->actor), person->user);
        str_copy(ret->ip, sizeof(ret->ip), person->ip);
    } else if (str_eq(ret->actor, r->of.owner)) {
        ret->actor_id = r->of.owner_id;
    } else {
        ret->actor[0] = 0;
    }
}

/* Of other things an agent has nothing to tell. */
static bool is_forward(enum audit_action action)
{
    return action == AUDIT_FORWARD_OPEN || action == AUDIT_FORWARD_CLOSE ||
           action == AUDIT_LISTEN_OPEN || action == AUDIT_LISTEN_CLOSE ||
           (action >= AUDIT_SSH_OPEN && action <= AUDIT_SSH_RAW);
}

/*
 * In place of what the agent had to drop before this record. The id follows from the record's, so
 * that a batch that is sent twice says it once.
 */
static void add_lost(const struct agent_records *r, const struct api_agent_record *line,
                     struct batch *b)
{
    struct audit_event *e = &b->events[b->n++];

    *e = (struct audit_event){
        .id = line->event.event.id, .time = clock_realtime(), .action = AUDIT_RECORDS_LOST};
    e->id.bytes[0] ^= 0xff;
    str_copy(e->workspace, sizeof(e->workspace), r->of.workspace);
    str_copy(e->agent, sizeof(e->agent), r->of.agent);
    snprintf(e->target, sizeof(e->target), "%llu events", (unsigned long long)line->dropped);
    str_copy(e->result, sizeof(e->result), "lost");
    log_warn("an agent had to drop records", LOG_STR("workspace", r->of.workspace),
             LOG_STR("agent", r->of.agent), LOG_INT("dropped", line->dropped));
}

static void take_line(struct agent_records *r, struct span text, struct batch *b)
{
    struct api_agent_record line;

    if (text.len == 0 || b->n == STORE_AUDIT_BATCH_MAX ||
        api_agent_record_read(text, API_LENIENT, &line, NULL) < 0 || line.seq <= b->last)
        return;
    b->last = line.seq;
    if (line.dropped > 0 && b->n == 0)
        add_lost(r, &line, b);
    if (is_forward(line.event.event.action))
        complete(r, &line, &b->events[b->n++]);
    api_agent_record_release(&line);
}

/* Not before the agent's part of the record allows more. */
static void ask_in_time(struct agent_records *r, size_t n)
{
    usec_t delay = record_budget_take(r->w->records, &r->of.agent_id, n, loop_now(r->w->loop));

    if (delay > 0)
        timer_start(&r->retry, delay);
    else
        ask(r);
}

/* The agent sends a batch again when it did not hear that it is stored. */
static void count_forwards(struct server_worker *w, const struct batch *b, const bool *is_new)
{
    for (size_t i = 0; i < b->n; i++) {
        const struct audit_event *e = &b->events[i];
        if (e->action != AUDIT_FORWARD_CLOSE || !is_new[i])
            continue;
        METRIC_ADD(&w->metrics, forwards[e->carrier], 1);
        METRIC_ADD(&w->metrics, forward_bytes[e->carrier], e->bytes_in + e->bytes_out);
    }
}

static void on_stored(void *ud, int result, const bool *is_new)
{
    struct batch *b = ud;
    struct agent_conn *a = agent_conn_find(b->w, b->link_id);
    struct agent_records *r = a ? agent_conn_records(a) : NULL;

    b->w->requests--;
    if (result != STORE_OK) {
        log_error("an agent's records were not stored",
                  LOG_STR("reason", store_result_text(result)));
    } else {
        /* Whole: who knows whether it was written before, if the server has crashed since. */
        audit_file_add(b->w->server->audit_file, b->events, b->n);
        count_forwards(b->w, b, is_new);
    }
    if (r && result == STORE_OK) {
        r->after = b->last;
        ask_in_time(r, b->n);
    } else if (r) {
        timer_start(&r->retry, retry_delay);
    }
    free(b);
}

/* The body is whole: false when there is nothing in it. */
static bool store_batch(struct agent_records *r)
{
    struct batch *b = new0(struct batch);
    struct span rest = span_from(buf_data(&r->text), r->text.len), line;

    b->w = r->w;
    b->link_id = r->of.link_id;
    b->last = r->after;
    while (rest.len > 0 && span_split(&rest, '\n', &line))
        take_line(r, line, b);
    if (b->last == r->after) {
        free(b);
        return false;
    }
    b->w->requests++;
    store_audit_add(b->w->server->store, b->w->loop, b->events, b->n, on_stored, b);
    return true;
}

/* ---- fetching ---- */

static void on_body(struct stream *s, unsigned events, void *ud)
{
    struct agent_records *r = ud;
    char piece[16384];
    ssize_t n;

    (void)events;
    while ((n = stream_recv(s, piece, sizeof(piece))) > 0)
        if (buf_append(&r->text, piece, (size_t)n) < 0) {
            n = -EMSGSIZE;
            break;
        }
    if (n == -EAGAIN)
        return;
    r->body = stream_free(r->body);
    if (n < 0 || !store_batch(r))
        timer_start(&r->retry, retry_delay);
    buf_clear(&r->text);
}

static void on_opened(struct stream *body, enum dial_result result, const char *reason, void *ud)
{
    struct agent_records *r = ud;

    (void)reason;
    r->open = NULL;
    if (result != DIAL_OK) {
        timer_start(&r->retry, retry_delay);
        return;
    }
    r->body = body;
    stream_set_ready(body, on_body, r);
    stream_want(body, STREAM_READ);
}

static void ask(struct agent_records *r)
{
    const struct channel_open_options options = {.opened = on_opened, .ud = r};
    char path[64];

    snprintf(path, sizeof(path), "/events?after=%llu", (unsigned long long)r->after);
    r->open = tunnel_session_get(r->session, path, &options);
}

static void on_retry(struct timer *t, void *ud)
{
    (void)t;
    ask(ud);
}

struct agent_records *agent_records_new(struct server_worker *w, struct tunnel_session *session,
                                        const struct agent_records_of *of)
{
    struct agent_records *r = new0(struct agent_records);

    r->w = w;
    r->session = session;
    r->of = *of;
    buf_init(&r->text, BATCH_MAX_LEN);
    timer_init(&r->retry, w->loop, on_retry, r);
    ask(r);
    return r;
}

struct agent_records *agent_records_free(struct agent_records *r)
{
    if (!r)
        return NULL;
    if (r->open)
        channel_open_cancel(r->open);
    timer_cancel(&r->retry);
    stream_free(r->body);
    buf_deinit(&r->text);
    free(r);
    return NULL;
}
