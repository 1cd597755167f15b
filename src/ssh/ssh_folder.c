#include "ssh/ssh_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/span.h"

/* sshd_config's quoting has no way to say these. */
static bool can_be_quoted(const char *path)
{
    for (; *path; path++)
        if ((unsigned char)*path < ' ' || *path == '"' || *path == '%' || *path == '\\')
            return false;
    return true;
}

static char *make_below(const char *parent)
{
    if (!parent || parent[0] != '/' || !can_be_quoted(parent))
        return NULL;
    char *path = xasprintf("%s/adit-ssh.XXXXXX", parent);
    if (mkdtemp(path))
        return path;
    free(path);
    return NULL;
}

int ssh_folder_make(struct ssh_folder *ret, struct err *err)
{
    static const char *const names[] = {
        [SSH_FILE_CONFIG] = "config",
        [SSH_FILE_HOST_KEY] = "host_key",
        [SSH_FILE_AUTHORIZED_KEYS] = "authorized_keys",
    };
    struct ssh_folder f = {.path = make_below(getenv("XDG_RUNTIME_DIR"))};
    if (!f.path)
        f.path = make_below(getenv("TMPDIR"));
    if (!f.path)
        f.path = make_below("/tmp");
    if (!f.path)
        return err_sys(err, -errno, "no folder for sshd's configuration can be made in /tmp");
    for (size_t i = 0; i < SSH_FILE_COUNT; i++)
        f.files[i] = xasprintf("%s/%s", f.path, names[i]);
    *ret = f;
    return 0;
}

int ssh_folder_write(const struct ssh_folder *f, enum ssh_file file, struct span text,
                     struct err *err)
{
    const char *path = f->files[file];
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(err, -errno, "%s", path);
    while (text.len > 0) {
        ssize_t n = write(fd, text.p, text.len);
        if (n < 0 && errno != EINTR)
            return err_sys(err, -errno, "%s", path);
        if (n > 0)
            text = span_sub(text, (size_t)n, text.len);
    }
    return 0;
}

void ssh_folder_remove(struct ssh_folder *f)
{
    if (!f->path)
        return;
    for (size_t i = 0; i < SSH_FILE_COUNT; i++) {
        unlink(f->files[i]);
        free(f->files[i]);
    }
    rmdir(f->path);
    free(f->path);
    *f = (struct ssh_folder){0};
}
