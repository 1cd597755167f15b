#include "io/listener.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "io/dial.h"
#include "io/test_help.h"

struct scene {
    struct loop *loop;
    struct listener *listener;
    struct stream *accepted[64];
    int n_accepted;
    struct addr last_peer;
    bool close_at_once;
    char dir[64];
    char path[96];
};

static void accepted(struct listener *l, struct stream *s, const struct addr *peer, void *ud)
{
    struct scene *scene = ud;
    scene->accepted[scene->n_accepted++] = s;
    scene->last_peer = *peer;
    if (scene->close_at_once)
        scene->listener = listener_close(scene->listener);
}

static int open_with(struct scene *s, const struct addr *addr, struct listener_options options,
                     struct err *err)
{
    options.accepted = accepted;
    options.ud = s;
    return listener_open(s->loop, addr, &options, &s->listener, err);
}

static int set_up(void **state)
{
    struct scene *s = new0(struct scene);
    s->loop = loop_new();
    snprintf(s->dir, sizeof(s->dir), "/tmp/adit-test-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    snprintf(s->path, sizeof(s->path), "%s/s.sock", s->dir);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *s = *state;
    listener_close(s->listener);
    for (int i = 0; i < s->n_accepted; i++)
        stream_free(s->accepted[i]);
    loop_free(s->loop);
    unlink(s->path);
    assert_int_equal(rmdir(s->dir), 0);
    free(s);
    return 0;
}

/* A blocking client; -1 with errno. */
static int knock(const struct addr *addr)
{
    int fd = socket(addr->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (connect(fd, &addr->sa, addr->len) == 0)
        return fd;
    close(fd);
    return -1;
}

static struct addr loopback(const char *ip)
{
    struct addr a;
    assert_int_equal(addr_from_ip(ip, 0, &a), 0);
    return a;
}

static void connections_are_accepted_with_their_peer(void **state)
{
    struct scene *s = *state;
    struct addr addr = loopback("127.0.0.1"), own;
    assert_int_equal(open_with(s, &addr, (struct listener_options){0}, NULL), 0);
    addr = *listener_addr(s->listener);
    assert_true(addr_port(&addr) > 0);
    int a = knock(&addr), b = knock(&addr);
    TURN_UNTIL(s->loop, s->n_accepted == 2);
    addr_of_socket(b, &own);
    assert_true(addr_equal(&own, &s->last_peer));
    assert_int_equal(stream_send_bytes(s->accepted[0], "x", 1), 1);
    char c;
    assert_int_equal(read(a, &c, 1), 1);
    close(a);
    close(b);
}

static void a_port_in_use_is_named(void **state)
{
    struct scene *s = *state;
    struct addr addr = loopback("127.0.0.1");
    struct err err = ERR_INIT;
    assert_int_equal(open_with(s, &addr, (struct listener_options){0}, &err), 0);
    addr = *listener_addr(s->listener);
    struct listener *first = s->listener;
    assert_int_equal(open_with(s, &addr, (struct listener_options){0}, &err), -EADDRINUSE);
    char text[ADDR_TEXT_LEN], expected[160];
    snprintf(expected, sizeof(expected), "%s is in use", addr_format(&addr, text));
    assert_string_equal(err.text, expected);
    assert_int_equal(err.code, -EADDRINUSE);
    s->listener = first;
}

static void a_foreign_address_is_named(void **state)
{
    struct scene *s = *state;
    struct addr addr = loopback("192.0.2.1");
    struct err err = ERR_INIT;
    assert_int_equal(open_with(s, &addr, (struct listener_options){0}, &err), -EADDRNOTAVAIL);
    assert_string_equal(err.text, "192.0.2.1:0: this machine has no such address");
}

static void listeners_may_share_a_port(void **state)
{
    struct scene *s = *state;
    struct addr addr = loopback("127.0.0.1");
    struct listener_options share = {.reuse_port = true};
    assert_int_equal(open_with(s, &addr, share, NULL), 0);
    struct listener *first = s->listener;
    addr = *listener_addr(first);
    assert_int_equal(open_with(s, &addr, share, NULL), 0);
    listener_close(first);
}

static void an_ipv6_listener_leaves_ipv4_alone(void **state)
{
    struct scene *s = *state;
    struct addr six = loopback("::"), four = loopback("0.0.0.0");
    if (open_with(s, &six, (struct listener_options){0}, NULL) < 0)
        return; /* a machine without IPv6 */
    struct listener *first = s->listener;
    addr_set_port(&four, addr_port(listener_addr(first)));
    assert_int_equal(open_with(s, &four, (struct listener_options){0}, NULL), 0);
    listener_close(first);
}

static void a_paused_listener_leaves_connections_waiting(void **state)
{
    struct scene *s = *state;
    struct addr addr = loopback("127.0.0.1");
    assert_int_equal(open_with(s, &addr, (struct listener_options){.paused = true}, NULL), 0);
    int fd = knock(listener_addr(s->listener));
    assert_true(fd >= 0);
    for (int i = 0; i < 5; i++)
        loop_turn(s->loop, false);
    assert_int_equal(s->n_accepted, 0);
    listener_resume(s->listener);
    TURN_UNTIL(s->loop, s->n_accepted == 1);
    close(fd);
}

static void a_listener_may_be_closed_in_its_callback(void **state)
{
    struct scene *s = *state;
    struct addr addr = loopback("127.0.0.1");
    assert_int_equal(open_with(s, &addr, (struct listener_options){0}, NULL), 0);
    s->close_at_once = true;
    int a = knock(listener_addr(s->listener)), b = knock(listener_addr(s->listener));
    TURN_UNTIL(s->loop, s->n_accepted == 1);
    loop_turn(s->loop, false);
    assert_int_equal(s->n_accepted, 1);
    close(a);
    close(b);
}

static void a_socket_file_has_its_mode_and_goes_away(void **state)
{
    struct scene *s = *state;
    struct addr addr;
    struct stat st;
    addr_from_path(s->path, &addr);
    mode_t mask = umask(077);
    assert_int_equal(open_with(s, &addr, (struct listener_options){0}, NULL), 0);
    assert_int_equal(stat(s->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    s->listener = listener_close(s->listener);
    assert_int_equal(stat(s->path, &st), -1);

    struct listener_options open_to_all = {.unix_mode = 0666};
    assert_int_equal(open_with(s, &addr, open_to_all, NULL), 0);
    assert_int_equal(stat(s->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0666);
    umask(mask);
    int fd = knock(&addr);
    TURN_UNTIL(s->loop, s->n_accepted == 1);
    close(fd);
}

static void only_a_stale_socket_is_replaced(void **state)
{
    struct scene *s = *state;
    struct addr addr;
    struct err err = ERR_INIT;
    struct listener_options replace = {.unlink_stale = true};
    addr_from_path(s->path, &addr);
    /* Served: by a socket of our own. */
    int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server, &addr.sa, addr.len), 0);
    assert_int_equal(listen(server, 1), 0);
    assert_int_equal(open_with(s, &addr, replace, &err), -EADDRINUSE);
    close(server);
    /* Left over. */
    assert_int_equal(open_with(s, &addr, (struct listener_options){0}, &err), -EADDRINUSE);
    assert_non_null(strstr(err.text, "left over"));
    assert_int_equal(open_with(s, &addr, replace, &err), 0);
    s->listener = listener_close(s->listener);
    /* Not a socket. */
    close(open(s->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_int_equal(open_with(s, &addr, replace, &err), -EEXIST);
    assert_int_equal(access(s->path, F_OK), 0);
}

static void a_file_that_took_its_place_is_not_removed(void **state)
{
    struct scene *s = *state;
    struct addr addr;
    addr_from_path(s->path, &addr);
    assert_int_equal(open_with(s, &addr, (struct listener_options){0}, NULL), 0);
    char kept[128];
    snprintf(kept, sizeof(kept), "%s.old", s->path);
    assert_int_equal(rename(s->path, kept), 0);
    close(open(s->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    s->listener = listener_close(s->listener);
    assert_int_equal(access(s->path, F_OK), 0);
    unlink(kept);
}

static void running_out_of_descriptors_pauses_and_recovers(void **state)
{
    struct scene *s = *state;
    struct addr addr = loopback("127.0.0.1");
    struct rlimit before, tight;
    assert_int_equal(open_with(s, &addr, (struct listener_options){0}, NULL), 0);
    loop_turn(s->loop, false);
    int a = knock(listener_addr(s->listener)), b = knock(listener_addr(s->listener));
    getrlimit(RLIMIT_NOFILE, &before);
    tight = before;
    tight.rlim_cur = (rlim_t)b + 1;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);

    /* The first waits out the pause, then is told; the second stays in the queue. */
    char c;
    usec_t start = clock_monotonic();
    int turns = 0;
    for (ssize_t n = -1; n < 0; turns++) {
        loop_turn(s->loop, true);
        n = recv(a, &c, 1, MSG_DONTWAIT);
        assert_true(n <= 0);
    }
    assert_int_equal(s->n_accepted, 0);
    assert_true(turns < 10); /* it does not spin */
    assert_true(clock_monotonic() - start >= 90 * USEC_PER_MSEC);
    setrlimit(RLIMIT_NOFILE, &before);
    TURN_UNTIL(s->loop, s->n_accepted == 1);
    close(a);
    close(b);
}

#define scene_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

TEST_MAIN(scene_test(connections_are_accepted_with_their_peer), scene_test(a_port_in_use_is_named),
          scene_test(a_foreign_address_is_named), scene_test(listeners_may_share_a_port),
          scene_test(an_ipv6_listener_leaves_ipv4_alone),
          scene_test(a_paused_listener_leaves_connections_waiting),
          scene_test(a_listener_may_be_closed_in_its_callback),
          scene_test(a_socket_file_has_its_mode_and_goes_away),
          scene_test(only_a_stale_socket_is_replaced),
          scene_test(a_file_that_took_its_place_is_not_removed),
          scene_test(running_out_of_descriptors_pauses_and_recovers));
