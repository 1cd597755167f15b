/* The lines are those of OpenSSH 9.2 (Debian 12), as its sshd wrote them. */
#include "ssh/sshd_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/span.h"

/* Events as lines: "kind [r] #id target < origin (asked) text". */
static void logged(const struct sshd_event *e, void *ud)
{
    struct buf *b = ud;
    buf_appendf(b, "%s", sshd_event_kind_name(e->kind));
    if (e->id)
        buf_appendf(b, " #%u", (unsigned)e->id);
    if (e->target[0])
        buf_appendf(b, " %s", e->target);
    if (e->origin[0])
        buf_appendf(b, " < %s", e->origin);
    if (e->asked[0])
        buf_appendf(b, " (%s)", e->asked);
    if (e->text[0])
        buf_appendf(b, " \"%s\"", e->text);
    buf_append_str(b, e->remote ? " remote\n" : "\n");
}

enum how { TO_THE_END, SETTLED, AS_IT_IS };

static void check(const char *lines, enum how how, const char *expected)
{
    struct buf events = BUF_INIT(65536);
    struct sshd_log *log = sshd_log_new(logged, &events);
    sshd_log_feed(log, lines, strlen(lines));
    if (how == SETTLED)
        sshd_log_settle(log);
    if (how == TO_THE_END)
        sshd_log_end(log);
    assert_string_equal(buf_cstr(&events), expected);
    sshd_log_free(log);
    buf_deinit(&events);
}

#define REQUEST "debug1: server_input_global_request: "
#define FORWARD                                                                                    \
    REQUEST "tcpip-forward listen localhost port 20022\n"                                          \
            "debug1: Local forwarding listening on ::1 port 20022.\n"                              \
            "debug1: channel 2: new port-listener [port listener] (inactive timeout: 0)\n"         \
            "debug1: Local forwarding listening on 127.0.0.1 port 20022.\n"                        \
            "debug1: channel 3: new port-listener [port listener] (inactive timeout: 0)\n"
#define FORWARDED                                                                                  \
    "listen_asked localhost:20022\n"                                                               \
    "listen_bound #1 [::1]:20022 (localhost:20022)\n"                                              \
    "listen_bound #2 127.0.0.1:20022 (localhost:20022)\n"

static void a_log_in_and_a_command_are_told(void **state)
{
    check("debug1: rekey in after 134217728 blocks [preauth]\n"
          "Accepted publickey for root from UNKNOWN port 65535 ssh2: ED25519 SHA256:jT7wyKg7UeTD\n"
          "debug1: server_input_channel_open: ctype session rchan 10 win 2097152 max 32768\n"
          "debug1: channel 6: new session [server-session] (inactive timeout: 0)\n"
          "Starting session: command on pts/1 for root from UNKNOWN port 65535 id 0\n"
          "Close session: user root from UNKNOWN port 65535 id 0\n"
          "debug1: channel 6: free: server-session, nchannels 7\n",
          AS_IT_IS,
          "logged_in\n"
          "session_started \"command on pts/1\"\n"
          "session_ended\n");
}

static void a_key_exchange_on_the_way_is_without_interest(void **state)
{
    check("Accepted publickey for root from UNKNOWN port 65535 ssh2: ED25519 SHA256:jT7wyKg7UeTD\n"
          "debug1: SSH2_MSG_KEXINIT sent\n"
          "debug1: SSH2_MSG_KEXINIT received\n"
          "debug1: kex: algorithm: curve25519-sha256\n"
          "debug1: expecting SSH2_MSG_KEX_ECDH_INIT\n"
          "debug1: enqueue packet: 93\n"
          "debug1: ssh_set_newkeys: rekeying out, input 9034268 bytes 84 blocks, "
          "output 9034784 bytes 69045 blocks\n"
          "debug1: rekey out after 4294967296 blocks\n"
          "debug1: SSH2_MSG_NEWKEYS sent\n"
          "debug1: dequeue packet: 93\n"
          "debug1: ssh_set_newkeys: rekeying in, input 9034288 bytes 85 blocks, "
          "output 9034784 bytes 0 blocks\n",
          AS_IT_IS, "logged_in\n");
}

static void an_end_by_the_agent_ends_the_session_and_nothing_else(void **state)
{
    check("Starting session: command for root from UNKNOWN port 65535 id 0\n"
          "Exiting on signal 15\n"
          "Exiting on signal 15\n",
          TO_THE_END,
          "session_started \"command\"\n"
          "session_ended\n");
}

