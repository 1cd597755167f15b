/*
 * sshd gets pipes as standard input and output, so that the kernel can move the bytes (io/relay.h)
 * and its SSH_CONNECTION has four words, and one as standard error, where its log comes from. Three
 * things end on their own: the relay, the process and the log. The first of relay and process ends
 * the other; the service has ended when the process is gone, because only then nothing listens any
 * more and all of the log is in the pipe.
 *
 * Or it gets the client's TCP connection in place of the two pipes and of the relay. Our own
 * descriptor of it stays open, unused: to cut the connection, whoever in sshd's family holds it,
 * and to count its bytes. It is closed when the process has gone, which is what the client sees.
 */
#include "ssh/ssh_service.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "io/child.h"
#include "io/fd_stream.h"
#include "io/loop.h"
#include "io/pipe_stream.h"
#include "io/relay.h"
#include "io/stream.h"
#include "io/tcp_traffic.h"
#include "io/timer.h"
#include "io/watch.h"
#include "ssh/socket_files.h"
#include "ssh/ssh_account.h"
#include "ssh/ssh_folder.h"
#include "ssh/ssh_grant.h"
#include "ssh/sshd_config.h"
#include "ssh/terminals.h"

struct ssh_service {
    struct loop *loop;
    struct ssh_service_options options;
    struct ssh_folder folder;
    const char *path, *name; /* of the program, and the one that it sees */
    struct child *child;
    struct stream *sshd; /* our ends of its pipes, until it is relayed */
    struct relay *relay;
    struct stream *handed_over;   /* the client's, which sshd has */
    struct tcp_traffic before;    /* what had passed on it by then */
    uint64_t bytes_in, bytes_out; /* of a relay that has ended */
    int log_fd;
    struct watch *log_watch;
    struct sshd_log *log;
    struct socket_files *sockets;
    struct terminals terminals;
    struct timer start_timer, settle_timer, end_timer, kill_timer;
    bool started;
    struct err reason; /* why it did not start: the last that sshd said */
};

static const usec_t start_timeout = 10 * USEC_PER_SEC;
static const usec_t settle_after = 200 * USEC_PER_MSEC;
static const usec_t end_after = 200 * USEC_PER_MSEC;
static const usec_t kill_after = 500 * USEC_PER_MSEC;

/* ---- the log ---- */

static void log_event_came(const struct sshd_event *event, void *ud)
{
    struct ssh_service *s = ud;
    if (event->kind == SSHD_RAW && !s->started)
        err_set(&s->reason, -EIO, "the workspace's sshd did not start: %s", event->text);
    if (event->kind == SSHD_LISTEN_BOUND && event->target[0] == '/')
        socket_files_bound(s->sockets, event->target);
    if (event->kind == SSHD_LISTEN_CLOSED && event->target[0] == '/')
        socket_files_closed(s->sockets, event->target);
    if (event->kind == SSHD_SESSION_STARTED || event->kind == SSHD_SESSION_ENDED)
        terminals_session(&s->terminals, event->id, event->text);
    if (s->options.logged)
        s->options.logged(event, s->options.ud);
}

/* False: there is nothing more now, or ever. */
static bool read_log(struct ssh_service *s)
{
    unsigned char *data = loop_scratch(s->loop);
    ssize_t n = read(s->log_fd, data, LOOP_SCRATCH_LEN);
    if (n > 0)
        sshd_log_feed(s->log, data, (size_t)n);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        s->log_watch = watch_close(s->log_watch);
    return n > 0;
}

static void log_readable(unsigned events, void *ud)
{
    struct ssh_service *s = ud;
    read_log(s);
    timer_start(&s->settle_timer, settle_after);
}

static void log_settled(struct timer *t, void *ud)
{
    struct ssh_service *s = ud;
    sshd_log_settle(s->log);
}

static void finish_log(struct ssh_service *s)
{
    while (s->log_watch && read_log(s))
        continue;
    sshd_log_end(s->log);
}

/* ---- the client's connection, where sshd has it ---- */

static void count_handed_over(const struct ssh_service *s, uint64_t *ret_in, uint64_t *ret_out)
{
    struct tcp_traffic now = s->before;
    tcp_traffic_of(stream_bare_fd(s->handed_over, STREAM_READ), &now);
    *ret_in = now.received - s->before.received;
    *ret_out = now.sent - s->before.sent;
}

static void learn_whether_it_spoke(struct ssh_service *s)
{
    uint64_t in, out = 0;
    if (s->handed_over && !s->started)
        count_handed_over(s, &in, &out);
    s->started |= out > 0;
}

/* For all processes that have it. */
static void cut_handed_over(struct ssh_service *s)
{
    if (s->handed_over)
        shutdown(stream_bare_fd(s->handed_over, STREAM_READ), SHUT_RDWR);
}

/* ---- ends ---- */

static void child_exited(struct child *c, int code, int signum, void *ud)
{
    struct ssh_service *s = ud;
    learn_whether_it_spoke(s);
    finish_log(s);
    ssh_folder_remove(&s->folder);
    if (s->started) {
        s->options.ended(s, NULL, s->options.ud);
        return;
    }
    if (s->reason.code == 0)
        err_set(&s->reason, -EIO, "the workspace's sshd ended at once (%s %d)",
                signum ? "signal" : "exit code", signum ? signum : code);
    s->options.ended(s, &s->reason, s->options.ud);
}

