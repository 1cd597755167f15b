#include "agent/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"

static const usec_t now = 1000 * USEC_PER_SEC;

/* A grant with the default policy, changed by one case's settings. */
struct setting {
    bool no_local, no_remote, public_listen, unix_sockets, ssh;
    const char *open, *listen; /* instead of the default rules */
    usec_t expires_at;
};

static struct grant grant_with(const struct setting *s)
{
    struct grant g = {.expires_at = s->expires_at, .ssh = s->ssh};
    struct forward_policy *p = &g.forwarding;
    forward_policy_init(p);
    p->local = !s->no_local;
    p->remote = !s->no_remote;
    p->public_listen = s->public_listen;
    p->unix_sockets = s->unix_sockets;
    if (s->open) {
        text_list_deinit(&p->permit_open);
        text_list_add(&p->permit_open, span_of(s->open), 1);
    }
    if (s->listen) {
        text_list_deinit(&p->permit_listen);
        text_list_add(&p->permit_listen, span_of(s->listen), 1);
    }
    return g;
}

static void each_kind_of_channel_is_held_against_its_rule(void **state)
{
    static const struct {
        struct setting setting;
        struct channel_goal goal;
        const char *refusal; /* a part of the text; NULL: allowed */
    } cases[] = {
        {{0}, {CHANNEL_TCP, "localhost", 80, ""}, NULL},
        {{0}, {CHANNEL_UDP, "db.internal", 53, ""}, NULL},
        {{.no_local = true}, {CHANNEL_TCP, "localhost", 80, ""}, "forwarding.local"},
        {{.no_local = true}, {CHANNEL_UDP, "localhost", 80, ""}, "forwarding.local"},
        {{.no_local = true, .unix_sockets = true}, {CHANNEL_UNIX, "", 0, "/x"}, "forwarding.local"},
        {{.open = "db.internal:5432"}, {CHANNEL_TCP, "db.internal", 5432, ""}, NULL},
        {{.open = "db.internal:5432"}, {CHANNEL_TCP, "db.internal", 5433, ""}, "permit_open"},
        {{.open = "localhost:*"}, {CHANNEL_TCP, "127.0.0.1", 8080, ""}, NULL},
        {{.open = "localhost:*"}, {CHANNEL_UDP, "10.0.0.1", 8080, ""}, "permit_open"},
        {{.unix_sockets = true}, {CHANNEL_UNIX, "", 0, "/run/x.sock"}, NULL},
        {{0}, {CHANNEL_UNIX, "", 0, "/run/x.sock"}, "forwarding.unix_sockets"},
        {{0}, {CHANNEL_LISTEN, "", 0, ""}, NULL},
        {{0}, {CHANNEL_LISTEN, "localhost", 9003, ""}, NULL},
        {{0}, {CHANNEL_LISTEN, "::1", 9003, ""}, NULL},
        {{0}, {CHANNEL_LISTEN, "*", 9003, ""}, "public_listen"},
        {{0}, {CHANNEL_LISTEN, "0.0.0.0", 9003, ""}, "public_listen"},
        {{0}, {CHANNEL_LISTEN, "192.0.2.1", 9003, ""}, "public_listen"},
        {{.public_listen = true}, {CHANNEL_LISTEN, "*", 9003, ""}, "permit_listen"},
        {{.public_listen = true, .listen = "*:*"}, {CHANNEL_LISTEN, "*", 9003, ""}, NULL},
        {{.listen = "localhost:9003"}, {CHANNEL_LISTEN, "", 9003, ""}, NULL},
        {{.listen = "localhost:9003"}, {CHANNEL_LISTEN, "", 9004, ""}, "permit_listen"},
        {{.listen = "localhost:9003"}, {CHANNEL_LISTEN, "", 0, ""}, "permit_listen"},
        {{.no_remote = true}, {CHANNEL_LISTEN, "", 9003, ""}, "forwarding.remote"},
        {{.no_remote = true}, {CHANNEL_ACCEPT, "", 9003, ""}, "forwarding.remote"},
        {{0}, {CHANNEL_LISTEN, "", 0, "/tmp/x"}, "forwarding.unix_sockets"},
        {{.unix_sockets = true}, {CHANNEL_LISTEN, "", 0, "/tmp/x"}, NULL},
        {{0}, {CHANNEL_SSH, "", 0, ""}, "SSH is off"},
        {{.ssh = true}, {CHANNEL_SSH, "", 0, ""}, NULL},
        {{.open = "db.internal:5432"}, {CHANNEL_SPEEDTEST, "", 0, ""}, NULL},
        {{.no_local = true}, {CHANNEL_SPEEDTEST, "", 0, ""}, "speed tests (forwarding.local"},
        {{0}, {CHANNEL_PEER, "", 0, ""}, "not for peers"},
        {{.expires_at = now}, {CHANNEL_TCP, "localhost", 80, ""}, "expired"},
        {{.expires_at = now + 1}, {CHANNEL_TCP, "localhost", 80, ""}, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct grant g = grant_with(&cases[i].setting);
        struct err err = ERR_INIT;
        enum dial_result r = policy_check(&g, &cases[i].goal, now, &err);
        if ((r == DIAL_OK) != !cases[i].refusal)
            fail_msg("case %zu: %s", i, err.text);
        if (cases[i].refusal && !strstr(err.text, cases[i].refusal))
            fail_msg("case %zu does not name its rule: %s", i, err.text);
        grant_deinit(&g);
    }
}

static void a_refusal_names_the_target(void **state)
{
    struct grant g = grant_with(&(struct setting){.open = "localhost:*"});
    struct channel_goal goal = {CHANNEL_TCP, "2001:db8::1", 443, ""};
    struct err err = ERR_INIT;
    assert_int_equal(policy_check(&g, &goal, now, &err), DIAL_FORBIDDEN);
    assert_string_equal(err.text, "the workspace's template does not allow [2001:db8::1]:443 "
                                  "(forwarding.permit_open)");
    grant_deinit(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_of_channel_is_held_against_its_rule),
        cmocka_unit_test(a_refusal_names_the_target),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
