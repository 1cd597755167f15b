#pragma once
/* Streams on a connected socket (TCP or Unix), and facts about that socket. */
#include "io/stream.h"

/*
 * Takes over a connected, non-blocking socket; on TCP it sets TCP_NODELAY. Supports moving to
 * another loop.
 */
struct stream *fd_stream_new(struct loop *loop, int fd);
/* For a peer on this machine, which cannot vanish without a word: it is not asked for life signs.
 */
struct stream *fd_stream_new_near(struct loop *loop, int fd);
/*
 * The same in two steps. On Linux what is accepted has the options of the socket that listens, so
 * that a listener needs to set them only once.
 */
void fd_stream_prepare(int fd);
struct stream *fd_stream_prepared(struct loop *loop, int fd);
/* The descriptor at the bottom of a stack of streams, or -1. It stays the stream's. */
int stream_fd(const struct stream *s);
/*
 * What is queued in the kernel beyond what may be sent only delays what comes behind it: at the
 * bottom of a stack of streams, so much is taken ahead and no more (TCP_NOTSENT_LOWAT). Bytes that
 * were sent and not acknowledged do not count, so that a long line is filled all the same.
 */
void stream_limit_unsent(const struct stream *s, int bytes);
