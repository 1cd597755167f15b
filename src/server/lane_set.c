/*
 *     WAIT -> JOIN -> COPY -> (freed)
 *
 * WAIT: one end has come and its request waits for the other's. JOIN: both are answered 101; the
 * HTTP layer gives their sockets back one after the other. COPY: bytes flow. A lane that ends in
 * JOIN stays as ENDED until both sockets have come.
 *
 * A number is spent when its first end comes. Numbers are counted by the client, so the newest and
 * a window of those before it tell which: a ticket that was read along is worth nothing later.
 */
#include "server/lane_set.h"

#include <errno.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "http/exchange.h"
#include "io/relay.h"
#include "io/stream.h"
#include "io/timer.h"
#include "server/conn.h"
#include "server/instance.h"
#include "web/answer.h"

enum { NUMBERS_REMEMBERED = 64 };

static const usec_t wait_limit = 10 * USEC_PER_SEC;
/* One end has closed its socket: the other has nothing more to say to it. */
static const usec_t half_closed_limit = 30 * USEC_PER_SEC;

static const char lane_path[] = "/api/v1/lanes/";
static const char lane_protocol[] = "adit-lane";

enum lane_state { STATE_WAIT, STATE_JOIN, STATE_COPY, STATE_ENDED };
enum { CLIENT, AGENT, ENDS };

struct lane_set {
    struct server_worker *w;
    struct lane_key key;
    struct id user_id, agent_id;
    struct list lanes;
    unsigned n_lanes;
    uint64_t newest;     /* number, while `seen` is not 0 */
    uint64_t seen;       /* bit i: newest - i has come */
    uint64_t done[ENDS]; /* bytes to each end, of lanes that have ended */
};

struct lane {
    struct list link;
    struct lane_set *set; /* NULL once ENDED */
    struct server_worker *w;
    uint64_t number;
    enum lane_state state;
    struct exchange *x[ENDS];
    struct stream *s[ENDS];
    bool arrived[ENDS]; /* the socket, or the news that there is none */
    struct timer timer;
    struct relay *relay;
};

/* ---- the end of one ---- */

static void release(struct lane *l)
{
    timer_cancel(&l->timer);
    stream_free(l->s[CLIENT]);
    stream_free(l->s[AGENT]);
    free(l);
}

static void leave_set(struct lane *l)
{
    struct lane_set *set = l->set;

    if (l->relay) {
        set->done[AGENT] += relay_bytes_a_to_b(l->relay);
        set->done[CLIENT] += relay_bytes_b_to_a(l->relay);
        atomic_fetch_sub_explicit(&l->w->metrics.lanes, 1, memory_order_relaxed);
    }
    list_remove(&l->link);
    set->n_lanes--;
    atomic_fetch_sub(&l->w->server->lanes, 1);
    l->set = NULL;
}

/* In any state; the memory may stay for a while. */
static void lane_end(struct lane *l)
{
    leave_set(l);
    switch (l->state) {
    case STATE_WAIT:
        for (int i = 0; i < ENDS; i++)
            if (l->x[i]) {
                exchange_set_callbacks(l->x[i], NULL, NULL, NULL);
                answer_not_found(l->x[i]);
            }
        release(l);
        break;
    case STATE_JOIN:
        timer_cancel(&l->timer);
        l->state = STATE_ENDED;
        break;
    case STATE_COPY:
        l->relay = relay_free(l->relay);
        release(l);
        break;
    case STATE_ENDED:
        break;
    }
}

static void on_copied(struct relay *r, int result, void *ud)
{
    struct lane *l = ud;

    (void)r;
    log_debug("lane ended", LOG_STR("result", result < 0 ? err_name(result) : "ok"));
    leave_set(l);
    l->relay = NULL; /* it frees itself behind this call */
    release(l);
}

/* ---- joining ---- */

