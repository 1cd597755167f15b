#pragma once
/*
 * Password hashes in the form of crypt(5), made with yescrypt. Hashing takes tens of milliseconds
 * on purpose, so it runs on libuv's thread pool; at most PASSWORD_JOBS_MAX run or wait at a time
 * in the whole process, so that a flood of log-ins does not keep the pool from other work.
 */
#include <stdbool.h>

#include "base/span.h"

struct loop;
struct password_job;

enum { PASSWORD_JOBS_MAX = 16 };

/* r: 0, or -EINVAL: libcrypt refuses the password (NUL within, too long). `hash` lives until it
 * returns. */
typedef void password_hashed_fn(void *ud, int r, const char *hash);
typedef void password_verified_fn(void *ud, bool right);

/*
 * Both copy their arguments (and wipe the copy), never call back inside the call, and return NULL
 * when PASSWORD_JOBS_MAX are under way: the caller answers "busy, come back". The handle is valid
 * until the callback starts or password_cancel() was called.
 */
struct password_job *password_hash(struct loop *loop, struct span password, password_hashed_fn *fn,
                                   void *ud);
/*
 * Compares in constant time. With `hash` NULL, empty or unusable the answer is false after the
 * same work, so that the time does not tell whether there is such a user.
 */
struct password_job *password_verify(struct loop *loop, struct span password, const char *hash,
                                     password_verified_fn *fn, void *ud);
/* The callback will not run. Accepts NULL. */
void password_cancel(struct password_job *job);
