#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>

#include "io/loop.h"
#include "io/test_help.h"
#include "io/timer.h"
#include "io/watch.h"

static char trace[64];

static void note(void *ud)
{
    size_t n = strlen(trace);
    snprintf(trace + n, sizeof(trace) - n, "%s", (const char *)ud);
}

static struct loop *fresh(void)
{
    trace[0] = '\0';
    return loop_new();
}

struct again {
    struct loop *loop;
    struct defer d;
    int n;
};

static void defer_again(void *ud)
{
    struct again *a = ud;
    a->n++;
    defer_schedule(a->loop, &a->d);
}

static void deferred_calls_run_in_order_and_a_cancelled_one_does_not(void **state)
{
    struct loop *loop = fresh();
    struct defer a, b, c;
    defer_init(&a, note, (void *)"a");
    defer_init(&b, note, (void *)"b");
    defer_init(&c, note, (void *)"c");
    defer_schedule(loop, &a);
    defer_schedule(loop, &b);
    defer_schedule(loop, &a);
    defer_schedule(loop, &c);
    defer_cancel(&b);
    loop_turn(loop, true);
    assert_string_equal(trace, "ac");
    loop_free(loop);
}

static void a_call_that_defers_again_waits_for_the_next_turn(void **state)
{
    struct loop *loop = fresh();
    struct again a = {.loop = loop};
    defer_init(&a.d, defer_again, &a);
    defer_schedule(loop, &a.d);
    for (int i = 1; i <= 5; i++) {
        loop_turn(loop, true); /* does not block, because something is deferred */
        assert_int_equal(a.n, i);
    }
    defer_cancel(&a.d);
    loop_free(loop);
}

static void the_last_calls_of_a_turn_run_behind_all_others(void **state)
{
    struct loop *loop = fresh();
    struct defer a, last, b;
    defer_init(&a, note, (void *)"a");
    defer_init(&last, note, (void *)"z");
    defer_init(&b, note, (void *)"b");
    defer_schedule(loop, &a);
    defer_schedule_last(loop, &last);
    defer_schedule(loop, &b);
    loop_turn(loop, true);
    assert_string_equal(trace, "abz");
    loop_free(loop);
}

static void what_died_is_reaped_when_nothing_else_is_scheduled(void **state)
{
    struct loop *loop = fresh();
    struct again a = {.loop = loop};
    struct defer reap;
    defer_init(&a.d, defer_again, &a);
    defer_init(&reap, note, (void *)"r");
    defer_reap(loop, &reap);
    defer_schedule(loop, &a.d);
    loop_turn(loop, true);
    assert_string_equal(trace, "");
    defer_cancel(&a.d);
    loop_turn(loop, false);
    assert_string_equal(trace, "r");
    loop_free(loop);
}

struct chain {
    struct loop *loop;
    struct defer upper, lower;
};

static void run_lower(void *ud)
{
    struct chain *c = ud;
    note((void *)"u");
    defer_schedule_last(c->loop, &c->lower);
}

static void last_again(void *ud)
{
    struct again *a = ud;
    a->n++;
    defer_schedule_last(a->loop, &a->d);
}

static void a_last_call_may_schedule_one_for_the_same_turn_but_not_for_ever(void **state)
{
    struct loop *loop = fresh();
    struct chain c = {.loop = loop};
    struct again a = {.loop = loop};
    defer_init(&c.upper, run_lower, &c);
    defer_init(&c.lower, note, (void *)"l");
    defer_schedule_last(loop, &c.upper);
    loop_turn(loop, true);
    assert_string_equal(trace, "ul");

    defer_init(&a.d, last_again, &a);
    defer_schedule_last(loop, &a.d);
    loop_turn(loop, true);
    int first = a.n;
    assert_true(first >= 1);
    loop_turn(loop, true); /* does not block */
    assert_true(a.n > first);
    defer_cancel(&a.d);
    loop_free(loop);
}

struct poster {
    struct loop *loop;
    int n;
    bool in_order;
};

enum { N_POSTS = 20000 };
static int next_post;

static void take_post(void *ud)
{
    struct poster *p = ud;
    p->in_order = p->in_order && next_post == p->n;
    next_post++;
    if (++p->n == N_POSTS)
        loop_stop(p->loop);
}

static void *post_many(void *ud)
{
    struct poster *p = ud;
    for (int i = 0; i < N_POSTS; i++)
        loop_post(p->loop, take_post, p);
    return NULL;
}

static void calls_from_another_thread_arrive_in_order(void **state)
{
    struct poster p = {.loop = fresh(), .in_order = true};
    pthread_t thread;
    next_post = 0;
    pthread_create(&thread, NULL, post_many, &p);
    loop_run(p.loop);
    pthread_join(thread, NULL);
    assert_int_equal(p.n, N_POSTS);
    assert_true(p.in_order);
    loop_free(p.loop);
}

