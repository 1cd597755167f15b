/* Other people's HTTP/2: curl, nghttp and h2load against our server role, over loopback TCP. */
#include "http/h2.h"
#include "io/test_help.h"

#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "io/addr.h"
#include "io/listener.h"

enum { SESSIONS = 16, OUTPUT_MAX = 1 << 20, BODY_LEN = 300000 };

struct foreign {
    struct loop *loop;
    struct listener *listener;
    struct h2 *sessions[SESSIONS];
    int n_sessions;
    int n_requests, n_bytes;
    struct buf output; /* of the program */
    bool exited;
};

/* One request: reads its body, then answers with BODY_LEN pattern bytes. */
struct echo {
    struct foreign *f;
    struct talker talker;
};

static void echo_ready(struct stream *s, unsigned events, void *ud)
{
    struct echo *e = ud;
    char piece[16384];
    if (!e->talker.ended && (events & STREAM_READ)) {
        ssize_t n = stream_recv(s, piece, sizeof(piece));
        if (n > 0)
            e->f->n_bytes += (int)n;
        e->talker.ended = n == 0;
        e->talker.failure = n < 0 && n != -EAGAIN ? (int)n : 0;
    }
    if (e->talker.ended)
        talker_send(&e->talker);
    if (e->talker.failure || e->talker.shut) {
        stream_free(s);
        free(e);
        return;
    }
    stream_want(s, e->talker.ended ? STREAM_WRITE : STREAM_READ);
}

static void requested(struct h2 *session, struct stream *channel, const struct h2_head *head,
                      void *ud)
{
    struct foreign *f = ud;
    struct echo *e = new0(struct echo);
    const struct h2_field fields[] = {{"content-type", "application/octet-stream"}};
    f->n_requests++;
    e->f = f;
    e->talker.s = channel;
    e->talker.to_send = BODY_LEN;
    assert_int_equal(h2_answer(channel, 200, fields, 1, false), 0);
    stream_set_ready(channel, echo_ready, e);
    stream_want(channel, STREAM_READ);
}

static void accepted(struct listener *l, struct stream *s, const struct addr *peer, void *ud)
{
    struct foreign *f = ud;
    const struct h2_options options = {.role = H2_SERVER, .requested = requested, .ud = f};
    assert_true(f->n_sessions < SESSIONS);
    f->sessions[f->n_sessions++] = h2_new(f->loop, s, &options);
}

static void foreign_open(struct foreign *f)
{
    struct addr addr;
    *f = (struct foreign){.loop = loop_new()};
    buf_init(&f->output, OUTPUT_MAX);
    assert_int_equal(addr_from_ip("127.0.0.1", 0, &addr), 0);
    const struct listener_options options = {.accepted = accepted, .ud = f};
    assert_int_equal(listener_open(f->loop, &addr, &options, &f->listener, NULL), 0);
}

static void foreign_close(struct foreign *f)
{
    for (int i = 0; i < f->n_sessions; i++)
        h2_free(f->sessions[i]);
    listener_close(f->listener);
    loop_free(f->loop);
    buf_deinit(&f->output);
}

static void exec_child(const char *const *argv, int output)
{
    dup2(output, STDIN_FILENO); /* shut down below by the parent: reads as empty */
    dup2(output, STDOUT_FILENO);
    execvp(argv[0], (char *const *)argv);
    _exit(127);
}

static void output_came(struct stream *s, unsigned events, void *ud)
{
    struct foreign *f = ud;
    unsigned char piece[16384];
    ssize_t n = stream_recv(s, piece, sizeof(piece));
    if (n > 0)
        buf_append(&f->output, piece, (size_t)n);
    f->exited = n == 0 || (n < 0 && n != -EAGAIN);
    stream_want(s, f->exited ? 0 : STREAM_READ);
}

/* Runs the program, keeps its standard output; its exit status. */
static int run(struct foreign *f, const char *const *argv)
{
    int fd[2], status = 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
    assert_int_equal(fcntl(fd[0], F_SETFL, O_NONBLOCK), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        exec_child(argv, fd[1]);
    close(fd[1]);
    struct stream *s = fd_stream_new(f->loop, fd[0]);
    stream_shutdown(s);
    stream_set_ready(s, output_came, f);
    stream_want(s, STREAM_READ);
    TURN_UNTIL(f->loop, f->exited);
    stream_free(s);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static char *url_of(const struct foreign *f, char url[static 64])
{
    snprintf(url, 64, "http://127.0.0.1:%u/some/path", addr_port(listener_addr(f->listener)));
    return url;
}

/* Programs that are not installed are no failure of ours. */
enum { EXIT_NOT_FOUND = 127 };

static void curl_posts_a_body_and_gets_one(void **state)
{
    struct foreign f;
    char url[64], body[100001];
    foreign_open(&f);
    memset(body, 'x', sizeof(body));
    body[sizeof(body) - 1] = '\0';
    const char *const argv[] = {"curl",   "-sS", "--http2-prior-knowledge", "--noproxy", "*",
                                "--data", body,  url_of(&f, url),           NULL};
    int status = run(&f, argv);
    if (status == EXIT_NOT_FOUND) {
        foreign_close(&f);
        skip();
    }
    assert_int_equal(status, 0);
    assert_int_equal(f.n_bytes, 100000);
    assert_int_equal(f.output.len, BODY_LEN);
    for (size_t i = 0; i < BODY_LEN; i++)
        assert_int_equal(buf_data(&f.output)[i], pattern(i));
    foreign_close(&f);
}

static void nghttp_gets_many_at_once(void **state)
{
    struct foreign f;
    char url[64];
    foreign_open(&f);
    const char *const argv[] = {"nghttp", "-n", "-m", "20", url_of(&f, url), NULL};
    int status = run(&f, argv);
    if (status == EXIT_NOT_FOUND) {
        foreign_close(&f);
        skip();
    }
    assert_int_equal(status, 0);
    assert_int_equal(f.n_requests, 20);
    foreign_close(&f);
}

static void h2load_finds_no_error_in_2000_requests(void **state)
{
    struct foreign f;
    char url[64];
    foreign_open(&f);
    const char *const argv[] = {"h2load", "-n2000", "-c4", "-m50", url_of(&f, url), NULL};
    int status = run(&f, argv);
    if (status == EXIT_NOT_FOUND) {
        foreign_close(&f);
        skip();
    }
    assert_int_equal(status, 0);
    assert_non_null(strstr(buf_cstr(&f.output), "2000 succeeded, 0 failed, 0 errored, 0 timeout"));
    foreign_close(&f);
}

TEST_MAIN(cmocka_unit_test(curl_posts_a_body_and_gets_one),
          cmocka_unit_test(nghttp_gets_many_at_once),
          cmocka_unit_test(h2load_finds_no_error_in_2000_requests), );
