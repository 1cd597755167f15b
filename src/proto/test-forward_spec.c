#include "proto/forward_spec.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/span.h"

/* "network kind bind local host remote" of each forward, with "-" for what is not there. */
static void describe(const struct forward_set *set, struct buf *out)
{
    for (size_t i = 0; i < set->len; i++) {
        const struct forward *f = &set->items[i];
        buf_appendf(out, "%s%s %s %s ", i ? "\n" : "", forward_network_name(f->network),
                    forward_kind_name(f->kind), f->bind ? f->bind : "-");
        if (f->local_path)
            buf_append_str(out, f->local_path);
        else
            buf_appendf(out, "%u", f->local_port);
        buf_appendf(out, " %s ", f->host ? f->host : "-");
        if (f->remote_path)
            buf_append_str(out, f->remote_path);
        else
            buf_appendf(out, "%u", f->remote_port);
    }
}

static void every_form_gives_its_forwards(void **state)
{
    static const struct {
        enum forward_flag flag;
        const char *spec, *expected;
    } rows[] = {
        {FORWARD_FLAG_TCP, "8080", "tcp local - 8080 127.0.0.1 8080"},
        {FORWARD_FLAG_TCP, "1", "tcp local - 1 127.0.0.1 1"},
        {FORWARD_FLAG_TCP, "65535", "tcp local - 65535 127.0.0.1 65535"},
        {FORWARD_FLAG_UDP, "53:5353", "udp local - 53 127.0.0.1 5353"},
        {FORWARD_FLAG_TCP, "8080:80", "tcp local - 8080 127.0.0.1 80"},
        {FORWARD_FLAG_TCP, "8080:db:5432", "tcp local - 8080 db 5432"},
        {FORWARD_FLAG_TCP, "8080:db.internal.:5432", "tcp local - 8080 db.internal. 5432"},
        {FORWARD_FLAG_TCP, "8080:10.0.0.1:80", "tcp local - 8080 10.0.0.1 80"},
        {FORWARD_FLAG_TCP, "8080:[::1]:80", "tcp local - 8080 ::1 80"},
        {FORWARD_FLAG_TCP, "8080:localhost:80", "tcp local - 8080 localhost 80"},
        {FORWARD_FLAG_TCP, "8080:my_db:80", "tcp local - 8080 my_db 80"},
        {FORWARD_FLAG_TCP, "127.0.0.1:8080", "tcp local 127.0.0.1 8080 127.0.0.1 8080"},
        {FORWARD_FLAG_TCP, "[::1]:8080", "tcp local ::1 8080 127.0.0.1 8080"},
        {FORWARD_FLAG_TCP, "localhost:8080", "tcp local localhost 8080 127.0.0.1 8080"},
        {FORWARD_FLAG_TCP, "*:8080", "tcp local * 8080 127.0.0.1 8080"},
        {FORWARD_FLAG_TCP, "0.0.0.0:8080:80", "tcp local 0.0.0.0 8080 127.0.0.1 80"},
        {FORWARD_FLAG_TCP, "[::]:8080:[fe80::2]:80", "tcp local :: 8080 fe80::2 80"},
        {FORWARD_FLAG_TCP, "*:8080:db:80", "tcp local * 8080 db 80"},
        {FORWARD_FLAG_TCP, "8080-8082",
         "tcp local - 8080 127.0.0.1 8080\ntcp local - 8081 127.0.0.1 8081\n"
         "tcp local - 8082 127.0.0.1 8082"},
        {FORWARD_FLAG_TCP, "8080-8081:db:90-91", "tcp local - 8080 db 90\ntcp local - 8081 db 91"},
        {FORWARD_FLAG_TCP, "127.0.0.1:8080-8081",
         "tcp local 127.0.0.1 8080 127.0.0.1 8080\ntcp local 127.0.0.1 8081 127.0.0.1 8081"},
        {FORWARD_FLAG_TCP, "8080-8080:90", "tcp local - 8080 127.0.0.1 90"},
        {FORWARD_FLAG_TCP, "65534-65535",
         "tcp local - 65534 127.0.0.1 65534\ntcp local - 65535 127.0.0.1 65535"},
        {FORWARD_FLAG_UDP, "1-2:65534-65535",
         "udp local - 1 127.0.0.1 65534\nudp local - 2 127.0.0.1 65535"},
        {FORWARD_FLAG_TCP, "9,8080:80,[::1]:7",
         "tcp local - 9 127.0.0.1 9\ntcp local - 8080 127.0.0.1 80\n"
         "tcp local ::1 7 127.0.0.1 7"},
        {FORWARD_FLAG_L, "8080:db:80", "tcp local - 8080 db 80"},
        {FORWARD_FLAG_L, ":8080:db:80", "tcp local * 8080 db 80"},
        {FORWARD_FLAG_L, "*:8080:db:80", "tcp local * 8080 db 80"},
        {FORWARD_FLAG_L, "[::1]:8080:[::2]:80", "tcp local ::1 8080 ::2 80"},
        {FORWARD_FLAG_L, "127.0.0.1:65535:db:65535", "tcp local 127.0.0.1 65535 db 65535"},
        {FORWARD_FLAG_L, "8080:/run/x.sock", "unix local - 8080 - /run/x.sock"},
        {FORWARD_FLAG_L, "localhost:8080:/run/x.sock", "unix local localhost 8080 - /run/x.sock"},
        {FORWARD_FLAG_L, "/tmp/x.sock:db:80", "unix local - /tmp/x.sock db 80"},
        {FORWARD_FLAG_L, "/tmp/x.sock:/run/y.sock", "unix local - /tmp/x.sock - /run/y.sock"},
        {FORWARD_FLAG_L, "./x\\:1.sock:[::1]:80", "unix local - ./x:1.sock ::1 80"},
        {FORWARD_FLAG_R, "9000:localhost:3000", "tcp remote - 9000 localhost 3000"},
        {FORWARD_FLAG_R, "0:localhost:3000", "tcp remote - 0 localhost 3000"},
        {FORWARD_FLAG_R, "*:0:localhost:3000", "tcp remote * 0 localhost 3000"},
        {FORWARD_FLAG_R, ":9000:localhost:3000", "tcp remote * 9000 localhost 3000"},
        {FORWARD_FLAG_R, "/run/a.sock:localhost:3000", "unix remote - /run/a.sock localhost 3000"},
        {FORWARD_FLAG_R, "/run/a.sock:/tmp/b", "unix remote - /run/a.sock - /tmp/b"},
        {FORWARD_FLAG_R, "9000:/tmp/b", "unix remote - 9000 - /tmp/b"},
        {FORWARD_FLAG_R, "1080", "tcp remote-dynamic - 1080 - 0"},
        {FORWARD_FLAG_R, "0", "tcp remote-dynamic - 0 - 0"},
        {FORWARD_FLAG_R, "localhost:1080", "tcp remote-dynamic localhost 1080 - 0"},
        {FORWARD_FLAG_D, "1080", "tcp dynamic - 1080 - 0"},
        {FORWARD_FLAG_D, "*:1080", "tcp dynamic * 1080 - 0"},
        {FORWARD_FLAG_D, ":1080", "tcp dynamic * 1080 - 0"},
        {FORWARD_FLAG_D, "[::1]:1080", "tcp dynamic ::1 1080 - 0"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(forward_set_deinit) struct forward_set set = FORWARD_SET_INIT;
        _cleanup_(buf_deinit) struct buf out = BUF_INIT(4096);
        struct err err = ERR_INIT;
        if (forward_set_add(&set, rows[i].flag, rows[i].spec, &err) != 0)
            fail_msg("%s", err.text);
        describe(&set, &out);
        assert_string_equal(buf_cstr(&out), rows[i].expected);
    }
}

static void wrong_specs_are_refused_with_the_reason(void **state)
{
    static const struct {
        enum forward_flag flag;
        const char *spec, *reason;
    } rows[] = {
        {FORWARD_FLAG_TCP, "", "it is empty"},
        {FORWARD_FLAG_TCP, "0", "port 0 is not in the range 1-65535"},
        {FORWARD_FLAG_TCP, "65536", "port 65536 is not in the range 1-65535"},
        {FORWARD_FLAG_TCP, "8080:0", "port 0 is not in the range 1-65535"},
        {FORWARD_FLAG_TCP, "4294967376", "port 4294967376 is not in the range 1-65535"},
        {FORWARD_FLAG_TCP, "99999999999999999999999",
         "port 99999999999999999999999 is not in the range 1-65535"},
        {FORWARD_FLAG_TCP, "65535-65536", "port 65536 is not in the range 1-65535"},
        {FORWARD_FLAG_TCP, "8080-8070:90", "the range runs backwards"},
        {FORWARD_FLAG_TCP, "90:8080-8070", "the range runs backwards"},
        {FORWARD_FLAG_TCP, "8080-8081:90", "the ranges have 2 and 1 ports"},
        {FORWARD_FLAG_TCP, "8080:90-91", "the ranges have 1 and 2 ports"},
        {FORWARD_FLAG_TCP, "8080-8082:90-91", "the ranges have 3 and 2 ports"},
        {FORWARD_FLAG_TCP, "8080-", "a port is missing"},
        {FORWARD_FLAG_TCP, "-8080", "a port is missing"},
        {FORWARD_FLAG_TCP, "-", "a port is missing"},
        {FORWARD_FLAG_TCP, "1-2-3", "\"2-3\" is not a port"},
        {FORWARD_FLAG_TCP, "+80", "\"+80\" is not a port"},
        {FORWARD_FLAG_TCP, " 80", "\" 80\" is not a port"},
        {FORWARD_FLAG_TCP, "0x50", "\"0x50\" is not a port"},
        {FORWARD_FLAG_TCP, "http", "\"http\" is not a port"},
        {FORWARD_FLAG_TCP, "localhost", "\"localhost\" is not a port"},
        {FORWARD_FLAG_TCP, "[::1]", "\"::1\" is not a port"},
        {FORWARD_FLAG_TCP, "8080,", "it has an empty piece"},
        {FORWARD_FLAG_TCP, ",8080", "it has an empty piece"},
        {FORWARD_FLAG_TCP, "8080,,9090", "it has an empty piece"},
        {FORWARD_FLAG_TCP, ":8080", "it has an empty piece"},
        {FORWARD_FLAG_TCP, "8080:", "it has an empty piece"},
        {FORWARD_FLAG_TCP, "8080::80", "it has an empty piece"},
        {FORWARD_FLAG_TCP, "db:5432", "\"db\" is neither a port nor an address to listen on"},
        {FORWARD_FLAG_TCP, "db:8080:80", "\"db\" is neither a port nor an address to listen on"},
        {FORWARD_FLAG_TCP, "8080:db", "\"db\" is not a port"},
        {FORWARD_FLAG_TCP, "8080:9090:80", "\"9090\" is not a host"},
        {FORWARD_FLAG_TCP, "8080:1.2.3:80", "\"1.2.3\" is not a host"},
        {FORWARD_FLAG_TCP, "8080:256.1.1.1:80", "\"256.1.1.1\" is not a host"},
        {FORWARD_FLAG_TCP, "256.1.1.1:8080",
         "\"256.1.1.1\" is neither a port nor an address to listen on"},
        {FORWARD_FLAG_TCP, "8080:a b:80", "\"a b\" is not a host"},
        {FORWARD_FLAG_TCP, "8080:*:80", "\"*\" is not a host"},
        {FORWARD_FLAG_TCP, "1:a:2:3", "it has too many pieces"},
        {FORWARD_FLAG_TCP, "::1:8080:80",
         "it has too many colons (an IPv6 address stands in brackets)"},
        {FORWARD_FLAG_TCP, "8080:fe80::1:80",
         "it has too many colons (an IPv6 address stands in brackets)"},
        {FORWARD_FLAG_TCP, "[::1:8080", "brackets are for an IPv6 address, as in [::1]:8080"},
        {FORWARD_FLAG_TCP, "[127.0.0.1]:80", "brackets are for an IPv6 address, as in [::1]:8080"},
        {FORWARD_FLAG_TCP, "[]:80", "brackets are for an IPv6 address, as in [::1]:8080"},
        {FORWARD_FLAG_TCP, "[", "brackets are for an IPv6 address, as in [::1]:8080"},
        {FORWARD_FLAG_TCP, "[::1]8080", "brackets are for an IPv6 address, as in [::1]:8080"},
        {FORWARD_FLAG_TCP, "80:/run/x", "\"/run/x\" is not a port"},
        {FORWARD_FLAG_TCP, "80,80", "port 80 has a listener already"},
        {FORWARD_FLAG_TCP, "80-82,82", "port 82 has a listener already"},
        {FORWARD_FLAG_L, "8080", "it has no target (PORT:HOST:PORT)"},
        {FORWARD_FLAG_L, "8080:80", "it has no target (PORT:HOST:PORT)"},
        {FORWARD_FLAG_L, "/x.sock", "it has no target (PORT:HOST:PORT)"},
        {FORWARD_FLAG_L, "0:db:80", "port 0 is not in the range 1-65535"},
        {FORWARD_FLAG_L, "8080:db:0", "port 0 is not in the range 1-65535"},
        {FORWARD_FLAG_L, "8080::80", "a host is missing"},
        {FORWARD_FLAG_L, "8080-8081:db:80", "\"8080-8081\" is not a port"},
        {FORWARD_FLAG_L, "db:8080:db:80", "\"db\" is not an address to listen on"},
        {FORWARD_FLAG_L, "localhost:/x:/y", "\"/x\" is not a port"},
        {FORWARD_FLAG_L, "*:/x:db:80", "\"/x\" is not a port"},
        {FORWARD_FLAG_L, "/x:80:db:80", "it has too many pieces"},
        {FORWARD_FLAG_L, "/x\n:db:80", "a socket's path has a control character in it"},
        {FORWARD_FLAG_L, "1:2:3:/x", "it has too many pieces"},
        {FORWARD_FLAG_R, "0:db:0", "port 0 is not in the range 1-65535"},
        {FORWARD_FLAG_R, "65536", "port 65536 is not in the range 0-65535"},
        {FORWARD_FLAG_R, "8080:db", "\"8080\" is not an address to listen on"},
        {FORWARD_FLAG_R, "/x", "it has no target (PORT:HOST:PORT)"},
        {FORWARD_FLAG_D, "0", "port 0 is not in the range 1-65535"},
        {FORWARD_FLAG_D, "a:1:2", "it has too many pieces ([ADDR:]PORT)"},
        {FORWARD_FLAG_D, "/x", "a SOCKS listener needs a port"},
        {FORWARD_FLAG_D, "host:1080", "\"host\" is not an address to listen on"},
        {FORWARD_FLAG_D, "1080-1081", "\"1080-1081\" is not a port"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(forward_set_deinit) struct forward_set set = FORWARD_SET_INIT;
        struct err err = ERR_INIT;
        int r = forward_set_add(&set, rows[i].flag, rows[i].spec, &err);
        assert_true(r < 0);
        assert_int_equal(set.len, 0);
        const char *reason = strstr(err.text, "\": ");
        assert_non_null(reason);
        assert_string_equal(reason + 3, rows[i].reason);
    }
}

static void the_error_names_flag_and_spec(void **state)
{
    struct forward_set set = FORWARD_SET_INIT;
    struct err err = ERR_INIT;
    assert_int_equal(forward_set_add(&set, FORWARD_FLAG_TCP, "8080-8070:90", &err), -EINVAL);
    assert_string_equal(err.text, "--tcp \"8080-8070:90\": the range runs backwards");
}

static void a_long_spec_is_cut_but_the_reason_stays(void **state)
{
    struct forward_set set = FORWARD_SET_INIT;
    struct err err = ERR_INIT;
    char spec[3000];
    memset(spec, '1', sizeof(spec) - 1);
    spec[sizeof(spec) - 1] = '\0';
    assert_int_equal(forward_set_add(&set, FORWARD_FLAG_TCP, spec, &err), -EINVAL);
    assert_non_null(strstr(err.text, "...\": a piece of it is too long"));
}

static void two_listeners_never_share_address_and_port(void **state)
{
    static const struct {
        enum forward_flag flag1, flag2;
        const char *spec1, *spec2;
        bool clash;
    } rows[] = {
        {FORWARD_FLAG_TCP, FORWARD_FLAG_TCP, "80", "80:81", true},
        {FORWARD_FLAG_TCP, FORWARD_FLAG_UDP, "80", "80", false},
        {FORWARD_FLAG_TCP, FORWARD_FLAG_L, "80", "80:db:81", true},
        {FORWARD_FLAG_TCP, FORWARD_FLAG_D, "80", "80", true},
        {FORWARD_FLAG_TCP, FORWARD_FLAG_R, "80", "80:db:81", false},
        {FORWARD_FLAG_R, FORWARD_FLAG_R, "80:a:81", "80", true},
        {FORWARD_FLAG_R, FORWARD_FLAG_R, "0:a:81", "0:a:81", false},
        {FORWARD_FLAG_TCP, FORWARD_FLAG_TCP, "80", "127.0.0.1:80", true},
        {FORWARD_FLAG_TCP, FORWARD_FLAG_TCP, "80", "[::1]:80", true},
        {FORWARD_FLAG_TCP, FORWARD_FLAG_TCP, "80", "localhost:80", true},
        {FORWARD_FLAG_TCP, FORWARD_FLAG_TCP, "80", "*:80", true},
        {FORWARD_FLAG_TCP, FORWARD_FLAG_TCP, "80", "0.0.0.0:80", true},
        {FORWARD_FLAG_TCP, FORWARD_FLAG_TCP, "80", "[::]:80", true},
        {FORWARD_FLAG_TCP, FORWARD_FLAG_TCP, "80", "127.0.0.2:80", false},
        {FORWARD_FLAG_TCP, FORWARD_FLAG_TCP, "*:80", "10.0.0.1:80", true},
        {FORWARD_FLAG_TCP, FORWARD_FLAG_TCP, "*:80", "[fd00::1]:80", true},
        {FORWARD_FLAG_TCP, FORWARD_FLAG_TCP, "0.0.0.0:80", "[::1]:80", false},
        {FORWARD_FLAG_TCP, FORWARD_FLAG_TCP, "[::]:80", "127.0.0.1:80", false},
        {FORWARD_FLAG_TCP, FORWARD_FLAG_TCP, "[::1]:80", "[0:0::1]:80", true},
        {FORWARD_FLAG_TCP, FORWARD_FLAG_TCP, "[::ffff:10.0.0.1]:80", "10.0.0.1:80", true},
        {FORWARD_FLAG_TCP, FORWARD_FLAG_TCP, "10.0.0.1:80", "10.0.0.2:80", false},
        {FORWARD_FLAG_L, FORWARD_FLAG_L, "/x:a:1", "/x:/y", true},
        {FORWARD_FLAG_L, FORWARD_FLAG_R, "/x:a:1", "/x:/y", false},
        {FORWARD_FLAG_L, FORWARD_FLAG_L, "/x:a:1", "/y:a:1", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(forward_set_deinit) struct forward_set set = FORWARD_SET_INIT;
        struct err err = ERR_INIT;
        assert_int_equal(forward_set_add(&set, rows[i].flag1, rows[i].spec1, &err), 0);
        int r = forward_set_add(&set, rows[i].flag2, rows[i].spec2, &err);
        assert_int_equal(r, rows[i].clash ? -EEXIST : 0);
        assert_int_equal(set.len, rows[i].clash ? 1 : 2);
    }
}

static void the_whole_command_has_a_ceiling(void **state)
{
    _cleanup_(forward_set_deinit) struct forward_set set = FORWARD_SET_INIT;
    struct err err = ERR_INIT;
    assert_int_equal(forward_set_add(&set, FORWARD_FLAG_TCP, "1-65535", &err), -E2BIG);
    assert_int_equal(set.len, 0);
    assert_int_equal(forward_set_add(&set, FORWARD_FLAG_TCP, "61440-65535", &err), 0);
    assert_int_equal(set.len, FORWARD_SET_MAX);
    assert_int_equal(set.items[FORWARD_SET_MAX - 1].local_port, 65535);
    assert_int_equal(forward_set_add(&set, FORWARD_FLAG_UDP, "1", &err), -E2BIG);
}

static void a_refused_spec_leaves_the_others(void **state)
{
    _cleanup_(forward_set_deinit) struct forward_set set = FORWARD_SET_INIT;
    assert_int_equal(forward_set_add(&set, FORWARD_FLAG_TCP, "1,2", NULL), 0);
    assert_int_equal(forward_set_add(&set, FORWARD_FLAG_TCP, "3,4,x", NULL), -EINVAL);
    assert_int_equal(set.len, 2);
    assert_int_equal(forward_set_add(&set, FORWARD_FLAG_TCP, "3,4", NULL), 0);
    assert_int_equal(set.items[3].local_port, 4);
}

static void a_socket_path_has_a_ceiling(void **state)
{
    _cleanup_(forward_set_deinit) struct forward_set set = FORWARD_SET_INIT;
    char spec[200] = "80:/";
    memset(spec + 4, 'x', 106);
    assert_int_equal(forward_set_add(&set, FORWARD_FLAG_L, spec, NULL), 0);
    spec[4 + 106] = 'x';
    spec[1] = '1';
    assert_int_equal(forward_set_add(&set, FORWARD_FLAG_L, spec, NULL), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_gives_its_forwards),
        cmocka_unit_test(wrong_specs_are_refused_with_the_reason),
        cmocka_unit_test(the_error_names_flag_and_spec),
        cmocka_unit_test(a_long_spec_is_cut_but_the_reason_stays),
        cmocka_unit_test(two_listeners_never_share_address_and_port),
        cmocka_unit_test(the_whole_command_has_a_ceiling),
        cmocka_unit_test(a_refused_spec_leaves_the_others),
        cmocka_unit_test(a_socket_path_has_a_ceiling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