static void a_session_that_runs_ends_with_the_log(void **state)
{
    check("Starting session: shell on pts/0 for root from UNKNOWN port 65535 id 3\n", TO_THE_END,
          "session_started #3 \"shell on pts/0\"\n"
          "session_ended #3\n");
}

static void a_listener_is_told_once_for_each_address(void **state)
{
    check(FORWARD, AS_IT_IS, FORWARDED);
}

static void port_0_is_told_as_allocated(void **state)
{
    check(REQUEST "tcpip-forward listen  port 0\n"
                  "debug1: Local forwarding listening on :: port 0.\n"
                  "debug1: Allocated listen port 45979\n"
                  "debug1: channel 0: new port-listener [port listener] (inactive timeout: 0)\n"
                  "debug1: Local forwarding listening on 0.0.0.0 port 45979.\n"
                  "debug1: channel 1: new port-listener [port listener] (inactive timeout: 0)\n",
          AS_IT_IS,
          "listen_asked *:0\n"
          "listen_bound #1 [::]:45979 (*:0)\n"
          "listen_bound #2 0.0.0.0:45979 (*:0)\n");
}

static void cancelling_closes_the_listeners(void **state)
{
    check(FORWARD REQUEST "cancel-tcpip-forward addr localhost port 20022\n"
                          "debug1: channel 2: free: port listener, nchannels 6\n"
                          "debug1: channel 3: free: port listener, nchannels 5\n",
          TO_THE_END,
          FORWARDED "listen_cancelled localhost:20022\n"
                    "listen_closed #1 [::1]:20022\n"
                    "listen_closed #2 127.0.0.1:20022\n");
}

static void the_end_closes_what_is_open(void **state)
{
    check(REQUEST "streamlocal-forward listen path /run/a b.sock\n"
                  "debug1: Local forwarding listening on path /run/a b.sock.\n"
                  "debug1: channel 5: new unix-listener [unix listener] (inactive timeout: 0)\n",
          TO_THE_END,
          "listen_asked /run/a b.sock\n"
          "listen_bound #1 /run/a b.sock (/run/a b.sock)\n"
          "listen_closed #1 /run/a b.sock\n");
}

static void a_rule_that_refuses_a_listener_is_told(void **state)
{
    check(REQUEST "tcpip-forward listen  port 20024\n"
                  "Received request from UNKNOWN port 65535 to remote forward to host  port 20024, "
                  "but the request was denied.\n",
          AS_IT_IS,
          "listen_asked *:20024\n"
          "listen_refused *:20024 \"not allowed\"\n");
}

static void a_direction_that_is_off_shows_once_the_log_settles(void **state)
{
    check(REQUEST "tcpip-forward listen localhost port 20022\n", AS_IT_IS,
          "listen_asked localhost:20022\n");
    check(REQUEST "tcpip-forward listen localhost port 20022\n", SETTLED,
          "listen_asked localhost:20022\n"
          "listen_refused localhost:20022 \"not allowed\"\n");
}

static void a_port_in_use_is_a_refusal_with_its_reason(void **state)
{
    check(REQUEST "tcpip-forward listen 127.0.0.1 port 20023\n"
                  "debug1: Local forwarding listening on 127.0.0.1 port 20023.\n"
                  "bind [127.0.0.1]:20023: Address already in use\n"
                  "channel_setup_fwd_listener_tcpip: cannot listen to port: 20023\n" REQUEST
                  "rtype tcpip-forward want_reply 1\n" REQUEST
                  "tcpip-forward listen localhost port 1\n",
          AS_IT_IS,
          "listen_asked 127.0.0.1:20023\n"
          "listen_refused 127.0.0.1:20023 \"Address already in use\"\n"
          "listen_asked localhost:1\n");
}

static void one_of_two_addresses_is_enough(void **state)
{
    check(REQUEST "tcpip-forward listen localhost port 20023\n"
                  "debug1: Local forwarding listening on ::1 port 20023.\n"
                  "debug1: channel 5: new port-listener [port listener] (inactive timeout: 0)\n"
                  "debug1: Local forwarding listening on 127.0.0.1 port 20023.\n"
                  "bind [127.0.0.1]:20023: Address already in use\n",
          SETTLED,
          "listen_asked localhost:20023\n"
          "listen_bound #1 [::1]:20023 (localhost:20023)\n");
}

