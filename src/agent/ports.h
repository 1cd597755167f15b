#pragma once
/*
 * The open TCP ports of the workspace: what listens, which process has it, and what it speaks. A
 * socket is looked into once, when it is new: its process is searched for, and it is probed
 * (agent/probe.h) unless it is somebody else's, or such that a probe could disturb it. The agent's
 * own sockets are not listed. Ports of apps, and those on which people's forwards listen, are told
 * apart from the others: they are no ports of the workspace's own, but may be shared.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/peer.h"

struct loop;
struct ports;

/* The list is not what it was. */
typedef void ports_changed_fn(void *ud);

struct ports_options {
    bool no_probe; /* nothing is connected to: what ports speak is not known */
    ports_changed_fn *changed;
    void *ud;
};

struct ports *ports_new(struct loop *loop, const struct ports_options *options);
/* Looks now; `changed` is called, inside this call, when there is something new. */
void ports_look(struct ports *p);
/* Ports that are unlisted: those of apps, which are listed as apps. Copied; 64 at most. */
void ports_hide(struct ports *p, const uint16_t *numbers, size_t n);
/*
 * Ports on which forwards listen: unlisted, and told by the next look. Copied;
 * PORTS_FORWARDED_MAX at most. Those of one port beyond the first are left out.
 */
enum { PORTS_FORWARDED_MAX = 1024 };
void ports_set_forwarded(struct ports *p, const struct api_port *forwarded, size_t n);

/*
 * The lists as of the last look, which together have one entry a port (a wildcard address wins over
 * loopback, what is listed over what is not) and PORTS_MAX at most; ordered by port. Borrowed
 * until the next look.
 */
enum { PORTS_MAX = 4096 };
const struct api_ports *ports_list(const struct ports *p);

/*
 * Whether a listener may be probed, for all that is known of it: not those for which one
 * connection is all they wait for. `process` may be empty; `backlog` < 0: not known. Pure.
 */
bool ports_may_probe(const char *process, uint16_t port, int backlog);

/* Returns NULL; accepts NULL. */
struct ports *ports_free(struct ports *p);
