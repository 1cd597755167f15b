#include "agent/ports.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "agent/listening.h"
#include "agent/test_network.h"
#include "base/cleanup.h"
#include "io/addr.h"
#include "io/loop.h"

static const char proc_net[] =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "
    "inode\n"
    "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 "
    "4242 1 0000000000000000 100 0 0 10 0\n"
    "   1: 0100007F:1F91 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1000        0 "
    "4243 1 0000000000000000 20 4 30 10 -1\n"
    "   2: broken\n"
    "   3: 00000000000000000000000001000000:0016 00000000000000000000000000000000:0000 0A "
    "00000000:00000000 00:00000000 00000000     0        0 77 1 0000000000000000 100 0 0 10 0\n"
    "   4: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0        0 78";

static void only_listening_sockets_are_read(void **state)
{
    struct span rest = span_of(proc_net);
    struct listening_socket s;
    assert_true(listening_next(&rest, &s));
    assert_string_equal(s.address, "127.0.0.1");
    assert_int_equal(s.port, 8080);
    assert_int_equal(s.inode, 4242);
    assert_true(listening_next(&rest, &s));
    assert_string_equal(s.address, "::1");
    assert_int_equal(s.port, 22);
    assert_true(listening_next(&rest, &s));
    assert_string_equal(s.address, "0.0.0.0");
    assert_int_equal(s.port, 80);
    assert_false(listening_next(&rest, &s));
}

