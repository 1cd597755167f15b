#pragma once
/* Threads with a loop of their own. */

struct loop;
struct worker;

/* Starts a thread that runs a loop; `start(loop, ud)` is its first call, on that thread. */
struct worker *worker_start(const char *name, void (*start)(struct loop *loop, void *ud), void *ud);
struct loop *worker_loop(struct worker *w);
/*
 * Calls `stop(loop, ud)` on the thread, where it ends what it started, then ends the loop once it
 * returned, and joins. Returns NULL; accepts NULL.
 */
struct worker *worker_stop(struct worker *w, void (*stop)(struct loop *loop, void *ud), void *ud);
