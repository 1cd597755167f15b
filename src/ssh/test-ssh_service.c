/*
 * With the system's sshd and ssh: the service's stream is a listening Unix socket's, or a TCP
 * port's where sshd gets the connection itself, to which the stock client connects.
 */
#include "ssh/ssh_service.h"

#include <errno.h>
#include <glob.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "io/addr.h"
#include "io/child.h"
#include "io/listener.h"
#include "io/loop.h"
#include "io/stream.h"
#include "io/timer.h"
#include "ssh/ssh_account.h"
#include "ssh/ssh_folder.h"
#include "ssh/ssh_grant.h"

struct scene {
    struct loop *loop;
    char folder[64];
    char way[64]; /* to the service: ssh's options */
    struct forward_policy policy;
    struct ssh_key *host_key, *client_key;
    struct listener *listener;
    struct stream *waiting; /* a client, until sshd has started */
    bool hands_over;        /* sshd gets the client's connection itself */
    struct ssh_service *service;
    struct child *ssh;
    bool ssh_exited;
    int code;
    bool ended;
    struct err reason; /* why it did not come to a connection */
    bool fails;        /* which is expected */
    uint64_t in, out;  /* bytes, at the end */
    struct buf events; /* "kind target\n" */
    struct timer look; /* what ssh writes goes to a file, of which the loop hears nothing */
};

static void look_again(struct timer *t, void *ud)
{
    timer_start(t, 20 * USEC_PER_MSEC);
}

#define TURN_UNTIL(s, cond)                                                                        \
    do {                                                                                           \
        while (!(cond))                                                                            \
            loop_turn((s)->loop, true);                                                            \
    } while (0)

static void service_started(struct ssh_service *service, void *ud)
{
    struct scene *s = ud;
    ssh_service_carry(service, steal(&s->waiting));
}

static void service_logged(const struct sshd_event *e, void *ud)
{
    struct scene *s = ud;
    buf_appendf(&s->events, "%s %s%s\n", sshd_event_kind_name(e->kind), e->target, e->text);
}

static void service_ended(struct ssh_service *service, const struct err *err, void *ud)
{
    struct scene *s = ud;
    if (err && !s->fails)
        fail_msg("sshd: %s", err->text);
    if (err)
        s->reason = *err;
    ssh_service_count(service, &s->in, &s->out);
    s->ended = true;
    s->service = ssh_service_free(s->service);
}

/* Whether the service has a folder (""), or a file in it ("/name"); with the path for the caller.
 */
static bool find_of_service(const struct scene *s, const char *name, char **ret_path)
{
    char *pattern = xasprintf("%s/adit-ssh.*%s", s->folder, name);
    glob_t found;
    bool is_there = glob(pattern, GLOB_NOSORT, NULL, &found) == 0;
    free(pattern);
    if (is_there && ret_path)
        *ret_path = xstrdup(found.gl_pathv[0]);
    if (is_there)
        globfree(&found);
    return is_there;
}

static void remove_file_of_service(const struct scene *s, const char *name)
{
    char *path = NULL;
    assert_true(find_of_service(s, name, &path) && unlink(path) == 0);
    free(path);
}

static void client_came(struct listener *l, struct stream *stream, const struct addr *peer,
                        void *ud)
{
    struct scene *s = ud;
    struct err err = ERR_INIT;
    struct ssh_grant grant = ssh_grant_make(&s->policy);
    const struct ssh_service_options options = {
        .grant = &grant,
        .host_key = s->host_key,
        .client_key = ssh_key_public(s->client_key),
        .started = service_started,
        .logged = service_logged,
        .ended = service_ended,
        .ud = s,
    };
    assert_null(s->service);
    s->waiting = stream;
    int r = ssh_service_new(s->loop, &options, &s->service, &err);
    if (r == 0 && s->fails)
        remove_file_of_service(s, "/config");
    if (r == 0 && s->hands_over)
        r = ssh_service_start_on(s->service, steal(&s->waiting), &err);
    else if (r == 0)
        r = ssh_service_start(s->service, &err);
    if (r < 0)
        fail_msg("%s", err.text);
    ssh_grant_deinit(&grant);
}

