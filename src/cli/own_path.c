#include "cli/own_path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/span.h"

static const char own_file[] = "/proc/self/exe";

static bool is_own(const char *path)
{
    struct stat here, self;
    return access(path, X_OK) == 0 && stat(path, &here) == 0 && stat(own_file, &self) == 0 &&
           here.st_dev == self.st_dev && here.st_ino == self.st_ino;
}

/* As a shell finds it; NULL: not at all, or relative to a folder. */
static char *in_path(const char *name)
{
    struct span rest = span_of(getenv("PATH")), folder;
    while (rest.len > 0 && span_split(&rest, ':', &folder)) {
        if (!span_starts(folder, "/"))
            continue;
        _cleanup_free_ char *path = xasprintf(SPAN_FMT "/%s", SPAN_ARG(folder), name);
        if (is_own(path))
            return steal(&path);
    }
    return NULL;
}

static char *as_called(const char *name)
{
    if (!strchr(name, '/'))
        return in_path(name);
    _cleanup_free_ char *folder = name[0] == '/' ? NULL : getcwd(NULL, 0);
    if (name[0] != '/' && !folder)
        return NULL;
    _cleanup_free_ char *path = folder ? xasprintf("%s/%s", folder, name) : xstrdup(name);
    return is_own(path) ? steal(&path) : NULL;
}

int own_path(char **ret, struct err *err)
{
    char file[4096];
    char *called = as_called(program_invocation_name);
    if (called) {
        *ret = called;
        return 0;
    }
    ssize_t n = readlink(own_file, file, sizeof(file) - 1);
    if (n < 0)
        return err_sys(err, -errno, "where this program is cannot be found out");
    file[n] = '\0';
    if (!is_own(file))
        return err_set(err, -ENOENT, "this program was replaced or removed while it ran: again");
    *ret = xstrdup(file);
    return 0;
}
