#pragma once
/*
 * Which processes have which sockets open (Linux: /proc/PID/fd). A process of another user shows
 * nothing unless we are root.
 */
#include <stdbool.h>
#include <stdint.h>

struct map;

struct process_found {
    uint32_t pid;
    char name[64]; /* printable; empty: not known */
    bool own;      /* this process, or an sshd that it has started */
};

/* The socket with this value in the map belongs to that process. */
typedef void process_found_fn(void *value, const struct process_found *process, void *ud);

/* Looks through all processes for sockets whose inode is a key of `by_inode`. */
void processes_of_sockets(const struct map *by_inode, process_found_fn *found, void *ud);
/* Whether there is such a process still. */
bool process_lives(uint32_t pid);
