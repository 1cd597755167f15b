#include "io/child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "io/test_help.h"

struct scene {
    struct loop *loop;
    struct child *child;
    bool exited;
    int code, signum;
    char text[4096]; /* what it wrote */
};

static void child_exited(struct child *c, int code, int signum, void *ud)
{
    struct scene *s = ud;
    assert_ptr_equal(c, s->child);
    assert_false(s->exited);
    s->exited = true;
    s->code = code;
    s->signum = signum;
}

static int start(struct scene *s, const char *script, const struct child_options *more, int out)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    const int fds[] = {-1, out, 2};
    struct child_options options = *more;
    struct err err = ERR_INIT;
    options.file = options.file ? options.file : "sh";
    options.argv = (char *const *)argv;
    options.fds = fds;
    options.n_fds = ARRAY_LEN(fds);
    options.exited = child_exited;
    options.ud = s;
    int r = child_start(s->loop, &options, &s->child, &err);
    assert_int_equal(r < 0, err.text[0] != 0);
    return r;
}

/* Runs `script` to its end and keeps what it wrote. */
static void run(struct scene *s, const char *script, const struct child_options *more)
{
    int out[2];
    *s = (struct scene){.loop = loop_new()};
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(start(s, script, more, out[1]), 0);
    close(out[1]);
    TURN_UNTIL(s->loop, s->exited);
    ssize_t n = read(out[0], s->text, sizeof(s->text) - 1);
    assert_true(n >= 0);
    close(out[0]);
    s->child = child_free(s->child);
    loop_free(s->loop);
}

static const struct child_options plain = {0};

static void the_exit_code_is_told(void **state)
{
    struct scene s;
    run(&s, "exit 44", &plain);
    assert_int_equal(s.code, 44);
    assert_int_equal(s.signum, 0);
}

static void the_signal_that_killed_it_is_told(void **state)
{
    struct scene s;
    run(&s, "kill -USR1 $$", &plain);
    assert_int_equal(s.code, -1);
    assert_int_equal(s.signum, SIGUSR1);
}

static void it_has_its_own_group_environment_and_folder(void **state)
{
    struct scene s;
    const char *const env[] = {"PATH=/usr/bin:/bin", "COLOUR=blue", NULL};
    const struct child_options options = {.env = (char *const *)env, .folder = "/"};
    run(&s, "echo $COLOUR $HOME; pwd; ps -o pgid= -p $$ | tr -d ' '; echo $$", &options);
    char expected[64];
    int pid = 0;
    /* NOLINTNEXTLINE(cert-err34-c): a shell writes the number. */
    assert_int_equal(sscanf(s.text, "blue\n/\n%*d\n%d\n", &pid), 1);
    snprintf(expected, sizeof(expected), "blue\n/\n%d\n%d\n", pid, pid);
    assert_string_equal(s.text, expected);
}

static void it_sees_no_descriptor_that_it_was_not_given(void **state)
{
    struct scene s;
    int extra = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(extra >= 0);
    /* 3 is the one with which sh looks into the folder. */
    run(&s, "for f in /proc/$$/fd/*; do [ -e $f ] && echo ${f##*/}; done; read x || echo nothing",
        &plain);
    close(extra);
    assert_non_null(strstr(s.text, "nothing"));
    for (int fd = 4; fd < 10; fd++) {
        char line[8];
        snprintf(line, sizeof(line), "\n%d\n", fd);
        assert_null(strstr(s.text, line));
    }
}

static void limits_are_set(void **state)
{
    struct scene s;
    const struct child_limit limits[] = {{RLIMIT_NOFILE, 77}, {RLIMIT_CORE, 0}};
    const struct child_options options = {.limits = limits, .n_limits = ARRAY_LEN(limits)};
    run(&s, "until [ $(ulimit -n) = 77 ] && [ $(ulimit -c) = 0 ]; do :; done; echo set", &options);
    assert_string_equal(s.text, "set\n");
}

static void a_missing_file_is_an_error_at_once(void **state)
{
    struct scene s = {.loop = loop_new()};
    const struct child_options options = {.file = "no-such-program-anywhere"};
    assert_int_equal(start(&s, "", &options, -1), -ENOENT);
    loop_free(s.loop);
    assert_false(s.exited);
}

/* A pipe that every member of the group holds: its end is readable once the last has gone. */
static void end_with_grandchildren(usec_t grace, const char *script, bool turn)
{
    struct scene s = {.loop = loop_new()};
    const struct child_options options = {.grace = grace};
    int out[2];
    char byte;
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(start(&s, script, &options, out[1]), 0);
    close(out[1]);
    assert_int_equal(read(out[0], &byte, 1), 1); /* it is up */
    pid_t pid = child_pid(s.child);
    child_free(s.child);
    struct pollfd gone = {.fd = out[0], .events = POLLIN};
    /* The loop may have seen the last that it will before the last grandchild is gone. */
    while (turn && poll(&gone, 1, 5) == 0)
        loop_turn(s.loop, false);
    loop_free(s.loop);
    assert_int_equal(poll(&gone, 1, 10000), 1);
    assert_int_equal(read(out[0], &byte, 1), 0);
    close(out[0]);
    assert_false(s.exited);
    assert_int_equal(waitpid(pid, NULL, WNOHANG), -1); /* no zombie */
    assert_int_equal(errno, ECHILD);
}

static void freeing_ends_the_whole_group(void **state)
{
    end_with_grandchildren(0, "sleep 1000 & echo; sleep 1000", false);
    end_with_grandchildren(60 * USEC_PER_SEC, "sleep 1000 & echo; sleep 1000", false);
}

static void who_ignores_sigterm_is_killed_after_the_grace(void **state)
{
    end_with_grandchildren(50 * USEC_PER_MSEC,
                           "trap '' TERM; sleep 1000 & echo; while :; do sleep 1000; done", true);
}

static void a_signal_reaches_the_group(void **state)
{
    struct scene s = {.loop = loop_new()};
    assert_int_equal(start(&s, "sleep 1000", &plain, -1), 0);
    assert_int_equal(child_signal(s.child, SIGTERM), 0);
    TURN_UNTIL(s.loop, s.exited);
    assert_int_equal(s.signum, SIGTERM);
    child_free(s.child);
    loop_free(s.loop);
}

TEST_MAIN(cmocka_unit_test(the_exit_code_is_told),
          cmocka_unit_test(the_signal_that_killed_it_is_told),
          cmocka_unit_test(it_has_its_own_group_environment_and_folder),
          cmocka_unit_test(it_sees_no_descriptor_that_it_was_not_given),
          cmocka_unit_test(limits_are_set), cmocka_unit_test(a_missing_file_is_an_error_at_once),
          cmocka_unit_test(freeing_ends_the_whole_group),
          cmocka_unit_test(who_ignores_sigterm_is_killed_after_the_grace),
          cmocka_unit_test(a_signal_reaches_the_group));