static void what_waits_for_one_connection_is_not_probed(void **state)
{
    static const struct {
        const char *process;
        uint16_t port;
        int backlog;
        bool may;
    } table[] = {
        {"node", 3000, 511, true}, {"", 3000, 511, true},          {"python3", 8000, 5, true},
        {"node", 3000, -1, true},  {"node", 3000, 1, false},       {"node", 3000, 0, false},
        {"nc", 3000, 10, false},   {"gdbserver", 3000, 10, false}, {"java", 5005, 50, false},
        {"node", 5005, 511, true}, {"", 5005, 128, false},         {"python3", 5678, 128, false},
        {"node", 5678, 511, true}, {"php", 9003, 128, false},      {"ncserver", 80, 128, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (ports_may_probe(table[i].process, table[i].port, table[i].backlog) != table[i].may)
            fail_msg("%s on %u, backlog %d", table[i].process, table[i].port, table[i].backlog);
}

/* ---- a service of another process ---- */

struct service {
    pid_t pid;
    uint16_t port;
    int connections; /* readable: one byte for each */
};

static int listen_on(const char *ip, struct addr *ret)
{
    struct addr any;
    assert_int_equal(addr_from_ip(ip, 0, &any), 0);
    int fd = socket(any.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, &any.sa, any.len), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(addr_of_socket(fd, ret), 0);
    return fd;
}

static void write_all(int fd, const void *data, size_t len)
{
    if (write(fd, data, len) < 0)
        _exit(1);
}

/* Answers each request with `answer`, until it is killed. */
static struct service service_start(const char *ip, const char *answer)
{
    int port[2], connections[2];
    struct service s = {0};
    assert_int_equal(pipe(port), 0);
    assert_int_equal(pipe(connections), 0);
    s.pid = fork();
    if (s.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        struct addr a;
        char request[1024];
        int fd = listen_on(ip, &a);
        uint16_t number = addr_port(&a);
        write_all(port[1], &number, sizeof(number));
        for (;;) {
            int c = accept(fd, NULL, NULL);
            write_all(connections[1], "c", 1);
            if (read(c, request, sizeof(request)) > 0)
                write_all(c, answer, strlen(answer));
            close(c);
        }
    }
    assert_int_equal(read(port[0], &s.port, sizeof(s.port)), sizeof(s.port));
    s.connections = connections[0];
    fcntl(s.connections, F_SETFL, O_NONBLOCK);
    close(port[0]);
    close(port[1]);
    close(connections[1]);
    return s;
}

static void service_stop(struct service *s)
{
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
}

static unsigned connections_of(struct service *s)
{
    char bytes[64];
    ssize_t n = read(s->connections, bytes, sizeof(bytes));
    return n > 0 ? (unsigned)n : 0;
}

struct scene {
    struct loop *loop;
    struct ports *ports;
    unsigned n_changed;
};

static void changed(void *ud)
{
    ((struct scene *)ud)->n_changed++;
}

static void open_scene(struct scene *s, bool no_probe)
{
    *s = (struct scene){.loop = loop_new()};
    s->ports = ports_new(
        s->loop, &(struct ports_options){.no_probe = no_probe, .changed = changed, .ud = s});
    ports_look(s->ports);
}

static void close_scene(struct scene *s)
{
    ports_free(s->ports);
    loop_free(s->loop);
}

static bool is_listed(const struct scene *s, uint16_t port)
{
    const struct api_ports *list = ports_list(s->ports);
    for (size_t i = 0; i < list->n_ports; i++)
        if (list->ports[i].port == port)
            return true;
    return false;
}

/* All zeros: it is not listed. */
static struct api_port find(const struct scene *s, uint16_t port)
{
    const struct api_ports *list = ports_list(s->ports);
    for (size_t i = 0; i < list->n_ports; i++)
        if (list->ports[i].port == port)
            return list->ports[i];
    return (struct api_port){0};
}

static const struct api_port *find_unlisted(const struct scene *s, uint16_t port)
{
    const struct api_ports *list = ports_list(s->ports);
    return api_port_find(list->unlisted, list->n_unlisted, port);
}

static void a_service_is_listed_with_its_process_and_what_it_speaks(void **state)
{
    static const char *const addresses[] = {"127.0.0.1", "::1"};
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
        struct scene s;
        open_scene(&s, false);
        struct service web = service_start(addresses[i], "HTTP/1.0 200 OK\r\n\r\n");
        ports_look(s.ports);
        struct api_port p = find(&s, web.port);
        assert_string_equal(p.address, addresses[i]);
        assert_int_equal(p.pid, web.pid);
        assert_non_null(strstr(p.process, "test-agent"));
        assert_int_equal(p.speaks, API_PORT_UNKNOWN);
        while (find(&s, web.port).speaks == API_PORT_UNKNOWN)
            loop_turn(s.loop, true);
        assert_int_equal(find(&s, web.port).speaks, API_PORT_HTTP);
        assert_int_equal(connections_of(&web), 1);
        service_stop(&web);
        ports_look(s.ports);
        assert_false(is_listed(&s, web.port));
        close_scene(&s);
    }
}

static void a_port_is_probed_once_however_often_it_is_looked_at(void **state)
{
    struct scene s;
    open_scene(&s, false);
    struct service web = service_start("127.0.0.1", "HTTP/1.0 200 OK\r\n\r\n");
    ports_look(s.ports);
    while (find(&s, web.port).speaks == API_PORT_UNKNOWN) {
        loop_turn(s.loop, true);
        ports_look(s.ports);
    }
    for (int i = 0; i < 100; i++) {
        ports_look(s.ports);
        loop_turn(s.loop, false);
    }
    assert_int_equal(connections_of(&web), 1);
    service_stop(&web);
    close_scene(&s);
}

static void without_probes_nothing_is_connected_to(void **state)
{
    struct scene s;
    open_scene(&s, true);
    struct service probed = service_start("127.0.0.1", "HTTP/1.0 200 OK\r\n\r\n");
    struct scene other;
    open_scene(&other, false);
    ports_look(s.ports);
    /* By the time at which one that probes has done so, the other has had its chance. */
    while (find(&other, probed.port).speaks == API_PORT_UNKNOWN) {
        loop_turn(other.loop, true);
        loop_turn(s.loop, false);
    }
    assert_int_equal(find(&s, probed.port).speaks, API_PORT_UNKNOWN);
    assert_int_equal(connections_of(&probed), 1);
    service_stop(&probed);
    close_scene(&other);
    close_scene(&s);
}

static void ports_of_apps_and_of_this_process_are_not_listed(void **state)
{
    struct scene s;
    struct addr own;
    open_scene(&s, false);
    int fd = listen_on("127.0.0.1", &own);
    struct service app = service_start("127.0.0.1", "HTTP/1.0 200 OK\r\n\r\n");
    ports_hide(s.ports, &app.port, 1);
    ports_look(s.ports);
    assert_false(is_listed(&s, addr_port(&own)));
    assert_false(is_listed(&s, app.port));
    assert_null(find_unlisted(&s, addr_port(&own)));
    assert_int_equal(find_unlisted(&s, app.port)->pid, app.pid);
    ports_hide(s.ports, NULL, 0);
    assert_true(is_listed(&s, app.port));
    assert_null(find_unlisted(&s, app.port));
    service_stop(&app);
    close(fd);
    close_scene(&s);
}

static void a_port_of_a_forward_is_told_apart_by_the_next_look(void **state)
{
    const struct api_port forwarded[] = {
        {.port = 9003, .address = "127.0.0.1", .forwarded_by = "anna"},
        {.port = 9003, .address = "::1", .forwarded_by = "bob"},
        {.port = 80, .address = "0.0.0.0", .forwarded_by = "bob"},
    };
    struct scene s;
    open_scene(&s, true);
    unsigned before = s.n_changed;
    ports_set_forwarded(s.ports, forwarded, ARRAY_LEN(forwarded));
    assert_int_equal(s.n_changed, before);
    ports_look(s.ports);
    assert_int_equal(s.n_changed, before + 1);
    assert_int_equal(ports_list(s.ports)->n_unlisted, 2);
    assert_int_equal(ports_list(s.ports)->unlisted[0].port, 80);
    assert_string_equal(find_unlisted(&s, 9003)->forwarded_by, "anna");
    assert_false(is_listed(&s, 9003));
    ports_set_forwarded(s.ports, forwarded, ARRAY_LEN(forwarded));
    ports_look(s.ports);
    assert_int_equal(s.n_changed, before + 1);
    ports_set_forwarded(s.ports, NULL, 0);
    ports_look(s.ports);
    assert_int_equal(s.n_changed, before + 2);
    assert_int_equal(ports_list(s.ports)->n_unlisted, 0);
    close_scene(&s);
}

/* One on 127.0.0.1, the other on ::1. */
static void a_port_of_its_own_hides_a_forward_on_the_same_number(void **state)
{
    struct scene s;
    open_scene(&s, true);
    struct service web = service_start("127.0.0.1", "");
    const struct api_port forwarded = {.port = web.port, .address = "::1", .forwarded_by = "anna"};
    ports_set_forwarded(s.ports, &forwarded, 1);
    ports_look(s.ports);
    assert_int_equal(find(&s, web.port).pid, web.pid);
    assert_null(find_unlisted(&s, web.port));
    service_stop(&web);
    ports_look(s.ports);
    assert_string_equal(find_unlisted(&s, web.port)->forwarded_by, "anna");
    close_scene(&s);
}

static void a_wildcard_address_wins(void **state)
{
    struct scene s;
    open_scene(&s, true);
    struct service all = service_start("::", "");
    ports_look(s.ports);
    assert_string_equal(find(&s, all.port).address, "::");
    service_stop(&all);
    close_scene(&s);
}

int main(void)
{
    leave_the_network();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_listening_sockets_are_read),
        cmocka_unit_test(what_waits_for_one_connection_is_not_probed),
        cmocka_unit_test(a_service_is_listed_with_its_process_and_what_it_speaks),
        cmocka_unit_test(a_port_is_probed_once_however_often_it_is_looked_at),
        cmocka_unit_test(without_probes_nothing_is_connected_to),
        cmocka_unit_test(ports_of_apps_and_of_this_process_are_not_listed),
        cmocka_unit_test(a_port_of_a_forward_is_told_apart_by_the_next_look),
        cmocka_unit_test(a_port_of_its_own_hides_a_forward_on_the_same_number),
        cmocka_unit_test(a_wildcard_address_wins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
