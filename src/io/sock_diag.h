#pragma once
/* Questions to the kernel about its internet sockets: sock_diag(7). Linux only. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct inet_diag_msg;
struct inet_diag_req_v2;

/* A descriptor to ask on; the caller closes it. Negative: there is none to be had. */
int sock_diag_open(void);

/* A socket was found. Its attributes follow `m`; the whole is `len` bytes. Borrowed. */
typedef void sock_diag_found_fn(const struct inet_diag_msg *m, size_t len, void *ud);
/*
 * Asks on `fd` and waits for the whole answer. `dump`: for all sockets that fit, else for the one.
 * `number` tells the answer from what a question that failed half-way may have left on `fd`.
 * 0, or negative; -ENOENT: there is no such socket, or the kernel has no such family.
 */
int sock_diag_ask(int fd, const struct inet_diag_req_v2 *question, bool dump, uint32_t number,
                  sock_diag_found_fn *found, void *ud);
