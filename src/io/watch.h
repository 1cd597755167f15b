#pragma once
/*
 * Readiness of a file descriptor (level-triggered, by epoll). The descriptor stays the caller's.
 * After watch_close() the descriptor may be closed, or watched on another loop, at once.
 */

struct loop;
struct watch;

enum { WATCH_READ = 1, WATCH_WRITE = 2 };

/* `events`: what is ready. An error or hang-up is reported as all that was wanted. */
typedef void watch_ready_fn(unsigned events, void *ud);

/* Wants nothing yet. The descriptor must be non-blocking. */
struct watch *watch_new(struct loop *loop, int fd, watch_ready_fn *ready, void *ud);
void watch_want(struct watch *w, unsigned events);
/* The same where what is no longer wanted would be reported at once, as the end of a stream is. */
void watch_want_only(struct watch *w, unsigned events);
/* No callback afterwards, also from inside one. Returns NULL; accepts NULL. */
struct watch *watch_close(struct watch *w);
