/*
 * Sockets of this process, and, when the tests run as root, of a child that has become another
 * user. Every question is put to both ways of asking.
 */
#include "io/socket_owner.h"

#include <netinet/in.h>
#include <sys/wait.h>

#include "io/socket_owner_internal.h"
#include "io/test_help.h"

enum { OTHER_UID = 65534 };

typedef int way_fn(const struct socket_query *q, struct socket_verdict *v);
static way_fn *const ways[] = {socket_owner_by_sock_diag, socket_owner_by_proc};

static void to_mapped(const struct addr *a, unsigned char ip[16], uint16_t *ret_port)
{
    struct addr six;
    char text[ADDR_TEXT_LEN], mapped[ADDR_TEXT_LEN + 8];
    addr_format_ip(a, text);
    snprintf(mapped, sizeof(mapped), "%s%s", a->sa.sa_family == AF_INET ? "::ffff:" : "", text);
    assert_int_equal(addr_from_ip(mapped, 0, &six), 0);
    memcpy(ip, &six.in6.sin6_addr, 16);
    *ret_port = addr_port(a);
}

/* What each way says; both must agree. The uid, or -1 for none. */
static int ask_both(int protocol, const struct addr *peer, const struct addr *local)
{
    struct socket_query q = {.protocol = protocol};
    int answers[2];
    to_mapped(peer, q.peer, &q.peer_port);
    if (local)
        to_mapped(local, q.local, &q.local_port);
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        struct socket_verdict v = {0};
        assert_int_equal(ways[i](&q, &v), 0);
        answers[i] = v.found ? (int)v.uid : -1;
    }
    assert_int_equal(answers[0], answers[1]);
    return answers[0];
}

static int bound(int type, const char *ip, struct addr *ret)
{
    addr_from_ip(ip, 0, ret);
    int fd = socket(ret->sa.sa_family, type | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, &ret->sa, ret->len) < 0)
        return -1;
    if (type == SOCK_STREAM)
        assert_int_equal(listen(fd, 8), 0);
    addr_of_socket(fd, ret);
    return fd;
}

static int connected(int type, const struct addr *to, struct addr *ret_own)
{
    int fd = socket(to->sa.sa_family, type | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, &to->sa, to->len), 0);
    addr_of_socket(fd, ret_own);
    return fd;
}

static void the_other_end_of_a_tcp_connection_is_mine(void **state)
{
    static const char *const ips[] = {"127.0.0.1", "::1"};
    for (size_t i = 0; i < ARRAY_LEN(ips); i++) {
        struct addr server, client;
        uid_t uid;
        int listener = bound(SOCK_STREAM, ips[i], &server);
        if (listener < 0)
            continue; /* a machine without IPv6 */
        int fd = connected(SOCK_STREAM, &server, &client);
        assert_int_equal(ask_both(IPPROTO_TCP, &client, &server), getuid());
        assert_int_equal(socket_owner_tcp(&client, &server, &uid), 0);
        assert_int_equal(uid, getuid());
        /* Another pair, in either place. */
        addr_set_port(&server, addr_port(&server) ^ 1);
        assert_int_equal(socket_owner_tcp(&client, &server, &uid), -ENOENT);
        assert_int_equal(ask_both(IPPROTO_TCP, &client, &server), -1);
        close(fd);
        close(listener);
    }
}

static void a_mapped_address_is_the_ipv4_address(void **state)
{
    struct addr server, client, mapped_server, mapped_client;
    char text[ADDR_TEXT_LEN];
    uid_t uid = 12345;
    int listener = bound(SOCK_STREAM, "127.0.0.1", &server);
    addr_from_ip("::ffff:127.0.0.1", addr_port(&server), &mapped_server);
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, &mapped_server.sa, mapped_server.len) == 0) {
        addr_of_socket(fd, &mapped_client);
        addr_from_ip("127.0.0.1", addr_port(&mapped_client), &client);
        assert_string_equal(addr_format_ip(&mapped_client, text), "::ffff:127.0.0.1");
        assert_int_equal(socket_owner_tcp(&client, &server, &uid), 0);
        assert_int_equal(uid, getuid());
        assert_int_equal(socket_owner_tcp(&mapped_client, &mapped_server, &uid), 0);
        assert_int_equal(ask_both(IPPROTO_TCP, &client, &server), getuid());
    }
    close(fd);
    close(listener);
}

static void a_connection_that_was_closed_already_is_nobodys(void **state)
{
    struct addr server, client;
    uid_t uid;
    int listener = bound(SOCK_STREAM, "127.0.0.1", &server);
    int fd = connected(SOCK_STREAM, &server, &client);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd); /* the kernel still knows the socket, and would tell uid 0 */
    assert_int_equal(socket_owner_tcp(&client, &server, &uid), -ENOENT);
    assert_int_equal(ask_both(IPPROTO_TCP, &client, &server), -1);
    close(listener);
}

