#include "server/registry.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/span.h"
#include "io/loop.h"

static struct presence of(struct registry *r, struct id agent, unsigned worker)
{
    return (struct presence){.agent_id = agent,
                             .worker = worker,
                             .link_id = registry_next_link_id(r),
                             .connected_at = 100,
                             .last_seen_at = 100};
}

static void an_agent_is_found_while_it_is_connected(void **state)
{
    struct registry *r = registry_new();
    struct presence p = of(r, id_new(), 3), got, replaced;
    struct id other = id_new();

    (void)state;
    assert_false(registry_get(r, &p.agent_id, &got));
    assert_false(registry_enter(r, &p, &replaced));
    assert_int_equal(registry_len(r), 1);
    assert_true(registry_get(r, &p.agent_id, &got));
    assert_int_equal(got.worker, 3);
    assert_false(registry_get(r, &other, &got));
    registry_seen(r, &p.agent_id, p.link_id, 777);
    assert_true(registry_get(r, &p.agent_id, &got));
    assert_int_equal(got.last_seen_at, 777);
    assert_false(got.has_direct_counts);
    registry_set_direct(r, &p.agent_id, p.link_id + 1, 1, 1);
    registry_set_direct(r, &other, p.link_id, 1, 1);
    assert_true(registry_get(r, &p.agent_id, &got) && !got.has_direct_counts);
    registry_set_direct(r, &p.agent_id, p.link_id, 3, 4);
    assert_true(registry_get(r, &p.agent_id, &got) && got.has_direct_counts);
    assert_int_equal(got.direct_accepted, 3);
    assert_int_equal(got.direct_refused, 4);
    assert_true(registry_leave(r, &p.agent_id, p.link_id));
    assert_false(registry_get(r, &p.agent_id, &got));
    assert_false(registry_leave(r, &p.agent_id, p.link_id));
    registry_free(r);
}

static void a_second_connection_replaces_the_first(void **state)
{
    struct registry *r = registry_new();
    struct presence a = of(r, id_new(), 0), b = of(r, a.agent_id, 1), got, replaced;

    (void)state;
    assert_int_not_equal(a.link_id, b.link_id);
    assert_false(registry_enter(r, &a, &replaced));
    assert_true(registry_enter(r, &b, &replaced));
    assert_int_equal(replaced.link_id, a.link_id);
    assert_int_equal(replaced.worker, 0);
    /* The end of the old one does not touch the new one. */
    registry_seen(r, &a.agent_id, a.link_id, 999);
    assert_false(registry_leave(r, &a.agent_id, a.link_id));
    assert_true(registry_get(r, &a.agent_id, &got));
    assert_int_equal(got.link_id, b.link_id);
    assert_int_equal(got.last_seen_at, 100);
    registry_free(r);
}

enum { THREADS = 4, ROUNDS = 2000 };

struct racer {
    pthread_t thread;
    struct registry *r;
    struct id *agents;
    unsigned index;
};

static void *race(void *ud)
{
    struct racer *racer = ud;

    for (unsigned i = 0; i < ROUNDS; i++) {
        struct id *agent = &racer->agents[i % 8];
        struct presence p = of(racer->r, *agent, racer->index), got, replaced;
        registry_enter(racer->r, &p, &replaced);
        registry_seen(racer->r, agent, p.link_id, i);
        registry_get(racer->r, agent, &got);
        registry_leave(racer->r, agent, p.link_id);
    }
    return NULL;
}

static void workers_may_use_it_at_the_same_time(void **state)
{
    struct registry *r = registry_new();
    struct racer racers[THREADS];
    struct id agents[8];

    (void)state;
    for (unsigned i = 0; i < 8; i++)
        agents[i] = id_new();
    for (unsigned i = 0; i < THREADS; i++) {
        racers[i] = (struct racer){.r = r, .agents = agents, .index = i};
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(racers[i].thread, NULL);
    assert_int_equal(registry_len(r), 0);
    registry_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_agent_is_found_while_it_is_connected),
        cmocka_unit_test(a_second_connection_replaces_the_first),
        cmocka_unit_test(workers_may_use_it_at_the_same_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
