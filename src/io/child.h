#pragma once
/*
 * Child processes. A child gets exactly the descriptors that it is given (all others of this
 * program are close-on-exec), default signal handling, and a session and process group of its
 * own, so that it can be ended with all that it started. It is always reaped, also when nobody
 * waits for its end any more.
 */
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/err.h"

struct child;
struct loop;

/*
 * It has ended: `code` is its exit code, or -1 when `signum` (else 0) killed it. The child is
 * still to be freed, which may be done in this call.
 */
typedef void child_exited_fn(struct child *c, int code, int signum, void *ud);

/* A resource limit (soft and hard alike) as of setrlimit(2): RLIMIT_NOFILE, ... */
struct child_limit {
    int resource;
    rlim_t most;
};

enum { CHILD_FDS_MAX = 8 };

struct child_options {
    const char *file;   /* a path, or a name that is looked for in PATH */
    char *const *argv;  /* ended by NULL; [0] is the name it sees */
    char *const *env;   /* ended by NULL; NULL: ours */
    const char *folder; /* its working directory; NULL: ours */
    /*
     * fds[i] becomes its descriptor i; -1: /dev/null (0 to 2) or nothing. They stay the caller's,
     * who usually closes them after the start. Descriptors 0 to 2 that are not given: /dev/null.
     */
    const int *fds;
    size_t n_fds; /* at most CHILD_FDS_MAX */
    /* Set right after the start, so before the child can have opened much. */
    const struct child_limit *limits;
    size_t n_limits;
    usec_t grace; /* of child_free(): SIGTERM first, SIGKILL after this long; 0: SIGKILL at once */
    child_exited_fn *exited;
    void *ud;
};

/*
 * Starts a process. 0; -ENOENT: there is no such file; -EACCES; other codes by the system; with a
 * text. `exited` never runs inside this call.
 */
int child_start(struct loop *loop, const struct child_options *options, struct child **ret,
                struct err *err);
pid_t child_pid(const struct child *c);
/* Sends a signal to its whole process group. 0, or -ESRCH: nobody is left. */
int child_signal(struct child *c, int signum);
/*
 * No callback afterwards. Its group is ended if the child still runs (see `grace`; also when the
 * loop is freed before that), and it is reaped. Returns NULL; accepts NULL.
 */
struct child *child_free(struct child *c);
