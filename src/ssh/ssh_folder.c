#include "ssh/ssh_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/span.h"

#define FOLDER_PREFIX "adit-ssh."

enum { LOCK_AFTER_SEC = 60 };

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
    char *path = xasprintf("%s/" FOLDER_PREFIX "XXXXXX", parent);
    if (mkdtemp(path))
        return path;
    free(path);
    return NULL;
}

static const char *const file_names[] = {
    [SSH_FILE_CONFIG] = "config",
    [SSH_FILE_HOST_KEY] = "host_key",
    [SSH_FILE_AUTHORIZED_KEYS] = "authorized_keys",
    [SSH_FILE_BANNER] = "banner",
    [SSH_FILE_LOCK] = "lock",
};
_Static_assert(ARRAY_LEN(file_names) == SSH_FILE_COUNT, "each file has a name");

static int take_lock(struct ssh_folder *f, struct err *err)
{
    const char *path = f->files[SSH_FILE_LOCK];
    f->lock = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (f->lock < 0 || flock(f->lock, LOCK_EX | LOCK_NB) < 0)
        return err_sys(err, -errno, "%s", path);
    return 0;
}

int ssh_folder_make(struct ssh_folder *ret, struct err *err)
{
    struct ssh_folder f = {.path = make_below(getenv("XDG_RUNTIME_DIR")), .lock = -1};
    if (!f.path)
        f.path = make_below(getenv("TMPDIR"));
    if (!f.path)
        f.path = make_below("/tmp");
    if (!f.path)
        return err_sys(err, -errno, "no folder for sshd's configuration can be made in /tmp");
    for (size_t i = 0; i < SSH_FILE_COUNT; i++)
        f.files[i] = xasprintf("%s/%s", f.path, file_names[i]);
    int r = take_lock(&f, err);
    if (r < 0)
        ssh_folder_remove(&f);
    else
        *ret = f;
    return r;
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
    if (f->lock >= 0)
        close(f->lock);
    *f = (struct ssh_folder){0};
}

/* ---- what is left of processes that were killed ---- */

/*
 * The lock file is made right after the folder; one without it is left alone for a while. Returns
 * whether the folder is nobody's; then the caller holds its lock.
 */
static bool is_abandoned(int folder, int *ret_lock)
{
    struct stat st;
    if (fstat(folder, &st) < 0 || st.st_uid != geteuid())
        return false;
    *ret_lock = openat(folder, file_names[SSH_FILE_LOCK], O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (*ret_lock < 0)
        return errno == ENOENT && time(NULL) - st.st_mtime > LOCK_AFTER_SEC;
    return flock(*ret_lock, LOCK_EX | LOCK_NB) == 0;
}

static void clean_one(int parent, const char *name)
{
    _cleanup_close_ int folder =
        openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    _cleanup_close_ int lock = -1;
    if (folder < 0 || !is_abandoned(folder, &lock))
        return;
    for (size_t i = 0; i < SSH_FILE_COUNT; i++)
        unlinkat(folder, file_names[i], 0);
    unlinkat(parent, name, AT_REMOVEDIR);
}

static void clean_below(const char *parent)
{
    DIR *dir = parent ? opendir(parent) : NULL;
    if (!dir)
        return;
    for (const struct dirent *e = readdir(dir); e; e = readdir(dir))
        if (span_starts(span_of(e->d_name), FOLDER_PREFIX))
            clean_one(dirfd(dir), e->d_name);
    closedir(dir);
}

void ssh_folder_clean(void)
{
    clean_below(getenv("XDG_RUNTIME_DIR"));
    clean_below(getenv("TMPDIR"));
    clean_below("/tmp");
}
