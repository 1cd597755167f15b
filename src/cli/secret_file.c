#include "cli/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"

static int check_owner(int fd, const char *path, struct err *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_sys(err, -errno, "%s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, -EINVAL, "%s is not a file", path);
    if (st.st_uid != geteuid() && st.st_uid != 0)
        return err_set(err, -EPERM, "%s belongs to another user and is not used", path);
    if (st.st_mode & 077)
        return err_set(err, -EPERM,
                       "%s can be read by others (mode %03o) and is not used: run chmod 600 %s",
                       path, st.st_mode & 0777, path);
    return 0;
}

static int read_all(int fd, char *dst, size_t size, size_t *ret_len)
{
    size_t len = 0;
    while (len < size) {
        ssize_t n = read(fd, dst + len, size - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    *ret_len = len;
    return 0;
}

int secret_file_read(const char *path, size_t max, char **ret, size_t *ret_len, struct err *err)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return err_sys(err, -errno, "%s", path);
    int r = check_owner(fd, path, err);
    if (r < 0)
        return r;

    char *text = xcalloc(1, max + 2);
    size_t len = 0;
    r = read_all(fd, text, max + 1, &len);
    if (r == 0 && len > max)
        r = -EMSGSIZE;
    if (r < 0) {
        explicit_bzero(text, max + 2);
        free(text);
        return err_sys(err, r, "%s", path);
    }
    *ret = text;
    *ret_len = len;
    return 0;
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        data += n;
        len -= (size_t)n;
    }
    return fsync(fd) < 0 ? -errno : 0;
}

int secret_file_write(const char *path, const void *data, size_t len, struct err *err)
{
    _cleanup_free_ char *temporary = xasprintf("%s.XXXXXX", path);
    _cleanup_close_ int fd = mkostemp(temporary, O_CLOEXEC); /* makes it with mode 0600 */
    if (fd < 0)
        return err_sys(err, -errno, "%s cannot be written", path);
    int r = write_all(fd, data, len);
    if (r == 0 && rename(temporary, path) < 0)
        r = -errno;
    if (r < 0) {
        unlink(temporary);
        return err_sys(err, r, "%s cannot be written", path);
    }
    return 0;
}

int secret_file_make_dir(const char *path, struct err *err)
{
    _cleanup_free_ char *copy = xstrdup(path);
    for (char *p = copy + 1;; p++) {
        if (*p && *p != '/')
            continue;
        char kept = *p;
        *p = 0;
        if (mkdir(copy, 0700) < 0 && errno != EEXIST)
            return err_sys(err, -errno, "the directory %s cannot be made", copy);
        *p = kept;
        if (!kept)
            return 0;
    }
}
