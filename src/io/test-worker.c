#include "io/worker.h"

#include <pthread.h>
#include <signal.h>

#include "io/signal.h"
#include "io/test_help.h"
#include "io/tls.h"

/* One stream that its workers hand on to each other, answering what comes in between. */
enum { N_WORKERS = 3, N_ROUNDS = 200 };

struct crew {
    struct worker *workers[N_WORKERS];
    struct loop *home; /* the test's own */
    bool ended;        /* the stream has, and its worker has said so */
    struct stream *s;
    size_t unsent_len; /* echoed, but not taken by the stream */
    unsigned char unsent[16384];
    int at; /* the worker that has the stream */
    int n_handed_on;
    int n_started;
    int n_stopped;
    pthread_mutex_t lock;
};

static void arrive(void *ud);

static void note_ended(void *ud)
{
    struct crew *c = ud;
    c->ended = true;
}

/* Sends what is left of the echo; false while some of it is. */
static bool send_echo(struct crew *c)
{
    while (c->unsent_len > 0) {
        ssize_t n = stream_send_bytes(c->s, c->unsent, c->unsent_len);
        if (n == -EAGAIN)
            return false;
        assert_true(n > 0);
        c->unsent_len -= (size_t)n;
        memmove(c->unsent, c->unsent + n, c->unsent_len);
    }
    return true;
}

static void echo_and_hand_on(struct stream *s, unsigned events, void *ud)
{
    struct crew *c = ud;
    if (send_echo(c)) {
        ssize_t n = stream_recv(s, c->unsent, sizeof(c->unsent));
        if (n == -EAGAIN)
            return;
        if (n <= 0) {
            stream_shutdown(s);
            c->s = stream_free(s);
            loop_post(c->home, note_ended, c);
            return;
        }
        c->unsent_len = (size_t)n;
        send_echo(c);
    }
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
    stream_want(c->s, c->unsent_len ? STREAM_WRITE : STREAM_READ);
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
    c.home = loop;
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
    TURN_UNTIL(loop, c.ended);
    for (int i = 0; i < N_WORKERS; i++)
        worker_stop(c.workers[i], stopped, &c);
    assert_int_equal(c.n_handed_on, N_ROUNDS);
    assert_int_equal(c.n_started, N_WORKERS);
    assert_int_equal(c.n_stopped, N_WORKERS);
    assert_null(c.s);
    loop_free(loop);
}

struct tls_scene {
    struct tls_identity *id;
    struct tls_pin pin;
    struct tls_context *ctx;
    int n_done;
};

static void handshake_done(struct stream *tls, int result, const struct err *err, void *ud)
{
    struct tls_scene *t = ud;
    assert_int_equal(result, 0);
    t->n_done++;
}

static void a_tls_stream_moves_while_it_echoes(void **state)
{
    struct crew c = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct tls_scene t = {.id = tls_identity_new()};
    struct loop *loop = loop_new();
    struct stream *end[2];
    tls_identity_pin(t.id, &t.pin);
    assert_int_equal(tls_context_peer(t.id, &t.ctx, NULL), 0);
    socket_streams(loop, end);
    for (int i = 0; i < 2; i++)
        end[i] = tls_start(t.ctx, end[i],
                           &(struct tls_start_options){
                               .server = i, .pin = &t.pin, .done = handshake_done, .ud = &t});
    TURN_UNTIL(loop, t.n_done == 2);

    for (int i = 0; i < N_WORKERS; i++)
        c.workers[i] = worker_start("w", started, &c);
    c.home = loop;
    c.s = end[1];
    assert_int_equal(stream_detach(c.s), 0);
    loop_post(worker_loop(c.workers[0]), arrive, &c);
    struct talker talker = {.s = end[0], .to_send = 4000000};
    talker_start(&talker);
    TURN_UNTIL(loop, talker_done(&talker));
    assert_int_equal(talker.failure, 0);
    assert_int_equal(talker.received, 4000000);
    stream_free(end[0]);
    TURN_UNTIL(loop, c.ended);
    for (int i = 0; i < N_WORKERS; i++)
        worker_stop(c.workers[i], stopped, &c);
    assert_true(c.n_handed_on > N_ROUNDS);
    assert_null(c.s);
    tls_context_unref(t.ctx);
    tls_identity_free(t.id);
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
          cmocka_unit_test(a_tls_stream_moves_while_it_echoes),
          cmocka_unit_test(a_signal_comes_as_an_event_of_its_loop));