static void write_file(const struct scene *s, const char *name, const void *data, size_t len)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", s->folder, name);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(fchmod(fileno(f), 0600), 0);
    assert_int_equal(fwrite(data, 1, len, f), len);
    fclose(f);
}

static int open_scene(void **state)
{
    struct scene *s = new0(struct scene);
    struct buf key = BUF_INIT(SSH_KEY_FILE_MAX);
    char line[SSH_KEY_LINE_SIZE], path[128];
    struct addr addr;
    str_copy(s->folder, sizeof(s->folder), "/tmp/test-ssh.XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    setenv("XDG_RUNTIME_DIR", s->folder, 1); /* where the service makes its folder */
    s->loop = loop_new();
    s->host_key = ssh_key_derive(SPAN("a token"), "host");
    s->client_key = ssh_key_generate();
    forward_policy_init(&s->policy);
    buf_init(&s->events, 65536);
    assert_int_equal(ssh_key_file(s->client_key, "", &key), 0);
    write_file(s, "key", buf_data(&key), key.len);
    buf_wipe(&key);
    ssh_public_key_line(ssh_key_public(s->host_key), line);
    char *known = xasprintf("ws %s\n", line);
    write_file(s, "known_hosts", known, strlen(known));
    free(known);
    snprintf(path, sizeof(path), "%s/in", s->folder);
    assert_int_equal(addr_from_path(path, &addr), 0);
    const struct listener_options options = {.accepted = client_came, .ud = s};
    assert_int_equal(listener_open(s->loop, &addr, &options, &s->listener, NULL), 0);
    str_copy(s->way, sizeof(s->way), "-o 'ProxyCommand=nc -U in'");
    timer_init(&s->look, s->loop, look_again, s);
    timer_start(&s->look, 0);
    *state = s;
    return 0;
}

/* The same, where sshd gets a TCP connection. */
static int open_tcp_scene(void **state)
{
    open_scene(state);
    struct scene *s = *state;
    struct addr addr;
    const struct listener_options options = {.accepted = client_came, .ud = s};
    s->hands_over = true;
    listener_close(s->listener);
    assert_int_equal(addr_from_ip("127.0.0.1", 0, &addr), 0);
    assert_int_equal(listener_open(s->loop, &addr, &options, &s->listener, NULL), 0);
    snprintf(s->way, sizeof(s->way), "-o HostName=127.0.0.1 -o HostKeyAlias=ws -p %u",
             addr_port(listener_addr(s->listener)));
    return 0;
}

static int close_scene(void **state)
{
    struct scene *s = *state;
    timer_cancel(&s->look);
    char *command = xasprintf("rm -r %s", s->folder);
    child_free(s->ssh);
    ssh_service_free(s->service);
    stream_free(s->waiting);
    listener_close(s->listener);
    loop_free(s->loop);
    ssh_key_free(s->host_key);
    ssh_key_free(s->client_key);
    forward_policy_deinit(&s->policy);
    buf_deinit(&s->events);
    assert_int_equal(system(command), 0);
    free(command);
    free(s);
    return 0;
}

static void ssh_exited(struct child *c, int code, int signum, void *ud)
{
    struct scene *s = ud;
    s->ssh_exited = true;
    s->code = code;
}

/* Starts `ssh ws ARGS` by way of the shell; what it prints goes to the file `out`. */
static void start_ssh(struct scene *s, const char *args)
{
    struct ssh_account account;
    assert_int_equal(ssh_account_read(&account, NULL), 0);
    char *command = xasprintf(
        "cd %s && exec ssh -F none -o UserKnownHostsFile=known_hosts -o StrictHostKeyChecking=yes "
        "-o IdentitiesOnly=yes -o IdentityFile=key -o BatchMode=yes %s "
        "%s -l %s %s > out 2>&1",
        s->folder, strstr(args, "LogLevel") ? "" : "-o LogLevel=ERROR", s->way, account.user, args);
    const char *const argv[] = {"sh", "-c", command, NULL};
    const int fds[] = {-1, 1, 2};
    const struct child_options options = {.file = "sh",
                                          .argv = (char *const *)argv,
                                          .fds = fds,
                                          .n_fds = 3,
                                          .exited = ssh_exited,
                                          .ud = s};
    assert_int_equal(child_start(s->loop, &options, &s->ssh, NULL), 0);
    free(command);
}

static const char *output(const struct scene *s)
{
    static char text[4096];
    char path[128];
    snprintf(path, sizeof(path), "%s/out", s->folder);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
    fclose(f);
    return text;
}

static bool has_event(struct scene *s, const char *line)
{
    return strstr(buf_cstr(&s->events), line) != NULL;
}

static bool folder_is_gone(const struct scene *s)
{
    return !find_of_service(s, "", NULL);
}

static void the_exit_code_comes_back_and_nothing_stays(void **state)
{
    struct scene *s = *state;
    start_ssh(s, "ws 'echo hello; exit 44'");
    TURN_UNTIL(s, s->ssh_exited && s->ended);
    assert_string_equal(output(s), "hello\n");
    assert_int_equal(s->code, 44);
    assert_true(has_event(s, "logged_in"));
    assert_true(has_event(s, "session_started command"));
    assert_true(has_event(s, "session_ended"));
    if (has_event(s, "raw"))
        fail_msg("%s", buf_cstr(&s->events));
    assert_true(folder_is_gone(s));
}

static void another_key_is_not_let_in(void **state)
{
    struct scene *s = *state;
    s->client_key = ssh_key_free(s->client_key);
    s->client_key = ssh_key_generate();
    start_ssh(s, "ws true");
    TURN_UNTIL(s, s->ssh_exited && s->ended);
    assert_int_equal(s->code, 255);
    assert_false(has_event(s, "logged_in"));
}

static void a_reverse_forward_ends_with_the_client(void **state)
{
    struct scene *s = *state;
    char path[128], *args = xasprintf("-N -o ExitOnForwardFailure=yes -R 0:localhost:1 "
                                      "-R %s/r.sock:localhost:1 ws",
                                      s->folder);
    snprintf(path, sizeof(path), "%s/r.sock", s->folder);
    s->policy.unix_sockets = true;
    start_ssh(s, args);
    TURN_UNTIL(s, has_event(s, "listen_bound 127.0.0.1:") && has_event(s, "listen_bound /"));
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(kill(child_pid(s->ssh), SIGKILL), 0);
    TURN_UNTIL(s, s->ended);
    assert_true(has_event(s, "listen_closed 127.0.0.1:"));
    assert_int_equal(access(path, F_OK), -1);
    assert_true(folder_is_gone(s));
    free(args);
}

static void freeing_the_service_ends_it_and_tells_what_was_open(void **state)
{
    struct scene *s = *state;
    start_ssh(s, "-N -R 0:localhost:1 ws");
    TURN_UNTIL(s, has_event(s, "listen_bound 127.0.0.1:"));
    s->service = ssh_service_free(s->service);
    assert_true(has_event(s, "listen_closed 127.0.0.1:"));
    assert_true(folder_is_gone(s));
    TURN_UNTIL(s, s->ssh_exited);
    assert_int_equal(s->code, 255);
    assert_false(s->ended);
}

static void a_direction_that_is_off_is_refused_and_the_session_goes_on(void **state)
{
    struct scene *s = *state;
    s->policy.remote = false;
    start_ssh(s, "-R 0:localhost:1 ws exit 7");
    TURN_UNTIL(s, s->ssh_exited && s->ended);
    assert_int_equal(s->code, 7);
    assert_true(has_event(s, "listen_refused localhost:0not allowed"));
}

static void a_rule_that_sshd_cannot_say_is_told_before_the_log_in(void **state)
{
    struct scene *s = *state;
    text_list_deinit(&s->policy.permit_open);
    text_list_add(&s->policy.permit_open, SPAN("*.corp:443"), POLICY_RULES_MAX);
    start_ssh(s, "-o LogLevel=INFO ws exit 3");
    TURN_UNTIL(s, s->ssh_exited && s->ended);
    assert_int_equal(s->code, 3);
    assert_non_null(strstr(output(s), "\"*.corp:443\""));
    assert_non_null(strstr(output(s), "adit port-forward"));
}

static void an_end_is_told_on_the_terminal(void **state)
{
    struct scene *s = *state;
    start_ssh(s, "-tt ws 'echo here; sleep 100'");
    TURN_UNTIL(s, has_event(s, "session_started") && strstr(output(s), "here"));
    ssh_service_end(s->service, "the rules have changed");
    TURN_UNTIL(s, s->ssh_exited && s->ended);
    assert_int_equal(s->code, 255);
    assert_non_null(strstr(output(s), "the rules have changed"));
    assert_true(folder_is_gone(s));
}

static void sshd_has_the_connection_for_itself(void **state)
{
    struct scene *s = *state;
    start_ssh(s, "ws 'head -c 3000000 /dev/zero | wc -c; echo ${SSH_CONNECTION%% *}'");
    TURN_UNTIL(s, s->ssh_exited && s->ended);
    assert_string_equal(output(s), "3000000\n127.0.0.1\n");
    if (has_event(s, "raw"))
        fail_msg("%s", buf_cstr(&s->events));
}

static void what_passes_without_us_is_counted(void **state)
{
    struct scene *s = *state;
    start_ssh(s, "ws 'head -c 3000000 /dev/zero' < /dev/null");
    TURN_UNTIL(s, s->ssh_exited && s->ended);
    assert_true(s->out > 3000000 && s->out < 4000000);
    assert_true(s->in > 1000 && s->in < 1000000);
}

static void an_sshd_that_says_nothing_on_the_connection_gives_its_reason(void **state)
{
    struct scene *s = *state;
    s->fails = true;
    start_ssh(s, "ws true");
    TURN_UNTIL(s, s->ssh_exited && s->ended);
    assert_int_equal(s->code, 255);
    assert_non_null(strstr(s->reason.text, "/config: No such file"));
    assert_int_equal(s->out, 0);
}

static void a_folder_that_nobody_uses_is_removed(void **state)
{
    struct scene *s = *state;
    struct ssh_folder used, left;
    struct err err = ERR_INIT;
    char *dead;
    assert_int_equal(ssh_folder_make(&used, &err), 0);
    assert_int_equal(ssh_folder_make(&left, &err), 0);
    assert_int_equal(ssh_folder_write(&left, SSH_FILE_CONFIG, SPAN("text"), &err), 0);
    close(left.lock); /* as when its process was killed */
    left.lock = -1;
    dead = left.path;
    ssh_folder_clean();
    assert_int_equal(access(dead, F_OK), -1);
    assert_int_equal(access(used.path, F_OK), 0);
    ssh_folder_remove(&left);
    ssh_folder_remove(&used);
    assert_true(folder_is_gone(s));
}

#define TEST(f)     cmocka_unit_test_setup_teardown(f, open_scene, close_scene)
#define TEST_TCP(f) cmocka_unit_test_setup_teardown(f, open_tcp_scene, close_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_exit_code_comes_back_and_nothing_stays),
        TEST(another_key_is_not_let_in),
        TEST(a_reverse_forward_ends_with_the_client),
        TEST(freeing_the_service_ends_it_and_tells_what_was_open),
        TEST(a_direction_that_is_off_is_refused_and_the_session_goes_on),
        TEST(a_rule_that_sshd_cannot_say_is_told_before_the_log_in),
        TEST(an_end_is_told_on_the_terminal),
        TEST(a_folder_that_nobody_uses_is_removed),
        TEST_TCP(sshd_has_the_connection_for_itself),
        TEST_TCP(what_passes_without_us_is_counted),
        TEST_TCP(an_sshd_that_says_nothing_on_the_connection_gives_its_reason),
        TEST_TCP(the_exit_code_comes_back_and_nothing_stays),
        TEST_TCP(another_key_is_not_let_in),
        TEST_TCP(a_reverse_forward_ends_with_the_client),
        TEST_TCP(freeing_the_service_ends_it_and_tells_what_was_open),
        TEST_TCP(an_end_is_told_on_the_terminal),
    };
    alarm(100);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
