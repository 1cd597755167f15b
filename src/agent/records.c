/*
 * A ring of records and at most one reader. The reader's answer is held open while there is
 * nothing to say; then all that came within a moment goes out as one batch and the body ends. The
 * server stores the batch before it asks again, so that asking is the acknowledgement.
 *
 * Numbers start at the time of the start, so that those of an agent that was started before are
 * smaller and acknowledge nothing of this one.
 */
#include "agent/records.h"

#include <stdlib.h>

#include "agent/held_answer.h"
#include "api/audit.h"
#include "base/buf.h"
#include "base/mem.h"
#include "io/loop.h"
#include "io/timer.h"
#include "tunnel/channel.h"

enum { BATCH_MAX = 200, BATCH_MAX_LEN = 1 << 20 };

static const usec_t batch_delay = 50 * USEC_PER_MSEC;

struct kept {
    uint64_t seq;
    struct id peer;
    struct audit_event event;
};

struct records {
    struct kept **ring; /* RECORDS_MAX places */
    size_t head, n;     /* the oldest, and how many */
    uint64_t next_seq;
    uint64_t dropped;      /* since the last record that the server took */
    uint64_t dropped_told; /* of these, what is in the batch that it has */
    struct held_answer reader;
    uint64_t reader_after;
    bool answered; /* the reader's batch is made */
    struct timer delay;
};

static struct kept **place(struct records *r, size_t i)
{
    return &r->ring[(r->head + i) % RECORDS_MAX];
}

static void drop_oldest(struct records *r)
{
    free(*place(r, 0));
    r->head = (r->head + 1) % RECORDS_MAX;
    r->n--;
}

/* ---- the reader ---- */

static void reader_end(struct records *r)
{
    timer_cancel(&r->delay);
    held_answer_end(&r->reader);
    r->answered = false;
}

/* It has the answer, or has gone. */
static void reader_gone(void *ud)
{
    reader_end(ud);
}

static int write_line(struct records *r, const struct kept *k, struct buf *out)
{
    struct api_agent_record msg = {
        .seq = k->seq,
        .dropped = r->dropped,
        .peer = k->peer,
        .event = {.event = k->event, .duration_ms = (uint64_t)(k->event.duration / USEC_PER_MSEC)},
    };
    size_t before = out->len;
    if (api_agent_record_write(&msg, out) < 0 || buf_append_byte(out, '\n') < 0) {
        out->len = before;
        return -1;
    }
    return 0;
}

static void answer(struct timer *t, void *ud)
{
    struct records *r = ud;
    size_t in_batch = 0;
    r->dropped_told = r->dropped;
    for (size_t i = 0; i < r->n && in_batch < BATCH_MAX; i++) {
        const struct kept *k = *place(r, i);
        if (k->seq <= r->reader_after)
            continue;
        if (write_line(r, k, &r->reader.unsent) < 0)
            break;
        in_batch++;
    }
    r->answered = true;
    held_answer_finish(&r->reader);
}

static void answer_soon(struct records *r)
{
    if (r->reader.body && !r->answered && r->n > 0 && !timer_pending(&r->delay))
        timer_start(&r->delay, batch_delay);
}

void records_answer(struct records *r, struct channel_request *rq, uint64_t after)
{
    if (after >= r->next_seq)
        after = 0;
    bool taken = r->n > 0 && (*place(r, 0))->seq <= after;
    while (r->n > 0 && (*place(r, 0))->seq <= after)
        drop_oldest(r);
    if (taken)
        r->dropped -= r->dropped_told;
    r->dropped_told = 0;
    reader_end(r);
    r->reader_after = after;
    held_answer_start(&r->reader, rq, "application/jsonl", BATCH_MAX_LEN, NULL, reader_gone, r);
    answer_soon(r);
}

/* ---- the ring ---- */

/* Whoever connects often enough makes as many of these as they like. */
static bool is_frequent(enum audit_action action)
{
    return action == AUDIT_FORWARD_OPEN || action == AUDIT_FORWARD_CLOSE ||
           action == AUDIT_SSH_FORWARD_OPEN || action == AUDIT_SSH_FORWARD_CLOSE ||
           action == AUDIT_SSH_RAW;
}

void records_add(struct records *r, const struct id *peer, const struct audit_event *event)
{
    if (r->n >= RECORDS_FREQUENT_MAX && is_frequent(event->action)) {
        r->dropped++;
        return;
    }
    struct kept *k = new0(struct kept);
    if (r->n == RECORDS_MAX) {
        drop_oldest(r);
        r->dropped++;
    }
    *k = (struct kept){.seq = r->next_seq++, .peer = *peer, .event = *event};
    k->event.id = id_new();
    k->event.time = clock_realtime();
    *place(r, r->n++) = k;
    answer_soon(r);
}

size_t records_count(const struct records *r)
{
    return r->n;
}

struct records *records_new(struct loop *loop)
{
    struct records *r = new0(struct records);
    r->ring = xcalloc(RECORDS_MAX, sizeof(struct kept *));
    r->next_seq = (uint64_t)clock_realtime();
    timer_init(&r->delay, loop, answer, r);
    return r;
}

struct records *records_free(struct records *r)
{
    if (!r)
        return NULL;
    reader_end(r);
    while (r->n > 0)
        drop_oldest(r);
    free(r->ring);
    free(r);
    return NULL;
}
