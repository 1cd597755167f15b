#pragma once
/*
 * What is forwarded at the moment, for those who look: one row for each target that a peer's
 * session has been to, and for each listener that it has here; all its connections are counted
 * there. A row goes with its session, or with its listener. SSH's own are in agent/ssh_host.h.
 */
#include "api/news.h"
#include "api/peer.h"
#include "base/list.h"

struct forwards;
struct served;
struct ssh_host;

/* Rows of one session; beyond it those without a connection make room, oldest first. */
enum { FORWARDS_PER_PEER_MAX = 64 };

struct forwards *forwards_new(void);
/* A channel was accepted, and ends: `s->row` is set and cleared. NULL `f`: does nothing. */
void forwards_join(struct forwards *f, struct served *s);
void forwards_leave(struct served *s);
/* The session with this reporter is over; all its channels have left. */
void forwards_end_peer(struct forwards *f, const struct id *peer);
/*
 * All rows and those of `ssh` (may be NULL), newest last, API_FORWARDS_MAX at most. Release it with
 * api_forwards_release().
 */
void forwards_list(struct forwards *f, const struct ssh_host *ssh, struct api_forwards *ret);
/*
 * The TCP ports in the workspace on which they listen: number, address, and whose they are; `max`
 * at most. Free the array.
 */
struct api_port *forwards_listening(struct forwards *f, const struct ssh_host *ssh, size_t max,
                                    size_t *ret_n);
/* Returns NULL; accepts NULL. */
struct forwards *forwards_free(struct forwards *f);