#define DIRECT                                                                                     \
    "debug1: server_input_channel_open: ctype direct-tcpip rchan 9 win 2097152 max 32768\n"        \
    "debug1: server_request_direct_tcpip: originator 127.0.0.1 port 38822, "                       \
    "target localhost port 8999\n"                                                                 \
    "debug1: connect_next: start for host localhost ([127.0.0.1]:8999)\n"                          \
    "debug1: connect_next: connect host localhost ([127.0.0.1]:8999) in progress, fd=12\n"         \
    "debug1: channel 6: new direct-tcpip [direct-tcpip] (inactive timeout: 0)\n"                   \
    "debug1: server_input_channel_open: confirm direct-tcpip\n"

static void a_connection_is_told_once_it_is_made(void **state)
{
    check(DIRECT, AS_IT_IS, "");
    check(DIRECT "debug1: channel 6: connected to localhost port 8999\n"
                 "debug1: channel 6: free: direct-tcpip, nchannels 7\n",
          AS_IT_IS,
          "channel_opened #1 localhost:8999 < 127.0.0.1:38822\n"
          "channel_closed #1 localhost:8999 < 127.0.0.1:38822\n");
    check(DIRECT "debug1: channel 6: connection failed: Connection refused\n"
                 "connect_to localhost port 8999: failed.\n"
                 "debug1: channel 6: free: direct-tcpip, nchannels 7\n",
          AS_IT_IS, "channel_refused #1 localhost:8999 < 127.0.0.1:38822 \"Connection refused\"\n");
}

static void a_connection_that_is_denied_is_told(void **state)
{
    check("debug1: server_request_direct_tcpip: originator 127.0.0.1 port 59972, target 10.0.0.1 "
          "port 22\n"
          "Received request from UNKNOWN port 65535 to connect to host 10.0.0.1 port 22, but the "
          "request was denied.\n"
          "debug1: server_input_channel_open: failure direct-tcpip\n",
          AS_IT_IS, "channel_refused #1 10.0.0.1:22 < 127.0.0.1:59972 \"not allowed\"\n");
    check("refused local port forward: originator 127.0.0.1 port 5, target db port 22\n"
          "debug1: server_input_channel_open: failure direct-tcpip\n",
          AS_IT_IS, "channel_refused #1 db:22 < 127.0.0.1:5 \"not allowed\"\n");
    check("debug1: server_request_direct_tcpip: originator ::1 port 38964, target no.such port 80\n"
          "connect_to no.such: unknown host (Name or service not known)\n"
          "debug1: server_input_channel_open: failure direct-tcpip\n",
          AS_IT_IS,
          "channel_refused #1 no.such:80 < [::1]:38964 \"unknown host (Name or service not "
          "known)\"\n");
}

static void unix_sockets_are_targets_too(void **state)
{
    check("debug1: server_request_direct_streamlocal: originator 127.0.0.1 port 53734, target "
          "/run/u.sock\n"
          "debug1: channel 0: new direct-streamlocal@openssh.com [direct-streamlocal] (inactive "
          "timeout: 0)\n"
          "debug1: channel 0: connected to /run/u.sock port -2\n"
          "debug1: channel 0: free: direct-streamlocal, nchannels 1\n"
          "debug1: server_request_direct_streamlocal: originator 127.0.0.1 port 42502, target "
          "/run/none.sock\n"
          "connect to /run/none.sock port -2 failed: No such file or directory\n"
          "debug1: server_input_channel_open: failure direct-streamlocal@openssh.com\n",
          AS_IT_IS,
          "channel_opened #1 /run/u.sock < 127.0.0.1:53734\n"
          "channel_closed #1 /run/u.sock < 127.0.0.1:53734\n"
          "channel_refused #2 /run/none.sock < 127.0.0.1:42502 \"No such file or directory\"\n");
}

static void a_connection_to_a_listener_ends_with_its_origin(void **state)
{
    check("debug1: Connection to port 20022 forwarding to localhost port 0 requested.\n"
          "debug1: channel 6: new forwarded-tcpip [forwarded-tcpip] (inactive timeout: 0)\n"
          "debug1: channel 6: free: forwarded-tcpip: listening port 20022 for localhost port 0, "
          "connect from ::1 port 36660 to ::1 port 20022, nchannels 7\n"
          "debug1: Connection to port -2 forwarding to /run/r.sock port -2 requested.\n"
          "debug1: channel 6: new forwarded-streamlocal@openssh.com "
          "[forwarded-streamlocal@openssh.com] (inactive timeout: 0)\n"
          "debug1: channel 6: free: forwarded-streamlocal@openssh.com: listening port -2 for "
          "/run/r.sock port -2, connect from  port 0 to /run/r.sock port 0, nchannels 7\n",
          AS_IT_IS,
          "channel_opened #1 localhost:20022 remote\n"
          "channel_closed #1 localhost:20022 < [::1]:36660 remote\n"
          "channel_opened #2 /run/r.sock remote\n"
          "channel_closed #2 /run/r.sock remote\n");
}