static void freeing_the_loop_runs_what_is_queued(void **state)
{
    struct loop *loop = fresh();
    struct defer d;
    defer_init(&d, note, (void *)"d");
    defer_schedule(loop, &d);
    loop_post(loop, note, (void *)"p");
    loop_free(loop);
    assert_true(strchr(trace, 'd') && strchr(trace, 'p'));
}

static void a_stop_before_the_run_is_not_lost(void **state)
{
    struct loop *loop = fresh();
    loop_stop(loop);
    loop_run(loop);
    loop_free(loop);
}

enum { N_TIMERS = 500 };

struct clockwork {
    struct timer timers[N_TIMERS];
    usec_t last_at;
    int fired;
};

static void tick(struct timer *t, void *ud)
{
    struct clockwork *c = ud;
    assert_false(timer_pending(t));
    assert_true(t->at >= c->last_at);
    assert_true(loop_now(t->loop) >= t->at);
    c->last_at = t->at;
    c->fired++;
}

static void timers_fire_in_order_and_never_early(void **state)
{
    struct loop *loop = fresh();
    struct clockwork c = {0};
    int cancelled = 0;
    for (int i = 0; i < N_TIMERS; i++) {
        timer_init(&c.timers[i], loop, tick, &c);
        timer_start(&c.timers[i], (i * 7919) % 20000);
    }
    for (int i = 0; i < N_TIMERS; i += 3, cancelled++)
        timer_cancel(&c.timers[i]);
    for (int i = 1; i < N_TIMERS; i += 3)
        timer_start(&c.timers[i], 20000 - (i * 31) % 15000);
    TURN_UNTIL(loop, c.fired == N_TIMERS - cancelled);
    for (int i = 0; i < N_TIMERS; i++)
        assert_false(timer_pending(&c.timers[i]));
    loop_free(loop);
}

static void restart(struct timer *t, void *ud)
{
    int *n = ud;
    ++*n;
    timer_start(t, 0);
}

static void a_timer_that_restarts_itself_with_zero_lets_the_turn_end(void **state)
{
    struct loop *loop = fresh();
    struct timer t;
    int n = 0;
    timer_init(&t, loop, restart, &n);
    timer_start(&t, 0);
    TURN_UNTIL(loop, n >= 3);
    timer_cancel(&t);
    loop_free(loop);
}

static void note_fired(struct timer *t, void *ud)
{
    ++*(int *)ud;
}

static void a_turn_ends_after_a_timer_has_fired(void **state)
{
    struct loop *loop = fresh();
    struct timer t;
    int n = 0;
    timer_init(&t, loop, note_fired, &n);
    timer_start(&t, 0);
    TURN_UNTIL(loop, n == 1); /* nothing else will ever happen on this loop */
    loop_free(loop);
}

struct watched {
    struct watch *w;
    int fd;
    int n;
    unsigned events;
    bool close_in_callback;
};

static void watched_ready(unsigned events, void *ud)
{
    struct watched *w = ud;
    w->n++;
    w->events = events;
    if (w->close_in_callback)
        w->w = watch_close(w->w);
}

static void a_watch_reports_every_turn_while_ready(void **state)
{
    struct loop *loop = fresh();
    int fd[2];
    assert_int_equal(pipe2(fd, O_NONBLOCK | O_CLOEXEC), 0);
    struct watched r = {.fd = fd[0]};
    r.w = watch_new(loop, fd[0], watched_ready, &r);
    watch_want(r.w, WATCH_READ);
    loop_turn(loop, false);
    assert_int_equal(r.n, 0);

    assert_int_equal(write(fd[1], "x", 1), 1);
    loop_turn(loop, true);
    loop_turn(loop, true);
    assert_int_equal(r.n, 2);

    watch_want(r.w, 0);
    loop_turn(loop, false);
    loop_turn(loop, false);
    assert_int_equal(r.n, 2);

    watch_want(r.w, WATCH_READ);
    r.close_in_callback = true;
    loop_turn(loop, true);
    loop_turn(loop, false);
    assert_int_equal(r.n, 3);
    assert_null(r.w);
    close(fd[0]);
    close(fd[1]);
    loop_free(loop);
}

