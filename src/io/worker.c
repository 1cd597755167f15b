#include "io/worker.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/span.h"
#include "io/loop.h"
#include "io/tls.h"

enum { THREAD_NAME_LEN = 16 }; /* pthread_setname_np(3) */

struct worker {
    pthread_t thread;
    struct loop *loop;
    char name[THREAD_NAME_LEN];
    void (*start)(struct loop *loop, void *ud);
    void *start_ud;
    void (*stop)(struct loop *loop, void *ud);
    void *stop_ud;
};

static void *run(void *ud)
{
    struct worker *w = ud;
    pthread_setname_np(pthread_self(), w->name);
    if (w->start)
        w->start(w->loop, w->start_ud);
    loop_run(w->loop);
    arena_thread_ends();
    tls_thread_ends();
    return NULL;
}

struct worker *worker_start(const char *name, void (*start)(struct loop *loop, void *ud), void *ud)
{
    struct worker *w = new0(struct worker);
    sigset_t all, before;
    str_copy(w->name, sizeof(w->name), name);
    w->loop = loop_new();
    w->start = start;
    w->start_ud = ud;
    /* Signals are the main thread's business. */
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int r = pthread_create(&w->thread, NULL, run, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r != 0) {
        fprintf(stderr, "adit: cannot start a thread: %s\n", strerror(r));
        abort();
    }
    return w;
}

struct loop *worker_loop(struct worker *w)
{
    return w->loop;
}

static void stop_loop(void *ud)
{
    struct worker *w = ud;
    if (w->stop)
        w->stop(w->loop, w->stop_ud);
    loop_stop(w->loop);
}

struct worker *worker_stop(struct worker *w, void (*stop)(struct loop *loop, void *ud), void *ud)
{
    if (!w)
        return NULL;
    w->stop = stop;
    w->stop_ud = ud;
    loop_post(w->loop, stop_loop, w);
    pthread_join(w->thread, NULL);
    loop_free(w->loop);
    free(w);
    return NULL;
}
