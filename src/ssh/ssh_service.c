/*
 * sshd gets pipes as standard input and output, so that the kernel can move the bytes (io/relay.h)
 * and its SSH_CONNECTION has four words, and one as standard error, where its log comes from. Three
 * things end on their own: the relay, the process and the log. The first of relay and process ends
 * the other; the service has ended when the process is gone, because only then nothing listens any
 * more and all of the log is in the pipe.
 */
#include "ssh/ssh_service.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "io/child.h"
#include "io/loop.h"
#include "io/pipe_stream.h"
#include "io/relay.h"
#include "io/stream.h"
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
    struct child *child;
    struct stream *sshd; /* our ends of its pipes, until it is relayed */
    struct relay *relay;
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

/* ---- ends ---- */

static void child_exited(struct child *c, int code, int signum, void *ud)
{
    struct ssh_service *s = ud;
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
    s->relay = NULL;
    terminate(s);
}

static void start_took_too_long(struct timer *t, void *ud)
{
    struct ssh_service *s = ud;
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

/* `fds`: its standard input, output and error. */
static int spawn(struct ssh_service *s, const char *path, const char *name, const int fds[3],
                 struct err *err)
{
    /* With -e, what sshd logs while it starts a command would go to the command's own stderr. */
    const char *const argv[] = {
        name, "-i", "-E", "/proc/self/fd/2", "-f", s->folder.files[SSH_FILE_CONFIG], NULL};
    const char *const env[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                               NULL};
    const struct child_options options = {
        .file = path,
        .argv = (char *const *)argv,
        .env = (char *const *)env,
        .folder = "/",
        .fds = fds,
        .n_fds = 3,
        .exited = child_exited,
        .ud = s,
    };
    return child_start(s->loop, &options, &s->child, err);
}

static int start_sshd(struct ssh_service *s, const char *path, const char *name, struct err *err)
{
    int pipes[3][2], theirs[3];
    for (int i = 0; i < 3; i++)
        if (pipe2(pipes[i], O_CLOEXEC) < 0) {
            int r = -errno;
            while (i-- > 0) {
                close(pipes[i][0]);
                close(pipes[i][1]);
            }
            return err_sys(err, r, "no pipe for sshd");
        }
    for (int i = 0; i < 3; i++)
        theirs[i] = pipes[i][i > 0];
    int r = spawn(s, path, name, theirs, err);
    for (int i = 0; i < 3; i++)
        close(theirs[i]);
    s->sshd = pipe_stream_new(s->loop, pipes[1][0], pipes[0][1]);
    s->log_fd = pipes[2][0];
    fcntl(s->log_fd, F_SETFL, O_NONBLOCK);
    return r;
}

static struct ssh_service *service_new(struct loop *loop, const struct ssh_service_options *options)
{
    struct ssh_service *s = new0(struct ssh_service);
    s->loop = loop;
    s->options = *options;
    s->log_fd = -1;
    s->log = sshd_log_new(log_event_came, s);
    s->sockets = socket_files_new();
    timer_init(&s->start_timer, loop, start_took_too_long, s);
    timer_init(&s->settle_timer, loop, log_settled, s);
    timer_init(&s->end_timer, loop, end_came, s);
    timer_init(&s->kill_timer, loop, terminated_in_vain, s);
    return s;
}

int ssh_service_start(struct loop *loop, const struct ssh_service_options *options,
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
    struct ssh_service *s = service_new(loop, options);
    r = ssh_folder_make(&s->folder, err);
    if (r == 0)
        r = write_files(s, &account, err);
    if (r == 0)
        r = start_sshd(s, path, account.sshd_name, err);
    if (r < 0) {
        ssh_service_free(s);
        return r;
    }
    s->log_watch = watch_new(loop, s->log_fd, log_readable, s);
    watch_want(s->log_watch, WATCH_READ);
    stream_set_ready(s->sshd, sshd_readable, s);
    stream_want(s->sshd, STREAM_READ);
    timer_start(&s->start_timer, options->start_timeout ? options->start_timeout : start_timeout);
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
    child_free(s->child);
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