static void the_client_cannot_forge_the_target(void **state)
{
    check("debug1: server_request_direct_tcpip: originator x port 1, target good port 80 port 2, "
          "target evil port 22\n"
          "debug1: server_input_channel_open: failure direct-tcpip\n",
          AS_IT_IS, "channel_refused #1 evil:22 \"not allowed\"\n");
}

static void what_is_not_understood_is_kept(void **state)
{
    check("debug1: something new before the log-in\n"
          "User root not allowed because account is locked\n"
          "Accepted publickey for root from UNKNOWN port 65535 ssh2: ED25519 SHA256:jT7w\n"
          "debug1: something new\n"
          "debug1: channel 7: free: what, nchannels 7\n" REQUEST "tcpip-forward listen x\n",
          TO_THE_END,
          "raw \"User root not allowed because account is locked\"\n"
          "logged_in\n"
          "raw \"debug1: something new\"\n"
          "raw \"debug1: channel 7: free: what, nchannels 7\"\n"
          "raw \"debug1: server_input_global_request: tcpip-forward listen x\"\n");
}

static void a_line_that_is_too_long_is_raw_and_the_next_is_read(void **state)
{
    struct buf events = BUF_INIT(65536);
    struct sshd_log *log = sshd_log_new(logged, &events);
    for (int i = 0; i < 3 * SSHD_LINE_MAX_LEN; i++)
        sshd_log_feed(log, "x", 1);
    sshd_log_feed(log, "\n" FORWARD, strlen("\n" FORWARD));
    assert_int_equal(sshd_log_unknown(log), 1);
    assert_true(span_starts(span_of(buf_cstr(&events)), "raw \"xxxx"));
    assert_true(span_ends(span_of(buf_cstr(&events)), "\"\n" FORWARDED));
    sshd_log_free(log);
    buf_deinit(&events);
}

/* How a whole real session is read, cut into pieces of every size. */
static void pieces_do_not_matter(void **state)
{
    static const char lines[] =
        FORWARD DIRECT "debug1: channel 6: connected to localhost port 8999\n";
    for (size_t size = 1; size < 200; size += 7) {
        struct buf events = BUF_INIT(65536);
        struct sshd_log *log = sshd_log_new(logged, &events);
        for (size_t at = 0; at < strlen(lines); at += size)
            sshd_log_feed(log, lines + at, strnlen(lines + at, size));
        assert_string_equal(buf_cstr(&events),
                            FORWARDED "channel_opened #3 localhost:8999 < 127.0.0.1:38822\n");
        sshd_log_free(log);
        buf_deinit(&events);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_in_and_a_command_are_told),
        cmocka_unit_test(a_key_exchange_on_the_way_is_without_interest),
        cmocka_unit_test(an_end_by_the_agent_ends_the_session_and_nothing_else),
        cmocka_unit_test(a_session_that_runs_ends_with_the_log),
        cmocka_unit_test(a_listener_is_told_once_for_each_address),
        cmocka_unit_test(port_0_is_told_as_allocated),
        cmocka_unit_test(cancelling_closes_the_listeners),
        cmocka_unit_test(the_end_closes_what_is_open),
        cmocka_unit_test(a_rule_that_refuses_a_listener_is_told),
        cmocka_unit_test(a_direction_that_is_off_shows_once_the_log_settles),
        cmocka_unit_test(a_port_in_use_is_a_refusal_with_its_reason),
        cmocka_unit_test(one_of_two_addresses_is_enough),
        cmocka_unit_test(a_connection_is_told_once_it_is_made),
        cmocka_unit_test(a_connection_that_is_denied_is_told),
        cmocka_unit_test(unix_sockets_are_targets_too),
        cmocka_unit_test(a_connection_to_a_listener_ends_with_its_origin),
        cmocka_unit_test(the_client_cannot_forge_the_target),
        cmocka_unit_test(what_is_not_understood_is_kept),
        cmocka_unit_test(a_line_that_is_too_long_is_raw_and_the_next_is_read),
        cmocka_unit_test(pieces_do_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