static void a_datagram_socket_is_found_however_it_is_bound(void **state)
{
    static const struct {
        const char *bound_to;
        const char *seen_as;
        bool found;
    } cases[] = {
        {"127.0.0.1", "127.0.0.1", true},
        {"0.0.0.0", "127.0.0.1", true},
        {"::1", "::1", true},
        {"::", "::1", true},
        {"::", "127.0.0.1", true},
        {"127.0.0.2", "127.0.0.1", false},
        {"0.0.0.0", "::1", false},
        {"::1", "127.0.0.1", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct addr own, seen;
        uid_t uid = 12345;
        int fd = bound(SOCK_DGRAM, cases[i].bound_to, &own);
        if (fd < 0)
            continue; /* a machine without IPv6 */
        addr_from_ip(cases[i].seen_as, addr_port(&own), &seen);
        assert_int_equal(socket_owner_udp(&seen, &uid), cases[i].found ? 0 : -ENOENT);
        assert_int_equal(uid, cases[i].found ? getuid() : 12345);
        assert_int_equal(ask_both(IPPROTO_UDP, &seen, NULL), cases[i].found ? (int)getuid() : -1);
        close(fd);
    }
}

static void a_socket_for_ipv6_only_sends_no_ipv4(void **state)
{
    struct addr own, seen;
    uid_t uid;
    int on = 1;
    addr_from_ip("::", 0, &own);
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return; /* a machine without IPv6 */
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    assert_int_equal(bind(fd, &own.sa, own.len), 0);
    addr_of_socket(fd, &own);
    addr_from_ip("127.0.0.1", addr_port(&own), &seen);
    assert_int_equal(socket_owner_udp(&seen, &uid), -ENOENT);
    addr_from_ip("::1", addr_port(&own), &seen);
    assert_int_equal(socket_owner_udp(&seen, &uid), 0);
    close(fd);
}

static void a_connected_datagram_socket_is_found(void **state)
{
    struct addr server, client;
    uid_t uid;
    int a = bound(SOCK_DGRAM, "127.0.0.1", &server);
    int b = connected(SOCK_DGRAM, &server, &client);
    assert_int_equal(socket_owner_udp(&client, &uid), 0);
    assert_int_equal(uid, getuid());
    close(a);
    close(b);
    assert_int_equal(socket_owner_udp(&client, &uid), -ENOENT);
}

/* A child of another user that opens a socket, tells its address, and waits for the end. */
struct child {
    pid_t pid;
    int pipe[2];
};

static struct child child_start(int type, const struct addr *to, struct addr *ret_own)
{
    struct child c;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, c.pipe), 0);
    c.pid = fork();
    if (c.pid == 0) {
        struct addr own = {0};
        char end;
        close(c.pipe[0]);
        if (setgid(OTHER_UID) < 0 || setuid(OTHER_UID) < 0)
            _exit(1);
        int fd = socket(to->sa.sa_family, type | SOCK_CLOEXEC, 0);
        int on = 1;
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        int r = addr_port(to) ? connect(fd, &to->sa, to->len) : bind(fd, &to->sa, to->len);
        if (r < 0 || addr_of_socket(fd, &own) < 0 ||
            write(c.pipe[1], &own, sizeof(own)) != sizeof(own))
            _exit(1);
        _exit(read(c.pipe[1], &end, 1) == 0 ? 0 : 1);
    }
    close(c.pipe[1]);
    assert_int_equal(read(c.pipe[0], ret_own, sizeof(*ret_own)), sizeof(*ret_own));
    return c;
}

static void child_end(struct child *c)
{
    int status;
    close(c->pipe[0]);
    assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
    assert_int_equal(status, 0);
}

static void another_user_is_told_apart(void **state)
{
    struct addr server, own;
    uid_t uid;
    if (getuid() != 0)
        return; /* only root can become another user */
    int listener = bound(SOCK_STREAM, "127.0.0.1", &server);
    struct child c = child_start(SOCK_STREAM, &server, &own);
    assert_int_equal(socket_owner_tcp(&own, &server, &uid), 0);
    assert_int_equal(uid, OTHER_UID);
    assert_int_equal(ask_both(IPPROTO_TCP, &own, &server), OTHER_UID);
    child_end(&c);
    close(listener);

    addr_from_ip("0.0.0.0", 0, &server);
    c = child_start(SOCK_DGRAM, &server, &own);
    addr_from_ip("127.0.0.1", addr_port(&own), &own);
    assert_int_equal(socket_owner_udp(&own, &uid), 0);
    assert_int_equal(uid, OTHER_UID);

    /* Ours beside theirs on the same port: it could have been either. */
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    assert_int_equal(bind(fd, &own.sa, own.len), 0);
    assert_int_equal(socket_owner_udp(&own, &uid), -ENOTUNIQ);
    close(fd);
    child_end(&c);
}

static void a_unix_peer_is_known_by_its_credentials(void **state)
{
    int fd[2];
    uid_t uid;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
    assert_int_equal(socket_owner_unix(fd[0], &uid), 0);
    assert_int_equal(uid, getuid());
    close(fd[0]);
    assert_int_equal(socket_owner_unix(fd[0], &uid), -EBADF);
    close(fd[1]);
}

TEST_MAIN(cmocka_unit_test(the_other_end_of_a_tcp_connection_is_mine),
          cmocka_unit_test(a_mapped_address_is_the_ipv4_address),
          cmocka_unit_test(a_connection_that_was_closed_already_is_nobodys),
          cmocka_unit_test(a_datagram_socket_is_found_however_it_is_bound),
          cmocka_unit_test(a_socket_for_ipv6_only_sends_no_ipv4),
          cmocka_unit_test(a_connected_datagram_socket_is_found),
          cmocka_unit_test(another_user_is_told_apart),
          cmocka_unit_test(a_unix_peer_is_known_by_its_credentials));
