#include "server/ready_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"

static int write_line(const char *file, const char *url, struct err *err)
{
    _cleanup_close_ int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    /* A URL as config_check_access_url() lets through has nothing to escape. */
    if (fd < 0 || dprintf(fd, "{\"url\": \"%s\", \"pid\": %ld}\n", url, (long)getpid()) < 0)
        return err_sys(err, -errno, "cannot write the ready file %s", file);
    return 0;
}

int ready_file_write(const char *path, const char *url, struct err *err)
{
    _cleanup_free_ char *part = xasprintf("%s.%ld.part", path, (long)getpid());
    int r = write_line(part, url, err);

    if (r >= 0 && rename(part, path) < 0)
        r = err_sys(err, -errno, "cannot write the ready file %s", path);
    if (r < 0)
        unlink(part);
    return r;
}
