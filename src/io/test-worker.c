#include "io/worker.h"

#include <pthread.h>
#include <signal.h>

#include "io/signal.h"
#include "io/test_help.h"

/* One stream that its workers hand on to each other, answering what comes in between. */
enum { N_WORKERS = 3, N_ROUNDS = 200 };

struct crew {
    struct worker *workers[N_WORKERS];
    struct stream *s;
    int at; /* the worker that has the stream */
    int n_handed_on;
    int n_started;
    int n_stopped;
    pthread_mutex_t lock;
};

static void arrive(void *ud);

static void echo_and_hand_on(struct stream *s, unsigned events, void *ud)
{
    struct crew *c = ud;
    char data[64];
    ssize_t n = stream_recv(s, data, sizeof(data));
    if (n == -EAGAIN)
        return;
    if (n <= 0) {
        c->s = stream_free(s);
        return;
    }
    assert_int_equal(stream_send_bytes(s, data, (size_t)n), n);
    stream_want(s, 0);
    assert_int_equal(stream_detach(s), 0);
    c->at = (c->at + 1) % N_WORKERS;
    c->n_handed_on++;
    loop_post(worker_loop(c->workers[c->at]), arrive, c);
}

static void arrive(void *ud)
{
    struct crew *c = ud;
    stream_attach(c->s, worker_loop(c->workers[c->at]));
    stream_set_ready(c->s, echo_and_hand_on, c);
    stream_want(c->s, STREAM_READ);
}

static void started(struct loop *loop, void *ud)
{
    struct crew *c = ud;
    pthread_mutex_lock(&c->lock);
    c->n_started++;
    pthread_mutex_unlock(&c->lock);
}

static void stopped(struct loop *loop, void *ud)
{
    struct crew *c = ud;
    c->n_stopped++;
}

static void a_stream_moves_from_worker_to_worker(void **state)
{
    struct crew c = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct loop *loop = loop_new();
    struct stream *end[2];
    socket_streams(loop, end);
    for (int i = 0; i < N_WORKERS; i++)
        c.workers[i] = worker_start("test-worker-with-a-long-name", started, &c);
    c.s = end[1];
    assert_int_equal(stream_detach(c.s), 0);
    loop_post(worker_loop(c.workers[0]), arrive, &c);

    struct talker t = {.s = end[0], .shut = true, .to_send = N_ROUNDS};
    talker_start(&t);
    for (int i = 0; i < N_ROUNDS; i++) {
        unsigned char byte = pattern((uint64_t)i);
        assert_int_equal(stream_send_bytes(t.s, &byte, 1), 1);
        TURN_UNTIL(loop, t.received == (uint64_t)i + 1);
    }
    stream_free(end[0]);
    for (int i = 0; i < N_WORKERS; i++)
        worker_stop(c.workers[i], stopped, &c);
    assert_int_equal(c.n_handed_on, N_ROUNDS);
    assert_int_equal(c.n_started, N_WORKERS);
    assert_int_equal(c.n_stopped, N_WORKERS);
    stream_free(c.s);
    loop_free(loop);
}

static void signal_received(int signum, void *ud)
{
    *(int *)ud = signum;
}

static void a_signal_comes_as_an_event_of_its_loop(void **state)
{
    struct loop *loop = loop_new();
    struct worker *w = worker_start("w", NULL, NULL);
    int got = 0;
    struct signal_watch *watch = signal_watch_new(loop, SIGUSR1, signal_received, &got);
    kill(getpid(), SIGUSR1);
    TURN_UNTIL(loop, got);
    assert_int_equal(got, SIGUSR1);
    signal_watch_free(watch);
    worker_stop(w, NULL, NULL);
    loop_free(loop);
}

TEST_MAIN(cmocka_unit_test(a_stream_moves_from_worker_to_worker),
          cmocka_unit_test(a_signal_comes_as_an_event_of_its_loop));