static void start_copying(struct lane *l)
{
    struct relay_options options = {
        .half_closed_limit = half_closed_limit, .splice = true, .done = on_copied, .ud = l};

    timer_cancel(&l->timer);
    l->state = STATE_COPY;
    l->relay = relay_new(l->s[CLIENT], l->s[AGENT], &options);
    l->s[CLIENT] = l->s[AGENT] = NULL;
    METRIC_ADD(&l->w->metrics, lanes_opened, 1);
    METRIC_ADD(&l->w->metrics, lanes, 1);
}

static void arrived(struct lane *l, int end, struct stream *s)
{
    l->s[end] = s;
    l->arrived[end] = true;
    if (!l->arrived[CLIENT] || !l->arrived[AGENT])
        return;
    l->w->requests--;
    if (l->state == STATE_ENDED) {
        release(l);
    } else if (!l->s[CLIENT] || !l->s[AGENT]) {
        leave_set(l);
        release(l);
    } else {
        start_copying(l);
    }
}

static void on_client_upgraded(struct stream *s, int result, void *ud)
{
    (void)result;
    arrived(ud, CLIENT, s);
}

static void on_agent_upgraded(struct stream *s, int result, void *ud)
{
    (void)result;
    arrived(ud, AGENT, s);
}

static void upgrade(struct lane *l, int end)
{
    struct exchange *x = l->x[end];

    l->x[end] = NULL;
    exchange_set_callbacks(x, NULL, NULL, NULL);
    if (headers_set(&x->response, "Upgrade", lane_protocol) >= 0 &&
        headers_set(&x->response, "Connection", "Upgrade") >= 0 &&
        exchange_upgrade(x, 101, end == CLIENT ? on_client_upgraded : on_agent_upgraded, l) >= 0)
        return;
    exchange_abort(x);
    arrived(l, end, NULL);
}

static void join(struct lane *l)
{
    timer_cancel(&l->timer);
    l->state = STATE_JOIN;
    l->w->requests++;
    upgrade(l, CLIENT);
    upgrade(l, AGENT);
}

/* ---- waiting ---- */

static void on_gone(struct exchange *x, int reason, void *ud)
{
    struct lane *l = ud;

    (void)reason;
    for (int i = 0; i < ENDS; i++)
        if (l->x[i] == x)
            l->x[i] = NULL;
    exchange_abort(x);
    lane_end(l);
}

static void on_waited(struct timer *t, void *ud)
{
    struct lane *l = ud;

    (void)t;
    METRIC_ADD(&l->w->metrics, lanes_refused, 1);
    lane_end(l);
}

static void refuse(struct server_worker *w, struct exchange *x)
{
    METRIC_ADD(&w->metrics, lanes_refused, 1);
    answer_not_found(x);
}

/* Whether the number comes for the first time; it is spent then. */
static bool spend(struct lane_set *set, uint64_t number)
{
    uint64_t behind;

    if (!set->seen || number > set->newest) {
        uint64_t ahead = set->seen ? number - set->newest : NUMBERS_REMEMBERED;
        set->seen = ahead < NUMBERS_REMEMBERED ? set->seen << ahead : 0;
        set->seen |= 1;
        set->newest = number;
        return true;
    }
    behind = set->newest - number;
    if (behind >= NUMBERS_REMEMBERED || (set->seen >> behind & 1))
        return false;
    set->seen |= UINT64_C(1) << behind;
    return true;
}

/* Those that a person or an agent has on this worker. */
static unsigned count_of(const struct lane_set *one, bool of_person)
{
    struct map_iter it = {0};
    struct lane_set *set;
    unsigned n = 0;

    while ((set = map_next(one->w->lane_sets, &it)))
        if (of_person ? id_equal(&set->user_id, &one->user_id)
                      : id_equal(&set->agent_id, &one->agent_id))
            n += set->n_lanes;
    return n;
}

static bool has_room(const struct lane_set *set)
{
    return set->n_lanes < LANES_PER_SESSION && !set->w->draining &&
           atomic_load(&set->w->server->lanes) < LANES_PER_SERVER &&
           count_of(set, true) < LANES_PER_PERSON && count_of(set, false) < LANES_PER_AGENT;
}

static struct lane *lane_new(struct lane_set *set, uint64_t number)
{
    struct lane *l = new0(struct lane);

