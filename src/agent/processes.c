#include "agent/processes.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/map.h"
#include "base/num.h"

enum { ANCESTORS_MAX = 8, STAT_MAX_LEN = 1024 };

/* Reads a small file of /proc/PID. False: it cannot be had. */
static bool read_file(int proc, uint32_t pid, const char *name, char *dst, size_t size)
{
    char path[64];
    snprintf(path, sizeof(path), "%u/%s", pid, name);
    _cleanup_close_ int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, dst, size - 1) : -1;
    dst[n > 0 ? n : 0] = '\0';
    return n > 0;
}

static void read_name(int proc, uint32_t pid, char *dst, size_t size)
{
    read_file(proc, pid, "comm", dst, size);
    for (char *c = dst; *c; c++)
        if (!isprint((unsigned char)*c))
            *c = '\0';
}

/* "pid (name) state ppid …"; the name may have parentheses. 0: not known. */
static uint32_t parent_of(int proc, uint32_t pid)
{
    char text[STAT_MAX_LEN];
    if (!read_file(proc, pid, "stat", text, sizeof(text)))
        return 0;
    struct span rest = span_of(text);
    ptrdiff_t end = span_rfind(rest, ')');
    if (end < 0 || (size_t)end + 4 >= rest.len)
        return 0;
    rest = span_sub(rest, (size_t)end + 4, rest.len);
    struct span number;
    uint64_t parent = 0;
    if (!span_split(&rest, ' ', &number) || num_parse(number, 0, UINT32_MAX, &parent) < 0)
        return 0;
    return (uint32_t)parent;
}

/* An sshd listens for its client (-R); what people run in it is not ours. */
static bool is_own(int proc, const struct process_found *p)
{
    uint32_t self = (uint32_t)getpid(), at = p->pid;
    if (at == self)
        return true;
    if (strncmp(p->name, "sshd", 4) != 0)
        return false;
    for (int i = 0; i < ANCESTORS_MAX && at > 1; i++) {
        at = parent_of(proc, at);
        if (at == self)
            return true;
    }
    return false;
}

struct search {
    int proc;
    const struct map *by_inode;
    process_found_fn *found;
    void *ud;
};

static void look_at(const struct search *s, uint32_t pid)
{
    char path[64];
    snprintf(path, sizeof(path), "%u/fd", pid);
    int fd = openat(s->proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        if (fd >= 0)
            close(fd);
        return;
    }
    struct process_found p = {.pid = 0};
    struct dirent *entry;
    while ((entry = readdir(dir))) {
        char target[64];
        ssize_t n = readlinkat(fd, entry->d_name, target, sizeof(target));
        struct span text = span_from(target, n > 0 ? (size_t)n : 0);
        uint64_t inode = 0;
        if (!span_starts(text, "socket:[") ||
            num_parse(span_sub(text, 8, text.len - 1), 0, UINT64_MAX, &inode) < 0)
            continue;
        void *value = map_get_id(s->by_inode, inode);
        if (!value)
            continue;
        if (!p.pid) {
            p.pid = pid;
            read_name(s->proc, pid, p.name, sizeof(p.name));
            p.own = is_own(s->proc, &p);
        }
        s->found(value, &p, s->ud);
    }
    closedir(dir);
}

void processes_of_sockets(const struct map *by_inode, process_found_fn *found, void *ud)
{
    DIR *dir = opendir("/proc");
    if (!dir)
        return;
    const struct search s = {.proc = dirfd(dir), .by_inode = by_inode, .found = found, .ud = ud};
    struct dirent *entry;
    while ((entry = readdir(dir))) {
        uint64_t pid = 0;
        if (num_parse(span_of(entry->d_name), 1, UINT32_MAX, &pid) == 0)
            look_at(&s, (uint32_t)pid);
    }
    closedir(dir);
}

bool process_lives(uint32_t pid)
{
    return kill((pid_t)pid, 0) == 0 || errno != ESRCH;
}
