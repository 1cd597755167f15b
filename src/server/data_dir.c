/*
 * The lock is flock(2) on the file `lock`, whose content is the holder's process id: for the text
 * that the second server prints, never for deciding anything.
 */
#include "server/data_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"

struct data_dir {
    char *path;
    int lock_fd;
};

/* mkdir -p with mode 0700 for what is made. */
static int make_path(const char *path, struct err *err)
{
    _cleanup_free_ char *copy = xstrdup(path);

    for (char *p = copy + 1;; p++) {
        char c = *p;
        if (c != '/' && c != '\0')
            continue;
        *p = '\0';
        if (mkdir(copy, 0700) < 0 && errno != EEXIST)
            return err_sys(err, -errno, "cannot make the folder %s", copy);
        *p = c;
        if (c == '\0')
            return 0;
    }
}

static int check_folder(const char *path, struct err *err)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return err_sys(err, -errno, "cannot use the data folder %s", path);
    if (!S_ISDIR(st.st_mode))
        return err_set(err, -ENOTDIR, "the data folder %s is not a folder", path);
    if (access(path, W_OK | X_OK) < 0)
        return err_sys(err, -errno, "cannot write to the data folder %s", path);
    if (st.st_mode & S_IWOTH)
        return err_set(err, -EPERM,
                       "everybody may write to the data folder %s: take that right away (chmod "
                       "o-w) or give another --data-dir",
                       path);
    return 0;
}

static int lock(struct data_dir *d, struct err *err)
{
    _cleanup_free_ char *file = data_dir_path(d, "lock");
    _cleanup_close_ int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    char pid[32] = "";
    int n;

    if (fd < 0)
        return err_sys(err, -errno, "cannot open %s", file);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        ssize_t len = errno == EWOULDBLOCK ? pread(fd, pid, sizeof(pid) - 1, 0) : -1;
        if (len < 0)
            return err_sys(err, -errno, "cannot lock %s", file);
        pid[strcspn(pid, "\n")] = '\0';
        return err_set(err, -EBUSY,
                       "another adit server (process %s) uses the data folder %s: stop it, or "
                       "give this one a --data-dir of its own",
                       pid[0] ? pid : "unknown", d->path);
    }
    n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, (size_t)n, 0) != n)
        return err_sys(err, -errno, "cannot write %s", file);
    d->lock_fd = steal_fd(&fd);
    return 0;
}

int data_dir_open(const char *path, struct data_dir **ret, struct err *err)
{
    struct data_dir *d = new0(struct data_dir);
    int r;

    d->path = xstrdup(path);
    d->lock_fd = -1;
    r = make_path(path, err);
    if (r >= 0)
        r = check_folder(path, err);
    if (r >= 0)
        r = lock(d, err);
    if (r < 0) {
        data_dir_close(d);
        return r;
    }
    *ret = d;
    return 0;
}

struct data_dir *data_dir_close(struct data_dir *d)
{
    if (!d)
        return NULL;
    if (d->lock_fd >= 0)
        close(d->lock_fd);
    free(d->path);
    free(d);
    return NULL;
}

char *data_dir_path(const struct data_dir *d, const char *name)
{
    return xasprintf("%s/%s", d->path, name);
}
