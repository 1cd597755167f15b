#pragma once
/*
 * An answer that is held open and told piece by piece, such as JSON lines. Its reader has nothing
 * to say: what it sends is ignored, and its end means that it has gone.
 */
#include <stdbool.h>

#include "base/buf.h"

struct channel_request;
struct stream;

/*
 * Asked whenever all before has been taken: appends the next piece to `out` (empty, and as large
 * as was said at the start), or nothing when none is due.
 */
typedef void held_answer_fill_fn(struct buf *out, void *ud);
/* The reader has gone: calls held_answer_end(), and may free what the answer is in. */
typedef void held_answer_gone_fn(void *ud);

struct held_answer {
    struct stream *body; /* NULL: not begun, or ended */
    struct buf unsent;
    held_answer_fill_fn *fill;
    held_answer_gone_fn *gone;
    void *ud;
    bool last; /* the body ends behind what waits */
};

/*
 * Answers 200 with this type of content. `piece_max` is the ceiling of what waits; `fill` NULL:
 * pieces are only appended to `unsent` by the owner. Nothing is sent before held_answer_flush().
 */
void held_answer_start(struct held_answer *a, struct channel_request *rq, const char *content_type,
                       size_t piece_max, held_answer_fill_fn *fill, held_answer_gone_fn *gone,
                       void *ud);
/* Sends what is due. False: the reader has gone, and `gone` has been called. */
bool held_answer_flush(struct held_answer *a);
/* Sends what is due, and ends the body behind it. */
void held_answer_finish(struct held_answer *a);
/* No callback afterwards. What has not been sent is lost. */
void held_answer_end(struct held_answer *a);
