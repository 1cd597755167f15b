/*
 * Two queues: changes go to one thread, which takes all that wait at a time and commits them
 * together (one wait for the disk for many changes); reads go to a few threads with a connection
 * each. An operation belongs to exactly one side at any time: the loop's until it is queued, the
 * store thread's until it is posted back, then the loop's again, which frees it.
 */
#include "store/store.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/span.h"
#include "io/loop.h"
#include "store/backend.h"
#include "store/op.h"

enum {
    READERS_DEFAULT = 2,
    READERS_MAX = 16,
    BATCH_MAX = 256, /* changes in one commit */
    TOUCH_QUEUE_MAX =
        1000, /* waiting changes beyond which those that nobody waits for are left out */
};

struct queue {
    struct list ops;
    size_t len;
    pthread_cond_t filled;
};

struct counter {
    atomic_ullong calls, failures, usec;
};

struct store {
    const struct store_backend *backend;
    pthread_mutex_t lock; /* guards the queues, `closing` and `error` */
    struct queue changes, reads;
    bool closing;
    char error[256];
    struct counter counters[STORE_OP_COUNT];
    struct thread {
        struct store *store;
        struct store_conn *conn;
        pthread_t id;
        bool started;
    } writer, readers[READERS_MAX];
    unsigned n_readers;
};

const char *store_result_text(int r)
{
    static const char *const texts[] = {
        [STORE_OK] = "done",
        [STORE_NOT_FOUND] = "not found",
        [STORE_EXISTS] = "the name is taken",
        [STORE_IN_USE] = "it is in use",
        [STORE_SETUP_DONE] = "the first user exists already",
        [STORE_LAST_OWNER] = "it is the last active administrator",
        [STORE_NO_TEMPLATE] = "no such template",
        [STORE_NO_OWNER] = "no such owner",
    };
    if (r >= 0)
        return (size_t)r < ARRAY_LEN(texts) ? texts[r] : "unknown result";
    switch (r) {
    case -EBUSY:
        return "the database is locked by another process";
    case -ECANCELED:
        return "the store is closed";
    case -ENOBUFS:
        return "too large";
    case -ENOSPC:
        return "no space left for the database";
    default:
        return "the database failed";
    }
}

static void deliver_and_free(void *ud)
{
    struct store_op *op = ud;
    if (!op->canceled)
        op->deliver(op);
    store_op_free(op);
}

static void answer(struct store_op *op)
{
    if (op->loop)
        loop_post(op->loop, deliver_and_free, op);
    else
        store_op_free(op);
}

static void push(struct queue *q, struct store_op *op)
{
    list_append(&q->ops, &op->link);
    q->len++;
    pthread_cond_signal(&q->filled);
}

static struct store_op *pop(struct queue *q)
{
    struct store_op *op = list_first(&q->ops, struct store_op, link);
    if (op) {
        list_remove(&op->link);
        q->len--;
    }
    return op;
}

struct store_op *store_op_submit(struct store_op *op)
{
    struct store *s = op->store;
    bool waits = op->loop != NULL;
    struct queue *q = store_op_writes(op->id) ? &s->changes : &s->reads;

    pthread_mutex_lock(&s->lock);
    bool refused = s->closing || (!waits && q->len >= TOUCH_QUEUE_MAX);
    if (!refused)
        push(q, op);
    pthread_mutex_unlock(&s->lock);

    if (refused) {
        op->result = -ECANCELED;
        answer(op);
    }
    return waits ? op : NULL;
}

void store_cancel(struct store_op *op)
{
    if (op)
        op->canceled = true;
}

/* Counts a finished operation and keeps the text of a failure. */
static void record(struct thread *t, const struct store_op *op, usec_t spent)
{
    struct store *s = t->store;
    struct counter *c = &s->counters[op->id];
    atomic_fetch_add(&c->calls, 1);
    atomic_fetch_add(&c->usec, (unsigned long long)spent);
    if (op->result >= 0)
        return;
    atomic_fetch_add(&c->failures, 1);
    pthread_mutex_lock(&s->lock);
    snprintf(s->error, sizeof(s->error), "%s: %s", store_op_name(op->id),
             s->backend->error(t->conn));
    pthread_mutex_unlock(&s->lock);
}