    l->set = set;
    l->w = set->w;
    l->number = number;
    timer_init(&l->timer, set->w->loop, on_waited, l);
    timer_start(&l->timer, wait_limit);
    list_append(&set->lanes, &l->link);
    set->n_lanes++;
    atomic_fetch_add(&set->w->server->lanes, 1);
    return l;
}

static struct lane *waiting_for(struct lane_set *set, const struct lane_ticket *ticket, int end)
{
    struct lane *l;

    list_for_each (l, &set->lanes, link)
        if (l->state == STATE_WAIT && l->number == ticket->number && !l->x[end])
            return l;
    return NULL;
}

static void take_here(struct lane_set *set, struct exchange *x, const struct lane_ticket *ticket)
{
    int end = ticket->end == LANE_CLIENT ? CLIENT : AGENT;
    struct lane *l = waiting_for(set, ticket, end);

    if (l) {
        l->x[end] = x;
        join(l);
        return;
    }
    if (!has_room(set) || !spend(set, ticket->number)) {
        refuse(set->w, x);
        return;
    }
    l = lane_new(set, ticket->number);
    l->x[end] = x;
    exchange_set_callbacks(x, NULL, on_gone, l);
}

/* ---- requests ---- */

static void on_moved(struct server_worker *w, struct exchange *x, void *ud)
{
    struct lane_ticket ticket = *(struct lane_ticket *)ud;
    struct lane_set *set;
    char name[ID_TEXT_SIZE];

    free(ud);
    set = map_get(w->lane_sets, id_format(&ticket.session, name));
    if (set && !w->closed && lane_ticket_verify(&ticket, &set->key))
        take_here(set, x, &ticket);
    else
        refuse(w, x);
}

bool lane_is_asked_for(const struct exchange *x)
{
    return span_starts(x->path, lane_path) && span_is(x->method, "GET") &&
           exchange_wants_upgrade(x) && headers_has_token(&x->headers, "Upgrade", lane_protocol) &&
           exchange_body_length(x) == 0 && !exchange_is_tls(x);
}

void lane_take(struct server_worker *w, struct exchange *x)
{
    struct lane_ticket ticket, *copy;

    if (lane_ticket_parse(span_sub(x->path, sizeof(lane_path) - 1, x->path.len), &ticket) < 0 ||
        ticket.worker >= w->server->n_workers) {
        refuse(w, x);
        return;
    }
    copy = xmemdup(&ticket, sizeof(ticket));
    if (conn_move(w, x, &w->server->workers[ticket.worker], on_moved, copy) < 0) {
        free(copy);
        refuse(w, x);
    }
}

/* ---- the set ---- */

struct lane_set *lane_set_new(struct server_worker *w, const struct id *user_id,
                              const struct id *agent_id)
{
    struct lane_set *set = new0(struct lane_set);
    char name[ID_TEXT_SIZE];

    set->w = w;
    set->key = lane_key_new(w->index);
    set->user_id = *user_id;
    set->agent_id = *agent_id;
    list_init(&set->lanes);
    map_put(w->lane_sets, id_format(&set->key.session, name), set);
    return set;
}

const struct lane_key *lane_set_key(const struct lane_set *set)
{
    return &set->key;
}

void lane_set_bytes(const struct lane_set *set, uint64_t *ret_to_agent, uint64_t *ret_to_client)
{
    const struct lane *l;

    *ret_to_agent = set->done[AGENT];
    *ret_to_client = set->done[CLIENT];
    list_for_each (l, &set->lanes, link)
        if (l->relay) {
            *ret_to_agent += relay_bytes_a_to_b(l->relay);
            *ret_to_client += relay_bytes_b_to_a(l->relay);
        }
}

struct lane_set *lane_set_free(struct lane_set *set)
{
    struct lane *l, *next;
    char name[ID_TEXT_SIZE];

    if (!set)
        return NULL;
    list_for_each_safe (l, next, &set->lanes, link)
        lane_end(l);
    map_take(set->w->lane_sets, id_format(&set->key.session, name));
    explicit_bzero(&set->key, sizeof(set->key));
    free(set);
    return NULL;
}
