#pragma once
/* What this machine is in the network: its addresses, whether they changed, and which it is. */
#include <stddef.h>

#include "io/addr.h"

struct loop;
struct net_watch;

/*
 * Addresses of interfaces that are up, without loopback and link-local ones: at most `max`, the
 * families taking turns, port 0. Returns how many.
 */
size_t net_local_addrs(struct addr *dst, size_t max);

/*
 * A text that is the same for two processes exactly when they share a running kernel and its
 * network namespace, so that their loopback is one. Not to be guessed by others. 0; -ENOENT: not
 * known.
 */
enum { NET_MACHINE_SIZE = 33 };
int net_local_machine(char dst[static NET_MACHINE_SIZE]);

/* Addresses or routes may have changed. Several changes at once are told once. */
typedef void net_changed_fn(void *ud);
/* Never fails: where the kernel does not tell, `changed` comes every 30 s. */
struct net_watch *net_watch_new(struct loop *loop, net_changed_fn *changed, void *ud);
/* No callback afterwards. Returns NULL; accepts NULL. */
struct net_watch *net_watch_free(struct net_watch *w);