static void *run_reads(void *ud)
{
    struct thread *t = ud;
    struct store *s = t->store;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        struct store_op *op = pop(&s->reads);
        if (!op && s->closing)
            break;
        if (!op) {
            pthread_cond_wait(&s->reads.filled, &s->lock);
            continue;
        }
        bool closing = s->closing;
        pthread_mutex_unlock(&s->lock);
        if (closing) {
            op->result = -ECANCELED;
        } else if (op->result == 0) {
            usec_t start = clock_monotonic();
            s->backend->read(t->conn, op);
            record(t, op, clock_monotonic() - start);
        }
        answer(op);
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static size_t take_batch(struct queue *q, struct store_op **batch, struct store_op **refused,
                         size_t *n_refused)
{
    size_t n = 0;
    struct store_op *op;
    *n_refused = 0;
    while (n < BATCH_MAX && *n_refused < BATCH_MAX && (op = pop(q))) {
        if (op->result == 0)
            batch[n++] = op;
        else
            refused[(*n_refused)++] = op;
    }
    return n;
}

static void run_batch(struct thread *t, struct store_op *const *batch, size_t n)
{
    usec_t start = clock_monotonic();
    t->store->backend->write(t->conn, batch, n);
    usec_t spent = (clock_monotonic() - start) / (usec_t)n;
    for (size_t i = 0; i < n; i++) {
        record(t, batch[i], spent);
        answer(batch[i]);
    }
}

static void *run_changes(void *ud)
{
    struct thread *t = ud;
    struct store *s = t->store;
    struct store_op *batch[BATCH_MAX], *refused[BATCH_MAX];
    pthread_mutex_lock(&s->lock);
    for (;;) {
        size_t n_refused;
        size_t n = take_batch(&s->changes, batch, refused, &n_refused);
        if (n == 0 && n_refused == 0) {
            if (s->closing)
                break;
            pthread_cond_wait(&s->changes.filled, &s->lock);
            continue;
        }
        pthread_mutex_unlock(&s->lock);
        for (size_t i = 0; i < n_refused; i++)
            answer(refused[i]);
        if (n)
            run_batch(t, batch, n);
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static int start_thread(struct store *s, struct thread *t, void *(*run)(void *),
                        const struct store_options *options, struct err *err)
{
    if (!t->conn) {
        int r = s->backend->open(options, &t->conn, err);
        if (r < 0)
            return r;
    }
    /* Signals are for the program's main thread. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = pthread_create(&t->id, NULL, run, t);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r != 0)
        return err_sys(err, -r, "cannot start a thread of the store");
    t->started = true;
    return 0;
}

static int open_all(struct store *s, const struct store_options *options, struct err *err)
{
    int r = s->backend->open(options, &s->writer.conn, err);
    if (r == 0)
        r = s->backend->migrate(s->writer.conn, err);
    if (r == 0)
        r = start_thread(s, &s->writer, run_changes, options, err);
    for (unsigned i = 0; r == 0 && i < s->n_readers; i++)
        r = start_thread(s, &s->readers[i], run_reads, options, err);
    return r;
}

int store_open(const struct store_options *options, struct store **ret_store, struct err *err)
{
    struct store *s = new0(struct store);
    s->backend = &store_sqlite;
    s->n_readers = options->readers ? options->readers : READERS_DEFAULT;
    if (s->n_readers > READERS_MAX)
        s->n_readers = READERS_MAX;
    s->writer.store = s;
    for (unsigned i = 0; i < s->n_readers; i++)
        s->readers[i].store = s;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changes.filled, NULL);
    pthread_cond_init(&s->reads.filled, NULL);
    list_init(&s->changes.ops);
    list_init(&s->reads.ops);

    int r = open_all(s, options, err);
    if (r < 0) {
        store_close(s);
        return r;
    }
    *ret_store = s;
    return 0;
}

static void stop_thread(struct thread *t)
{
    if (t->started)
        pthread_join(t->id, NULL);
    t->store->backend->close(t->conn);
}

struct store *store_close(struct store *s)
{
    if (!s)
        return NULL;
    pthread_mutex_lock(&s->lock);
    s->closing = true;
    pthread_cond_broadcast(&s->changes.filled);
    pthread_cond_broadcast(&s->reads.filled);
    pthread_mutex_unlock(&s->lock);

    for (unsigned i = 0; i < s->n_readers; i++)
        stop_thread(&s->readers[i]);
    /* The last to close: it folds the write-ahead log into the database file. */
    stop_thread(&s->writer);
    pthread_cond_destroy(&s->changes.filled);
    pthread_cond_destroy(&s->reads.filled);
    pthread_mutex_destroy(&s->lock);
    free(s);
    return NULL;
}

void store_last_error(struct store *s, char *dst, size_t size)
{
    pthread_mutex_lock(&s->lock);
    str_copy(dst, size, s->error);
    pthread_mutex_unlock(&s->lock);
}

bool store_stat_get(struct store *s, unsigned index, struct store_stat *ret)
{
    if (index >= STORE_OP_COUNT)
        return false;
    struct counter *c = &s->counters[index];
    *ret = (struct store_stat){
        .name = store_op_name(index),
        .calls = atomic_load(&c->calls),
        .failures = atomic_load(&c->failures),
        .usec = atomic_load(&c->usec),
    };
    return true;
}
