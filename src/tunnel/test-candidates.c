#include "tunnel/candidates.h"

#include "base/cleanup.h"
#include "io/test_help.h"

#define HERE  "0123456789abcdef0123456789abcdef"
#define THERE "ffffffffffffffffffffffffffffffff"

static void what_is_written_is_read_again(void **state)
{
    static const char line[] = "{\"machine\":\"" HERE "\",\"addresses\":[\"10.0.0.5:4123\","
                               "\"[fd00::5]:4123\",\"127.0.0.1:1\",\"[::1]:65535\"]}";
    struct candidates c, again;
    _cleanup_(buf_deinit) struct buf out = BUF_INIT(CANDIDATES_LINE_MAX);
    assert_int_equal(candidates_parse(span_of(line), &c), 0);
    assert_int_equal(c.n, 4);
    assert_string_equal(c.machine, HERE);
    assert_int_equal(candidates_format(&c, &out), 0);
    assert_string_equal(buf_cstr(&out), line);
    assert_int_equal(candidates_parse(span_of(buf_cstr(&out)), &again), 0);
    assert_true(candidates_equal(&c, &again));
}

static void lines_that_are_not_such_are_refused(void **state)
{
    static const char *const lines[] = {
        "",
        "{",
        "[]",
        "{}",
        "{\"machine\":\"" HERE "\"}",
        "{\"addresses\":\"10.0.0.5:1\"}",
        "{\"addresses\":{}}",
        "{\"addresses\":[],\"addresses\":[]}",
    };
    struct candidates c;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        assert_int_equal(candidates_parse(span_of(lines[i]), &c), -EINVAL);
}

static void addresses_that_cannot_be_dialled_are_left_out(void **state)
{
    static const char line[] =
        "{\"machine\":\"not hex\",\"addresses\":[1,null,\"\",\"host.example:80\",\"10.0.0.5\","
        "\"10.0.0.5:0\",\"10.0.0.5:65536\",\"10.0.0.5:80:90\",\"1.2.3:80\",\"[fe80::1%eth0]:80\","
        "\"http://10.0.0.5:80\",\"10.0.0.7:80\",\"10.0.0.7:80\"]}";
    struct candidates c;
    assert_int_equal(candidates_parse(span_of(line), &c), 0);
    assert_int_equal(c.n, 1);
    assert_string_equal(c.machine, "");
}

static void no_more_are_taken_than_fit(void **state)
{
    _cleanup_(buf_deinit) struct buf line = BUF_INIT(1 << 16);
    struct candidates c;
    buf_appendf(&line, "{\"addresses\":[\"10.0.0.1:1\"");
    for (int i = 2; i < 200; i++)
        buf_appendf(&line, ",\"10.0.0.%d:%d\"", i, i);
    buf_appendf(&line, "]}");
    assert_int_equal(candidates_parse(span_of(buf_cstr(&line)), &c), 0);
    assert_int_equal(c.n, CANDIDATES_MAX);
}

/* Addresses, the client's own machine, and what is left to be dialled. */
static void a_client_dials_only_what_it_may(void **state)
{
    static const struct {
        const char *given, *machine, *left;
    } table[] = {
        {"\"10.0.0.5:1\"", HERE, "\"10.0.0.5:1\""},
        {"\"10.0.0.5:1\",\"127.0.0.1:2\"", HERE, "\"127.0.0.1:2\",\"10.0.0.5:1\""},
        {"\"10.0.0.5:1\",\"[::1]:2\"", HERE, "\"[::1]:2\",\"10.0.0.5:1\""},
        {"\"10.0.0.5:1\",\"127.0.0.1:2\",\"127.1.2.3:2\",\"[::1]:2\"", THERE, "\"10.0.0.5:1\""},
        {"\"127.0.0.1:2\"", "", ""},
        {"\"[::ffff:127.0.0.1]:2\",\"[::ffff:10.0.0.5]:2\",\"[::10.0.0.5]:2\"", THERE, ""},
        {"\"169.254.169.254:80\",\"0.0.0.0:80\",\"0.1.2.3:80\"", HERE, ""},
        {"\"224.0.0.1:80\",\"239.1.2.3:80\",\"255.255.255.255:80\",\"240.0.0.1:80\"", HERE, ""},
        {"\"[::]:80\",\"[fe80::1]:80\",\"[ff02::1]:80\"", HERE, ""},
        {"\"[2001:db8::1]:80\"", THERE, "\"[2001:db8::1]:80\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        _cleanup_(buf_deinit) struct buf line = BUF_INIT(4096);
        _cleanup_(buf_deinit) struct buf left = BUF_INIT(4096);
        _cleanup_(buf_deinit) struct buf expected = BUF_INIT(4096);
        struct candidates c;
        buf_appendf(&line, "{\"machine\":\"" HERE "\",\"addresses\":[%s]}", table[i].given);
        buf_appendf(&expected, "{\"machine\":\"" HERE "\",\"addresses\":[%s]}", table[i].left);
        assert_int_equal(candidates_parse(span_of(buf_cstr(&line)), &c), 0);
        candidates_filter(&c, table[i].machine);
        assert_int_equal(candidates_format(&c, &left), 0);
        assert_string_equal(buf_cstr(&left), buf_cstr(&expected));
    }
}

/* Neither side knowing its machine does not make them the same one. */
static void an_agent_that_does_not_know_its_machine_gets_no_loopback(void **state)
{
    struct candidates c;
    assert_int_equal(candidates_parse(span_of("{\"addresses\":[\"127.0.0.1:1\"]}"), &c), 0);
    candidates_filter(&c, "");
    assert_int_equal(c.n, 0);
}

TEST_MAIN(cmocka_unit_test(what_is_written_is_read_again),
          cmocka_unit_test(lines_that_are_not_such_are_refused),
          cmocka_unit_test(addresses_that_cannot_be_dialled_are_left_out),
          cmocka_unit_test(no_more_are_taken_than_fit),
          cmocka_unit_test(a_client_dials_only_what_it_may),
          cmocka_unit_test(an_agent_that_does_not_know_its_machine_gets_no_loopback), );