static void terminate(struct ssh_service *s)
{
    child_signal(s->child, SIGTERM);
    timer_start(&s->kill_timer, kill_after);
}

static void terminated_in_vain(struct timer *t, void *ud)
{
    struct ssh_service *s = ud;
    child_signal(s->child, SIGKILL);
}

static void end_came(struct timer *t, void *ud)
{
    terminate(ud);
}

bool ssh_service_end(struct ssh_service *s, const char *text)
{
    timer_start(&s->end_timer, end_after);
    return terminals_tell(&s->terminals, text);
}

static void relay_done(struct relay *r, int result, void *ud)
{
    struct ssh_service *s = ud;
    s->bytes_in = relay_bytes_a_to_b(r);
    s->bytes_out = relay_bytes_b_to_a(r);
    s->relay = NULL;
    terminate(s);
}

static void start_took_too_long(struct timer *t, void *ud)
{
    struct ssh_service *s = ud;
    learn_whether_it_spoke(s);
    if (s->started)
        return;
    err_set(&s->reason, -ETIMEDOUT, "the workspace's sshd did not start in time");
    s->sshd = stream_free(s->sshd);
    child_signal(s->child, SIGKILL);
}

/* ---- start ---- */

static void sshd_readable(struct stream *stream, unsigned events, void *ud)
{
    struct ssh_service *s = ud;
    int waiting = 0;
    stream_want(stream, 0);
    /* Its end is readable as well: then the process tells why. */
    if (ioctl(stream_bare_fd(stream, STREAM_READ), FIONREAD, &waiting) < 0 || waiting == 0)
        return;
    timer_cancel(&s->start_timer);
    s->started = true;
    s->options.started(s, s->options.ud);
}

void ssh_service_carry(struct ssh_service *s, struct stream *client)
{
    const struct relay_options options = {.done = relay_done, .ud = s};
    stream_set_ready(s->sshd, NULL, NULL);
    s->relay = relay_new(client, steal(&s->sshd), &options);
}

void ssh_service_count(const struct ssh_service *s, uint64_t *ret_in, uint64_t *ret_out)
{
    if (s->handed_over) {
        count_handed_over(s, ret_in, ret_out);
        return;
    }
    *ret_in = s->relay ? relay_bytes_a_to_b(s->relay) : s->bytes_in;
    *ret_out = s->relay ? relay_bytes_b_to_a(s->relay) : s->bytes_out;
}

static int write_notice(struct ssh_service *s, const struct ssh_account *account, bool *ret,
                        struct err *err)
{
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(SSH_NOTICE_MAX);
    ssh_grant_notice(s->options.grant, &text);
    if (account->no_shell[0])
        buf_appendf(&text,
                    "adit: the login shell of %s is %s, so that no command runs here: change it "
                    "with usermod --shell. Forwarding and sftp work.\n",
                    account->user, account->no_shell);
    else if (account->no_terminal)
        buf_appendf(&text,
                    "adit: there are no terminals here for %s, because /dev/pts is mounted without "
                    "gid=5: remount it so as root. Commands, forwarding and sftp work.\n",
                    account->user);
    *ret = text.len > 0;
    return text.len == 0 ? 0
                         : ssh_folder_write(&s->folder, SSH_FILE_BANNER,
                                            span_from(buf_data(&text), text.len), err);
}

static int write_files(struct ssh_service *s, const struct ssh_account *account, struct err *err)
{
    const struct ssh_service_options *o = &s->options;
    _cleanup_(buf_deinit) struct buf config = BUF_INIT(SSHD_CONFIG_MAX);
    _cleanup_(buf_wipe) struct buf key = BUF_INIT(SSH_KEY_FILE_MAX);
    char line[SSH_KEY_LINE_SIZE];
    bool notice;
    int r = write_notice(s, account, &notice, err);
    if (r < 0)
        return r;
    const struct sshd_config settings = {
        .user = account->user,
        .host_key_file = s->folder.files[SSH_FILE_HOST_KEY],
        .authorized_keys_file = s->folder.files[SSH_FILE_AUTHORIZED_KEYS],
        .banner_file = notice ? s->folder.files[SSH_FILE_BANNER] : NULL,
        .grant = o->grant,
        .no_terminal = account->no_terminal,
        .pam = account->pam,
    };
    ssh_public_key_line(o->client_key, line);
    r = sshd_config_write(&settings, &config, err);
    if (r == 0)
        r = ssh_key_file(o->host_key, "", &key);
    if (r == 0)
        r = ssh_folder_write(&s->folder, SSH_FILE_CONFIG, span_from(buf_data(&config), config.len),
                             err);
    if (r == 0)
        r = ssh_folder_write(&s->folder, SSH_FILE_HOST_KEY, span_from(buf_data(&key), key.len),
                             err);
    if (r == 0)
        r = ssh_folder_write(&s->folder, SSH_FILE_AUTHORIZED_KEYS, span_of(line), err);
    return r;
}

