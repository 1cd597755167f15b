#pragma once
/*
 * The sending half of an HTTP/1 connection: heads are queued, bodies are framed and go out in the
 * same call as the head before them. Only what a stream has not taken is kept.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/buf.h"
#include "base/span.h"

struct headers;
struct stream;

enum {
    H1_CHUNK_MAX = 32 * 1024,        /* bytes of a chunk that is sent */
    H1_QUEUE_MAX = 64 * 1024 * 1024, /* answers given whole, while the peer is slow */
};

enum h1_body { H1_BODY_NONE, H1_BODY_LENGTH, H1_BODY_CHUNKED, H1_BODY_RAW };

struct h1_writer {
    struct stream *s; /* borrowed */
    struct buf out;
    const unsigned char *fixed; /* behind `out`: a constant that is not copied */
    size_t fixed_len;
    enum h1_body body;
    uint64_t left; /* of H1_BODY_LENGTH */
    bool blocked;  /* the stream took no more */
    int error;     /* latched */
};

void h1_writer_init(struct h1_writer *w, struct stream *s);
void h1_writer_deinit(struct h1_writer *w);

/* Bytes that the stream has not taken yet. */
size_t h1_writer_queued(const struct h1_writer *w);
/* 0: everything is out; -EAGAIN; or the failure. */
int h1_writer_flush(struct h1_writer *w);

/* Queues a piece of a head; fields that a filter names are left out. 0 or -ENOBUFS. */
int h1_writer_text(struct h1_writer *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int h1_writer_span(struct h1_writer *w, struct span text);
int h1_writer_field(struct h1_writer *w, struct span name, struct span value);
/* The first line of a request, and of an answer. */
int h1_writer_request(struct h1_writer *w, struct span method, struct span target);
int h1_writer_status(struct h1_writer *w, unsigned status);
/* The Content-Length field. */
int h1_writer_length(struct h1_writer *w, uint64_t length);
/* Queues all but the fields of the connection's own framing. 0 or -ENOBUFS. */
int h1_writer_fields(struct h1_writer *w, const struct headers *fields, bool keep_connection);
/* Queues the empty line; what follows is a body of that kind. */
int h1_writer_begin(struct h1_writer *w, enum h1_body body, uint64_t length);

/* As exchange_send(). H1_BODY_NONE takes everything and sends nothing. */
ssize_t h1_writer_send(struct h1_writer *w, const struct iovec *iov, int n_iov);
/* Takes all of it: what the stream does not take now is copied. 0 or the failure. */
int h1_writer_send_all(struct h1_writer *w, const void *data, size_t len);
/* The same for bytes that live for ever: nothing is copied. Ends a body with a length. */
int h1_writer_send_fixed(struct h1_writer *w, const void *data, size_t len);
/* Queues the end of a body. 0; -EINVAL: bytes of its length are missing; -ENOBUFS. */
int h1_writer_end(struct h1_writer *w, const struct headers *trailers);
