#pragma once
/*
 * Bytes from one plain socket to another without a way through this process: splice(2) over a
 * pipe, which holds references to the kernel's own pages. Pipes are lent by the loop: a direction
 * has one only while bytes wait in it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct loop;
struct splice_pipe;
struct stream;

/* Whether both are bare sockets. */
bool splice_possible(const struct stream *from, const struct stream *to);
/* NULL: no descriptors are left. */
struct splice_pipe *splice_pipe_take(struct loop *loop);
/* Back to the loop; with bytes in it, it is closed. Returns NULL; accepts NULL. */
struct splice_pipe *splice_pipe_give(struct loop *loop, struct splice_pipe *p);
/* Bytes that wait in it. */
size_t splice_pipe_held(const struct splice_pipe *p);
/*
 * As stream_recv() into the pipe, which has to be empty, and stream_send() of what is in it.
 * -EINVAL: these sockets cannot.
 */
ssize_t splice_receive(struct splice_pipe *p, struct stream *from);
ssize_t splice_send(struct splice_pipe *p, struct stream *to);