static void wanting_only_something_takes_the_rest_back_before_it_comes(void **state)
{
    struct loop *loop = fresh();
    int fd[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
    struct watched w = {.fd = fd[0]};
    w.w = watch_new(loop, fd[0], watched_ready, &w);
    watch_want(w.w, WATCH_READ | WATCH_WRITE);
    loop_turn(loop, true);
    assert_int_equal(w.events, WATCH_WRITE);
    watch_want_only(w.w, WATCH_READ);
    loop_turn(loop, false);
    assert_int_equal(w.n, 1);
    assert_int_equal(write(fd[1], "x", 1), 1);
    loop_turn(loop, true);
    assert_int_equal(w.events, WATCH_READ);
    watch_close(w.w);
    close(fd[0]);
    close(fd[1]);
    loop_free(loop);
}

struct pair_of_watches {
    struct watched both[2];
};

static void close_both(unsigned events, void *ud)
{
    struct pair_of_watches *p = ud;
    p->both[0].n++;
    for (int i = 0; i < 2; i++)
        p->both[i].w = watch_close(p->both[i].w);
}

static void a_watch_that_is_closed_by_another_ones_callback_is_silent(void **state)
{
    struct loop *loop = fresh();
    struct pair_of_watches p = {0};
    int fd[2][2];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pipe2(fd[i], O_NONBLOCK | O_CLOEXEC), 0);
        assert_int_equal(write(fd[i][1], "x", 1), 1);
        p.both[i].w = watch_new(loop, fd[i][0], close_both, &p);
        watch_want(p.both[i].w, WATCH_READ);
    }
    loop_turn(loop, true);
    loop_turn(loop, false);
    assert_int_equal(p.both[0].n, 1);
    for (int i = 0; i < 4; i++)
        close(fd[i / 2][i % 2]);
    loop_free(loop);
}

static void a_watch_reports_a_hang_up_to_whoever_waits_to_write(void **state)
{
    struct loop *loop = fresh();
    int fd[2];
    assert_int_equal(pipe2(fd, O_NONBLOCK | O_CLOEXEC), 0);
    char fill[4096] = {0};
    while (write(fd[1], fill, sizeof(fill)) > 0)
        ;
    struct watched w = {.fd = fd[1]};
    w.w = watch_new(loop, fd[1], watched_ready, &w);
    watch_want(w.w, WATCH_WRITE);
    loop_turn(loop, false);
    assert_int_equal(w.n, 0);
    close(fd[0]);
    loop_turn(loop, true);
    loop_turn(loop, true);
    assert_int_equal(w.n, 2);
    assert_int_equal(w.events, WATCH_WRITE);
    watch_close(w.w);
    close(fd[1]);
    loop_free(loop);
}

static void a_descriptor_can_move_to_another_loop_at_once(void **state)
{
    struct loop *a = fresh(), *b = loop_new();
    int fd[2];
    assert_int_equal(pipe2(fd, O_NONBLOCK | O_CLOEXEC), 0);
    struct watched w = {.fd = fd[0]};
    w.w = watch_new(a, fd[0], watched_ready, &w);
    watch_want(w.w, WATCH_READ);
    loop_turn(a, false);
    watch_close(w.w);
    w.w = watch_new(b, fd[0], watched_ready, &w);
    watch_want(w.w, WATCH_READ);
    assert_int_equal(write(fd[1], "x", 1), 1);
    loop_turn(a, false);
    assert_int_equal(w.n, 0);
    loop_turn(b, true);
    assert_int_equal(w.n, 1);
    watch_close(w.w);
    close(fd[0]);
    close(fd[1]);
    loop_free(a);
    loop_free(b);
}

TEST_MAIN(cmocka_unit_test(deferred_calls_run_in_order_and_a_cancelled_one_does_not),
          cmocka_unit_test(a_call_that_defers_again_waits_for_the_next_turn),
          cmocka_unit_test(the_last_calls_of_a_turn_run_behind_all_others),
          cmocka_unit_test(what_died_is_reaped_when_nothing_else_is_scheduled),
          cmocka_unit_test(a_last_call_may_schedule_one_for_the_same_turn_but_not_for_ever),
          cmocka_unit_test(calls_from_another_thread_arrive_in_order),
          cmocka_unit_test(freeing_the_loop_runs_what_is_queued),
          cmocka_unit_test(a_stop_before_the_run_is_not_lost),
          cmocka_unit_test(timers_fire_in_order_and_never_early),
          cmocka_unit_test(a_timer_that_restarts_itself_with_zero_lets_the_turn_end),
          cmocka_unit_test(a_turn_ends_after_a_timer_has_fired),
          cmocka_unit_test(a_watch_reports_every_turn_while_ready),
          cmocka_unit_test(wanting_only_something_takes_the_rest_back_before_it_comes),
          cmocka_unit_test(a_watch_that_is_closed_by_another_ones_callback_is_silent),
          cmocka_unit_test(a_watch_reports_a_hang_up_to_whoever_waits_to_write),
          cmocka_unit_test(a_descriptor_can_move_to_another_loop_at_once));
