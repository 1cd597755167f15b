/*
 * Workers write side by side: a batch is one write(2) to a descriptor with O_APPEND, which the
 * kernel does not interleave. Reopening puts the new file under the old descriptor's number
 * (dup3(2)), so that no writer needs to know. A write that was cut short (a full disk) leaves part
 * of a line; the next batch then begins with the end of that line.
 */
#include "server/audit_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/audit.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"

enum { BATCH_MAX_LEN = 8 << 20 };

struct audit_file {
    char *path;
    int fd;
    atomic_bool torn;    /* the file ends within a line */
    atomic_bool failing; /* the last write failed, and that was logged */
    atomic_uint_fast64_t lost;
};

/* O_NONBLOCK: a pipe by that name shall be refused, not waited for. */
static int open_path(const char *path, int *ret_fd, bool *ret_torn, struct err *err)
{
    _cleanup_close_ int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
    struct stat st;
    char last;

    *ret_fd = -1;
    *ret_torn = false;
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(err, -errno, "cannot open the audit file %s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, -EINVAL, "the audit file %s is not a regular file", path);
    *ret_torn = st.st_size > 0 && (pread(fd, &last, 1, st.st_size - 1) != 1 || last != '\n');
    *ret_fd = steal_fd(&fd);
    return 0;
}

int audit_file_open(const char *path, struct audit_file **ret, struct err *err)
{
    struct audit_file *f;
    bool torn;
    int fd, r = open_path(path, &fd, &torn, err);

    if (r < 0)
        return r;
    f = new0(struct audit_file);
    f->path = xstrdup(path);
    f->fd = fd;
    f->torn = torn;
    *ret = f;
    return 0;
}

int audit_file_reopen(struct audit_file *f, struct err *err)
{
    bool torn;
    int fd, r;

    if (!f)
        return 0;
    r = open_path(f->path, &fd, &torn, err);
    if (r < 0)
        return r;
    if (dup3(fd, f->fd, O_CLOEXEC) < 0)
        r = err_sys(err, -errno, "cannot reopen the audit file %s", f->path);
    else
        atomic_store(&f->torn, torn);
    close(fd);
    return r;
}

static void failed(struct audit_file *f, size_t n, const char *reason)
{
    atomic_fetch_add(&f->lost, n);
    if (!atomic_exchange(&f->failing, true))
        log_error("audit events were not written to the file", LOG_STR("file", f->path),
                  LOG_STR("reason", reason));
}

static size_t lines_behind(const char *text, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++)
        n += text[i] == '\n';
    return n;
}

static void write_batch(struct audit_file *f, const struct buf *text)
{
    const char *at = (const char *)buf_data(text);
    ssize_t n;

    do
        n = write(f->fd, at, text->len);
    while (n < 0 && errno == EINTR);
    if (n == (ssize_t)text->len) {
        if (atomic_exchange(&f->failing, false))
            log_info("audit events are written to the file again", LOG_STR("file", f->path));
        return;
    }
    if (n < 0) {
        failed(f, lines_behind(at, text->len), err_name(errno));
        return;
    }
    if (n > 0)
        atomic_store(&f->torn, at[n - 1] != '\n');
    failed(f, lines_behind(at + n, text->len - (size_t)n), "the disk is full");
}

void audit_file_add(struct audit_file *f, const struct audit_event *events, size_t n)
{
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(BATCH_MAX_LEN);

    if (!f || n == 0)
        return;
    if (atomic_exchange(&f->torn, false))
        buf_append(&text, "\n", 1);
    for (size_t i = 0; i < n; i++) {
        struct api_audit_event line = {.event = events[i]};
        line.duration_ms = (uint64_t)(events[i].duration / USEC_PER_MSEC);
        if (api_audit_event_write(&line, &text) < 0 || buf_append(&text, "\n", 1) < 0) {
            failed(f, n, "it is too long");
            return;
        }
    }
    write_batch(f, &text);
}

uint64_t audit_file_lost(const struct audit_file *f)
{
    return f ? atomic_load(&f->lost) : 0;
}

struct audit_file *audit_file_close(struct audit_file *f)
{
    if (!f)
        return NULL;
    close(f->fd);
    free(f->path);
    free(f);
    return NULL;
}
