#include "agent/ports.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "io/addr.h"

static const char table[] =
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
    struct span rest = span_of(table);
    struct listening_socket s;
    assert_true(ports_next(&rest, &s));
    assert_string_equal(s.address, "127.0.0.1");
    assert_int_equal(s.port, 8080);
    assert_int_equal(s.inode, 4242);
    assert_true(ports_next(&rest, &s));
    assert_string_equal(s.address, "::1");
    assert_int_equal(s.port, 22);
    assert_true(ports_next(&rest, &s));
    assert_string_equal(s.address, "0.0.0.0");
    assert_int_equal(s.port, 80);
    assert_false(ports_next(&rest, &s));
}

static void a_listener_of_this_process_is_found_with_its_name(void **state)
{
    struct addr addr;
    addr_from_ip("127.0.0.1", 0, &addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, &addr.sa, addr.len), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(addr_of_socket(fd, &addr), 0);

    struct api_ports ports;
    ports_list(&ports);
    struct api_port mine = {0};
    for (size_t i = 0; i < ports.n_ports; i++)
        if (ports.ports[i].port == addr_port(&addr))
            mine = ports.ports[i];
    assert_string_equal(mine.address, "127.0.0.1");
    assert_int_equal(mine.pid, getpid());
    assert_non_null(strstr(mine.process, "test-agent"));
    api_ports_release(&ports);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_listening_sockets_are_read),
        cmocka_unit_test(a_listener_of_this_process_is_found_with_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
