/*
 * /proc/net/tcp and tcp6 list the sockets with their inode; /proc/PID/fd names the inodes that a
 * process has open. A process of another user shows no descriptors unless we are root: its ports
 * are listed without a name.
 */
#include "agent/ports.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/num.h"

enum {
    FILE_MAX_LEN = 16 << 20,
    READ_STEP = 65536,
    TCP_LISTEN_STATE = 0x0a, /* include/net/tcp_states.h */
    FIELD_LOCAL = 1,
    FIELD_STATE = 3,
    FIELD_INODE = 9,
    FIELDS = 10,
};

/* The next run of non-blank characters; false at the end of the line. */
static bool next_word(struct span *line, struct span *ret)
{
    size_t start = 0;
    while (start < line->len && line->p[start] == ' ')
        start++;
    size_t end = start;
    while (end < line->len && line->p[end] != ' ')
        end++;
    *ret = span_sub(*line, start, end);
    *line = span_sub(*line, end, line->len);
    return ret->len > 0;
}

/* "0100007F:1F90": the address in host order words, the port in hexadecimal. */
static int parse_local(struct span text, struct listening_socket *ret)
{
    ptrdiff_t colon = span_find(text, ':');
    if (colon != 8 && colon != 32)
        return -EINVAL;
    uint32_t words[4];
    size_t n_words = (size_t)colon / 8;
    for (size_t i = 0; i < n_words; i++) {
        uint64_t word = 0;
        if (num_parse_hex(span_sub(text, 8 * i, 8 * i + 8), UINT32_MAX, &word) < 0)
            return -EINVAL;
        words[i] = (uint32_t)word;
    }
    uint64_t port = 0;
    if (num_parse_hex(span_sub(text, (size_t)colon + 1, text.len), UINT16_MAX, &port) < 0)
        return -EINVAL;
    inet_ntop(n_words == 4 ? AF_INET6 : AF_INET, words, ret->address, sizeof(ret->address));
    ret->port = (uint16_t)port;
    return 0;
}

static int parse_line(struct span line, struct listening_socket *ret)
{
    struct span words[FIELDS];
    for (size_t i = 0; i < FIELDS; i++)
        if (!next_word(&line, &words[i]))
            return -EINVAL;
    uint64_t state = 0, inode = 0;
    if (num_parse_hex(words[FIELD_STATE], 0xff, &state) < 0 || state != TCP_LISTEN_STATE ||
        num_parse(words[FIELD_INODE], 0, UINT64_MAX, &inode) < 0)
        return -EINVAL;
    ret->inode = (unsigned long)inode;
    return parse_local(words[FIELD_LOCAL], ret);
}

bool ports_next(struct span *rest, struct listening_socket *ret)
{
    struct span line;
    while (span_split(rest, '\n', &line)) {
        struct listening_socket found = {0};
        if (parse_line(line, &found) == 0 && found.port != 0) {
            *ret = found;
            return true;
        }
    }
    return false;
}

static void read_whole(const char *path, struct buf *dst)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    for (;;) {
        void *room = buf_reserve(dst, READ_STEP);
        ssize_t n = room ? read(fd, room, READ_STEP) : 0;
        if (n <= 0)
            return;
        buf_commit(dst, (size_t)n);
    }
}

static bool is_wildcard(const char *address)
{
    return str_eq(address, "0.0.0.0") || str_eq(address, "::");
}

static void add_port(struct api_ports *ports, struct map *by_port, struct map *by_inode,
                     const struct listening_socket *found)
{
    /* Values are index + 1, so that none is NULL. */
    uintptr_t known = (uintptr_t)map_get_id(by_port, found->port);
    if (!known) {
        if (ports->n_ports == PORTS_MAX)
            return;
        known = ++ports->n_ports;
        map_put_id(by_port, found->port, (void *)known);
        struct api_port *port = &ports->ports[known - 1];
        port->port = found->port;
        str_copy(port->address, sizeof(port->address), found->address);
    } else if (is_wildcard(found->address)) {
        struct api_port *port = &ports->ports[known - 1];
        str_copy(port->address, sizeof(port->address), found->address);
    }
    map_put_id(by_inode, found->inode, (void *)known);
}

static void read_sockets(const char *path, struct api_ports *ports, struct map *by_port,
                         struct map *by_inode)
{
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(FILE_MAX_LEN);
    read_whole(path, &text);
    struct span rest = span_from(buf_data(&text), text.len);
    struct listening_socket found;
    while (ports_next(&rest, &found))
        add_port(ports, by_port, by_inode, &found);
}

static void name_process(struct api_port *port, int proc, const char *pid)
{
    char path[300];
    snprintf(path, sizeof(path), "%s/comm", pid);
    _cleanup_close_ int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    uint64_t number = 0;
    num_parse(span_of(pid), 0, UINT32_MAX, &number);
    port->pid = (uint32_t)number;
    ssize_t n = fd >= 0 ? read(fd, port->process, sizeof(port->process) - 1) : 0;
    if (n <= 0)
        return;
    port->process[n] = '\0';
    for (char *c = port->process; *c; c++)
        if (!isprint((unsigned char)*c)) {
            *c = '\0';
            return;
        }
}

/* Looks through the descriptors of one process for sockets of ours. */
static void match_process(struct api_ports *ports, struct map *by_inode, int proc, const char *pid)
{
    char path[300];
    snprintf(path, sizeof(path), "%s/fd", pid);
    int fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        if (fd >= 0)
            close(fd);
        return;
    }
    struct dirent *entry;
    while ((entry = readdir(dir))) {
        char target[64];
        ssize_t n = readlinkat(fd, entry->d_name, target, sizeof(target));
        struct span text = span_from(target, n > 0 ? (size_t)n : 0);
        uint64_t inode = 0;
        if (!span_starts(text, "socket:[") ||
            num_parse(span_sub(text, 8, text.len - 1), 0, UINT64_MAX, &inode) < 0)
            continue;
        uintptr_t index = (uintptr_t)map_get_id(by_inode, inode);
        if (index && !ports->ports[index - 1].pid)
            name_process(&ports->ports[index - 1], proc, pid);
    }
    closedir(dir);
}

static void match_processes(struct api_ports *ports, struct map *by_inode)
{
    DIR *proc = opendir("/proc");
    if (!proc)
        return;
    struct dirent *entry;
    while ((entry = readdir(proc)))
        if (isdigit((unsigned char)entry->d_name[0]))
            match_process(ports, by_inode, dirfd(proc), entry->d_name);
    closedir(proc);
}

static int by_number(const void *a, const void *b)
{
    const struct api_port *x = a, *y = b;
    return (int)x->port - (int)y->port;
}

void ports_list(struct api_ports *ret)
{
    *ret = (struct api_ports){.ports = xcalloc(PORTS_MAX, sizeof(*ret->ports))};
    struct map *by_port = map_new();
    struct map *by_inode = map_new();
    read_sockets("/proc/self/net/tcp", ret, by_port, by_inode);
    read_sockets("/proc/self/net/tcp6", ret, by_port, by_inode);
    match_processes(ret, by_inode);
    map_free(by_port);
    map_free(by_inode);
    qsort(ret->ports, ret->n_ports, sizeof(*ret->ports), by_number);
}
