#include "cli/user_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"

void user_file_deinit(struct user_file *file)
{
    free(file->path);
    free(file->text);
    *file = (struct user_file){0};
}

static int read_all(int fd, size_t max, struct user_file *ret)
{
    ret->text = xcalloc(1, max + 2);
    while (ret->len <= max) {
        ssize_t n = read(fd, ret->text + ret->len, max + 1 - ret->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return 0;
        ret->len += (size_t)n;
    }
    return -EMSGSIZE;
}

static int read_open(int fd, size_t max, struct user_file *ret, struct err *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_sys(err, -errno, "%s", ret->path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, -EINVAL, "%s is not a file", ret->path);
    ret->exists = true;
    ret->mode = st.st_mode & 07777;
    ret->uid = st.st_uid;
    ret->gid = st.st_gid;
    int r = read_all(fd, max, ret);
    return r < 0 ? err_sys(err, r, "%s", ret->path) : 0;
}

static int read_none(const char *path, struct user_file *ret, struct err *err)
{
    struct stat st;
    if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
        return err_set(err, -ENOENT, "%s is a link to a file that does not exist", path);
    ret->path = xstrdup(path);
    ret->text = xstrdup("");
    ret->mode = 0600;
    return 0;
}

int user_file_read(const char *path, size_t max, struct user_file *ret, struct err *err)
{
    struct user_file file = {.path = realpath(path, NULL)};
    int r;
    if (file.path) {
        _cleanup_close_ int fd = open(file.path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        r = fd < 0 ? err_sys(err, -errno, "%s", path) : read_open(fd, max, &file, err);
    } else {
        r = errno == ENOENT ? read_none(path, &file, err) : err_sys(err, -errno, "%s", path);
    }
    if (r < 0)
        user_file_deinit(&file);
    else
        *ret = file;
    return r;
}

static int fill(int fd, const struct user_file *file, struct span text)
{
    while (text.len > 0) {
        ssize_t n = write(fd, text.p, text.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        text = span_sub(text, (size_t)n, text.len);
    }
    /* The mode last: giving a file away takes set-id bits from it. */
    if (file->exists && (file->uid != geteuid() || file->gid != getegid()) &&
        fchown(fd, file->uid, file->gid) < 0)
        return -errno;
    if (fchmod(fd, file->mode) < 0 || fsync(fd) < 0)
        return -errno;
    return 0;
}

int user_file_write(const struct user_file *file, struct span text, struct err *err)
{
    _cleanup_free_ char *temporary = xasprintf("%s.XXXXXX", file->path);
    _cleanup_close_ int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return err_sys(err, -errno, "%s cannot be written", file->path);
    int r = fill(fd, file, text);
    if (r == 0 && rename(temporary, file->path) < 0)
        r = -errno;
    if (r < 0) {
        unlink(temporary);
        return err_sys(err, r, "%s cannot be written", file->path);
    }
    return 0;
}
