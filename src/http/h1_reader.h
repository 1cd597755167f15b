#pragma once
/*
 * The receiving half of an HTTP/1 connection: collects heads, then gives out bodies decoded, by
 * pull, straight from the stream where it can. It holds at most one head, or H1_READ_LEN bytes.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/buf.h"
#include "http/h1_head.h"
#include "http/headers.h"

struct stream;

enum { H1_READ_LEN = 16384 };

/* Where the decoder of a chunked body stands (RFC 9112 section 7.1). */
enum h1_chunk { CHUNK_SIZE, CHUNK_DATA, CHUNK_END, CHUNK_TRAILERS };

struct h1_reader {
    struct stream *s; /* borrowed */
    struct h1_limits limits;
    struct buf in; /* received and not yet given out */
    struct h1_scan scan;
    enum h1_framing framing;
    enum h1_chunk chunk;
    uint64_t left;         /* bytes of the body, or of the chunk, still to come */
    size_t extension_left; /* bytes of chunk extensions that a body may still have */
    bool line_skipped;     /* the empty line before a head has been used up */
    bool body_done;
    bool eof;     /* the stream has ended */
    bool starved; /* the stream had nothing; cleared by whoever hears that it has */
    bool lent_by_stream;
    int error;                /* of the body; latched */
    struct headers *trailers; /* NULL once nobody wants them */
};

void h1_reader_init(struct h1_reader *r, struct stream *s, const struct h1_limits *limits);
void h1_reader_deinit(struct h1_reader *r);

/*
 * 1: a head is complete, *ret_head is it, valid until h1_reader_take_head(). 0: not yet, the
 * stream has no more now. Above 1: the status to refuse it with. Negative: the stream failed;
 * -ENODATA: it ended before the first byte of a head; -EPROTO: inside one.
 */
int h1_reader_head(struct h1_reader *r, struct span *ret_head);
/* Takes the head (`len` bytes) out, and expects the body that goes with it. */
void h1_reader_take_head(struct h1_reader *r, size_t len, enum h1_framing framing, uint64_t length,
                         struct headers *trailers);
/* Bytes of a head have come, but not all. */
bool h1_reader_in_head(const struct h1_reader *r);

/* As exchange_recv(), without time-outs. */
ssize_t h1_reader_recv(struct h1_reader *r, void *data, size_t len);
ssize_t h1_reader_peek(struct h1_reader *r, const void **ret_data);
void h1_reader_consume(struct h1_reader *r, size_t len);

/*
 * Reads on while no body is expected, to learn whether the peer is still there, and keeps what
 * comes. 0: nothing, or kept; -ENODATA: the stream has ended; -ENOBUFS: enough is kept; other:
 * it failed.
 */
int h1_reader_watch(struct h1_reader *r);
