#include "ssh/socket_files.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/span.h"

struct socket_file {
    char *path;
    dev_t dev;
    ino_t ino;
};

struct socket_files {
    struct socket_file items[SOCKET_FILES_MAX];
    size_t n;
};

struct socket_files *socket_files_new(void)
{
    return new0(struct socket_files);
}

void socket_files_bound(struct socket_files *f, const char *path)
{
    struct stat st;
    if (f->n == SOCKET_FILES_MAX || lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
        return;
    f->items[f->n++] =
        (struct socket_file){.path = xstrdup(path), .dev = st.st_dev, .ino = st.st_ino};
}

static void remove_file(const struct socket_file *file)
{
    struct stat st;
    if (lstat(file->path, &st) == 0 && st.st_dev == file->dev && st.st_ino == file->ino)
        unlink(file->path);
}

void socket_files_closed(struct socket_files *f, const char *path)
{
    for (size_t i = 0; i < f->n; i++) {
        if (!str_eq(f->items[i].path, path))
            continue;
        remove_file(&f->items[i]);
        free(f->items[i].path);
        f->items[i] = f->items[--f->n];
        return;
    }
}

struct socket_files *socket_files_free(struct socket_files *f)
{
    if (!f)
        return NULL;
    for (size_t i = 0; i < f->n; i++)
        free(f->items[i].path);
    free(f);
    return NULL;
}