/* `in` and `out`: its standard input and output. */
static int spawn(struct ssh_service *s, int in, int out, struct err *err)
{
    int log[2];
    if (pipe2(log, O_CLOEXEC) < 0)
        return err_sys(err, -errno, "no pipe for sshd");
    const int fds[] = {in, out, log[1]};
    /* With -e, what sshd logs while it starts a command would go to the command's own stderr. */
    const char *const argv[] = {
        s->name, "-i", "-E", "/proc/self/fd/2", "-f", s->folder.files[SSH_FILE_CONFIG], NULL};
    const char *const env[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                               NULL};
    const struct child_options options = {
        .file = s->path,
        .argv = (char *const *)argv,
        .env = (char *const *)env,
        .folder = "/",
        .fds = fds,
        .n_fds = 3,
        .exited = child_exited,
        .ud = s,
    };
    int r = child_start(s->loop, &options, &s->child, err);
    close(log[1]);
    s->log_fd = log[0];
    if (r < 0)
        return r;
    fcntl(s->log_fd, F_SETFL, O_NONBLOCK);
    s->log_watch = watch_new(s->loop, s->log_fd, log_readable, s);
    watch_want(s->log_watch, WATCH_READ);
    timer_start(&s->start_timer,
                s->options.start_timeout ? s->options.start_timeout : start_timeout);
    return 0;
}

int ssh_service_start(struct ssh_service *s, struct err *err)
{
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC) < 0)
        return err_sys(err, -errno, "no pipe for sshd");
    if (pipe2(out, O_CLOEXEC) < 0) {
        int r = err_sys(err, -errno, "no pipe for sshd");
        close(in[0]);
        close(in[1]);
        return r;
    }
    int r = spawn(s, in[0], out[1], err);
    close(in[0]);
    close(out[1]);
    s->sshd = pipe_stream_new(s->loop, out[0], in[1]);
    if (r == 0) {
        stream_set_ready(s->sshd, sshd_readable, s);
        stream_want(s->sshd, STREAM_READ);
    }
    return r;
}

int ssh_service_start_on(struct ssh_service *s, struct stream *client, struct err *err)
{
    int fd = stream_bare_fd(client, STREAM_READ);
    stream_set_ready(client, NULL, NULL);
    stream_want(client, 0);
    s->handed_over = client;
    if (fd < 0 || fd != stream_bare_fd(client, STREAM_WRITE) || !tcp_traffic_of(fd, &s->before))
        return err_set(err, -EINVAL, "no TCP connection for sshd");
    /* As it would have accepted it itself, but without Nagle's algorithm, which sshd turns off for
       sessions only. We do not touch it any more. */
    fd_stream_prepare(fd);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    return spawn(s, fd, fd, err);
}

static struct ssh_service *service_new(struct loop *loop, const struct ssh_service_options *options,
                                       const char *path, const struct ssh_account *account)
{
    struct ssh_service *s = new0(struct ssh_service);
    s->loop = loop;
    s->options = *options;
    s->path = path;
    s->name = account->sshd_name;
    s->log_fd = -1;
    s->log = sshd_log_new(log_event_came, s);
    s->sockets = socket_files_new();
    timer_init(&s->start_timer, loop, start_took_too_long, s);
    timer_init(&s->settle_timer, loop, log_settled, s);
    timer_init(&s->end_timer, loop, end_came, s);
    timer_init(&s->kill_timer, loop, terminated_in_vain, s);
    return s;
}

int ssh_service_new(struct loop *loop, const struct ssh_service_options *options,
                    struct ssh_service **ret, struct err *err)
{
    struct ssh_account account;
    const char *path = ssh_server_path(err);
    if (!path)
        return -ENOENT;
    int r = ssh_account_read(&account, err);
    if (r == 0)
        r = ssh_account_prepare(&account, err);
    if (r < 0)
        return r;
    struct ssh_service *s = service_new(loop, options, path, &account);
    r = ssh_folder_make(&s->folder, err);
    if (r == 0)
        r = write_files(s, &account, err);
    if (r < 0) {
        ssh_service_free(s);
        return r;
    }
    s->options.grant = NULL; /* they were lent for this call */
    s->options.host_key = NULL;
    s->options.client_key = NULL;
    *ret = s;
    return 0;
}

struct ssh_service *ssh_service_free(struct ssh_service *s)
{
    if (!s)
        return NULL;
    timer_cancel(&s->start_timer);
    timer_cancel(&s->settle_timer);
    timer_cancel(&s->end_timer);
    timer_cancel(&s->kill_timer);
    relay_free(s->relay);
    stream_free(s->sshd);
    if (s->child)
        cut_handed_over(s);
    child_free(s->child);
    stream_free(s->handed_over);
    finish_log(s);
    watch_close(s->log_watch);
    if (s->log_fd >= 0)
        close(s->log_fd);
    sshd_log_free(s->log);
    socket_files_free(s->sockets);
    ssh_folder_remove(&s->folder);
    free(s);
    return NULL;
}
