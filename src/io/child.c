/*
 * libuv's process handle, which must live until the process was reaped: a child that is freed
 * while its process runs stays behind without an owner until SIGCHLD comes. If the loop is freed
 * before, it is killed and waited for there. A zombie keeps its number, so that the group is
 * never somebody else's as long as the handle is open.
 */
#include "io/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <uv.h>

#include "base/mem.h"
#include "io/loop.h"
#include "io/timer.h"

struct child {
    uv_process_t handle;
    struct loop *loop;
    usec_t grace;
    child_exited_fn *exited; /* NULL once freed */
    void *ud;
    bool reaped;
    bool freed;
    struct timer kill_timer;
    struct defer at_end; /* when the loop is freed and the process still runs */
};

static void handle_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void release(struct child *c)
{
    timer_cancel(&c->kill_timer);
    defer_cancel(&c->at_end);
    uv_close((uv_handle_t *)&c->handle, handle_closed);
}

static void process_ended(uv_process_t *handle, int64_t code, int signum)
{
    struct child *c = handle->data;
    c->reaped = true;
    if (c->freed)
        release(c);
    else if (c->exited)
        c->exited(c, signum ? -1 : (int)code, signum, c->ud);
}

static void grace_is_over(struct timer *t, void *ud)
{
    struct child *c = ud;
    kill(-c->handle.pid, SIGKILL);
}

static void loop_freed(void *ud)
{
    struct child *c = ud;
    kill(-c->handle.pid, SIGKILL);
    while (waitpid(c->handle.pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    release(c);
}

static void set_limits(pid_t pid, const struct child_options *options)
{
    for (size_t i = 0; i < options->n_limits; i++) {
        struct rlimit limit;
        const struct child_limit *wanted = &options->limits[i];
        /* Never above what we have ourselves, which only root could raise. */
        if (prlimit(pid, (enum __rlimit_resource)wanted->resource, NULL, &limit) < 0)
            continue;
        if (limit.rlim_max == RLIM_INFINITY || wanted->most < limit.rlim_max)
            limit.rlim_max = wanted->most;
        limit.rlim_cur = limit.rlim_max;
        prlimit(pid, (enum __rlimit_resource)wanted->resource, &limit, NULL);
    }
}

static size_t fill_fds(const struct child_options *options, uv_stdio_container_t *dst)
{
    size_t n = options->n_fds < 3 ? 3 : options->n_fds;
    for (size_t i = 0; i < n; i++) {
        int fd = i < options->n_fds ? options->fds[i] : -1;
        dst[i].flags = fd < 0 ? UV_IGNORE : UV_INHERIT_FD;
        dst[i].data.fd = fd;
    }
    return n;
}

int child_start(struct loop *loop, const struct child_options *options, struct child **ret,
                struct err *err)
{
    uv_stdio_container_t fds[CHILD_FDS_MAX];
    if (options->n_fds > CHILD_FDS_MAX)
        return err_set(err, -EINVAL, "%s: too many descriptors", options->file);
    struct child *c = new0(struct child);
    uv_process_options_t uv = {
        .exit_cb = process_ended,
        .file = options->file,
        .args = (char **)options->argv,
        .env = (char **)options->env,
        .cwd = options->folder,
        .flags = UV_PROCESS_DETACHED,
        .stdio_count = (int)fill_fds(options, fds),
        .stdio = fds,
    };
    c->loop = loop;
    c->grace = options->grace;
    c->exited = options->exited;
    c->ud = options->ud;
    c->handle.data = c;
    timer_init(&c->kill_timer, loop, grace_is_over, c);
    defer_init(&c->at_end, loop_freed, c);
    int r = uv_spawn(loop_uv(loop), &c->handle, &uv);
    if (r < 0) {
        uv_close((uv_handle_t *)&c->handle, handle_closed);
        return err_sys(err, r, "%s", options->file);
    }
    set_limits(c->handle.pid, options);
    *ret = c;
    return 0;
}

pid_t child_pid(const struct child *c)
{
    return c->handle.pid;
}

int child_signal(struct child *c, int signum)
{
    return kill(-c->handle.pid, signum) < 0 ? -errno : 0;
}

struct child *child_free(struct child *c)
{
    if (!c)
        return NULL;
    c->exited = NULL;
    c->freed = true;
    if (c->reaped) {
        release(c);
        return NULL;
    }
    kill(-c->handle.pid, c->grace > 0 ? SIGTERM : SIGKILL);
    if (c->grace > 0)
        timer_start(&c->kill_timer, c->grace);
    defer_to_end(c->loop, &c->at_end);
    return NULL;
}
