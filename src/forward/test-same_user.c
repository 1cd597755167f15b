/* The same-user rule. The part with a second user needs root; without it, it is skipped. */
#include "forward/same_user.h"

#include <pwd.h>
#include <signal.h>
#include <sys/wait.h>

#include "forward/test_sockets.h"

enum { NOBODY = 65534 };

static void one_oneself_and_root_are_allowed(void **state)
{
    assert_true(same_user_allows(1000, 1000));
    assert_true(same_user_allows(0, 1000));
    assert_false(same_user_allows(1001, 1000));
    assert_true(same_user_allows(0, 0));
    assert_false(same_user_allows(1000, 0));
}

static void beyond_loopback_the_rule_does_not_count(void **state)
{
    struct addr peer, local;
    addr_from_ip("10.0.0.9", 4000, &peer);
    addr_from_ip("10.0.0.5", 8080, &local);
    assert_true(same_user_tcp(&peer, &local).allowed);
    assert_true(same_user_udp(&peer, &local).allowed);
}

static void a_connection_without_an_owner_is_refused(void **state)
{
    struct addr peer, local;
    addr_from_ip("127.0.0.1", 1, &peer);
    addr_from_ip("127.0.0.1", 2, &local);
    struct same_user_verdict v = same_user_tcp(&peer, &local);
    assert_false(v.allowed);
    assert_false(v.known);
}

/* In a child that is another user: connects (or sends), and waits for the end. */
static pid_t as_nobody(int type, uint16_t port)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    struct addr a;
    char c;
    alarm(30);
    addr_from_ip("127.0.0.1", port, &a);
    if (setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
        _exit(2);
    int fd = socket(AF_INET, type, 0);
    if (fd < 0 || connect(fd, &a.sa, a.len) < 0 || send(fd, "hello", 5, MSG_NOSIGNAL) != 5)
        _exit(3);
    if (type == SOCK_DGRAM)
        pause();
    _exit(recv(fd, &c, 1, 0) <= 0 ? 0 : 4);
}

static const char *nobody_name(void)
{
    const struct passwd *p = getpwuid(NOBODY);
    return p ? p->pw_name : "uid 65534";
}

static void another_users_connection_is_refused_by_name(void **state)
{
    struct scene *s = *state;
    char spec[32], expected[128];
    int status;
    if (geteuid() != 0)
        skip();
    uint16_t port = scene_free_port(SOCK_STREAM, NULL);
    snprintf(spec, sizeof(spec), "%u", port);
    scene_add(s, FORWARD_FLAG_TCP, spec);
    scene_open(s);
    pid_t pid = as_nobody(SOCK_STREAM, port);
    snprintf(expected, sizeof(expected), "refused 0 %s: another user's connection", nobody_name());
    TURN_UNTIL(s->loop, scene_has(s, expected));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(s->n_channels, 0);

    int own = scene_connect("127.0.0.1", port);
    TURN_UNTIL(s->loop, s->n_channels == 1);
    close(own);
}

static void other_users_are_let_in_on_request(void **state)
{
    struct scene *s = *state;
    char spec[32];
    int status;
    if (geteuid() != 0)
        skip();
    uint16_t port = scene_free_port(SOCK_STREAM, NULL);
    snprintf(spec, sizeof(spec), "%u", port);
    scene_add(s, FORWARD_FLAG_TCP, spec);
    s->options.allow_other_users = true;
    scene_open(s);
    pid_t pid = as_nobody(SOCK_STREAM, port);
    TURN_UNTIL(s->loop, s->n_channels == 1 && s->channels[0].delivered);
    scene_far_expect(s, s->channels[0].far, "hello");
    s->forwarder = forwarder_free(s->forwarder);
    assert_int_equal(waitpid(pid, &status, 0), pid);
}

static void another_users_datagrams_are_dropped(void **state)
{
    struct scene *s = *state;
    char spec[32], expected[128];
    int status;
    if (geteuid() != 0)
        skip();
    uint16_t port = scene_free_port(SOCK_DGRAM, NULL);
    snprintf(spec, sizeof(spec), "%u:7", port);
    scene_add(s, FORWARD_FLAG_UDP, spec);
    scene_open(s);
    pid_t pid = as_nobody(SOCK_DGRAM, port);
    snprintf(expected, sizeof(expected), "refused 0 %s: another user's datagram", nobody_name());
    TURN_UNTIL(s->loop, scene_has(s, expected));
    assert_int_equal(s->n_channels, 0);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
}

#define SCENE_TEST(f) cmocka_unit_test_setup_teardown(f, scene_set_up, scene_tear_down)

TEST_MAIN(cmocka_unit_test(one_oneself_and_root_are_allowed),
          cmocka_unit_test(beyond_loopback_the_rule_does_not_count),
          cmocka_unit_test(a_connection_without_an_owner_is_refused),
          SCENE_TEST(another_users_connection_is_refused_by_name),
          SCENE_TEST(other_users_are_let_in_on_request),
          SCENE_TEST(another_users_datagrams_are_dropped));
