#pragma once
/*
 * A byte stream in both directions: TCP, Unix socket, TLS, WebSocket, HTTP/2 channel, a pair in
 * memory. Streams stack: a TLS stream owns the stream below it (`next`).
 *
 * Non-blocking and readiness-based: recv and send do what they can now or return -EAGAIN; after
 * stream_want() the owner's callback reports when trying again makes sense. Directions close
 * one by one (half-close): the end of what is received says nothing about what may be sent.
 *
 * Ownership: whoever holds the stream frees it. stream_free() may be called anywhere, also inside
 * its own callback: no callback comes afterwards, the descriptor is closed at once (with unsent
 * bytes flushed only as far as the kernel has them), memory goes at the end of the turn.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "io/loop.h"

struct stream;

enum { STREAM_READ = 1, STREAM_WRITE = 2 };

/*
 * What was wanted is (probably) possible now: level-triggered, called again every turn while it
 * is wanted and possible. A failed stream reports all that is wanted; recv and send tell why.
 */
typedef void stream_ready_fn(struct stream *s, unsigned events, void *ud);

struct stream_ops {
    const char *name; /* "tcp", "tls", ...: for logs */

    /* As stream_recv and so on below. Those behind `free` may be missing. */
    ssize_t (*recv)(struct stream *s, void *data, size_t len);
    ssize_t (*send)(struct stream *s, const struct iovec *iov, int n_iov);
    int (*shutdown)(struct stream *s);
    void (*want)(struct stream *s, unsigned events);
    void (*free)(struct stream *s);

    ssize_t (*peek)(struct stream *s, const void **ret_data);
    void (*consume)(struct stream *s, size_t len);
    void (*detach)(struct stream *s);
    void (*attach)(struct stream *s, struct loop *loop);
    bool (*unsent)(const struct stream *s);
    int (*bare_fd)(const struct stream *s, unsigned direction);
};

/* The common head of every implementation's struct. Set by stream_init(). */
struct stream {
    const struct stream_ops *ops;
    struct loop *loop;
    struct stream *next; /* owned by the implementation; NULL at the bottom */
    stream_ready_fn *ready;
    void *ud;
    unsigned wanted;
    bool *gone;        /* set when it is freed or detached inside stream_report() */
    struct defer reap; /* see stream_reap() */
};

/* For implementations. */
void stream_init(struct stream *s, const struct stream_ops *ops, struct loop *loop);
/*
 * For implementations: calls the owner with those of `events` that are wanted, if any. False: the
 * stream was freed or handed to another thread meanwhile, and may not be touched any more.
 */
bool stream_report(struct stream *s, unsigned events);

/*
 * For implementations: the last call of their `free`. `release(s)` frees the memory (NULL: it is
 * one block from malloc) at the end of the turn, or at once when the stream is detached.
 */
void stream_reap(struct stream *s, void (*release)(void *s));

/* Who is told. May be changed at any time; `ready` NULL while nobody wants anything. */
void stream_set_ready(struct stream *s, stream_ready_fn *ready, void *ud);

/*
 * Up to `len` bytes. > 0: bytes; 0: the other side sends no more; -EAGAIN: nothing now; other:
 * the stream failed (-ECONNRESET, -EPIPE, -ETIMEDOUT, -EPROTO, ...) and stays failed.
 */
ssize_t stream_recv(struct stream *s, void *data, size_t len);

/*
 * Takes bytes from the front of the vectors: >= 1 bytes taken, -EAGAIN, or the failure. A caller
 * that gets -EAGAIN keeps its bytes, wants STREAM_WRITE, and may offer other bytes next time.
 */
ssize_t stream_send(struct stream *s, const struct iovec *iov, int n_iov);
ssize_t stream_send_bytes(struct stream *s, const void *data, size_t len);

/*
 * Ends the sending direction behind all bytes taken so far. Receiving goes on. 0 or the failure;
 * what cannot be sent yet goes out by itself later. A second call does nothing.
 */
int stream_shutdown(struct stream *s);

/*
 * Whether bytes that were taken, or the end behind them, still wait inside the stack and would be
 * lost by stream_free(). STREAM_WRITE is reported when they are out, also after a shutdown.
 */
bool stream_unsent(const struct stream *s);

/* Sets (not adds) what the owner waits for: 0 or STREAM_READ | STREAM_WRITE. */
void stream_want(struct stream *s, unsigned events);

/*
 * Receiving without a copy, where the implementation holds the bytes itself. As stream_recv, but
 * lends them: valid until consume or any other call on the stream. -ENOTSUP where it cannot.
 */
ssize_t stream_peek(struct stream *s, const void **ret_data);
void stream_consume(struct stream *s, size_t len);

/*
 * The descriptor through which the bytes of a direction (STREAM_READ or STREAM_WRITE) pass as they
 * are, with none held back in between, or -1: for splice(2) in place of the next call of recv or
 * send. Holds until any other call on the stream.
 */
int stream_bare_fd(const struct stream *s, unsigned direction);

/*
 * Moves a stream, with all its state and what lies below it, to another loop: detach on the old
 * loop's thread (nothing may be wanted; inside the stream's own callback is fine), hand the
 * pointer over, attach on the new one's.
 * -ENOTSUP for streams that belong to a session (HTTP/2 channels).
 */
int stream_detach(struct stream *s);
void stream_attach(struct stream *s, struct loop *loop);

/* Returns NULL; accepts NULL. */
struct stream *stream_free(struct stream *s);

/* Two ends in memory on one loop, each holding at most `capacity` bytes on the way. For tests. */
void stream_pair(struct loop *loop, size_t capacity, struct stream *ret_ends[2]);

/*
 * A stream that first gives the `len` bytes at `data` (copied) and then what `next` (taken over)
 * gives: for bytes that a parser has read too far. Returns `next` itself when len is 0.
 */
struct stream *stream_prepend(struct stream *next, const void *data, size_t len);
