#include "agent/health.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "agent/test_network.h"
#include "base/cleanup.h"
#include "http/exchange.h"
#include "http/server_conn.h"
#include "io/addr.h"
#include "io/listener.h"
#include "io/loop.h"
#include "io/stream.h"

static void an_app_is_unhealthy_after_so_many_failures_in_a_row(void **state)
{
    /* One letter a check: + success, - failure; then what it is. */
    static const struct {
        const char *checks;
        unsigned threshold;
        enum api_health health;
    } table[] = {
        {"", 3, API_HEALTH_INITIALIZING},        {"+", 3, API_HEALTH_HEALTHY},
        {"-", 3, API_HEALTH_INITIALIZING},       {"--", 3, API_HEALTH_INITIALIZING},
        {"---", 3, API_HEALTH_UNHEALTHY},        {"-", 1, API_HEALTH_UNHEALTHY},
        {"+--", 3, API_HEALTH_HEALTHY},          {"+---", 3, API_HEALTH_UNHEALTHY},
        {"--+--", 3, API_HEALTH_HEALTHY},        {"+---+", 3, API_HEALTH_HEALTHY},
        {"+---+--", 3, API_HEALTH_HEALTHY},      {"+---+---", 3, API_HEALTH_UNHEALTHY},
        {"-----------+", 3, API_HEALTH_HEALTHY},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct health_count c = {.health = API_HEALTH_INITIALIZING};
        for (const char *check = table[i].checks; *check; check++) {
            enum api_health was = c.health;
            bool has_changed = health_count_add(&c, *check == '+', table[i].threshold);
            assert_int_equal(has_changed, c.health != was);
        }
        if (c.health != table[i].health)
            fail_msg("%s: %s", table[i].checks, api_health_name(c.health));
    }
}

/* ---- an app ---- */

struct scene {
    struct loop *loop;
    struct listener *listener;
    struct health *health;
    unsigned status; /* of its answers; 0: none comes */
    unsigned n_asked, n_changed;
    char path[64];
    struct exchange *held[8];
    size_t n_held;
};

static void request(struct exchange *x, void *ud)
{
    struct scene *s = ud;
    s->n_asked++;
    str_copy_span(s->path, sizeof(s->path), x->path);
    if (!s->status) {
        assert_true(s->n_held < ARRAY_LEN(s->held));
        s->held[s->n_held++] = x;
        return;
    }
    headers_add(&x->response, "Location", "http://192.0.2.1/elsewhere");
    exchange_respond(x, s->status, "x", 1);
}

static void accepted(struct listener *l, struct stream *stream, const struct addr *peer, void *ud)
{
    struct scene *s = ud;
    server_conn_new(s->loop, stream, &(struct server_conn_options){.handler = request, .ud = s});
}

static void changed(void *ud)
{
    ((struct scene *)ud)->n_changed++;
}

static void start(struct scene *s)
{
    const struct listener_options options = {.accepted = accepted, .ud = s};
    struct err err = ERR_INIT;
    struct addr a;
    s->loop = loop_new();
    assert_int_equal(addr_from_ip("127.0.0.1", 0, &a), 0);
    assert_int_equal(listener_open(s->loop, &a, &options, &s->listener, &err), 0);
    s->health = health_new(s->loop, changed, s);
}

static void stop(struct scene *s)
{
    health_free(s->health);
    for (size_t i = 0; i < s->n_held; i++)
        exchange_abort(s->held[i]);
    listener_close(s->listener);
    for (int i = 0; i < 20; i++)
        loop_turn(s->loop, false);
    loop_free(s->loop);
}

static void set(struct scene *s, unsigned threshold)
{
    char url[64];
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/ok?x=1", addr_port(listener_addr(s->listener)));
    struct api_app_check app = {
        .slug = "lab", .url = url, .interval = USEC_PER_SEC, .threshold = threshold};
    struct api_app_check plain = {.slug = "plain", .port = 8888};
    health_set(s->health,
               &(struct api_app_checks){.apps = (struct api_app_check[]){plain, app}, .n_apps = 2});
}

static enum api_health health_of_lab(const struct scene *s)
{
    size_t n;
    const struct api_app_health *list = health_list(s->health, &n);
    assert_int_equal(n, 1);
    assert_string_equal(list[0].slug, "lab");
    return list[0].health;
}

static enum api_health settle(struct scene *s)
{
    while (health_of_lab(s) == API_HEALTH_INITIALIZING)
        loop_turn(s->loop, true);
    return health_of_lab(s);
}

static void any_status_below_500_is_success(void **state)
{
    static const struct {
        unsigned status;
        enum api_health health;
    } table[] = {
        {200, API_HEALTH_HEALTHY}, {302, API_HEALTH_HEALTHY},   {401, API_HEALTH_HEALTHY},
        {404, API_HEALTH_HEALTHY}, {500, API_HEALTH_UNHEALTHY}, {503, API_HEALTH_UNHEALTHY},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct scene s = {.status = table[i].status};
        start(&s);
        set(&s, 1);
        assert_int_equal(settle(&s), table[i].health);
        assert_string_equal(s.path, "/ok");
        assert_int_equal(s.n_asked, 1); /* a redirect is not followed */
        assert_int_equal(s.n_changed, 2);
        stop(&s);
    }
}

static void an_app_that_is_not_there_fails(void **state)
{
    struct scene s = {.status = 200};
    start(&s);
    uint16_t port = addr_port(listener_addr(s.listener));
    s.listener = listener_close(s.listener);
    char url[64];
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/", port);
    struct api_app_check app = {
        .slug = "lab", .url = url, .interval = USEC_PER_SEC, .threshold = 1};
    health_set(s.health, &(struct api_app_checks){.apps = &app, .n_apps = 1});
    assert_int_equal(settle(&s), API_HEALTH_UNHEALTHY);
    stop(&s);
}

static void an_app_that_does_not_answer_fails_in_time(void **state)
{
    struct scene s = {.status = 0};
    start(&s);
    set(&s, 1);
    usec_t began = loop_now(s.loop);
    assert_int_equal(settle(&s), API_HEALTH_UNHEALTHY);
    assert_true(loop_now(s.loop) - began < 3 * USEC_PER_SEC);
    stop(&s);
}

static void the_same_apps_again_keep_their_state(void **state)
{
    struct scene s = {.status = 200};
    start(&s);
    set(&s, 3);
    settle(&s);
    set(&s, 3);
    assert_int_equal(health_of_lab(&s), API_HEALTH_HEALTHY);
    set(&s, 4);
    assert_int_equal(health_of_lab(&s), API_HEALTH_INITIALIZING);
    health_set(s.health, &(struct api_app_checks){.n_apps = 0});
    size_t n = 1;
    health_list(s.health, &n);
    assert_int_equal(n, 0);
    stop(&s);
}

int main(void)
{
    leave_the_network();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_app_is_unhealthy_after_so_many_failures_in_a_row),
        cmocka_unit_test(any_status_below_500_is_success),
        cmocka_unit_test(an_app_that_is_not_there_fails),
        cmocka_unit_test(an_app_that_does_not_answer_fails_in_time),
        cmocka_unit_test(the_same_apps_again_keep_their_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
