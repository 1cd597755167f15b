#pragma once
/* Unix signals as loop events. */

struct loop;
struct signal_watch;

typedef void signal_received_fn(int signum, void *ud);

struct signal_watch *signal_watch_new(struct loop *loop, int signum, signal_received_fn *received,
                                      void *ud);
/* Returns NULL; accepts NULL. */
struct signal_watch *signal_watch_free(struct signal_watch *w);
